//! A chain in memory with fixed keys: blocks, certificates, epochs, receipts, without store, engine or network.

use testamur_primitives::checkpoint::{Checkpoint, cosignature_message};
use testamur_primitives::codec::{self, sha256};
use testamur_primitives::commitment::Opening;
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{
    EpochLink, TypedKey, Validator, ValidatorKeyAlgorithm, ValidatorRegistration, ValidatorSet,
};
use testamur_primitives::genesis::{
    Genesis, GenesisValidator, Operator, Origin, Parameters, Possession, possession_message,
};
use testamur_primitives::hash::{Address, StateRoot, TreeHash};
use testamur_primitives::header::{Header, HeaderRef};
use testamur_primitives::key::SigningKey;
use testamur_primitives::merkle::{self, MemoryTree};
use testamur_primitives::note::{Note, SignatureLine};
use testamur_primitives::receipt::{Algorithms, AuthorKey, CheckpointAnchor, Receipt, ReceiptNetwork};
use testamur_primitives::record::{Act, Bytes, Payload, Record};
use testamur_primitives::trust::{PinnedCheckpoint, TrustFile};
use testamur_primitives::units::{Epoch, Height, LogIndex, LogSize, Round, UnixTime};

/// Time of height 0.
pub const START: u64 = 1_800_000_000;
/// Until when the first validators' keys are in office.
pub const OFFICE_END: u64 = START + 365 * 86_400;

/// The Ed25519 key of a role and a number.
pub fn key(role: &str, number: u32) -> SigningKey {
    SigningKey::ed25519(&seed(role, number))
}

/// 32 bytes that are the same everywhere: seeds, scalars, salts.
pub fn seed(role: &str, number: u32) -> [u8; 32] {
    sha256(&[b"testamur vectors\n", role.as_bytes(), b"\n", &number.to_be_bytes()])
}

/// A validator with its secret keys.
pub struct Member {
    /// Hash of its first registration.
    pub address: Address,
    /// What is registered.
    pub registration: ValidatorRegistration,
    consensus: SigningKey,
    log: SigningKey,
    peer: SigningKey,
}

impl Member {
    /// The member of a number.
    pub fn new(number: u32) -> Self {
        let mut member = Self::with_keys(number, [number; 3]);
        member.address = member.registration.address();
        member
    }

    /// The member of a number after its keys were changed to those of other numbers: consensus, log, peer. Its address stays.
    pub fn rotated(number: u32, keys: [u32; 3]) -> Self {
        Self { address: Self::new(number).address, ..Self::with_keys(number, keys) }
    }

    /// The member that a set names: its numbers are looked for among the first hundred.
    ///
    /// # Panics
    /// When its keys are of none of these.
    pub fn of(validator: &Validator) -> Self {
        let number_of = |role, wanted: &[u8; 32]| {
            let held = |n: &u32| key(role, *n).public_key().as_bytes() == wanted.as_slice();
            (0..100).find(held).expect("a key of the vectors")
        };
        let keys = [
            number_of("consensus", validator.consensus_key()),
            number_of("log", validator.log_key()),
            number_of("peer", validator.peer_key()),
        ];
        let name = |n: &u32| validator.name == format!("validator-{n}.example");
        Self::rotated((0..100).find(name).expect("a name of the vectors"), keys)
    }

    fn with_keys(number: u32, keys: [u32; 3]) -> Self {
        let (consensus, log, peer) = (key("consensus", keys[0]), key("log", keys[1]), key("peer", keys[2]));
        let public = |key: &SigningKey| Bytes(key.public_key().as_bytes().to_vec());
        let registration = ValidatorRegistration {
            v: 1,
            name: format!("validator-{number}.example"),
            operator: format!("Ministère {number}"),
            country: "BE".into(),
            did: Did::key(&key("legal", number).public_key()),
            keys: vec![TypedKey { alg: ValidatorKeyAlgorithm::Ed25519, key: public(&consensus) }],
            log_key: public(&log),
            peer_key: public(&peer),
            not_after: UnixTime(OFFICE_END + u64::from(number)),
        };
        Self { address: Address::ZERO, registration, consensus, log, peer }
    }

    /// What genesis or a change of the set says of it.
    pub fn to_genesis(&self) -> GenesisValidator {
        GenesisValidator { registration: self.registration.clone(), possession: self.possession() }
    }

    /// The proof that its keys are its own, over its address.
    pub fn possession(&self) -> Possession {
        let sign = |kind, key: &SigningKey| Bytes(key.sign(&possession_message(kind, self.address)));
        Possession {
            consensus: sign("consensus", &self.consensus),
            log: sign("log", &self.log),
            peer: sign("peer", &self.peer),
        }
    }

    /// A cosignature line over a body at a time.
    pub fn cosign(&self, time: u64, body: &str) -> SignatureLine {
        let signature = self.consensus.sign(&cosignature_message(UnixTime(time), body));
        let key = self.registration.consensus_key().try_into().expect("an Ed25519 key");
        SignatureLine::cosignature(&self.registration.name, key, time, &sized(&signature))
    }

    /// Its consensus key's signature over a vote's message.
    pub fn sign_vote(&self, message: &[u8]) -> [u8; 64] {
        sized(&self.consensus.sign(message))
    }

    /// A log signature line over a body.
    pub fn log_sign(&self, origin: &Origin, body: &str) -> SignatureLine {
        let key = self.registration.log_key.0.as_slice().try_into().expect("an Ed25519 key");
        SignatureLine::log(origin.as_str(), key, &sized(&self.log.sign(body.as_bytes())))
    }
}

fn sized(signature: &[u8]) -> [u8; 64] {
    signature.try_into().expect("Ed25519 signatures have 64 bytes")
}

/// Members in set order, by their numbers.
pub fn members(numbers: &[u32]) -> Vec<Member> {
    in_order(numbers.iter().map(|n| Member::new(*n)).collect())
}

/// Members in set order.
pub fn in_order(mut members: Vec<Member>) -> Vec<Member> {
    members.sort_by_key(|member| member.address);
    members
}

/// The set of members.
pub fn set_of(members: &[Member]) -> ValidatorSet {
    ValidatorSet::new(members.iter().map(|m| m.registration.to_validator_at(m.address)).collect())
        .expect("members are valid")
}

/// An author's record: notarises, batches, proposes.
pub fn record(genesis: &Genesis, author: &SigningKey, jti: &str, iat: u64, act: Act) -> Record {
    let did = Did::key(&author.public_key());
    let payload = Payload {
        v: 1,
        net: genesis.hash(),
        iss: did.clone(),
        jti: jti.parse().expect("a reference"),
        iat: UnixTime(iat),
        exp: UnixTime(iat + 3_600),
        act,
    };
    Record::sign(&payload, &did.key_id().expect("a did:key"), author).expect("a valid record")
}

/// A network that makes its blocks by itself.
pub struct Chain {
    /// Its genesis.
    pub genesis: Genesis,
    /// The members of each epoch.
    pub epochs: Vec<Vec<Member>>,
    /// Headers from height 0.
    pub headers: Vec<Header>,
    /// Links of the epochs before the current one.
    pub links: Vec<EpochLink>,
    log: MemoryTree,
    leaves: Vec<(Vec<u8>, Height)>,
}

impl Chain {
    /// Genesis with members 0–3.
    pub fn new(name: &str) -> Self {
        let first = members(&[0, 1, 2, 3]);
        let genesis = Genesis {
            v: 1,
            domain: "ledger.example".into(),
            name: name.into(),
            time: UnixTime(START),
            protocol: 1,
            parameters: Parameters::default(),
            validators: first.iter().map(Member::to_genesis).collect(),
            operators: vec![Operator {
                did: Did::key(&key("operator", 0).public_key()),
                name: "Bundesamt für Prüfung".into(),
                country: "DE".into(),
            }],
            approvals_required: 1,
            writers: vec![Did::key(&key("author", 0).public_key())],
            did_method: None,
            public_base: None,
            status_history_days: None,
            predecessor: None,
        };
        let genesis = Genesis::from_json(&codec::canonical(&genesis)).expect("the genesis of vectors is valid");
        let header = genesis.header(StateRoot::from_bytes(sha256(&[b"state 0"])));
        Self {
            genesis,
            epochs: vec![first],
            headers: vec![header],
            links: Vec::new(),
            log: MemoryTree::default(),
            leaves: Vec::new(),
        }
    }

    /// The network's origin.
    pub fn origin(&self) -> Origin {
        self.genesis.origin()
    }

    /// The last header.
    pub fn tip(&self) -> &Header {
        self.headers.last().expect("height 0 is always there")
    }

    /// Members of the epoch that decides the next height.
    pub fn members(&self) -> &[Member] {
        self.epochs.last().expect("epoch 0 is always there")
    }

    /// Appends a block of leaves (records, or what a test wants to pass for one).
    pub fn append<L: AsRef<[u8]>>(&mut self, time: u64, leaves: &[L]) -> &Header {
        self.append_with(time, leaves, |_| {})
    }

    /// As [`Chain::append`], with a last change to the header before it is added.
    pub fn append_with<L: AsRef<[u8]>>(
        &mut self,
        time: u64,
        leaves: &[L],
        change: impl FnOnce(&mut Header),
    ) -> &Header {
        let height = self.tip().height.next();
        for leaf in leaves {
            self.log.append(merkle::leaf_hash(leaf.as_ref()));
            self.leaves.push((leaf.as_ref().to_vec(), height));
        }
        let epoch = self.epochs.len() as u64 - 1;
        let validators_hash = set_of(self.members()).hash();
        let epoch_header = match self.links.last() {
            Some(link) => {
                let last = Header::decode(link.header.as_bytes()).expect("our own header");
                HeaderRef { height: last.height, hash: last.hash() }
            }
            None => HeaderRef { height: Height(0), hash: self.headers[0].hash() },
        };
        let mut header = Header {
            v: 1,
            genesis: self.genesis.hash(),
            protocol: 1,
            height,
            time: UnixTime(time),
            previous: self.tip().hash(),
            history_root: self.history().root(height.0).expect("all earlier headers are there"),
            log_size: LogSize(self.log.size()),
            log_root: self.log.root(self.log.size()).expect("the whole log is there"),
            state_root: StateRoot::from_bytes(sha256(&[b"state", &height.0.to_be_bytes()])),
            epoch: Epoch(epoch),
            validators_hash,
            next_validators_hash: validators_hash,
            parameters_hash: self.genesis.parameters.hash(),
            epoch_header,
            proposer: self.members()[height.0 as usize % self.members().len()].address,
        };
        change(&mut header);
        self.headers.push(header);
        self.tip()
    }

    /// Appends an empty block that names the next set, and starts the next epoch.
    pub fn change_set(&mut self, time: u64, next: Vec<Member>) {
        let hash = set_of(&next).hash();
        self.append_with::<&[u8]>(time, &[], |header| header.next_validators_hash = hash);
        self.begin_epoch(next);
    }

    /// Starts the next epoch after the last header, which names its set.
    pub fn begin_epoch(&mut self, next: Vec<Member>) {
        let (set, header) = (set_of(&next), self.tip().clone());
        assert_eq!(header.next_validators_hash, set.hash(), "the last header names the next set");
        let note = self.certificate(&header);
        self.links.push(EpochLink { header: header.text(), note, validators: set });
        self.epochs.push(next);
    }

    /// The tree over all header hashes.
    pub fn history(&self) -> MemoryTree {
        let hashes: Vec<_> = self.headers.iter().map(|h| merkle::leaf_hash(h.hash().as_bytes())).collect();
        MemoryTree::from_leaf_hashes(&hashes)
    }

    /// Body of a header's checkpoint.
    pub fn body(&self, header: &Header, round: u32) -> String {
        Checkpoint::new(&self.origin(), &header.value_id(), header.height, Round(round)).body()
    }

    /// A full certificate: round 0, every member of the header's epoch, and the first member's log signature.
    pub fn certificate(&self, header: &Header) -> String {
        let members = &self.epochs[header.epoch.0 as usize];
        let body = self.body(header, 0);
        let mut signatures: Vec<_> = members.iter().map(|m| m.cosign(header.time.0, &body)).collect();
        signatures.push(members[0].log_sign(&self.origin(), &body));
        Note { text: body, signatures }.to_string()
    }

    /// The log's tree.
    pub fn log(&self) -> &MemoryTree {
        &self.log
    }

    /// The bytes of a leaf.
    pub fn leaf(&self, index: u64) -> &[u8] {
        &self.leaves[index as usize].0
    }

    /// Places of the leaves that a height appended.
    pub fn leaves_of(&self, height: Height) -> std::ops::Range<u64> {
        let size = |at: u64| self.headers[at as usize].log_size.0;
        size(height.0 - 1)..size(height.0)
    }

    /// Path of a leaf to the log root of a header.
    pub fn path(&self, index: u64, header: &Header) -> Vec<TreeHash> {
        self.log.inclusion_proof(index, header.log_size.0).expect("the leaf is in the log")
    }

    /// The receipt of the leaf at an index.
    pub fn receipt(&self, index: u64, opening: Option<Opening>) -> Receipt {
        let (leaf, height) = &self.leaves[index as usize];
        let header = self.headers[height.0 as usize].clone();
        let record = String::from_utf8(leaf.clone()).expect("records are ASCII");
        let jwk = Record::parse(leaf)
            .ok()
            .and_then(|r| r.kid().to_key().ok())
            .map_or_else(|| key("author", 0).public_key().to_jwk(), |key| key.to_jwk());
        let epoch = header.epoch.0 as usize;
        Receipt {
            v: 1,
            r#type: "testamur-receipt".into(),
            network: ReceiptNetwork { genesis: self.genesis.hash(), origin: self.origin().to_string() },
            record,
            index: LogIndex(index),
            path: self.path(index, &header),
            header: header.text(),
            note: self.certificate(&header),
            validators: set_of(&self.epochs[epoch]),
            epochs: self.links[..epoch].to_vec(),
            author: AuthorKey { jwk, state: None },
            opening,
            anchors: Vec::new(),
            algorithms: Algorithms::default(),
            digest: Bytes::default(),
        }
    }

    /// An anchor that puts a height under a later one.
    pub fn anchor(&self, height: Height, later: Height) -> CheckpointAnchor {
        let header = &self.headers[later.0 as usize];
        CheckpointAnchor {
            kind: "checkpoint".into(),
            header: header.text(),
            note: self.certificate(header),
            epochs: self.links[..header.epoch.0 as usize].to_vec(),
            history: self.history().inclusion_proof(height.0, later.0).expect("an earlier height"),
        }
    }

    /// A trust file of genesis alone.
    pub fn trust(&self) -> TrustFile {
        TrustFile::from_genesis(self.genesis.clone())
    }

    /// A trust file that pins a height.
    pub fn pinned(&self, height: Height) -> TrustFile {
        let header = &self.headers[height.0 as usize];
        let checkpoint = PinnedCheckpoint {
            header: header.text(),
            note: self.certificate(header),
            validators: set_of(&self.epochs[header.epoch.0 as usize]),
        };
        TrustFile::with_checkpoint(self.genesis.clone(), checkpoint).expect("our own checkpoint")
    }
}
