//! Events of a stream: `id`, `event` and `data`, each a line, and an empty line behind them.
//!
//! The JSON is that of the native protocol. It may come with line breaks, for payloads are sent as
//! they are: each of its lines becomes a `data:` line of its own, whether it ends in CR, LF or
//! both. Nothing else that comes from outside stands in an event: names of events are ours, and an
//! id is percent-encoded. So nobody can end an event early, or begin one.

use bytes::Bytes;

use crate::hub::EncodingSlot;
use crate::hub::Event;
use crate::hub::Frame;
use crate::hub::StreamPosition;
use crate::layers::ChannelTarget;
use crate::layers::MessageHeader;
use crate::layers::is_reserved;
use crate::message::Format;
use crate::protocol::Push;
use crate::protocol::StreamPush;
use crate::transport::output::Encode;
use crate::transport::sse::cursor;

/// The slot in which a frame of the hub keeps its event, with the id that it has in the streams of
/// its one channel, as a chunk of HTTP/1.1.
const SSE: EncodingSlot = EncodingSlot::own(2);

/// The chunk that ends a body (RFC 9112 section 7.1).
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The comment that says that the server is there.
pub(super) const HEARTBEAT: &[u8] = b":\n\n";

/// The encoding of frames as chunks of HTTP/1.1 that all streams share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunked;

impl Encode for Chunked {
    fn of(self, frame: &Frame) -> &Bytes {
        frame.encoded(SSE, |frame| {
            chunk(128 + frame.payload().len(), |out| {
                if let Some((channel, position)) = place(frame) {
                    out.extend_from_slice(b"id: ");
                    cursor::write_one(channel, position, out);
                    out.push(b'\n');
                }
                write(out, name(frame), |out| Push::Frame(frame).write(out));
            })
        })
    }
}

/// The event of a frame, as all streams share it.
pub(super) fn shared(frame: &Frame) -> Bytes {
    let chunk = Chunked.of(frame);
    let size = chunk.iter().position(|byte| *byte == b'\n');
    let start = size.map_or(0, |end| end + 1);
    chunk.slice(start..chunk.len() - CRLF.len())
}

/// A chunk of HTTP/1.1 with these events.
pub(super) fn chunked(events: &[u8]) -> Bytes {
    chunk(events.len(), |out| out.extend_from_slice(events))
}

/// A chunk of HTTP/1.1 with what `write` appends, of some `capacity` bytes.
fn chunk(capacity: usize, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut out = Vec::with_capacity(SIZE + capacity + CRLF.len());
    // The size goes in front once it is known: room for the longest is left.
    out.resize(SIZE, 0);
    write(&mut out);
    let size = format!("{:x}\r\n", out.len() - SIZE);
    out.extend_from_slice(CRLF);
    let start = SIZE - size.len();
    out[start..SIZE].copy_from_slice(size.as_bytes());
    Bytes::from(out).slice(start..)
}

/// What is behind the id in the event of a frame that [has a place](place).
pub(super) fn without_id(event: &[u8]) -> &[u8] {
    let end = event.iter().position(|byte| *byte == b'\n');
    end.map_or(event, |end| &event[end + 1..])
}

/// The channel and the position of a frame, if it has one that a client can come back to.
pub(super) fn place(frame: &Frame) -> Option<(&str, StreamPosition)> {
    let channel = frame.channel().filter(|name| has_place(name))?;
    match frame.event() {
        Event::MemberAdded(_) | Event::MemberRemoved(_) | Event::Message(_) => {}
        _ => return None,
    }
    let position = StreamPosition {
        offset: frame.offset(),
        epoch: frame.epoch(),
    };
    Some((channel, position))
}

/// Whether a client has a place in a channel, so that its ids name it: in what it has joined, and
/// in the rooms of its user.
pub(super) fn has_place(channel: &str) -> bool {
    !is_reserved(channel) || matches!(ChannelTarget::of(channel), ChannelTarget::Room(_))
}

/// Appends the event of a push.
pub(super) fn push(out: &mut Vec<u8>, name: &str, push: Push<'_>) {
    write(out, name, |out| push.write(out));
}

/// Appends the event of a push that only streams have.
pub(super) fn stream_push(out: &mut Vec<u8>, name: &str, push: StreamPush<'_>) {
    write(out, name, |out| push.write(out));
}

/// Appends the line that tells a client when to come back.
pub(super) fn retry(out: &mut Vec<u8>, millis: u64) {
    out.extend_from_slice(format!("retry: {millis}\n").as_bytes());
}

/// The name of the event: the type of the push, but for what is binary and so has to be decoded.
pub(super) fn name(frame: &Frame) -> &'static str {
    match frame.event() {
        Event::Gap(_) => "gap",
        Event::Joined(_) => "joined",
        Event::Unsubscribed(_) => "left",
        Event::MemberAdded(_) => "member_added",
        Event::MemberRemoved(_) => "member_removed",
        Event::Message(message) if message.format() == Format::Binary => "binary",
        Event::Message(message) => MessageHeader::of(message).map_or("message", |stamp| stamp.kind),
    }
}

fn write(out: &mut Vec<u8>, name: &str, json: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(DATA);
    let start = out.len();
    json(out);
    if out[start..].iter().any(is_break) {
        let text = out.split_off(start);
        write_lines(&text, out);
    }
    out.extend_from_slice(b"\n\n");
}

/// Appends a text whose first line has its `data:` already.
fn write_lines(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(end) = rest.iter().position(is_break) {
        out.extend_from_slice(&rest[..end]);
        out.push(b'\n');
        out.extend_from_slice(DATA);
        let length = if rest[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        rest = &rest[end + length..];
    }
    out.extend_from_slice(rest);
}

fn is_break(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

const DATA: &[u8] = b"data: ";

const CRLF: &[u8] = b"\r\n";

/// The longest size of a chunk, and the line break behind it.
const SIZE: usize = 16 + CRLF.len();
