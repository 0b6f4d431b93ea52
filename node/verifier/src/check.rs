//! From a file to its answer: opened, read, the ledger asked, verified.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use testamur_client::author;
use testamur_client::registry::{Registry, RegistryError};
use testamur_credentials::presentation::Presentation;
use testamur_credentials::print::Print;
use testamur_credentials::proofs::Proofs;
use testamur_credentials::refusal::Refusal;
use testamur_credentials::verify::Policy;
use testamur_paper::check::{Answer, Found, Named, Verifiers, find};
use testamur_primitives::hash::GenesisHash;
use testamur_primitives::units::UnixTime;

pub use crate::answer::{Checked, NodeFault};
use crate::ledger::{Given, Ledger};
use crate::limits::{ITEM_BYTES_MAX, PROOF_AGE_DEFAULT, PROOF_AGE_MAX};
use crate::pool::{Failed, Pool};

/// A file to judge.
#[derive(Debug, Clone)]
pub struct File {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The receipt that was handed in beside it.
    pub receipt: Option<Vec<u8>>,
    /// The time asked about; none for now.
    pub at: Option<UnixTime>,
}

/// What judges files: under trust files, with the ledgers whose nodes are known.
#[derive(Debug)]
pub struct Checker {
    verifiers: Arc<Verifiers>,
    ledgers: Vec<Ledger>,
    proof_age: Duration,
    pool: Pool,
}

/// A network that is trusted.
#[derive(Debug, Clone, Serialize)]
pub struct LedgerStatus {
    network: GenesisHash,
    origin: String,
    /// The nodes that are asked; none when its diplomas are judged by what comes with them.
    nodes: Vec<String>,
    /// The newest block that was proven by them.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<u64>,
}

impl Checker {
    /// Judges under these verifiers; of the networks of `registries` it asks the nodes, of the others it never does.
    pub fn new(verifiers: Arc<Verifiers>, registries: Vec<Registry>) -> Self {
        Self::keeping(verifiers, registries, PROOF_AGE_DEFAULT)
    }

    /// As [`Checker::new`], with another age up to which proofs are used again.
    pub fn keeping(verifiers: Arc<Verifiers>, registries: Vec<Registry>, proof_age: Duration) -> Self {
        let proof_age = proof_age.min(PROOF_AGE_MAX);
        let ledgers = registries.into_iter().map(|registry| Ledger::new(registry, proof_age)).collect();
        Self { verifiers, ledgers, proof_age, pool: Pool::default() }
    }

    /// Where its work is done.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Up to which age proofs are used again.
    pub fn proof_age(&self) -> Duration {
        self.proof_age
    }

    /// The networks that are trusted, and who is asked.
    pub fn ledgers(&self) -> Vec<LedgerStatus> {
        let status = |verifier: &testamur_credentials::verify::Verifier| {
            let trust = verifier.trust();
            let ledger = self.ledgers.iter().find(|ledger| ledger.network() == trust.network());
            let registry = ledger.map(Ledger::registry);
            LedgerStatus {
                network: trust.network(),
                origin: trust.origin().to_string(),
                nodes: registry.map_or_else(Vec::new, |registry| {
                    registry.nodes().nodes().iter().map(|node| node.name().to_owned()).collect()
                }),
                seen: registry.map(|registry| registry.seen().0).filter(|height| *height > 0),
            }
        };
        self.verifiers.all().iter().map(status).collect()
    }

    /// Judges a file.
    pub async fn check(&self, file: File) -> Result<Checked, Failed> {
        let File { bytes, receipt, at } = file;
        let policy = policy(at);
        if self.ledgers.is_empty() {
            let verifiers = Arc::clone(&self.verifiers);
            let judge = move || {
                let found = find(&bytes, receipt.as_deref());
                Answer::new(found.iter().map(|found| verifiers.judge(found, &policy)).collect())
            };
            return Ok(Checked { answer: self.pool.run(judge).await?, nodes: Vec::new() });
        }
        let found = self.pool.run(move || find(&bytes, receipt.as_deref())).await?;
        let mut nodes: Vec<NodeFault> = Vec::new();
        let mut reports = Vec::with_capacity(found.len());
        for found in found {
            let (report, mut faults) = self.judge(Arc::new(found), policy).await?;
            reports.push(report);
            nodes.append(&mut faults);
        }
        nodes.sort();
        nodes.dedup();
        Ok(Checked { answer: Answer::new(reports), nodes })
    }

    /// The answer to a file that is not read.
    pub(crate) fn unread(&self, bytes: usize, at: Option<UnixTime>) -> Checked {
        let refusal = Refusal::TooLarge { bytes, most: ITEM_BYTES_MAX };
        let found = Found { name: None, presented: Err(refusal), print: Print::None };
        let report = self.verifiers.judge(&found, &policy(at));
        Checked { answer: Answer::new(vec![report]), nodes: Vec::new() }
    }

    /// Fresh proofs for a credential, for those who keep them.
    pub async fn proofs(&self, presented: &Presentation, at: Option<UnixTime>) -> Result<Proofs, RegistryError> {
        let ledger = self.ledgers.first().ok_or_else(|| RegistryError(Vec::new()))?;
        Ok(ledger.gather(presented, at).await?.0)
    }

    async fn judge(&self, found: Arc<Found>, policy: Policy) -> Result<(Named, Vec<NodeFault>), Failed> {
        let verifier = self.verifiers.of(&found);
        let ledger = self.ledgers.iter().find(|ledger| ledger.network() == verifier.trust().network());
        let presented =
            found.presented.as_ref().ok().filter(|read| verifier.is_of_this_ledger(&read.credential.issuer));
        let (Some(ledger), Some(presented)) = (ledger, presented) else {
            return Ok((self.verify(found, None, policy).await?, Vec::new()));
        };
        let Given { proofs, nodes } = ledger.proofs(presented, policy.at).await;
        let Some(proofs) = proofs else {
            // Nobody answers: what came along is better than nothing, and the report says as of when it is.
            return Ok((self.verify(found, None, policy).await?, nodes));
        };
        Ok((self.verify(found, Some(proofs), policy).await?, nodes))
    }

    async fn verify(&self, found: Arc<Found>, proofs: Option<Proofs>, policy: Policy) -> Result<Named, Failed> {
        let verifiers = Arc::clone(&self.verifiers);
        let judge = move || match proofs {
            Some(proofs) => verifiers.judge_with(&found, &proofs, &policy),
            None => verifiers.judge(&found, &policy),
        };
        self.pool.run(judge).await
    }
}

fn policy(at: Option<UnixTime>) -> Policy {
    // A clock before 1970 is as good as none: the proven header's time counts where it is later.
    Policy { at, ..Policy::now(author::now().unwrap_or_default()) }
}
