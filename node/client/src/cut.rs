//! From a node's receipt of a record to each user's own: the node's part, verified once, and the user's opening.

use testamur_primitives::commitment::Opening;
use testamur_primitives::hash::RecordId;
use testamur_primitives::receipt::{self, Facts, Receipt, ReceiptError, ReceiptStencil, Verdict};
use testamur_primitives::record::{Act, Record};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;

/// Why a receipt is not handed over.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// The node's receipt does not verify.
    #[error("the node's receipt does not verify: {0}")]
    NotValid(ReceiptError),
    /// The trust file does not reach to the receipt.
    #[error("the node's receipt cannot be verified with the trust file given: {0}")]
    CannotTell(ReceiptError),
    /// Its witnesses' keys are out of office.
    #[error("the node's receipt is witnessed by keys that are no longer in office: is this machine's clock right?")]
    OutOfOffice,
    /// It is the receipt of another record.
    #[error("the node gave the receipt of another record: {0}")]
    OtherRecord(RecordId),
}

impl CutError {
    /// Stable slug.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotValid(error) | Self::CannotTell(error) => error.code(),
            Self::OutOfOffice => "receipt.out-of-office",
            Self::OtherRecord(_) => "receipt.other-record",
        }
    }

    /// Whether the process must stop: never, another node may answer better.
    pub fn is_fatal(&self) -> bool {
        false
    }
}

/// A record's receipt that has verified, from which users' receipts are cut.
#[derive(Debug, Clone)]
pub struct Cut {
    ledger: Receipt,
    stencil: ReceiptStencil,
    act: Act,
    facts: Facts,
}

impl Cut {
    /// Verifies a node's receipt of a record (INV-CLIENT-1). Whatever opening the node put in is dropped.
    pub fn new(mut ledger: Receipt, record: RecordId, trust: &TrustFile, now: UnixTime) -> Result<Self, CutError> {
        ledger.opening = None;
        let facts = match receipt::verify(&ledger, None, trust, now) {
            Verdict::Confirmed(facts) => facts,
            Verdict::OutOfOffice(_) => return Err(CutError::OutOfOffice),
            Verdict::NotValid(error) => return Err(CutError::NotValid(error)),
            Verdict::CannotTell(error) => return Err(CutError::CannotTell(error)),
        };
        if facts.record != record {
            return Err(CutError::OtherRecord(facts.record));
        }
        let act = Record::parse(ledger.record.as_bytes())
            .map_err(|error| CutError::NotValid(ReceiptError::Record(error)))?
            .act()
            .clone();
        Ok(Self { stencil: ReceiptStencil::new(&ledger), ledger, act, facts })
    }

    /// The ledger's part, without any opening: what all receipts of the record share.
    pub fn ledger(&self) -> &Receipt {
        &self.ledger
    }

    /// The bytes that all receipts of the record share.
    pub fn stencil(&self) -> &ReceiptStencil {
        &self.stencil
    }

    /// What the record says.
    pub fn act(&self) -> &Act {
        &self.act
    }

    /// What the receipt states: record, block, time, witnesses.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Whether an opening shows a document of this record.
    pub fn check(&self, opening: &Opening) -> Result<(), CutError> {
        receipt::check_opening(Some(opening), &self.act, None).map_err(CutError::NotValid)
    }

    /// One user's receipt: the file's bytes. All that differs from what was verified is the opening, checked here.
    pub fn receipt(&self, opening: Opening) -> Result<Vec<u8>, CutError> {
        self.check(&opening)?;
        Ok(self.stencil.cut(Some(&opening)))
    }
}
