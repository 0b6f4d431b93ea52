//! Evidence from one snapshot: state keys proven under the tip, with what certifies the tip.

use std::sync::{Arc, Mutex};

use testamur_primitives::epoch::{EpochLink, ValidatorSet};
use testamur_primitives::hash::HeaderHash;
use testamur_primitives::receipt::ReceiptNetwork;
use testamur_primitives::state::evidence::{Evidence, ProvenKey};
use testamur_primitives::units::{Epoch, Height};
use testamur_registry::StateKey;
use testamur_registry::tree::prove;

use crate::error::StoreError;
use crate::schema::{Column, place};
use crate::view::View;

/// What certifies a tip: the same for every evidence under it.
#[derive(Debug)]
pub(crate) struct Frame {
    of: HeaderHash,
    network: ReceiptNetwork,
    header: String,
    note: String,
    validators: Arc<ValidatorSet>,
    epochs: Vec<EpochLink>,
}

/// The frame of the newest tip that was asked for, and the links of the epochs so far: a closed epoch's never changes.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    newest: Mutex<Option<Arc<Frame>>>,
    links: Mutex<Vec<EpochLink>>,
}

impl View<'_> {
    /// These keys, each with its newest value or its absence, proven under the tip; in order, none twice. None while only
    /// genesis exists: nobody has certified it.
    pub fn evidence(&self, keys: &[StateKey]) -> Result<Option<Evidence>, StoreError> {
        self.health.guard(|| {
            let (height, root) = (self.tip.height(), self.tip.header.state_root);
            if height == Height(0) {
                return Ok(None);
            }
            let mut keys: Vec<_> = keys.iter().collect();
            keys.sort_unstable();
            keys.dedup();
            let state = keys.into_iter().map(|key| {
                let proven = prove(&self.snapshot, height, root, key)?;
                let damaged = |_| StoreError::damaged(format!("state {key}"), "the value is not text");
                let value = proven.value.map(String::from_utf8).transpose().map_err(damaged)?;
                Ok(ProvenKey { key: key.as_str().to_owned(), value, proof: proven.proof })
            });
            let state = state.collect::<Result<Vec<_>, StoreError>>()?;
            let frame = self.frame()?;
            Ok(Some(Evidence {
                v: 1,
                r#type: "testamur-evidence".into(),
                network: frame.network.clone(),
                header: frame.header.clone(),
                note: frame.note.clone(),
                validators: (*frame.validators).clone(),
                epochs: frame.epochs.clone(),
                state,
            }))
        })
    }

    fn frame(&self) -> Result<Arc<Frame>, StoreError> {
        let remembered = self.frames.newest.lock().expect("nothing panics under this lock").clone();
        if let Some(frame) = remembered.filter(|frame| frame.of == self.tip.hash) {
            return Ok(frame);
        }
        let height = self.tip.height();
        let missing =
            || StoreError::damaged(place(Column::Certificates, &height.0.to_be_bytes()), "the row is missing");
        let checkpoint = self.checkpoint_inner(height)?.ok_or_else(missing)?;
        let frame = Arc::new(Frame {
            of: self.tip.hash,
            network: self.claimed_network(),
            header: checkpoint.header.text,
            note: checkpoint.note.to_string(),
            validators: checkpoint.validators,
            epochs: self.links_to(checkpoint.header.header.epoch)?,
        });
        *self.frames.newest.lock().expect("nothing panics under this lock") = Some(Arc::clone(&frame));
        Ok(frame)
    }

    /// The network, as files of it say.
    pub(crate) fn claimed_network(&self) -> ReceiptNetwork {
        ReceiptNetwork { genesis: self.tip.header.genesis, origin: self.origin.to_string() }
    }

    /// The links from genesis to an epoch.
    pub(crate) fn links_to(&self, epoch: Epoch) -> Result<Vec<EpochLink>, StoreError> {
        let count = usize::try_from(epoch.0).map_err(|_| StoreError::OutOfRange)?;
        let mut links = self.frames.links.lock().expect("nothing panics under this lock");
        for before in links.len()..count {
            let link = self.epoch_inner(Epoch(before as u64))?.link;
            links.push(link.ok_or_else(|| StoreError::damaged(format!("epochs {before}"), "it is not over"))?);
        }
        Ok(links[..count].to_vec())
    }
}
