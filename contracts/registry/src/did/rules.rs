//! Rules.
use testamur_primitives::record::Act;
use crate::rejection::DidRejection;
pub(crate) fn check_act(_: &Act) -> Result<(), DidRejection> {
    Ok(())
}
