//! Rules.
use testamur_primitives::did::Did;
use testamur_primitives::status::StatusVersion;
use crate::rejection::StatusRejection;
pub(crate) fn check_version(_: &Did, _: &StatusVersion) -> Result<(), StatusRejection> {
    Ok(())
}
