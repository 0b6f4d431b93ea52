//! Streams under guard: what a client does not take in time ends its connection; bytes read ahead are given back.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Which protocol a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// A stream whose first bytes were read already, and whose writes may not stall.
pub(super) struct GuardedStream<S> {
    inner: S,
    read_ahead: Bytes,
    stall_timeout: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + Unpin> GuardedStream<S> {
    /// Reads until it is clear whether the client speaks HTTP/2 with prior knowledge. The whole preface is read here, under
    /// the caller's timeout: the engine has none for it.
    pub(super) async fn detect(mut inner: S, stall_timeout: Duration) -> io::Result<(Protocol, Self)> {
        const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let (mut start, mut read) = ([0; PREFACE.len()], 0);
        let protocol = loop {
            let count = inner.read(&mut start[read..]).await?;
            read += count;
            if count == 0 || start[..read] != PREFACE[..read] {
                break Protocol::Http1;
            }
            if read == PREFACE.len() {
                break Protocol::Http2;
            }
        };
        let read_ahead = Bytes::copy_from_slice(&start[..read]);
        Ok((protocol, Self { inner, read_ahead, stall_timeout, stalled: None }))
    }

    pub(super) fn new(inner: S, stall_timeout: Duration) -> Self {
        Self { inner, read_ahead: Bytes::new(), stall_timeout, stalled: None }
    }
}

impl<S> GuardedStream<S> {
    /// Passes on a write's outcome; a write that makes no progress for the whole timeout fails.
    fn watch<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let timeout = self.stall_timeout;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GuardedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.read_ahead.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let count = self.read_ahead.len().min(buf.remaining());
        buf.put_slice(&self.read_ahead[..count]);
        self.read_ahead.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.watch(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(cx);
        self.watch(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.watch(cx, outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_bytes_decide_and_are_given_back() {
        let cases: [(&[u8], Protocol); 6] = [
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Protocol::Http2),
            (b"GET / HTTP/1.1\r\n\r\n", Protocol::Http1),
            (b"PROPFIND / HTTP/1.1\r\n\r\n", Protocol::Http1),
            (b"PRI * HTTP/1.1\r\n\r\n", Protocol::Http1),
            (b"PR", Protocol::Http1),
            (b"", Protocol::Http1),
        ];
        for (bytes, expected) in cases {
            let (found, mut stream) = GuardedStream::detect(bytes, Duration::from_secs(1)).await.unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            assert_eq!((found, all.as_slice()), (expected, bytes));
        }
    }

    #[tokio::test]
    async fn a_stalled_write_fails() {
        use tokio::io::AsyncWriteExt as _;
        let (client, server) = tokio::io::duplex(8);
        let mut stream = GuardedStream::new(server, Duration::from_millis(20));
        let error = stream.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }
}
