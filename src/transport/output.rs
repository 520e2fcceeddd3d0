//! The bytes on their way to one socket.

#[cfg(unix)]
use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::io::IoSlice;
#[cfg(unix)]
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use bytes::Buf;
use bytes::Bytes;
#[cfg(unix)]
use rustix::net;
#[cfg(unix)]
use rustix::net::SendFlags;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
#[cfg(unix)]
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::hub::Frame;
#[cfg(any(target_os = "android", target_os = "linux"))]
use crate::raw::unsent as raw;
use crate::transport::stats::Tally;

/// The socket, and what it has not taken yet: of the hub's frames the rest of one at most, which
/// was begun; the others stay in the outbox.
pub(in crate::transport) struct Output<IO> {
    io: IO,
    /// The rest of a frame that was begun, control frames and replies, in the order in which they
    /// are written.
    waiting: VecDeque<Bytes>,
    /// Whether the socket has said that it takes no more, and the task is woken when it does.
    is_full: bool,
    /// Whether the stream may hold what it has taken until it is flushed.
    is_unflushed: bool,
    /// Bytes of replies that were added since nothing waited.
    owed: usize,
    /// The task that is woken when the socket takes more.
    task: Waker,
    tally: Tally,
}

/// Bytes of the hub's frames as some clients get them.
pub(in crate::transport) trait Encode: Copy {
    /// The bytes of a frame, made when the first client asks for them and shared by all.
    fn of(self, frame: &Frame) -> &Bytes;
}

/// The outcome of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport) enum Written {
    /// All that there was.
    All,
    /// The socket takes no more for now; the task is woken when it does.
    Blocked,
    /// The socket takes nothing ever again.
    Broken,
}

impl<IO: AsyncRead + AsyncWrite + Unpin + 'static> Output<IO> {
    pub(in crate::transport) fn new(io: IO) -> Self {
        Self {
            io,
            waiting: VecDeque::new(),
            is_full: false,
            is_unflushed: false,
            owed: 0,
            task: Waker::noop().clone(),
            tally: Tally::default(),
        }
    }

    /// Returns the socket.
    #[cfg_attr(not(feature = "sse"), expect(dead_code, reason = "for streams"))]
    pub(in crate::transport) fn into_inner(self) -> IO {
        self.io
    }

    /// Sets who is woken.
    pub(in crate::transport) fn set_task(&mut self, task: &Waker) {
        self.task.clone_from(task);
    }

    pub(in crate::transport) fn task(&self) -> &Waker {
        &self.task
    }

    /// How many writes have taken something, since the tally was last taken.
    pub(in crate::transport) fn writes(&self) -> u64 {
        self.tally.writes
    }

    /// Returns the figures since the last call.
    pub(in crate::transport) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Bytes that the kernel has not sent; `None` where that is not known.
    pub(in crate::transport) fn unsent(&self) -> Option<u64> {
        unsent(&self.io)
    }

    /// Adds a frame of the server; nothing if it is empty.
    pub(in crate::transport) fn push(&mut self, frame: Bytes) {
        if !frame.is_empty() {
            self.waiting.push_back(frame);
        }
    }

    /// Adds several frames of the server in one piece.
    #[cfg_attr(not(feature = "sse"), expect(dead_code, reason = "for streams"))]
    pub(in crate::transport) fn push_several(&mut self, frames: Bytes, count: usize) {
        // The piece counts as one of them when it is written.
        self.tally.frames_out += count.saturating_sub(1) as u64;
        self.waiting.push_back(frames);
    }

    /// Adds a frame that the client asked for by sending one.
    pub(in crate::transport) fn push_reply(&mut self, frame: Bytes) {
        self.owed += frame.len();
        self.push(frame);
    }

    /// Whether the client may ask for more before it has taken what it asked for.
    pub(in crate::transport) fn has_room(&self) -> bool {
        self.owed < MAX_OWED
    }

    /// Whether nothing waits here, and nothing in the outbox for the socket.
    pub(in crate::transport) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && !self.is_full && !self.is_unflushed
    }

    /// Reads from the socket.
    pub(in crate::transport) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        self.tally.bytes_in += buffer.filled().len() as u64;
        read
    }

    /// Counts a message of the client.
    pub(in crate::transport) fn received(&mut self) {
        self.tally.frames_in += 1;
    }

    /// Says to the peer that nothing more comes.
    pub(in crate::transport) fn poll_shutdown(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Writes what waits, and flushes the stream.
    pub(in crate::transport) fn write_waiting(&mut self) -> Written {
        self.is_full = false;
        while !self.waiting.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let mut count = 0;
            for (slice, frame) in slices.iter_mut().zip(&self.waiting) {
                *slice = IoSlice::new(frame);
                count += 1;
            }
            let cx = &mut Context::from_waker(&self.task);
            let written = Pin::new(&mut self.io).poll_write_vectored(cx, &slices[..count]);
            let Some(written) = taken(&written) else {
                return Written::Broken;
            };
            if written == 0 {
                return self.full();
            }
            self.is_unflushed = true;
            let finished = self.advance(written);
            self.tally.wrote(written, finished);
        }
        self.flush()
    }

    /// The socket takes no more.
    fn full(&mut self) -> Written {
        self.tally.blocked += 1;
        self.is_full = true;
        Written::Blocked
    }

    /// Flushes the stream, unless nothing was written since; a plain socket holds nothing back.
    fn flush(&mut self) -> Written {
        if !self.is_unflushed {
            return Written::All;
        }
        let cx = &mut Context::from_waker(&self.task);
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                self.is_unflushed = false;
                Written::All
            }
            Poll::Ready(Err(_)) => Written::Broken,
            Poll::Pending => Written::Blocked,
        }
    }

    /// Takes off so many bytes; how many frames ended in them.
    fn advance(&mut self, mut written: usize) -> usize {
        let mut finished = 0;
        while let Some(frame) = self.waiting.front_mut() {
            if written < frame.len() {
                frame.advance(written);
                return finished;
            }
            written -= frame.len();
            finished += 1;
            self.waiting.pop_front();
        }
        self.owed = 0;
        // Whoever is idle keeps no memory for it.
        self.waiting = VecDeque::new();
        finished
    }

    /// Writes frames of the hub; nothing may wait before them. Returns how many of them were
    /// written or begun: what is left of one that was begun waits here.
    pub(in crate::transport) fn write_frames(
        &mut self,
        frames: &[Frame],
        encoding: impl Encode,
        copies: &mut Vec<u8>,
    ) -> (Written, usize) {
        debug_assert!(self.waiting.is_empty(), "frames keep their order");
        let mut begun = 0;
        while begun < frames.len() {
            let rest = &frames[begun..];
            let run = Run::of(rest, encoding);
            let rest = &rest[..run.frames];
            if run.bytes == 0 {
                // Clients of this dialect are not told of them.
                begun += run.frames;
                continue;
            }
            let Some(written) = taken(&self.write_run(run, rest, encoding, copies)) else {
                return (Written::Broken, frames.len());
            };
            if written == 0 {
                return (self.full(), begun);
            }
            if written == run.bytes {
                self.tally.wrote(written, run.frames);
                begun += run.frames;
                continue;
            }
            begun += self.cut(rest, written, encoding);
            // The socket says that it is full only when it is asked again.
            match self.write_waiting() {
                Written::All => {}
                other => return (other, begun),
            }
        }
        (self.flush(), begun)
    }

    /// Only so many bytes of these frames were written. Keeps the rest of the one in which they
    /// end, and returns how many frames were begun.
    fn cut(&mut self, frames: &[Frame], mut written: usize, encoding: impl Encode) -> usize {
        self.tally.wrote(written, 0);
        let mut begun = 0;
        for frame in frames {
            if written == 0 {
                break;
            }
            let bytes = encoding.of(frame);
            begun += 1;
            if written < bytes.len() {
                self.waiting.push_back(bytes.slice(written..));
                break;
            }
            written -= bytes.len();
            self.tally.frames_out += 1;
        }
        begun
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(sent) = send(&self.io, bytes) {
            return Poll::Ready(Ok(sent));
        }
        let cx = &mut Context::from_waker(&self.task);
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.is_unflushed |= written.is_ready();
        written
    }

    fn write_run(
        &mut self,
        run: Run,
        frames: &[Frame],
        encoding: impl Encode,
        copies: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        if let [frame] = frames {
            return self.write_bytes(encoding.of(frame));
        }
        if run.copied {
            copies.clear();
            for frame in frames {
                copies.extend_from_slice(encoding.of(frame));
            }
            return self.write_bytes(copies);
        }
        let cx = &mut Context::from_waker(&self.task);
        let io = Pin::new(&mut self.io);
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        for (slice, frame) in slices.iter_mut().zip(frames) {
            *slice = IoSlice::new(encoding.of(frame));
        }
        let written = io.poll_write_vectored(cx, &slices[..frames.len()]);
        self.is_unflushed |= written.is_ready();
        written
    }
}

/// Sends at once, if the stream is a socket as it is and takes something now.
///
/// That is what the runtime would do, less its bookkeeping, which lies in memory of its own for
/// each stream and is needed only when the socket is full.
#[cfg(unix)]
fn send<IO: 'static>(io: &IO, bytes: &[u8]) -> Option<usize> {
    let io: &dyn Any = io;
    let socket = match io.downcast_ref::<TcpStream>() {
        Some(stream) => stream.as_fd(),
        None => io.downcast_ref::<UnixStream>()?.as_fd(),
    };
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    // What went wrong, the runtime's own attempt will tell.
    net::send(socket, bytes, flags).ok()
}

#[cfg(not(unix))]
fn send<IO>(_io: &IO, _bytes: &[u8]) -> Option<usize> {
    None
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn unsent<IO: 'static>(io: &IO) -> Option<u64> {
    let io: &dyn Any = io;
    raw::unsent(io.downcast_ref::<TcpStream>()?.as_fd())
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn unsent<IO>(_io: &IO) -> Option<u64> {
    None
}

/// Frames that one system call writes.
#[derive(Clone, Copy)]
struct Run {
    frames: usize,
    bytes: usize,
    /// Whether the frames are copied together: up to some size that costs less than to name them
    /// to the kernel one by one.
    copied: bool,
}

impl Run {
    /// Returns the first of `frames`, which are written together; at least one.
    fn of(frames: &[Frame], encoding: impl Encode) -> Self {
        let mut run = Self {
            frames: 0,
            bytes: 0,
            copied: frames
                .first()
                .is_some_and(|frame| encoding.of(frame).len() <= SMALL),
        };
        for frame in frames {
            let length = encoding.of(frame).len();
            if !run.takes(length) {
                break;
            }
            run.frames += 1;
            run.bytes += length;
        }
        run
    }

    fn takes(self, length: usize) -> bool {
        let bytes = self.bytes + length;
        self.frames == 0
            || self.copied && length <= SMALL && bytes <= MAX_COPY
            || !self.copied && self.frames < MAX_SLICES && bytes <= MAX_NAMED
    }
}

/// How much a write took; nothing while the socket is full, `None` when it is broken.
fn taken(written: &Poll<io::Result<usize>>) -> Option<usize> {
    match written {
        Poll::Ready(Ok(0) | Err(_)) => None,
        Poll::Ready(Ok(written)) => Some(*written),
        Poll::Pending => Some(0),
    }
}

/// How many frames one system call names.
const MAX_SLICES: usize = 32;

/// Frames of up to so many bytes are copied together.
const SMALL: usize = 1024;

/// How many bytes are copied together for one system call.
const MAX_COPY: usize = 16 * 1024;

/// How many bytes are named in one system call, if it is more than one frame.
const MAX_NAMED: usize = 256 * 1024;

/// How many bytes of replies may wait before the client's commands have to.
const MAX_OWED: usize = 64 * 1024;
