//! Digests as callers write them: hexadecimal or base64url, with or without an algorithm.

use serde::Deserialize;
use testamur_primitives::codec;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};

use crate::limits::HASHES_MAX;
use crate::problem::{GatewayProblem, HASH, JSON, NO_HASHES, TOO_MANY_HASHES};

/// One element of the array.
#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Text(String),
    Object(Object),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    alg: Option<DigestAlgorithm>,
    digest: String,
}

/// Reads the body of `POST /v1/hashes`: strings, or objects with `digest` and `alg`. All or none.
pub fn parse(body: &[u8], default: DigestAlgorithm) -> Result<Vec<DocumentDigest>, GatewayProblem> {
    let items: Vec<serde_json::Value> = codec::from_strict(body).map_err(|error| {
        GatewayProblem::new(&JSON, format!("expected an array of digests: {error}; nothing was notarised"))
    })?;
    if items.is_empty() {
        return Err(GatewayProblem::new(&NO_HASHES, "the array holds no digest; nothing was notarised"));
    }
    if items.len() > HASHES_MAX {
        let detail = format!("{} hashes; one request takes {HASHES_MAX}; nothing was notarised", items.len());
        return Err(GatewayProblem::new(&TOO_MANY_HASHES, detail));
    }
    let refuse =
        |index, reason| GatewayProblem::new(&HASH, format!("element {index}: {reason}; nothing was notarised"));
    let digests = items.into_iter().enumerate();
    digests.map(|(index, item)| digest(item, default).map_err(|reason| refuse(index, reason))).collect()
}

/// One digest, or what is wrong with it.
pub(crate) fn digest(item: serde_json::Value, default: DigestAlgorithm) -> Result<DocumentDigest, String> {
    let refuse = |reason: &str| reason.to_owned();
    let item = serde_json::from_value(item).map_err(|_| {
        let names: Vec<_> = DigestAlgorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
        refuse(&format!("expected a string, or an object of alg (one of {}) and digest", names.join(", ")))
    })?;
    let (algorithm, text) = match item {
        Item::Text(text) => (default, text),
        Item::Object(Object { alg, digest }) => (alg.unwrap_or(default), digest),
    };
    // A text of hexadecimal digits alone is hexadecimal: a base64url digest is one by chance once in 2^64 at least, while
    // a SHA-256 in hexadecimal has the length of a SHA-384 in base64url, and must not pass as one.
    let is_hex = !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let bytes = if is_hex { hex::decode(&text).ok() } else { codec::from_base64url(&text).ok() };
    let bytes = bytes.ok_or_else(|| refuse("neither hexadecimal nor unpadded base64url"))?;
    let found = bytes.len();
    DocumentDigest::new(algorithm, bytes).ok_or_else(|| {
        let (name, expected) = (algorithm.name(), algorithm.digest_bytes());
        refuse(&format!("{found} bytes, but a {name} digest has {expected}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> Result<Vec<DocumentDigest>, (u16, String)> {
        parse(body.as_bytes(), DigestAlgorithm::Sha2_256).map_err(|p| (p.status().as_u16(), p.code().to_owned()))
    }

    #[test]
    fn every_spelling_of_a_digest_is_the_same_digest() {
        let hex = "00ff".repeat(16);
        let url = codec::base64url(&[0x00, 0xff].repeat(16));
        let body = format!(
            r#"["{hex}", "{}", "{url}", {{"digest":"{hex}"}}, {{"alg":"sha2-256","digest":"{url}"}}, {{"alg":"sha3-256","digest":"{hex}"}}]"#,
            hex.to_uppercase()
        );
        let digests = check(&body).unwrap();
        assert_eq!(digests.len(), 6);
        assert!(digests[..5].iter().all(|digest| *digest == digests[0]));
        assert_eq!(digests[5].algorithm(), DigestAlgorithm::Sha3_256);
        assert_eq!(digests[5].as_bytes(), digests[0].as_bytes());
        for algorithm in DigestAlgorithm::ALL {
            let digest = vec![0x5a; algorithm.digest_bytes()];
            let body = format!(r#"[{{"alg":"{}","digest":"{}"}}]"#, algorithm.name(), codec::base64url(&digest));
            assert_eq!(check(&body).unwrap()[0].as_bytes(), digest);
        }
    }

    #[test]
    fn what_is_no_digest_is_refused_as_a_whole() {
        let good = "00".repeat(32);
        for (body, status, code) in [
            (String::new(), 400, "gateway.json"),
            ("{}".into(), 400, "gateway.json"),
            ("[".repeat(100_000), 400, "gateway.json"),
            ("[]".into(), 400, "gateway.no-hashes"),
            (r#"[""]"#.into(), 400, "gateway.hash"),
            (format!(r#"["{good}","{}"]"#, &good[2..]), 400, "gateway.hash"),
            (format!(r#"["{good}","{}"]"#, &good[1..]), 400, "gateway.hash"),
            // A SHA-256 in hexadecimal under the name of another algorithm, whose base64url has the same length.
            (format!(r#"[{{"alg":"sha2-384","digest":"{good}"}}]"#), 400, "gateway.hash"),
            (format!(r#"[{{"alg":"md5","digest":"{good}"}}]"#), 400, "gateway.hash"),
            (format!(r#"[{{"alg":"sha2-256","digest":"{good}","name":"x.pdf"}}]"#), 400, "gateway.hash"),
            ("[5]".into(), 400, "gateway.hash"),
            (format!("[{}]", vec!["\"\""; 10_001].join(",")), 413, "gateway.too-many-hashes"),
        ] {
            assert_eq!(check(&body), Err((status, code.to_owned())), "{}", &body[..body.len().min(100)]);
        }
    }
}
