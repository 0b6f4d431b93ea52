//! The eight steps, each reason once or more, over a ledger made from the formats alone.

use crate::world::parties::{ISSUED, World};
use testamur_credentials::credential::Format;
use testamur_credentials::verify::{Outcome, Reason, Report, StepName, Verdict};
use testamur_primitives::key::SigningKey;

fn world() -> World {
    World::new(SigningKey::p256(&[7; 32]).unwrap())
}

const FORMATS: [Format; 4] = [Format::SdJwt, Format::Vcdm2, Format::Ebsi, Format::Compact];

#[track_caller]
fn expect(report: &Report, verdict: Verdict, reason: Reason) {
    let shown = serde_json::to_string_pretty(report).unwrap();
    assert_eq!((report.verdict, report.reason.code()), (verdict, reason.code()), "{shown}");
}

#[test]
fn every_format_is_valid_anchored_and_not() {
    let world = world();
    for format in FORMATS {
        let credential = world.diploma(format);
        let receipt = world.anchor(&credential, ISSUED);
        for (receipt, anchor) in [(Some(&receipt), Reason::AnchorOk), (None, Reason::AnchorNone)] {
            let report = world.verify(&credential, receipt);
            expect(&report, Verdict::Valid, Reason::Valid);
            assert_eq!(report.format, Some(format));
            assert!(report.steps.iter().all(|step| step.outcome == Outcome::Passed));
            assert_eq!(report.step(StepName::Anchor).reason, anchor);
            assert_eq!(report.step(StepName::Holder).reason, Reason::HolderUnbound);
            assert_eq!(report.subject["familyName"], "Παπαδοπούλου");
        }
    }
}
