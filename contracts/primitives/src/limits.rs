//! Every bound of the formats, each with its reason. A bound is part of the protocol: changing one is a `rules:` change.

/// Bytes of a record (compact JWS): the C2SP tiles format prefixes an entry with 16 bits.
pub const RECORD_BYTES_MAX: usize = 65_535;
/// Entries of one `notarise` record: what fits comfortably beside the JWS overhead; SHA-512 entries meet the byte limit first.
pub const NOTARISE_ENTRIES_MAX: usize = 512;
/// Documents of one batch: path lengths stay ≤ 32 and an index fits in 32 bits everywhere.
pub const BATCH_COUNT_MAX: u64 = 1 << 32;
/// Integers in signed JSON: the largest that every JSON implementation keeps exactly (RFC 8259 §6, RFC 8785 §3.2.2.3).
pub const JSON_INTEGER_MAX: u64 = (1 << 53) - 1;
/// Nesting of signed JSON: acts need 5; the rest is room, and no parser's stack is at risk.
pub const JSON_DEPTH_MAX: usize = 8;
/// Bytes of a JOSE header, decoded: room for an `x5c` chain of four certificates.
pub const JOSE_HEADER_BYTES_MAX: usize = 24_576;
/// Characters of a DID: `jwk_jcs-pub` of a P-384 key needs about 260.
pub const DID_CHARS_MAX: usize = 400;
/// Bytes of a block's encoding: gossip carries 4 MiB, the sync response 10 MiB, and a block must pass both.
pub const BLOCK_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Records of a block: 2 MiB of the smallest useful record (about 450 bytes).
pub const BLOCK_RECORDS_MAX: usize = 4_608;
/// Bytes of a header's text: measured about 900; unknown members are refused, so nothing grows it.
pub const HEADER_BYTES_MAX: usize = 4_096;
/// Bytes of a signed note: 64 validators × 2 lines × about 200 bytes, and the body.
pub const NOTE_BYTES_MAX: usize = 65_536;
/// Signature lines of a note: 64 cosignatures, 64 log signatures, witnesses besides.
pub const NOTE_SIGNATURES_MAX: usize = 256;
/// Bytes of an origin line (C2SP tlog-checkpoint names are URL-like; 255 fits a DNS name plus path).
pub const ORIGIN_BYTES_MAX: usize = 255;
/// Fewest validators: one may be lost or lie (3f + 1 with f = 1).
pub const VALIDATORS_MIN: usize = 4;
/// Most validators: votes grow with the square; beyond this, read at scale through tiles and mirrors.
pub const VALIDATORS_MAX: usize = 64;
/// Most operators in office.
pub const OPERATORS_MAX: usize = 256;
/// Writers that a genesis may name; later ones come by governance.
pub const GENESIS_WRITERS_MAX: usize = 4_096;
/// Bytes of a receipt that a verifier reads: record + 64 validators + some epoch links and anchors.
pub const RECEIPT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Nesting of a receipt: anchors hold epoch chains, which hold sets, which hold keys.
pub const RECEIPT_DEPTH_MAX: usize = 16;
/// Anchors of a receipt: a refresh a year for a century.
pub const RECEIPT_ANCHORS_MAX: usize = 100;
/// Links of an epoch chain in a receipt: a set change a week for twenty years.
pub const EPOCH_LINKS_MAX: usize = 1_040;
/// Bytes of a trust file or genesis.
pub const TRUST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A record is admitted when its `iat` is at most this much older than the block.
pub const RECORD_AGE_S_MAX: u64 = 24 * 3600;
/// A record is admitted when its `iat` is at most this much ahead of the block: clocks of authors differ.
pub const RECORD_AHEAD_S_MAX: u64 = 300;
/// `exp` is at most this much after `iat`, so that replay needs to be remembered for a bounded time only.
pub const RECORD_LIFE_S_MAX: u64 = 24 * 3600;
/// How long ids and (author, jti) are remembered: older ones cannot be admitted again by the two rules above.
pub const REPLAY_WINDOW_S: u64 = RECORD_AGE_S_MAX + RECORD_AHEAD_S_MAX;
/// Life of a governance proposal.
pub const PROPOSAL_LIFE_S_MAX: u64 = 90 * 24 * 3600;
/// Characters of a legal name in a validator's or operator's entry.
pub const LEGAL_NAME_BYTES_MAX: usize = 200;
/// Siblings of a state proof: one for each bit of a key's hash.
pub const PROOF_SIBLINGS_MAX: usize = 256;
/// Keys of one evidence: a trust chain of the greatest depth needs about 40; the rest is for histories searched by time.
pub const EVIDENCE_KEYS_MAX: usize = 256;
/// Bytes of an evidence that a verifier reads: a chain of accreditations, each with its credential, and 64 validators.
pub const EVIDENCE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Verification methods of a DID document, revoked ones included, since they are never forgotten: a rotation of three
/// keys a year for twenty years.
pub const DID_METHODS_MAX: usize = 64;
/// Grants of relationships of one verification method: five relationships, renewed three times.
pub const DID_GRANTS_MAX: usize = 20;
/// Controllers of a DID document: the subject, its ministry, an agency, and room.
pub const DID_CONTROLLERS_MAX: usize = 8;
/// Services of a DID document.
pub const DID_SERVICES_MAX: usize = 8;
/// Changes in one `update-did`: all of a planned rotation in one record.
pub const DID_CHANGES_MAX: usize = 16;
/// Characters of a service endpoint.
pub const ENDPOINT_CHARS_MAX: usize = 256;
/// Characters of a credential inside a record: an accreditation is about 3,000, and the record must hold it.
pub const CREDENTIAL_CHARS_MAX: usize = 32_768;
/// Scopes (`accreditedFor`) of an accreditation: programmes a university is accredited for, by schema.
pub const SCOPES_MAX: usize = 64;
/// Credential types of one scope.
pub const SCOPE_TYPES_MAX: usize = 32;
/// Jurisdictions of one scope: the states of the Union and then some.
pub const JURISDICTIONS_MAX: usize = 64;
/// Characters of a credential type, a schema id or a jurisdiction in an accreditation.
pub const SCOPE_TEXT_CHARS_MAX: usize = 256;
/// Accreditations from a leaf to its Root TAO, both counted: Root TAO, three TAOs, trusted issuer. Verification walks
/// them all.
pub const CHAIN_LINKS_MAX: usize = 5;
/// Attributes (accreditations) of one issuer, ended ones included: they are one state value.
pub const ISSUER_ATTRIBUTES_MAX: usize = 256;
/// Legal names of an issuer: one for each language of the Union, and then some.
pub const ENTITY_NAMES_MAX: usize = 32;
/// Identifiers of an issuer (ETER, DEQAR, VAT).
pub const ENTITY_IDENTIFIERS_MAX: usize = 8;
/// Characters of a schema's text: the record carries it, doubly encoded.
pub const SCHEMA_CHARS_MAX: usize = 32_768;
/// Nesting of a schema: no validator's stack is at risk.
pub const SCHEMA_DEPTH_MAX: usize = 32;
/// Fewest entries of a status list: the herd that a graduate is hidden in (W3C Bitstring Status List v1.0, 131,072).
pub const STATUS_ENTRIES_MIN: u64 = 131_072;
/// Bytes of an attachment: a status list of 2^21 entries at one bit each.
pub const ATTACHMENT_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a block's attachments together: they travel with the proposal, within what gossip carries.
pub const BLOCK_ATTACHMENTS_BYTES_MAX: usize = 1024 * 1024;
/// Attachments of a block: as many of the smallest status lists (16 KiB) as fit its attachments' bytes.
pub const BLOCK_ATTACHMENTS_MAX: usize = 64;
/// Bytes of a block with its attachments, as they travel: the two bounds above and the lengths before each.
pub const VALUE_BYTES_MAX: usize = BLOCK_BYTES_MAX + BLOCK_ATTACHMENTS_BYTES_MAX + 4 * (BLOCK_ATTACHMENTS_MAX + 1);
/// Owners of a dossier, past ones included.
pub const DOSSIER_OWNERS_MAX: usize = 16;
/// Hashes of one version of a dossier.
pub const DOSSIER_HASHES_MAX: usize = 64;
/// Days for which older versions of status lists are kept, unless genesis says otherwise: longer than a dispute about
/// a hiring decision needs, short enough that a suspension lifted is forgotten.
pub const STATUS_HISTORY_DAYS: u32 = 90;
/// Most days for that: a century.
pub const STATUS_HISTORY_DAYS_MAX: u32 = 36_525;
/// Credentials remembered as read and verified: the upper links of every chain in use, and a block's authorisations from
/// the pool to the vote; about 5 KB each.
pub const CREDENTIALS_REMEMBERED_MAX: usize = 4_096;
/// Validators' keys remembered as good ones: three for each of 64 validators, of twenty networks or epochs.
pub const VALIDATOR_KEYS_REMEMBERED_MAX: usize = 4_096;
/// Authors' keys remembered with their point decoded: those who write all day; about 400 bytes each.
pub const AUTHOR_KEYS_REMEMBERED_MAX: usize = 4_096;
/// Bytes of a state value with its key in a ledger stream: a schema, doubly encoded, or 256 operators are a tenth of it.
pub const STREAM_STATE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a row of the state's tree in a ledger stream: a state value and a node of sixteen children.
pub const STREAM_TREE_BYTES_MAX: usize = STREAM_STATE_BYTES_MAX + 64 * 1024;
/// Bytes of one answer with blocks: three of the largest blocks with their attachments; a follower holds one at a time.
pub const BLOCK_STREAM_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Blocks of one answer: idle blocks have 2 KiB, so that many of them fill an eighth of an answer, and reading them takes
/// a tenth of a second.
pub const BLOCK_STREAM_BLOCKS_MAX: usize = 512;
