//! Makes the official samples again: `cargo run -p testamur-verifier --example samples`, in node/verifier.
//!
//! Every key and salt is fixed, so the same files come out.

#[path = "../../../contracts/credentials/tests/world/mod.rs"]
mod world;

use std::path::Path;

use serde_json::{Value, json};
use testamur_credentials::credential::Format;
use testamur_credentials::format;
use testamur_credentials::link;
use testamur_credentials::package::Package;
use testamur_credentials::print::Print;
use testamur_credentials::verify::{Policy, Presented};
use testamur_primitives::key::SigningKey;
use testamur_primitives::units::UnixTime;
use world::DAY;
use world::parties::{ISSUED, NOW, World, sign_text};

fn main() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut world = World::new(SigningKey::p256(&[23; 32]).expect("a scalar"));
    world.list("diplomas-1", NOW - DAY / 2, &[8]);
    world.list("diplomas-1-suspended", NOW - DAY / 2, &[9]);
    let text = |format, index| {
        let mut draft = world.draft();
        draft.id = format!("urn:uuid:00000000-0000-4000-8000-{index:012}");
        draft.status.as_mut().expect("the draft has a place").index = index;
        sign_text(format, &draft, &world.university.key)
    };
    let package = |format, index, issued: Option<u64>, time| {
        let credential = text(format, index);
        let read = format::parse(&credential).expect("just written");
        let receipt = issued.map(|issued| world.anchor(&read, issued));
        let proofs = world.proofs(&read, issued, time);
        Package { credential, receipt, proofs }.encode()
    };
    let good = package(Format::SdJwt, 7, Some(ISSUED), NOW);
    let mut altered = good.clone();
    let signature = altered.iter().position(|byte| *byte == b'~').expect("disclosures follow the signature") - 3;
    altered[signature] = if altered[signature] == b'A' { b'B' } else { b'A' };
    let samples: Vec<(&str, &str, Vec<u8>)> = vec![
        ("valid-sd-jwt", "A package of a genuine degree, as SD-JWT VC.", good),
        ("valid-vcdm2", "The same kind of degree as W3C VCDM 2.0.", package(Format::Vcdm2, 10, Some(ISSUED), NOW)),
        ("valid-ebsi", "The same kind of degree in EBSI's format.", package(Format::Ebsi, 11, Some(ISSUED), NOW)),
        (
            "valid-without-receipt",
            "A package without receipt: its issuer is in good standing.",
            package(Format::SdJwt, 12, None, NOW),
        ),
        ("revoked", "A degree that was withdrawn.", package(Format::SdJwt, 8, Some(ISSUED), NOW)),
        ("suspended", "A degree that is suspended.", package(Format::SdJwt, 9, Some(ISSUED), NOW)),
        ("altered", "A package whose credential was changed after it was signed.", altered),
        (
            "stale",
            "A package whose proofs are three days old.",
            package(Format::SdJwt, 13, Some(ISSUED), NOW - 3 * DAY),
        ),
        (
            "bare-credential",
            "A credential by itself: without a node nothing can be said of its issuer.",
            text(Format::SdJwt, 14).into_bytes(),
        ),
        (
            "link",
            "A share link: as the bare credential.",
            link::make("https://verify.example/", &text(Format::Compact, 15)).expect("it fits").into_bytes(),
        ),
        (
            "not-a-credential",
            "A file that is none.",
            b"Dear Sir or Madam,\nplease find my diploma enclosed.\n".to_vec(),
        ),
    ];
    let mut index = Vec::new();
    for (name, description, bytes) in samples {
        let read = testamur_credentials::presentation::read(&bytes);
        let policy = Policy { at: Some(UnixTime(NOW)), ..Policy::now(UnixTime(NOW)) };
        let report = world.verifier().verify(&Presented::new(read.as_ref(), &Print::None), &policy);
        index.push(json!({ "name": name, "description": description, "at": NOW, "verdict": report.verdict, "reason": report.reason }));
        std::fs::write(directory.join(name), bytes).expect("the folder is there");
    }
    write(&directory.join("index.json"), &json!({ "samples": index }));
    std::fs::write(directory.join("trust.json"), world.network.trust().to_json()).expect("the folder is there");
}

fn write(path: &Path, value: &Value) {
    let text = serde_json::to_string_pretty(value).expect("JSON") + "\n";
    std::fs::write(path, text).expect("the folder is there");
}
