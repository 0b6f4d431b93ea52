//! The accept loop, one task a connection, and what surrounds each request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::http::{HeaderName, HeaderValue, Request, Response, Version};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use futures::FutureExt as _;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tower::Service as _;

use super::body::GuardedBody;
use super::connections::{Admission, Connections, Place, Serving};
use super::stream::{GuardedStream, Protocol};
use super::{RequestId, Server, ServerCounters, ServerLimits, Tls};
use crate::limits::{
    ACCEPT_PAUSE, H2_CONNECTION_WINDOW_BYTES, H2_RESET_STREAMS_MAX, H2_STREAM_WINDOW_BYTES, H2_STREAMS_MAX,
};
use crate::problem::{self, Problem};

/// Address of the client's end of the connection, as an extension of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub SocketAddr);

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What all connections of a server share.
struct Shared {
    router: Router,
    limits: ServerLimits,
    tls: Option<Tls>,
    counters: Arc<ServerCounters>,
    requests: Arc<Semaphore>,
}

impl Server {
    /// Serves until `stop` completes; then takes no more, lets running requests end within the shutdown timeout, and returns.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()>) {
        let Self { listener, address, limits, tls, counters } = self;
        let connections = Connections::new(limits.connections_max, limits.connections_per_prefix_max);
        let requests = Arc::new(Semaphore::new(limits.requests_max));
        let shared = Arc::new(Shared { router, limits, tls, counters, requests });
        let (stopping, _) = watch::channel(false);
        // Each connection's task holds a sender: when the receiver sees the end, all tasks have ended.
        let (running, mut all_ended) = mpsc::channel::<Infallible>(1);
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = listener.accept() => accepted,
            };
            let (stream, client) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) => {
                    // Out of descriptors or memory: connections that end give some back.
                    tracing::warn!(%address, %error, "accept failed");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let counters = &shared.counters;
            counters.accepted.fetch_add(1, Ordering::Relaxed);
            let place = match connections.admit(client.ip()) {
                Admission::Admitted(place) => place,
                Admission::Replaced(place) => {
                    counters.replaced.fetch_add(1, Ordering::Relaxed);
                    place
                }
                Admission::Refused => {
                    counters.refused.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
            };
            counters.connections.store(connections.count() as u64, Ordering::Relaxed);
            let task = Connection { shared: Arc::clone(&shared), client, place, stopping: stopping.subscribe() };
            let (running, connections) = (running.clone(), Arc::clone(&connections));
            tokio::spawn(async move {
                let counters = Arc::clone(&task.shared.counters);
                task.run(stream).await;
                counters.connections.store(connections.count() as u64, Ordering::Relaxed);
                drop(running);
            });
        }
        drop(listener);
        stopping.send_replace(true);
        drop(running);
        all_ended.recv().await;
    }
}

/// Errors of `accept` that say nothing about the listener.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

struct Connection {
    shared: Arc<Shared>,
    client: SocketAddr,
    place: Place,
    stopping: watch::Receiver<bool>,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Small answers leave at once; a failure here only costs latency.
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&self.shared);
        let limits = &shared.limits;
        let activity = Arc::clone(&self.place.activity);
        let begun = async {
            match &shared.tls {
                None => {
                    let detect = GuardedStream::detect(stream, limits.write_stall_timeout);
                    if let Ok(Ok((protocol, stream))) = timeout(limits.header_read_timeout, detect).await {
                        self.speak(protocol, stream).await;
                    }
                }
                Some(tls) => match timeout(limits.tls_handshake_timeout, tls.acceptor().accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        let protocol = if h2 { Protocol::Http2 } else { Protocol::Http1 };
                        self.speak(protocol, GuardedStream::new(stream, limits.write_stall_timeout)).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                    Err(_) => tracing::debug!("TLS handshake took too long"),
                },
            }
        };
        // A connection that must give way is dropped as it is: it was idle.
        tokio::select! {
            () = begun => {}
            () = activity.close.notified() => {}
        }
    }

    async fn speak<S>(self, protocol: Protocol, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = &self.shared.limits;
        let (shared, activity, client) = (Arc::clone(&self.shared), Arc::clone(&self.place.activity), self.client);
        let service = service_fn(move |request| {
            let (shared, serving) = (Arc::clone(&shared), activity.begin());
            async move { Ok::<_, Infallible>(answer(shared, serving, client, request).await) }
        });
        let stream = TokioIo::new(stream);
        match protocol {
            Protocol::Http1 => {
                let mut builder = http1::Builder::new();
                builder
                    .timer(TokioTimer::new())
                    .header_read_timeout(limits.header_read_timeout)
                    .max_buf_size(limits.header_bytes_max)
                    .max_headers(limits.headers_max);
                self.drive(builder.serve_connection(stream, service)).await;
            }
            Protocol::Http2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder
                    .timer(TokioTimer::new())
                    .max_concurrent_streams(H2_STREAMS_MAX)
                    .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX))
                    .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
                    .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
                    .max_pending_accept_reset_streams(H2_RESET_STREAMS_MAX)
                    .max_local_error_reset_streams(H2_RESET_STREAMS_MAX)
                    .keep_alive_interval(limits.h2_idle_timeout / 2)
                    .keep_alive_timeout(limits.header_read_timeout);
                self.drive(builder.serve_connection(stream, service)).await;
            }
        }
    }

    /// Drives a connection to its end: the client's, an error, old age, idleness (HTTP/2) or the server's stop.
    async fn drive<C: GracefulConnection>(self, connection: C)
    where
        C::Error: core::fmt::Display,
    {
        let Self { shared, place, mut stopping, .. } = self;
        let limits = &shared.limits;
        let mut connection = pin!(connection);
        let mut until_end = pin!(sleep(limits.connection_lifetime));
        let mut idle_check = interval(limits.h2_idle_timeout / 4);
        idle_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ending = false;
        loop {
            let end_now = tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "connection ended");
                    }
                    return;
                }
                () = until_end.as_mut() => {
                    if ending {
                        return;
                    }
                    true
                }
                _ = stopping.wait_for(|stopping| *stopping), if !ending => true,
                _ = idle_check.tick(), if !ending => place.activity.idle_for() > limits.h2_idle_timeout,
            };
            if end_now {
                ending = true;
                connection.as_mut().graceful_shutdown();
                until_end.set(sleep(limits.shutdown_timeout));
            }
        }
    }
}

/// Answers a request: id, limits and times around the router.
async fn answer(
    shared: Arc<Shared>,
    serving: Serving,
    client: SocketAddr,
    request: Request<Incoming>,
) -> Response<Body> {
    let id = RequestId::next();
    let http1 = request.version() <= Version::HTTP_11;
    // hyper drops Content-Length where Transfer-Encoding stands beside it, so the pair cannot be seen here. A front
    // server may have read such a request otherwise: nothing after it on this connection is trusted.
    let transfer_encoding = request.headers().contains_key(TRANSFER_ENCODING);
    let mut response = id.scope(routed(&shared, client, request, transfer_encoding)).await;
    let headers = response.headers_mut();
    headers.insert(&X_REQUEST_ID, HeaderValue::try_from(id.to_string()).expect("hexadecimal digits"));
    if !http1 {
        headers.remove(CONNECTION);
    } else if transfer_encoding {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(|body| Body::new(AnswerBody { inner: body, _serving: serving }))
}

async fn routed(
    shared: &Arc<Shared>,
    client: SocketAddr,
    request: Request<Incoming>,
    transfer_encoding: bool,
) -> Response<Body> {
    let limits = &shared.limits;
    if transfer_encoding && !limits.chunked_bodies {
        let detail = "Transfer-Encoding is not taken: send the body with Content-Length";
        return Problem::new(&problem::LENGTH_REQUIRED, detail).into_response();
    }
    let Ok(_permit) = shared.requests.try_acquire() else {
        shared.counters.overloaded.fetch_add(1, Ordering::Relaxed);
        return Problem::new(&problem::OVERLOAD, "too many requests are under way").closing().into_response();
    };
    let mut request = request.map(|body| {
        Body::new(GuardedBody::new(body, limits.body_bytes_max, limits.body_timeout, Some(limits.body_idle_timeout)))
    });
    request.extensions_mut().insert(ClientAddress(client));
    let mut router = shared.router.clone();
    let routed = AssertUnwindSafe(router.call(request)).catch_unwind();
    let outcome = match limits.request_timeout {
        Some(limit) => timeout(limit, routed).await,
        None => Ok(routed.await),
    };
    match outcome {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(_panic)) => {
            tracing::error!(request_id = %RequestId::current(), "a handler panicked");
            Problem::new(&problem::FAILED, "the server failed").into_response()
        }
        Err(_elapsed) => {
            let detail =
                format!("the request took longer than {}", seconds(limits.request_timeout.unwrap_or_default()));
            Problem::new(&problem::TIMEOUT, detail).closing().into_response()
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}

/// An answer's body, which counts as being served until the client has taken it.
struct AnswerBody {
    inner: Body,
    _serving: Serving,
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
