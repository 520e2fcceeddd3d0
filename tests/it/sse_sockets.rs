//! Streams of events over HTTP/1.1 on bare sockets, of the server that serves them without hyper.
//!
//! - The body is chunks as RFC 9112 has them, whatever is published and however little the socket
//!   takes at a time.
//! - Before and after a stream the connection is one of HTTP like any other: requests that were
//!   sent ahead are answered, unless either side has said that it closes.
//! - A client that closes its side, or resets, is gone at once.
//! - What the socket does not take stays in the outbox, under the client's policy.

use std::future;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::Shutdown;
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use socket2::SockRef;
use throng::ClientId;
use throng::ConnectOptions;
use throng::Gateway;
use throng::Hub;
use throng::Message;
use throng::OutboxLimits;
use throng::SlowConsumer;
use throng::server::Listener;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::DuplexStream;
use tokio::task;
use tokio::time;

use crate::binary::HANDSHAKE;
use crate::binary::PATIENCE;
use crate::binary::Throng;
use crate::event_stream::Event;
use crate::event_stream::EventStream;

/// Chunks of HTTP/1.1, read by the letter: a size without zeros in front, extensions or spaces.
#[derive(Default)]
struct Chunks {
    bytes: Vec<u8>,
    source: EventStream,
}

/// What a chunk brings.
#[derive(Debug)]
enum Came {
    End,
    Events(Vec<Event>),
}

impl Chunks {
    /// The head, once all of it has come.
    fn head(&mut self) -> Option<String> {
        let end = self.bytes.windows(4).position(|end| end == b"\r\n\r\n")?;
        let head: Vec<_> = self.bytes.drain(..end + 4).collect();
        Some(String::from_utf8(head).unwrap())
    }

    /// The next chunk, once all of it has come.
    fn next(&mut self) -> Option<Came> {
        let line = self.bytes.windows(2).position(|end| end == b"\r\n")?;
        let size = str::from_utf8(&self.bytes[..line]).unwrap();
        let length = usize::from_str_radix(size, 16).unwrap();
        assert_eq!(size, format!("{length:x}"));
        let start = line + 2;
        let end = start + length;
        if self.bytes.len() < end + 2 {
            return None;
        }
        assert_eq!(&self.bytes[end..end + 2], b"\r\n");
        let chunk: Vec<_> = self.bytes.drain(..end + 2).collect();
        if length == 0 {
            assert!(self.source.is_between_lines());
            return Some(Came::End);
        }
        let chunk = &chunk[start..end];
        assert!(chunk.ends_with(b"\n\n"), "no event is cut in two");
        Some(Came::Events(self.source.feed(chunk)))
    }
}

/// A client's socket.
struct Socket {
    stream: TcpStream,
    chunks: Chunks,
    events: Vec<Event>,
}

impl Socket {
    fn open(throng: &Throng, requests: &str) -> Self {
        let mut stream = throng.tcp();
        stream.write_all(requests.as_bytes()).unwrap();
        Self {
            stream,
            chunks: Chunks::default(),
            events: Vec::new(),
        }
    }

    /// Reads some; `false` when nothing more will come.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 1 << 16];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(read) => {
                self.chunks.bytes.extend_from_slice(&bytes[..read]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn head(&mut self) -> String {
        loop {
            if let Some(head) = self.chunks.head() {
                return head;
            }
            assert!(self.read(), "no head");
        }
    }

    /// The next event; `None` at the last chunk.
    fn next(&mut self) -> Option<Event> {
        while self.events.is_empty() {
            match self.chunks.next() {
                Some(Came::End) => return None,
                Some(Came::Events(events)) => self.events = events,
                None => assert!(self.read(), "broke off"),
            }
        }
        Some(self.events.remove(0))
    }

    /// The next event, which has this name; its JSON.
    fn expect(&mut self, name: &str) -> Value {
        let event = self.next().unwrap();
        assert_eq!(event.name, name, "{event:?}");
        serde_json::from_str(&event.data).unwrap()
    }

    /// The answer to a request with a body of a known length.
    fn answer(&mut self) -> (String, String) {
        let head = self.head();
        let length = head.lines().find_map(|line| {
            line.to_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        let length: usize = length.unwrap();
        while self.chunks.bytes.len() < length {
            assert!(self.read(), "no body");
        }
        let body = self.chunks.bytes.drain(..length).collect();
        (head, String::from_utf8(body).unwrap())
    }
}

const NEWS: &str = "GET /sse?channel=news HTTP/1.1\r\nhost: localhost\r\n\r\n";

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A stream that has joined, and the id of its client.
fn joined(throng: &Throng, requests: &str) -> (Socket, String) {
    let mut socket = Socket::open(throng, requests);
    assert!(socket.head().starts_with("HTTP/1.1 200 OK\r\n"));
    let connected = socket.expect("connected");
    assert_eq!(socket.expect("joined")["channel_id"], "news");
    let id = connected["data"]["client_id"].as_str().unwrap();
    (socket, id.to_owned())
}

fn expel(throng: &Throng, client: &str) {
    let path = format!("/api/v1/clients/{client}");
    let answer = throng.request("DELETE", &path, &[], b"");
    assert!(answer.status < 300, "{answer:?}");
}

#[test]
fn every_event_is_in_a_chunk_that_a_strict_reader_takes() {
    let throng = Throng::start(&["--outbox-bytes", "8000000"]);
    let mut one = Socket::open(&throng, NEWS);
    let mut two = Socket::open(
        &throng,
        "GET /sse?channels=news,more HTTP/1.1\r\nhost: localhost\r\n\r\n",
    );
    for socket in [&mut one, &mut two] {
        let head = socket.head().to_lowercase();
        assert!(
            head.contains("\r\ntransfer-encoding: chunked\r\n"),
            "{head}"
        );
        assert!(!head.contains("content-length"), "{head}");
        socket.expect("connected");
        socket.expect("joined");
    }
    two.expect("joined");
    // Their chunks are as long as events are: sizes of one to five digits.
    let lengths = [0, 1, 100, 3_900, 4_000, 8_192, 16_384, 70_000, 300_000];
    for length in lengths {
        throng.publish("news", &json!("x".repeat(length)));
        throng.publish("more", &json!(length));
    }
    for length in lengths {
        let text = "x".repeat(length);
        assert_eq!(one.expect("message")["data"], text);
        assert_eq!(two.expect("message")["data"], text);
        assert_eq!(two.expect("message")["data"], length);
    }
}

/// The kernel's figures are known of a socket that is not hidden under HTTP.
#[cfg(target_os = "linux")]
#[test]
fn a_stream_has_its_socket_to_itself() {
    let throng = Throng::start(&[]);
    let (_socket, client) = joined(&throng, NEWS);
    // Not known while the task of the connection is at work.
    throng.client_until(&client, |view| view["connection"]["unsent"] == 0);
}

#[test]
fn requests_behind_a_stream_are_answered_when_it_has_ended() {
    let throng = Throng::start(&[]);
    // One is there before the stream begins, the other is sent while it lasts.
    let (mut socket, client) = joined(&throng, &format!("{NEWS}{HEALTH}"));
    socket.stream.write_all(NEWS.as_bytes()).unwrap();
    throng.publish("news", &json!(1));
    assert_eq!(socket.expect("message")["data"], 1);
    expel(&throng, &client);
    assert_eq!(socket.expect("disconnect")["data"]["code"], 3503);
    assert!(socket.next().is_none());
    let (head, body) = socket.answer();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(body, "ok");
    // And then the next stream.
    assert!(socket.head().starts_with("HTTP/1.1 200 OK\r\n"));
    socket.expect("connected");
    socket.expect("joined");
    throng.publish("news", &json!(2));
    assert_eq!(socket.expect("message")["data"], 2);
}

#[test]
fn a_stream_follows_other_requests_on_its_connection() {
    let throng = Throng::start(&[]);
    let head = NEWS.replace("GET", "HEAD");
    // All at once: the answers to the first are still being written when the stream begins.
    let requests = format!("{HEALTH}{head}{HEALTH}{NEWS}");
    let mut socket = Socket::open(&throng, &requests);
    assert_eq!(socket.answer().1, "ok");
    let head = socket.head();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("text/event-stream"), "{head}");
    assert_eq!(socket.answer().1, "ok");
    assert!(socket.head().contains("text/event-stream"));
    socket.expect("connected");
    socket.expect("joined");
    let stats = throng.stats();
    assert_eq!(stats["transports"]["sse"]["opened"], 1, "a HEAD opens none");
}

#[test]
fn a_connection_may_become_anything_after_a_stream() {
    let throng = Throng::start(&[]);
    let (mut socket, client) = joined(&throng, NEWS);
    expel(&throng, &client);
    socket.expect("disconnect");
    assert!(socket.next().is_none());
    socket.stream.write_all(HANDSHAKE.as_bytes()).unwrap();
    let head = socket.head();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    throng.stats_until(|stats| stats["transports"]["ws"]["open"] == 1);
}

#[test]
fn a_connection_that_is_to_close_ends_with_its_stream() {
    let throng = Throng::start(&[]);
    for option in ["close", "Close", "TE, close"] {
        let asked = NEWS.replace(
            "host: localhost",
            &format!("host: localhost\r\nconnection: {option}"),
        );
        let (mut socket, client) = joined(&throng, &format!("{asked}{HEALTH}"));
        expel(&throng, &client);
        socket.expect("disconnect");
        assert!(socket.next().is_none());
        assert!(!socket.read(), "hung up");
        assert!(socket.chunks.bytes.is_empty());
    }
}

#[test]
fn http_1_0_has_no_chunks() {
    let throng = Throng::start(&[]);
    let mut socket = Socket::open(&throng, &NEWS.replace("HTTP/1.1", "HTTP/1.0"));
    let head = socket.head().to_lowercase();
    assert!(!head.contains("transfer-encoding"), "{head}");
    let text = |socket: &Socket| String::from_utf8_lossy(&socket.chunks.bytes).into_owned();
    while !text(&socket).contains("event: joined\n") {
        assert!(socket.read());
    }
    throng.publish("news", &json!("plain"));
    while !text(&socket).contains(r#""data":"plain""#) {
        assert!(socket.read());
    }
}

#[test]
fn a_client_that_closes_or_resets_is_gone_at_once() {
    // No comment is sent that could find it out.
    let throng = Throng::start(&["--sse-heartbeat", "600000"]);
    let idle = throng.descriptors();
    let (half, _) = joined(&throng, NEWS);
    let (reset, _) = joined(&throng, NEWS);
    let (gone, _) = joined(&throng, NEWS);
    half.stream.shutdown(Shutdown::Write).unwrap();
    let linger = Some(Duration::ZERO);
    SockRef::from(&reset.stream).set_linger(linger).unwrap();
    drop((reset, gone));
    let stats = throng
        .stats_until(|stats| stats["transports"]["sse"]["open"] == 0 && stats["clients"] == 0);
    assert_eq!(stats["transports"]["sse"]["closes"], json!({"1006": 3}));
    throng.descriptors_until(idle);
}

#[test]
fn bytes_ahead_of_their_turn_are_bounded() {
    let throng = Throng::start(&[]);
    let (mut socket, client) = joined(&throng, NEWS);
    let before = throng.memory();
    // What is not read stays in the kernel, which takes some of it only.
    socket.stream.set_nonblocking(true).unwrap();
    let ahead = vec![b'x'; 64 << 10];
    let mut sent = 0;
    while let Ok(written) = socket.stream.write(&ahead) {
        sent += written;
    }
    assert!(sent > 64 << 10, "{sent}");
    socket.stream.set_nonblocking(false).unwrap();
    throng.publish("news", &json!("still"));
    assert_eq!(socket.expect("message")["data"], "still");
    let grown = throng.memory().saturating_sub(before);
    assert!(grown < 1 << 20, "{grown} bytes");
    expel(&throng, &client);
    socket.expect("disconnect");
    assert!(socket.next().is_none());
    // It was no request.
    let head = socket.head();
    assert!(head.starts_with("HTTP/1.1 4"), "{head}");
}

/// A listener of one connection, which is a pipe.
struct Pipe(Mutex<Option<DuplexStream>>);

impl Listener for Pipe {
    type Io = DuplexStream;

    async fn accept(&self) -> io::Result<(DuplexStream, Option<IpAddr>)> {
        let stream = self.0.lock().unwrap().take();
        match stream {
            Some(stream) => Ok((stream, None)),
            None => future::pending().await,
        }
    }
}

/// A client at the other end of a pipe.
struct Piped {
    hub: Hub,
    id: Option<ClientId>,
    stream: DuplexStream,
    chunks: Chunks,
}

impl Piped {
    /// A stream that has joined over a pipe that takes so many bytes.
    async fn open(room: usize, policy: SlowConsumer) -> Self {
        let hub = Hub::new();
        let limits = OutboxLimits::new().messages(OUTBOX);
        let options = move || ConnectOptions::new().outbox(limits).slow_consumer(policy);
        let gateway = Gateway::builder(hub.clone())
            .authenticate(move |_| Ok(options()))
            .build();
        let (ours, theirs) = tokio::io::duplex(room);
        let listener = Pipe(Mutex::new(Some(ours)));
        tokio::spawn(throng::serve(listener, gateway, future::pending()));
        let mut client = Self {
            hub,
            id: None,
            stream: theirs,
            chunks: Chunks::default(),
        };
        let (mut reading, mut writing) = tokio::io::split(&mut client.stream);
        let asked = async { writing.write_all(NEWS.as_bytes()).await.unwrap() };
        let answered = async {
            while client.chunks.head().is_none() {
                reading.read_buf(&mut client.chunks.bytes).await.unwrap();
            }
        };
        tokio::join!(asked, answered);
        let events = client.until("joined").await;
        assert_eq!(events[0].name, "connected");
        let connected: Value = serde_json::from_str(&events[0].data).unwrap();
        let id = connected["data"]["client_id"].as_str().unwrap();
        client.id = Some(id.parse().unwrap());
        client
    }

    /// The events up to the first with this name.
    async fn until(&mut self, name: &str) -> Vec<Event> {
        let mut events = Vec::new();
        while events.last().is_none_or(|event: &Event| event.name != name) {
            match self.chunks.next() {
                Some(Came::Events(more)) => events.extend(more),
                Some(Came::End) => panic!("ended: {events:?}"),
                None => {
                    let read = self.stream.read_buf(&mut self.chunks.bytes);
                    let read = time::timeout(PATIENCE, read).await;
                    assert_ne!(read.expect("more comes").unwrap(), 0);
                }
            }
        }
        events
    }
}

const OUTBOX: usize = 16;

#[tokio::test]
async fn every_byte_comes_over_a_socket_that_takes_few_at_a_time() {
    for room in [1, 7, 100] {
        let mut client = Piped::open(room, SlowConsumer::DropNewest).await;
        for round in 0..4 {
            for length in [0, 10, 500] {
                let text = format!("r{round} {}", "y".repeat(length));
                let delivery = client.hub.publish("news", Message::text(text)).unwrap();
                assert_eq!(delivery.delivered(), 1);
            }
            for length in [0, 10, 500] {
                let event = client.until("message").await.pop().unwrap();
                let said: Value = serde_json::from_str(&event.data).unwrap();
                assert_eq!(said["text"], format!("r{round} {}", "y".repeat(length)));
            }
        }
    }
}

#[tokio::test]
async fn what_the_socket_does_not_take_can_be_superseded() {
    const ROOM: usize = 4 << 10;
    const SIZE: usize = 1_000;
    const KEYS: usize = 8;
    let mut client = Piped::open(ROOM, SlowConsumer::KeepLatest).await;
    let publish = |numbers: RangeInclusive<usize>| {
        for number in numbers {
            let text = format!("{number} {}", "x".repeat(SIZE));
            let message = Message::text(text).key(format!("k{}", number % KEYS));
            let _delivery = client.hub.publish("news", message).unwrap();
        }
    };
    // The pipe is full of the first, and one is begun.
    publish(1..=8);
    for _ in 0..50 {
        task::yield_now().await;
    }
    publish(9..=80);
    let mut offsets = Vec::new();
    while offsets.last() != Some(&80) {
        for event in client.until("message").await {
            let said: Value = serde_json::from_str(&event.data).unwrap();
            if event.name == "message" {
                let offset = said["offset"].as_u64().unwrap();
                assert!(
                    event.id.starts_with(&format!("news@{offset}.")),
                    "{event:?}"
                );
                offsets.push(offset);
            }
        }
    }
    assert!(offsets.is_sorted(), "{offsets:?}");
    let newest: Vec<_> = (73..=80).collect();
    assert!(offsets.ends_with(&newest), "{offsets:?}");
    // All but those that fit into the pipe, and the one that was begun, waited in the outbox.
    let begun = ROOM / SIZE + 1;
    assert!(offsets.len() <= begun + OUTBOX, "{offsets:?}");
    let stats = client.hub.client(client.id.unwrap()).unwrap().stats();
    assert_eq!(offsets.len() as u64 + stats.conflated + stats.evicted, 80);
}
