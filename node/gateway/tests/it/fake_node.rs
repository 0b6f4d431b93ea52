//! A node reduced to what a gateway sees of one: records in, and receipts with real certificates of four validators out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use testamur_primitives::checkpoint::{Checkpoint, cosignature_message};
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{TypedKey, ValidatorKeyAlgorithm, ValidatorRegistration, ValidatorSet};
use testamur_primitives::genesis::{Genesis, GenesisValidator, Operator, Parameters, Possession, possession_message};
use testamur_primitives::hash::{RecordId, StateRoot};
use testamur_primitives::header::{Header, HeaderRef};
use testamur_primitives::key::SigningKey;
use testamur_primitives::merkle::{self, MemoryTree};
use testamur_primitives::note::{Note, SignatureLine};
use testamur_primitives::receipt::{AuthorKey, Receipt, ReceiptNetwork};
use testamur_primitives::record::{Bytes, Record};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::{Height, LogIndex, LogSize, Round, UnixTime};
use tokio::net::TcpListener;

/// Four validators' keys and the genesis that names them.
pub(crate) struct Network {
    pub(crate) genesis: Genesis,
    /// Consensus keys, in set order.
    keys: Vec<SigningKey>,
}

impl Network {
    /// A network whose keys follow from `seed`.
    pub(crate) fn new(seed: u8) -> Self {
        let key = |kind: u8, number: u8| SigningKey::ed25519(&[seed ^ (16 * kind + number); 32]);
        let mut entries = Vec::new();
        for number in 1..=4u8 {
            let (consensus, log, peer) = (key(1, number), key(2, number), key(3, number));
            let bytes = |key: &SigningKey| Bytes(key.public_key().as_bytes().to_vec());
            let registration = ValidatorRegistration {
                v: 1,
                name: format!("validator-{number}.example"),
                operator: format!("Ministry {number}"),
                country: "EE".into(),
                did: Did::key(&consensus.public_key()),
                keys: vec![TypedKey { alg: ValidatorKeyAlgorithm::Ed25519, key: bytes(&consensus) }],
                log_key: bytes(&log),
                peer_key: bytes(&peer),
                not_after: UnixTime(4_000_000_000),
            };
            let prove = |kind, key: &SigningKey| Bytes(key.sign(&possession_message(kind, registration.address())));
            let possession = Possession {
                consensus: prove("consensus", &consensus),
                log: prove("log", &log),
                peer: prove("peer", &peer),
            };
            entries.push((GenesisValidator { registration, possession }, consensus));
        }
        let operator =
            Operator { did: Did::key(&key(4, 1).public_key()), name: "Operator".into(), country: "EE".into() };
        let genesis = Genesis {
            v: 1,
            domain: "gateway.example".into(),
            name: "test".into(),
            time: UnixTime(1_700_000_000),
            protocol: 1,
            parameters: Parameters::default(),
            validators: entries.iter().map(|(validator, _)| validator.clone()).collect(),
            operators: vec![operator],
            approvals_required: 1,
            writers: vec![],
            did_method: None,
            public_base: None,
            status_history_days: None,
            predecessor: None,
        };
        let genesis = Genesis::from_json(&testamur_primitives::codec::canonical(&genesis)).unwrap();
        entries.sort_by_key(|(validator, _)| validator.registration.address());
        Self { genesis, keys: entries.into_iter().map(|(_, key)| key).collect() }
    }

    /// What a verifier of this network pins.
    pub(crate) fn trust(&self) -> TrustFile {
        TrustFile::from_genesis(self.genesis.clone())
    }
}

/// How a node behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Takes records and makes them final.
    Well,
    /// Refuses every record by a rule.
    Refuses,
    /// Takes no records: there is no quorum.
    NotReady,
    /// Answers nothing at all, as behind a cut line.
    Away,
    /// Takes records, answers nothing, and makes nothing final.
    Hangs,
    /// Takes a record, makes it final, and closes the connection without an answer.
    LosesAnswers,
    /// Makes records final, and gives receipts with too few cosignatures.
    Lies,
}

/// A ledger in memory; several fake nodes may share one.
pub(crate) struct Ledger {
    network: Network,
    set: ValidatorSet,
    headers: Vec<Header>,
    history: MemoryTree,
    log: MemoryTree,
    records: Vec<Record>,
    receipts: BTreeMap<RecordId, Receipt>,
}

impl Ledger {
    pub(crate) fn new(network: Network) -> Arc<Mutex<Self>> {
        let header = network.genesis.header(StateRoot::from_bytes([1; 32]));
        let set = network.genesis.validator_set();
        let mut history = MemoryTree::default();
        history.append(merkle::leaf_hash(header.hash().as_bytes()));
        Arc::new(Mutex::new(Self {
            network,
            set,
            headers: vec![header],
            history,
            log: MemoryTree::default(),
            records: Vec::new(),
            receipts: BTreeMap::new(),
        }))
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    /// A block with this one record, its certificate and its receipt.
    pub(crate) fn commit(&mut self, record: Record) {
        self.commit_at(record, testamur_client::author::now().unwrap());
    }

    /// The same, in a block of this time, or of the last one's when that is later.
    pub(crate) fn commit_at(&mut self, record: Record, now: UnixTime) {
        let parent = self.headers.last().unwrap().clone();
        let index = LogIndex(self.log.size());
        self.log.append(record.leaf_hash());
        let size = self.log.size();
        let header = Header {
            height: parent.height.next(),
            time: now.max(parent.time),
            previous: parent.hash(),
            history_root: self.history.root(parent.height.0 + 1).unwrap(),
            log_size: LogSize(size),
            log_root: self.log.root(size).unwrap(),
            epoch_header: HeaderRef { height: Height(0), hash: self.headers[0].hash() },
            proposer: self.set.validators()[0].address,
            ..parent
        };
        self.history.append(merkle::leaf_hash(header.hash().as_bytes()));
        let origin = self.network.genesis.origin();
        let body = Checkpoint::new(&origin, &header.value_id(), header.height, Round(0)).body();
        let message = cosignature_message(header.time, &body);
        let signatures = self
            .set
            .validators()
            .iter()
            .zip(&self.network.keys)
            .take(3)
            .map(|(validator, key)| {
                let signature: [u8; 64] = key.sign(&message).try_into().unwrap();
                SignatureLine::cosignature(&validator.name, validator.consensus_key(), header.time.0, &signature)
            })
            .collect();
        let receipt = Receipt {
            v: 1,
            r#type: "testamur-receipt".into(),
            network: ReceiptNetwork { genesis: header.genesis, origin: origin.to_string() },
            record: record.as_str().to_owned(),
            index,
            path: self.log.inclusion_proof(index.0, size).unwrap(),
            header: header.text(),
            note: Note { text: body, signatures }.to_string(),
            validators: self.set.clone(),
            epochs: vec![],
            author: AuthorKey { jwk: record.verify_did_key().unwrap().to_jwk(), state: None },
            opening: None,
            anchors: vec![],
            algorithms: Default::default(),
            digest: Bytes(vec![]),
        };
        self.headers.push(header);
        self.receipts.insert(record.id(), receipt);
        self.records.push(record);
    }
}

/// A running node.
pub(crate) struct FakeNode {
    pub(crate) address: SocketAddr,
    state: NodeState,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct NodeState {
    ledger: Arc<Mutex<Ledger>>,
    mood: Arc<Mutex<Mood>>,
    /// Records taken and not final.
    queued: Arc<Mutex<Vec<Record>>>,
    submissions: Arc<Mutex<usize>>,
}

impl FakeNode {
    pub(crate) async fn start(ledger: &Arc<Mutex<Ledger>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = NodeState {
            ledger: Arc::clone(ledger),
            mood: Arc::new(Mutex::new(Mood::Well)),
            queued: Arc::default(),
            submissions: Arc::default(),
        };
        let router = Router::new()
            .route("/v1/records", post(submit))
            .route("/v1/records/{id}/receipt", get(receipt))
            .route("/v1/network", get(network))
            .with_state(state.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, state, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn behave(&self, mood: Mood) {
        let mut current = self.state.mood.lock().unwrap();
        *current = mood;
        if mood == Mood::Well {
            let queued = std::mem::take(&mut *self.state.queued.lock().unwrap());
            let mut ledger = self.state.ledger.lock().unwrap();
            for record in queued {
                // Who asks again sends the same record again.
                if !ledger.receipts.contains_key(&record.id()) {
                    ledger.commit(record);
                }
            }
        }
    }

    /// How often a record was sent here.
    pub(crate) fn submissions(&self) -> usize {
        *self.state.submissions.lock().unwrap()
    }

    /// Closes the port: connections are refused from now on.
    pub(crate) async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let body = json!({"type": "/docs", "title": code, "status": status.as_u16(), "detail": detail, "code": code,
                      "request_id": "0-0"});
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

async fn submit(State(state): State<NodeState>, body: axum::body::Bytes) -> Response {
    let record = Record::parse(&body).unwrap();
    let id = record.id();
    record.verify_did_key().unwrap();
    let mood = {
        // One lock: a record is queued before anybody can see that it came, or that the mood has changed.
        let mood = state.mood.lock().unwrap();
        if *mood == Mood::Hangs {
            state.queued.lock().unwrap().push(record.clone());
        }
        *state.submissions.lock().unwrap() += 1;
        *mood
    };
    match mood {
        Mood::Refuses => {
            let detail = "the author has no writer role";
            return problem(StatusCode::UNPROCESSABLE_ENTITY, "notary.not-a-writer", detail);
        }
        Mood::NotReady => {
            let detail = "2 validators are in reach, 3 are needed for a quorum";
            return problem(StatusCode::SERVICE_UNAVAILABLE, "node.not-ready", detail);
        }
        Mood::Hangs | Mood::Away => return std::future::pending().await,
        Mood::Well | Mood::LosesAnswers | Mood::Lies => {}
    }
    {
        let mut ledger = state.ledger.lock().unwrap();
        if ledger.receipts.contains_key(&id) {
            return problem(StatusCode::CONFLICT, "admission.duplicate", "the record is in the ledger already");
        }
        let genesis = ledger.network.genesis.hash();
        record.check_admission(genesis, testamur_client::author::now().unwrap()).unwrap();
        ledger.commit(record);
    }
    if mood == Mood::LosesAnswers {
        // The connection's task ends, and the client sees it closed without an answer.
        panic!("the answer is lost on purpose");
    }
    let location = format!("/v1/records/{id}");
    let body = json!({"id": id, "state": "final", "location": location, "receipt": format!("{location}/receipt")});
    (StatusCode::CREATED, Json(body)).into_response()
}

async fn receipt(State(state): State<NodeState>, Path(id): Path<RecordId>) -> Response {
    let mood = *state.mood.lock().unwrap();
    if mood == Mood::Away {
        return std::future::pending().await;
    }
    if mood == Mood::Hangs {
        return problem(StatusCode::NOT_FOUND, "request.not-found", "no final record has this id");
    }
    let Some(mut receipt) = state.ledger.lock().unwrap().receipts.get(&id).cloned() else {
        return problem(StatusCode::NOT_FOUND, "request.not-found", "no final record has this id");
    };
    if mood == Mood::Lies {
        let mut note = Note::parse(receipt.note.as_bytes()).unwrap();
        note.signatures.pop();
        receipt.note = note.to_string();
    }
    ([(CONTENT_TYPE, "application/json")], receipt.encode()).into_response()
}

async fn network(State(state): State<NodeState>) -> Response {
    if *state.mood.lock().unwrap() == Mood::Away {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "node.not-ready", "cut off");
    }
    let ledger = state.ledger.lock().unwrap();
    let genesis = &ledger.network.genesis;
    Json(json!({"v": 1, "genesis": genesis.hash(), "origin": genesis.origin().as_str()})).into_response()
}
