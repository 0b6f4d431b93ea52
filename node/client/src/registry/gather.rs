//! One read from one node: which keys it needs shows while it runs, so it runs until all of them are proven.

use std::collections::BTreeSet;

use testamur_primitives::limits::EVIDENCE_KEYS_MAX;
use testamur_primitives::state::evidence::{Evidence, NotProven, ProvenState};
use testamur_primitives::state::{StateError, StateKey};

use super::{Fault, Proven, Read, Registry};
use crate::author::now;
use crate::limits::{EVIDENCE_AGE_S, GATHER_RESTARTS_MAX, STATE_KEYS_PER_REQUEST, STATE_QUERY_BYTES_MAX};
use crate::node::Node;

/// Runs `read` over what a node proves, asking for more keys until it has all, under one header.
pub(super) async fn gather<T>(
    registry: &Registry,
    node: &Node,
    bundle: Option<&str>,
    first: &[StateKey],
    read: &impl Fn(&ProvenState) -> Read<T>,
) -> Result<Proven<T>, Fault> {
    assert!(bundle.is_some() || !first.is_empty(), "a read begins with a bundle or a key");
    let server = || node.name().to_owned();
    // Keys that the read is known to need; those not asked for yet, under the header at hand.
    let mut known: BTreeSet<StateKey> = BTreeSet::new();
    let mut gathered: Option<Evidence> = match bundle {
        // It is a short cut: a node that does not have it still answers about keys.
        Some(path) => node.evidence(path).await.ok(),
        None => None,
    };
    if gathered.is_none() {
        known.extend(first.iter().cloned());
    }
    let mut missing: Vec<StateKey> = known.iter().cloned().collect();
    let mut restarts = 0;
    loop {
        while !missing.is_empty() {
            let part = chunk(&missing);
            let evidence = node.state(&missing[..part]).await.map_err(Fault::Client)?;
            match &mut gathered {
                Some(all) if all.header != evidence.header => {
                    // A block was decided in between: everything is asked for again, under one header.
                    restarts += 1;
                    if restarts > GATHER_RESTARTS_MAX {
                        return Err(Fault::Moving { server: server() });
                    }
                    gathered = None;
                    missing = known.iter().cloned().collect();
                }
                Some(all) => {
                    merge(all, evidence);
                    missing.drain(..part);
                }
                None => {
                    gathered = Some(evidence);
                    missing.drain(..part);
                }
            }
        }
        let evidence = gathered.as_ref().expect("a read begins with a bundle or a key");
        let state = check(registry, node, evidence)?;
        match read(&state) {
            Ok(value) => {
                let header = state.header().clone();
                return Ok(Proven {
                    value,
                    header,
                    evidence: evidence.clone(),
                    server: server(),
                    passed_over: Vec::new(),
                });
            }
            // INV-CLIENT-4: what was asked for and is not there was left out; it is never taken for absent.
            Err(StateError::Store(NotProven(key))) if known.contains(&key) => {
                return Err(Fault::Omitted { server: server(), key });
            }
            Err(StateError::Store(NotProven(key))) => {
                if known.len() >= EVIDENCE_KEYS_MAX {
                    return Err(Fault::TooMany { server: server(), most: EVIDENCE_KEYS_MAX });
                }
                known.insert(key.clone());
                missing.push(key);
            }
            Err(error @ StateError::Damaged { .. }) => {
                return Err(Fault::Unreadable { server: server(), reason: error.to_string() });
            }
        }
    }
}

/// Certificate, proofs, age, and that nothing newer was seen.
fn check(registry: &Registry, node: &Node, evidence: &Evidence) -> Result<ProvenState, Fault> {
    let fault = |error| Fault::Evidence { server: node.name().to_owned(), error };
    let state = evidence.verify(&registry.trust).map_err(fault)?;
    state.fresh(now().unwrap_or_default(), EVIDENCE_AGE_S).map_err(fault)?;
    let (height, seen) = (state.header().height, registry.seen());
    if height < seen {
        return Err(Fault::Behind { server: node.name().to_owned(), height, seen });
    }
    Ok(state)
}

/// How many of the keys fit in one request: at least one.
fn chunk(keys: &[StateKey]) -> usize {
    let mut bytes = 0;
    let fits = keys.iter().take(STATE_KEYS_PER_REQUEST).take_while(|key| {
        bytes += key.as_str().len() + "key=&".len();
        bytes <= STATE_QUERY_BYTES_MAX
    });
    fits.count().max(1)
}

/// Adds what another answer under the same header proves. Keys stay in order, none twice.
fn merge(all: &mut Evidence, more: Evidence) {
    for proven in more.state {
        if let Err(place) = all.state.binary_search_by(|p| p.key.cmp(&proven.key)) {
            all.state.insert(place, proven);
        }
    }
}
