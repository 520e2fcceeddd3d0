//! The events of one stream.

use crate::hub::Event;
use crate::hub::Frame;
use crate::hub::Joined;
use crate::hub::StreamPosition;
use crate::protocol::Missed;
use crate::protocol::Push;
use crate::protocol::StreamPush;
use crate::transport::sse::chunks::Chunks;
use crate::transport::sse::cursor::Cursor;
use crate::transport::sse::event;
use crate::transport::sse::stream::write_id;

/// The events that frames become.
pub(super) struct Script<'a> {
    pub(super) chunks: &'a mut Chunks,
    pub(super) cursor: &'a mut Cursor,
}

impl Script<'_> {
    pub(super) fn encode(&mut self, frame: &Frame) {
        match frame.event() {
            Event::Joined(joined) => return self.joined(frame, joined),
            Event::Gap(_) => {
                let push = Push::Frame(frame);
                return self.chunks.write(|out| event::push(out, "gap", push));
            }
            Event::Unsubscribed(left) => {
                self.cursor.leave(&left.channel);
                return self.say_with_id(frame);
            }
            _ => {}
        }
        let shared = event::shared(frame);
        let Some((channel, position)) = event::place(frame) else {
            return self.chunks.share(&shared);
        };
        self.cursor.advance(channel, position);
        if self.cursor.is_just(channel, position) {
            return self.chunks.share(&shared);
        }
        let Self { chunks, cursor } = self;
        chunks.write(|out| {
            write_id(cursor, out);
            out.extend_from_slice(event::without_id(&shared));
        });
    }

    /// A channel has been joined. The id names what the client has: it moves on with what is
    /// replayed. What was missed for good is told next, and only then does the id name the position
    /// of the join: who breaks off in between is told again.
    fn joined(&mut self, frame: &Frame, joined: &Joined) {
        if !event::has_place(&joined.channel) {
            // Not the client's to come back to: whoever put it there does that.
            let push = Push::Frame(frame);
            return self.chunks.write(|out| event::push(out, "joined", push));
        }
        let since = self.cursor.join(&joined.channel, joined.start);
        self.say_with_id(frame);
        let Some(since) = since.filter(|_| !joined.recovered) else {
            return;
        };
        self.cursor.skip_to(&joined.channel, joined.start);
        let push = StreamPush::Gap {
            channel: Some(&joined.channel),
            missed: missed(since, joined.start),
        };
        let Self { chunks, cursor } = self;
        chunks.write(|out| {
            write_id(cursor, out);
            event::stream_push(out, "gap", push);
        });
    }

    fn say_with_id(&mut self, frame: &Frame) {
        let Self { chunks, cursor } = self;
        chunks.write(|out| {
            write_id(cursor, out);
            event::push(out, event::name(frame), Push::Frame(frame));
        });
    }
}

/// What is known of what was published between two positions.
fn missed(since: StreamPosition, now: StreamPosition) -> Missed {
    if since.epoch != now.epoch {
        Missed::Unknown { reason: "epoch" }
    } else if since.offset < now.offset {
        Missed::Range {
            first: since.offset + 1,
            last: now.offset,
        }
    } else {
        // Nobody has ever been there.
        Missed::Unknown { reason: "position" }
    }
}
