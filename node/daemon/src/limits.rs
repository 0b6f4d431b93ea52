//! Bounds of the daemon, each with its reason.

use std::time::Duration;

/// Free disk below which a node takes no more records: a thousand full blocks with their indexes, so that what is
/// already accepted is written long before the disk is full.
pub(crate) const FREE_BYTES_MIN: u64 = 2 * 1024 * 1024 * 1024;
/// Open files that a node asks for: connections of the API, the admin listener and peers, and the database's files, four
/// times over.
pub(crate) const DESCRIPTORS_MAX: u64 = 8_192;
/// Open files below which a node warns: 1,024 connections of the API, 256 tables, and as many of everything else.
pub(crate) const DESCRIPTORS_MIN: u64 = 2_048;
/// How often free disk is looked at: records are refused within a second of the disk running low, whoever fills it, and
/// asking costs microseconds. At the highest measured rate a node writes some 10 MiB in this time.
pub(crate) const FREE_BYTES_INTERVAL: Duration = Duration::from_millis(500);
/// Heartbeats without a block after which a node is not ready.
pub(crate) const HEARTBEATS_MISSED_MAX: u64 = 3;
/// Missing attachments that `/readyz` counts: beyond, it says that many.
pub(crate) const LACKING_COUNTED_MAX: usize = 1_000;
/// Pause between two steps of the background scrub: a step costs some milliseconds, so it takes about a hundredth of a core.
pub(crate) const SCRUB_PAUSE: Duration = Duration::from_secs(1);
/// Submissions whose time to final is being measured at once; beyond it some are not measured.
pub(crate) const MEASURED_MAX: usize = 20_000;
/// Measured times that percentiles are taken over.
pub(crate) const MEASUREMENTS_KEPT: usize = 4_096;
/// Bytes of a config.toml: 64 peers are about 10 KB.
pub(crate) const CONFIG_BYTES_MAX: usize = 256 * 1024;
/// How long `dev` waits for all its nodes to be ready.
pub(crate) const DEV_READY_MAX: Duration = Duration::from_secs(60);
/// How long a child of `dev` gets to stop before it is killed.
pub(crate) const DEV_STOP_MAX: Duration = Duration::from_secs(20);
/// Blocks asked for at once while following: an answer of 8 MiB ends earlier where blocks are large.
pub(crate) const FOLLOW_BLOCKS_MAX: usize = 256;
/// Pause before nodes that had nothing new are asked again: a fifth of the time to final that people notice.
pub(crate) const FOLLOW_PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest such pause: an idle network makes a block a minute, a busy one is asked more often.
pub(crate) const FOLLOW_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often followed nodes are asked how far they are.
pub(crate) const FOLLOW_HEIGHTS_INTERVAL: Duration = Duration::from_secs(3);
/// How long a node is left out that sent what the network did not decide: long enough that it costs nothing, short
/// enough that a repaired node is of use again.
pub(crate) const FOLLOW_LEFT_OUT: Duration = Duration::from_secs(300);
/// Missing attachments asked for in one go: 16 of 256 KiB.
pub(crate) const FOLLOW_ATTACHMENTS_MAX: usize = 16;
/// Silence of all followed nodes after which a node is not ready: each of them was asked several times.
pub(crate) const FOLLOW_SILENCE_MAX: Duration = Duration::from_secs(15);
/// How long a node may take to take a record that is passed on to it: it checks, and does not wait for finality.
pub(crate) const PASS_ON_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the configuration file's time of change is looked at.
pub(crate) const CONFIG_INTERVAL: Duration = Duration::from_secs(10);
/// How long a candidate waits for its own `synced` record to become final before it publishes another.
pub(crate) const SYNCED_AGAIN: Duration = Duration::from_secs(15);
/// How long a validator that starts asks the nodes that it follows how far they are: they may all be starting, too.
pub(crate) const CATCH_UP_FIRST_MAX: Duration = Duration::from_secs(4);
/// How long a validator out of office waits to see the block that was decided without it, before it follows all the same:
/// such a block takes a heartbeat, the longest of which is minutes.
pub(crate) const LEAVE_MAX: Duration = Duration::from_secs(180);
/// Seconds between two polls of an audit: a fork is seen well before people act on its receipts, and a poll of nodes with
/// nothing new costs four requests each.
pub(crate) const AUDIT_INTERVAL_S: u64 = 10;
/// Old blocks of each node that an audit reads again each poll: at its usual interval a million blocks in two days.
pub(crate) const AUDIT_AGAIN: u16 = 64;
/// How long the command for findings may take: it sends a message, and must not hold the next poll up.
pub(crate) const AUDIT_HOOK_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of evidence of a fork: two checkpoints with 64 validators each, and 1,000 epochs.
pub(crate) const AUDIT_EVIDENCE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How often a node looks whether it is ready, for its log: what lasts shorter is seen by nobody anyway.
pub(crate) const READINESS_INTERVAL: Duration = Duration::from_secs(1);
/// Settings of the C library's allocator (mallopt(3)) for a node that this program starts. By itself it has eight heaps for
/// each core, keeps in each what its threads have freed, and puts ever larger blocks there: 617 MiB after 20,000 DIDs on two
/// cores. With four heaps, and blocks of 1 MiB given back as soon as they are free, 318 MiB. Records become final as fast (with
/// blocks of 128 KiB 7 in a hundred fewer), and a second of a core reads 4,360 times from the registry in place of 4,738.
pub(crate) const ALLOCATOR: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "4"), ("MALLOC_MMAP_THRESHOLD_", "1048576"), ("MALLOC_TRIM_THRESHOLD_", "1048576")];
