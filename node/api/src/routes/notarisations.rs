//! Looking a document's hash up. Only plain digests are found: a commitment says nothing about its document.

use axum::extract::State;
use serde::Deserialize;
use testamur_primitives::codec::from_base64url;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};
use testamur_primitives::units::LogIndex;
use utoipa::IntoParams;

use crate::answer::{Answer, Caching};
use crate::app::Api;
use crate::ledger::EntryPosition;
use crate::problem::{self, Problem};
use crate::request::{Parameters, usual_page_items};
use crate::views::{NotarisationPage, NotarisationView};

/// What an empty list means.
pub(crate) const NO_PUBLIC_ENTRY: &str = "no public entry; a receipt may exist";

/// Which document.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LookupParameters {
    /// The document's digest, hexadecimal or base64url without padding.
    #[param(example = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    hash: String,
    /// The digest's algorithm: sha2-256, sha2-384, sha2-512, sha3-256, sha3-384 or sha3-512.
    #[param(default = "sha2-256")]
    alg: Option<String>,
    /// Where to go on: what `next` sets.
    start: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<usize>,
}

/// Look a document up by its hash
///
/// Finds public entries only. An empty list is no proof of absence: entries are salted by default, and who holds the
/// receipt can still show one. The page says so in `note`.
#[utoipa::path(
    get, path = "/v1/notarisations", operation_id = "findNotarisations", tag = "records", params(LookupParameters),
    responses((status = 200, description = "The document's public entries, perhaps none", body = NotarisationPage))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Parameters(parameters): Parameters<LookupParameters>,
) -> Result<Answer, Problem> {
    let digest = parse_digest(&parameters.hash, parameters.alg.as_deref())?;
    let start = parameters.start.as_deref().map_or(Some(EntryPosition::default()), parse_position);
    let start = start.ok_or_else(|| Problem::new(&problem::QUERY, "start: take it from next as it is"))?;
    let limit = usual_page_items(parameters.limit)?;
    let (alg, hash) = (digest.algorithm().name(), hexadecimal(digest.as_bytes()));
    let page = api.read(move |reader| reader.notarisations(&digest, start, limit)).await?;
    let next = page.next.map(|EntryPosition { index, entry }| {
        format!("/v1/notarisations?alg={alg}&hash={hash}&start={index}.{entry}&limit={limit}")
    });
    let notarisations: Vec<_> = page.items.iter().map(NotarisationView::new).collect();
    let first = start == EntryPosition::default();
    let note = (first && notarisations.is_empty()).then(|| NO_PUBLIC_ENTRY.to_owned());
    let page = NotarisationPage { alg: alg.to_owned(), hash, notarisations, note, next };
    Ok(Answer::json(&page, Caching::Revalidate))
}

/// With the algorithm known the two spellings cannot be confused: they differ in length.
fn parse_digest(hash: &str, alg: Option<&str>) -> Result<DocumentDigest, Problem> {
    let refused = |detail: String| Problem::new(&problem::QUERY, detail);
    let alg = match alg {
        None => DigestAlgorithm::Sha2_256,
        Some(name) => DigestAlgorithm::from_name(name).ok_or_else(|| {
            let names: Vec<_> = DigestAlgorithm::ALL.iter().map(|a| a.name()).collect();
            refused(format!("alg: must be one of {}", names.join(", ")))
        })?,
    };
    let bytes = alg.digest_bytes();
    let digest = if hash.len() == 2 * bytes { from_hexadecimal(hash) } else { from_base64url(hash).ok() };
    digest.and_then(|digest| DocumentDigest::new(alg, digest)).ok_or_else(|| {
        let (name, hex, base64) = (alg.name(), 2 * bytes, (4 * bytes).div_ceil(3));
        refused(format!(
            "hash: a {name} digest is {hex} hexadecimal digits or {base64} characters of unpadded base64url"
        ))
    })
}

fn parse_position(text: &str) -> Option<EntryPosition> {
    let (index, entry) = text.split_once('.')?;
    Some(EntryPosition { index: LogIndex(index.parse().ok()?), entry: entry.parse().ok()? })
}

/// People paste digests as their tools print them, so both cases are read.
fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use testamur_primitives::codec::base64url;

    #[test]
    fn a_digest_is_read_in_both_spellings_for_every_algorithm() {
        for alg in DigestAlgorithm::ALL {
            let bytes: Vec<u8> = (0..alg.digest_bytes() as u8).map(|b| b.wrapping_mul(37)).collect();
            let expected = DocumentDigest::new(alg, bytes.clone()).unwrap();
            for text in [hexadecimal(&bytes), hexadecimal(&bytes).to_uppercase(), base64url(&bytes)] {
                assert_eq!(parse_digest(&text, Some(alg.name())).unwrap(), expected, "{text}");
            }
            let cut = &hexadecimal(&bytes)[2..];
            assert_eq!(parse_digest(cut, Some(alg.name())).unwrap_err().code(), "request.query");
        }
        assert!(parse_digest(&"é".repeat(32), None).is_err());
    }
}
