//! Every bound of the page's host, each with its reason.

/// Files of a bundle: some scripts, the texts of 24 languages, icons. More is another folder taken for one.
pub const FILES_MAX: usize = 1_000;
/// Bytes of a bundle: twenty times what the page has.
pub const BUNDLE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Folders within folders of a bundle.
pub const DEPTH_MAX: usize = 8;
/// Nodes of a configuration: as the page reads them.
pub const NODES_MAX: usize = 64;
/// Characters of a network's name: as the page shows it, on one line.
pub const NAME_CHARS_MAX: usize = 80;
/// Bytes of a node's address: a name of full length, a port and a short path.
pub const ADDRESS_BYTES_MAX: usize = 400;
/// Below this, compression saves less than its header costs to think about.
pub const GZIP_BYTES_MIN: usize = 256;
/// Bytes of a request's body: there is none.
pub const BODY_BYTES_MAX: u64 = 1_024;
/// Seconds for which browsers keep files with a hash in their name: a year, as RFC 9111 has it for "for ever".
pub const IMMUTABLE_S: u32 = 31_536_000;
