//! Load on running nodes: pre-signed records over kept-alive connections, closed loop for the highest rate and open
//! loop for the time to final.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A record alone.
pub(super) const JOSE: &str = "application/jose";
/// A record and its attachment.
pub(super) const JSON: &str = "application/json";

/// One kept-alive connection to a node.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    pub(super) async fn open(node: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(node).await.map_err(|e| format!("cannot reach node {node}: {e}"))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        // Ends by itself when the sender is dropped.
        tokio::spawn(connection);
        Ok(Self { sender, host: node.to_string() })
    }

    pub(super) async fn get(&mut self, path: &str) -> Result<(u16, Bytes), String> {
        let request = hyper::Request::get(path)
            .header("host", &self.host)
            .body(Full::new(Bytes::new()))
            .map_err(|e| e.to_string())?;
        self.send(request).await
    }

    async fn post_record(&mut self, record: Bytes, media_type: &str, wait: bool) -> Result<(u16, Bytes), String> {
        let path = if wait { "/v1/records?wait=final" } else { "/v1/records" };
        let request = hyper::Request::post(path)
            .header("host", &self.host)
            .header("content-type", media_type)
            .body(Full::new(record))
            .map_err(|e| e.to_string())?;
        self.send(request).await
    }

    /// Any request; status, headers and body of its answer.
    pub(super) async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<(u16, hyper::HeaderMap, Bytes), String> {
        let mut request = hyper::Request::builder().method(method).uri(path).header("host", &self.host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).map_err(|e| e.to_string())?;
        self.sender.ready().await.map_err(|e| e.to_string())?;
        let response = self.sender.send_request(request).await.map_err(|e| e.to_string())?;
        let (head, body) = response.into_parts();
        Ok((head.status.as_u16(), head.headers, body.collect().await.map_err(|e| e.to_string())?.to_bytes()))
    }

    async fn send(&mut self, request: hyper::Request<Full<Bytes>>) -> Result<(u16, Bytes), String> {
        self.sender.ready().await.map_err(|e| e.to_string())?;
        let response = self.sender.send_request(request).await.map_err(|e| e.to_string())?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|e| e.to_string())?;
        Ok((status, body.to_bytes()))
    }
}

/// What a node says of its ledger.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub(super) struct Tip {
    /// Its newest height.
    pub(super) height: u64,
    /// Records that are final on it.
    pub(super) log_size: u64,
}

/// A node's newest height.
pub(super) async fn tip(node: SocketAddr) -> Result<Tip, String> {
    let (_, status) = Connection::open(node).await?.get("/v1/status").await?;
    serde_json::from_slice(&status).map_err(|e| format!("status: {e}"))
}

/// Records that are final on a node: its log's size.
pub(crate) async fn log_size(node: SocketAddr) -> Result<u64, String> {
    tip(node).await.map(|tip| tip.log_size)
}

/// The engine's own mean time for a height so far, in milliseconds, from a node's metrics.
pub(crate) async fn engine_height_ms(admin: SocketAddr) -> Result<f64, String> {
    let (_, metrics) = Connection::open(admin).await?.get("/metrics").await?;
    let metrics = String::from_utf8_lossy(&metrics);
    let value = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name))?;
        line.rsplit(' ').next()?.parse::<f64>().ok()
    };
    let name = "malachitebft_core_consensus_time_per_block";
    match (value(&format!("{name}_sum")), value(&format!("{name}_count"))) {
        (Some(seconds), Some(heights)) if heights > 0.0 => Ok(1e3 * seconds / heights),
        _ => Err(format!("metrics: no {name}")),
    }
}

/// What a closed loop achieved.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Throughput {
    /// Records that became final.
    pub(crate) records: u64,
    /// From the first request until the last record was final.
    pub(crate) seconds: f64,
    /// Final records a second.
    pub(crate) final_s: f64,
    /// Requests answered "busy" and sent again.
    pub(crate) busy: usize,
}

/// Hands in all records as fast as the nodes take them, and waits until all are final.
pub(crate) async fn flood(
    nodes: &[SocketAddr],
    records: Vec<Bytes>,
    media_type: &'static str,
    connections: usize,
) -> Result<Throughput, String> {
    let before = log_size(nodes[0]).await?;
    let goal = before + records.len() as u64;
    let (records, next, busy) = (Arc::new(records), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let start = Instant::now();
    let mut workers = JoinSet::new();
    for worker in 0..connections {
        let node = nodes[worker % nodes.len()];
        let (records, next, busy) = (Arc::clone(&records), Arc::clone(&next), Arc::clone(&busy));
        workers.spawn(async move {
            let mut connection = Connection::open(node).await?;
            while let Some(record) = records.get(next.fetch_add(1, Ordering::Relaxed)) {
                loop {
                    match connection.post_record(record.clone(), media_type, false).await? {
                        (200..=299, _) => break,
                        (429 | 503, _) => {
                            busy.fetch_add(1, Ordering::Relaxed);
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                        (status, body) => return Err(refused(status, &body)),
                    }
                }
            }
            Ok::<(), String>(())
        });
    }
    while let Some(done) = workers.join_next().await {
        done.map_err(|e| e.to_string())??;
    }
    let mut size = before;
    while size < goal {
        if start.elapsed() > Duration::from_secs(300) {
            return Err(format!(
                "only {} of {} records became final within five minutes",
                size - before,
                goal - before
            ));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        size = log_size(nodes[0]).await?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let count = goal - before;
    Ok(Throughput { records: count, seconds, final_s: count as f64 / seconds, busy: busy.load(Ordering::Relaxed) })
}

/// Hands in records at a steady rate, each waiting until it is final; returns the times in milliseconds, sorted.
/// A late answer does not delay the next request (open loop), so queueing shows in the figures.
pub(crate) async fn pace(nodes: &[SocketAddr], records: Vec<Bytes>, rate_s: f64) -> Result<Vec<f64>, String> {
    let start = Instant::now();
    let mut idle: Vec<Vec<Connection>> = nodes.iter().map(|_| Vec::new()).collect();
    let (back, mut returned) = tokio::sync::mpsc::unbounded_channel::<(usize, Connection)>();
    let mut requests = JoinSet::new();
    for (number, record) in records.into_iter().enumerate() {
        let due = start + Duration::from_secs_f64(number as f64 / rate_s);
        tokio::time::sleep_until(due.into()).await;
        while let Ok((node, connection)) = returned.try_recv() {
            idle[node].push(connection);
        }
        let node = number % nodes.len();
        let (address, connection, back) = (nodes[node], idle[node].pop(), back.clone());
        requests.spawn(async move {
            let mut connection = match connection {
                Some(connection) => connection,
                None => Connection::open(address).await?,
            };
            let (status, body) = connection.post_record(record, JOSE, true).await?;
            // Measured from when it was due, not from when it was sent.
            let took_ms = due.elapsed().as_secs_f64() * 1e3;
            if status != 200 && status != 201 {
                return Err(refused(status, &body));
            }
            // The receiver lives as long as the loop; after it nobody needs the connection.
            let _ = back.send((node, connection));
            Ok::<f64, String>(took_ms)
        });
    }
    let mut times = Vec::with_capacity(requests.len());
    while let Some(done) = requests.join_next().await {
        times.push(done.map_err(|e| e.to_string())??);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

pub(super) fn refused(status: u16, body: &[u8]) -> String {
    format!("a node answered {status}: {}", String::from_utf8_lossy(&body[..body.len().min(300)]))
}
