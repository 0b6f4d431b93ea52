//! A ledger that is asked, and what it answered lately.
//!
//! What is asked names an issuer, kinds of credentials and lists, never a diploma; so many diplomas of one issuer have the same
//! question, and its answer is used again for a while. How old it is stands in every report (`as_of`).
//!
//! - INV-KEPT-1: an answer is used again only for the equal question: the same issuer, claims, lists, claimed moment of issuance and
//!   time asked about. So nobody's file can make the answer to another's worse.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use testamur_client::diplomas::Gatherer;
use testamur_client::registry::{Fault, Registry, RegistryError};
use testamur_credentials::ledger::Question;
use testamur_credentials::presentation::Presentation;
use testamur_credentials::proofs::Proofs;
use testamur_primitives::hash::GenesisHash;
use testamur_primitives::header::Header;
use testamur_primitives::units::UnixTime;
use tokio::time::Instant;

use crate::answer::NodeFault;
use crate::limits::{AWAY_PAUSE, QUESTIONS_MAX};

/// An answer, and since when it is there.
#[derive(Debug, Clone)]
struct Kept {
    since: Instant,
    proofs: Proofs,
    nodes: Vec<NodeFault>,
}

/// One question's answer. Who asks while it is being fetched waits for it.
type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// What the ledger gave.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    /// The proofs; none when no node gave any that hold, and none were kept.
    pub(crate) proofs: Option<Proofs>,
    /// Nodes that were passed over.
    pub(crate) nodes: Vec<NodeFault>,
}

/// One network's nodes.
#[derive(Debug)]
pub(crate) struct Ledger {
    registry: Registry,
    age: Duration,
    /// By what many credentials have in common: what is asked about them, as if of a state of time 0.
    slots: Mutex<Vec<(Question, Slot)>>,
    /// Until when the nodes are left alone, and what they did.
    away: Mutex<Option<(Instant, Vec<NodeFault>)>>,
}

impl Ledger {
    pub(crate) fn new(registry: Registry, age: Duration) -> Self {
        Self { registry, age, slots: Mutex::default(), away: Mutex::default() }
    }

    pub(crate) fn network(&self) -> GenesisHash {
        self.registry.trust().network()
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Proofs for a credential: kept ones, if they are young enough.
    pub(crate) async fn proofs(&self, presented: &Presentation, at: Option<UnixTime>) -> Given {
        let slot = self.slot(self.question(presented, at));
        let mut kept = slot.lock().await;
        if let Some(young) = kept.as_ref().filter(|kept| kept.since.elapsed() <= self.age) {
            return Given { proofs: Some(young.proofs.clone()), nodes: young.nodes.clone() };
        }
        let given = self.fresh(presented, at).await;
        match (&given.proofs, kept.as_ref()) {
            (Some(proofs), _) => {
                *kept = Some(Kept { since: Instant::now(), proofs: proofs.clone(), nodes: given.nodes.clone() });
                given
            }
            // Better an older answer, which says how old it is, than none.
            (None, Some(older)) => Given { proofs: Some(older.proofs.clone()), ..given },
            (None, None) => given,
        }
    }

    /// Proofs that are fetched now.
    async fn fresh(&self, presented: &Presentation, at: Option<UnixTime>) -> Given {
        if let Some((until, nodes)) = lock(&self.away).clone()
            && Instant::now() < until
        {
            return Given { proofs: None, nodes };
        }
        match self.gather(presented, at).await {
            Ok((proofs, passed_over)) => {
                *lock(&self.away) = None;
                Given { proofs: Some(proofs), nodes: told(&passed_over) }
            }
            Err(error) => {
                let nodes = told(&error.0);
                *lock(&self.away) = Some((Instant::now() + AWAY_PAUSE, nodes.clone()));
                Given { proofs: None, nodes }
            }
        }
    }

    /// Proofs that are fetched now, and nodes that were passed over; or why there are none.
    pub(crate) async fn gather(
        &self,
        presented: &Presentation,
        at: Option<UnixTime>,
    ) -> Result<(Proofs, Vec<Arc<Fault>>), RegistryError> {
        let receipt = presented.receipt.as_ref().and_then(|receipt| receipt.as_ref().ok());
        let gatherer = Gatherer::default();
        let proofs = gatherer.gather(&self.registry, &presented.credential, receipt, at).await?;
        Ok((proofs, gatherer.passed_over().await))
    }

    fn question(&self, presented: &Presentation, at: Option<UnixTime>) -> Question {
        let receipt = presented.receipt.as_ref().and_then(|receipt| receipt.as_ref().ok());
        // Not verified: whoever lies about it asks a question of his own.
        let issued =
            receipt.and_then(|receipt| Header::decode(receipt.header.as_bytes()).ok()).map(|header| header.time);
        let public_base = self.registry.trust().genesis().public_base();
        Question::new(&presented.credential, issued, UnixTime(0), at, &public_base)
    }

    fn slot(&self, question: Question) -> Slot {
        let mut slots = lock(&self.slots);
        // INV-KEPT-1.
        if let Some((_, slot)) = slots.iter().find(|(asked, _)| *asked == question) {
            return Arc::clone(slot);
        }
        if slots.len() >= QUESTIONS_MAX {
            slots.remove(0);
        }
        let slot = Slot::default();
        slots.push((question, Arc::clone(&slot)));
        slot
    }
}

fn told(faults: &[Arc<Fault>]) -> Vec<NodeFault> {
    faults.iter().map(|fault| NodeFault::from(&**fault)).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
