//! Status lists.

pub(crate) mod rules;

#[allow(unused_imports)]
use self::imports::*;
#[allow(unused_imports)]
mod imports {
    pub(super) use testamur_primitives::did::Did;
    pub(super) use testamur_primitives::hash::{RecordId, SchemaId};
    pub(super) use testamur_primitives::record::{Act, Record};
    pub(super) use testamur_primitives::key::PublicKey;
    pub(super) use testamur_primitives::status::StatusVersion;
    pub(super) use crate::execute::{ApplyError, BlockContext};
    pub(super) use crate::rejection::{DidRejection, DossierRejection, IssuerRejection, SchemaRejection, StatusRejection};
    pub(super) use crate::state::{Overlay, StateReader};
}

pub(crate) fn publish<S: StateReader>(_: &mut Overlay<'_, S>, _: &BlockContext, _: &Did, _: RecordId, _: &StatusVersion, _: Option<RecordId>) -> Result<(), ApplyError<S::Error>> {
    Err(StatusRejection::Unknown.into())
}
