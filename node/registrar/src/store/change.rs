//! One step of the archive: everything in it, or nothing.

use redb::{ReadableTable as _, Table};
use serde::Serialize;
use serde::de::DeserializeOwned;
use testamur_credentials::credential::Format;
use testamur_primitives::hash::{RecordId, TreeHash};
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::{Bytes, Record, Reference};

use super::seal::Keys;
use super::{
    Award, AwardKey, DiplomaKey, Draft, Family, Named, Pending, StoreError, alias_place, award_place, copy_place,
    digest_place, diploma_place, document_place, family_place, from_json, io, record_place, to_json,
};

/// A step that is being made.
pub struct Change<'t> {
    table: Table<'t, &'static [u8], &'static [u8]>,
    keys: &'t Keys,
}

impl core::fmt::Debug for Change<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Change(…)")
    }
}

impl<'t> Change<'t> {
    pub(super) fn new(table: Table<'t, &'static [u8], &'static [u8]>, keys: &'t Keys) -> Self {
        Self { table, keys }
    }

    pub(super) fn seal(&mut self, place: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let sealed = self.keys.seal(place, value)?;
        self.table.insert(place, sealed.as_slice()).map_err(io("written"))?;
        Ok(())
    }

    fn seal_json<T: Serialize>(&mut self, place: &[u8], value: &T) -> Result<(), StoreError> {
        self.seal(place, &to_json(value))
    }

    fn open<T: DeserializeOwned>(&self, place: &[u8]) -> Result<Option<T>, StoreError> {
        let found = self.table.get(place).map_err(io("read"))?;
        found.map(|sealed| from_json(&self.keys.open(place, sealed.value())?)).transpose()
    }

    fn drop_place(&mut self, place: &[u8]) -> Result<bool, StoreError> {
        Ok(self.table.remove(place).map_err(io("written"))?.is_some())
    }

    /// An award as it is in this step.
    pub fn award(&self, key: &AwardKey) -> Result<Option<Award>, StoreError> {
        self.open(&award_place(key))
    }

    /// A document as it is in this step.
    pub fn get<T: DeserializeOwned>(&self, kind: &str, name: &str) -> Result<Option<T>, StoreError> {
        let found: Option<Named<T>> = self.open(&document_place(self.keys, kind, name))?;
        Ok(found.map(|named| named.value))
    }

    /// Writes an award that is there already, or begins it.
    pub fn put_award(&mut self, award: &Award) -> Result<(), StoreError> {
        self.seal_json(&award_place(&award.key), award)?;
        let alias = [alias_place(self.keys, &award.id.award), award.key.0.to_vec()].concat();
        self.seal(&alias, &[])
    }

    /// Keeps what was asked for.
    pub fn put_content(&mut self, diploma: &DiplomaKey, draft: &Draft) -> Result<(), StoreError> {
        self.seal_json(&diploma_place(b'c', diploma), draft)
    }

    /// Lets go of an edition that nobody has: of all that was kept of it, and of its award when there is no other.
    pub(crate) fn drop_edition(&mut self, diploma: &DiplomaKey) -> Result<(), StoreError> {
        let Some(mut award) = self.award(&diploma.award)? else { return Ok(()) };
        let Some(place) = award.diplomas.iter().position(|known| known.edition == diploma.edition) else {
            return Ok(());
        };
        let dropped = award.diplomas.remove(place);
        for (format, copy) in &dropped.copies {
            self.drop_place(&copy_place(b't', diploma, *format))?;
            self.drop_place(&digest_place(self.keys, &copy.digest))?;
        }
        self.drop_place(&diploma_place(b'c', diploma))?;
        self.drop_place(&diploma_place(b'p', diploma))?;
        if !award.diplomas.is_empty() {
            return self.put_award(&award);
        }
        self.drop_place(&award_place(&award.key))?;
        self.drop_place(&[alias_place(self.keys, &award.id.award), award.key.0.to_vec()].concat())?;
        Ok(())
    }

    /// Keeps a credential.
    pub(crate) fn put_text(
        &mut self,
        diploma: &DiplomaKey,
        format: Format,
        digest: &[u8; 32],
        text: &str,
    ) -> Result<(), StoreError> {
        self.seal(&copy_place(b't', diploma, format), text.as_bytes())?;
        self.seal_json(&digest_place(self.keys, digest), &(diploma, format))
    }

    /// Keeps a print.
    pub(crate) fn put_print(&mut self, diploma: &DiplomaKey, print: &[u8]) -> Result<(), StoreError> {
        self.seal(&diploma_place(b'p', diploma), print)
    }

    /// Keeps the leaf hashes of the batch that a record anchors.
    pub(crate) fn put_leaves(&mut self, record: RecordId, leaves: &[TreeHash]) -> Result<(), StoreError> {
        let bytes: Vec<u8> = leaves.iter().flat_map(|leaf| *leaf.as_bytes()).collect();
        self.seal(&record_place(b'l', record), &bytes)
    }

    /// Lets go of the leaf hashes of a batch whose record never came to the ledger.
    pub(crate) fn drop_leaves(&mut self, record: RecordId) -> Result<bool, StoreError> {
        self.drop_place(&record_place(b'l', record))
    }

    /// Keeps the ledger's part of a batch's receipts.
    pub(crate) fn put_ledger_part(&mut self, record: RecordId, part: &Receipt) -> Result<(), StoreError> {
        self.seal_json(&record_place(b'b', record), part)
    }

    /// Keeps a signed record and the bytes that go with it, before it is sent (INV-ARCHIVE-3).
    pub fn put_pending(&mut self, what: &str, record: &Record, attachment: Option<&[u8]>) -> Result<(), StoreError> {
        let pending = Pending {
            what: what.to_owned(),
            record: record.as_str().to_owned(),
            attachment: attachment.map(|bytes| Bytes(bytes.to_vec())),
        };
        self.seal_json(&record_place(b'r', record.id()), &pending)
    }

    /// Lets go of a record whose fate is known.
    pub fn drop_pending(&mut self, record: RecordId) -> Result<bool, StoreError> {
        self.drop_place(&record_place(b'r', record))
    }

    /// A family of lists as it is in this step.
    pub fn family(&self, list: &Reference) -> Result<Option<Family>, StoreError> {
        self.open(&family_place(self.keys, list))
    }

    /// Begins a family of lists, unless it is there.
    pub(crate) fn begin_family(&mut self, list: &Reference, size: u64) -> Result<(), StoreError> {
        if self.family(list)?.is_some() {
            return Ok(());
        }
        let bytes = usize::try_from(size.div_ceil(8)).map_err(|_| StoreError::Damaged)?;
        let family = Family { list: list.clone(), size, given: Bytes(vec![0; bytes]) };
        self.seal_json(&family_place(self.keys, list), &family)
    }

    /// Gives out entries of a list, drawn at random among those that are free: an entry tells nothing of when its diploma was
    /// made, and is given out once (INV-ARCHIVE-2).
    pub(crate) fn give(&mut self, list: &Reference, count: usize) -> Result<Vec<u64>, StoreError> {
        let mut family = self.family(list)?.ok_or(StoreError::Damaged)?;
        let free = family.size.saturating_sub(family.count());
        if (count as u64) > free {
            return Err(StoreError::Full(list.clone()));
        }
        let mut entries = Vec::with_capacity(count);
        while entries.len() < count {
            let entry = random_below(family.size)?;
            let (byte, bit) = ((entry / 8) as usize, 0x80u8 >> (entry % 8));
            let place = family.given.0.get_mut(byte).ok_or(StoreError::Damaged)?;
            if *place & bit == 0 {
                *place |= bit;
                entries.push(entry);
            }
        }
        self.seal_json(&family_place(self.keys, list), &family)?;
        Ok(entries)
    }

    /// Keeps a document.
    pub fn put<T: Serialize>(&mut self, kind: &str, name: &str, value: &T) -> Result<(), StoreError> {
        let place = document_place(self.keys, kind, name);
        self.seal_json(&place, &Named { name: name.to_owned(), value })
    }

    /// Lets go of a document; whether there was one.
    pub fn remove(&mut self, kind: &str, name: &str) -> Result<bool, StoreError> {
        self.drop_place(&document_place(self.keys, kind, name))
    }
}

/// A random number below a bound, every one equally likely.
fn random_below(bound: u64) -> Result<u64, StoreError> {
    let zone = u64::MAX - u64::MAX % bound;
    loop {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|_| StoreError::Random)?;
        let number = u64::from_be_bytes(bytes);
        if number < zone {
            return Ok(number % bound);
        }
    }
}
