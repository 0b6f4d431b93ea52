//! What an office needs of the ledger: one seam, so that tests can break it at every place.

use std::time::Duration;

use async_trait::async_trait;
use testamur_client::limits::FINAL_TIMEOUT;
use testamur_client::nodes::FinaliseError;
use testamur_client::registry::{At, ChainOf, Registry, RegistryError};
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
}
