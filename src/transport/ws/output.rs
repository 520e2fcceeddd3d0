//! What is being written to one socket.

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
use crate::transport::dialogue::Replies;
use crate::transport::stats::Tally;
use crate::transport::ws::framing::Encoding;

/// The socket, and the frames that it has not taken yet.
pub(super) struct Output<IO> {
    io: IO,
    /// Whole frames in the order in which they are written; the first may have been begun.
    waiting: VecDeque<Bytes>,
    /// Bytes of replies that were added since nothing waited.
    owed: usize,
    /// Who is woken when the socket takes more.
    task: Waker,
    tally: Tally,
}

/// What came of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// All that there was.
    All,
    /// The socket takes no more for now; the task is woken when it does.
    Blocked,
    /// The socket takes nothing ever again.
    Broken,
}

impl<IO: AsyncRead + AsyncWrite + Unpin + 'static> Output<IO> {
    pub(super) fn new(io: IO) -> Self {
        Self {
            io,
            waiting: VecDeque::new(),
            owed: 0,
            task: Waker::noop().clone(),
            tally: Tally::default(),
        }
    }

    /// Sets who is woken.
    pub(super) fn set_task(&mut self, task: &Waker) {
        self.task.clone_from(task);
    }

    pub(super) fn task(&self) -> &Waker {
        &self.task
    }

    /// How many writes have taken something, since the tally was last taken.
    pub(super) fn writes(&self) -> u64 {
        self.tally.writes
    }

    /// What was counted since this was last asked.
    pub(super) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Adds a frame of the server.
    pub(super) fn push(&mut self, frame: Bytes) {
        self.waiting.push_back(frame);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Reads from the socket.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        self.tally.bytes_in += buffer.filled().len() as u64;
        read
    }

    /// Counts a message of the client.
    pub(super) fn received(&mut self) {
        self.tally.frames_in += 1;
    }

    /// Says to the peer that nothing more comes.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Writes what waits.
    pub(super) fn write_waiting(&mut self) -> Written {
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
                self.tally.blocked += 1;
                return Written::Blocked;
            }
            let finished = self.advance(written);
            self.tally.wrote(written, finished);
        }
        Written::All
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

    /// Writes frames of the hub; those that the socket does not take wait.
    ///
    /// Nothing may wait before them.
    pub(super) fn write_frames(
        &mut self,
        frames: &[Frame],
        encoding: Encoding,
        copies: &mut Vec<u8>,
    ) -> Written {
        debug_assert!(self.waiting.is_empty(), "frames keep their order");
        let mut rest = frames;
        while !rest.is_empty() {
            let run = Run::of(rest, encoding);
            let (run_frames, after) = rest.split_at(run.frames);
            let Some(mut written) = taken(&self.write_run(run, run_frames, encoding, copies))
            else {
                return Written::Broken;
            };
            if written == run.bytes {
                self.tally.wrote(written, run.frames);
                rest = after;
                continue;
            }
            if written > 0 {
                self.tally.wrote(written, 0);
            }
            self.tally.blocked += 1;
            for frame in rest {
                let bytes = encoding.of(frame);
                if written >= bytes.len() {
                    written -= bytes.len();
                    self.tally.frames_out += 1;
                } else {
                    self.waiting.push_back(bytes.slice(written..));
                    written = 0;
                }
            }
            // The socket says that it is full only when it is asked again.
            return self.write_waiting();
        }
        Written::All
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(sent) = send(&self.io, bytes) {
            return Poll::Ready(Ok(sent));
        }
        let cx = &mut Context::from_waker(&self.task);
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn write_run(
        &mut self,
        run: Run,
        frames: &[Frame],
        encoding: Encoding,
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
        io.poll_write_vectored(cx, &slices[..frames.len()])
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + 'static> Replies for Output<IO> {
    /// Adds a frame that the client asked for by sending one.
    fn give(&mut self, frame: Bytes) {
        self.owed += frame.len();
        self.push(frame);
    }

    /// Whether the client may ask for more before it has taken what it asked for.
    fn has_room(&self) -> bool {
        self.owed < MAX_OWED
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
    /// Those of `frames` that are written first; at least one.
    fn of(frames: &[Frame], encoding: Encoding) -> Self {
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
