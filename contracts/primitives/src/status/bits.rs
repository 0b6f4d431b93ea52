//! The bits of a status list.

use crate::codec::sha256;
use crate::hash::AttachmentHash;

/// The entries of a list, a bit each, the most significant bit of byte 0 first. Its bytes are the attachment.
#[derive(Clone, PartialEq, Eq)]
pub struct BitList(Vec<u8>);

impl core::fmt::Debug for BitList {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "BitList({} of {} set)", self.ones(), self.size())
    }
}

impl BitList {
    /// A list in which nothing is set; none unless the size is a multiple of 8.
    pub fn zeros(size: u64) -> Option<Self> {
        let bytes = usize::try_from(size / 8).ok()?;
        size.is_multiple_of(8).then(|| Self(vec![0; bytes]))
    }

    /// The list that an attachment is; none unless it has exactly one bit for each entry.
    pub fn from_bytes(bytes: Vec<u8>, size: u64) -> Option<Self> {
        (size.is_multiple_of(8) && bytes.len() as u64 == size / 8).then_some(Self(bytes))
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.0.len() as u64 * 8
    }

    /// Whether an entry is set; none beyond the end.
    pub fn get(&self, index: u64) -> Option<bool> {
        let byte = self.0.get(usize::try_from(index / 8).ok()?)?;
        Some(byte & mask(index) != 0)
    }

    /// Sets or clears an entry; false beyond the end.
    pub fn set(&mut self, index: u64, value: bool) -> bool {
        let Some(byte) = usize::try_from(index / 8).ok().and_then(|at| self.0.get_mut(at)) else { return false };
        if value {
            *byte |= mask(index)
        } else {
            *byte &= !mask(index)
        }
        true
    }

    /// Entries that are set.
    pub fn ones(&self) -> u64 {
        self.0.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    /// The attachment.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The attachment.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// SHA-256 of the attachment.
    pub fn sha256(&self) -> AttachmentHash {
        AttachmentHash::from_bytes(sha256(&[&self.0]))
    }

    /// The entries in the order of the IETF Token Status List: least significant bit first, each with as many bits as
    /// its status needs. A set entry has the status `INVALID` (1) in one bit, `SUSPENDED` (2) in two.
    pub(super) fn least_significant_first(&self, bits: TokenBits) -> Vec<u8> {
        let reversed = self.0.iter().map(|byte| byte.reverse_bits());
        match bits {
            TokenBits::One => reversed.collect(),
            TokenBits::Two => reversed.flat_map(|byte| [suspended(byte & 0x0f), suspended(byte >> 4)]).collect(),
        }
    }
}

/// Bits of an entry in a Token Status List.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenBits {
    One = 1,
    Two = 2,
}

fn mask(index: u64) -> u8 {
    0x80 >> (index % 8)
}

/// Four entries, the first in the lowest bit, as two bits each with the higher one set.
fn suspended(four: u8) -> u8 {
    (0..4).map(|n| (four >> n & 1) << (2 * n + 1)).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Often the same few, so that entries are set twice and cleared again; some about the end of the list, and behind it.
    fn index() -> impl Strategy<Value = u64> {
        prop_oneof![4 => 0u64..24, 1 => 131_064u64..131_080, 1 => 0u64..200_000]
    }

    proptest! {
        #[test]
        fn a_list_is_its_set_of_entries(
            changes in proptest::collection::vec((index(), any::<bool>()), 0..60),
        ) {
            let size = 131_072;
            let mut list = BitList::zeros(size).unwrap();
            let mut model = std::collections::BTreeSet::new();
            for (index, value) in changes.iter().copied() {
                prop_assert_eq!(list.set(index, value), index < size);
                if index < size && value {
                    model.insert(index);
                } else {
                    model.remove(&index);
                }
            }
            prop_assert_eq!(list.ones(), model.len() as u64);
            let again = BitList::from_bytes(list.as_bytes().to_vec(), size).unwrap();
            let one = list.least_significant_first(TokenBits::One);
            let two = list.least_significant_first(TokenBits::Two);
            prop_assert_eq!(two.len(), 2 * one.len());
            let touched = changes.iter().map(|(index, _)| *index).filter(|index| *index < size);
            for index in touched.chain([0, 7, 8, size - 1]) {
                let set = model.contains(&index);
                prop_assert_eq!(again.get(index), Some(set));
                let at = usize::try_from(index).unwrap();
                prop_assert_eq!(one[at / 8] >> (at % 8) & 1, u8::from(set));
                prop_assert_eq!(two[at / 4] >> (at % 4 * 2) & 3, 2 * u8::from(set));
            }
            prop_assert_eq!(list.get(size), None);
        }
    }

    #[test]
    fn only_whole_bytes_of_the_right_number_are_a_list() {
        assert_eq!(BitList::zeros(12), None);
        assert_eq!(BitList::zeros(u64::MAX), None);
        assert_eq!(BitList::from_bytes(vec![0; 3], 16), None);
        assert_eq!(BitList::from_bytes(vec![0; 2], 17), None);
        assert_eq!(BitList::from_bytes(vec![0; 2], u64::MAX), None);
        let list = BitList::from_bytes(vec![0b1000_0001, 0b0100_0000], 16).unwrap();
        let set: Vec<_> = (0..16).filter(|index| list.get(*index) == Some(true)).collect();
        assert_eq!(set, [0, 7, 9]);
        assert_eq!(list.get(u64::MAX), None);
        assert_eq!(format!("{list:?}"), "BitList(3 of 16 set)");
    }
}
