//! A stream whose peer has to read.

use std::future::Future;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time;
use tokio::time::Sleep;

use crate::server::activity::Activity;
use crate::transport::sse::Carrier;

/// A stream that fails with [`TimedOut`](io::ErrorKind::TimedOut) when it takes nothing of what
/// is written for `timeout`. It keeps a timer only while that is so.
#[derive(Debug)]
pub(super) struct Deadline<IO> {
    io: IO,
    timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    activity: Activity,
    /// Bytes that are read before those of the stream.
    unread: Bytes,
    /// Is told when all that was written is flushed.
    carrier: Carrier,
}

impl<IO> Deadline<IO> {
    pub(super) fn new(io: IO, timeout: Duration, activity: Activity, carrier: Carrier) -> Self {
        Self {
            io,
            timeout,
            timer: None,
            activity,
            unread: Bytes::new(),
            carrier,
        }
    }

    /// Puts these bytes in front of those of the stream.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        debug_assert!(self.unread.is_empty(), "they would be lost");
        self.unread = bytes;
    }

    /// The stream underneath.
    pub(super) fn into_inner(self) -> IO {
        self.io
    }

    /// What came of a write of data.
    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(length)) = polled
            && length > CONTROL
        {
            self.activity.happen();
        }
        self.bound(cx, polled)
    }

    /// What came of a write, unless nothing has for too long.
    fn bound<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            if self.timer.take().is_some() {
                self.activity.block(false);
            }
            return polled;
        }
        let timer = self.timer.get_or_insert_with(|| {
            self.activity.block(true);
            Box::pin(time::sleep(self.timeout))
        });
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// A write of no more than this is none of an answer: what HTTP/2 says by itself, such as a ping.
const CONTROL: usize = 64;

impl<IO: AsyncRead + Unpin> AsyncRead for Deadline<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let length = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread.split_to(length));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Deadline<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.wrote(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.wrote(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        if let Poll::Ready(Ok(())) = polled {
            self.carrier.flushed();
        }
        self.bound(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_shutdown(cx);
        self.bound(cx, polled)
    }
}

#[cfg(test)]
mod tests;
