//! A ledger of one block made by hand: four validators, one author, one salted document.

use testamur_primitives::checkpoint::{Checkpoint, cosignature_message};
use testamur_primitives::commitment::{BatchLeaf, DigestAlgorithm, DocumentDigest, Form, Opening, Salt, SaltText};
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{TypedKey, ValidatorKeyAlgorithm, ValidatorRegistration};
use testamur_primitives::genesis::{Genesis, GenesisValidator, Operator, Parameters, Possession, possession_message};
use testamur_primitives::hash::StateRoot;
use testamur_primitives::key::SigningKey;
use testamur_primitives::merkle::MemoryTree;
use testamur_primitives::note::{Note, SignatureLine};
use testamur_primitives::receipt::{Algorithms, AuthorKey, Receipt, ReceiptNetwork};
use testamur_primitives::record::{Act, Bytes, Payload, Record};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::{Height, LogIndex, LogSize, Round, UnixTime};

/// Time of the block.
pub(crate) const BLOCK_TIME: u64 = 1_800_000_000;
/// End of the validators' terms.
pub(crate) const NOT_AFTER: u64 = 1_900_000_000;
/// The document.
pub(crate) const DOCUMENT: &[u8] = b"%PDF-1.4 a contract\n";

/// The ledger's two ends for a verifier.
pub(crate) struct Ledger {
    /// What the verifier trusts.
    pub(crate) trust: TrustFile,
    /// The receipt of the one document.
    pub(crate) receipt: Receipt,
}

fn key(kind: u8, number: u8) -> SigningKey {
    let mut seed = [number; 32];
    seed[0] = kind;
    SigningKey::ed25519(&seed)
}

fn public(key: &SigningKey) -> Bytes {
    Bytes(key.public_key().as_bytes().to_vec())
}

fn genesis(name: &str, author: &Did) -> Genesis {
    let validators = (0..4)
        .map(|i| {
            let (consensus, log, peer) = (key(1, i), key(2, i), key(3, i));
            let registration = ValidatorRegistration {
                v: 1,
                name: format!("validator-{i}.{name}.example"),
                operator: format!("Ministry {i}"),
                country: "BE".into(),
                did: Did::key(&key(4, i).public_key()),
                keys: vec![TypedKey { alg: ValidatorKeyAlgorithm::Ed25519, key: public(&consensus) }],
                log_key: public(&log),
                peer_key: public(&peer),
                not_after: UnixTime(NOT_AFTER),
            };
            let sign = |kind, key: &SigningKey| Bytes(key.sign(&possession_message(kind, registration.address())));
            let possession = Possession {
                consensus: sign("consensus", &consensus),
                log: sign("log", &log),
                peer: sign("peer", &peer),
            };
            GenesisValidator { registration, possession }
        })
        .collect();
    Genesis {
        v: 1,
        domain: "test.example".into(),
        name: name.into(),
        time: UnixTime(BLOCK_TIME - 60),
        protocol: 1,
        parameters: Parameters::default(),
        validators,
        operators: vec![Operator { did: author.clone(), name: "City of Ghent".into(), country: "BE".into() }],
        approvals_required: 1,
        writers: vec![author.clone()],
        did_method: None,
        public_base: None,
        status_history_days: None,
        predecessor: None,
    }
}

/// Makes the ledger of a network with this name, its block cosigned by so many validators.
pub(crate) fn ledger(name: &str, cosigners: usize) -> Ledger {
    let digest = testamur_primitives::codec::sha256(&[DOCUMENT]).to_vec();
    let salt = Salt::from_bytes([5; 32]);
    let leaf = BatchLeaf {
        digest: DocumentDigest::new(DigestAlgorithm::Sha2_256, digest.clone()).expect("32 bytes"),
        salt: Some(salt.clone()),
    };
    let act = Act::Notarise {
        alg: DigestAlgorithm::Sha2_256,
        form: Form::Commitment,
        entries: vec![Bytes(leaf.entry())],
        reference: None,
    };
    let opening = Opening { index: 0, alg: DigestAlgorithm::Sha2_256, digest, salt: Some(SaltText(salt)), path: None };
    ledger_over(name, cosigners, act, Some(opening))
}

/// The same over any act.
pub(crate) fn ledger_over(name: &str, cosigners: usize, act: Act, opening: Option<Opening>) -> Ledger {
    let author_key = key(9, 9);
    let author = Did::key(&author_key.public_key());
    let genesis = genesis(name, &author);
    let set = genesis.validator_set();
    let payload = Payload {
        v: 1,
        net: genesis.hash(),
        iss: author.clone(),
        jti: "r-1".parse().expect("a reference"),
        iat: UnixTime(BLOCK_TIME),
        exp: UnixTime(BLOCK_TIME + 3600),
        act,
    };
    let record = Record::sign(&payload, &author.key_id().expect("a did:key"), &author_key).expect("a good payload");
    let log = MemoryTree::from_leaf_hashes(&[record.leaf_hash()]);
    let first = genesis.header(StateRoot::ZERO);
    let history = MemoryTree::from_leaf_hashes(&[testamur_primitives::merkle::leaf_hash(first.hash().as_bytes())]);
    let mut header = first.clone();
    header.height = Height(1);
    header.time = UnixTime(BLOCK_TIME);
    header.previous = first.hash();
    header.history_root = history.root(1).expect("one leaf");
    header.log_size = LogSize(1);
    header.log_root = log.root(1).expect("one leaf");
    header.epoch_header.hash = first.hash();
    header.proposer = set.validators()[0].address;
    let body = Checkpoint::new(&genesis.origin(), &header.value_id(), Height(1), Round(0)).body();
    let message = cosignature_message(header.time, &body);
    let signatures = set
        .validators()
        .iter()
        .take(cosigners)
        .map(|v| {
            let signer = (0..4).map(|i| key(1, i)).find(|k| k.public_key().as_bytes() == v.consensus_key());
            let signature = signer.expect("one of the four").sign(&message);
            SignatureLine::cosignature(&v.name, v.consensus_key(), header.time.0, &signature.try_into().expect("64"))
        })
        .collect();
    let receipt = Receipt {
        v: 1,
        r#type: "testamur-receipt".into(),
        network: ReceiptNetwork { genesis: genesis.hash(), origin: genesis.origin().to_string() },
        record: record.as_str().into(),
        index: LogIndex(0),
        path: Vec::new(),
        header: header.text(),
        note: Note { text: body, signatures }.to_string(),
        validators: set,
        epochs: Vec::new(),
        author: AuthorKey { jwk: author_key.public_key().to_jwk(), state: None },
        opening,
        anchors: Vec::new(),
        algorithms: Algorithms::default(),
        digest: Bytes::default(),
    };
    Ledger { trust: TrustFile::from_genesis(genesis), receipt }
}
