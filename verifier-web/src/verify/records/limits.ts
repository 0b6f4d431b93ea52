// Bounds of the formats: each is part of the protocol. Their reasons stand with the reference implementation's.

/** Bytes of a record (compact JWS). */
export const RECORD_BYTES_MAX = 65_535;
/** Entries of one `notarise` record. */
export const NOTARISE_ENTRIES_MAX = 512;
/** Hashes of one version of a dossier. */
export const DOSSIER_HASHES_MAX = 64;
/** Documents of one batch. */
export const BATCH_COUNT_MAX = 2 ** 32;
/** Bytes of a JOSE header, decoded. */
export const JOSE_HEADER_BYTES_MAX = 24_576;
/** Characters of a DID. */
export const DID_CHARS_MAX = 400;
/** Bytes of a header's text. */
export const HEADER_BYTES_MAX = 4_096;
/** Bytes of a signed note. */
export const NOTE_BYTES_MAX = 65_536;
/** Signature lines of a note. */
export const NOTE_SIGNATURES_MAX = 256;
/** Bytes of an origin line. */
export const ORIGIN_BYTES_MAX = 255;
/** Fewest validators. */
export const VALIDATORS_MIN = 4;
/** Most validators. */
export const VALIDATORS_MAX = 64;
/** Most operators in office. */
export const OPERATORS_MAX = 256;
/** Writers that a genesis may name. */
export const GENESIS_WRITERS_MAX = 4_096;
/** Largest encoding of a block. */
export const BLOCK_BYTES_MAX = 2 * 1024 * 1024;
/** Bytes of a receipt. */
export const RECEIPT_BYTES_MAX = 4 * 1024 * 1024;
/** Nesting of a receipt. */
export const RECEIPT_DEPTH_MAX = 16;
/** Anchors of a receipt. */
export const RECEIPT_ANCHORS_MAX = 100;
/** Links of an epoch chain. */
export const EPOCH_LINKS_MAX = 1_040;
/** Bytes of a trust file or genesis. */
export const TRUST_BYTES_MAX = 4 * 1024 * 1024;
/** A record is admitted when its `iat` is at most this much older than the block. */
export const RECORD_AGE_S_MAX = 24 * 3600;
/** A record is admitted when its `iat` is at most this much ahead of the block. */
export const RECORD_AHEAD_S_MAX = 300;
/** `exp` is at most this much after `iat`. */
export const RECORD_LIFE_S_MAX = 24 * 3600;
/** Bytes of a legal name. */
export const LEGAL_NAME_BYTES_MAX = 200;
/** Characters of the host in what absolute URLs begin with. */
export const ENDPOINT_CHARS_MAX = 256;
/** Days for which older versions of status lists are kept, unless genesis says otherwise. */
export const STATUS_HISTORY_DAYS = 90;
/** Most days for that. */
export const STATUS_HISTORY_DAYS_MAX = 36_525;
