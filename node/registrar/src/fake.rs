//! A ledger in memory, for tests: one issuer, lists under the ledger's own rules, and a break at any call.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use testamur_client::credentials::{Addresses, Signer, Validity};
use testamur_client::error::Problem;
use testamur_client::nodes::FinaliseError;
use testamur_client::registry::RegistryError;
use testamur_credentials::credential::Credential;
use testamur_credentials::ledger::pointer;
use testamur_credentials::proofs::Proofs;
use testamur_credentials::verify::{Reason, Report, Verdict};
use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttachmentHash, AttributeId, GenesisHash, RecordId, SchemaId};
use testamur_primitives::identity::{DidEntry, Grant, Relationship, VerificationMethod, thumbprint};
use testamur_primitives::issuers::accreditation::{Accreditation, Scope};
use testamur_primitives::issuers::chain::{ChainRefusal, Link, TrustChain};
use testamur_primitives::issuers::{Entity, IssuerType, LegalName};
use testamur_primitives::key::{PublicKey, SigningKey};
use testamur_primitives::receipt::{Facts, Receipt};
use testamur_primitives::record::{Act, Record, Reference};
use testamur_primitives::schemas::SchemaEntry;
use testamur_primitives::status::{BitList, StatusEntry};
use testamur_primitives::units::{Height, LogIndex, LogSize, Round, UnixTime};

use crate::ledger::{Checks, Final, Handed, Ledger};

/// A receipt of another network, of which only the record is exchanged: whoever verifies it will not be pleased.
const RECEIPT: &[u8] = include_bytes!("../../../tests/vectors/sample/contract.pdf.receipt.json");
/// When the fake ledger began.
const GENESIS: UnixTime = UnixTime(1_700_000_000);

/// How a call is broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// It never reached the ledger.
    Before,
    /// The ledger did it, and the answer was lost.
    After,
}

#[derive(Debug, Default)]
struct State {
    finals: BTreeMap<RecordId, Final>,
    lists: BTreeMap<Reference, Vec<StatusEntry>>,
    bits: BTreeMap<AttachmentHash, Vec<u8>>,
    records: Vec<Record>,
    /// Calls so far.
    calls: usize,
    /// From which call on nothing gets through, and how that call breaks off.
    broken: Option<(usize, Break)>,
}

/// The ledger.
#[derive(Debug)]
pub struct FakeLedger {
    issuer: Did,
    key: SigningKey,
    rotated: Mutex<Vec<PublicKey>>,
    state: Mutex<State>,
}

impl FakeLedger {
    /// A ledger on which one issuer is registered and accredited for whatever it asks.
    pub fn new(issuer: Did, key: SigningKey) -> Self {
        Self { issuer, key, rotated: Mutex::default(), state: Mutex::default() }
    }

    /// Gives the issuer one more key.
    #[cfg(test)]
    pub(crate) fn rotate(&self, key: SigningKey) {
        self.rotated.lock().unwrap().push(key.public_key());
    }

    /// Lets nothing through from a call on, counted from now.
    pub fn break_at(&self, call: usize, how: Break) {
        let mut state = self.lock();
        state.broken = Some((state.calls + call, how));
    }

    /// Lets everything through again; says whether anything was broken off.
    pub fn mend(&self) -> bool {
        let mut state = self.lock();
        let met = state.broken.is_some_and(|(call, _)| state.calls > call);
        state.broken = None;
        met
    }

    /// Every record that became final, in order.
    pub fn records(&self) -> Vec<Record> {
        self.lock().records.clone()
    }

    /// Whether an entry of a list is set; none when there is no such list.
    pub fn bit(&self, list: &str, entry: u64) -> Option<bool> {
        let state = self.lock();
        let newest = state.lists.get(&list.parse::<Reference>().unwrap())?.last()?;
        BitList::from_bytes(state.bits[&newest.status.sha256].clone(), newest.status.size)?.get(entry)
    }

    /// How many versions a list has.
    pub fn versions(&self, list: &str) -> usize {
        self.lock().lists.get(&list.parse::<Reference>().unwrap()).map_or(0, Vec::len)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Counts a call; what becomes of it.
    fn call(&self) -> Option<Break> {
        let mut state = self.lock();
        let number = state.calls;
        state.calls += 1;
        match state.broken {
            Some((from, how)) if number == from => Some(how),
            Some((from, _)) if number > from => Some(Break::Before),
            _ => None,
        }
    }

    fn read(&self) -> Result<MutexGuard<'_, State>, RegistryError> {
        if self.call().is_some() { Err(RegistryError(Vec::new())) } else { Ok(self.lock()) }
    }
}

impl State {
    fn time(&self) -> UnixTime {
        testamur_client::author::now().unwrap()
    }

    /// Makes a record final, if the ledger's rules allow it.
    fn commit(&mut self, issuer: &Did, record: &Record, attachment: Option<&[u8]>) -> Result<Final, FinaliseError> {
        if let Some(done) = self.finals.get(&record.id()) {
            return Ok(done.clone());
        }
        let refuse = |code: &str| FinaliseError::Refused {
            server: "fake".into(),
            problem: Problem { status: 422, code: code.into(), title: String::new(), detail: String::new() },
        };
        assert_eq!(record.author(), issuer, "an office signs as its issuer");
        let height = Height(self.records.len() as u64 + 1);
        if let Act::PublishStatus { status, prev } = record.act() {
            let versions = self.lists.entry(status.list.clone()).or_default();
            let newest = versions.last();
            if newest.map(|entry| entry.record) != *prev || status.version != versions.len() as u64 + 1 {
                return Err(refuse("status.stale"));
            }
            let bytes = attachment.ok_or_else(|| refuse("status.attachment"))?;
            let digest = AttachmentHash::from_bytes(testamur_primitives::codec::sha256(&[bytes]));
            if digest != status.sha256 {
                return Err(refuse("status.attachment"));
            }
            if newest.is_some_and(|entry| entry.status.purpose != status.purpose || entry.status.size != status.size) {
                return Err(refuse("status.purpose"));
            }
            self.bits.insert(digest, bytes.to_vec());
            versions.push(StatusEntry {
                v: 1,
                seq: status.version,
                height,
                time: testamur_client::author::now().unwrap(),
                record: record.id(),
                issuer: issuer.clone(),
                status: status.clone(),
            });
        }
        let mut receipt = Receipt::decode(RECEIPT).unwrap();
        receipt.opening = None;
        receipt.record = record.as_str().to_owned();
        let facts = Facts {
            record: record.id(),
            author: issuer.clone(),
            reference: None,
            time: self.time(),
            height,
            round: Round(0),
            index: LogIndex(height.0 - 1),
            log_size: LogSize(height.0),
            network: record.payload().net,
            origin: "fake.example".into(),
            witnesses: vec![],
            validators: 4,
            in_office_until: UnixTime(4_000_000_000),
            document_checked: false,
            anchored_at: None,
        };
        let done = Final { receipt, facts };
        self.records.push(record.clone());
        self.finals.insert(record.id(), done.clone());
        Ok(done)
    }
}

fn unknown(id: RecordId) -> FinaliseError {
    FinaliseError::Unknown { id, reason: "broken off on purpose".into() }
}

#[async_trait]
impl Ledger for FakeLedger {
    fn network(&self) -> GenesisHash {
        GenesisHash::from_bytes([7; 32])
    }

    fn public_base(&self) -> String {
        "https://ledger.example".into()
    }

    async fn submit(&self, record: &Record, attachment: Option<&[u8]>) -> Result<Final, FinaliseError> {
        let broken = self.call();
        if broken == Some(Break::Before) {
            return Err(unknown(record.id()));
        }
        let done = self.lock().commit(&self.issuer, record, attachment);
        if broken.is_some() { Err(unknown(record.id())) } else { done }
    }

    async fn find(&self, record: RecordId) -> Result<Final, FinaliseError> {
        if self.call().is_some() {
            return Err(unknown(record));
        }
        self.lock().finals.get(&record).cloned().ok_or_else(|| unknown(record))
    }

    async fn time(&self, _issuer: &Did) -> Result<UnixTime, RegistryError> {
        Ok(self.read()?.time())
    }

    async fn document(&self, issuer: &Did) -> Result<Option<DidEntry>, RegistryError> {
        drop(self.read()?);
        let grant = Grant { relationship: Relationship::AssertionMethod, not_before: GENESIS, not_after: None };
        let method = |public: &PublicKey| VerificationMethod {
            id: thumbprint(public),
            key: public.to_jwk(),
            grants: vec![grant],
            revoked: None,
            compromised_from: None,
        };
        let mut methods = vec![method(&self.key.public_key())];
        methods.extend(self.rotated.lock().unwrap().iter().map(method));
        Ok((*issuer == self.issuer).then(|| DidEntry {
            v: 1,
            seq: 1,
            height: Height(1),
            time: GENESIS,
            record: RecordId::ZERO,
            controllers: vec![issuer.clone()],
            methods,
            services: vec![],
            deactivated: false,
        }))
    }

    async fn accredited(&self, issuer: &Did, scope: &Scope) -> Result<Result<TrustChain, ChainRefusal>, RegistryError> {
        let time = self.read()?.time();
        let addresses = Addresses::new(&self.public_base());
        let signer = Signer { did: issuer, key: &self.key, addresses: &addresses };
        let (own, attribute) = (AttributeId::from_bytes([3; 32]), AttributeId::from_bytes([4; 32]));
        let place = testamur_client::credentials::Place { did: issuer, attribute };
        let validity = Validity { from: GENESIS, until: None };
        let text = signer.accreditation(IssuerType::Ti, own, place, std::slice::from_ref(scope), validity).unwrap();
        let entity = Entity {
            names: vec![LegalName { lang: "en".into(), name: "Demo University".into() }],
            country: "LU".into(),
            identifiers: vec![],
        };
        let link = Link {
            attribute,
            subject: issuer.clone(),
            entity,
            issuer_type: IssuerType::Ti,
            filled: GENESIS,
            ended: None,
            accreditation: std::sync::Arc::new(Accreditation::parse(&text).unwrap()),
        };
        Ok(Ok(TrustChain { links: vec![link], at: time }))
    }

    async fn schema(&self, schema: SchemaId) -> Result<Option<SchemaEntry>, RegistryError> {
        drop(self.read()?);
        let texts = [
            include_str!("../../../genesis/schemas/diploma.json"),
            include_str!("../../../genesis/schemas/dangerous-goods.json"),
        ];
        let found = texts.into_iter().find_map(|text| {
            let body = testamur_primitives::schemas::body::canonical(text).unwrap();
            (testamur_primitives::schemas::id_of(&body).unwrap() == schema).then_some(body)
        });
        Ok(found.map(|body| SchemaEntry {
            v: 1,
            seq: 1,
            height: Height(1),
            time: GENESIS,
            record: RecordId::ZERO,
            owner: self.issuer.clone(),
            body,
        }))
    }

    async fn status(&self, _issuer: &Did, list: &Reference) -> Result<Option<StatusEntry>, RegistryError> {
        Ok(self.read()?.lists.get(list).and_then(|versions| versions.last()).cloned())
    }

    async fn status_bits(&self, entry: &StatusEntry) -> Result<Vec<u8>, RegistryError> {
        Ok(self.read()?.bits[&entry.status.sha256].clone())
    }

    /// Looks at the bits alone: what a credential is worth beside them, others' tests say.
    async fn verify(&self, _checks: &Checks, handed: &[Handed]) -> Result<Vec<Report>, RegistryError> {
        drop(self.read()?);
        Ok(handed.iter().map(|one| self.report(&one.credential)).collect())
    }

    async fn proofs(&self, _credential: &Credential, _receipt: Option<&Receipt>) -> Result<Proofs, RegistryError> {
        drop(self.read()?);
        Ok(Proofs::NONE)
    }
}

impl FakeLedger {
    fn report(&self, credential: &Credential) -> Report {
        let pointer = credential.status.first().expect("every diploma has a place in a list");
        let list = pointer::lists(credential, &self.public_base()).remove(0);
        let set = |suffix: &str| self.bit(&format!("{}{suffix}", pointer::base(&list)), pointer.index).unwrap();
        let reason = match (set("-replaced"), set(""), set("-suspended")) {
            (true, ..) => Reason::StatusReplaced,
            (_, true, _) => Reason::StatusRevoked,
            (.., true) => Reason::StatusSuspended,
            (false, false, false) => Reason::Valid,
        };
        let verdict = if reason == Reason::Valid { Verdict::Valid } else { Verdict::NotValid };
        let at = testamur_client::author::now().unwrap();
        Report { v: 1, verdict, reason, at, as_of: None, format: None, steps: vec![], subject: Default::default() }
    }
}
