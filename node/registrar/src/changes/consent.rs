//! Consents: who proposed a change and who approved it, provably.
//!
//! ```text
//! signed = "testamur/consent/v1\n" ‖ network "\n" issuer "\n" role "\n" change id "\n" person "\n" seconds "\n"
//! ```
//! At the desk a person signs with their own key. Over HTTP the gateway vouches for the person whose token was used.
//!
//! - INV-CHANGE-1: nothing is carried out but what two different persons of the desk have consented to, byte for byte, one as
//!   proposer and one as approver, the second while the proposal was in force. That is checked when the approval is given and
//!   again, from the stored texts and keys alone, whenever the change is carried out or gone on with.

use serde::{Deserialize, Serialize};
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Bytes, Reference};
use testamur_primitives::units::UnixTime;

use super::change::{Change, ChangeId};
use super::limits::CONSENT_SKEW_S;
use super::{ChangeError, ChangeFile};
use crate::staff::{PersonName, Staff};

/// As what somebody consents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Made the change.
    Proposer,
    /// Looked at it, and lets it be carried out.
    Approver,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Proposer => "proposer",
            Self::Approver => "approver",
        }
    }
}

/// What shows that it was that person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The person's own signature.
    Signature(Bytes),
    /// The gateway's word that this person's token was used: the token's label.
    Token(Reference),
}

/// A person's consent to a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// Who.
    pub person: PersonName,
    /// As what.
    pub role: Role,
    /// When.
    pub time: UnixTime,
    /// What shows it.
    pub by: By,
}

impl Consent {
    /// Consents at the desk, with the person's own key.
    pub fn sign(change: &Change, role: Role, person: &PersonName, time: UnixTime, key: &SigningKey) -> Self {
        let signature = key.sign(&message(change, change.id(), role, person, time));
        Self { person: person.clone(), role, time, by: By::Signature(Bytes(signature)) }
    }

    /// Consents over HTTP: the gateway has checked the token of that label, which is this person's.
    pub fn by_token(role: Role, person: &PersonName, time: UnixTime, label: Reference) -> Self {
        Self { person: person.clone(), role, time, by: By::Token(label) }
    }

    /// That a person of the desk gave it, at a time when they were one, to exactly this change.
    fn check(&self, change: &Change, role: Role, staff: &Staff) -> Result<(), ChangeError> {
        let person = staff.at(&self.person, self.time)?;
        if self.role != role {
            return Err(ChangeError::Signature(self.person.clone()));
        }
        if let By::Signature(signature) = &self.by {
            let message = message(change, change.id(), role, &self.person, self.time);
            if !person.signed(&message, &signature.0) {
                return Err(ChangeError::Signature(self.person.clone()));
            }
        }
        Ok(())
    }
}

fn message(change: &Change, id: ChangeId, role: Role, person: &PersonName, time: UnixTime) -> Vec<u8> {
    let (network, issuer, role) = (change.network, &change.issuer, role.name());
    format!("testamur/consent/v1\n{network}\n{issuer}\n{role}\n{id}\n{person}\n{time}\n").into_bytes()
}

/// Checks a proposal as it comes in.
pub(super) fn check_proposal(
    change: &Change,
    consent: &Consent,
    staff: &Staff,
    now: UnixTime,
) -> Result<(), ChangeError> {
    staff.require_two()?;
    staff.present(&consent.person)?;
    check_clock(consent, now)?;
    consent.check(change, Role::Proposer, staff)
}

/// Checks an approval as it comes in.
pub(super) fn check_approval(
    file: &ChangeFile,
    consent: &Consent,
    staff: &Staff,
    now: UnixTime,
) -> Result<(), ChangeError> {
    staff.present(&consent.person)?;
    check_clock(consent, now)?;
    if now >= file.change.expires {
        return Err(ChangeError::Expired(file.change.expires));
    }
    check_pair(file, consent, staff)
}

/// Checks INV-CHANGE-1 from what is stored.
pub(super) fn check_stored(file: &ChangeFile, staff: &Staff) -> Result<(), ChangeError> {
    let approval = file.approval.as_ref().ok_or(ChangeError::NotApproved)?;
    check_pair(file, approval, staff)
}

fn check_pair(file: &ChangeFile, approval: &Consent, staff: &Staff) -> Result<(), ChangeError> {
    if file.change.id() != file.id {
        return Err(ChangeError::Altered);
    }
    if approval.person == file.proposal.person {
        return Err(ChangeError::SamePerson(approval.person.clone()));
    }
    file.proposal.check(&file.change, Role::Proposer, staff)?;
    approval.check(&file.change, Role::Approver, staff)?;
    if approval.time >= file.change.expires {
        return Err(ChangeError::Expired(file.change.expires));
    }
    Ok(())
}

fn check_clock(consent: &Consent, now: UnixTime) -> Result<(), ChangeError> {
    if now.0.abs_diff(consent.time.0) > CONSENT_SKEW_S { Err(ChangeError::Clock) } else { Ok(()) }
}
