//! Every column family, key and value of the database. Numbers are big-endian, so that byte order is their order.
//!
//! | column | key | value | checked on read by |
//! |---|---|---|---|
//! | `default` | name | see [`Meta`] | the header it names, the directory's identity file |
//! | `headers` | height 8 | header hash 32 ‖ header text | the hash |
//! | `certificates` | height 8 | signed note ‖ seal 8 | the seal |
//! | `entries` | index of the first entry 8 | height 8 ‖ entries, each length 2 ‖ bytes | leaf hashes in `tiles` |
//! | `tiles` | tree 1 ‖ level 1 ‖ tile 8 | 32-byte hashes of nodes, leftmost first | the root of a header |
//! | `state-keys` | state key, text | height that wrote its newest value 8 ‖ seal 8 | the seal, the state root |
//! | `state-nodes` | node key | node ‖ seal 8 | the seal, the state root |
//! | `state-values` | key hash 32 ‖ version 8 | value ‖ seal 8 | the seal, the state root |
//! | `state-stale` | version 8 ‖ node key | – | – |
//! | `ids` | record id 32 | index 8 | the record |
//! | `references` | first 16 of SHA-256(author ‖ 0 ‖ jti) | index 8 ‖ block time 8 | the record |
//! | `digests` | algorithm 1 ‖ digest 32–64 ‖ index 8 ‖ entry 2 | – | the record |
//! | `timestamps` | SHA-256 of a public digest 32 | index 8 ‖ entry 2 of its first place | the record |
//! | `timestamp-order` | number 8 | SHA-256 of a public digest 32 | `timestamps` |
//! | `objects` | kind ‖ 0 ‖ term ‖ 0 ‖ number 8 | object id ‖ seal 8 | the seal |
//! | `object-ids` | kind ‖ 0 ‖ term ‖ 0 ‖ object id | number 8 ‖ seal 8 | the seal |
//! | `authors` | author ‖ 0 ‖ index of the first record 8 | offsets from it, 2 each ‖ seal 8 | the seal, the records |
//! | `times` | block time 8 ‖ height 8 | – | the header |
//! | `epochs` | epoch 8 | first height 8 ‖ JCS of the validators ‖ seal 8 | the seal |
//! | `undecided` | height 8 ‖ round 4 ‖ value id 80 | proposer 32 ‖ value's bytes ‖ seal 8 | the seal |
//! | `attachments` | SHA-256 32 | bytes | the key |
//! | `attachment-uses` | SHA-256 32 ‖ list ‖ 0 ‖ version 8 | height 8 ‖ time of the version after it 8, if there is one ‖ seal 8 | the seal |
//! | `attachment-ends` | time of the version after 8 ‖ key of the use | – | – |
//! | `attachment-blocks` | height 8 ‖ key of the use | – | – |
//! | `attachments-missing` | SHA-256 32 | bytes of the attachment 8 ‖ seal 8 | the seal |
//!
//! A seal is the first 8 bytes of SHA-256(column ‖ 0 ‖ key ‖ value): RocksDB's checksums cover the disk, the seal also
//! covers memory on the way there and back. Columns without a seal are checked against the log's own hashes.
//!
//! Why so few rows: entries lie in rows of 16 KiB and log nodes in the tiles of C2SP tlog-tiles (256 hashes, one level
//! in eight), so a record of the busy path costs one row each in `ids` and `references` and a share of the others. A tile is
//! rewritten while it fills; that costs at most 8 KiB a block, against 41 bytes a node, two nodes a record.

use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::codec::sha256;
use testamur_primitives::commitment::DocumentDigest;
use testamur_primitives::did::Did;
use testamur_primitives::hash::AttachmentHash;
use testamur_primitives::record::Reference;
use testamur_primitives::units::{Height, LogIndex, Round, UnixTime};

/// Version of this layout; another one refuses to open.
pub(crate) const LAYOUT: u32 = 2;

/// Keys of the `default` column: what the store knows of itself.
///
/// | key | value |
/// |---|---|
/// | `layout` | layout version 4 |
/// | `network` | genesis hash 32 |
/// | `node` | validator address 32, zero for an observer |
/// | `tip` | height 8 ‖ header hash 32 |
pub(crate) struct Meta;

impl Meta {
    pub(crate) const LAYOUT: &'static [u8] = b"layout";
    pub(crate) const NETWORK: &'static [u8] = b"network";
    pub(crate) const NODE: &'static [u8] = b"node";
    pub(crate) const TIP: &'static [u8] = b"tip";
}

/// A column family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    Meta,
    Headers,
    Certificates,
    Entries,
    Tiles,
    StateKeys,
    StateNodes,
    StateValues,
    StateStale,
    Ids,
    References,
    Digests,
    Authors,
    Times,
    Epochs,
    Undecided,
    Timestamps,
    TimestampOrder,
    Objects,
    ObjectIds,
    Attachments,
    AttachmentUses,
    AttachmentEnds,
    AttachmentBlocks,
    AttachmentsMissing,
}

impl Column {
    pub(crate) const ALL: [Self; 25] = [
        Self::Meta,
        Self::Headers,
        Self::Certificates,
        Self::Entries,
        Self::Tiles,
        Self::StateKeys,
        Self::StateNodes,
        Self::StateValues,
        Self::StateStale,
        Self::Ids,
        Self::References,
        Self::Digests,
        Self::Authors,
        Self::Times,
        Self::Epochs,
        Self::Undecided,
        Self::Timestamps,
        Self::TimestampOrder,
        Self::Objects,
        Self::ObjectIds,
        Self::Attachments,
        Self::AttachmentUses,
        Self::AttachmentEnds,
        Self::AttachmentBlocks,
        Self::AttachmentsMissing,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "default",
            Self::Headers => "headers",
            Self::Certificates => "certificates",
            Self::Entries => "entries",
            Self::Tiles => "tiles",
            Self::StateKeys => "state-keys",
            Self::StateNodes => "state-nodes",
            Self::StateValues => "state-values",
            Self::StateStale => "state-stale",
            Self::Ids => "ids",
            Self::References => "references",
            Self::Digests => "digests",
            Self::Authors => "authors",
            Self::Times => "times",
            Self::Epochs => "epochs",
            Self::Undecided => "undecided",
            Self::Timestamps => "timestamps",
            Self::TimestampOrder => "timestamp-order",
            Self::Objects => "objects",
            Self::ObjectIds => "object-ids",
            Self::Attachments => "attachments",
            Self::AttachmentUses => "attachment-uses",
            Self::AttachmentEnds => "attachment-ends",
            Self::AttachmentBlocks => "attachment-blocks",
            Self::AttachmentsMissing => "attachments-missing",
        }
    }

    /// Whether values end in a seal.
    pub(crate) const fn is_sealed(self) -> bool {
        matches!(
            self,
            Self::Certificates
                | Self::StateKeys
                | Self::StateNodes
                | Self::StateValues
                | Self::Authors
                | Self::Epochs
                | Self::Undecided
                | Self::Objects
                | Self::ObjectIds
                | Self::AttachmentUses
                | Self::AttachmentsMissing
        )
    }

    /// Whether the column grows with every record.
    pub(crate) const fn is_busy(self) -> bool {
        matches!(
            self,
            Self::Entries
                | Self::Ids
                | Self::References
                | Self::Digests
                | Self::Tiles
                | Self::Undecided
                | Self::Timestamps
                | Self::TimestampOrder
        )
    }

    /// Whether keys are hashes: looked up one by one, mostly absent, not worth compressing.
    pub(crate) const fn is_hashed(self) -> bool {
        matches!(self, Self::Ids | Self::References | Self::Digests | Self::Timestamps)
    }
}

/// Bytes of a seal.
pub(crate) const SEAL_BYTES: usize = 8;

/// What a sealed value ends in.
pub(crate) fn seal(column: Column, key: &[u8], value: &[u8]) -> [u8; SEAL_BYTES] {
    let hash = sha256(&[column.name().as_bytes(), &[0], key, value]);
    hash[..SEAL_BYTES].try_into().expect("8 of 32 bytes")
}

/// A place for messages: column, and key in hexadecimal or, where it is text, as it is.
pub(crate) fn place(column: Column, key: &[u8]) -> String {
    let printable = !key.is_empty() && key.iter().all(|b| b.is_ascii_graphic());
    let key = if printable { String::from_utf8_lossy(key).into_owned() } else { hex(key) };
    format!("{} {key}", column.name())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string");
        text
    })
}

/// Which tree a tile belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tree {
    /// Over the records.
    Log,
    /// Over the header hashes.
    History,
}

/// `tree 1 ‖ level 1 ‖ tile 8`; the level counts tiles, not tree levels.
pub(crate) fn tile_key(tree: Tree, level: u8, tile: u64) -> [u8; 10] {
    let mut key = [0; 10];
    key[0] = tree as u8;
    key[1] = level;
    key[2..].copy_from_slice(&tile.to_be_bytes());
    key
}

/// `author ‖ 0`: the prefix of an author's rows.
pub(crate) fn author_prefix(author: &Did) -> Vec<u8> {
    [author.as_str().as_bytes(), &[0]].concat()
}

/// `author ‖ 0 ‖ first index 8`.
pub(crate) fn author_key(author: &Did, first: LogIndex) -> Vec<u8> {
    [author.as_str().as_bytes(), &[0], &first.0.to_be_bytes()].concat()
}

/// `algorithm 1 ‖ digest`: the prefix of a digest's rows.
pub(crate) fn digest_prefix(digest: &DocumentDigest) -> Vec<u8> {
    [&[digest.algorithm() as u8], digest.as_bytes()].concat()
}

/// `algorithm 1 ‖ digest ‖ index 8 ‖ entry 2`.
pub(crate) fn digest_key(algorithm: u8, digest: &[u8], index: LogIndex, entry: u16) -> Vec<u8> {
    [&[algorithm], digest, &index.0.to_be_bytes(), &entry.to_be_bytes()].concat()
}

/// SHA-256 of a public digest: the name that EBSI's timestamp interface gives it.
pub(crate) fn timestamp_key(digest: &[u8]) -> [u8; 32] {
    sha256(&[digest])
}

/// `index 8 ‖ entry 2`.
pub(crate) fn timestamp_value(index: LogIndex, entry: u16) -> [u8; 10] {
    let mut value = [0; 10];
    value[..8].copy_from_slice(&index.0.to_be_bytes());
    value[8..].copy_from_slice(&entry.to_be_bytes());
    value
}

/// `kind ‖ 0 ‖ term ‖ 0`: the prefix of a list's rows.
pub(crate) fn term_prefix(kind: &str, term: &str) -> Vec<u8> {
    [kind.as_bytes(), &[0], term.as_bytes(), &[0]].concat()
}

/// `SHA-256 32 ‖ list ‖ 0 ‖ version 8`.
pub(crate) fn attachment_use_key(sha256: &AttachmentHash, list: &str, version: u64) -> Vec<u8> {
    [sha256.as_bytes(), list.as_bytes(), &[0], &version.to_be_bytes()].concat()
}

/// `time 8 ‖ key of the use`.
pub(crate) fn attachment_end_key(time: UnixTime, usage: &[u8]) -> Vec<u8> {
    [&time.0.to_be_bytes(), usage].concat()
}

/// First 16 bytes of SHA-256(author ‖ 0 ‖ jti). Two of one's own references may be made to collide with 2^64 work,
/// which only refuses one's own record, on all nodes alike.
pub(crate) fn reference_key(author: &Did, jti: &Reference) -> [u8; 16] {
    let hash = sha256(&[author.as_str().as_bytes(), &[0], jti.as_str().as_bytes()]);
    hash[..16].try_into().expect("16 of 32 bytes")
}

/// `index 8 ‖ time 8`.
pub(crate) fn reference_value(index: LogIndex, time: UnixTime) -> [u8; 16] {
    pair(index.0, time.0)
}

/// `time 8 ‖ height 8`.
pub(crate) fn time_key(time: UnixTime, height: Height) -> [u8; 16] {
    pair(time.0, height.0)
}

/// `height 8 ‖ round 4 ‖ value id 80`.
pub(crate) fn undecided_key(height: Height, round: Round, value: &ValueId) -> Vec<u8> {
    [&height.0.to_be_bytes()[..], &round.0.to_be_bytes(), &value.to_bytes()].concat()
}

/// `key hash 32 ‖ version 8`.
pub(crate) fn state_value_key(key_hash: &[u8; 32], version: u64) -> [u8; 40] {
    let mut key = [0; 40];
    key[..32].copy_from_slice(key_hash);
    key[32..].copy_from_slice(&version.to_be_bytes());
    key
}

/// `version 8 ‖ node key`.
pub(crate) fn state_stale_key(version: u64, node: &[u8]) -> Vec<u8> {
    [&version.to_be_bytes(), node].concat()
}

/// Two numbers.
pub(crate) fn pair(first: u64, second: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&first.to_be_bytes());
    bytes[8..].copy_from_slice(&second.to_be_bytes());
    bytes
}

/// The number in the first eight bytes; `None` when there are fewer.
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|b| u64::from_be_bytes(*b))
}

/// The number in the last eight bytes.
pub(crate) fn last_number(bytes: &[u8]) -> Option<u64> {
    bytes.last_chunk().map(|b| u64::from_be_bytes(*b))
}
