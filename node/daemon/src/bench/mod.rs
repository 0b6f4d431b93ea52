//! `testamur bench`: four validators of its own on this machine, measured beside the machine's limits in the same run:
//! notarising and keeping, with `--bulk` lists and folders, with `--registries` the registries, with `--diplomas` a
//! university's graduation, with `--gateway` a gateway.
//!
//! Figures mean something only as a share of the limits next to them; no test asserts them.

mod bulk;
mod diplomas;
mod gateway;
mod keeping;
mod limits;
mod load;
mod process;
mod registries;

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use hyper::body::Bytes;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use testamur_client::author::Author;
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::genesis::Parameters;
use testamur_primitives::hash::GenesisHash;
use testamur_primitives::record::{Act, Bytes as Entry};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;
use tokio::runtime::Runtime;

use crate::commands::init::TERM_S;
use crate::exit::{CommandError, Exit};
use crate::keystore::{Access, Key, KeyKind, Protection};
use crate::output::{Output, now};
use crate::service::allocator;
use crate::setup::layout::Ports;
use crate::setup::{LegalPerson, Plan, key_path, make_network};
use limits::{MachineLimits, percentile};
use load::Throughput;

/// Validators of the measured network.
const VALIDATORS: usize = 4;
/// Authors of the load: one author may use only its share of the pool.
const AUTHORS: usize = 16;
/// Commitments in a record of the second flood: as many as one may hold.
const FULL_ENTRIES: usize = 512;
/// One record of the second flood for this many of the first, so that both take about as long.
const FULL_SHARE: u32 = 20;
/// Heights of one record each that are measured one after another.
const SINGLE_HEIGHTS: usize = 60;
/// How long the network may take to be ready.
const READY_MAX: Duration = Duration::from_secs(60);

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Records handed in for the highest rate
    #[arg(long, default_value_t = 40_000, value_parser = clap::value_parser!(u32).range(100..=2_000_000))]
    records: u32,
    /// Connections that hand them in
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    connections: u16,
    /// Seconds of steady load at half the highest rate
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=600))]
    steady_s: u16,
    /// Directory for the network; made and removed
    #[arg(long)]
    dir: Option<PathBuf>,
    /// First port
    #[arg(long, default_value_t = 18_080, value_parser = clap::value_parser!(u16).range(Ports::BASE_MIN as i64..=Ports::BASE_MAX as i64))]
    base_port: u16,
    /// Keep the directory: ledgers and logs of the nodes
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    bulk: bulk::Size,
    #[command(flatten)]
    size: registries::Size,
    #[command(flatten)]
    graduation: diplomas::Size,
    #[command(flatten)]
    gateway: gateway::Size,
}

/// What a run found.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    limits: MachineLimits,
    validators: usize,
    record_bytes: usize,
    /// One record at a time: a height's cost with nothing else to do.
    single: Latency,
    /// The engine's own time for those heights, mean: what consensus costs before the ledger adds anything.
    engine_height_ms: f64,
    flood: Throughput,
    /// Records of 512 commitments each, as fast as they are taken.
    full: Throughput,
    full_record_bytes: usize,
    /// Commitments that became final a second in those.
    hashes_s: f64,
    steady: Steady,
    /// Share of one core's strict Ed25519 rate that the flood needed for verifying each record once a node.
    verify_share: f64,
    keeping: keeping::Report,
}

#[derive(Debug, Serialize)]
struct Machine {
    cores: usize,
    system: String,
}

impl Machine {
    fn this() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let system = std::fs::read_to_string("/proc/version").unwrap_or_default();
        Self { cores, system: system.split(" (").next().unwrap_or_default().to_owned() }
    }
}

#[derive(Debug, Clone, Serialize)]
struct Latency {
    samples: usize,
    p50_ms: f64,
    p99_ms: f64,
}

#[derive(Debug, Serialize)]
struct Steady {
    rate_s: f64,
    to_final: Latency,
}

impl Latency {
    fn of(sorted_ms: &[f64]) -> Self {
        Self { samples: sorted_ms.len(), p50_ms: percentile(sorted_ms, 0.5), p99_ms: percentile(sorted_ms, 0.99) }
    }
}

/// The nodes of the measured network; stopped when dropped.
struct Nodes {
    dir: PathBuf,
    children: Vec<Child>,
    api: Vec<SocketAddr>,
    /// The first one's metrics.
    admin: SocketAddr,
}

/// The network that is measured.
#[derive(Clone, Copy)]
struct Network<'a> {
    dir: &'a Path,
    /// What its readers trust.
    trust: &'a TrustFile,
    nodes: &'a Nodes,
}

/// What was measured.
enum Found {
    Notary(Box<Report>),
    Bulk(bulk::Report),
    Registries(registries::Report),
    Diplomas(diplomas::Report),
    Gateway(gateway::Report),
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for child in &mut self.children {
            // Gone already, or to be gone now: the ledger is thrown away.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Bench {
    /// Measures.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        self.size.check()?;
        let dir = self
            .dir
            .clone()
            .unwrap_or_else(|| std::env::temp_dir().join(format!("testamur-bench-{}", std::process::id())));
        output.note("measuring this machine's limits");
        let parent = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let limits = MachineLimits::measure(parent).map_err(|e| CommandError::file("write in", parent, e))?;
        let measured = self.measure(&dir, limits, output);
        if !self.keep {
            // What was measured does not depend on it.
            let _ = std::fs::remove_dir_all(&dir);
        }
        match measured? {
            Found::Notary(report) => output.result(&report, || table(&report)),
            Found::Bulk(report) => output.result(&report, || bulk::table(&report)),
            Found::Registries(report) => output.result(&report, || registries::table(&report)),
            Found::Diplomas(report) => output.result(&report, || diplomas::table(&report)),
            Found::Gateway(report) => output.result(&report, || gateway::table(&report)),
        }
        Ok(Exit::Ok)
    }

    /// Makes a network, starts it, and measures what was asked for.
    fn measure(&self, dir: &Path, limits: MachineLimits, output: &Output) -> Result<Found, CommandError> {
        let person = |name: &str| LegalPerson { name: name.into(), country: "EU".into() };
        let time = now()?;
        let ports = Ports { host: IpAddr::V4(Ipv4Addr::LOCALHOST), base: self.base_port };
        let plan = Plan {
            domain: "bench.testamur.example".into(),
            name: "bench".into(),
            time,
            validators: (0..VALIDATORS).map(|i| person(&format!("Benchmark {i}"))).collect(),
            operators: vec![person("Benchmark 0")],
            approvals_required: 1,
            authors: AUTHORS,
            not_after: UnixTime(time.0 + TERM_S),
            parameters: Parameters::default(),
            ports,
            public_base: format!("http://{}", ports.api(0)),
            protection: Protection::InsecureDev,
        };
        let made = make_network(&plan, dir, |_, _| Ok(()))?;
        output.note("starting four validators");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|e| failed(e.to_string()))?;
        let mut nodes = start(dir, &ports)?;
        runtime.block_on(ready(&nodes.api))?;
        let network = Network { dir, trust: &made.trust, nodes: &nodes };
        if self.size.registries {
            return self.measure_registries(&network, &runtime, limits, output).map(Found::Registries);
        }
        if self.graduation.diplomas {
            return self.measure_diplomas(&network, &runtime, limits, output).map(Found::Diplomas);
        }
        if self.gateway.gateway {
            return self.measure_gateway(&network, &ports, &runtime, limits, output).map(Found::Gateway);
        }
        if let Some(documents) = self.bulk.bulk {
            return self.measure_bulk(documents, &network, limits, output).map(Found::Bulk);
        }
        let trust = made.trust.network();
        self.measure_notary(dir, trust, &mut nodes, &runtime, limits, output)
            .map(|report| Found::Notary(Box::new(report)))
    }

    fn measure_notary(
        &self,
        dir: &Path,
        network: GenesisHash,
        nodes: &mut Nodes,
        runtime: &Runtime,
        limits: MachineLimits,
        output: &Output,
    ) -> Result<Report, CommandError> {
        let authors = read_authors(dir, network)?;
        output.note("one record at a time");
        let single = sign(&authors, SINGLE_HEIGHTS)?;
        let record_bytes = single[0].len();
        let mut times = Vec::new();
        for record in single {
            times.extend(runtime.block_on(load::pace(&nodes.api[..1], vec![record], 1.0)).map_err(failed)?);
        }
        times.sort_by(f64::total_cmp);
        let single = Latency::of(&times);
        let engine_height_ms = runtime.block_on(load::engine_height_ms(nodes.admin)).map_err(failed)?;

        output.note(format!("{} records as fast as they are taken", self.records));
        let records = sign(&authors, self.records as usize)?;
        let flood =
            runtime.block_on(load::flood(&nodes.api, records, load::JOSE, self.connections.into())).map_err(failed)?;

        let rate_s = flood.final_s / 2.0;
        output.note(format!("{rate_s:.0} records a second for {} s", self.steady_s));
        let records = sign(&authors, (rate_s * f64::from(self.steady_s)).ceil() as usize)?;
        let times = runtime.block_on(load::pace(&nodes.api, records, rate_s)).map_err(failed)?;
        let steady = Steady { rate_s, to_final: Latency::of(&times) };
        let singles = (SINGLE_HEIGHTS + self.records as usize + times.len()) * record_bytes;
        let keeping = self.measure_keeping(dir, network, nodes, runtime, singles as u64, output)?;

        let records = sign_many(&authors, (self.records / FULL_SHARE).max(1) as usize, FULL_ENTRIES)?;
        let full_record_bytes = records[0].len();
        output.note(format!("{} records of {FULL_ENTRIES} commitments as fast as they are taken", records.len()));
        let full =
            runtime.block_on(load::flood(&nodes.api, records, load::JOSE, self.connections.into())).map_err(failed)?;
        let verify_share = flood.final_s * VALIDATORS as f64 / limits.ed25519_strict_s;
        Ok(Report {
            machine: Machine::this(),
            limits,
            validators: VALIDATORS,
            record_bytes,
            single,
            engine_height_ms,
            flood,
            hashes_s: full.final_s * FULL_ENTRIES as f64,
            full,
            full_record_bytes,
            steady,
            verify_share,
            keeping,
        })
    }
}

fn failed(what: String) -> CommandError {
    CommandError::failed("bench.failed", what, "run again with --keep and read the nodes' logs")
}

fn read_authors(dir: &Path, network: GenesisHash) -> Result<Vec<Author>, CommandError> {
    let access = Access { passphrase: None, insecure_dev: true };
    (0..AUTHORS)
        .map(|i| {
            let place = if i == 0 { dir.join("gateway") } else { dir.join(format!("author-{i}")) };
            let key = Key::read(&key_path(&place, KeyKind::Author), KeyKind::Author, &access)
                .map_err(|e| failed(e.to_string()))?;
            Ok(Author::new(key.into_signing(), network))
        })
        .collect()
}

/// Signs records of one commitment each, the authors in turn.
fn sign(authors: &[Author], count: usize) -> Result<Vec<Bytes>, CommandError> {
    sign_many(authors, count, 1)
}

/// Signs records of `entries` commitments each, the authors in turn. No two commitments of a call are the same.
fn sign_many(authors: &[Author], count: usize, entries: usize) -> Result<Vec<Bytes>, CommandError> {
    (0..count)
        .map(|number| {
            let commitments = number * entries..(number + 1) * entries;
            let act = Act::Notarise {
                alg: DigestAlgorithm::Sha2_256,
                form: Form::Commitment,
                // By hashing: commitments are spread evenly, and a store sees them so.
                entries: commitments.map(|i| Entry(Sha256::digest(i.to_be_bytes()).to_vec())).collect(),
                reference: None,
            };
            let record = authors[number % authors.len()].sign(act).map_err(|e| failed(e.to_string()))?;
            Ok(Bytes::copy_from_slice(record.as_bytes()))
        })
        .collect()
}

fn start(dir: &Path, ports: &Ports) -> Result<Nodes, CommandError> {
    let api = (0..VALIDATORS).map(|node| ports.api(node)).collect();
    let mut nodes = Nodes { dir: dir.to_owned(), children: Vec::new(), api, admin: ports.admin(0) };
    (0..VALIDATORS).try_for_each(|node| nodes.start(node))?;
    Ok(nodes)
}

impl Nodes {
    /// Starts a node, for the first time or after it was killed.
    fn start(&mut self, node: usize) -> Result<(), CommandError> {
        let binary = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
        let place = self.dir.join(format!("node-{node}"));
        let log = place.join("log");
        let file = File::options().create(true).append(true).open(&log);
        let child = Command::new(&binary)
            .envs(allocator())
            .arg("run")
            .arg("--config")
            .arg(place.join("config.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file.map_err(|e| CommandError::file("create", &log, e))?)
            .spawn()
            .map_err(|e| CommandError::file("start", &binary, e))?;
        match self.children.get_mut(node) {
            Some(place) => *place = child,
            None => self.children.push(child),
        }
        Ok(())
    }

    /// Kills a node: nothing is flushed, nobody is told.
    fn kill(&mut self, node: usize) {
        // Gone already is as good.
        let _ = self.children[node].kill();
        let _ = self.children[node].wait();
    }
}

/// Waits until every node answers and has a block: then a quorum is there.
async fn ready(nodes: &[SocketAddr]) -> Result<(), CommandError> {
    let start = Instant::now();
    for node in nodes {
        loop {
            match load::log_size(*node).await {
                Ok(_) => break,
                Err(error) if start.elapsed() > READY_MAX => return Err(failed(error)),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
    Ok(())
}

fn table(report: &Report) -> String {
    let Report { machine, limits, single, flood, steady, .. } = report;
    let row = |name: &str, value: String, limit: String| format!("  {name:<38} {value:>14}   {limit}\n");
    let mut text = format!(
        "{} validators on one machine: {} cores, {}; records of {} bytes with one hash each\n\n",
        report.validators, machine.cores, machine.system, report.record_bytes
    );
    text += &row(
        "final records/s",
        format!("{:.0}", flood.final_s),
        format!(
            "verifying each once a node: {:.0} % of one core's {:.0} strict Ed25519/s",
            100.0 * report.verify_share,
            limits.ed25519_strict_s
        ),
    );
    text += &row(
        "time to final at half load, p50",
        format!("{:.0} ms", steady.to_final.p50_ms),
        format!("{:.0} records/s, {} samples", steady.rate_s, steady.to_final.samples),
    );
    text += &row("time to final at half load, p99", format!("{:.0} ms", steady.to_final.p99_ms), String::new());
    text += &row(
        "a height with one record, p50",
        format!("{:.1} ms", single.p50_ms),
        format!("{:.0} fdatasync/s on this disk", limits.fdatasync_s),
    );
    text += &row("a height with one record, p99", format!("{:.1} ms", single.p99_ms), String::new());
    text += &row("the engine's own time for it, mean", format!("{:.1} ms", report.engine_height_ms), String::new());
    text += &row(
        "hashes/s in records of 512",
        format!("{:.0}", report.hashes_s),
        format!(
            "{:.0} records/s of {} bytes: {:.1} MB/s of records",
            report.full.final_s,
            report.full_record_bytes,
            report.full.final_s * report.full_record_bytes as f64 / 1e6
        ),
    );
    text += &report.keeping.rows();
    text += "\nlimits of this machine, one core, same run\n";
    text += &limits.rows();
    text
}
