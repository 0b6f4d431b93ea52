//! Schemas: what credentials of a type look like, published by accredited issuers.
//!
//! A schema has a 32-byte id and revisions. Its id follows from the text of the first, so that nobody can put another
//! text in the place of a name that credentials already point to; a Root TAO may choose an id, because the schemas that
//! EBSI published before the rule have others.
//!
//! - INV-SCHEMA-1: the first revision under an id hashes to it, or a Root TAO published it; later ones are its
//!   publisher's.
//! - INV-SCHEMA-2: no text on the ledger refers to anything outside itself.

pub(crate) mod rules;

use testamur_primitives::did::Did;
use testamur_primitives::hash::{RecordId, SchemaId};
use testamur_primitives::schemas::{self, SchemaEntry};

use crate::execute::{ApplyError, BlockContext};
use crate::state::{Overlay, StateReader};

/// Publishes a schema, or a revision of it.
pub(crate) fn publish<S: StateReader>(
    state: &mut Overlay<'_, S>,
    context: &BlockContext,
    author: &Did,
    record: RecordId,
    schema: SchemaId,
    body: &str,
    prev: Option<RecordId>,
) -> Result<(), ApplyError<S::Error>> {
    let newest = schemas::schema(state, schema)?;
    rules::check_publisher(state, author, context.time)?;
    rules::check_successor(newest.as_ref(), author, schema, body, prev)?;
    if newest.is_none() {
        rules::check_id(state, author, schema, body, context.time)?;
    }
    state.append(&schemas::key(schema), |seq| SchemaEntry {
        v: 1,
        seq,
        height: context.height,
        time: context.time,
        record,
        owner: author.clone(),
        body: body.to_owned(),
    })?;
    Ok(())
}
