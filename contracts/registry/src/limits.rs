//! Bounds of the state machine, each with its reason. Bounds of the formats are in the primitives' `limits`.

/// Newest protocol version whose rules this crate holds. A binary stops before it votes on a height of a later one. With
/// `next-protocol`, for tests of upgrades, there is one more, with the same rules.
pub const PROTOCOL: u32 = if cfg!(feature = "next-protocol") { 2 } else { 1 };
/// What holds from a height on begins at least this many heights after the block that decides it: the header between
/// them names the next set before it decides.
pub const ACTIVATION_HEIGHTS_MIN: u64 = 2;
/// … and at most this many: nobody can block all further changes of a kind with one that never comes. Two years of
/// heartbeats of 60 s.
pub const ACTIVATION_HEIGHTS_MAX: u64 = 1_000_000;
/// Official addresses of the verifier page: a few ministries' own.
pub const PAGE_HOSTS_MAX: usize = 16;
/// Entries that one page of a listing (writers, proposals) holds at most: a page is read within one request.
pub const PAGE_ENTRIES_MAX: usize = 1_000;
/// Nibbles of a state tree path: a key's hash has 64.
pub(crate) const PATH_NIBBLES_MAX: usize = 64;
