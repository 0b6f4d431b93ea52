//! The state itself, key by key, and the attachments that it names.

use axum::extract::State;
use testamur_primitives::state::StateKey;

use crate::answer::{Answer, Caching, OCTETS};
use crate::app::Api;
use crate::ledger::Registry;
use crate::limits::STATE_KEYS_MAX;
use crate::problem::{self, Problem};
use crate::request::{NoParameters, Parameters, Segment};
use crate::schemas::EvidenceSchema;

/// Evidence for state keys
///
/// For each key its newest value, or none, proven under one header: what any read of the registries can be built on.
#[utoipa::path(
    get, path = "/v1/state", operation_id = "readState", tag = "registries",
    params(("key" = Vec<String>, Query, description = "A state key, such as `did/<did>/head`; 1 to 32 of them, each as `key=…`")),
    responses((status = 200, description = "The evidence", body = EvidenceSchema))
)]
pub(crate) async fn evidence(
    State(api): State<Api>,
    Parameters(pairs): Parameters<Vec<(String, String)>>,
) -> Result<Answer, Problem> {
    let mut keys = pairs
        .into_iter()
        .map(|(name, value)| match name.as_str() {
            "key" => value.parse::<StateKey>().map_err(|error| Problem::new(&problem::QUERY, format!("key: {error}"))),
            _ => Err(Problem::new(&problem::QUERY, "unknown parameter: this route takes key=… only")),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if !(1..=STATE_KEYS_MAX).contains(&keys.len()) {
        return Err(Problem::new(&problem::QUERY, format!("key: give 1 to {STATE_KEYS_MAX} of them")));
    }
    keys.sort_unstable();
    keys.dedup();
    let evidence = api.registry(move |registry: &dyn Registry| Ok(registry.evidence(&keys)?)).await?;
    Ok(Answer::json(&evidence, Caching::WhileUnchanged))
}

/// An attachment
///
/// Bytes that a record names by their SHA-256: the bits of a version of a status list. Older versions are kept for a
/// time only.
#[utoipa::path(
    get, path = "/v1/attachments/{sha256}", operation_id = "readAttachment", tag = "registries",
    params(("sha256" = String, Path, description = "SHA-256 of the bytes: 64 lower-case hexadecimal digits")),
    responses((status = 200, description = "The bytes", body = [u8], content_type = "application/octet-stream"))
)]
pub(crate) async fn attachment(
    State(api): State<Api>,
    sha256: Segment,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Answer, Problem> {
    let malformed = || Problem::new(&problem::PATH, "an attachment is named by 64 lower-case hexadecimal digits");
    let sha256 = sha256.0.parse().map_err(|_| malformed())?;
    let bytes = api.registry(move |registry: &dyn Registry| Ok(registry.attachment(&sha256)?)).await?;
    let missing = || Problem::new(&problem::NOT_FOUND, "this node holds no attachment of this digest");
    Ok(Answer::new(OCTETS, bytes.ok_or_else(missing)?, Caching::Immutable))
}
