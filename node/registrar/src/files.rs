//! What a diploma is handed out as: files that are the same bytes whenever they are made.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use testamur_credentials::credential::Format;
use testamur_paper::{Attachment, Relationship};
use testamur_primitives::commitment::{DigestAlgorithm, Opening, Salt, SaltText};
use testamur_primitives::hash::RecordId;
use testamur_primitives::merkle::MemoryTree;
use testamur_primitives::receipt::Receipt;

use crate::job::tree;
use crate::office::{Office, OfficeError};
use crate::store::{Award, DiplomaKey, State, StoreError};

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, without folder.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What all receipts of a batch have in common.
pub(crate) struct Batch {
    part: Receipt,
    tree: MemoryTree,
    count: u64,
}

impl Batch {
    /// The receipt of one leaf.
    pub(crate) fn receipt(&self, leaf: u64, digest: [u8; 32], salt: [u8; 32]) -> Result<Receipt, StoreError> {
        let path = self.tree.inclusion_proof(leaf, self.count).map_err(|_| StoreError::Damaged)?;
        let mut receipt = self.part.clone();
        receipt.opening = Some(Opening {
            index: leaf,
            alg: DigestAlgorithm::Sha2_256,
            digest: digest.to_vec(),
            salt: Some(SaltText(Salt::from_bytes(salt))),
            path: Some(path),
        });
        Ok(receipt)
    }
}

/// Hands out diplomas of an office; remembers the batch that it met last, since diplomas of one batch come together.
pub struct Delivery<'a> {
    office: &'a Office,
    last: Mutex<Option<(RecordId, Arc<Batch>)>>,
}

impl core::fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Delivery(…)")
    }
}

impl<'a> Delivery<'a> {
    /// Of an office.
    pub fn new(office: &'a Office) -> Self {
        Self { office, last: Mutex::default() }
    }

    fn batch(&self, record: RecordId) -> Result<Arc<Batch>, StoreError> {
        // A thread that failed while it held the lock left either the old batch or the new one.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, batch)) = last.as_ref().filter(|(known, _)| *known == record) {
            return Ok(Arc::clone(batch));
        }
        let batch = Arc::new(self.office.batch(record)?);
        *last = Some((record, Arc::clone(&batch)));
        Ok(batch)
    }

    /// The receipt of a credential: the file's bytes.
    pub fn receipt(&self, award: &Award, edition: u32, format: Format) -> Result<Vec<u8>, OfficeError> {
        let unknown = || OfficeError::Unknown(format!("{} ({})", award.id, format_name(format)));
        let diploma = award.edition(edition).ok_or_else(unknown)?;
        let copy = diploma.copies.get(&format).ok_or_else(unknown)?;
        let batch = self.batch(diploma.anchor.ok_or_else(unknown)?)?;
        Ok(batch.receipt(copy.leaf, copy.digest, copy.salt)?.encode())
    }

    /// All files of a diploma: for each format the credential and its receipt, and the PDF if there is a print.
    pub fn files(&self, award: &Award, edition: u32) -> Result<Vec<File>, OfficeError> {
        let key: DiplomaKey = award.diploma(edition);
        let unknown = || OfficeError::Unknown(award.id.to_string());
        let diploma = award.edition(edition).ok_or_else(unknown)?;
        if diploma.state == State::Prepared {
            return Err(OfficeError::Other {
                code: "diploma.prepared",
                what: format!("the diploma of award {} is not issued yet", award.id),
                hint: "run `testamur diploma issue` again: it goes on where it stood",
            });
        }
        let stem = match edition {
            1 => diploma.stem.clone(),
            edition => format!("{}-{edition}", diploma.stem),
        };
        let mut files = Vec::new();
        let mut attached = Vec::new();
        let mut described: BTreeMap<Format, &str> = BTreeMap::new();
        for format in diploma.copies.keys() {
            described.insert(*format, extension(*format));
        }
        for (place, (format, extension)) in described.iter().enumerate() {
            let text = self.office.store.text(&key, *format)?.ok_or(StoreError::Damaged)?;
            let modified = diploma.issued.unwrap_or_default();
            let file = |name: String, kind: &str, description: &str, relationship, bytes: &[u8]| Attachment {
                name,
                media_type: kind.to_owned(),
                description: description.to_owned(),
                relationship,
                modified,
                bytes: bytes.to_vec(),
            };
            if *format == Format::Compact {
                let name = "compact.txt".to_owned();
                attached.push(file(
                    name,
                    "text/plain",
                    "The credential of the code",
                    Relationship::Alternative,
                    text.as_bytes(),
                ));
                continue;
            }
            let receipt = self.receipt(award, edition, *format)?;
            let (ending, relationship) = match place {
                0 => (format!(".{extension}"), Relationship::Source),
                _ => (format!("-{}.{extension}", format_name(*format)), Relationship::Alternative),
            };
            let kind = if *format == Format::SdJwt { "application/dc+sd-jwt" } else { "application/vc+jwt" };
            attached.push(file(format!("credential{ending}"), kind, "The diploma", relationship, text.as_bytes()));
            if place == 0 {
                let kind = "application/json";
                attached.push(file("receipt.json".into(), kind, "Its receipt", Relationship::Data, &receipt));
            }
            files.push(File { name: format!("{stem}{ending}"), bytes: text.into_bytes() });
            files.push(File { name: format!("{stem}{ending}.receipt.json"), bytes: receipt });
        }
        if let Some(print) = self.office.store.print(&key)? {
            attached.sort_by(|a, b| a.name.cmp(&b.name));
            let bytes = testamur_paper::attach(&print, &attached).map_err(|error| OfficeError::Other {
                code: "diploma.print",
                what: format!("the PDF of award {} cannot be put together: {error}", award.id),
                hint: "",
            })?;
            files.push(File { name: format!("{stem}.pdf"), bytes });
        }
        Ok(files)
    }
}

impl Office {
    pub(crate) fn batch(&self, record: RecordId) -> Result<Batch, StoreError> {
        let part = self.store.ledger_part(record)?.ok_or(StoreError::Damaged)?;
        let leaves = self.store.leaves(record)?.ok_or(StoreError::Damaged)?;
        Ok(Batch { part, count: leaves.len() as u64, tree: tree(&leaves) })
    }
}

/// What a format's files end in.
fn extension(format: Format) -> &'static str {
    match format {
        Format::SdJwt => "sd-jwt",
        Format::Vcdm2 | Format::Ebsi => "jwt",
        Format::Compact => "txt",
    }
}

/// A format's name on command lines and in files.
pub fn format_name(format: Format) -> &'static str {
    match format {
        Format::SdJwt => "sd-jwt",
        Format::Vcdm2 => "vcdm2",
        Format::Ebsi => "ebsi",
        Format::Compact => "compact",
    }
}
