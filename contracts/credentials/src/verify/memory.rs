//! What a verifier found out lately: proven states and what they say, receipts, schemas, tokens.
//!
//! Thousands of diplomas of one graduation have all of that in common; reading and proving it costs a hundred times what a
//! signature does. Each answer depends on its arguments and the verifier's trust file alone, so remembering changes how long it
//! takes and never what it is.
//!
//! - INV-VERIFY-2: something is found again only if *everything* that its answer depends on is equal. A digest only says where to
//!   look.
//! - What is remembered is bounded ([`testamur_primitives::generations`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use testamur_primitives::codec::sha256;
use testamur_primitives::generations::Generations;
use testamur_primitives::hash::SchemaId;
use testamur_primitives::issuers::chain::TrustChain;
use testamur_primitives::key::{PublicKey, ReadyKey};
use testamur_primitives::record::Reference;
use testamur_primitives::schemas::SchemaEntry;
use testamur_primitives::state::evidence::{Evidence, EvidenceError, ProvenState};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;

use super::anchor::Anchored;
use super::readable::Compiled;
use super::{Found, Reason, State, issuer};
use crate::ledger::{self, Documents, ListView, NoChain, Question};
use crate::limits::MEMORY_BYTES_MAX;
use crate::status::Token;

/// Everything that a verifier remembers.
#[derive(Debug)]
pub(super) struct Memory {
    states: Generations<[u8; 32], Arc<Remembered>>,
    pub(super) receipts: Generations<[u8; 32], Arc<Anchored>>,
    pub(super) schemas: Generations<(String, bool), Arc<Compiled>>,
    pub(super) tokens: Generations<Arc<str>, Arc<Token>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            states: Generations::new(MEMORY_BYTES_MAX),
            receipts: Generations::new(MEMORY_BYTES_MAX / 4),
            schemas: Generations::new(MEMORY_BYTES_MAX / 4),
            tokens: Generations::new(MEMORY_BYTES_MAX / 4),
        }
    }
}

/// An evidence and what came of it.
#[derive(Debug)]
struct Remembered {
    evidence: Arc<Evidence>,
    state: Result<Arc<Proven>, EvidenceError>,
}

impl Memory {
    /// As [`Evidence::verify`], remembered.
    pub(super) fn proven(&self, evidence: &Arc<Evidence>, trust: &TrustFile) -> State {
        let mut parts = vec![evidence.header.as_bytes(), evidence.note.as_bytes()];
        parts.extend(evidence.state.iter().map(|proven| proven.key.as_bytes()));
        let place = sha256(&parts);
        let same = |found: &Arc<Remembered>| Arc::ptr_eq(&found.evidence, evidence) || found.evidence == *evidence;
        let found = self.states.get(&place).filter(same).unwrap_or_else(|| {
            let state = evidence.verify(trust).map(|state| Arc::new(Proven::new(state)));
            let found = Arc::new(Remembered { evidence: Arc::clone(evidence), state });
            self.states.put(place, Arc::clone(&found), weight(evidence));
            found
        });
        match &found.state {
            Ok(proven) => State::Proven(Arc::clone(proven)),
            Err(error) => State::Refused(Box::new(error.clone())),
        }
    }
}

/// About how many bytes an evidence takes: as it came, proven, and in each of the answers that it gives at most.
fn weight(evidence: &Evidence) -> usize {
    let keys = evidence.state.iter().map(|proven| {
        let value = proven.value.as_ref().map_or(0, String::len);
        2 * proven.key.len() + (2 + VIEWS_MAX) * value + 32 * proven.proof.siblings.len() + 256
    });
    keys.sum::<usize>() + 2 * (evidence.header.len() + evidence.note.len()) + 4_096
}

/// A proven state, and the answers it gave.
#[derive(Debug)]
pub(super) struct Proven {
    state: ProvenState,
    views: Mutex<Vec<Arc<View>>>,
}

/// Questions of which one state remembers the answers: a graduation's degrees, by level and type.
const VIEWS_MAX: usize = 8;

impl Proven {
    fn new(state: ProvenState) -> Self {
        Self { state, views: Mutex::default() }
    }

    /// The header's time.
    pub(super) fn time(&self) -> UnixTime {
        self.state.header().time
    }

    /// What the state says to a question, remembered.
    pub(super) fn view(&self, question: Question) -> Arc<View> {
        if let Some(found) = lock(&self.views).iter().find(|view| view.question == question) {
            return Arc::clone(found);
        }
        // Not under the lock: others read on meanwhile, and what two find out is the same.
        let view = Arc::new(View::read(&self.state, question));
        let mut views = lock(&self.views);
        if views.len() >= VIEWS_MAX {
            views.remove(0);
        }
        views.push(Arc::clone(&view));
        view
    }
}

/// What a proven state says to a question. A part is an error where the state says nothing of a key that it needs.
#[derive(Debug)]
pub(super) struct View {
    pub(super) question: Question,
    pub(super) documents: Result<Documents, String>,
    pub(super) standing: Result<Vec<Result<TrustChain, NoChain>>, String>,
    pub(super) schemas: Result<BTreeMap<SchemaId, Option<SchemaEntry>>, String>,
    pub(super) lists: Result<BTreeMap<Reference, ListView>, String>,
    /// Step 4, but for what the content says of its level.
    pub(super) accreditation: Result<Found, String>,
    /// The issuer's keys that were asked for; at most as many as its document has.
    keys: Mutex<BTreeMap<String, Arc<Key>>>,
}

/// A key of the issuer's.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) ready: ReadyKey,
    /// Step 3.
    pub(super) reason: Reason,
    pub(super) evidence: Arc<Value>,
}

impl View {
    fn read(state: &ProvenState, question: Question) -> Self {
        let text = |error: &dyn core::fmt::Display| error.to_string();
        let standing = question.moments().into_iter().map(|at| ledger::standing(state, &question, at));
        let mut view = Self {
            documents: ledger::documents(state, &question).map_err(|e| text(&e)),
            standing: standing.collect::<Result<_, _>>().map_err(|e| text(&e)),
            schemas: ledger::schemas(state, &question).map_err(|e| text(&e)),
            lists: ledger::lists(state, &question).map_err(|e| text(&e)),
            accreditation: Err(String::new()),
            keys: Mutex::default(),
            question,
        };
        view.accreditation = issuer::accreditation(&view);
        view
    }

    /// A key of the issuer's newest document; none when there is none of this name, or it is no key.
    pub(super) fn key(&self, fragment: &str) -> Option<Arc<Key>> {
        if let Some(found) = lock(&self.keys).get(fragment) {
            return Some(Arc::clone(found));
        }
        let method = self.documents.as_ref().ok()?.newest.as_ref()?.method(fragment)?;
        let ready = PublicKey::from_jwk(&method.key).and_then(|key| key.ready()).ok()?;
        let (reason, evidence) = issuer::key(self, fragment)?;
        let key = Arc::new(Key { ready, reason, evidence });
        lock(&self.keys).insert(fragment.to_owned(), Arc::clone(&key));
        Some(key)
    }
}
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
