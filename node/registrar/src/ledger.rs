//! What an office needs of the ledger: one seam, so that tests can break it at every place.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use testamur_client::author::now;
use testamur_client::diplomas::{Gatherer, gather};
use testamur_client::limits::FINAL_TIMEOUT;
use testamur_client::nodes::FinaliseError;
use testamur_client::registry::{At, ChainOf, Registry, RegistryError};
use testamur_credentials::credential::Credential;
use testamur_credentials::print::Print;
use testamur_credentials::proofs::Proofs;
use testamur_credentials::verify::{Policy, Presented, Report, Verifier};
use testamur_primitives::did::Did;
use testamur_primitives::hash::{GenesisHash, RecordId, SchemaId};
use testamur_primitives::identity::DidEntry;
use testamur_primitives::issuers::accreditation::Scope;
use testamur_primitives::issuers::chain::{ChainRefusal, TrustChain};
use testamur_primitives::receipt::{Facts, Receipt};
use testamur_primitives::record::{Record, Reference};
use testamur_primitives::schemas::SchemaEntry;
use testamur_primitives::status::StatusEntry;
use testamur_primitives::units::UnixTime;

use crate::limits::PROOFS_AGE_MAX;
use crate::work::in_parallel;

/// A record that is final: its receipt, verified, without any opening.
#[derive(Debug, Clone)]
pub struct Final {
    /// The ledger's part of all receipts of the record.
    pub receipt: Receipt,
    /// What it states.
    pub facts: Facts,
}

/// The ledger, as an office uses it. Nothing that it answers is a node's word: the client has verified it.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// The network.
    fn network(&self) -> GenesisHash;

    /// What the absolute URLs in credentials begin with.
    fn public_base(&self) -> String;

    /// Sends a record until it is final.
    async fn submit(&self, record: &Record, attachment: Option<&[u8]>) -> Result<Final, FinaliseError>;

    /// Looks for a record that was sent earlier, at every node.
    async fn find(&self, record: RecordId) -> Result<Final, FinaliseError>;

    /// The time of a proven block of now: no record can enter any more that ended before it.
    async fn time(&self, issuer: &Did) -> Result<UnixTime, RegistryError>;

    /// The issuer's document.
    async fn document(&self, issuer: &Did) -> Result<Option<DidEntry>, RegistryError>;

    /// The chain by which an issuer may issue this, or why it may not.
    async fn accredited(&self, issuer: &Did, scope: &Scope) -> Result<Result<TrustChain, ChainRefusal>, RegistryError>;

    /// A schema's newest revision.
    async fn schema(&self, schema: SchemaId) -> Result<Option<SchemaEntry>, RegistryError>;

    /// A status list's newest version.
    async fn status(&self, issuer: &Did, list: &Reference) -> Result<Option<StatusEntry>, RegistryError>;

    /// The bits of a version.
    async fn status_bits(&self, entry: &StatusEntry) -> Result<Vec<u8>, RegistryError>;

    /// What a verifier says of credentials, by what the ledger says now: one report each, in order.
    async fn verify(&self, checks: &Checks, handed: &[Handed]) -> Result<Vec<Report>, RegistryError>;

    /// What proves a credential today to somebody without a network.
    async fn proofs(&self, credential: &Credential, receipt: Option<&Receipt>) -> Result<Proofs, RegistryError>;
}

/// What the checks of one job have in common: its issuer's proofs, and what a verifier remembers of them.
#[derive(Debug)]
pub struct Checks {
    begun: Instant,
    gatherer: Gatherer,
    verifier: OnceLock<Verifier>,
}

impl Checks {
    /// Of a job that begins.
    pub fn new() -> Self {
        Self { begun: Instant::now(), gatherer: Gatherer::default(), verifier: OnceLock::new() }
    }

    /// Before the next part of the job: proofs that grew old are asked for again.
    pub fn refresh(&mut self) {
        if self.begun.elapsed() >= PROOFS_AGE_MAX {
            *self = Self::new();
        }
    }
}

impl Default for Checks {
    fn default() -> Self {
        Self::new()
    }
}

/// A credential as its holder hands it to a verifier.
#[derive(Debug, Clone)]
pub struct Handed {
    /// The credential.
    pub credential: Credential,
    /// Its anchor's receipt.
    pub receipt: Option<Receipt>,
    /// The PDF that it is in.
    pub print: Print,
}

/// How long a record that may be there is looked for.
const FIND_TIMEOUT: Duration = Duration::from_secs(5);

#[async_trait]
impl Ledger for Registry {
    fn network(&self) -> GenesisHash {
        self.trust().network()
    }

    fn public_base(&self) -> String {
        self.trust().genesis().public_base()
    }

    async fn submit(&self, record: &Record, attachment: Option<&[u8]>) -> Result<Final, FinaliseError> {
        let cut = Self::submit(self, record, attachment, FINAL_TIMEOUT).await?;
        Ok(Final { receipt: cut.ledger().clone(), facts: cut.facts().clone() })
    }

    async fn find(&self, record: RecordId) -> Result<Final, FinaliseError> {
        let cut = Self::find(self, record, FIND_TIMEOUT).await?;
        Ok(Final { receipt: cut.ledger().clone(), facts: cut.facts().clone() })
    }

    async fn time(&self, issuer: &Did) -> Result<UnixTime, RegistryError> {
        Ok(self.did(issuer, At::Now).await?.header.time)
    }

    async fn document(&self, issuer: &Did) -> Result<Option<DidEntry>, RegistryError> {
        Ok(self.did(issuer, At::Now).await?.value)
    }

    async fn accredited(&self, issuer: &Did, scope: &Scope) -> Result<Result<TrustChain, ChainRefusal>, RegistryError> {
        let of = ChainOf::Issuer { did: issuer.clone(), scope: Some(scope.clone()) };
        Ok(self.chain(&of, At::Now).await?.value)
    }

    async fn schema(&self, schema: SchemaId) -> Result<Option<SchemaEntry>, RegistryError> {
        Ok(Self::schema(self, schema, None).await?.value)
    }

    async fn status(&self, issuer: &Did, list: &Reference) -> Result<Option<StatusEntry>, RegistryError> {
        Ok(Self::status(self, issuer, list, At::Now).await?.value)
    }

    async fn status_bits(&self, entry: &StatusEntry) -> Result<Vec<u8>, RegistryError> {
        Self::status_bits(self, entry).await
    }

    async fn verify(&self, checks: &Checks, handed: &[Handed]) -> Result<Vec<Report>, RegistryError> {
        let mut proofs = Vec::with_capacity(handed.len());
        for one in handed {
            proofs.push(checks.gatherer.gather(self, &one.credential, one.receipt.as_ref(), None).await?);
        }
        let verifier = checks.verifier.get_or_init(|| Verifier::new(Arc::new(self.trust().clone())));
        let policy = Policy::now(now().unwrap_or_default());
        let places: Vec<usize> = (0..handed.len()).collect();
        Ok(in_parallel(0, &places, |place| {
            let (one, proofs) = (&handed[*place], &proofs[*place]);
            let presented = Presented {
                credential: Ok(&one.credential),
                text: None,
                receipt: one.receipt.as_ref().map(Ok),
                proofs,
                evidence_error: None,
                print: &one.print,
            };
            verifier.verify(&presented, &policy)
        }))
    }

    async fn proofs(&self, credential: &Credential, receipt: Option<&Receipt>) -> Result<Proofs, RegistryError> {
        gather(self, credential, receipt, None).await
    }
}
