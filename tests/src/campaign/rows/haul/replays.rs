//! R24: everything is sent again: what is final long since, to the node that took it and to others, before and after their
//! restarts; one new record to all nodes in the same moment; two records with one jti; records of another network. The
//! oracle then finds each record, and each jti of an author, once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::genesis::Genesis;
use testamur_primitives::key::SigningKey;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::{Act, Bytes, Record};

use super::Shared;
use crate::campaign::Random;
use crate::chain::record;
use crate::harness::{Client, Response, new_record};

/// Senders at once.
const SENDERS: u64 = 6;
/// Their longest wait: a node may be paused.
const PATIENCE: Duration = Duration::from_secs(4);
/// Pause of a sender between two tries.
const PAUSE: Duration = Duration::from_millis(60);

/// What a node may say to a record that it has or is getting: it is there, or it waits with the others in the pool of a
/// node that is behind, and is dropped when a block is made.
const KNOWN: [u16; 2] = [409, 202];

/// Starts them.
pub(super) fn start(shared: &Arc<Shared>) -> Vec<JoinHandle<()>> {
    let sender = |number| {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || send(&shared, number))
    };
    (0..SENDERS).map(sender).collect()
}

fn send(shared: &Shared, number: u64) {
    let mut random = Random::of(shared.seed, 2_000 + number);
    let author = SigningKey::Ed25519(shared.author.clone());
    let mut other = shared.trust.genesis().clone();
    other.name = "another".into();
    let mut clients: Vec<_> = shared.nodes.iter().map(|node| Client::with_timeout(*node, PATIENCE)).collect();
    while shared.goes_on() {
        let (tried, wrong) = match random.below(8) {
            0..5 => old(shared, &mut clients, &mut random),
            5 => everywhere_at_once(shared, &author),
            6 => one_jti(shared, &author, &mut random),
            _ => another_network(&mut clients, &other, &author, &mut random),
        };
        let mut tally = shared.replays.lock().expect("no thread panics holding it");
        tally.good += tried;
        tally.bad.extend(wrong);
        drop(tally);
        std::thread::sleep(PAUSE);
    }
}

fn post(client: &mut Client, record: &[u8]) -> Option<Response> {
    client.request("POST", "/v1/records", &[("content-type", "application/jose")], record).ok()
}

/// Tries that were as they should be, and what was not.
type Outcome = (u64, Vec<String>);

fn judge(answers: impl IntoIterator<Item = Option<Response>>, may: &[u16], what: &str) -> Outcome {
    let mut outcome = (0, Vec::new());
    for answer in answers.into_iter().flatten() {
        match answer.status {
            status if may.contains(&status) => outcome.0 += 1,
            503 => {}
            status => outcome.1.push(format!("{what}: {status}: {}", answer.text())),
        }
    }
    outcome
}

/// What is final: again, to any node, twice.
fn old(shared: &Shared, clients: &mut [Client], random: &mut Random) -> Outcome {
    let Some(receipt) = shared.any_receipt(random) else { return (0, Vec::new()) };
    let receipt = Receipt::decode(&receipt).expect("the load keeps receipts");
    let (one, two) = (random.index(clients.len()), random.index(clients.len()));
    let answers = [one, two].map(|node| post(&mut clients[node], receipt.record.as_bytes()));
    judge(answers, &KNOWN, "a final record, again")
}

/// A new record to all nodes in the same moment: one accepts it first, and any of them may propose it.
fn everywhere_at_once(shared: &Shared, author: &SigningKey) -> Outcome {
    let record = new_record(shared.trust.genesis(), author);
    let sends: Vec<_> = shared.nodes.iter().map(|node| (*node, record.as_bytes())).collect();
    judge(at_once(&sends), &KNOWN, "one record to all nodes")
}

/// Two records that differ in what they do, with one jti: at most one of them ever stands in the log.
fn one_jti(shared: &Shared, author: &SigningKey, random: &mut Random) -> Outcome {
    let first = new_record(shared.trust.genesis(), author);
    let second = with_the_jti_of(&first, shared.trust.genesis(), author);
    let (one, two) = (random.pick(&shared.nodes), random.pick(&shared.nodes));
    let sends = [(*one, first.as_bytes()), (*two, second.as_bytes())];
    // The pool of one node knows; of two nodes, the block that comes second does.
    judge(at_once(&sends), &KNOWN, "two records with one jti")
}

fn with_the_jti_of(first: &Record, genesis: &Genesis, author: &SigningKey) -> Record {
    let payload = first.payload();
    let entries = vec![Bytes(testamur_primitives::codec::sha256(&[b"another document", first.as_bytes()]).to_vec())];
    let act = Act::Notarise { alg: DigestAlgorithm::Sha2_256, form: Form::Digest, entries, reference: None };
    record(genesis, author, payload.jti.as_str(), payload.iat.0, act)
}

/// A record that names another network is refused here, whoever signed it.
fn another_network(clients: &mut [Client], other: &Genesis, author: &SigningKey, random: &mut Random) -> Outcome {
    let record = new_record(other, author);
    let node = random.index(clients.len());
    let answers = [post(&mut clients[node], record.as_bytes())];
    judge(answers, &[422], "a record of another network")
}

/// Sends each on a connection of its own, all in the same moment.
fn at_once(sends: &[(SocketAddr, &[u8])]) -> Vec<Option<Response>> {
    let gate = std::sync::Barrier::new(sends.len());
    std::thread::scope(|scope| {
        let gate = &gate;
        let sending = sends.iter().map(|(node, record)| {
            scope.spawn(move || {
                let mut client = Client::with_timeout(*node, PATIENCE);
                gate.wait();
                post(&mut client, record)
            })
        });
        // All are started before one is waited for.
        let sending: Vec<_> = sending.collect();
        sending.into_iter().map(|thread| thread.join().expect("a sender does not panic")).collect()
    })
}
