//! How fast formats and packages are read, on one core: `cargo run --release -p testamur-credentials --example speed`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use testamur_credentials::content::SAMPLES;
use testamur_credentials::credential::{Format, Holder};
use testamur_credentials::format::{self, Draft, StatusPlace};
use testamur_credentials::package::Package;
use testamur_credentials::presentation;
use testamur_credentials::proofs::Proofs;
use testamur_primitives::did::Did;
use testamur_primitives::hash::SchemaId;
use testamur_primitives::identity::key_id;
use testamur_primitives::key::SigningKey;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::units::UnixTime;

/// The median of many short rounds: what the machine's other work slows down is left out.
fn time(what: &str, mut run: impl FnMut()) {
    let start = Instant::now();
    let mut rounds = Vec::new();
    while start.elapsed() < Duration::from_secs(1) {
        let round = Instant::now();
        run();
        rounds.push(round.elapsed());
    }
    rounds.sort_unstable();
    println!("{what:<50} {:>9.1} µs", rounds[rounds.len() / 2].as_secs_f64() * 1e6);
}

fn main() {
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors");
    let read = |name: &str| std::fs::read(format!("{vectors}/{name}")).expect("a vector");
    let receipt = Receipt::decode(&read("receipts/batch.json")).expect("a receipt");
    let mut evidence = Evidence::decode(&read("evidence/chain-holds.json")).expect("an evidence");
    // As many keys as a diploma's chain, schema and lists have.
    let keys = evidence.state.clone();
    (0..2).for_each(|_| evidence.state.extend(keys.clone()));

    let key = SigningKey::p256(&[7; 32]).expect("a scalar");
    let issuer = Did::of_ledger("ebsi", &[7; 16]);
    let sample: Value = serde_json::from_str(SAMPLES[1].1).expect("a sample");
    let draft = Draft {
        id: "urn:uuid:11111111-2222-4333-8444-555555555555".into(),
        kid: key_id(&issuer, &key.public_key()),
        issuer,
        alg: key.public_key().algorithm(),
        types: vec!["UniversityDegree".into(), "EqfLevel7".into()],
        schema: SchemaId::from_bytes([9; 32]),
        public_base: "https://ledger.example".into(),
        subject: sample["content"].as_object().expect("a content").clone(),
        holder: Holder::Unbound,
        discarded: Some(Did::key(&SigningKey::p256(&[8; 32]).expect("a scalar").public_key())),
        valid_from: UnixTime(1_782_460_800),
        valid_until: None,
        status: Some(StatusPlace { list: "diplomas-1".parse().expect("a name"), index: 131_071 }),
        accreditation: None,
    };
    // One in fifty withdrawn, which is many.
    let mut lists = vec![vec![0u8; 16_384]; 3];
    let mut index = 1u32;
    for _ in 0..2_600 {
        index = index.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        lists[0][(index >> 15) as usize % 16_384] |= 1 << (index >> 29);
    }
    for format in [Format::SdJwt, Format::Vcdm2, Format::Ebsi, Format::Compact] {
        let build = || format::build(format, &draft, &mut || [7; 16]).expect("a good draft");
        let text = build().sign(&key);
        let name = format!("{format:?}").to_lowercase();
        time(&format!("{name}: build ({} bytes)", text.len()), || drop(black_box(build())));
        time(&format!("{name}: read"), || drop(black_box(format::parse(&text).expect("what was built"))));
        let proofs = Proofs {
            evidence: Some(Arc::new(evidence.clone())),
            lists: lists.iter().cloned().collect(),
            ..Proofs::default()
        };
        let file = Package { credential: text, receipt: Some(receipt.clone()), proofs }.encode();
        time(&format!("{name}: read a package ({} bytes)", file.len()), || {
            drop(black_box(presentation::read(&file).expect("a package")));
        });
    }
    let receipt = receipt.encode();
    time(&format!("  of which the receipt ({} bytes)", receipt.len()), || {
        drop(black_box(Receipt::decode(&receipt).expect("a receipt")));
    });
    let evidence = evidence.encode();
    time(&format!("  of which the evidence ({} bytes)", evidence.len()), || {
        drop(black_box(serde_json::from_slice::<Evidence>(&evidence).expect("an evidence")));
    });
}
