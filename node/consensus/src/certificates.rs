//! Between the engine's certificates and the ledger's: a cosigned checkpoint, lines in the order of the set that signed.

use arc_malachitebft_app_channel::app::types::core::{
    CommitCertificate, ExtendedCommitCertificate, ExtendedCommitSignature,
};
use arc_malachitebft_app_channel::app::types::sync::RawDecidedValue;
use testamur_primitives::checkpoint::{Checkpoint, ValueId};
use testamur_primitives::genesis::Origin;
use testamur_primitives::note::{KeyId, Note, SignatureLine, TYPE_COSIGNATURE_V1};
use testamur_primitives::units::{Height, Round, UnixTime};

use crate::application::{AppError, Application, Decided, TipView};
use crate::context::{EngineAddress, EngineHeight, EngineSignature, EngineValue, Network, engine_round};
use crate::limits::{SYNC_BATCH, SYNC_RESPONSE_BYTES_MAX};

/// The engine's certificate as a cosigned checkpoint, lines in set order.
pub(crate) fn certificate_note(
    origin: &Origin,
    tip: &TipView,
    value: &ValueId,
    height: Height,
    round: Round,
    certificate: &CommitCertificate<Network>,
) -> Note {
    let line = |validator: &testamur_primitives::epoch::Validator| {
        let signature = certificate.commit_signatures.iter().find(|s| s.address.0 == validator.address)?;
        let key = validator.consensus_key();
        Some(SignatureLine::cosignature(&validator.name, key, value.time.get(), &signature.signature.0))
    };
    Note {
        text: Checkpoint::new(origin, value, height, round).body(),
        signatures: tip.validators.validators().iter().filter_map(line).collect(),
    }
}

/// A stored certificate as the engine's.
fn engine_certificate(origin: &Origin, decided: &Decided) -> Option<ExtendedCommitCertificate<Network>> {
    let checkpoint = Checkpoint::parse(&decided.certificate.text).ok()?;
    if checkpoint.origin != origin.as_str() {
        return None;
    }
    let mut time = None;
    let mut commit_signatures = Vec::new();
    for validator in decided.validators.validators() {
        let id = KeyId::compute(&validator.name, TYPE_COSIGNATURE_V1, validator.consensus_key());
        let line = decided.certificate.signatures.iter().find(|l| l.name == validator.name && l.id == id);
        let Some((stamp, signature)) = line.and_then(|l| l.signature.split_first_chunk::<8>()) else { continue };
        time = Some(UnixTime(u64::from_be_bytes(*stamp)));
        let signature = EngineSignature(signature.try_into().ok()?);
        commit_signatures.push(ExtendedCommitSignature::new(EngineAddress(validator.address), signature, None));
    }
    let value = ValueId {
        log_size: checkpoint.log_size,
        log_root: checkpoint.log_root,
        time: time?,
        header: checkpoint.header,
    };
    Some(ExtendedCommitCertificate {
        height: EngineHeight(checkpoint.height),
        round: engine_round(Some(checkpoint.round)),
        value_id: EngineValue(value),
        commit_signatures,
    })
}

/// Blocks for a peer that catches up: as many of the range as fit one response.
pub(crate) fn decided_values<A: Application>(
    app: &A,
    origin: &Origin,
    from: Height,
    to: Height,
) -> Result<Vec<RawDecidedValue<Network>>, AppError> {
    let (mut values, mut bytes) = (Vec::new(), 0);
    for height in (from.get()..=to.get()).take(SYNC_BATCH) {
        let Some(decided) = app.decided(Height(height))? else { break };
        bytes += decided.bytes.len() + decided.certificate.text.len() + decided.certificate.signatures.len() * 100;
        if bytes > SYNC_RESPONSE_BYTES_MAX {
            break;
        }
        let certificate = engine_certificate(origin, &decided)
            .ok_or_else(|| AppError::new(format!("the stored certificate of height {height} is damaged")))?;
        values.push(RawDecidedValue::new(decided.bytes, certificate));
    }
    Ok(values)
}
