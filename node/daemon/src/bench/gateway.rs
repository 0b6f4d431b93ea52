//! `testamur bench --gateway`: a gateway with its archive in front of four validators, as back offices use it.
//!
//! Each connection sends the next document when it has the receipt of the last, as HTTP/1.1 does it; nothing is left out on the way: the
//! archive is synchronised before a record leaves and before a receipt is handed over. Receipts are read again by their ids, as often as
//! the connections take them; what counts is what a core of the gateway does, since the load shares the machine with it.

use std::fs::File;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use hyper::body::Bytes;
use serde::Serialize;
use testamur_gateway::tokens::{Token, Tokens};
use testamur_primitives::receipt::Receipt;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::limits::MachineLimits;
use super::load::{Connection, log_size, refused};
use super::process::{cpu_seconds, load_average, peak_resident_bytes};
use super::{Bench, Latency, Machine, Network, READY_MAX, failed};
use crate::exit::CommandError;
use crate::output::{Output, now};
use crate::service::allocator;
use crate::setup::layout::Ports;

/// Connections of back offices.
const CONNECTIONS: usize = 64;
/// Bytes of a document.
const DOCUMENT_BYTES: usize = 1_024;
/// Documents of a request, when several are sent in one.
const FILES: usize = 16;
/// Requests before anything is measured: connections are made, and caches are warm.
const WARM_UP: usize = 512;
/// Connections that read receipts: enough to keep a core busy.
const READERS: usize = 16;

/// How many documents.
#[derive(Debug, Args)]
pub(super) struct Size {
    /// Measure a gateway
    #[arg(long, conflicts_with_all = ["registries", "diplomas", "bulk"])]
    pub(super) gateway: bool,
    /// Documents that are notarised one by one, and as many in requests of several
    #[arg(long, requires = "gateway", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    documents: u32,
    /// Receipts that are read again
    #[arg(long, requires = "gateway", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    reads: u32,
}

/// What a run found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: Machine,
    limits: MachineLimits,
    validators: usize,
    connections: usize,
    document_bytes: usize,
    receipt_bytes: usize,
    /// A document a request.
    one: Load,
    files_a_request: usize,
    /// Several documents a request.
    several: Load,
    reads: Reads,
    peak_rss_bytes: u64,
    archive_bytes: u64,
    load_average: f64,
}

/// What a closed loop achieved.
#[derive(Debug, Serialize)]
struct Load {
    documents: usize,
    /// Records that they share.
    records: u64,
    documents_s: f64,
    /// From the first byte of a request to the last of its receipts.
    to_receipt: Latency,
    /// Documents for each CPU second of the gateway.
    documents_per_core_s: f64,
}

#[derive(Debug, Serialize)]
struct Reads {
    receipts: usize,
    receipts_s: f64,
    /// Receipts for each CPU second of the gateway.
    per_core_s: f64,
}

/// The gateway's process; stopped when dropped.
struct Running {
    child: Child,
    address: SocketAddr,
    token: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already, or to be gone now: the archive is thrown away.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bench {
    /// Notarises through a gateway and reads receipts again.
    pub(super) fn measure_gateway(
        &self,
        network: &Network<'_>,
        ports: &Ports,
        runtime: &Runtime,
        limits: MachineLimits,
        output: &Output,
    ) -> Result<Report, CommandError> {
        let gateway = start(network, ports)?;
        runtime.block_on(ready(&gateway)).map_err(failed)?;
        let nodes = &network.nodes.api;
        let measure = |documents: usize, files: usize| {
            runtime.block_on(notarise(&gateway, nodes[0], documents, files)).map_err(failed)
        };
        output.note("warming up");
        measure(WARM_UP, 1)?;
        let count = self.gateway.documents as usize;
        output.note(format!("{count} documents from {CONNECTIONS} connections, one a request"));
        let (one, ids) = measure(count, 1)?;
        output.note(format!("{count} documents from {CONNECTIONS} connections, {FILES} a request"));
        let (several, _) = measure(count, FILES)?;
        let reads = self.gateway.reads as usize;
        output.note(format!("{reads} receipts read by id"));
        let (reads, receipt_bytes) = runtime.block_on(read(&gateway, ids, reads)).map_err(failed)?;
        let archive = network.dir.join("gateway/receipts.redb");
        let archive_bytes = std::fs::metadata(&archive).map_err(|e| CommandError::file("measure", &archive, e))?.len();
        Ok(Report {
            machine: Machine::this(),
            limits,
            validators: nodes.len(),
            connections: CONNECTIONS,
            document_bytes: DOCUMENT_BYTES,
            receipt_bytes,
            one,
            files_a_request: FILES,
            several,
            reads,
            peak_rss_bytes: peak_resident_bytes(gateway.child.id()).map_err(failed)?,
            archive_bytes,
            load_average: load_average(),
        })
    }
}

/// Starts the gateway that was made with the network, as `testamur gateway` does, with its archive.
fn start(Network { dir, nodes, .. }: &Network<'_>, ports: &Ports) -> Result<Running, CommandError> {
    let place = dir.join("gateway");
    let refused = |e: testamur_gateway::tokens::TokensError| failed(e.to_string());
    let token = Token::generate().map_err(refused)?;
    let mut tokens = Tokens::new();
    tokens.add("bench".parse().expect("a label"), &token, now()?).map_err(refused)?;
    tokens.save(&place.join("tokens.json")).map_err(refused)?;
    let binary = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
    let log = place.join("log");
    let file = File::create(&log).map_err(|e| CommandError::file("create", &log, e))?;
    let child = Command::new(&binary)
        .envs(allocator())
        .arg("gateway")
        .arg("--config")
        .arg(place.join("config.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .spawn()
        .map_err(|e| CommandError::file("start", &binary, e))?;
    Ok(Running { child, address: ports.gateway(nodes.api.len()), token: token.as_str().to_owned() })
}

async fn ready(gateway: &Running) -> Result<(), String> {
    let began = Instant::now();
    loop {
        match Connection::open(gateway.address).await {
            Ok(_) => return Ok(()),
            Err(error) if began.elapsed() > READY_MAX => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// The body of a request: documents that nobody has sent before.
fn body(run: u64, number: usize, files: usize) -> (Bytes, &'static str) {
    let document = |place: usize| {
        let mut document = vec![7; DOCUMENT_BYTES];
        document[..8].copy_from_slice(&run.to_be_bytes());
        document[8..16].copy_from_slice(&((number * FILES + place) as u64).to_be_bytes());
        document
    };
    if files == 1 {
        return (document(0).into(), "application/octet-stream");
    }
    let mut form = Vec::new();
    for place in 0..files {
        form.extend(b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n");
        form.extend(document(place));
        form.extend(b"\r\n");
    }
    form.extend(b"--b--\r\n");
    (form.into(), "multipart/form-data; boundary=b")
}

/// Sends documents over all connections; returns what was achieved, and the ids of the requests.
async fn notarise(
    gateway: &Running,
    node: SocketAddr,
    documents: usize,
    files: usize,
) -> Result<(Load, Vec<String>), String> {
    let (pid, records_before) = (gateway.child.id(), log_size(node).await?);
    let requests = documents.div_ceil(files);
    let run = getrandom::u64().map_err(|e| e.to_string())?;
    let next = Arc::new(AtomicUsize::new(0));
    let (began, cpu_before) = (Instant::now(), cpu_seconds(pid)?);
    let mut workers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let next = Arc::clone(&next);
        let (address, authorization) = (gateway.address, format!("Bearer {}", gateway.token));
        workers.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut found = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= requests {
                    return Ok::<_, String>(found);
                }
                let (body, kind) = body(run, number, files);
                let headers = [("authorization", authorization.as_str()), ("content-type", kind)];
                let sent = Instant::now();
                let (status, head, answer) = connection.request("POST", "/v1/documents", &headers, body).await?;
                if status != 200 {
                    return Err(refused(status, &answer));
                }
                let id = head.get("testamur-document").and_then(|id| id.to_str().ok());
                found.push((sent.elapsed().as_secs_f64() * 1e3, id.ok_or("no id")?.to_owned()));
            }
        });
    }
    let (mut times, mut ids) = (Vec::with_capacity(requests), Vec::with_capacity(requests));
    while let Some(done) = workers.join_next().await {
        for (ms, id) in done.map_err(|e| e.to_string())?? {
            times.push(ms);
            ids.push(id);
        }
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds(pid)? - cpu_before);
    times.sort_by(f64::total_cmp);
    let documents = requests * files;
    let load = Load {
        documents,
        records: log_size(node).await? - records_before,
        documents_s: documents as f64 / seconds,
        to_receipt: Latency::of(&times),
        documents_per_core_s: documents as f64 / cpu,
    };
    Ok((load, ids))
}

/// Reads receipts by id; returns what was achieved, and how large one is.
async fn read(gateway: &Running, ids: Vec<String>, reads: usize) -> Result<(Reads, usize), String> {
    let pid = gateway.child.id();
    let (ids, next) = (Arc::new(ids), Arc::new(AtomicUsize::new(0)));
    let (began, cpu_before) = (Instant::now(), cpu_seconds(pid)?);
    let mut workers = JoinSet::new();
    for _ in 0..READERS {
        let (ids, next) = (Arc::clone(&ids), Arc::clone(&next));
        let (address, authorization) = (gateway.address, format!("Bearer {}", gateway.token));
        workers.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut last = Bytes::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= reads {
                    return Ok::<_, String>(last);
                }
                // Far apart from one another, as callers ask.
                let path = format!("/v1/documents/{}/receipt", ids[number.wrapping_mul(7_919) % ids.len()]);
                let headers = [("authorization", authorization.as_str())];
                let (status, _, answer) = connection.request("GET", &path, &headers, Bytes::new()).await?;
                if status != 200 {
                    return Err(refused(status, &answer));
                }
                last = answer;
            }
        });
    }
    let mut bytes = 0;
    while let Some(done) = workers.join_next().await {
        let last = done.map_err(|e| e.to_string())??;
        if !last.is_empty() {
            Receipt::decode(&last).map_err(|e| e.to_string())?;
            bytes = last.len();
        }
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds(pid)? - cpu_before);
    let reads = Reads { receipts: reads, receipts_s: reads as f64 / seconds, per_core_s: reads as f64 / cpu };
    Ok((reads, bytes))
}

/// For people.
pub(super) fn table(report: &Report) -> String {
    let Report { machine, limits, one, several, reads, .. } = report;
    let row = |name: &str, value: String, limit: String| format!("  {name:<38} {value:>14}   {limit}\n");
    let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / 1_048_576.0);
    let mut text = format!(
        "a gateway with its archive, {} validators on the same machine: {} cores, {}; {} connections, documents of {} bytes; \
         load average {:.1}\n\n",
        report.validators,
        machine.cores,
        machine.system,
        report.connections,
        report.document_bytes,
        report.load_average
    );
    for (name, load) in [("one a request", one), ("several a request", several)] {
        text += &row(
            &format!("documents/s, {name}"),
            format!("{:.0}", load.documents_s),
            format!("{} documents under {} records", load.documents, load.records),
        );
        text += &row(
            "  to the receipt, p50",
            format!("{:.0} ms", load.to_receipt.p50_ms),
            format!("p99 {:.0} ms", load.to_receipt.p99_ms),
        );
        text +=
            &row("  for each CPU second of the gateway", format!("{:.0}", load.documents_per_core_s), String::new());
    }
    text += &row(
        "receipts read/s/core",
        format!("{:.0}", reads.per_core_s),
        format!("{:.0} /s beside the load; a receipt has {} bytes", reads.receipts_s, report.receipt_bytes),
    );
    text += &row("memory of the gateway at most", mib(report.peak_rss_bytes), String::new());
    text += &row("its archive", mib(report.archive_bytes), String::new());
    text += "\nlimits of this machine, one core, same run\n";
    text += &limits.rows();
    text
}
