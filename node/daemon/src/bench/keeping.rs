//! What a ledger costs whoever keeps it: a validator's memory and disk, how long it takes to start again, and how fast one
//! that was away catches up. Measured on the network that has just taken the load.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::runtime::Runtime;

use super::load::Throughput;
use super::{Bench, Nodes, VALIDATORS, failed, load, process, read_authors, sign};
use crate::exit::CommandError;
use crate::output::Output;

/// The validator that is away and catches up.
const AWAY: usize = VALIDATORS - 1;
/// The validator that is killed and started again.
const RESTARTED: usize = 1;
/// Records that it misses, at most: enough for a rate.
const MISSED_MAX: u32 = 40_000;
/// How long a validator may take to be there again.
const BACK_MAX: Duration = Duration::from_secs(600);
/// How often it is looked whether it is.
const POLL: Duration = Duration::from_millis(5);

/// What keeping costs.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Records in the log when this was measured.
    records: u64,
    /// Memory of the validator that holds most, at the end of the load.
    rss_bytes: u64,
    /// The most that any held since it was started.
    peak_rss_bytes: u64,
    /// Bytes of the records themselves.
    record_bytes: u64,
    /// Bytes on a validator's disk: its ledger, and the engine's log and guard. After a restart, so that all is written.
    ledger_bytes: u64,
    engine_bytes: u64,
    /// The ledger's bytes for each byte of a record.
    disk_share: f64,
    /// From the start of the process, killed before, until it answers with every record.
    restart_s: f64,
    /// Records that three validators took while the fourth was away.
    live: Throughput,
    /// From the start of the fourth until it has them all; its restart is in it.
    catch_up_s: f64,
    /// Records it caught up with a second.
    catch_up_rate_s: f64,
    /// That, times the rate at which they had become final.
    catch_up_share: f64,
}

impl Bench {
    /// Measures all of it; `record_bytes` were sent so far.
    pub(super) fn measure_keeping(
        &self,
        dir: &Path,
        network: testamur_primitives::hash::GenesisHash,
        nodes: &mut Nodes,
        runtime: &Runtime,
        record_bytes: u64,
        output: &Output,
    ) -> Result<Report, CommandError> {
        let (mut rss_bytes, mut peak_rss_bytes) = (0, 0);
        for child in &nodes.children {
            rss_bytes = rss_bytes.max(process::resident_bytes(child.id()).map_err(failed)?);
            peak_rss_bytes = peak_rss_bytes.max(process::peak_resident_bytes(child.id()).map_err(failed)?);
        }
        let records = runtime.block_on(load::log_size(nodes.api[0])).map_err(failed)?;

        output.note("a validator killed and started again");
        nodes.kill(RESTARTED);
        let restart_s = back(nodes, RESTARTED, records, runtime)?;
        let place = dir.join(format!("node-{RESTARTED}"));
        let ledger_bytes = disk_bytes(&place.join("data"));
        let engine_bytes = disk_bytes(&place.join("wal")) + disk_bytes(&place.join("guard"));

        let missed = self.records.min(MISSED_MAX);
        output.note(format!("{missed} records while a validator is away"));
        nodes.kill(AWAY);
        let missed = sign(&read_authors(dir, network)?, missed as usize)?;
        let live = load::flood(&nodes.api[..AWAY], missed, load::JOSE, self.connections.into());
        let live = runtime.block_on(live).map_err(failed)?;
        let goal = runtime.block_on(load::log_size(nodes.api[0])).map_err(failed)?;
        let catch_up_s = back(nodes, AWAY, goal, runtime)?;
        let catch_up_rate_s = live.records as f64 / catch_up_s;
        Ok(Report {
            records,
            rss_bytes,
            peak_rss_bytes,
            record_bytes,
            ledger_bytes,
            engine_bytes,
            disk_share: ledger_bytes as f64 / record_bytes as f64,
            restart_s,
            catch_up_share: catch_up_rate_s / live.final_s,
            live,
            catch_up_s,
            catch_up_rate_s,
        })
    }
}

impl Report {
    /// Lines of a table.
    pub(super) fn rows(&self) -> String {
        let row = |name: &str, value: String, beside: String| format!("  {name:<38} {value:>14}   {beside}\n");
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        row(
            "memory of a validator, the largest",
            format!("{:.0} MiB", mib(self.rss_bytes)),
            format!("{:.0} MiB at most so far; {} records in the log", mib(self.peak_rss_bytes), self.records),
        ) + &row(
            "disk for each byte of a record",
            format!("{:.2}", self.disk_share),
            format!(
                "{:.0} MiB for records of {:.0} MiB; beside it {:.0} MiB of the engine's",
                mib(self.ledger_bytes),
                mib(self.record_bytes),
                mib(self.engine_bytes)
            ),
        ) + &row("started again after kill -9", format!("{:.2} s", self.restart_s), format!("{} records", self.records))
            + &row(
                "catching up, records/s",
                format!("{:.0}", self.catch_up_rate_s),
                format!(
                    "{:.1} times the {:.0}/s at which three validators had made them final",
                    self.catch_up_share, self.live.final_s
                ),
            )
    }
}

/// Starts a validator and waits until it has `records`; returns the seconds.
fn back(nodes: &mut Nodes, node: usize, records: u64, runtime: &Runtime) -> Result<f64, CommandError> {
    let start = Instant::now();
    nodes.start(node)?;
    loop {
        if runtime.block_on(load::log_size(nodes.api[node])).is_ok_and(|size| size >= records) {
            return Ok(start.elapsed().as_secs_f64());
        }
        if start.elapsed() > BACK_MAX {
            return Err(failed(format!("node {node} was not back within ten minutes")));
        }
        std::thread::sleep(POLL);
    }
}

/// Bytes that a directory takes on disk.
fn disk_bytes(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return fs::metadata(path).map_or(0, |m| m.blocks() * 512) };
    entries.filter_map(Result::ok).map(|entry| disk_bytes(&entry.path())).sum()
}
