//! What is to be changed: the canonical text that two persons consent to.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use testamur_primitives::codec;
use testamur_primitives::did::Did;
use testamur_primitives::hash::GenesisHash;
use testamur_primitives::record::Bytes;
use testamur_primitives::units::UnixTime;

use super::ChangeError;
use super::limits::{CHANGE_DIPLOMAS_MAX, PROPOSAL_LIFE_S};
use crate::staff::PersonName;
use crate::store::{DiplomaKey, Draft};

/// Names a change: SHA-256("testamur/change/v1\n" ‖ its canonical JSON). Whoever consents to it consents to every byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId([u8; 32]);

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for ChangeId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut bytes = [0; 32];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if text.bytes().all(|b| !b.is_ascii_uppercase()) => Ok(Self(bytes)),
            _ => Err("a change's id is 64 hexadecimal digits".into()),
        }
    }
}

impl Serialize for ChangeId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChangeId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $type:ident { $($(#[$item:meta])* $name:ident = $code:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $type {
            $($(#[$item])* $name,)*
        }

        impl $type {
            /// All.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }
        }

        impl FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|reason| reason.code() == text).ok_or_else(|| {
                    let codes: Vec<_> = Self::ALL.iter().map(|reason| reason.code()).collect();
                    format!("the reason is one of {}", codes.join(", "))
                })
            }
        }
    )*};
}

// Closed lists: a free text would end up telling what nobody may keep. They are kept in the archive and go nowhere else.
reasons! {
    /// Why a diploma is withdrawn for good.
    RevokeReason {
        /// It should never have been issued.
        IssuedInError = "issued-in-error",
        /// What it rests on was got by deceit.
        ObtainedByFraud = "obtained-by-fraud",
        /// A court or an authority decided so.
        DecisionOfAuthority = "decision-of-authority",
        /// Its holder asked for it.
        AtHoldersRequest = "at-holders-request",
    }
    /// Why a diploma is suspended.
    SuspendReason {
        /// What it rests on is looked into.
        UnderInvestigation = "under-investigation",
        /// A court or an authority decided so.
        DecisionOfAuthority = "decision-of-authority",
        /// Its holder asked for it: a wallet was lost.
        AtHoldersRequest = "at-holders-request",
    }
    /// Why a suspension is lifted.
    ReinstateReason {
        /// Nothing was found.
        InvestigationClosed = "investigation-closed",
        /// A court or an authority decided so.
        DecisionOfAuthority = "decision-of-authority",
        /// Its holder asked for it.
        AtHoldersRequest = "at-holders-request",
        /// It should not have been suspended.
        SuspendedInError = "suspended-in-error",
    }
}

/// A diploma that is replaced, and by what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// The edition that is wrong.
    pub diploma: DiplomaKey,
    /// What it should say.
    pub draft: Draft,
}

/// What a change does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Replaces diplomas by corrected ones.
    Correct {
        /// Which, by what.
        corrections: Vec<Correction>,
    },
    /// Withdraws diplomas for good.
    Revoke {
        /// Why.
        reason: RevokeReason,
        /// Which.
        diplomas: Vec<DiplomaKey>,
    },
    /// Suspends diplomas.
    Suspend {
        /// Why.
        reason: SuspendReason,
        /// Which.
        diplomas: Vec<DiplomaKey>,
    },
    /// Lifts suspensions.
    Reinstate {
        /// Why.
        reason: ReinstateReason,
        /// Which.
        diplomas: Vec<DiplomaKey>,
    },
    /// Somebody joins the desk.
    Join {
        /// Who.
        name: PersonName,
        /// With which Ed25519 key.
        key: Bytes,
    },
    /// Somebody leaves the desk.
    Leave {
        /// Who.
        name: PersonName,
    },
}

impl Action {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Correct { .. } => "correct",
            Self::Revoke { .. } => "revoke",
            Self::Suspend { .. } => "suspend",
            Self::Reinstate { .. } => "reinstate",
            Self::Join { .. } => "join",
            Self::Leave { .. } => "leave",
        }
    }

    /// The reason's code, of those that have one.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Revoke { reason, .. } => Some(reason.code()),
            Self::Suspend { reason, .. } => Some(reason.code()),
            Self::Reinstate { reason, .. } => Some(reason.code()),
            Self::Correct { .. } | Self::Join { .. } | Self::Leave { .. } => None,
        }
    }

    /// The diplomas that it is about, in order.
    pub fn diplomas(&self) -> Vec<DiplomaKey> {
        match self {
            Self::Correct { corrections } => corrections.iter().map(|correction| correction.diploma).collect(),
            Self::Revoke { diplomas, .. } | Self::Suspend { diplomas, .. } | Self::Reinstate { diplomas, .. } => {
                diplomas.clone()
            }
            Self::Join { .. } | Self::Leave { .. } => Vec::new(),
        }
    }
}

/// A change: what two persons consent to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    v: u8,
    r#type: String,
    /// On which network.
    pub network: GenesisHash,
    /// Whose diplomas.
    pub issuer: Did,
    /// Random: the same change another day is another change, to be consented to anew.
    pub nonce: Bytes,
    /// When it was proposed.
    pub proposed: UnixTime,
    /// Until when it can be approved.
    pub expires: UnixTime,
    /// What it does.
    pub action: Action,
}

impl Change {
    /// A change that can be approved for a while from now on.
    pub fn new(
        network: GenesisHash,
        issuer: Did,
        nonce: [u8; 16],
        now: UnixTime,
        action: Action,
    ) -> Result<Self, ChangeError> {
        let diplomas = action.diplomas();
        if diplomas.is_empty() && !matches!(action, Action::Join { .. } | Action::Leave { .. }) {
            return Err(ChangeError::Nothing);
        }
        if diplomas.len() > CHANGE_DIPLOMAS_MAX {
            return Err(ChangeError::TooMany(diplomas.len()));
        }
        // By award: two editions of one award never stand in one change.
        let mut awards = BTreeSet::new();
        if let Some(twice) = diplomas.iter().find(|diploma| !awards.insert(diploma.award)) {
            return Err(ChangeError::Twice(twice.award));
        }
        Ok(Self {
            v: 1,
            r#type: "testamur-change".into(),
            network,
            issuer,
            nonce: Bytes(nonce.to_vec()),
            proposed: now,
            expires: UnixTime(now.0.saturating_add(PROPOSAL_LIFE_S)),
            action,
        })
    }

    /// Its name: what is consented to.
    pub fn id(&self) -> ChangeId {
        ChangeId(codec::sha256(&[b"testamur/change/v1\n", &codec::canonical(self)]))
    }
}
