//! What a run found, as JSON and as a table.

use serde::Serialize;

use super::fill::Filled;
use super::reads::Reading;
use crate::bench::limits::MachineLimits;
use crate::bench::{Latency, Machine};

/// A trust chain bundle that a reader has checked.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Bundle {
    /// Accreditations from the issuer to the Root TAO.
    pub(super) links: usize,
    /// State keys proven.
    pub(super) keys: usize,
    /// Bytes of its JSON.
    pub(super) bytes: usize,
    /// After gzip.
    pub(super) gzip_bytes: Option<usize>,
    /// After gzip, without what grows with the network's age.
    pub(super) gzip_bytes_without_lists_and_epochs: Option<usize>,
}

/// A filled ledger and what was measured on it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Stage {
    /// DIDs on it.
    pub(super) dids: u64,
    /// Trusted issuers among them.
    pub(super) issuers: u64,
    /// Status lists.
    pub(super) lists: u64,
    /// What filling it up to here took.
    pub(super) filled: Filled,
    /// One record at a time: a height's cost with nothing else to do.
    pub(super) single: Latency,
    /// Memory of the node that holds most.
    pub(super) rss_bytes: u64,
    /// Files of a node.
    pub(super) disk_bytes: u64,
    /// Answers without any read of the ledger.
    pub(super) alive: Reading,
    /// Reads without proof.
    pub(super) plain: Reading,
    /// Reads with proof.
    pub(super) proven: Reading,
    /// Bundles of three accreditations.
    pub(super) chain: Reading,
    /// One of them.
    pub(super) bundle: Bundle,
    /// Processes that wanted a core when it was measured.
    pub(super) load_average: f64,
}

/// The last stage's figures over the first's: 1 is flat.
#[derive(Debug, Clone, Serialize)]
struct Growth {
    objects: f64,
    single_p50: f64,
    rss: f64,
    plain_alone_p50: f64,
    plain_cpu: f64,
    proven_alone_p50: f64,
    proven_cpu: f64,
    chain_alone_p50: f64,
    chain_alone_p99: f64,
    chain_cpu: f64,
}

/// What a run found.
#[derive(Debug, Serialize)]
pub(in crate::bench) struct Report {
    machine: Machine,
    limits: MachineLimits,
    validators: usize,
    stages: Vec<Stage>,
    growth: Growth,
}

impl Report {
    /// Of the stages, the smallest first; there is at least one.
    pub(super) fn new(machine: Machine, limits: MachineLimits, validators: usize, stages: Vec<Stage>) -> Self {
        let (first, last) = (&stages[0], &stages[stages.len() - 1]);
        let over = |of: &dyn Fn(&Stage) -> f64| of(last) / of(first);
        let growth = Growth {
            objects: over(&|s| s.dids as f64),
            single_p50: over(&|s| s.single.p50_ms),
            rss: over(&|s| s.rss_bytes as f64),
            plain_alone_p50: over(&|s| s.plain.alone.p50_ms),
            plain_cpu: over(&|s| 1.0 / s.plain.per_core_s),
            proven_alone_p50: over(&|s| s.proven.alone.p50_ms),
            proven_cpu: over(&|s| 1.0 / s.proven.per_core_s),
            chain_alone_p50: over(&|s| s.chain.alone.p50_ms),
            chain_alone_p99: over(&|s| s.chain.alone.p99_ms),
            chain_cpu: over(&|s| 1.0 / s.chain.per_core_s),
        };
        Self { machine, limits, validators, stages, growth }
    }
}

/// For people.
pub(in crate::bench) fn table(report: &Report) -> String {
    let Report { machine, limits, validators, stages, growth } = report;
    let mut text = format!(
        "{validators} validators on one machine: {} cores, {}; a core's figure is answers for each CPU second of the node\n\n",
        machine.cores, machine.system
    );
    let mut row = |name: &str, of: &dyn Fn(&Stage) -> String, growth: Option<f64>| {
        text += &format!("  {name:<46}");
        for stage in stages {
            text += &format!(" {:>12}", of(stage));
        }
        text += &growth.map_or_else(String::new, |growth| format!("   x {growth:.2}"));
        text.push('\n');
    };
    let whole = |value: f64| format!("{value:.0}");
    let ms = |value: f64| format!("{value:.2} ms");
    let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
    let kib =
        |bytes: Option<usize>| bytes.map_or_else(|| "no gzip".to_owned(), |b| format!("{:.1} KiB", b as f64 / 1024.0));
    row("DIDs", &|s| s.dids.to_string(), Some(growth.objects));
    row("trusted issuers", &|s| s.issuers.to_string(), None);
    row("status lists of 131,072 entries", &|s| s.lists.to_string(), None);
    row("DIDs final/s, each authorised by a chain", &|s| whole(s.filled.dids.final_s), None);
    row("accreditations reserved, final/s", &|s| whole(s.filled.reserved.final_s), None);
    row("accreditations filled, final/s", &|s| whole(s.filled.accredited.final_s), None);
    row("status lists published, final/s", &|s| whole(s.filled.lists.final_s), None);
    row("a height while DIDs are registered, mean", &|s| ms(s.filled.dids.height_ms), None);
    row("a height with one record, p50", &|s| ms(s.single.p50_ms), Some(growth.single_p50));
    row("a height with one record, p99", &|s| ms(s.single.p99_ms), None);
    row("memory of a node (RSS, the largest)", &|s| mib(s.rss_bytes), Some(growth.rss));
    row("files of a node", &|s| mib(s.disk_bytes), None);
    let mut reading = |name: &str, of: &dyn Fn(&Stage) -> &Reading, [cpu, p50, p99]: [Option<f64>; 3]| {
        row(&format!("{name}, a second and core"), &|s| whole(of(s).per_core_s), cpu);
        row("    a second, many at once", &|s| whole(of(s).per_s), None);
        row("    p99, many at once", &|s| ms(of(s).busy.p99_ms), None);
        row("    p50, alone", &|s| ms(of(s).alone.p50_ms), p50);
        row("    p99, alone", &|s| ms(of(s).alone.p99_ms), p99);
    };
    let Growth { plain_cpu, plain_alone_p50, proven_cpu, proven_alone_p50, .. } = *growth;
    let chain = [growth.chain_cpu, growth.chain_alone_p50, growth.chain_alone_p99];
    reading("no read (/v1/alive)", &|s| &s.alive, [None; 3]);
    reading("reads", &|s| &s.plain, [Some(plain_cpu), Some(plain_alone_p50), None]);
    reading("reads with proof", &|s| &s.proven, [Some(proven_cpu), Some(proven_alone_p50), None]);
    reading("trust chain bundles", &|s| &s.chain, chain.map(Some));
    row("a bundle, JSON", &|s| kib(Some(s.bundle.bytes)), None);
    row("a bundle, gzip", &|s| kib(s.bundle.gzip_bytes), None);
    row("    without lists and epochs", &|s| kib(s.bundle.gzip_bytes_without_lists_and_epochs), None);
    row("    state keys proven in it", &|s| s.bundle.keys.to_string(), None);
    row("load average of the machine meanwhile", &|s| format!("{:.1}", s.load_average), None);
    text += "\nlimits of this machine, one core, same run\n";
    text += &limits.rows();
    text
}
