//! Who may publish which schema.

use testamur_primitives::did::Did;
use testamur_primitives::hash::{RecordId, SchemaId};
use testamur_primitives::issuers::{self, IssuerType, chain};
use testamur_primitives::schemas::body::{self, SchemaFault};
use testamur_primitives::schemas::{SchemaEntry, id_of};
use testamur_primitives::units::UnixTime;

use crate::execute::ApplyError;
use crate::rejection::SchemaRejection;
use crate::state::{StateError, StateReader};

/// What needs no state: the text (INV-SCHEMA-2). The id may be a Root TAO's choice, which only the state can tell.
pub(crate) fn check_body(body: &str) -> Result<(), SchemaRejection> {
    body::check(body).map_err(refusal)
}

fn refusal(fault: SchemaFault) -> SchemaRejection {
    match fault {
        SchemaFault::TooLarge(characters) => SchemaRejection::TooLarge(characters),
        SchemaFault::Draft => SchemaRejection::Draft,
        SchemaFault::RemoteReference(reference) => SchemaRejection::RemoteReference(reference),
        SchemaFault::Json(_) | SchemaFault::NotAnObject | SchemaFault::Number => {
            SchemaRejection::Malformed(fault.to_string())
        }
    }
}

/// The author must be an issuer with a chain of accreditations in force.
pub(super) fn check_publisher<R: StateReader>(
    state: &R,
    author: &Did,
    time: UnixTime,
) -> Result<(), ApplyError<R::Error>> {
    match chain::accredited(state, author, None, time)? {
        Ok(_) => Ok(()),
        Err(refusal) => Err(SchemaRejection::NotAccredited { did: author.clone(), refusal }.into()),
    }
}

/// A revision must be its first publisher's, follow from the newest one, and differ from it.
pub(super) fn check_successor(
    newest: Option<&SchemaEntry>,
    author: &Did,
    schema: SchemaId,
    body: &str,
    prev: Option<RecordId>,
) -> Result<(), SchemaRejection> {
    match newest {
        None if prev.is_some() => Err(SchemaRejection::Unknown(schema)),
        None => Ok(()),
        Some(newest) if newest.owner != *author => Err(SchemaRejection::NotTheOwner(newest.owner.clone())),
        Some(newest) if prev != Some(newest.record) => Err(SchemaRejection::Stale { current: newest.record }),
        Some(newest) if newest.body == body => Err(SchemaRejection::Unchanged),
        Some(_) => Ok(()),
    }
}

/// The id must follow from the text, or be a Root TAO's choice (INV-SCHEMA-1).
pub(super) fn check_id<R: StateReader>(
    state: &R,
    author: &Did,
    schema: SchemaId,
    body: &str,
    time: UnixTime,
) -> Result<(), ApplyError<R::Error>> {
    let expected = id_of(body).map_err(refusal)?;
    if schema == expected || is_root(state, author, time)? {
        Ok(())
    } else {
        Err(SchemaRejection::Id { expected }.into())
    }
}

/// Whether a DID is a Root TAO in force, whatever else it is accredited as.
fn is_root<R: StateReader>(state: &R, did: &Did, time: UnixTime) -> Result<bool, StateError<R::Error>> {
    let Some(issuer) = issuers::issuer(state, did)? else { return Ok(false) };
    for id in issuer.attributes {
        let chain = chain::trust_chain(state, id, time)?;
        if chain.is_ok_and(|chain| chain.issuer().issuer_type == IssuerType::RootTao) {
            return Ok(true);
        }
    }
    Ok(false)
}
