//! Rules.
use testamur_primitives::record::Act;
use crate::rejection::DossierRejection;
pub(crate) fn check_act(_: &Act) -> Result<(), DossierRejection> {
    Ok(())
}
