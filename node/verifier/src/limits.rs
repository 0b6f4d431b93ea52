//! Every bound of the verifier, each with its reason.

use std::time::Duration;

/// Items of a batch: what an admissions office gets on a day. Larger ones come as several requests.
pub const ITEMS_MAX: usize = 1_000;
/// Bytes of one file of a batch: the largest package. A file that is larger is asked about by itself.
pub const ITEM_BYTES_MAX: usize = testamur_credentials::limits::PACKAGE_BYTES_MAX;
/// Bytes of one file's JSON in a batch: the file in base64, and a receipt beside it.
pub const ITEM_TEXT_BYTES_MAX: usize = ITEM_BYTES_MAX / 3 * 4 + 512 * 1024;
/// Bytes of the body of a batch: a thousand packages of 96 KiB in base64, twice. It is read piece by piece and never held.
pub const BATCH_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Characters of the name that a caller gives an item.
pub const ID_CHARS_MAX: usize = 256;
/// Batches at once: each may hold answers of [`ANSWER_BYTES_MAX`] and one unfinished item.
pub const BATCHES_MAX: usize = 4;
/// Bytes of answers of a batch that wait for the rest of its body: a thousand reports of about 8 KB, twice. A caller that sends
/// everything before it reads is answered whatever it sends; only beyond this bound must it read while it sends.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Kibibytes of files between their arrival and their verdict, of all callers. Who comes when all is taken waits, and with him
/// his connection: back-pressure. Four of the largest files fit.
pub const FILES_KIB_MAX: usize = 128 * 1024;
/// Files of one batch that are worked on at once, for each core: one is verified, the other is fetched for.
pub const ITEMS_PER_CORE: usize = 2;
/// How long a single file waits for room before the caller is told to come again.
pub const ROOM_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes that a multipart reader may hold back: a part's headers, or the search for a boundary.
pub const MULTIPART_BUFFER_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes of headers that a part may have besides: a long file name in percent encoding.
pub const MULTIPART_PART_BYTES: u64 = 2048;
/// Time between two pieces of a body: callers are on the same machine or in the same building.
pub const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// After this grace a body must have come at [`BODY_BYTES_PER_S_MIN`] on average: a byte every 4 s would hold a place for
/// ever. Time that the service itself lets a body wait does not count.
pub const BODY_GRACE: Duration = Duration::from_secs(15);
/// Slowest body that is waited for: half a megabit a second.
pub const BODY_BYTES_PER_S_MIN: u64 = 64 * 1024;
/// Connections at once: callers are a few programs of one office, each with a pool.
pub const CONNECTIONS_MAX: usize = 256;
/// Requests at once.
pub const REQUESTS_MAX: usize = 256;
/// Age at which a connection is told to end.
pub const CONNECTION_LIFETIME: Duration = Duration::from_secs(3_600);
/// Time that running requests get when the service stops: a batch of a thousand takes seconds.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);
/// Characters of an `Authorization` header that are looked at.
pub const AUTHORIZATION_CHARS_MAX: usize = 512;
/// Characters that a token must have: 128 bits in hexadecimal or base64 are 22 or more.
pub const TOKEN_CHARS_MIN: usize = 20;
/// Hosts that a configuration may name.
pub const HOSTS_MAX: usize = 256;
/// Age up to which proofs of an issuer are used again, unless configured: a revocation shows within this time, and a thousand
/// diplomas of one university cost one look at the ledger.
pub const PROOF_AGE_DEFAULT: Duration = Duration::from_secs(60);
/// Greatest age that may be configured: beyond it "not withdrawn" would be an old tale.
pub const PROOF_AGE_MAX: Duration = Duration::from_secs(3_600);
/// Questions whose proofs are kept at once, by issuer, kind of diploma, list and day of issue: about 100 KB each with three dense
/// lists.
pub const QUESTIONS_MAX: usize = 512;
/// How long an unreachable ledger is left alone before the nodes are asked again: a batch of a thousand does not wait a
/// thousand times.
pub const AWAY_PAUSE: Duration = Duration::from_secs(5);
