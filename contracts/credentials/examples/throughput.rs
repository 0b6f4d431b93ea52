//! How many diplomas a core verifies in a second, beside what its signature library can do at most.
//!
//! `cargo run --release -p testamur-credentials --example throughput [diplomas]`

#[path = "../tests/world/mod.rs"]
mod world;

use std::time::Instant;

use testamur_credentials::credential::Format;
use testamur_credentials::package::Package;
use testamur_credentials::presentation::{self, Presentation};
use testamur_credentials::print::Print;
use testamur_credentials::verify::{Presented, Verdict, Verifier};
use testamur_primitives::key::SigningKey;
use world::parties::{ISSUED, NOW, World, policy, sign_text};

fn main() {
    let count: usize = std::env::args().nth(1).map_or(2_000, |text| text.parse().expect("a number of diplomas"));
    for (name, key) in [
        ("Ed25519", (|| SigningKey::ed25519(&[7; 32])) as fn() -> SigningKey),
        ("P-256", || SigningKey::p256(&[7; 32]).expect("a scalar")),
    ] {
        for format in [Format::SdJwt, Format::Vcdm2, Format::Ebsi, Format::Compact] {
            measure(name, key, format, count);
        }
    }
}

fn measure(name: &str, key: fn() -> SigningKey, format: Format, count: usize) {
    let world = World::new(key());
    let texts: Vec<_> = (0..count)
        .map(|number| {
            let mut draft = world.draft();
            draft.id = format!("urn:example:{number}");
            draft.subject.insert("certificateNumber".into(), format!("N-{number}").into());
            draft.status.as_mut().expect("the draft has a place").index = number as u64;
            sign_text(format, &draft, &world.university.key)
        })
        .collect();
    let credentials: Vec<_> =
        texts.iter().map(|text| testamur_credentials::format::parse(text).expect("just written")).collect();
    let digests: Vec<_> = credentials.iter().map(|credential| credential.digest()).collect();
    let (did, key) = (&world.university.did, &world.university.key);
    let receipts = world.network.batch(&world.state, did, key, ISSUED, &digests);
    let proofs = world.proofs(&credentials[0], Some(ISSUED), NOW);
    let packages: Vec<_> = texts
        .into_iter()
        .zip(&receipts)
        .map(|(credential, receipt)| {
            Package { credential, receipt: Some(receipt.clone()), proofs: proofs.clone() }.encode()
        })
        .collect();

    let public = key.public_key();
    let ready = public.ready().expect("a key");
    let limit = rate(count, |number| {
        let jws = &credentials[number].jws;
        assert!(ready.verify(jws.alg, jws.signing_input.as_bytes(), &jws.signature).is_ok());
    });
    let print = Print::None;
    let verify = |verifier: &Verifier, read: &Presentation| {
        let report = verifier.verify(&Presented::new(Ok(read), &print), &policy());
        assert_eq!(report.verdict, Verdict::Valid, "{:?}", report.reason);
    };
    let verifier = world.verifier();
    let read: Vec<_> = packages.iter().map(|bytes| presentation::read(bytes).expect("just written")).collect();
    let verified = rate(count, |number| verify(&verifier, &read[number]));
    let parsed = rate(count, |number| drop(presentation::read(&packages[number]).expect("just written")));
    let verifier = world.verifier();
    let whole = rate(count, |number| verify(&verifier, &presentation::read(&packages[number]).expect("just written")));
    println!(
        "{name:8} {format:?}: library {limit:.0}/s; verified {verified:.0}/s ({:.0} %); package of {} bytes read {parsed:.0}/s; read and verified {whole:.0}/s ({:.0} %)",
        100.0 * verified / limit,
        packages[0].len(),
        100.0 * whole / limit,
    );
}

/// How often something is done in a second of one core's time.
fn rate(count: usize, mut each: impl FnMut(usize)) -> f64 {
    let (begun, on_core) = (Instant::now(), on_core_ns());
    (0..count).for_each(&mut each);
    let spent = on_core.zip(on_core_ns()).map(|(before, after)| (after - before) as f64 / 1e9);
    count as f64 / spent.unwrap_or(begun.elapsed().as_secs_f64())
}

/// Nanoseconds that this thread has had a core; Linux counts them. Elsewhere the clock must do, on a quiet machine.
fn on_core_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}
