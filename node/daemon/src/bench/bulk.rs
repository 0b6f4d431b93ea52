//! `testamur bench --bulk N`: a list of N digests, and a folder, each notarised under one record by the command that an
//! administration uses, in a process of its own against four validators.
//!
//! Beside the figures: what the machine's SHA-256 allows, on all cores at once. A document of a list costs about seven
//! compressions (salt 2, commitment 2, leaf 1, node of the tree 2), and as many again when the container is read back.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::limits::MachineLimits;
use super::{Bench, Machine, Network, failed, process};
use crate::exit::CommandError;
use crate::output::Output;
use crate::setup::key_path;

/// Bytes that SHA-256 works through for one salted document of a batch: seven blocks of 64.
const HASHED_BYTES: f64 = 448.0;
/// Bytes of each file of the folder: documents of an office are about this large.
const FILE_BYTES: usize = 256 * 1024;
/// How long all cores hash for the limit.
const SLICE: Duration = Duration::from_millis(1_500);
/// How often the memory of a process is looked at.
const POLL: Duration = Duration::from_millis(20);

/// How much.
#[derive(Debug, Args)]
pub(super) struct Size {
    /// Measure bulk notarisation: a list of this many digests, and a folder
    #[arg(long, value_name = "DIGESTS", conflicts_with_all = ["registries", "diplomas"], value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    pub(super) bulk: Option<u64>,
    /// Size of the folder
    #[arg(long, value_name = "MIB", requires = "bulk", default_value_t = 2_048, value_parser = clap::value_parser!(u32).range(16..=1_000_000))]
    folder_mib: u32,
}

/// What a run found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: Machine,
    limits: MachineLimits,
    /// SHA-256 of large input on all cores at once.
    sha256_all_cores_bytes_s: f64,
    list: Notarised,
    list_bytes: u64,
    container_bytes: u64,
    /// Digests a second, from the start of the command until the container has its receipt.
    documents_s: f64,
    /// Of those the list read, the tree made and the container written, without reading back and without the ledger.
    gathered_documents_s: f64,
    /// That rate's hashing, as a share of the machine's.
    gathered_share: f64,
    folder: Notarised,
    folder_bytes: u64,
    /// Bytes of the folder hashed a second, container included.
    folder_bytes_s: f64,
    /// That, as a share of the machine's SHA-256.
    folder_share: f64,
    /// Seconds to compare the folder with its container.
    folder_verified_s: f64,
    load_average: f64,
}

/// One run of `testamur notarise`.
#[derive(Debug, Serialize)]
struct Notarised {
    documents: u64,
    seconds: f64,
    took: Took,
    peak_rss_bytes: u64,
}

/// What the command says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Took {
    gathered_s: f64,
    read_back_s: f64,
    anchored_s: f64,
}

#[derive(Deserialize)]
struct Told {
    documents: u64,
    took: Took,
}

impl Bench {
    /// Notarises a list and a folder.
    pub(super) fn measure_bulk(
        &self,
        documents: u64,
        network: &Network<'_>,
        limits: MachineLimits,
        output: &Output,
    ) -> Result<Report, CommandError> {
        let list = network.dir.join("list.csv");
        let written = |e| CommandError::file("write", &list, e);
        output.note(format!("writing a list of {documents} digests"));
        write_list(&list, documents).map_err(written)?;
        let list_bytes = fs::metadata(&list).map_err(written)?.len();
        output.note("notarising the list");
        let flag = PathBuf::from("--hashes");
        let (listed, container_bytes) = notarise(network, &[&flag, &list])?;
        // Room for the folder.
        let _ = fs::remove_file(&list);
        let _ = fs::remove_file(network.dir.join("list.csv.receipts"));

        let folder = network.dir.join("folder");
        output.note(format!("writing a folder of {} MiB", self.bulk.folder_mib));
        let folder_bytes =
            write_folder(&folder, self.bulk.folder_mib).map_err(|e| CommandError::file("write", &folder, e))?;
        output.note("notarising the folder");
        let sha256_all_cores_bytes_s = all_cores();
        let (foldered, _) = notarise(network, &[&folder])?;
        let start = Instant::now();
        run(network, "verify", &[&folder])?;
        let folder_verified_s = start.elapsed().as_secs_f64();

        let gathered_documents_s = documents as f64 / listed.took.gathered_s;
        let folder_bytes_s = folder_bytes as f64 / foldered.took.gathered_s;
        Ok(Report {
            machine: Machine::this(),
            limits,
            sha256_all_cores_bytes_s,
            list_bytes,
            container_bytes,
            documents_s: documents as f64 / listed.seconds,
            gathered_documents_s,
            gathered_share: gathered_documents_s * HASHED_BYTES / sha256_all_cores_bytes_s,
            list: listed,
            folder: foldered,
            folder_bytes,
            folder_bytes_s,
            folder_share: folder_bytes_s / sha256_all_cores_bytes_s,
            folder_verified_s,
            load_average: process::load_average(),
        })
    }
}

/// Runs `testamur notarise`; returns what it took and the container's size.
fn notarise(network: &Network<'_>, arguments: &[&Path]) -> Result<(Notarised, u64), CommandError> {
    let start = Instant::now();
    let (text, peak_rss_bytes) = run(network, "notarise", arguments)?;
    let seconds = start.elapsed().as_secs_f64();
    let Told { documents, took } = serde_json::from_slice(&text).map_err(|e| failed(format!("notarise: {e}")))?;
    let mut container = arguments[arguments.len() - 1].as_os_str().to_owned();
    container.push(".receipts");
    let bytes = fs::metadata(&container).map_err(|e| CommandError::file("read", Path::new(&container), e))?.len();
    Ok((Notarised { documents, seconds, took, peak_rss_bytes }, bytes))
}

/// Runs a command of this binary to its end; returns what it printed and the most memory that it was seen to hold.
fn run(network: &Network<'_>, command: &str, arguments: &[&Path]) -> Result<(Vec<u8>, u64), CommandError> {
    let binary = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
    let printed = network.dir.join(format!("{command}.json"));
    let file = File::create(&printed).map_err(|e| CommandError::file("create", &printed, e))?;
    let mut process = Command::new(&binary);
    process.args([command, "--json"]).args(arguments).arg("--trust").arg(network.dir.join("trust.json"));
    if command == "notarise" {
        let key = key_path(&network.dir.join("gateway"), crate::keystore::KeyKind::Author);
        process.arg("--insecure-dev").arg("--key").arg(key);
        for node in &network.nodes.api {
            process.arg("--node").arg(format!("http://{node}"));
        }
    }
    let child = process.stdin(Stdio::null()).stdout(file).spawn();
    let mut child = child.map_err(|e| CommandError::file("start", &binary, e))?;
    let mut peak = 0;
    let status = loop {
        // None of one that has just ended.
        peak = process::peak_resident_bytes(child.id()).unwrap_or(0).max(peak);
        match child.try_wait().map_err(|e| failed(e.to_string()))? {
            Some(status) => break status,
            None => std::thread::sleep(POLL),
        }
    };
    let text = fs::read(&printed).map_err(|e| CommandError::file("read", &printed, e))?;
    if status.success() { Ok((text, peak)) } else { Err(failed(format!("testamur {command} ended with {status}"))) }
}

/// A heading, and a line for each digest: what an archive's own system exports.
fn write_list(path: &Path, documents: u64) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    out.write_all(b"digest,name\n")?;
    for number in 0..documents {
        // Any 32 bytes do; made by hashing, as digests are.
        let digest = Sha256::digest(number.to_be_bytes());
        writeln!(out, "{},{number}", hex::encode(digest))?;
    }
    out.flush()
}

/// Files of no two equal blocks, a thousand a directory; in the page cache afterwards where there is room. Returns the bytes.
fn write_folder(folder: &Path, mib: u32) -> std::io::Result<u64> {
    let files = mib as usize * (1 << 20) / FILE_BYTES;
    let mut content = vec![0; FILE_BYTES];
    for number in 0..files {
        let directory = folder.join(format!("{}", number / 1_000));
        if number % 1_000 == 0 {
            fs::create_dir_all(&directory)?;
        }
        content[..8].copy_from_slice(&(number as u64).to_be_bytes());
        fs::write(directory.join(format!("{number}.pdf")), &content)?;
    }
    Ok((files * FILE_BYTES) as u64)
}

/// Bytes a second that all cores hash at once.
fn all_cores() -> f64 {
    let large = vec![7u8; 64 * 1024];
    let hash = || {
        let (start, mut bytes, mut hasher) = (Instant::now(), 0, Sha256::new());
        while start.elapsed() < SLICE {
            hasher.update(&large);
            bytes += large.len();
        }
        std::hint::black_box(hasher.finalize());
        bytes as f64 / start.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..testamur_client::bulk::threads()).map(|_| scope.spawn(hash)).collect();
        threads.into_iter().map(|thread| thread.join().expect("hashing does not panic")).sum()
    })
}

/// The figures, for people.
pub(super) fn table(report: &Report) -> String {
    let Report { machine, limits, list, folder, .. } = report;
    let row = |name: &str, value: String, beside: String| format!("  {name:<38} {value:>14}   {beside}\n");
    let (gb, mib) = (|bytes: u64| bytes as f64 / 1e9, |bytes: u64| bytes as f64 / f64::from(1 << 20));
    let parts = |took: &Took| {
        format!(
            "{:.1} s gathered and written, {:.1} s read back, {:.2} s on the ledger",
            took.gathered_s, took.read_back_s, took.anchored_s
        )
    };
    let mut text = format!(
        "under one record each, four validators beside it: {} cores, {}; load {:.1}\n\n",
        machine.cores, machine.system, report.load_average
    );
    text += &row(
        "a list of digests, whole",
        format!("{:.1} s", list.seconds),
        format!("{} lines, {:.2} GB, from a CSV file", list.documents, gb(report.list_bytes)),
    );
    text += &row("documents/s, whole", format!("{:.2} M", report.documents_s / 1e6), parts(&list.took));
    text += &row(
        "documents/s, gathered and written",
        format!("{:.2} M", report.gathered_documents_s / 1e6),
        format!("{:.0} % of this machine's SHA-256 on all cores", 100.0 * report.gathered_share),
    );
    text += &row(
        "memory of the command, at most",
        format!("{:.0} MiB", mib(list.peak_rss_bytes)),
        format!(
            "container of {:.2} GB, {:.1} bytes a document",
            gb(report.container_bytes),
            report.container_bytes as f64 / list.documents as f64
        ),
    );
    text += &row(
        "a folder, hashed and written",
        format!("{:.2} GB/s", report.folder_bytes_s / 1e9),
        format!(
            "{:.0} % of {:.2} GB/s, SHA-256 on all cores",
            100.0 * report.folder_share,
            report.sha256_all_cores_bytes_s / 1e9
        ),
    );
    text += &row(
        "a folder, whole",
        format!("{:.1} s", folder.seconds),
        format!("{} files, {:.2} GB: {}", folder.documents, gb(report.folder_bytes), parts(&folder.took)),
    );
    text += &row(
        "a folder compared with its container",
        format!("{:.1} s", report.folder_verified_s),
        format!("{:.0} MiB at most to notarise it", mib(folder.peak_rss_bytes)),
    );
    text += "\nlimits of this machine, one core, same run\n";
    text += &limits.rows();
    text
}
