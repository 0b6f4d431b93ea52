//! R29, and the faults under which R18, R19 and R24 run: in each window of time one node is paused, or dies and comes back.
//! Nodes 0 and 1 are never killed: what their memory and descriptors do over the run tells of leaks.

use std::fs;
use std::time::{Duration, Instant};

use super::Tally;
use crate::campaign::Random;
use crate::harness::{Network, Written};

/// How often memory and descriptors are looked at.
const SAMPLE: Duration = Duration::from_secs(2);
/// Descriptors that a node may have more in the second half of a run than in the first: connections come and go.
const DESCRIPTORS_MORE: u64 = 256;
/// Memory that a node may grow by between the halves: memory tables and caches of the database fill up to their bounds.
const GROWTH_MIB: u64 = 192;

struct Sample {
    at: Instant,
    resident_kib: u64,
    descriptors: u64,
}

/// The operator's diary.
pub(super) struct Soak {
    random: Random,
    began: Instant,
    ended: Instant,
    /// Of nodes 0 and 1.
    samples: [Vec<Sample>; 2],
    kills: u64,
    pauses: u64,
    ready: Vec<Duration>,
    disk: [(u64, u64); 2],
    bad: Vec<String>,
}

impl Soak {
    pub(super) fn begin(network: &Network, seed: u64) -> Self {
        let now = Instant::now();
        let mut soak = Self {
            random: Random::of(seed, 29),
            began: now,
            ended: now,
            samples: [Vec::new(), Vec::new()],
            kills: 0,
            pauses: 0,
            ready: Vec::new(),
            disk: [(0, 0); 2],
            bad: Vec::new(),
        };
        soak.disk[0] = disk(network);
        soak
    }

    /// What happened to the nodes.
    pub(super) fn events(&self) -> u64 {
        self.kills + self.pauses
    }

    /// One window: some quiet, a fault, some quiet.
    pub(super) fn window(&mut self, network: &mut Network, length: Duration) {
        let end = Instant::now() + length;
        let quiet = self.random.time(length / 10..length / 3);
        self.watch(network, Instant::now() + quiet);
        if self.random.chance(50) {
            self.pauses += 1;
            let node = self.random.index(network.nodes.len());
            let pause = self.random.time(Duration::from_secs(1)..Duration::from_secs(4));
            network.signal(node, "STOP");
            std::thread::sleep(pause);
            network.signal(node, "CONT");
        } else {
            self.kills += 1;
            let node = 2 + self.random.index(network.nodes.len() - 2);
            network.kill(node);
            std::thread::sleep(self.random.time(Duration::ZERO..Duration::from_secs(2)));
            let began = Instant::now();
            network.start_node(node);
            network.wait_ready();
            self.ready.push(began.elapsed());
        }
        self.watch(network, end);
    }

    fn watch(&mut self, network: &mut Network, end: Instant) {
        while Instant::now() < end {
            for node in 0..network.nodes.len() {
                if network.has_ended(node) {
                    self.bad.push(format!("node {node} ended by itself:\n{}", network.last_words(node)));
                    network.start_node(node);
                }
            }
            for node in 0..2 {
                self.samples[node].extend(network.pid(node).and_then(sample));
            }
            std::thread::sleep(SAMPLE.min(end.saturating_duration_since(Instant::now())));
        }
    }

    pub(super) fn end(&mut self, network: &Network) {
        self.ended = Instant::now();
        self.disk[1] = disk(network);
    }

    /// What came of it; `written` is every record that was sent.
    pub(super) fn tally(&self, written: &[Written]) -> Tally {
        let mut tally = Tally { bad: self.bad.clone(), ..Tally::default() };
        let minutes = (self.ended - self.began).as_secs_f64() / 60.0;
        tally.good = minutes.ceil() as u64;
        let mut tell = |name: &'static str, value: String| tally.metrics.push((name, value));
        tell("kills", self.kills.to_string());
        tell("pauses", self.pauses.to_string());
        let mut ready = self.ready.clone();
        ready.sort_unstable();
        tell("ready-max-s", format!("{:.2}", ready.last().copied().unwrap_or_default().as_secs_f64()));

        let (mut grown, mut slope, mut descriptors) = (0, 0.0f64, 0);
        for samples in &self.samples {
            // The first tenth fills caches.
            let settled = &samples[samples.len() / 10..];
            let (first, second) = settled.split_at(settled.len() / 2);
            let most = |part: &[Sample], what: fn(&Sample) -> u64| part.iter().map(what).max().unwrap_or(0);
            let of = |what| most(second, what).saturating_sub(most(first, what));
            grown = grown.max(of(|sample| sample.resident_kib) / 1024);
            descriptors = descriptors.max(of(|sample| sample.descriptors));
            slope = slope.max(mib_a_minute(settled));
        }
        let resident = self.samples.iter().flatten().map(|sample| sample.resident_kib).max().unwrap_or(0) / 1024;
        tell("rss-max-mib", resident.to_string());
        tell("rss-grown-mib", grown.to_string());
        tell("rss-mib-per-min", format!("{slope:.1}"));
        tell("descriptors-grown", descriptors.to_string());
        let (bytes, records) = (self.disk[1].0.saturating_sub(self.disk[0].0), self.disk[1].1 - self.disk[0].1);
        tell("disk-bytes-per-record", (bytes / records.max(1)).to_string());
        let middle = self.began + (self.ended - self.began) / 2;
        let (early, late) = (p99(written, self.began, middle), p99(written, middle, self.ended));
        tell("final-p99-first-half-s", format!("{:.2}", early.as_secs_f64()));
        tell("final-p99-second-half-s", format!("{:.2}", late.as_secs_f64()));
        let rate = written.iter().filter(|w| w.index.is_some()).count() as f64 / (minutes * 60.0);
        tell("records-per-s", format!("{rate:.0}"));
        if grown > GROWTH_MIB {
            tally.bad.push(format!("a node's memory grew by {grown} MiB between the halves of the run"));
        }
        if descriptors > DESCRIPTORS_MORE {
            tally.bad.push(format!("a node had {descriptors} descriptors more in the second half of the run"));
        }
        tally
    }
}

fn sample(pid: u32) -> Option<Sample> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let resident_kib = line.trim().strip_suffix(" kB")?.parse().ok()?;
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
    Some(Sample { at: Instant::now(), resident_kib, descriptors })
}

/// Least squares over the second half.
fn mib_a_minute(samples: &[Sample]) -> f64 {
    let samples = &samples[samples.len() / 2..];
    let Some(first) = samples.first() else { return 0.0 };
    let points: Vec<_> = samples
        .iter()
        .map(|sample| ((sample.at - first.at).as_secs_f64() / 60.0, sample.resident_kib as f64 / 1024.0))
        .collect();
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), point| {
        (above + (point.0 - x) * (point.1 - y), below + (point.0 - x).powi(2))
    });
    if below == 0.0 { 0.0 } else { above / below }
}

/// Bytes of node 0's ledger, and records in it.
fn disk(network: &Network) -> (u64, u64) {
    fn bytes(folder: &std::path::Path) -> u64 {
        // Files of the database come and go while one looks.
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
                Ok(metadata) => metadata.len(),
                Err(_) => 0,
            })
            .sum()
    }
    let records = network.get(0, "/v1/status").and_then(|status| status.json()["log_size"].as_u64());
    (bytes(&network.nodes[0].dir.join("data")), records.unwrap_or(0))
}

fn p99(written: &[Written], from: Instant, to: Instant) -> Duration {
    let within = written.iter().filter(|w| w.index.is_some() && from <= w.sent && w.sent < to);
    let mut times: Vec<_> = within.map(|w| w.answered - w.sent).collect();
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}
