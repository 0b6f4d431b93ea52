//! Reads of the registries over kept-alive connections to one node, in a closed loop. What a read costs is told by the
//! CPU time of the node's process: on a machine that others use too, the rate alone says little.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinSet;

use super::world::Chance;
use crate::bench::Latency;
use crate::bench::load::{Connection, refused};
use crate::bench::process::cpu_seconds;

/// What can be asked for on a filled ledger.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// All DIDs; the issuers' first.
    pub(super) dids: Vec<String>,
    /// The issuers' accreditations.
    pub(super) attributes: Vec<String>,
}

/// A kind of reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Nothing of the ledger: what connection, HTTP and JSON cost by themselves.
    Alive,
    /// A DID, an issuer, an accreditation, a DID by EBSI's path, in turn.
    Plain,
    /// The same with their proofs, but for EBSI's, which knows none.
    Proven,
    /// The bundle of a trusted issuer: three accreditations, from it over the agency to the Root TAO.
    Chain,
}

impl Question {
    fn path(self, known: &Known, turn: usize, chance: &mut Chance) -> String {
        let Known { dids, attributes } = known;
        let mut any = |of: &[String]| of[chance.below(of.len() as u64) as usize].clone();
        let proof = if self == Self::Proven { "?proof=true" } else { "" };
        let kinds = if self == Self::Proven { 3 } else { 4 };
        match (self, turn % kinds) {
            (Self::Alive, _) => "/v1/alive".to_owned(),
            (Self::Chain, _) => format!("/v1/trust-chains/{}", any(attributes)),
            (_, 0) => format!("/v1/dids/{}{proof}", any(dids)),
            // The first so many DIDs are the issuers'.
            (_, 1) => format!("/v1/issuers/{}{proof}", any(&dids[..attributes.len()])),
            (_, 2) => format!("/v1/accreditations/{}{proof}", any(attributes)),
            (_, _) => format!("/did-registry/v5/identifiers/{}", any(dids)),
        }
    }
}

/// What a kind of reads costs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Reading {
    /// Answers a second, over all connections.
    pub(super) per_s: f64,
    /// Answers for each CPU second of the node.
    pub(super) per_core_s: f64,
    /// Time of an answer meanwhile.
    pub(super) busy: Latency,
    /// Time of an answer when it is the only one.
    pub(super) alone: Latency,
    /// Bytes of a body, mean.
    pub(super) body_bytes: f64,
}

/// Where and how much is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reads {
    /// The node that answers.
    pub(super) node: SocketAddr,
    /// Its process.
    pub(super) pid: u32,
    /// Connections at once.
    pub(super) connections: usize,
    /// How long.
    pub(super) time: Duration,
}

impl Reads {
    /// Measures a kind of reads: many at once, then one by one.
    pub(super) async fn measure(&self, question: Question, known: &Arc<Known>) -> Result<Reading, String> {
        let (started, cpu) = (Instant::now(), cpu_seconds(self.pid)?);
        let (busy, bytes) = self.ask(question, known, self.connections).await?;
        let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds(self.pid)? - cpu);
        let (alone, _) = self.ask(question, known, 1).await?;
        let answers = busy.len() as f64;
        Ok(Reading {
            per_s: answers / seconds,
            per_core_s: answers / cpu,
            busy: Latency::of(&busy),
            alone: Latency::of(&alone),
            body_bytes: bytes as f64 / answers,
        })
    }

    /// Times in milliseconds, sorted, and the bytes of all bodies.
    async fn ask(&self, question: Question, known: &Arc<Known>, connections: usize) -> Result<(Vec<f64>, u64), String> {
        let end = Instant::now() + self.time;
        let mut askers = JoinSet::new();
        for asker in 0..connections {
            let (node, known) = (self.node, Arc::clone(known));
            askers.spawn(async move {
                let mut connection = Connection::open(node).await?;
                let (mut times, mut bytes, mut chance) = (Vec::new(), 0, Chance::new(asker as u64));
                while Instant::now() < end {
                    let path = question.path(&known, times.len() + asker, &mut chance);
                    let asked = Instant::now();
                    match connection.get(&path).await? {
                        (200, body) => bytes += body.len() as u64,
                        (status, body) => return Err(format!("{path}: {}", refused(status, &body))),
                    }
                    times.push(asked.elapsed().as_secs_f64() * 1e3);
                }
                Ok::<_, String>((times, bytes))
            });
        }
        let (mut times, mut bytes) = (Vec::new(), 0);
        while let Some(done) = askers.join_next().await {
            let (more, more_bytes) = done.map_err(|e| e.to_string())??;
            times.extend(more);
            bytes += more_bytes;
        }
        times.sort_by(f64::total_cmp);
        Ok((times, bytes))
    }

    /// The body of one trust chain bundle.
    pub(super) async fn bundle(&self, known: &Known) -> Result<Vec<u8>, String> {
        let path = Question::Chain.path(known, 0, &mut Chance::new(0));
        match Connection::open(self.node).await?.get(&path).await? {
            (200, body) => Ok(body.to_vec()),
            (status, body) => Err(format!("{path}: {}", refused(status, &body))),
        }
    }
}

/// A bundle without what grows with the network's age and not with the chain: status lists and epochs.
pub(super) fn without_lists_and_epochs(bundle: &[u8]) -> Result<Vec<u8>, String> {
    let mut bundle: Value = serde_json::from_slice(bundle).map_err(|e| format!("bundle: {e}"))?;
    let members = bundle.as_object_mut().ok_or("bundle: no object")?;
    members.remove("lists");
    if let Some(evidence) = members.get_mut("evidence").and_then(Value::as_object_mut) {
        evidence.remove("epochs");
    }
    Ok(bundle.to_string().into_bytes())
}

/// Bytes after this machine's `gzip`; none where there is none.
pub(super) fn gzipped_bytes(bytes: &[u8]) -> Option<usize> {
    let mut gzip = Command::new("gzip").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let mut input = gzip.stdin.take()?;
    let bytes = bytes.to_vec();
    // On a thread of its own: a pipe holds 64 KiB, and gzip writes while it reads.
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = gzip.wait_with_output().ok()?;
    let written = writer.join().is_ok_and(|written| written.is_ok());
    (written && output.status.success()).then_some(output.stdout.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_read_has_paths_of_things_that_are_there() {
        let known = Known { dids: vec!["did:ebsi:z1".into(), "did:ebsi:z2".into()], attributes: vec!["aa".into()] };
        let mut chance = Chance::new(1);
        for turn in 0..100 {
            let mut path = |question: Question| question.path(&known, turn, &mut chance);
            assert!(path(Question::Proven).ends_with("?proof=true"));
            assert!(!path(Question::Plain).contains('?'));
            assert_eq!(path(Question::Chain), "/v1/trust-chains/aa");
            assert_ne!(path(Question::Plain), "/v1/issuers/did:ebsi:z2", "it is no issuer");
        }
    }

    #[test]
    fn the_size_of_a_bundle_leaves_lists_and_epochs_out() {
        let bundle = br#"{"lists":[1,2,3],"evidence":{"epochs":[4],"v":1},"links":[]}"#;
        let rest: Value = serde_json::from_slice(&without_lists_and_epochs(bundle).unwrap()).unwrap();
        assert_eq!(rest, serde_json::json!({"evidence":{"v":1},"links":[]}));
        assert!(without_lists_and_epochs(b"[]").is_err());
    }
}
