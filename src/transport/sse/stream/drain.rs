//! From the outbox of a stream straight to its socket.

use std::mem;
use std::task::Poll;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;

use crate::hub::Closed;
use crate::hub::Event;
use crate::hub::Frame;
use crate::transport::flusher::Scratch;
use crate::transport::output::Output;
use crate::transport::output::Written;
use crate::transport::sse::chunks::Chunks;
use crate::transport::sse::cursor::Cursor;
use crate::transport::sse::event;
use crate::transport::sse::event::Chunked;
use crate::transport::sse::event::LAST_CHUNK;
use crate::transport::sse::stream::Pump;
use crate::transport::sse::stream::Stream;
use crate::transport::sse::stream::script::Script;

/// The reason for which draining has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport::sse) enum Drained {
    /// The socket takes no more; the task of the output is woken when it does.
    Blocked,
    /// Nothing more can be written.
    Broken,
    /// Others have their turn; the row is woken again.
    Busy,
    /// The last chunk is in the output.
    Last,
    /// Nothing is left, and the outbox wakes its row.
    Parked,
}

impl Stream {
    /// Drains the outbox into `output`, in which nothing waits, until one of them is done. Also
    /// returns whether the socket has taken something.
    pub(in crate::transport::sse) fn drain<IO>(
        &self,
        output: &mut Output<IO>,
        scratch: &mut Scratch,
    ) -> (Drained, bool)
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let mut pump = self.pump.lock();
        let Some(pump) = &mut *pump else {
            // The stream was cut off.
            return (Drained::Broken, false);
        };
        let drained = pump.drain(output, scratch);
        let tally = output.take_tally();
        pump.registration.count(&tally);
        scratch.sse.tally.merge(&tally);
        (drained, tally.writes > 0)
    }
}

impl Pump {
    fn drain<IO>(&mut self, output: &mut Output<IO>, scratch: &mut Scratch) -> Drained
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        for _ in 0..MAX_TURNS {
            let written = if self.chunks.is_empty() {
                match self.write_frames(output, scratch) {
                    Poll::Ready(Ok(written)) => written,
                    Poll::Ready(Err(closed)) => {
                        self.say_farewell(closed.disconnect());
                        push_last(&mut self.chunks, output);
                        return match output.write_waiting() {
                            Written::All | Written::Blocked => Drained::Last,
                            Written::Broken => Drained::Broken,
                        };
                    }
                    Poll::Pending if mem::take(&mut self.is_stale) => {
                        self.say_cursor();
                        continue;
                    }
                    Poll::Pending => return Drained::Parked,
                }
            } else {
                push_all(&mut self.chunks, output);
                output.write_waiting()
            };
            if scratch.batch.len() > MAX_KEPT {
                scratch.batch.clear();
            }
            match written {
                Written::All => {}
                Written::Blocked => return Drained::Blocked,
                Written::Broken => return Drained::Broken,
            }
        }
        self.outbox.wake_row();
        Drained::Busy
    }

    /// Writes what is in the outbox, as far as the socket takes it: the rest stays there.
    fn write_frames<IO>(
        &mut self,
        output: &mut Output<IO>,
        scratch: &mut Scratch,
    ) -> Poll<Result<Written, Closed>>
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let Self {
            outbox,
            cursor,
            chunks,
            ..
        } = self;
        let Scratch { batch, copies, .. } = scratch;
        let mut written = Written::All;
        let handed = outbox.poll_hand_out(None, batch, MAX_BATCH, |frames, control| {
            let mut taken = 0;
            while taken < frames.len() && written == Written::All {
                let rest = &frames[taken..];
                let control = control.saturating_sub(taken);
                let run = if control == 0 {
                    shared(rest, cursor)
                } else {
                    0
                };
                if run > 0 {
                    let begun;
                    (written, begun) = output.write_frames(&rest[..run], Chunked, copies);
                    advance(&rest[..begun], cursor);
                    taken += begun;
                } else {
                    taken += gather(rest, control, cursor, chunks);
                    push_all(chunks, output);
                    written = output.write_waiting();
                }
            }
            taken
        });
        handed.map_ok(|_| written)
    }
}

/// How many of the first frames are the same events for all streams that get them.
fn shared(frames: &[Frame], cursor: &Cursor) -> usize {
    let mut sole = cursor.sole();
    let is_shared = |frame: &&Frame| {
        if is_personal(frame) {
            return false;
        }
        let Some((channel, position)) = event::place(frame) else {
            return true;
        };
        let Some((name, at)) = &mut sole else {
            return false;
        };
        let is_next = position.epoch == at.epoch && position.offset >= at.offset;
        at.offset = position.offset;
        is_next && is_same(name, channel)
    };
    frames.iter().take_while(is_shared).count()
}

/// Whether two names are the same: those of a joined channel and of its frames mostly are one text.
fn is_same(one: &str, other: &str) -> bool {
    std::ptr::eq(one, other) || one == other
}

/// Whether the event of a frame is always composed for one stream.
fn is_personal(frame: &Frame) -> bool {
    matches!(
        frame.event(),
        Event::Gap(_) | Event::Joined(_) | Event::Unsubscribed(_)
    )
}

/// Frames of a [shared] run are on their way.
fn advance(frames: &[Frame], cursor: &mut Cursor) {
    let mut backwards = frames.iter().rev();
    if let Some((_, position)) = backwards.find_map(event::place) {
        cursor.advance_sole(position.offset);
    }
}

/// Composes events for this stream alone: of all control frames, and of those behind them until
/// the chunks are full or shared events follow. Returns how many frames they are of; at least one.
fn gather(frames: &[Frame], control: usize, cursor: &mut Cursor, chunks: &mut Chunks) -> usize {
    let mut taken = 0;
    while let Some(frame) = frames.get(taken)
        && (taken < control.max(1)
            || !chunks.is_full() && shared(&frames[taken..=taken], cursor) == 0)
    {
        Script { chunks, cursor }.encode(frame);
        taken += 1;
    }
    taken
}

/// Moves what was gathered into the output, as chunks of HTTP.
fn push_all<IO>(chunks: &mut Chunks, output: &mut Output<IO>)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    while let Some(chunk) = chunks.take() {
        output.push_several(event::chunked(&chunk.bytes), chunk.events);
    }
}

/// Moves what was gathered into the output, and the end of the body behind it.
fn push_last<IO>(chunks: &mut Chunks, output: &mut Output<IO>)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (mut last, mut events) = (Vec::new(), 0);
    while let Some(chunk) = chunks.take() {
        last.extend_from_slice(&event::chunked(&chunk.bytes));
        events += chunk.events;
    }
    last.extend_from_slice(LAST_CHUNK);
    output.push_several(last.into(), events);
}

/// How many frames are taken out of the outbox at once.
const MAX_BATCH: usize = 256;

/// How many frames are kept to be given back together.
const MAX_KEPT: usize = 1024;

/// How often a stream goes on before others have their turn.
const MAX_TURNS: usize = 16;
