/** Bounds of what is read here, each with its reason; the same as in `contracts/credentials/src/limits.rs`. */

/** Bytes of a credential's text, disclosures included: a transcript of eight years is about 40 KB. */
export const CREDENTIAL_BYTES_MAX = 256 * 1024;
/** Nesting of a credential's JSON: a transcript needs 6. */
export const CREDENTIAL_DEPTH_MAX = 16;
/** Characters of a share link: what mail programs and chat services leave whole. */
export const LINK_CHARS_MAX = 2_000;
/** Disclosures of an SD-JWT. */
export const DISCLOSURES_MAX = 128;
/** Bytes of a diploma package that is read. */
export const PACKAGE_BYTES_MAX = 8 * 1024 * 1024;
/** Status lists of a package: an issuer's three for a credential, and room. */
export const PACKAGE_LISTS_MAX = 8;
/** Bytes of a package's list, unpacked: what an attachment on the ledger has at most. */
export const PACKAGE_LIST_BYTES_MAX = 256 * 1024;
/** Bytes of a package's evidence. */
export const EVIDENCE_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes of packages' evidence and lists, each, that are remembered as read: a hundred issuers' at a time. */
export const PACKAGE_MEMORY_BYTES_MAX = 8 * 1024 * 1024;
/** Bytes of any file that is looked at. */
export const FILE_BYTES_MAX = 32 * 1024 * 1024;
/** Bytes that a status list may inflate to: 2^21 entries of 8 bits. */
export const LIST_BYTES_MAX = 2 * 1024 * 1024;
/** A state proof older than this is no answer to "was it withdrawn?": it is "valid on DATE; connect to confirm". */
export const STATUS_AGE_S = 24 * 3_600;
/** How far a verifier's clock may be behind the ledger's. */
export const CLOCK_SKEW_S = 300;
/** Files attached to a print: a credential in each format, the receipt, and room. */
export const ATTACHMENTS_MAX = 16;
/** Bytes of an attached file: a package is the largest. */
export const ATTACHMENT_BYTES_MAX = PACKAGE_BYTES_MAX;
/** Earlier entries of an accreditation that are looked through for one that allowed more: renewals of thirty years. */
export const ACCREDITATION_ENTRIES_MAX = 32;
/** Status entries of a credential that are looked at: a revocation and a suspension, and room. */
export const STATUS_POINTERS_MAX = 8;
/** Bytes that a verifier remembers of proven states; of receipts, schemas and tokens a quarter of it each. */
export const MEMORY_BYTES_MAX = 64 * 1024 * 1024;
/** Characters of a status list token that is read: a list of the greatest size that does not compress, encoded twice. */
export const TOKEN_BYTES_MAX = 4 * 1024 * 1024;
/** Largest integer that every JSON implementation keeps exactly. */
export const JSON_INTEGER_MAX = Number.MAX_SAFE_INTEGER;
