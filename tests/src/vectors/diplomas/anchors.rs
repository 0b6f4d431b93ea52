//! Step 6: receipts of something else, of somebody else, of another network, and damaged ones.

use serde_json::Value;
use testamur_credentials::verify::Reason;
use testamur_primitives::codec::{base64_standard, from_base64_standard};
use testamur_primitives::receipt::Receipt;
use testamur_primitives::units::UnixTime;

use super::graduation::FORMATS;
use super::world::day;
use super::{Cases, case};
use crate::chain::Chain;

pub(super) fn add(cases: &mut Cases<'_>) {
    others(cases);
    damaged(cases);
    out_of_office(cases);
    times(cases);
}

fn others(cases: &mut Cases<'_>) {
    for (format, _) in FORMATS {
        let text = &cases.of(&format!("good-es256-{format}")).text;
        let name = format!("good-eddsa-{format}");
        let other = case(format!("the receipt of another diploma: {format}"), text);
        cases.add(other.receipt(&name, &cases.of(&name).receipt), Reason::AnchorOtherDocument);
        let (name, receipt) = cases.story.by_somebody_else(format);
        let other = case(format!("a receipt that somebody else got: {format}"), text);
        cases.add(other.receipt(&name, &receipt), Reason::AnchorOtherAuthor);
    }
    let status = cases.story.of_another_kind();
    let text = &cases.of("good-es256-vcdm2").text;
    let other = case("a receipt of something that is no document", text);
    cases.add(other.receipt("status-list", &status), Reason::AnchorOtherDocument);
    let elsewhere = Chain::new("elsewhere");
    for format in ["vcdm2", "sd-jwt", "compact"] {
        let issued = cases.of(&format!("good-es256-{format}"));
        let mut receipt = issued.receipt.clone();
        receipt.network.genesis = elsewhere.genesis.hash();
        let other = case(format!("a receipt of another network: {format}"), &issued.text);
        cases.add(other.receipt(&format!("elsewhere-{format}"), &receipt), Reason::AnchorOtherNetwork);
    }
}

/// What is done to a receipt.
type Damage = fn(&mut Receipt);

fn damaged(cases: &mut Cases<'_>) {
    let issued = cases.of("good-es256-vcdm2");
    let changes: [(&str, Damage); 7] = [
        ("without-its-opening", |receipt| receipt.opening = None),
        ("with-another-salt", |receipt| {
            let other = cases_salt();
            receipt.opening.as_mut().expect("an opening").salt = Some(other);
        }),
        ("with-a-path-turned-round", |receipt| {
            receipt.opening.as_mut().and_then(|o| o.path.as_mut()).expect("a path").reverse();
        }),
        ("at-another-place", |receipt| receipt.index.0 -= 1),
        ("with-another-header", |receipt| receipt.header = receipt.header.replacen("\"v\":1", "\"v\":2", 1)),
        ("with-too-few-witnesses", |receipt| {
            let (body, lines) = receipt.note.split_once("\n\n").expect("a note");
            let lines: Vec<_> = lines.lines().skip(2).collect();
            receipt.note = format!("{body}\n\n{}\n", lines.join("\n"));
        }),
        ("without-the-issuers-document", |receipt| receipt.author.state = None),
    ];
    for (name, change) in changes {
        let mut receipt = issued.receipt.clone();
        change(&mut receipt);
        let reason = if name == "without-its-opening" { Reason::AnchorIncomplete } else { Reason::AnchorInvalid };
        let bad = case(format!("a receipt {}", name.replace('-', " ")), &issued.text);
        cases.add(bad.receipt(name, &receipt), reason);
    }
    let bytes = issued.receipt.clone().encode();
    let text = String::from_utf8(bytes.clone()).expect("JSON");
    for (name, bytes, reason) in [
        ("cut-off", bytes[..bytes.len() / 2].to_vec(), Reason::AnchorInvalid),
        (
            "with-a-byte-changed",
            text.replacen("rfc6962-sha256", "rfc6963-sha256", 1).into_bytes(),
            Reason::AnchorIncomplete,
        ),
        ("with-white-space", text.replacen(':', ": ", 1).into_bytes(), Reason::AnchorInvalid),
        ("that-is-none", b"{\"type\":\"receipt\"}".to_vec(), Reason::AnchorInvalid),
        ("under-another-digest", other_digest(&text).into_bytes(), Reason::AnchorInvalid),
    ] {
        let bad = case(format!("a receipt {}", name.replace('-', " ")), &issued.text);
        cases.add(bad.receipt_bytes(name, bytes), reason);
    }
}

fn cases_salt() -> testamur_primitives::commitment::SaltText {
    testamur_primitives::commitment::SaltText(testamur_primitives::commitment::Salt::from_bytes([9; 32]))
}

/// A receipt whose own digest is another.
fn other_digest(receipt: &str) -> String {
    let mut receipt: Value = serde_json::from_str(receipt).expect("JSON");
    let digest = receipt["digest"].as_str().expect("text").replace('-', "+").replace('_', "/");
    let padded = format!("{digest}{}", "=".repeat((4 - digest.len() % 4) % 4));
    let mut bytes = from_base64_standard(&padded).expect("base64");
    bytes[0] ^= 1;
    let digest = base64_standard(&bytes).replace('+', "-").replace('/', "_").replace('=', "");
    receipt["digest"] = digest.into();
    String::from_utf8(testamur_primitives::codec::canonical(&receipt)).expect("JSON")
}

/// Under a trust file that pins a block of later validators, a receipt of the first ones needs a later block above it.
fn out_of_office(cases: &mut Cases<'_>) {
    let later = UnixTime(day(30).0 + 3_600);
    for (format, _) in FORMATS {
        let name = format!("good-es256-{format}");
        let issued = cases.of(&name);
        let old = case(format!("witnesses out of office: {format}"), &issued.text).proofs("late", later);
        cases.add(old.trust("trust-late").receipt(&name, &issued.receipt), Reason::AnchorUnconfirmed);
    }
    for format in ["vcdm2", "ebsi"] {
        let name = format!("good-es256-{format}");
        let issued = cases.of(&name);
        let refreshed = cases.story.refreshed(&issued.receipt);
        let old = case(format!("witnesses out of office, and refreshed: {format}"), &issued.text).proofs("late", later);
        cases.add(old.trust("trust-late").receipt(&format!("refreshed-{format}"), &refreshed), Reason::Valid);
        let none = case(format!("later validators, and no receipt: {format}"), &issued.text).proofs("late", later);
        cases.add(none.trust("trust-late"), Reason::Valid);
    }
}

fn times(cases: &mut Cases<'_>) {
    for (format, _) in FORMATS {
        let name = format!("good-es256-{format}");
        let issued = cases.of(&name);
        let before = case(format!("asked about the day before it was anchored: {format}"), &issued.text);
        cases.add(before.receipt(&name, &issued.receipt).at(day(9)), Reason::AnchorAfter);
    }
    let name = "academy-late-ebsi";
    let issued = cases.of(name);
    let before = case("anchored on day 25, asked about day 24", &issued.text).receipt(name, &issued.receipt);
    cases.add(before.at(day(24)), Reason::AnchorAfter);
}
