//! Every bound of the client, each with its reason.

use std::time::Duration;

/// Nodes that a client is given: more adds nothing to availability, and every one is asked in turn.
pub const NODES_MAX: usize = 64;
/// A TCP and TLS handshake with a node that is there takes well under this; a longer wait hides a dead node.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// One request that waits for nothing: a lookup on a busy node, over a slow line.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// One request for blocks: 8 MiB on a line of 2 Mbit/s.
pub const BLOCKS_TIMEOUT: Duration = Duration::from_secs(40);
/// How long one node is waited for to report a record final before the next node gets the same bytes: a few rounds of
/// consensus, so that a node cut off from the others does not use up the whole time.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(6);
/// How long a record is waited for in all, unless the caller says otherwise: finality takes well below a second, a
/// dead proposer costs one more, and callers' own HTTP clients often give up at 30 s.
pub const FINAL_TIMEOUT: Duration = Duration::from_secs(25);
/// How long one node is waited for while a receipt is looked for at several: a lookup takes milliseconds.
pub const LOOK_TIMEOUT_MAX: Duration = Duration::from_secs(2);
/// The last look, at the end of the time, still gets this long.
pub const LOOK_TIMEOUT_MIN: Duration = Duration::from_millis(250);
/// First pause between two looks for a receipt; it grows by half each time.
pub const POLL_PAUSE_MIN: Duration = Duration::from_millis(40);
/// Longest pause between two looks for a receipt.
pub const POLL_PAUSE_MAX: Duration = Duration::from_millis(500);
/// How long a record may enter the ledger after it was signed. Short, so that an unknown outcome becomes a known one
/// soon; long enough for an author's clock that is some minutes slow.
pub const RECORD_LIFE_S: u64 = 3_600;
/// Bytes of a node's JSON answer other than a receipt: a page of a list, a practice statement with 64 validators.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a problem document: a title, a sentence and a code. What is longer is cut off, not refused.
pub const PROBLEM_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a gateway's problem document: with 10,000 openings of about 1.3 KB when the outcome is unknown.
pub const PENDING_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes read at a time from a document: large enough for full hashing speed, small enough for the CPU's cache.
pub const READ_BYTES: usize = 64 * 1024;
/// Bytes of a gateway's answer with many receipts: 10,000 receipts of about 8 KB.
pub const RECEIPTS_BYTES_MAX: usize = 128 * 1024 * 1024;
/// How long a gateway is waited for, besides the upload itself: its own wait for finality and some room.
pub const UPLOAD_TIMEOUT_BASE: Duration = Duration::from_secs(60);
/// The slowest line on which an upload is still waited for.
pub const UPLOAD_BYTES_PER_S_MIN: u64 = 32 * 1024;
/// How old a header may be that a registry is read under: five heartbeats of an idle network.
pub const EVIDENCE_AGE_S: u64 = 300;
/// How long nodes that are a block behind get to catch up: gossip of a decided block takes well below a second.
pub const BEHIND_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before nodes that are behind are asked again.
pub const BEHIND_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of the query that asks for state keys: what nodes read of a query string, less some room.
pub const STATE_QUERY_BYTES_MAX: usize = 1_800;
/// State keys asked for at once.
pub const STATE_KEYS_PER_REQUEST: usize = 32;
/// How often a read starts again because a block was decided while its keys were gathered: a busy ledger decides some
/// blocks a second, and a read takes some milliseconds.
pub const GATHER_RESTARTS_MAX: usize = 20;
/// Answers that are remembered while proofs are gathered for one batch: issuers, by kind of credential.
pub const GATHERED_ANSWERS_MAX: usize = 256;
/// Status lists that are remembered meanwhile: at most 256 KiB each.
pub const GATHERED_LISTS_MAX: usize = 96;
/// Faults of nodes that are kept for whoever asks: as many as there may be nodes.
pub const PASSED_OVER_MAX: usize = NODES_MAX;
/// Documents of a chunk of a receipt container: part of the format. One path costs the hashes of one chunk, and each
/// chunk costs 40 bytes of memory.
pub const CHUNK_ENTRIES: usize = 1_024;
/// Bytes of a document's name in a container: the longest path that Linux opens (PATH_MAX); part of the format.
pub const NAME_BYTES_MAX: usize = 4_096;
/// Bytes of a container's settings: a few hundred patterns.
pub const SETTINGS_BYTES_MAX: usize = 64 * 1024;
/// Bytes of chunks that may be written before they are synced: what a power cut can take. A sync costs some
/// milliseconds, so at 300 MB/s of chunks they take about a twentieth of the time.
pub const SYNC_BYTES: u64 = 64 * 1024 * 1024;
/// Files that are being hashed, or wait for one before them that takes longer: names of about 100 bytes, so 10 MB. With
/// fewer, all threads would wait behind one large file.
pub const FILES_WINDOW: usize = 65_536;
/// How often a file is read that changes meanwhile: once more than once, for those that were just being closed.
pub const CHANGING_TRIES_MAX: usize = 2;
/// Directories within one another: each is open memory, and paths end at 4,096 bytes anyway.
pub const FOLDER_DEPTH_MAX: usize = 1_024;
/// Bytes of a line of a list: a digest, and a name of 4,096 bytes that is written with escapes.
pub const LINE_BYTES_MAX: usize = 32 * 1024;
/// Bytes read at a time from a list: ten chunks of lines.
pub const LIST_READ_BYTES: usize = 1024 * 1024;
/// Chunks of lines in memory for each thread, read or not: 100 KB each, 32 MB where every line is the longest.
pub const LIST_WINDOW_A_THREAD: usize = 8;
/// Faults of a list that are told: who has made more than these has made one mistake many times.
pub const ROW_FAULTS_MAX: usize = 20;
/// Proofs of older headers that are remembered while receipts are refreshed: 1 KB each at most.
pub const HISTORIES_MAX: usize = 16_384;
/// Bytes of the words of a finding of an audit: a node's own problems are in them, which may be anything.
pub const FINDING_BYTES_MAX: usize = 2_000;
/// Bytes of a line of what an auditor has seen: a header of 2 KiB and a certificate of 64 KiB, both escaped as JSON.
pub const ARCHIVE_LINE_BYTES_MAX: usize = 160 * 1024;
/// Bytes of what an auditor remembers of its nodes: 64 nodes of 5 KB each, and a finding for each.
pub const AUDIT_STATE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Files of evidence that an auditor keeps: a node that lies differently each time must not fill the disk.
pub const EVIDENCE_FILES_MAX: usize = 256;
/// Seconds without a block below which an auditor never says that the ledger stalls: a dead proposer and a slow line cost
/// some seconds even where blocks come each second.
pub const STALL_MIN_S: u64 = 15;
/// Blocks that an auditor asks for at once: an answer of 8 MiB ends earlier where blocks are large.
pub const AUDIT_BLOCKS_MAX: usize = 256;
