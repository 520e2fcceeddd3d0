//! What a stream does not take, in one process.

use std::env;
use std::fs;
use std::future;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::process;

use futures_util::StreamExt;
use serde_json::Value;
use socket2::SockRef;
use throng::Channel;
use throng::Client;
use throng::ClientStats;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::Gateway;
use throng::Hub;
use throng::Message;
use throng::OutboxLimits;
use throng::SlowConsumer;
use throng::transport;
use throng::transport::ws::Negotiated;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::io::BufStream;
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::task;
use tokio::time;
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message as WsMessage;
use tungstenite::protocol::Role;

use crate::binary::PATIENCE;

/// What the stream between takes.
const ROOM: usize = 4 << 10;

/// Bytes of a payload: a few fit into the stream.
const SIZE: usize = 1000;

/// Messages that the outbox holds.
const OUTBOX: u64 = 16;

/// More are not begun before the stream is full.
const BEGUN: u64 = (ROOM / SIZE) as u64 + 1;

/// Keys that the messages have in turn.
const KEYS: u64 = 8;

struct Scene {
    channel: Channel,
    client: Client,
    socket: WebSocketStream<DuplexStream>,
}

impl Scene {
    /// A client that has joined, and reads only when it is told to.
    async fn new(policy: SlowConsumer) -> Self {
        let hub = Hub::new();
        let gateway = Gateway::builder(hub.clone()).build();
        let limits = OutboxLimits::new().messages(usize::try_from(OUTBOX).unwrap());
        let options = ConnectOptions::new().outbox(limits).slow_consumer(policy);
        let (ours, theirs) = tokio::io::duplex(ROOM);
        let serving = gateway.serve_ws(ours, &[], Negotiated::default(), options);
        tokio::spawn(serving);
        let mut socket = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        let connected = push(&mut socket).await;
        let id = connected["data"]["client_id"].as_str().unwrap();
        let client = hub.client(id.parse().unwrap()).unwrap();
        client.subscribe("c").await.unwrap();
        assert_eq!(push(&mut socket).await["type"], "joined");
        let channel = hub.channel("c").unwrap();
        Self {
            channel,
            client,
            socket,
        }
    }

    /// Publishes these at once, and lets the server write what it can.
    async fn publish(&self, numbers: RangeInclusive<u64>) {
        for number in numbers {
            let text = format!("{number} {}", "x".repeat(SIZE));
            let message = Message::text(text).key(format!("k{}", number % KEYS));
            let _delivery = self.channel.publish(message).unwrap();
        }
        for _ in 0..20 {
            task::yield_now().await;
        }
    }

    fn stats(&self) -> ClientStats {
        self.client.stats()
    }

    /// The offsets of the messages up to `last`, and how many it was told that it has missed.
    async fn read(&mut self, last: u64) -> (Vec<u64>, u64) {
        let (mut read, mut missed) = (Vec::new(), 0);
        while read.last() != Some(&last) {
            let push = push(&mut self.socket).await;
            match push["type"].as_str().unwrap() {
                "message" => read.push(push["offset"].as_u64().unwrap()),
                "gap" => missed += push["data"]["missed"].as_u64().unwrap(),
                other => panic!("{other}"),
            }
        }
        (read, missed)
    }
}

async fn push<IO>(socket: &mut WebSocketStream<IO>) -> Value
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let next = time::timeout(PATIENCE, socket.next()).await;
    match next.expect("nothing comes").unwrap().unwrap() {
        WsMessage::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("not a push: {other:?}"),
    }
}

#[tokio::test]
async fn what_the_stream_does_not_take_can_be_evicted() {
    let mut scene = Scene::new(SlowConsumer::DropOldest).await;
    scene.publish(1..=OUTBOX).await;
    let begun = OUTBOX - scene.stats().queued_messages as u64;
    assert!((1..=BEGUN).contains(&begun), "{begun} have left the outbox");
    scene.publish(OUTBOX + 1..=2 * OUTBOX).await;
    assert_eq!(scene.stats().evicted, OUTBOX - begun);
    assert_eq!(scene.stats().queued_messages as u64, OUTBOX);
    let (read, missed) = scene.read(2 * OUTBOX).await;
    let expected: Vec<_> = (1..=begun).chain(OUTBOX + 1..=2 * OUTBOX).collect();
    assert_eq!(read, expected);
    assert_eq!(missed, OUTBOX - begun);
}

#[tokio::test]
async fn what_the_stream_does_not_take_can_be_superseded() {
    let mut scene = Scene::new(SlowConsumer::KeepLatest).await;
    scene.publish(1..=OUTBOX).await;
    let last = 4 * OUTBOX;
    scene.publish(OUTBOX + 1..=last).await;
    let stats = scene.stats();
    assert_eq!(stats.dropped, 0);
    let (read, _) = scene.read(last).await;
    assert!(read.is_sorted(), "{read:?}");
    assert!(read.len() as u64 <= BEGUN + OUTBOX, "{read:?}");
    assert_eq!(read.len() as u64 + stats.conflated + stats.evicted, last);
    let newest: Vec<_> = (last - KEYS + 1..=last).collect();
    assert!(read.ends_with(&newest), "{read:?}");
}

#[tokio::test]
async fn what_the_stream_does_not_take_counts_against_the_limits() {
    let mut scene = Scene::new(SlowConsumer::DropNewest).await;
    scene.publish(1..=OUTBOX).await;
    let begun = OUTBOX - scene.stats().queued_messages as u64;
    assert!((1..=BEGUN).contains(&begun), "{begun} have left the outbox");
    scene.publish(OUTBOX + 1..=2 * OUTBOX).await;
    assert_eq!(scene.stats().dropped, OUTBOX - begun);
    let (read, told) = scene.read(OUTBOX + begun).await;
    assert_eq!(read, (1..=OUTBOX + begun).collect::<Vec<_>>());
    scene.publish(2 * OUTBOX + 1..=2 * OUTBOX + 1).await;
    let (read, missed) = scene.read(2 * OUTBOX + 1).await;
    assert_eq!(read, [2 * OUTBOX + 1]);
    assert_eq!(told + missed, OUTBOX - begun);
}

#[tokio::test]
async fn what_the_stream_does_not_take_counts_until_the_client_is_too_slow() {
    let mut scene = Scene::new(SlowConsumer::DISCONNECT).await;
    scene.publish(1..=OUTBOX).await;
    let begun = OUTBOX - scene.stats().queued_messages as u64;
    assert!((1..=BEGUN).contains(&begun), "{begun} have left the outbox");
    scene.publish(OUTBOX + 1..=OUTBOX + begun).await;
    assert_eq!(scene.client.close_reason(), None);
    scene.publish(OUTBOX + begun + 1..=OUTBOX + begun + 1).await;
    assert_eq!(scene.client.close_reason(), Some(&Disconnect::SLOW));
    let (read, _) = scene.read(OUTBOX + begun).await;
    assert_eq!(read, (1..=OUTBOX + begun).collect::<Vec<_>>());
    assert_eq!(push(&mut scene.socket).await["type"], "disconnect");
}

#[tokio::test]
async fn a_stream_that_holds_what_it_takes_is_flushed() {
    let hub = Hub::new();
    let gateway = Gateway::builder(hub.clone()).build();
    let (ours, theirs) = tokio::io::duplex(ROOM);
    let held = BufStream::with_capacity(64 << 10, 64 << 10, ours);
    let options = ConnectOptions::new();
    tokio::spawn(gateway.serve_ws(held, &[], Negotiated::default(), options));
    let mut socket = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
    assert_eq!(push(&mut socket).await["type"], "connected");
    // Longer than what the client's side takes at once.
    let text = "x".repeat(5 * ROOM);
    for _ in 0..5 {
        let _delivery = hub.broadcast(Message::text(text.clone())).unwrap();
    }
    for _ in 0..5 {
        assert_eq!(push(&mut socket).await["text"], text);
    }
}

#[tokio::test]
async fn a_mark_can_be_set_by_whoever_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (server, _) = accepted.unwrap();
    let mark = NonZeroU32::new(12_345).unwrap();
    transport::set_unsent_mark(&server, mark).unwrap();
    let set = SockRef::from(&server).tcp_notsent_lowat().unwrap();
    assert_eq!(set, mark.get());
    drop(client);
}

#[cfg(unix)]
#[tokio::test]
async fn a_connection_without_a_mark_is_counted() {
    let path = env::temp_dir().join(format!("throng-unmarked-{}", process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let stop = future::pending();
    tokio::spawn(throng::serve(listener, Hub::new(), stop));
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let request = b"GET /api/v1/stats HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    drop(fs::remove_file(&path));
    assert!(
        answer.contains(r#""unsent_mark":16384,"unmarked":1"#),
        "{answer}"
    );
}
