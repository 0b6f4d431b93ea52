//! Rules.
use testamur_primitives::record::Act;
use crate::rejection::IssuerRejection;
pub(crate) fn check_act(_: &Act) -> Result<(), IssuerRejection> {
    Ok(())
}
