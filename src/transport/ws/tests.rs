//! The parts of a connection that need no socket.

use std::future::poll_fn;
use std::io::Cursor;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::io::DuplexStream;
use tungstenite::protocol::frame::FrameHeader;

use crate::disconnect::Disconnect;
use crate::hub::Batch;
use crate::hub::ConnectOptions;
use crate::hub::Frame;
use crate::hub::Hub;
use crate::id::ClientId;
use crate::limits::OutboxLimits;
use crate::message::Message;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Push;
use crate::session::Replies;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::output::Output;
use crate::transport::output::Written;
use crate::transport::ws::WsConfig;
use crate::transport::ws::framing;
use crate::transport::ws::framing::Encoding;
use crate::transport::ws::reader::Reader;
use crate::transport::ws::replies::Replying;
use crate::transport::ws::timing::Due;
use crate::transport::ws::timing::Timing;

#[test]
fn a_frame_of_any_length_has_its_header_right_before_it() {
    for length in [0, 1, 100, 126, 65_000, 70_000] {
        let fault = Fault::new(ErrorCode::InvalidJson, "x".repeat(length));
        let frame = framing::text(Push::Error(&fault));
        let mut cursor = Cursor::new(&frame);
        let (header, payload) = FrameHeader::parse(&mut cursor).unwrap().unwrap();
        assert!(header.is_final && header.mask.is_none());
        assert_eq!(cursor.position() + payload, frame.len() as u64);
        assert!(frame.ends_with(b"}"));
    }
}

#[test]
fn a_reason_is_cut_to_what_a_close_frame_holds() {
    let close = framing::close_with(1002, &"é".repeat(100));
    assert_eq!(
        close.len(),
        2 + 2 + 122,
        "122 bytes are 61 characters; 123 would split one"
    );
    assert_eq!(
        framing::close(&Disconnect::SHUTDOWN),
        b"\x88\x0a\x0b\xb9shutdown".as_slice()
    );
}

/// Each connection has one of both for as long as it lasts.
#[cfg(target_pointer_width = "64")]
#[test]
fn timing_and_reader_of_an_idle_connection_are_small() {
    assert!(size_of::<Timing>() <= 56, "{}", size_of::<Timing>());
    assert!(size_of::<Reader>() <= 32, "{}", size_of::<Reader>());
}

/// Deadlines that few connections have take memory only while there are any.
#[test]
fn limits_of_a_blocked_connection_are_freed_when_it_has_written_all() {
    let start = SystemClock::new().now();
    let mut timing = timing(start);
    assert!(!timing.has_limits());
    timing.watch(start, false, false);
    assert!(timing.has_limits());
    timing.wrote(start + SECOND, true);
    assert!(!timing.has_limits());
}

const SECOND: Duration = Duration::from_secs(1);

fn timing(now: Instant) -> Timing {
    let config = WsConfig::new()
        .ping_interval(25 * SECOND)
        .pong_timeout(10 * SECOND);
    Timing::new(&config.write_timeout(5 * SECOND), ClientId::new(7), now)
}

fn due(timing: &mut Timing, now: Instant) -> Vec<Due> {
    timing.due(now, true).collect()
}

#[test]
fn a_ping_is_sent_and_its_answer_awaited_from_when_it_was_written() {
    let start = SystemClock::new().now();
    let mut timing = timing(start);
    let first = timing.deadline();
    assert!(
        (22..=28).contains(&(first - start).as_secs()),
        "give or take a tenth"
    );
    assert_eq!(due(&mut timing, first), [Due::Ping]);
    let written = first + 3 * SECOND;
    timing.watch(first, false, false);
    timing.wrote(written, true);
    assert_eq!(due(&mut timing, written + 9 * SECOND), []);
    assert_eq!(due(&mut timing, written + 10 * SECOND), [Due::NoPong]);
}

#[test]
fn whatever_the_client_sends_answers_a_ping() {
    let start = SystemClock::new().now();
    let mut timing = timing(start);
    let first = timing.deadline();
    assert_eq!(due(&mut timing, first), [Due::Ping]);
    timing.wrote(first, true);
    timing.heard();
    assert_eq!(due(&mut timing, first + 10 * SECOND), []);
    let second = timing.deadline();
    assert_eq!(due(&mut timing, second), [Due::Ping]);
}

#[test]
fn a_client_that_is_not_read_is_not_called_silent() {
    let start = SystemClock::new().now();
    let mut timing = timing(start);
    let first = timing.deadline();
    assert_eq!(due(&mut timing, first), [Due::Ping]);
    timing.wrote(first, true);
    assert_eq!(timing.due(first + 10 * SECOND, false).count(), 0);
    assert_eq!(due(&mut timing, first + 20 * SECOND), [Due::NoPong]);
}

#[test]
fn patience_with_a_socket_begins_anew_with_each_byte_but_not_while_closing() {
    let start = SystemClock::new().now();
    let mut timing = timing(start);
    assert_eq!(timing.watch(start, false, false), start + 5 * SECOND);
    timing.wrote(start + 4 * SECOND, false);
    assert_eq!(
        timing.watch(start + 4 * SECOND, false, false),
        start + 9 * SECOND
    );
    assert_eq!(
        timing.watch(start + 5 * SECOND, false, true),
        start + 9 * SECOND
    );
    timing.wrote(start + 8 * SECOND, false);
    timing.watch(start + 8 * SECOND, false, true);
    assert_eq!(due(&mut timing, start + 9 * SECOND), []);
    assert_eq!(due(&mut timing, start + 10 * SECOND), [Due::GiveUp]);
}

/// Writes all that waits, whenever the socket takes more.
async fn write_all(output: &mut Output<DuplexStream>) {
    poll_fn(|cx| {
        output.set_task(cx.waker());
        match output.write_waiting() {
            Written::All => Poll::Ready(()),
            Written::Blocked => Poll::Pending,
            Written::Broken => panic!("the other end is there"),
        }
    })
    .await;
}

#[tokio::test]
async fn output_is_written_whole_however_little_the_socket_takes() {
    let frames: Vec<_> = (0..100_u8)
        .map(|n| Bytes::from(vec![n; usize::from(n) + 1]))
        .collect();
    for room in [1, 7, 64, 100_000] {
        let (writer, mut reader) = tokio::io::duplex(room);
        let mut output = Replying::new(writer, Encoding::default());
        frames.iter().cloned().for_each(|frame| output.give(frame));
        let written = async {
            write_all(&mut output).await;
            assert!(output.is_empty());
            let tally = output.take_tally();
            assert_eq!(tally.frames_out, 100);
            assert_eq!(tally.bytes_out, frames.concat().len() as u64);
            drop(output);
        };
        let mut read = Vec::new();
        let ((), count) = tokio::join!(written, reader.read_to_end(&mut read));
        assert_eq!(count.unwrap(), read.len());
        assert_eq!(read, frames.concat());
    }
}

/// Publishes texts of these lengths and returns the frames of them.
fn published(lengths: &[usize]) -> Batch {
    let hub = Hub::new();
    let limits = OutboxLimits::new().messages(lengths.len()).bytes(1 << 30);
    let (client, mut outbox) = hub.connect(ConnectOptions::new().outbox(limits)).unwrap();
    for (n, length) in lengths.iter().enumerate() {
        let letter = char::from(b'a' + u8::try_from(n % 26).unwrap());
        let text = letter.to_string().repeat(*length);
        client.send(Message::text(text)).unwrap();
    }
    let mut batch = Batch::new();
    outbox.try_recv_batch(&mut batch, usize::MAX).unwrap();
    batch
}

/// Writes these, whenever the socket takes more: first what is left of one that was begun.
async fn write_all_frames(output: &mut Output<DuplexStream>, mut frames: &[Frame]) {
    poll_fn(|cx| {
        output.set_task(cx.waker());
        let mut written = output.write_waiting();
        if written == Written::All {
            let begun;
            let encoding = Encoding::default();
            (written, begun) = output.write_frames(frames, encoding, &mut Vec::new());
            frames = &frames[begun..];
        }
        match written {
            Written::All => Poll::Ready(()),
            Written::Blocked => Poll::Pending,
            Written::Broken => panic!("the other end is there"),
        }
    })
    .await;
    assert!(frames.is_empty() && output.is_empty());
}

#[tokio::test]
async fn frames_of_the_hub_are_written_whole_in_their_order() {
    for lengths in [
        vec![5],
        vec![70_000],
        vec![5; 300],
        vec![3_000; 100],
        vec![5, 5, 2_000, 5, 70_000, 5, 5],
        vec![200_000; 4],
    ] {
        let batch = published(&lengths);
        let encoding = Encoding::default();
        let whole: Vec<u8> = batch.iter().flat_map(|f| encoding.of(f).to_vec()).collect();
        for room in [1, 1_000, 10 << 20] {
            let (writer, mut reader) = tokio::io::duplex(room);
            let mut output = Replying::new(writer, Encoding::default());
            let written = async {
                write_all_frames(&mut output, batch.as_slice()).await;
                let tally = output.take_tally();
                assert_eq!(tally.frames_out, lengths.len() as u64);
                assert_eq!(tally.bytes_out, whole.len() as u64);
                drop(output);
            };
            let mut read = Vec::new();
            let ((), count) = tokio::join!(written, reader.read_to_end(&mut read));
            assert_eq!(count.unwrap(), whole.len(), "{lengths:?} through {room}");
            assert!(read == whole, "{lengths:?} through {room}");
        }
    }
}

#[tokio::test]
async fn small_frames_share_a_write() {
    let (writer, _reader) = tokio::io::duplex(10 << 20);
    let mut output = Replying::new(writer, Encoding::default());
    let batch = published(&[100; 40]);
    let (_, begun) = output.write_frames(batch.as_slice(), Encoding::default(), &mut Vec::new());
    assert_eq!(begun, 40);
    let tally = output.take_tally();
    assert_eq!((tally.writes, tally.frames_out), (1, 40));
}

#[test]
fn replies_that_are_not_taken_hold_up_commands() {
    let (writer, _reader) = tokio::io::duplex(1);
    let mut output = Replying::new(writer, Encoding::default());
    output.push(Bytes::from(vec![0; 1 << 20]));
    assert!(
        output.has_room(),
        "what the client did not ask for does not count"
    );
    output.give(Bytes::from(vec![0; 64 * 1024]));
    assert!(!output.has_room());
}
