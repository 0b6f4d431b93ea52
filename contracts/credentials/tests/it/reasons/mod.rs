//! Every reason, reached from outside: what each step says of each thing that can be wrong.

mod issuers;
mod presented;
mod statuses;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::world::parties::World;
use testamur_credentials::verify::{Outcome, Reason, Report, Verdict, verdict};
use testamur_primitives::key::SigningKey;

/// What was asked, what must be said of the whole, and what was said.
type Case = (&'static str, Reason, Report);

/// The university's key.
fn own_key() -> SigningKey {
    SigningKey::ed25519(&[7; 32])
}

/// A ledger of the test's own, as at the beginning.
fn world() -> World {
    static FIRST: LazyLock<World> = LazyLock::new(|| World::new(own_key()));
    FIRST.copy(own_key())
}

#[test]
fn every_reason_is_reached_and_decides_what_it_should() {
    let cases: Vec<Case> = [presented::cases(), issuers::cases(), statuses::cases()].concat();
    let as_expected = |(_, reason, report): &&Case| report.reason == *reason;
    let surprises = cases.iter().filter(|case| !as_expected(case));
    let surprises: Vec<_> = surprises
        .map(|(name, reason, report)| {
            let steps: Vec<_> =
                report.steps.iter().map(|step| format!("{} {}", step.reason.code(), step.evidence)).collect();
            format!("{name}: {}, not {}: {steps:#?}", report.reason.code(), reason.code())
        })
        .collect();
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    let mut reached = BTreeSet::from([Reason::Valid]);
    for (name, reason, report) in &cases {
        let shown = serde_json::to_string_pretty(report).unwrap();
        let expected = match reason.outcome() {
            Outcome::Passed => Verdict::Valid,
            Outcome::Failed => Verdict::NotValid,
            Outcome::Unknown => Verdict::CannotTell,
            Outcome::NotChecked => unreachable!("no reason of its own"),
        };
        assert_eq!(report.verdict, expected, "{name}: {shown}");
        assert_eq!((report.verdict, report.reason), verdict(&report.steps), "{name}");
        for step in &report.steps {
            if step.outcome == Outcome::NotChecked {
                assert_eq!(step.reason, report.reason, "{name}: it was not looked at because of what ended it");
                continue;
            }
            assert_eq!((step.reason.step(), step.reason.outcome()), (step.step, step.outcome), "{name}");
            reached.insert(step.reason);
        }
        // INV-VERIFY-3: nothing is shown of what was not verified.
        let signature = report.step(testamur_credentials::verify::StepName::Signature);
        let looked_at = matches!(signature.reason, Reason::SignatureOk | Reason::SignatureInvalid);
        assert!(report.format.is_some() || !looked_at, "{name}: what has a signature to look at has a format");
        let verified = matches!(signature.reason, Reason::SignatureOk | Reason::SignaturePrintNotBound)
            && signature.outcome != Outcome::NotChecked;
        assert!(verified || report.subject.is_empty(), "{name}: {shown}");
        let secret = ["Παπαδοπούλου", "2001-04-22", "Master of Laws"].iter().any(|text| shown.contains(text));
        assert!(verified || !secret, "{name}: content of an unverified credential is shown: {shown}");
    }
    let missing: Vec<_> = Reason::ALL.iter().filter(|reason| !reached.contains(reason)).map(|r| r.code()).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}
