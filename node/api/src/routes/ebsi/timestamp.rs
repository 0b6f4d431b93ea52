//! Timestamp v4: public digests of `notarise` records, and dossiers (EBSI's records).
//!
//! EBSI has an address where this ledger has a DID. An author with a secp256k1 key stands there with that key's address;
//! any other with `0x` and the first 20 bytes of the SHA-256 of its DID.

use axum::extract::State;
use serde::Serialize;
use testamur_primitives::codec::{base64_standard, base64url, from_base64url, from_decimal};
use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::did::Did;
use testamur_primitives::dossiers::{self, DossierEntry};
use testamur_primitives::hash::RecordId;
use testamur_primitives::record::Act;
use testamur_primitives::state::entry_before_head;
use utoipa::{IntoParams, ToSchema};

use super::paging::{EbsiPage, Paging, PagingParameters};
use super::problem::{bad_request, invalid, not_found};
use super::{Asked, Lane, Segments, address_of, checksummed, dids_of, milliseconds, now, parse_address};
use crate::answer::{Answer, Caching};
use crate::app::Api;
use crate::ledger::{ReadError, Registry};
use crate::problem::Problem;
use crate::registry::{Refusal, Snapshot, filtered, page_of};
use crate::request::Segment;
use crate::routes::registry::hex;

/// A hash algorithm and where more is found.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HashAlgorithmLink {
    /// Its number.
    hash_algorithm_id: usize,
    /// Where more is found.
    href: String,
}

/// A hash algorithm.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HashAlgorithmObject {
    /// Bits of a digest.
    output_length_bits: usize,
    /// IANA's name.
    iana_name: &'static str,
    /// Its object identifier.
    oid: &'static str,
    /// `active`.
    status: &'static str,
    /// Multicodec's name.
    multihash: &'static str,
}

/// IANA's name, object identifier and multihash code.
fn names(algorithm: DigestAlgorithm) -> (&'static str, &'static str, u8) {
    match algorithm {
        DigestAlgorithm::Sha2_256 => ("sha-256", "2.16.840.1.101.3.4.2.1", 0x12),
        DigestAlgorithm::Sha2_384 => ("sha-384", "2.16.840.1.101.3.4.2.2", 0x20),
        DigestAlgorithm::Sha2_512 => ("sha-512", "2.16.840.1.101.3.4.2.3", 0x13),
        DigestAlgorithm::Sha3_256 => ("sha3-256", "2.16.840.1.101.3.4.2.8", 0x16),
        DigestAlgorithm::Sha3_384 => ("sha3-384", "2.16.840.1.101.3.4.2.9", 0x15),
        DigestAlgorithm::Sha3_512 => ("sha3-512", "2.16.840.1.101.3.4.2.10", 0x14),
    }
}

/// Hash algorithms
///
/// Those that digests on this ledger may be of.
#[utoipa::path(
    get, path = "/timestamp/v4/hash-algorithms", operation_id = "ebsiListHashAlgorithms", tag = "ebsi",
    params(PagingParameters),
    responses((status = 200, description = "A page of algorithms", body = EbsiPage<HashAlgorithmLink>))
)]
pub(crate) async fn hash_algorithms(lane: Lane, asked: Asked) -> Result<Answer, Problem> {
    let link = |hash_algorithm_id| HashAlgorithmLink {
        hash_algorithm_id,
        href: lane.href(&format!("/hash-algorithms/{hash_algorithm_id}")),
    };
    let links: Vec<_> = (0..DigestAlgorithm::ALL.len()).map(link).collect();
    Ok(Answer::json(&Paging::new(&asked)?.of(&lane, "/hash-algorithms", &links), Caching::WhileUnchanged))
}

/// A hash algorithm
///
/// By its number, from 0.
#[utoipa::path(
    get, path = "/timestamp/v4/hash-algorithms/{id}", operation_id = "ebsiReadHashAlgorithm", tag = "ebsi",
    params(("id" = u64, Path, description = "Its number, from 0")),
    responses((status = 200, description = "The algorithm", body = HashAlgorithmObject))
)]
pub(crate) async fn hash_algorithm(id: Segment) -> Result<Answer, Problem> {
    let number = from_decimal(&id.0).map_err(|_| invalid(&["hashAlgorithmId must be an integer number".into()]))?;
    let algorithm = usize::try_from(number).ok().and_then(|number| DigestAlgorithm::ALL.get(number));
    let missing = || not_found("Hash Algorithm Not Found", format!("Hash algorithm {number} not found"));
    let algorithm = algorithm.ok_or_else(missing)?;
    let (iana_name, oid, _) = names(*algorithm);
    let object = HashAlgorithmObject {
        output_length_bits: algorithm.digest_bytes() * 8,
        iana_name,
        oid,
        status: "active",
        multihash: algorithm.name(),
    };
    Ok(Answer::json(&object, Caching::WhileUnchanged))
}

/// A timestamp and where more is found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TimestampLink {
    /// `u` and base64url of the multihash of the SHA-256 of the digest.
    timestamp_id: String,
    /// Where more is found.
    href: String,
}

/// A timestamp.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TimestampObject {
    /// `m` and base64 of the digest as multihash.
    hash: String,
    /// The author's address.
    timestamped_by: String,
    /// Height of the block.
    block_number: u64,
    /// Its time.
    timestamp: String,
    /// The author's reference, as `0x` and hexadecimal.
    data: String,
    /// `0x` and the id of the record.
    transaction_hash: String,
}

fn timestamp_id(sha256: &[u8; 32]) -> String {
    format!("u{}", base64url(&[&[0x12, 0x20], sha256.as_slice()].concat()))
}

fn parse_timestamp_id(text: &str) -> Option<[u8; 32]> {
    let multihash = from_base64url(text.strip_prefix('u')?).ok()?;
    multihash.strip_prefix(&[0x12, 0x20])?.try_into().ok()
}

/// Timestamps
///
/// The public digests on this ledger, each once.
#[utoipa::path(
    get, path = "/timestamp/v4/timestamps", operation_id = "ebsiListTimestamps", tag = "ebsi", params(PagingParameters),
    responses((status = 200, description = "A page of timestamps", body = EbsiPage<TimestampLink>))
)]
pub(crate) async fn timestamps(State(api): State<Api>, lane: Lane, asked: Asked) -> Result<Answer, Problem> {
    let paging = Paging::new(&asked)?;
    let read = move |registry: &dyn Registry| {
        let found = registry.timestamps(paging.page, paging.size)?;
        let link = |sha256: &[u8; 32]| {
            let timestamp_id = timestamp_id(sha256);
            TimestampLink { href: lane.href(&format!("/timestamps/{timestamp_id}")), timestamp_id }
        };
        let items = found.ids.iter().map(link).collect();
        Ok(paging.page(&lane, "/timestamps", items, found.total))
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// A timestamp
///
/// Where a digest stands first on this ledger.
#[utoipa::path(
    get, path = "/timestamp/v4/timestamps/{id}", operation_id = "ebsiReadTimestamp", tag = "ebsi",
    params(("id" = String, Path, description = "`u` and base64url of the multihash of the SHA-256 of the digest")),
    responses((status = 200, description = "The timestamp", body = TimestampObject))
)]
pub(crate) async fn timestamp(State(api): State<Api>, id: Segment) -> Result<Answer, Problem> {
    let text: String = id.0.chars().take(80).collect();
    let id =
        parse_timestamp_id(&text).ok_or_else(|| bad_request("a timestamp id is u and base64url of a multihash"))?;
    let read = move |registry: &dyn Registry| {
        let missing = || not_found("Timestamp Not Found", format!("Timestamp {text} not found"));
        let found = registry.timestamp(&id)?.ok_or_else(missing)?;
        let record = &found.record.record;
        let damaged = || ReadError::Fatal(format!("the index names entry {} of {}", found.entry, record.id()));
        let Act::Notarise { alg, entries, reference, .. } = record.act() else { return Err(damaged().into()) };
        let digest = entries.get(found.entry as usize).ok_or_else(damaged)?;
        let length = u8::try_from(digest.0.len()).expect("digests have at most 64 bytes");
        let multihash = [&[names(*alg).2, length], digest.0.as_slice()].concat();
        Ok(TimestampObject {
            hash: format!("m{}", base64_standard(&multihash).trim_end_matches('=')),
            timestamped_by: checksummed(&address_of(&Snapshot(registry), record.author())?),
            block_number: found.record.height.0,
            timestamp: milliseconds(found.record.time),
            data: format!("0x{}", reference.as_ref().map_or_else(String::new, |r| hex(r.as_str().as_bytes()))),
            transaction_hash: format!("0x{}", record.id()),
        })
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// A record and where more is found.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordLink {
    /// `u` and base64url of the dossier's id.
    record_id: String,
    /// Where more is found.
    href: String,
}

/// A record: a dossier of this ledger.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordObject {
    /// Addresses of its owners.
    owner_ids: Vec<String>,
    /// Addresses of those whose right is over.
    revoked_owner_ids: Vec<String>,
    /// The digests of its first version.
    first_version_timestamps: Vec<String>,
    /// The digests of its newest version.
    last_version_timestamps: Vec<String>,
    /// How many versions it has.
    total_versions: u64,
}

/// A version and where more is found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionLink {
    /// Its number, from 0.
    version_id: u64,
    /// Where more is found.
    href: String,
}

/// A version.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionObject {
    /// Its digests, as `0x` and hexadecimal.
    hashes: Vec<String>,
    /// None: free text could be personal data.
    #[schema(value_type = Vec<Object>)]
    info: Vec<serde_json::Value>,
}

fn record_id(id: RecordId) -> String {
    format!("u{}", base64url(id.as_bytes()))
}

fn parse_record_id(text: &str) -> Result<RecordId, Problem> {
    let bytes = text.strip_prefix('u').and_then(|encoded| from_base64url(encoded).ok());
    let malformed = || bad_request("a record id is u and base64url of 32 bytes");
    bytes.and_then(|bytes| RecordId::from_slice(&bytes)).ok_or_else(malformed)
}

fn newest(state: &Snapshot<'_>, id: RecordId) -> Result<DossierEntry, Refusal> {
    let missing = || not_found("Record Not Found", format!("Record {} not found", record_id(id)));
    Ok(dossiers::newest(state, id)?.ok_or_else(missing)?)
}

/// The last entry of a version, which counts from 1: versions only grow.
fn version_of(
    state: &Snapshot<'_>,
    id: RecordId,
    newest: &DossierEntry,
    version: u64,
) -> Result<DossierEntry, Refusal> {
    let (mut low, mut high) = (1, newest.seq);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let entry: DossierEntry = entry_before_head(state, &dossiers::key(id), middle)?;
        if entry.version <= version { low = middle } else { high = middle - 1 }
    }
    Ok(entry_before_head(state, &dossiers::key(id), low)?)
}

fn digests(entry: &DossierEntry) -> Vec<String> {
    entry.entries.iter().map(|digest| format!("0x{}", hex(&digest.0))).collect()
}

/// For the documentation: which records to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes, nothing more: the names are no fields of Rust")]
pub(crate) struct RecordParameters {
    /// Only those that this address, or this DID, owns or owned.
    owner: Option<String>,
    /// Only those whose first version has this digest, as `0x` and hexadecimal.
    #[param(rename = "first-version")]
    first_version: Option<String>,
}

/// Records
///
/// The dossiers of this ledger.
#[utoipa::path(
    get, path = "/timestamp/v4/records", operation_id = "ebsiListRecords", tag = "ebsi",
    params(RecordParameters, PagingParameters),
    responses((status = 200, description = "A page of records", body = EbsiPage<RecordLink>))
)]
pub(crate) async fn records(State(api): State<Api>, lane: Lane, asked: Asked) -> Result<Answer, Problem> {
    let mut paging = Paging::new(&asked)?;
    let owner = asked.get("owner").map(str::to_owned);
    let first_version = asked.get("first-version").map(str::to_ascii_lowercase);
    if let Some(owner) = &owner {
        if parse_address(owner).is_none() && owner.parse::<Did>().is_err() {
            return Err(invalid(&["owner must be an Ethereum address".into()]));
        }
        paging = paging.with_filter("owner", owner);
    }
    if let Some(digest) = &first_version {
        let digits = digest.strip_prefix("0x").filter(|d| (64..=128).contains(&d.len()));
        if !digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit())) {
            return Err(invalid(&["first-version must be a hexadecimal number".into()]));
        }
        paging = paging.with_filter("first-version", digest);
    }
    let read = move |registry: &dyn Registry| {
        let state = Snapshot(registry);
        let link = |id: &String| {
            let id: RecordId =
                id.parse().map_err(|_| ReadError::Fatal(format!("the index names {id:?}, which is no dossier")))?;
            let record_id = record_id(id);
            Ok::<_, Refusal>(RecordLink { href: lane.href(&format!("/records/{record_id}")), record_id })
        };
        if owner.is_none() && first_version.is_none() {
            let objects = registry.objects("dossier", "all", paging.page, paging.size)?;
            let items = objects.ids.iter().map(link).collect::<Result<_, _>>()?;
            return Ok(paging.page(&lane, "/records", items, objects.total));
        }
        let terms: Vec<String> = match &owner {
            None => vec!["all".into()],
            Some(owner) => match parse_address(owner) {
                Some(address) => {
                    let mut owners = dids_of(&state, &address)?.into_iter().map(|claim| claim.did).collect::<Vec<_>>();
                    owners.dedup();
                    owners.iter().map(|did| format!("owner:{did}")).collect()
                }
                None => vec![format!("owner:{owner}")],
            },
        };
        let mut found = Vec::new();
        for term in terms {
            let ids = filtered(registry, "dossier", &term, |id| {
                let Some(wanted) = &first_version else { return Ok(true) };
                let id: RecordId =
                    id.parse().map_err(|_| ReadError::Fatal(format!("the index names {id:?}, which is no dossier")))?;
                let first = version_of(&state, id, &newest(&state, id)?, 1)?;
                Ok(digests(&first).contains(wanted))
            })?;
            found.extend(ids.into_iter().filter(|id| !found.contains(id)).collect::<Vec<_>>());
        }
        let links = found.iter().map(link).collect::<Result<Vec<_>, _>>()?;
        Ok(paging.of(&lane, "/records", &links))
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// A record
///
/// The owners of a dossier and its first and newest digests.
#[utoipa::path(
    get, path = "/timestamp/v4/records/{id}", operation_id = "ebsiReadRecord", tag = "ebsi",
    params(("id" = String, Path, description = "`u` and base64url of the dossier's id")),
    responses((status = 200, description = "The record", body = RecordObject))
)]
pub(crate) async fn record(State(api): State<Api>, id: Segment) -> Result<Answer, Problem> {
    let id = parse_record_id(&id.0)?;
    let read = move |registry: &dyn Registry| {
        let (state, now) = (Snapshot(registry), now(registry));
        let entry = newest(&state, id)?;
        let (mut owner_ids, mut revoked_owner_ids) = (Vec::new(), Vec::new());
        for owner in &entry.owners {
            let over = owner.not_after.is_some_and(|end| end <= now);
            let ids = if over { &mut revoked_owner_ids } else { &mut owner_ids };
            ids.push(checksummed(&address_of(&state, &owner.did)?));
        }
        Ok(RecordObject {
            owner_ids,
            revoked_owner_ids,
            first_version_timestamps: digests(&version_of(&state, id, &entry, 1)?),
            last_version_timestamps: digests(&entry),
            total_versions: entry.version,
        })
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// The versions of a record
///
/// By their numbers, from 0.
#[utoipa::path(
    get, path = "/timestamp/v4/records/{id}/versions", operation_id = "ebsiListVersions", tag = "ebsi",
    params(("id" = String, Path, description = "`u` and base64url of the dossier's id"), PagingParameters),
    responses((status = 200, description = "A page of versions", body = EbsiPage<VersionLink>))
)]
pub(crate) async fn versions(State(api): State<Api>, lane: Lane, id: Segment, asked: Asked) -> Result<Answer, Problem> {
    let (id, paging) = (parse_record_id(&id.0)?, Paging::new(&asked)?);
    let read = move |registry: &dyn Registry| {
        let total = newest(&Snapshot(registry), id)?.version;
        let path = format!("/records/{}/versions", record_id(id));
        let numbers: Vec<u64> = (0..total).collect();
        let link = |version_id| VersionLink { version_id, href: lane.href(&format!("{path}/{version_id}")) };
        let items = page_of(&numbers, paging.page, paging.size).into_iter().map(link).collect();
        Ok(paging.page(&lane, &path, items, total))
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

/// A version of a record
///
/// Its digests.
#[utoipa::path(
    get, path = "/timestamp/v4/records/{id}/versions/{version}", operation_id = "ebsiReadVersion", tag = "ebsi",
    params(
        ("id" = String, Path, description = "`u` and base64url of the dossier's id"),
        ("version" = u64, Path, description = "Its number, from 0"),
    ),
    responses((status = 200, description = "The version", body = VersionObject))
)]
pub(crate) async fn version(State(api): State<Api>, path: Segments) -> Result<Answer, Problem> {
    let [id, number] = path.all()?;
    let id = parse_record_id(id)?;
    let number = from_decimal(number).map_err(|_| invalid(&["versionId must be an integer number".into()]))?;
    let read = move |registry: &dyn Registry| {
        let state = Snapshot(registry);
        let entry = newest(&state, id)?;
        if number >= entry.version {
            return Err(not_found("Version Not Found", format!("Version {number} not found")).into());
        }
        Ok(VersionObject { hashes: digests(&version_of(&state, id, &entry, number + 1)?), info: Vec::new() })
    };
    Ok(Answer::json(&api.registry(read).await?, Caching::WhileUnchanged))
}

#[cfg(test)]
mod tests {
    use super::*;
    use testamur_primitives::codec::sha256;

    #[test]
    fn a_timestamp_is_named_as_ebsi_names_it() {
        let digest = sha256(&[br#"{"test":"some data"}"#]);
        let id = timestamp_id(&sha256(&[&digest]));
        assert_eq!(id, "uEiAQjTSfJoekQZpuNe43jEm11_VFCSNagLOqsk81Tnf-aQ");
        assert_eq!(parse_timestamp_id(&id), Some(sha256(&[&digest])));
        for bad in ["", "u", "mEiA", &id[1..], &id[..40], "uEiCé"] {
            assert_eq!(parse_timestamp_id(bad), None, "{bad}");
        }
    }
}
