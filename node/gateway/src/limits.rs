//! Every bound of the gateway, each with its reason.

use std::time::Duration;

/// How long a request waits for others to share its record. Far below the time to finality, so nobody notices it; long
/// enough that callers who come together cost one signature and one record.
pub const BATCH_WINDOW_DEFAULT: Duration = Duration::from_millis(20);
/// Longest window that a configuration may ask for: callers wait this long on an idle gateway.
pub const BATCH_WINDOW_MAX: Duration = Duration::from_secs(10);
/// Documents after which a window closes early: the largest request fits, and a tree of this size takes milliseconds.
pub const BATCH_DOCUMENTS_MAX: usize = 10_000;
/// Digests of one `POST /v1/hashes`: the openings of an unknown outcome then stay below 16 MiB of JSON.
pub const HASHES_MAX: usize = 10_000;
/// Bytes of the JSON of `POST /v1/hashes`: 10,000 objects with a SHA-512 digest in hexadecimal are 1.7 MB.
pub const HASHES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of the JSON of `POST /v1/receipts`: 10,000 openings of about 1.3 KB.
pub const PENDING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Files of one multipart request: a folder dropped by a person. Programs send digests.
pub const FILES_MAX: usize = 1_000;
/// Bytes that a multipart reader may hold back: a part's headers, or the search for a boundary. Without this bound a
/// part's headers could grow for ever.
pub const MULTIPART_BUFFER_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes of headers that a part may have besides: a long file name in percent encoding.
pub const MULTIPART_PART_BYTES: u64 = 2048;
/// Time between two pieces of a body: a mobile line's pause.
pub const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// After this grace a body must have come at [`BODY_BYTES_PER_S_MIN`] on average: a byte every 29 s would hold a place
/// for ever.
pub const BODY_GRACE: Duration = Duration::from_secs(60);
/// Slowest body that is waited for: a tenth of the slowest useful line.
pub const BODY_BYTES_PER_S_MIN: u64 = 1024;
/// Requests with documents at once, of all callers: each holds at most about 1.5 MiB of buffers.
pub const UPLOADS_MAX: usize = 256;
/// Kibibytes of JSON bodies in memory at once, of all callers: 64 MiB of text, about three times that once parsed.
pub const JSON_KIB_IN_FLIGHT_MAX: usize = 64 * 1024;
/// Documents between their digest and their receipt, of all callers: about 600 bytes each, 120 MB at most.
pub const DOCUMENTS_IN_FLIGHT_MAX: usize = 200_000;
/// Windows whose records are on their way at once. When all are taken the next window stays open and grows, which is
/// what a slow network needs.
pub const WINDOWS_IN_FLIGHT_MAX: usize = 16;
/// With this many windows on their way, its own counted, or fewer, a pause closes a window: callers in step with one another come at
/// once, and one alone waits for nobody. With more, each window takes all that its time brings, so that records are shared.
pub const CALM_WINDOWS_IN_FLIGHT: usize = 2;
/// Pauses in a window's time: a pause of 2.5 ms in one of 20.
pub const WINDOW_PAUSES: u32 = 8;
/// Shortest pause: what the threads that take requests need to hand them on, on a busy machine.
pub const WINDOW_PAUSE_MIN: Duration = Duration::from_millis(1);
/// How long a record is looked for on `POST /v1/receipts`: the caller waited before.
pub const RESUME_TIMEOUT: Duration = Duration::from_secs(5);
/// How long `GET /v1/status` waits for a node.
pub const STATUS_TIMEOUT: Duration = Duration::from_secs(4);
/// Tokens in a file: one a calling system, and each is compared with every time.
pub const TOKENS_MAX: usize = 1_024;
/// Bytes of a tokens file: 1,024 entries of about 200 bytes.
pub const TOKENS_BYTES_MAX: u64 = 512 * 1024;
/// Characters of an `Authorization` header that are looked at: a token has 43.
pub const AUTHORIZATION_CHARS_MAX: usize = 256;
/// Hosts that a configuration may name.
pub const HOSTS_MAX: usize = 256;
/// Age at which a connection is told to end: an upload of any size must fit, and 24 hours are 1 TB at 100 Mbit/s.
pub const CONNECTION_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Connections at once: callers are a few back offices, each with a pool.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Requests at once; those beyond [`UPLOADS_MAX`] are refused with a reason after their token is checked.
pub const REQUESTS_MAX: usize = 1_024;
/// Time that running requests get when the gateway stops: what is signed should get its receipt.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of rows of diplomas in one request: 10,000 rows of 3 KB.
pub const ROWS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Diplomas of one request: a whole graduation, and what is answered line by line stays readable.
pub const ROWS_MAX: usize = 10_000;
/// Bytes of a change of diplomas: corrections bring their rows with them.
pub const CHANGE_BYTES_MAX: usize = ROWS_BYTES_MAX + 64 * 1024;
/// Requests that wait for the desk while another is at work: it does one thing at a time, and each waits with its body in memory.
pub const DESK_WAITING_MAX: usize = 8;
/// Bytes that the archive's database keeps in memory.
pub const STORE_CACHE_BYTES: usize = 64 * 1024 * 1024;
/// Bytes that must be free on the archive's disk before anything new is taken: what is on its way then still finds room for its
/// receipts, 200,000 documents of about 1 KB.
pub const DISK_FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// Bytes of what receipts share that are kept in memory: four thousand records of about 8 KB.
pub const STENCILS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Requests on a page of the list, unless another number is asked for.
pub const LISTING_DEFAULT: usize = 100;
/// Requests on a page of the list: about 300 bytes each.
pub const LISTING_MAX: usize = 1_000;
/// Requests that are looked at for a page of the list: some 50 ms.
pub const LISTING_LOOKS_MAX: usize = 5_000;
/// Bytes of the JSON of a batch's root: it has about 150.
pub const BATCH_BYTES_MAX: usize = 4 * 1024;
/// Steps that one commit makes durable: with 10,000 openings in each, a transaction stays below 150 MB.
pub const STEPS_PER_COMMIT_MAX: usize = 64;
/// Steps that wait for the disk: as many as there can be requests, and as many again of those that come back from the ledger.
pub const STEPS_WAITING_MAX: usize = 4_096;
/// Bytes of a backup between two commits: what it holds in memory.
pub const BACKUP_COMMIT_BYTES: usize = 16 * 1024 * 1024;
/// Documents in the queue, of all callers: a day's work of a large archive without network, 40 MB on disk.
pub const QUEUE_DOCUMENTS_MAX: u64 = 1_000_000;
/// Pause before a node is asked again whether it takes records; it doubles up to [`RETRY_PAUSE_MAX`].
pub const RETRY_PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longest pause before the network is tried again: a queue moves on within a minute after the network is back.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);
/// After its expiry and this margin a record that no node has is given up: clocks of a network differ by less.
pub const EXPIRY_MARGIN_S: u64 = 600;
/// How long every node is asked for a record that expired, before it is given up.
pub const FIND_TIMEOUT: Duration = Duration::from_secs(10);
/// Characters of an idempotency key: a UUID has 36.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// Bytes of a line of a stream of hashes: a SHA-512 digest in hexadecimal and its algorithm are 180.
pub const NDJSON_LINE_BYTES_MAX: usize = 1_024;
/// Lines of a stream that go under one record: 500 KB of openings, and their receipts come some 8 MB at a time.
pub const NDJSON_CHUNK: usize = 1_000;
/// After this pause those lines go on their way that have come: a caller that waits for its receipt gets it.
pub const NDJSON_CHUNK_PAUSE: Duration = Duration::from_millis(20);
/// Records of one stream on their way at once: enough to hide the time to finality, and few enough for 256 streams.
pub const NDJSON_CHUNKS_IN_FLIGHT: usize = 4;
/// Lines of an answer that wait for their caller: 8 KB each.
pub const NDJSON_ANSWERS_WAITING: usize = 64;
/// How long a receiver of webhooks is waited for: it notes the message and answers.
pub const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(15);
/// Seconds before a message is sent again, attempt after attempt: four days in all, a long weekend.
pub const WEBHOOK_PAUSES_S: [u64; 11] =
    [1, 5, 60, 300, 1_800, 2 * 3_600, 5 * 3_600, 10 * 3_600, 24 * 3_600, 24 * 3_600, 24 * 3_600];
/// Messages on their way at once: a receiver is one back office.
pub const WEBHOOK_AT_ONCE: usize = 8;
/// Messages that are taken up at once.
pub const WEBHOOK_ROUND: usize = 256;
/// Longest pause between two looks for messages that are due.
pub const WEBHOOK_IDLE_PAUSE: Duration = Duration::from_secs(60);
/// Pause between two looks at the tokens' file: a token that was taken away is refused after this long.
pub const TOKENS_LOOK_PAUSE: Duration = Duration::from_secs(1);
