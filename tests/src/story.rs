//! A small world on a chain in memory: the real contracts execute every record, the state tree proves every value.
//! A ministry is Root TAO, accredits an agency, which accredits a university; a city registers and notarises.

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde_json::{Value, json};
use testamur_primitives::codec::{base64url, canonical, from_canonical, sha256};
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::genesis::Genesis;
use testamur_primitives::hash::{AttributeId, GenesisHash, RecordId, StateRoot};
use testamur_primitives::header::Header;
use testamur_primitives::identity::changes::NewMethod;
use testamur_primitives::identity::{self, DidEntry, Grant, Relationship, key_id, thumbprint};
use testamur_primitives::issuers::{Entity, Identifier, IdentifierScheme, LegalName};
use testamur_primitives::key::SigningKey;
use testamur_primitives::receipt::{AuthorKey, AuthorState, Receipt, ReceiptNetwork};
use testamur_primitives::record::{Act, Payload, Record, Reference};
use testamur_primitives::state::evidence::{Evidence, ProvenKey, Recorder};
use testamur_primitives::state::{StateKey, StateReader};
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::tree::{self, EMPTY_ROOT, TreeState, TreeStore};
use testamur_registry::{
    ApplyError, BlockContext, Execution, Rejection, ReplayWindow, WriteSet, check_stateless, genesis_writes, network,
};

use crate::chain::{Chain, Member, START, key, members, seed, set_of};

/// A legal entity with its two keys: one for registry records, one for credentials and everyday records.
#[derive(Debug)]
pub struct Party {
    /// Its DID.
    pub did: Did,
    /// Its key for `capabilityInvocation`.
    pub control: SigningKey,
    /// Its key for `assertionMethod`.
    pub assertion: SigningKey,
}

impl Party {
    /// The party of a name.
    pub fn new(name: &str) -> Self {
        let random: [u8; 16] = seed(name, 0)[..16].try_into().expect("16 bytes");
        Self {
            did: Did::of_ledger("ebsi", &random),
            control: SigningKey::secp256k1(&seed(name, 1)).expect("a scalar"),
            assertion: SigningKey::p256(&seed(name, 2)).expect("a scalar"),
        }
    }

    /// The thumbprint of its control key.
    pub fn jkt(&self) -> String {
        thumbprint(&self.control.public_key())
    }

    /// The key id of its assertion key.
    pub fn assertion_kid(&self) -> DidUrl {
        key_id(&self.did, &self.assertion.public_key())
    }

    /// The attribute that is reserved for it.
    pub fn attribute(&self) -> AttributeId {
        AttributeId::from_bytes(sha256(&[b"attribute", self.did.as_str().as_bytes()]))
    }

    /// Its keys as `insert-did` brings them.
    pub fn methods(&self) -> Vec<NewMethod> {
        let method = |key: &SigningKey, relationships: &[Relationship]| NewMethod {
            key: key.public_key().to_jwk(),
            grants: relationships
                .iter()
                .map(|relationship| Grant { relationship: *relationship, not_before: UnixTime(START), not_after: None })
                .collect(),
        };
        vec![
            method(&self.control, &[Relationship::CapabilityInvocation, Relationship::Authentication]),
            method(&self.assertion, &[Relationship::AssertionMethod, Relationship::Authentication]),
        ]
    }

    /// The act that registers it.
    pub fn insert(&self, authorisation: Option<String>) -> Act {
        Act::InsertDid { methods: self.methods(), controllers: Vec::new(), services: Vec::new(), authorisation }
    }
}

/// A legal person for an accreditation.
pub fn entity(names: &[(&str, &str)], country: &str) -> Entity {
    Entity {
        names: names.iter().map(|(lang, name)| LegalName { lang: (*lang).into(), name: (*name).into() }).collect(),
        country: country.into(),
        identifiers: vec![Identifier { scheme: IdentifierScheme::Eter, value: format!("{country}0001") }],
    }
}

/// An accreditation credential or authorisation, signed: a VC-JWT.
pub fn credential(issuer: &Party, kind: &str, subject: Value, parent: Option<(&Did, AttributeId)>) -> String {
    let header = json!({"alg": "ES256", "kid": issuer.assertion_kid().as_str(), "typ": "JWT"});
    let mut vc = json!({
        "@context": ["https://www.w3.org/2018/credentials/v1"],
        "type": ["VerifiableCredential", "VerifiableAttestation", kind],
        "issuer": issuer.did.as_str(),
        "issuanceDate": "2027-01-15T08:00:00Z", "issued": "2027-01-15T08:00:00Z", "validFrom": "2027-01-15T08:00:00Z",
        "expirationDate": "2031-01-15T08:00:00Z",
        "credentialSubject": subject,
    });
    if let Some((did, attribute)) = parent {
        let id = format!("https://ledger.example/trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute}");
        vc["termsOfUse"] = json!({"id": id, "type": "IssuanceCertificate"});
    }
    let payload = json!({"iss": issuer.did.as_str(), "vc": vc});
    let input = format!("{}.{}", base64url(&canonical(&header)), base64url(&canonical(&payload)));
    let signature = base64url(&issuer.assertion.sign(input.as_bytes()));
    format!("{input}.{signature}")
}

#[derive(Debug, Default)]
struct Tree {
    nodes: BTreeMap<Vec<u8>, Vec<u8>>,
    values: BTreeMap<([u8; 32], u64), Vec<u8>>,
}

impl TreeStore for Tree {
    type Error = Infallible;

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.nodes.get(key).cloned())
    }

    fn value(&self, key_hash: &[u8; 32], max_version: u64) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.values.range((*key_hash, 0)..=(*key_hash, max_version)).next_back().map(|(_, value)| value.clone()))
    }
}

/// No record is sent twice here.
struct Nothing;

impl ReplayWindow for Nothing {
    type Error = Infallible;

    fn contains_id(&self, _: &RecordId) -> Result<bool, Infallible> {
        Ok(false)
    }

    fn contains_jti(&self, _: &Did, _: &Reference) -> Result<bool, Infallible> {
        Ok(false)
    }
}

/// A chain whose blocks are executed.
pub struct World {
    /// Its blocks and certificates.
    pub chain: Chain,
    /// The state after the last block.
    pub state: BTreeMap<StateKey, Vec<u8>>,
    tree: Tree,
    root: StateRoot,
    jti: u32,
}

impl World {
    /// Genesis.
    pub fn new(name: &str) -> Self {
        let mut world =
            Self { chain: Chain::new(name), state: BTreeMap::new(), tree: Tree::default(), root: EMPTY_ROOT, jti: 0 };
        world.write(Height(0), &genesis_writes(&world.chain.genesis.clone()));
        world
    }

    /// The genesis hash.
    pub fn network(&self) -> GenesisHash {
        self.genesis().hash()
    }

    /// The genesis.
    pub fn genesis(&self) -> &Genesis {
        &self.chain.genesis
    }

    /// The time of the last block.
    pub fn time(&self) -> UnixTime {
        self.chain.tip().time
    }

    fn write(&mut self, height: Height, writes: &WriteSet) {
        let update = tree::update(&self.tree, height, self.root, writes).expect("the tree in memory is sound");
        self.tree.nodes.extend(update.nodes);
        self.tree.values.extend(update.values.into_iter().map(|(key, version, value)| ((key, version), value)));
        self.root = update.root;
        writes.apply_to(&mut self.state);
    }

    /// A record by a key of a DID, made now.
    pub fn record(&mut self, did: &Did, key: &SigningKey, act: Act) -> Record {
        self.jti += 1;
        let iat = self.time();
        let payload = Payload {
            v: 1,
            net: self.network(),
            iss: did.clone(),
            jti: format!("r-{}", self.jti).parse().expect("a reference"),
            iat,
            exp: UnixTime(iat.0 + 3_600),
            act,
        };
        let kid = if did.is_key() { did.key_id().expect("a did:key") } else { key_id(did, &key.public_key()) };
        Record::sign(&payload, &kid, key).expect("a record of good form")
    }

    /// A registry record of a party.
    pub fn by(&mut self, party: &Party, act: Act) -> Record {
        self.record(&party.did, &party.control, act)
    }

    /// An everyday record of a party.
    pub fn everyday(&mut self, party: &Party, act: Act) -> Record {
        self.record(&party.did, &party.assertion, act)
    }

    /// A record of the operator.
    pub fn operator(&mut self, act: Act) -> Record {
        let operator = key("operator", 0);
        self.record(&Did::key(&operator.public_key()), &operator, act)
    }

    /// Executes records in the next block, ten seconds later, and appends it.
    pub fn block(&mut self, records: &[Record]) -> Result<(), Rejection> {
        let next = UnixTime(self.time().0 + 10);
        self.block_at(next, records)
    }

    /// Lets time pass: an empty block at that time.
    pub fn wait(&mut self, until: UnixTime) {
        self.block_at(until, &[]).expect("an empty block applies");
    }

    /// Other validators from the next block on.
    pub fn change_set(&mut self, next: &[u32]) {
        let (height, time) = (self.chain.tip().height.next(), self.time().0 + 10);
        self.write(height, &WriteSet::default());
        self.chain.change_set(time, members(next));
    }

    fn block_at(&mut self, time: UnixTime, records: &[Record]) -> Result<(), Rejection> {
        let parent = self.chain.tip().height;
        let height = parent.next();
        // What the header names besides, by the state after the parent (FORMATS §5).
        let read = "the state in memory is sound";
        let protocol = network::protocol_at(&self.state, height).expect(read);
        let parameters = network::parameters_at(&self.state, height).expect(read);
        let scheduled = network::scheduled_epoch(&self.state, height).expect(read);
        let next = scheduled.filter(|epoch| epoch.from == Some(height.next()));
        let next = next.map(|epoch| network::validator_set(&self.state, &epoch).expect(read));
        let context = BlockContext { genesis: self.network(), protocol, height, time };
        let writes = {
            let state = TreeState::new(&self.tree, parent, self.root);
            let mut execution = Execution::new(&state, &Nothing, context).expect("protocol 1 is known");
            for record in records {
                match execution.apply(&check_stateless(record.clone())?) {
                    Ok(_) => {}
                    Err(ApplyError::Rejected(rejection)) => return Err(rejection),
                    Err(ApplyError::State(error)) => panic!("the state in memory is sound: {error}"),
                }
            }
            execution.finish()
        };
        self.write(parent.next(), &writes);
        let root = self.root;
        let leaves: Vec<_> = records.iter().map(Record::as_bytes).collect();
        self.chain.append_with(time.0, &leaves, |header| {
            header.state_root = root;
            header.protocol = protocol;
            header.parameters_hash = parameters.hash();
            if let Some(next) = &next {
                header.next_validators_hash = next.hash();
            }
        });
        if let Some(next) = next {
            self.chain.begin_epoch(next.validators().iter().map(Member::of).collect());
        }
        Ok(())
    }

    /// One record in a block of its own; its id.
    pub fn one(&mut self, record: &Record) -> RecordId {
        self.block(core::slice::from_ref(record)).expect("the story's records apply");
        record.id()
    }

    /// The receipt of the record at an index, with its author's document under the header's state root.
    pub fn receipt(&self, index: u64) -> Receipt {
        let mut receipt = self.chain.receipt(index, None);
        let record = Record::parse(receipt.record.as_bytes()).expect("the story's records are well-formed");
        if record.author().is_key() {
            return receipt;
        }
        let header = Header::decode(receipt.header.as_bytes()).expect("our own header");
        let head = identity::keys::did(record.author()).head();
        let proven =
            tree::prove(&self.tree, header.height, header.state_root, &head).expect("the tree in memory is sound");
        let document = proven.value.expect("the author was registered");
        let entry: DidEntry = from_canonical(&document).expect("the contracts wrote it");
        let method = entry.method(record.kid().fragment()).expect("the author's key");
        let state =
            AuthorState { document: String::from_utf8(document).expect("values are JSON"), proof: proven.proof };
        receipt.author = AuthorKey { jwk: method.key.clone(), state: Some(state) };
        receipt
    }

    /// The evidence of a read: the keys it asked for, under the last header.
    pub fn evidence<T>(&self, read: impl FnOnce(&Recorder<'_, BTreeMap<StateKey, Vec<u8>>>) -> T) -> Evidence {
        let recorder = Recorder::new(&self.state);
        let _ = read(&recorder);
        self.evidence_of(&recorder.into_keys())
    }

    /// The evidence of some keys, in order.
    pub fn evidence_of(&self, keys: &[StateKey]) -> Evidence {
        let header = self.chain.tip();
        let state = keys.iter().map(|key| {
            let proven = tree::prove(&self.tree, header.height, self.root, key).expect("the tree in memory is sound");
            assert_eq!(proven.value, StateReader::get(&self.state, key).expect("in memory"));
            let value = proven.value.map(|value| String::from_utf8(value).expect("values are JSON"));
            ProvenKey { key: key.to_string(), value, proof: proven.proof }
        });
        let epoch = header.epoch.0 as usize;
        Evidence {
            v: 1,
            r#type: "testamur-evidence".into(),
            network: ReceiptNetwork { genesis: self.network(), origin: self.chain.origin().to_string() },
            header: header.text(),
            note: self.chain.certificate(header),
            validators: set_of(&self.chain.epochs[epoch]),
            epochs: self.chain.links[..epoch].to_vec(),
            state: state.collect(),
        }
    }
}
