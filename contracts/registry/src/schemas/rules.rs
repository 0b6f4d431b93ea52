//! Rules.
use testamur_primitives::hash::SchemaId;
use crate::rejection::SchemaRejection;
pub(crate) fn check_body(_: SchemaId, _: &str) -> Result<(), SchemaRejection> {
    Ok(())
}
