//! Bounds of the daemon, each with its reason.

use std::time::Duration;

/// Free disk below which a node takes no more records: a thousand full blocks with their indexes, so that what is
/// already accepted is written long before the disk is full.
pub(crate) const FREE_BYTES_MIN: u64 = 2 * 1024 * 1024 * 1024;
/// How often free disk is looked at: at the highest measured rate a node writes well below 100 MiB in this time.
pub(crate) const FREE_BYTES_INTERVAL: Duration = Duration::from_secs(2);
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
