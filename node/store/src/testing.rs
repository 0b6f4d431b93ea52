//! A network with known keys, blocks with real certificates, and damage on purpose: for tests and benchmarks only.

mod issuer;
mod members;

pub use issuer::TestIssuer;
pub use members::TestMember;

use std::path::Path;
use std::sync::Arc;

use testamur_primitives::checkpoint::{Checkpoint, cosignature_message};
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::epoch::{TypedKey, ValidatorKeyAlgorithm, ValidatorRegistration};
use testamur_primitives::genesis::{Genesis, GenesisValidator, Operator, Parameters, Possession, possession_message};
use testamur_primitives::hash::{Address, RecordId};
use testamur_primitives::key::SigningKey;
use testamur_primitives::note::{Note, SignatureLine};
use testamur_primitives::record::{Act, Bytes, Payload, Record};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::{Height, Round, UnixTime};
use testamur_registry::{CheckedRecord, check_stateless};

use crate::check::check_snapshot;
use crate::error::StoreError;
use crate::health::Health;
use crate::schema::Column;
use crate::{CheckReport, Ledger, NodeIdentity, Options, PreparedBlock, Tip};

/// Time of genesis in these networks.
pub const GENESIS_TIME: UnixTime = UnixTime(1_800_000_000);

/// A validator with its secret keys.
#[derive(Debug)]
pub struct TestValidator {
    /// Its address.
    pub address: Address,
    /// Its key name.
    pub name: String,
    /// Its consensus key.
    pub consensus: SigningKey,
    /// Its log key.
    pub log: SigningKey,
    /// Its peer key.
    pub peer: SigningKey,
}

/// A network whose keys are derived from small numbers.
#[derive(Debug)]
pub struct TestNetwork {
    /// The genesis.
    pub genesis: Arc<Genesis>,
    /// The validators, in order of address.
    pub validators: Vec<TestValidator>,
    /// Keys of validators that are not genesis', and other keys of those.
    pub others: Vec<TestValidator>,
    /// The writers' keys, in order of genesis.
    pub writers: Vec<SigningKey>,
    /// The only operator's key.
    pub operator: SigningKey,
}

fn key(kind: u8, number: usize) -> SigningKey {
    let mut seed = [kind; 32];
    seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
    SigningKey::ed25519(&seed)
}

fn bytes(key: &SigningKey) -> [u8; 32] {
    key.public_key().as_bytes().try_into().expect("Ed25519 keys have 32 bytes")
}

fn signature(key: &SigningKey, message: &[u8]) -> [u8; 64] {
    key.sign(message).try_into().expect("Ed25519 signatures have 64 bytes")
}

impl TestNetwork {
    /// Four validators, two writers, one operator.
    pub fn new() -> Self {
        Self::named("store", 4, 2)
    }

    /// A network of this name; networks of different names have different genesis hashes.
    ///
    /// # Panics
    /// When the numbers make no valid genesis.
    pub fn named(name: &str, validators: usize, writers: usize) -> Self {
        let mut secrets = Vec::new();
        let mut entries = Vec::new();
        for number in 0..validators {
            let (consensus, log, peer) = (key(1, number), key(2, number), key(3, number));
            let registration = ValidatorRegistration {
                v: 1,
                name: format!("validator-{number}.example"),
                operator: format!("Ministry {number}"),
                country: "AT".into(),
                did: Did::key(&key(6, number).public_key()),
                keys: vec![TypedKey { alg: ValidatorKeyAlgorithm::Ed25519, key: Bytes(bytes(&consensus).to_vec()) }],
                log_key: Bytes(bytes(&log).to_vec()),
                peer_key: Bytes(bytes(&peer).to_vec()),
                not_after: UnixTime(GENESIS_TIME.0 + 10 * 365 * 86_400),
            };
            let address = registration.address();
            let prove = |key: &SigningKey, kind| Bytes(key.sign(&possession_message(kind, address)));
            let possession = Possession {
                consensus: prove(&consensus, "consensus"),
                log: prove(&log, "log"),
                peer: prove(&peer, "peer"),
            };
            secrets.push(TestValidator { address, name: registration.name.clone(), consensus, log, peer });
            entries.push(GenesisValidator { registration, possession });
        }
        secrets.sort_by_key(|v| v.address);
        let writers: Vec<_> = (0..writers).map(|number| key(4, number)).collect();
        let operator = key(5, 0);
        let genesis = Genesis {
            v: 1,
            domain: "testamur.example".into(),
            name: name.into(),
            time: GENESIS_TIME,
            protocol: 1,
            parameters: Parameters::default(),
            validators: entries,
            operators: vec![Operator {
                did: Did::key(&operator.public_key()),
                name: "Ministry".into(),
                country: "AT".into(),
            }],
            approvals_required: 1,
            writers: writers.iter().map(|w| Did::key(&w.public_key())).collect(),
            did_method: None,
            public_base: None,
            status_history_days: None,
            predecessor: None,
        };
        let json = testamur_primitives::codec::canonical(&genesis);
        let genesis = Arc::new(Genesis::from_json(&json).expect("the helper makes a valid genesis"));
        Self { genesis, validators: secrets, others: Vec::new(), writers, operator }
    }

    /// Opens the ledger of one of its validators.
    pub fn open(&self, directory: &Path, validator: usize) -> Result<Ledger, StoreError> {
        let node = NodeIdentity::Validator(self.validators[validator].address);
        Ledger::open(directory, Arc::clone(&self.genesis), Options { node, health: Health::default() })
    }

    /// The trust file that pins nothing but genesis.
    pub fn trust(&self) -> TrustFile {
        TrustFile::from_genesis((*self.genesis).clone())
    }

    /// A signed and checked act.
    ///
    /// # Panics
    /// When the act is malformed.
    pub fn record(&self, key: &SigningKey, jti: &str, time: UnixTime, act: Act) -> Arc<CheckedRecord> {
        let kid = Did::key(&key.public_key()).key_id().expect("did:key");
        self.record_as(&kid, key, jti, time, act)
    }

    /// A signed and checked act of the author that a key id names.
    ///
    /// # Panics
    /// When the act is malformed.
    pub fn record_as(&self, kid: &DidUrl, key: &SigningKey, jti: &str, time: UnixTime, act: Act) -> Arc<CheckedRecord> {
        let payload = Payload {
            v: 1,
            net: self.genesis.hash(),
            iss: kid.did(),
            jti: jti.parse().expect("a reference"),
            iat: time,
            exp: UnixTime(time.0 + 3_600),
            act,
        };
        let record = Record::sign(&payload, kid, key).expect("a valid record");
        Arc::new(check_stateless(record).expect("just signed"))
    }

    /// A record of a writer that notarises one plain digest.
    pub fn notarise(&self, writer: usize, jti: &str, time: UnixTime, digest: [u8; 32]) -> Arc<CheckedRecord> {
        let act = Act::Notarise {
            alg: DigestAlgorithm::Sha2_256,
            form: Form::Digest,
            entries: vec![Bytes(digest.to_vec())],
            reference: None,
        };
        self.record(&self.writers[writer], jti, time, act)
    }

    /// A certificate of these validators over a block.
    pub fn certificate_of(&self, block: &PreparedBlock, round: u32, signers: &[usize]) -> Note {
        let header = block.header();
        let text = Checkpoint::new(&self.genesis.origin(), &block.value_id(), header.height, Round(round)).body();
        let message = cosignature_message(header.time, &text);
        let cosign = |signer: &usize| {
            let validator = &self.validators[*signer];
            let signature = signature(&validator.consensus, &message);
            SignatureLine::cosignature(&validator.name, &bytes(&validator.consensus), header.time.0, &signature)
        };
        Note { signatures: signers.iter().map(cosign).collect(), text }
    }

    /// A certificate of the first three validators, decided in round 0.
    pub fn certificate(&self, block: &PreparedBlock) -> Note {
        self.certificate_of(block, 0, &[0, 1, 2])
    }

    /// A validator's log signature over a certificate's body.
    pub fn log_signature(&self, note: &Note, validator: usize) -> SignatureLine {
        let log = &self.validators[validator].log;
        let signature = signature(log, note.text.as_bytes());
        SignatureLine::log(self.genesis.origin().as_str(), &bytes(log), &signature)
    }

    /// Proposes, validates and commits a block, as a validator would that proposed it itself.
    ///
    /// # Panics
    /// When a step fails or a record is refused.
    pub fn commit(&self, ledger: &Ledger, time: UnixTime, records: &[Arc<CheckedRecord>]) -> Arc<Tip> {
        self.commit_with(ledger, time, records, &[])
    }

    /// As [`TestNetwork::commit`], with attachments.
    ///
    /// # Panics
    /// When a step fails or a record is refused.
    pub fn commit_with(
        &self,
        ledger: &Ledger,
        time: UnixTime,
        records: &[Arc<CheckedRecord>],
        attachments: &[bytes::Bytes],
    ) -> Arc<Tip> {
        let set = Arc::clone(&ledger.tip().validators);
        let first = self.keys_of(&set).next().expect("some key of the set is known");
        let proposed = ledger.propose(first.address, time, records).expect("propose");
        assert_eq!(proposed.rejected, Vec::new(), "a record was refused");
        assert_eq!(proposed.block.records().len(), records.len(), "a record did not fit");
        let certificate = self.certificate_by(&set, &proposed.block);
        let made = signature(&first.log, certificate.text.as_bytes());
        let log_signature = SignatureLine::log(self.genesis.origin().as_str(), &bytes(&first.log), &made);
        ledger.commit(&proposed.block, &certificate, Some(&log_signature), attachments).expect("commit")
    }

    /// Commits a chain of `blocks` blocks of `records` records each, ten seconds apart; returns the records' ids.
    pub fn grow(&self, ledger: &Ledger, blocks: u64, records: u64) -> Vec<RecordId> {
        let mut ids = Vec::new();
        for _ in 0..blocks {
            let tip = ledger.tip();
            let (height, time) = (tip.next_height(), UnixTime(tip.header.time.0 + 10));
            let records: Vec<_> = (0..records)
                .map(|n| {
                    let writer = n as usize % self.writers.len();
                    self.notarise(writer, &format!("r-{height}-{n}"), time, digest(height, n))
                })
                .collect();
            ids.extend(records.iter().map(|r| r.record().id()));
            self.commit(ledger, time, &records);
        }
        ids
    }
}

impl Default for TestNetwork {
    fn default() -> Self {
        Self::new()
    }
}

/// The digest that [`TestNetwork::grow`] notarises.
pub fn digest(height: Height, number: u64) -> [u8; 32] {
    testamur_primitives::codec::sha256(&[b"document", &height.0.to_be_bytes(), &number.to_be_bytes()])
}

/// Names of all columns.
pub fn columns() -> Vec<&'static str> {
    Column::ALL.map(Column::name).to_vec()
}

/// The rows of a column as they are on disk, seals and all.
pub fn raw_rows(ledger: &Ledger, column: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    ledger.database().raw_rows(named(column))
}

/// What `check` finds in the directory of an open ledger.
pub fn check_open(ledger: &Ledger) -> Result<CheckReport, StoreError> {
    check_snapshot(&ledger.database().snapshot(), ledger.genesis(), |_| ())
}

/// Puts a row behind the store's back; `None` removes it.
pub fn overwrite(ledger: &Ledger, column: &str, key: &[u8], value: Option<&[u8]>) {
    ledger.database().overwrite(named(column), key, value).expect("overwrite");
}

fn named(name: &str) -> Column {
    Column::ALL.into_iter().find(|c| c.name() == name).expect("a column of this name")
}
