//! Bounds of the state machine, each with its reason. Bounds of the formats are in the primitives' `limits`.

/// Protocol version whose rules this crate holds. A binary stops before it votes on a height of another.
pub const PROTOCOL: u32 = 1;
/// Entries that one page of a listing (writers, proposals) holds at most: a page is read within one request.
pub const PAGE_ENTRIES_MAX: usize = 1_000;
/// Nibbles of a state tree path: a key's hash has 64.
pub(crate) const PATH_NIBBLES_MAX: usize = 64;
