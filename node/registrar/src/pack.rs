//! Diploma packages: what a graduate shows to somebody without a network.

use testamur_credentials::credential::Format;
use testamur_credentials::format;
use testamur_credentials::package::Package;

use crate::files::{Delivery, format_name};
use crate::office::{Office, OfficeError};
use crate::store::{Award, StoreError};

impl Office {
    /// The package of a credential: itself, its receipt, and what the ledger proves of it now. The file's bytes.
    pub async fn package(&self, award: &Award, edition: u32, format: Format) -> Result<Vec<u8>, OfficeError> {
        let text = self.store.text(&award.diploma(edition), format)?;
        let text = text.ok_or_else(|| OfficeError::Unknown(format!("{} ({})", award.id, format_name(format))))?;
        let credential = format::parse(&text).map_err(|_| StoreError::Damaged)?;
        let receipt = Delivery::new(self).receipt(award, edition, format)?;
        let receipt = testamur_primitives::receipt::Receipt::decode(&receipt).map_err(|_| StoreError::Damaged)?;
        let proofs = self.ledger.proofs(&credential, Some(&receipt)).await?;
        Ok(Package { credential: text, receipt: Some(receipt), proofs }.encode())
    }
}
