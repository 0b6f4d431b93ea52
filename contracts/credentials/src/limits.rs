//! Bounds of what is read and built here, each with its reason.

/// Bytes of a credential's text, disclosures included: a transcript of eight years is about 40 KB.
pub const CREDENTIAL_BYTES_MAX: usize = 256 * 1024;
/// Nesting of a credential's JSON: a transcript needs 6.
pub const CREDENTIAL_DEPTH_MAX: usize = 16;
/// Bytes of the compact credential in a QR code: what a phone reads from paper at 50 mm (version 22, level L or M).
pub const COMPACT_BYTES_MAX: usize = 900;
/// Characters of a share link: what mail programs and chat services leave whole.
pub const LINK_CHARS_MAX: usize = 2_000;
/// Disclosures of an SD-JWT.
pub const DISCLOSURES_MAX: usize = 128;
/// Bytes of a diploma package that is read.
pub const PACKAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Status lists of a package: an issuer's three for a credential, and room.
pub const PACKAGE_LISTS_MAX: usize = 8;
/// Bytes of packages' evidence and lists, each, that are remembered as read: a hundred issuers' at a time.
pub const PACKAGE_MEMORY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of any file that is looked at.
pub const FILE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes that a status list may inflate to: 2^21 entries of 8 bits.
pub const LIST_BYTES_MAX: usize = 2 * 1024 * 1024;
/// A state proof older than this is no answer to "was it withdrawn?": it is "valid on DATE; connect to confirm".
pub const STATUS_AGE_S: u64 = 24 * 3600;
/// How far a verifier's clock may be behind the ledger's.
pub const CLOCK_SKEW_S: u64 = 300;
/// Files attached to a print: a credential in each format, the receipt, and room.
pub const ATTACHMENTS_MAX: usize = 16;
/// Bytes of an attached file: a package is the largest.
pub const ATTACHMENT_BYTES_MAX: usize = PACKAGE_BYTES_MAX;
/// Earlier entries of an accreditation that are looked through for one that allowed more: renewals of thirty years.
pub const ACCREDITATION_ENTRIES_MAX: u64 = 32;
/// Status entries of a credential that are looked at: a revocation and a suspension, and room.
pub const STATUS_POINTERS_MAX: usize = 8;
/// Bytes that a verifier remembers of proven states; of receipts, schemas and tokens a quarter of it each. Some hundred issuers.
pub const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Characters of a status list token that is read: a list of the greatest size that does not compress, encoded twice.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024 * 1024;
