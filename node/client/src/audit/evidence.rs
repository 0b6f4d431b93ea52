//! What shows that two histories were signed, verified by itself: a trust file and the evidence's bytes are enough.

use testamur_primitives::checkpoint::verify_certificate;
use testamur_primitives::epoch::{TrustedEpoch, Validator, ValidatorSet};
use testamur_primitives::header::Header;
use testamur_primitives::note::Note;
use testamur_primitives::trust::{PinnedCheckpoint, TrustFile};
use testamur_primitives::units::Epoch;

use crate::path::{Contradiction, proves_header};

/// Why evidence shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// It is about another network than the trust file.
    #[error("it is about another network than the trust file")]
    OtherNetwork,
    /// A part of it is not of its form.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// The epochs do not lead from the trust file's genesis to its checkpoints.
    #[error("its epochs do not lead from genesis to {0}")]
    Path(&'static str),
    /// A side is not signed by its set.
    #[error("{0} is not certified")]
    Unsigned(&'static str),
    /// The sides do not contradict each other.
    #[error("its two sides do not contradict each other")]
    Harmless,
}

impl EvidenceError {
    /// Stable slug.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherNetwork => "evidence.other-network",
            Self::Malformed(_) => "evidence.malformed",
            Self::Path(_) => "evidence.path",
            Self::Unsigned(_) => "evidence.unsigned",
            Self::Harmless => "evidence.harmless",
        }
    }

    /// Whether the process must stop: never.
    pub fn is_fatal(&self) -> bool {
        false
    }
}

/// Who signed a side.
struct Side {
    header: Header,
    witnesses: Vec<testamur_primitives::hash::Address>,
}

impl Contradiction {
    /// Verifies it under a trust file: two certified headers of one network that cannot both be its history. Returns the
    /// validators that signed both where the two are of one height (more than a third of the set), else none: then the
    /// network's set of the later one signed a history without the earlier.
    ///
    /// INV-AUDIT-2: nothing is believed of whoever kept the evidence: every certificate is verified along the epochs from
    /// the trust file's genesis; only a checkpoint that the trust file itself pins needs no path.
    pub fn verify(&self, trust: &TrustFile) -> Result<Vec<Validator>, EvidenceError> {
        if self.network.genesis != trust.network() || self.network.origin != trust.origin().as_str() {
            return Err(EvidenceError::OtherNetwork);
        }
        if self.v != 1 || self.r#type != "testamur-contradiction" {
            return Err(EvidenceError::Malformed("its type"));
        }
        let mut sets = vec![trust.genesis_epoch()];
        for link in &self.epochs {
            let last = sets.last().expect("genesis is there");
            let next = last.follow(trust.origin(), link).map_err(|_| EvidenceError::Path("its epochs"))?;
            if Header::decode(link.header.as_bytes()).map_or(true, |header| header.genesis != trust.network()) {
                return Err(EvidenceError::OtherNetwork);
            }
            sets.push(next);
        }
        let other = side(&self.other, "the other checkpoint", &sets, trust, false)?;
        let is_pinned = trust.checkpoint() == Some(&self.pinned);
        let pinned = side(&self.pinned, "the pinned checkpoint", &sets, trust, is_pinned)?;
        if pinned.header.height != self.height {
            return Err(EvidenceError::Malformed("its height"));
        }
        let found = match &self.other_pinned {
            Some(text) => {
                let found = Header::decode(text.as_bytes()).map_err(|_| EvidenceError::Malformed("a header"))?;
                if found.height != self.height || self.height >= other.header.height {
                    return Err(EvidenceError::Malformed("its height"));
                }
                if !proves_header(&self.history, &found.hash(), self.height, &other.header) {
                    return Err(EvidenceError::Malformed("its proof between two headers"));
                }
                found
            }
            None if other.header.height == self.height => other.header.clone(),
            None => {
                // Two sets of one epoch: the sides part where one names the other's set.
                let epoch = usize::try_from(pinned.header.epoch.0).ok();
                let set = epoch.and_then(|epoch| sets.get(epoch)).ok_or(EvidenceError::Harmless)?;
                let differs = set.validators != self.pinned.validators && is_pinned;
                return if differs { Ok(Vec::new()) } else { Err(EvidenceError::Harmless) };
            }
        };
        if found == pinned.header {
            return Err(EvidenceError::Harmless);
        }
        if other.header.height != self.height {
            return Ok(Vec::new());
        }
        let twice = |validator: &&Validator| {
            pinned.witnesses.contains(&validator.address) && other.witnesses.contains(&validator.address)
        };
        Ok(self.pinned.validators.validators().iter().filter(twice).cloned().collect())
    }
}

fn side(
    checkpoint: &PinnedCheckpoint,
    name: &'static str,
    sets: &[TrustedEpoch],
    trust: &TrustFile,
    is_trusted: bool,
) -> Result<Side, EvidenceError> {
    let header = Header::decode(checkpoint.header.as_bytes()).map_err(|_| EvidenceError::Malformed(name))?;
    if header.genesis != trust.network() {
        return Err(EvidenceError::OtherNetwork);
    }
    let on_path = |set: &ValidatorSet, epoch: Epoch| {
        usize::try_from(epoch.0).ok().and_then(|epoch| sets.get(epoch)).is_some_and(|known| known.validators == *set)
    };
    if !is_trusted && !on_path(&checkpoint.validators, header.epoch) {
        return Err(EvidenceError::Path(name));
    }
    let note = Note::parse(checkpoint.note.as_bytes()).map_err(|_| EvidenceError::Malformed(name))?;
    let certified = verify_certificate(trust.origin(), &header, &note, &checkpoint.validators);
    let certified = certified.map_err(|_| EvidenceError::Unsigned(name))?;
    Ok(Side { header, witnesses: certified.witnesses })
}
