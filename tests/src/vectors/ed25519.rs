//! Ed25519 where implementations differ: small-order and mixed-order A and R, non-canonical encodings, S out of range.
//! The rule is key.rs's; each case's verdict is derived here from how the case was built, never from a verifier.

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity as _;
use sha2::{Digest as _, Sha512};

use crate::chain::seed;
use crate::vectors::{Files, SignatureCase, json as file};

/// A point that may have any torsion and any encoding, with what is wrong with it.
struct Point {
    what: String,
    /// Discrete logarithm of the prime-order part.
    secret: Scalar,
    torsion: usize,
    bytes: [u8; 32],
    canonical: bool,
    small: bool,
}

pub(super) fn write(files: &mut Files) {
    files.insert("ed25519.json".into(), file(&cases()));
}

fn scalar(role: &str, number: u32) -> Scalar {
    Scalar::from_bytes_mod_order(seed(role, number))
}

/// p + y for the small y that some libraries take for y.
fn plus_p(y: u8, sign: bool) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed + y;
    bytes[31] = if sign { 0xff } else { 0x7f };
    bytes
}

fn points(role: &str) -> Vec<Point> {
    let mut points = Vec::new();
    for (torsion, part) in EIGHT_TORSION.iter().enumerate() {
        for (small, secret) in [(true, Scalar::ZERO), (false, scalar(role, 1))] {
            let bytes = (ED25519_BASEPOINT_POINT * secret + part).compress().to_bytes();
            let kind = if small { "small" } else { "mixed" };
            let what =
                if torsion == 0 && !small { "prime order".into() } else { format!("{kind} order, torsion {torsion}") };
            points.push(Point { what, secret, torsion, bytes, canonical: true, small });
        }
    }
    // The six other spellings of small-order points: y = 0 and y = 1 plus p, and x = −0.
    let negative_zero = |y: [u8; 32]| {
        let mut bytes = y;
        bytes[31] |= 0x80;
        bytes
    };
    let minus_one = (EdwardsPoint::identity() + EIGHT_TORSION[4]).compress().to_bytes();
    let one = EdwardsPoint::identity().compress().to_bytes();
    for bytes in [
        plus_p(0, false),
        plus_p(0, true),
        plus_p(1, false),
        plus_p(1, true),
        negative_zero(one),
        negative_zero(minus_one),
    ] {
        let decoded = curve25519_dalek::edwards::CompressedEdwardsY(bytes).decompress();
        // Which small-order point a lax library takes it for; libraries that refuse it never get that far.
        let torsion = decoded.and_then(|p| EIGHT_TORSION.iter().position(|t| *t == p)).unwrap_or(0);
        let what = format!("not canonical, small order, torsion {torsion}");
        points.push(Point { what, secret: Scalar::ZERO, torsion, bytes, canonical: false, small: true });
    }
    points
}

fn challenge(r: &[u8; 32], a: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(a).chain_update(message).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

fn case(what: String, a: &Point, r: &Point, message: &[u8], s: [u8; 32], valid: bool) -> SignatureCase {
    let signature = [r.bytes, s].concat();
    SignatureCase {
        what,
        key: hex::encode(a.bytes),
        message: hex::encode(message),
        signature: hex::encode(signature),
        valid,
    }
}

fn cases() -> Vec<SignatureCase> {
    let mut cases = Vec::new();
    let (keys, nonces) = (points("edge key"), points("edge nonce"));
    for a in &keys {
        for r in &nonces {
            // One message where the torsion parts cancel out in [S]B = R + [k]A, one where they do not (if there is one).
            let mut seen = [false; 2];
            for n in 0..200u32 {
                let message = format!("case {n}");
                let k = challenge(&r.bytes, &a.bytes, message.as_bytes());
                let eighths = usize::from(k.to_bytes()[0] & 7);
                let cancels = (r.torsion + eighths * a.torsion) % 8 == 0;
                if std::mem::replace(&mut seen[usize::from(cancels)], true) {
                    continue;
                }
                let s = (r.secret + k * a.secret).to_bytes();
                let valid = cancels && a.canonical && r.canonical && !a.small && !r.small;
                let residue = if cancels { "cancels" } else { "leaves torsion" };
                cases.push(case(
                    format!("A: {}; R: {}; {residue}", a.what, r.what),
                    a,
                    r,
                    message.as_bytes(),
                    s,
                    valid,
                ));
            }
        }
    }
    let prime = |points: &[Point]| points.iter().position(|p| p.what == "prime order").expect("there is one");
    let (a, r) = (&keys[prime(&keys)], &nonces[prime(&nonces)]);
    let message = b"range of S";
    let k = challenge(&r.bytes, &a.bytes, message);
    let s = (r.secret + k * a.secret).to_bytes();
    cases.push(case("S in range".into(), a, r, message, s, true));
    let order = (Scalar::ZERO - Scalar::ONE).to_bytes();
    let mut sum = s;
    for multiple in 1..=15u8 {
        sum = add(&sum, &order, 1);
        cases.push(case(format!("S + {multiple} L"), a, r, message, sum, false));
    }
    for bit in [5, 6, 7] {
        let mut high = s;
        high[31] |= 1 << bit;
        cases.push(case(format!("bit {} of S set", 248 + bit), a, r, message, high, false));
    }
    for (what, s) in
        [("S = 0", [0; 32]), ("S = L - 1", order), ("S = L", add(&order, &[0; 32], 1)), ("S = 2^256 - 1", [0xff; 32])]
    {
        cases.push(case(what.into(), a, r, message, s, false));
    }
    cases.push(case("another message".into(), a, r, b"range of s", s, false));
    for y in 2..19 {
        // Other points whose y lies between p and 2^255: no canonical key, whatever they sign.
        let point = Point {
            what: String::new(),
            secret: Scalar::ZERO,
            torsion: 0,
            bytes: plus_p(y, false),
            canonical: false,
            small: false,
        };
        cases.push(case(format!("key y = p + {y}"), &point, r, message, s, false));
        cases.push(case(format!("R y = p + {y}"), a, &point, message, s, false));
    }
    cases
}

/// Sum of two little-endian numbers and a carry.
fn add(a: &[u8; 32], b: &[u8; 32], carry: u16) -> [u8; 32] {
    let (mut sum, mut carry) = ([0; 32], carry);
    for i in 0..32 {
        let digit = u16::from(a[i]) + u16::from(b[i]) + carry;
        sum[i] = digit as u8;
        carry = digit >> 8;
    }
    sum
}
