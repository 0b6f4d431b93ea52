//! Gathering the proofs that a credential is verified with: state of the ledger, and whole status lists.
//!
//! Nodes are asked about an issuer, its accreditations, a schema and lists, and never about an entry of a list or anything else
//! of a credential: they learn which institution is looked at, and not which of its graduates. What they answer is verified
//! before it is handed over, and again by whoever verifies the credential.

use std::sync::Arc;

use testamur_credentials::credential::Credential;
use testamur_credentials::ledger::{self, LedgerView, Listed, Question};
use testamur_credentials::proofs::{Lists, Proofs};
use testamur_primitives::header::Header;
use testamur_primitives::identity;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::state::evidence::{Evidence, ProvenState};
use testamur_primitives::status::StatusEntry;
use testamur_primitives::units::UnixTime;
use tokio::sync::Mutex;

use crate::limits::{GATHERED_ANSWERS_MAX, GATHERED_LISTS_MAX, PASSED_OVER_MAX};
use crate::registry::{Fault, Read, Registry, RegistryError};

/// The proofs of one credential, of the newest state. `at` is the time that is asked about; none for now.
///
/// Of a credential whose issuer is of no ledger of this kind there are none, and nobody is asked.
pub async fn gather(
    registry: &Registry,
    credential: &Credential,
    receipt: Option<&Receipt>,
    at: Option<UnixTime>,
) -> Result<Proofs, RegistryError> {
    Gatherer::default().gather(registry, credential, receipt, at).await
}

/// Gathers for many credentials one after another: what like ones have in common is asked for once.
///
/// Its answers are of the state that was the newest when the first of like credentials was asked about; so it is made for one
/// batch, and made anew for the next.
#[derive(Debug, Default)]
pub struct Gatherer {
    remembered: Mutex<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    /// Questions as if asked of a state of time 0, and what proves the answers.
    answers: Vec<(Question, Arc<Evidence>, Vec<StatusEntry>)>,
    lists: Lists,
    /// Nodes whose answers were not used, since the last look.
    passed_over: Vec<Arc<Fault>>,
}

impl Gatherer {
    /// Why nodes were passed over since the last time this was asked: one that lies is told from one that is away.
    pub async fn passed_over(&self) -> Vec<Arc<Fault>> {
        core::mem::take(&mut self.remembered.lock().await.passed_over)
    }

    /// As [`gather`].
    pub async fn gather(
        &self,
        registry: &Registry,
        credential: &Credential,
        receipt: Option<&Receipt>,
        at: Option<UnixTime>,
    ) -> Result<Proofs, RegistryError> {
        let genesis = registry.trust().genesis();
        let issuer = &credential.issuer;
        if !issuer.is_of_ledger() || issuer.method() != genesis.did_method() {
            return Ok(Proofs::default());
        }
        // What the receipt says is not believed here: it only says which keys to ask for.
        let issued =
            receipt.and_then(|receipt| Header::decode(receipt.header.as_bytes()).ok()).map(|header| header.time);
        let question = Question::new(credential, issued, UnixTime(0), at, &genesis.public_base());
        // Held until the end: of like credentials that come at once, the first asks for all.
        let mut remembered = self.remembered.lock().await;
        let known = remembered.answers.iter().find(|(asked, ..)| *asked == question);
        let (evidence, entries) = match known.map(|(_, evidence, entries)| (Arc::clone(evidence), entries.clone())) {
            Some(known) => known,
            None => {
                let first = [identity::keys::did(issuer).head()];
                let read = |state: &ProvenState| read(state, &question);
                let proven = registry.read_bundle(Some(&bundle(&question)), &first, read).await?;
                let answer = (Arc::new(proven.evidence), versions(&proven.value));
                let room = PASSED_OVER_MAX.saturating_sub(remembered.passed_over.len());
                remembered.passed_over.extend(proven.passed_over.into_iter().take(room));
                if remembered.answers.len() >= GATHERED_ANSWERS_MAX {
                    remembered.answers.remove(0);
                }
                remembered.answers.push((question, Arc::clone(&answer.0), answer.1.clone()));
                answer
            }
        };
        let mut lists = Lists::default();
        for entry in entries {
            let bits = match remembered.lists.get(&entry.status.sha256) {
                Some(bits) => Arc::clone(bits),
                None => match registry.status_bits(&entry).await {
                    Ok(bits) => bits.into(),
                    // Nodes keep older versions for a while only: what is gone is not known, and the rest still is.
                    Err(_) if at.is_some() => continue,
                    Err(error) => return Err(error),
                },
            };
            if remembered.lists.len() >= GATHERED_LISTS_MAX {
                remembered.lists = Lists::default();
            }
            remembered.lists.add(Arc::clone(&bits));
            lists.add(bits);
        }
        Ok(Proofs { evidence: Some(evidence), lists, tokens: Default::default() })
    }
}

/// What a verification reads: once as anchored at the receipt's time, and once as if it were not, since a receipt may turn out
/// not to count.
fn read(state: &ProvenState, question: &Question) -> Read<LedgerView> {
    let question = Question { state_time: state.header().time, ..question.clone() };
    if question.issued.is_some() {
        ledger::read(state, &Question { issued: None, ..question.clone() })?;
    }
    ledger::read(state, &question)
}

/// The versions of lists whose bits are needed.
fn versions(view: &LedgerView) -> Vec<StatusEntry> {
    let all = view.lists.values().flat_map(|list| [&list.own, &list.suspended, &list.replaced]);
    let version = |listed: &Listed| match listed {
        Listed::Version(entry) => Some(StatusEntry::clone(entry)),
        Listed::Absent | Listed::Later => None,
    };
    all.filter_map(version).collect()
}

/// The route that answers with most of it at once.
fn bundle(question: &Question) -> String {
    let mut path = format!("v1/trust-chains?issuer={}", question.issuer);
    if let Some(issued) = question.issued {
        path.push_str(&format!("&at={issued}"));
    }
    if let [list] = question.lists.as_slice() {
        use ledger::pointer::{REPLACED, SUSPENDED, companion};
        let companions = [SUSPENDED, REPLACED].into_iter().filter_map(|ending| companion(list, ending));
        let names: Vec<_> = core::iter::once(list.clone()).chain(companions).map(|name| name.to_string()).collect();
        path.push_str(&format!("&list={}", names.join(",")));
    }
    path
}
