//! A candidate's word that it has caught up: a `synced` record, published when governance waits for it.
//!
//! It is signed by the consensus key that the change names, over the height and header where this node stands. Until it
//! is final it is published again now and then: a record may get lost, and a second one is refused as known.

use std::sync::Arc;
use std::time::Instant;

use testamur_client::author::Author;
use testamur_primitives::hash::Address;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::Act;
use testamur_registry::network::pending_set_change;
use testamur_store::Ledger;

use super::part::Part;
use crate::keystore::Key;
use crate::limits::SYNCED_AGAIN;

/// Publishes this node's `synced` record when it is awaited.
pub(crate) struct Announcer {
    ledger: Arc<Ledger>,
    part: Arc<Part>,
    published: Option<Instant>,
    told_key: bool,
}

impl Announcer {
    /// Nothing is published yet.
    pub(crate) fn new(ledger: Arc<Ledger>, part: Arc<Part>) -> Self {
        Self { ledger, part, published: None, told_key: false }
    }

    /// Looks whether the newest state waits for this validator; whether a record is on its way. An error is this
    /// node's own, and fatal.
    pub(crate) async fn look(&mut self, address: Address, keys: impl Iterator<Item = &Key>) -> Result<bool, String> {
        let tip = self.ledger.tip();
        if !self.part.progress.has_answered() || self.part.progress.behind(tip.height()) > 1 {
            return Ok(false);
        }
        let Some(wanted) = tokio::task::block_in_place(|| self.awaited_key(address))? else {
            self.published = None;
            return Ok(false);
        };
        if self.published.is_some_and(|at| at.elapsed() < SYNCED_AGAIN) {
            return Ok(true);
        }
        let Some(key) = keys.into_iter().find(|key| key.public().as_bytes() == wanted) else {
            if !std::mem::replace(&mut self.told_key, true) {
                tracing::error!(
                    %address,
                    "the network waits for this validator with another consensus key than the configuration names: \
                     correct [keys], or have the change withdrawn"
                );
            }
            return Ok(false);
        };
        self.published = Some(Instant::now());
        let act = Act::Synced { validator: address, height: tip.height(), header: tip.hash };
        let author = Author::new(SigningKey::ed25519(key.seed()), self.ledger.network());
        let record = author.sign(act).map_err(|e| format!("the synced record cannot be signed: {e}"))?;
        for source in &self.part.sources {
            match source.pass_on(record.as_bytes(), None).await {
                Ok(id) => {
                    tracing::info!(
                        record = %id, height = tip.height().0, node = source.name(),
                        "the network's operators add this validator, and it has caught up: said so by a synced record"
                    );
                    return Ok(true);
                }
                Err(error) => tracing::warn!(%error, "the synced record was not taken"),
            }
        }
        Ok(false)
    }

    /// The consensus key by which the pending change awaits this validator.
    fn awaited_key(&self, address: Address) -> Result<Option<Vec<u8>>, String> {
        let view = self.ledger.view().map_err(|e| e.to_string())?;
        let change = pending_set_change(&view.state()).map_err(|e| e.to_string())?;
        let mut awaited = change.iter().flat_map(|change| change.awaited());
        let own = awaited.find(|validator| validator.registration.address() == address);
        Ok(own.map(|validator| validator.registration.consensus_key().to_vec()))
    }
}
