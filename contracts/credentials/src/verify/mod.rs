//! The eight steps, their reasons, and the verdict.
//!
//! | step | rests on |
//! | --- | --- |
//! | 1 readable | the text, and the schema on the ledger |
//! | 2 signature | the issuer's DID document on the ledger; of a PDF, that it is the issuer's print |
//! | 3 issuer | that document as of the moment of issuance, by what is known now |
//! | 4 accreditation | the chain to the Root TAO at that moment, every signature checked |
//! | 5 status | the issuer's lists of a state that is fresh |
//! | 6 anchor | the receipt, under the trust file |
//! | 7 dates | the credential's own, against the clock |
//! | 8 holder | whether it is bound to a wallet |
//!
//! The moment of issuance is the block time of the anchor. What has no anchor may have been made a second ago, whatever it says of
//! itself: it is judged at the time of the proven header, and what has ended since is "cannot tell" at best.
//!
//! After a failure of step 1 or 2 the others are not looked at and nothing of the content is shown.
//!
//! - INV-VERIFY-1: *valid* only if no step failed, none is unknown, and all were looked at.
//! - INV-VERIFY-2: what a verifier remembers changes how long an answer takes and never what it is (`memory`).
//! - INV-VERIFY-3: nothing of the content is in a report whose signature was not verified.

mod anchor;
mod dates;
mod holder;
mod issuer;
mod memory;
mod readable;
pub mod reason;
mod report;
mod signature;
mod status;

use std::sync::Arc;

use serde_json::{Map, Value, json};
use testamur_primitives::did::Did;
use testamur_primitives::receipt::{Receipt, ReceiptError};
use testamur_primitives::state::evidence::EvidenceError;
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;

use crate::credential::Credential;
use crate::ledger::Question;
use crate::limits::STATUS_AGE_S;
use crate::presentation::Presentation;
use crate::print::Print;
use crate::proofs::Proofs;
use crate::refusal::Refusal;
use memory::{Memory, Proven, View};
pub use reason::Reason;
pub use report::{Outcome, Report, StepName, StepReport, Verdict, verdict};

/// What is asked, and how fresh an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// This machine's clock.
    pub now: UnixTime,
    /// The time that is asked about; none for now.
    pub at: Option<UnixTime>,
    /// A state proof older than this says nothing about now.
    pub status_age_s: u64,
}

impl Policy {
    /// Asks about now, with the usual demand for freshness.
    pub fn now(now: UnixTime) -> Self {
        Self { now, at: None, status_age_s: STATUS_AGE_S }
    }
}

/// What somebody has shown, and the proofs at hand.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The credential, or why there is none.
    pub credential: Result<&'a Credential, &'a Refusal>,
    /// Its text, if it may end in a proof by its holder; what is there is checked.
    pub text: Option<&'a str>,
    /// The anchor's receipt, if one came with it, or why it is none.
    pub receipt: Option<Result<&'a Receipt, &'a ReceiptError>>,
    /// State of the ledger, lists and tokens.
    pub proofs: &'a Proofs,
    /// Why the state that came with it is none.
    pub evidence_error: Option<&'a EvidenceError>,
    /// The PDF that it came in.
    pub print: &'a Print,
}

impl<'a> Presented<'a> {
    /// What was read, with the proofs that came with it.
    pub fn new(read: Result<&'a Presentation, &'a Refusal>, print: &'a Print) -> Self {
        static NO_PROOFS: Proofs = Proofs::NONE;
        Self {
            credential: read.map(|read| &read.credential),
            text: read.ok().map(|read| read.text.as_str()),
            receipt: read.ok().and_then(|read| read.receipt.as_ref()).map(|receipt| receipt.as_ref()),
            proofs: read.map_or(&NO_PROOFS, |read| &read.proofs),
            evidence_error: read.ok().and_then(|read| read.evidence_error.as_ref()),
            print,
        }
    }

    /// The same with other proofs: newer ones, from the ledger.
    #[must_use]
    pub fn with_proofs(self, proofs: &'a Proofs) -> Self {
        Self { proofs, evidence_error: None, ..self }
    }
}

/// Verifies credentials under one trust file, and remembers what many of them have in common.
#[derive(Debug)]
pub struct Verifier {
    trust: Arc<TrustFile>,
    public_base: String,
    memory: Memory,
}

/// A step's reason, and what it rests on.
type Found = (Reason, Arc<Value>);

/// What there is of the ledger's state.
enum State {
    /// No proof came.
    Missing,
    /// It does not hold.
    Refused(Box<EvidenceError>),
    /// It holds.
    Proven(Arc<Proven>),
}

impl Verifier {
    /// A verifier of one network.
    pub fn new(trust: Arc<TrustFile>) -> Self {
        let public_base = trust.genesis().public_base();
        Self { trust, public_base, memory: Memory::default() }
    }

    /// The trust file.
    pub fn trust(&self) -> &TrustFile {
        &self.trust
    }

    /// Whether a DID is of the kind that this ledger registers.
    pub fn is_of_this_ledger(&self, did: &Did) -> bool {
        did.is_of_ledger() && did.method() == self.trust.genesis().did_method()
    }

    /// Verifies one credential. Pure: the same question has the same answer, whatever was asked before (INV-VERIFY-2).
    pub fn verify(&self, presented: &Presented<'_>, policy: &Policy) -> Report {
        let about = policy.at.unwrap_or(policy.now);
        let credential = match presented.credential {
            Ok(credential) => credential,
            Err(refusal) => return Report::conclude(refused(refusal), about, None),
        };
        let state = match (&presented.proofs.evidence, presented.evidence_error) {
            (Some(evidence), _) => self.memory.proven(evidence, &self.trust),
            (None, Some(error)) => State::Refused(Box::new(error.clone())),
            (None, None) => State::Missing,
        };
        let state_time = match &state {
            State::Proven(proven) => Some(proven.time()),
            State::Missing | State::Refused(_) => None,
        };
        // A quorum's time is better than a clock that is behind it.
        let clock = policy.now.max(state_time.unwrap_or_default());
        let anchor = self.anchor(credential, presented.receipt, clock, policy.at);
        let clock = clock.max(anchor.issued.unwrap_or_default());
        let about = policy.at.unwrap_or(clock);

        let view = match (&state, state_time) {
            (State::Proven(proven), Some(time)) if self.is_of_this_ledger(&credential.issuer) => {
                Some(proven.view(Question::new(credential, anchor.issued, time, policy.at, &self.public_base)))
            }
            _ => None,
        };
        let signed = signature::check(credential, presented.print, view.as_deref());
        let (readable, subject) = self.readable(credential, view.as_deref());
        let mut steps = vec![step(readable), step(signed.found)];
        if let Some(failed) = steps.iter().find(|step| step.outcome == Outcome::Failed) {
            let reason = failed.reason;
            if steps[0].outcome == Outcome::Failed {
                steps.truncate(1);
            }
            not_checked(&mut steps, reason);
            let report = Report::conclude(steps, about, state_time);
            return Report { format: Some(credential.format), ..report };
        }
        let ledger =
            issuer::Ledger { state: &state, view: view.as_deref(), own: self.is_of_this_ledger(&credential.issuer) };
        steps.push(step(ledger.issuer(credential)));
        steps.push(step(ledger.accreditation(credential)));
        let freshness = status::Freshness { about, clock, at: policy.at, accepted_s: policy.status_age_s };
        steps.push(step(self.status(credential, view.as_deref(), state_time, presented.proofs, &freshness)));
        steps.push(step(anchor.found));
        steps.push(step(dates::check(credential, about)));
        steps.push(step(holder::check(credential, presented.text, clock)));
        let report = Report::conclude(steps, about, state_time);
        // INV-VERIFY-3: only what the issuer has verifiably signed is shown.
        let subject = if signed.verified { subject } else { Map::new() };
        Report { format: Some(credential.format), subject, ..report }
    }
}

fn step((reason, evidence): Found) -> StepReport {
    StepReport { step: reason.step(), outcome: reason.outcome(), reason, evidence }
}

/// Adds the steps that are not looked at any more.
fn not_checked(steps: &mut Vec<StepReport>, reason: Reason) {
    let evidence = Arc::new(Value::Null);
    for name in &StepName::ALL[steps.len()..] {
        steps.push(StepReport { step: *name, outcome: Outcome::NotChecked, reason, evidence: Arc::clone(&evidence) });
    }
}

/// The steps of something that could not be read as a credential.
fn refused(refusal: &Refusal) -> Vec<StepReport> {
    let reason = refusal.reason();
    let evidence = Arc::new(json!({ "detail": refusal.to_string() }));
    let mut steps = Vec::new();
    if reason.step() != StepName::Readable {
        steps.push(step((Reason::ReadableOk, Arc::new(Value::Null))));
    }
    for name in &StepName::ALL[steps.len()..] {
        let evidence = Arc::clone(&evidence);
        steps.push(if *name == reason.step() {
            StepReport { step: *name, outcome: reason.outcome(), reason, evidence }
        } else {
            StepReport { step: *name, outcome: Outcome::NotChecked, reason, evidence: Arc::new(Value::Null) }
        });
    }
    steps
}

/// Why a step has no answer: nothing proves what it needs.
fn no_proof(view_says: Option<&str>) -> Arc<Value> {
    Arc::new(view_says.map_or(Value::Null, |detail| json!({ "detail": detail })))
}

impl View {
    /// A part of what was read, or what is not proven.
    fn part<T>(part: &Result<T, String>) -> Result<&T, Arc<Value>> {
        part.as_ref().map_err(|detail| no_proof(Some(detail)))
    }
}
