//! Every bound of the HTTP side, each with its reason.

use std::time::Duration;

use testamur_primitives::limits::{ATTACHMENT_BYTES_MAX, RECORD_BYTES_MAX};

/// Connections at once: each costs at most about 150 KiB of buffers, so 1,024 of them stay well below 200 MiB.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Connections at once from one neighbourhood (IPv4 /24, IPv6 /48): a quarter of all, so that nobody takes all the places.
/// Loopback is exempt: a reverse proxy's connections all come from there.
pub const CONNECTIONS_PER_PREFIX_MAX: usize = CONNECTIONS_MAX / 4;
/// Time for a TLS handshake: three round trips on a bad line.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time from the first to the last byte of a request's headers, and of idling between requests (slowloris).
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a request's body: 64 KiB on a 64 kbit/s line take 8 s, the largest status list on a 512 kbit/s line 7 s.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// Time between two pieces of a body.
pub const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time in which a client must take some of what it is sent (slow read).
pub const WRITE_STALL_TIMEOUT: Duration = Duration::from_secs(20);
/// Time for a whole request, the wait for finality included.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(45);
/// An HTTP/2 connection without a stream is closed after this long.
pub const H2_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Time that running requests get when the server stops.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request line and headers: four times what browsers send.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Header fields of a request.
pub const HEADERS_MAX: usize = 64;
/// Age at which a connection is told to end: long enough for any honest use, short enough that nobody holds a place.
pub const CONNECTION_LIFETIME: Duration = Duration::from_secs(600);
/// Pause after a failed accept: descriptors come back when connections end.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes of a submission in JSON: a record, an attachment in base64url, and the members around them.
pub const SUBMISSION_BYTES_MAX: usize = RECORD_BYTES_MAX + ATTACHMENT_BYTES_MAX.div_ceil(3) * 4 + 1_024;
/// Bytes of a body that any server reads unless told otherwise: the largest submission and a little, so that each route's
/// own rule can speak.
pub const BODY_BYTES_MAX: u64 = SUBMISSION_BYTES_MAX as u64 + 16 * 1024;
/// Streams at once of an HTTP/2 connection: clients open 100 before they have heard of any limit (RFC 9113 §6.5.2).
pub const H2_STREAMS_MAX: u32 = 128;
/// Receive window of an HTTP/2 stream: one record.
pub const H2_STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// Receive window of an HTTP/2 connection: what it can make the server hold.
pub const H2_CONNECTION_WINDOW_BYTES: u32 = 128 * 1024;
/// Streams that a client may reset before they are accepted (rapid reset).
pub const H2_RESET_STREAMS_MAX: usize = 20;
/// Bytes of a request for a backup: one path of at most 4,096 bytes, escaped.
pub const BACKUP_REQUEST_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a query string: two DIDs and some numbers.
pub const QUERY_BYTES_MAX: usize = 2_048;
/// Requests at once; most of them wait for finality and hold little.
pub const REQUESTS_MAX: usize = 4_096;
/// Bytes of bodies being read at once, over all requests.
pub const BODY_BYTES_IN_FLIGHT_MAX: usize = 32 * 1024 * 1024;
/// Reads of the ledger at once: more threads do not read faster from one disk.
pub const READS_MAX: usize = 32;
/// How long a request may wait for its turn to read.
pub const READ_QUEUE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long `?wait=final` waits before it answers 202: three rounds with a dead proposer each.
pub const WAIT_FINAL_TIMEOUT: Duration = Duration::from_secs(20);
/// Items of a page when the client does not say.
pub const PAGE_ITEMS_DEFAULT: usize = 50;
/// Items of a page at most: 100 records of full size are 9 MiB of JSON, and no more.
pub const PAGE_ITEMS_MAX: usize = 100;
/// Epochs of a page at most: each may hold 64 validators.
pub const PAGE_EPOCHS_MAX: usize = 20;
/// Blocks of one answer of the block stream when the client does not say.
pub const STREAM_BLOCKS_DEFAULT: usize = 100;
/// `Retry-After` of an overloaded server.
pub const RETRY_AFTER_S: u32 = 2;
/// Bytes of large answers held at once, until clients have taken them. An entry bundle may have 16 MiB.
pub const ANSWER_BYTES_IN_FLIGHT_MAX: usize = 256 * 1024 * 1024;
/// From here on an answer counts as large: what is smaller is bounded by the number of connections.
pub const LARGE_ANSWER_BYTES: u64 = 64 * 1024;
/// State keys of one question for evidence: a chain's worth; more would be a copy of the state, one proof at a time.
pub const STATE_KEYS_MAX: usize = 32;
/// Objects that a list filtered by what holds now looks through: the DIDs that a ministry may control.
pub const FILTERED_OBJECTS_MAX: u64 = 4_096;
/// Status lists beside one trust chain: a revocation and a suspension list of two faculties.
pub const CHAIN_LISTS_MAX: usize = 4;
/// Bytes of a refused body that are still read, so that a caller in the middle of sending sees the answer and not a broken
/// connection: more than any JSON body of a service here may have.
pub const REFUSED_BYTES_MAX: usize = 24 * 1024 * 1024;
/// Time that reading the rest of a refused body may take.
pub const REFUSED_TIMEOUT: Duration = Duration::from_secs(2);
/// Proposals that are looked at for those that wait for approvals: with their approvals they must fit in one proof.
pub const OPEN_PROPOSALS_MAX: usize = 10;
