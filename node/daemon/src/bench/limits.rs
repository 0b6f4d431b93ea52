//! What this machine can do at most, measured in the same run as the ledger: a figure without its limit beside it says
//! nothing on a noisy machine.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use testamur_primitives::key::{SigningKey, verify_ed25519};

/// How long each limit is measured: long enough for a median, short enough that nobody skips it.
const SLICE: Duration = Duration::from_millis(300);
/// Slices of each limit; the median counts.
const SLICES: usize = 5;

/// Limits of one core, and of the disk under the benchmark's folder.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MachineLimits {
    /// SHA-256 over large input, bytes a second.
    pub(crate) sha256_bytes_s: f64,
    /// SHA-256 of 64 bytes, a second.
    pub(crate) sha256_64_s: f64,
    /// Strict Ed25519 verifications a second.
    pub(crate) ed25519_strict_s: f64,
    /// Ed25519 signatures a second: what a gateway signs its records with.
    pub(crate) ed25519_sign_s: f64,
    /// ECDSA signatures on P-256 a second.
    pub(crate) p256_sign_s: f64,
    /// ECDSA verifications on P-256 a second: accreditations are signed with it.
    pub(crate) p256_s: f64,
    /// ECDSA verifications on secp256k1 a second: registry records are.
    pub(crate) secp256k1_s: f64,
    /// fdatasync after a 4 KiB append, a second.
    pub(crate) fdatasync_s: f64,
}

impl MachineLimits {
    /// Measures all limits; the file for fdatasync is made in `dir` and removed.
    pub(crate) fn measure(dir: &Path) -> io::Result<Self> {
        let large = vec![7u8; 1 << 20];
        let small = [7u8; 64];
        let key = SigningKey::ed25519(&[7; 32]);
        let testamur_primitives::key::PublicKey::Ed25519(public) = key.public_key() else {
            unreachable!("made as Ed25519 above");
        };
        let message = [7u8; 320];
        let p256 = SigningKey::p256(&[7; 32]).expect("a scalar of the curve");
        let signature: [u8; 64] = key.sign(&message).try_into().expect("an Ed25519 signature has 64 bytes");
        Ok(Self {
            sha256_bytes_s: rate(|| _ = black_box(Sha256::digest(black_box(&large)))) * large.len() as f64,
            sha256_64_s: rate(|| _ = black_box(Sha256::digest(black_box(small)))),
            ed25519_strict_s: rate(|| {
                black_box(verify_ed25519(black_box(&public), &message, &signature)).expect("the signature is good");
            }),
            ed25519_sign_s: rate(|| _ = black_box(key.sign(black_box(&message)))),
            p256_sign_s: rate(|| _ = black_box(p256.sign(black_box(&message)))),
            p256_s: ecdsa_rate(&SigningKey::p256(&[7; 32]).expect("a scalar of the curve")),
            secp256k1_s: ecdsa_rate(&SigningKey::secp256k1(&[7; 32]).expect("a scalar of the curve")),
            fdatasync_s: fdatasync_rate(dir)?,
        })
    }

    /// Lines of a table.
    pub(crate) fn rows(&self) -> String {
        let row = |name: &str, value: String| format!("  {name:<38} {value:>14}\n");
        let a_second = |rate: f64| format!("{rate:.0} /s");
        row("SHA-256, large input", format!("{:.2} GB/s", self.sha256_bytes_s / 1e9))
            + &row("SHA-256, 64 bytes", format!("{:.1} M/s", self.sha256_64_s / 1e6))
            + &row("Ed25519 strict verification", a_second(self.ed25519_strict_s))
            + &row("Ed25519 signature", a_second(self.ed25519_sign_s))
            + &row("P-256 signature", a_second(self.p256_sign_s))
            + &row("P-256 verification", a_second(self.p256_s))
            + &row("secp256k1 verification", a_second(self.secp256k1_s))
            + &row("fdatasync of 4 KiB appended", a_second(self.fdatasync_s))
    }
}

/// Median calls a second over the slices.
fn rate(mut call: impl FnMut()) -> f64 {
    let mut rates: Vec<f64> = (0..SLICES)
        .map(|_| {
            let (start, mut calls) = (Instant::now(), 0u64);
            while start.elapsed() < SLICE {
                call();
                calls += 1;
            }
            calls as f64 / start.elapsed().as_secs_f64()
        })
        .collect();
    median(&mut rates)
}

/// Verifications with the key's own algorithm, of a message as long as a small record.
fn ecdsa_rate(key: &SigningKey) -> f64 {
    let (public, message) = (key.public_key(), [7u8; 320]);
    let signature = key.sign(&message);
    rate(|| {
        black_box(black_box(&public).verify(public.algorithm(), &message, &signature)).expect("the signature is good")
    })
}

fn fdatasync_rate(dir: &Path) -> io::Result<f64> {
    let path = dir.join("fdatasync-probe");
    let mut file = File::create(&path)?;
    let page = [7u8; 4096];
    let mut failed = None;
    let measured = rate(|| {
        if let Err(error) = file.write_all(&page).and_then(|()| file.sync_data()) {
            failed = Some(error);
        }
    });
    std::fs::remove_file(&path)?;
    failed.map_or(Ok(measured), Err)
}

/// The middle value; sorts in place.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value below which `share` of the sorted values lie.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}
