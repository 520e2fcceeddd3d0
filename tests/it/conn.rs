//! Transports of the embedder's own, by the one in memory, and the draining of a gateway.
//!
//! - A client speaks the whole protocol; what it is sent comes in order, and is counted.
//! - What was accepted comes before the reason of a close, and that before the close.
//! - A peer may speak a dialect, text or binary.
//! - Who goes, breaks off, does not read or says too much is disconnected, and nothing remains.
//! - Whoever is not let in is told why.
//! - Draining closes a few at a time over the window, lets nobody in, and waits for the last.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::Format;
use throng::Gateway;
use throng::Hub;
use throng::Limits;
use throng::Message;
use throng::OutboxLimits;
use throng::protocol::Dialect;
use throng::protocol::Heard;
use throng::protocol::Push;
use throng::protocol::Said;
use throng::session::ClientPublish;
use throng::transport::Conn;
use throng::transport::Transport;
use throng::transport::memory;
use throng::transport::memory::MemoryPeer;
use throng::transport::ws::WsConfig;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A gateway whose clients may publish.
fn open() -> Gateway {
    let builder = Gateway::builder(Hub::new());
    builder.client_publish(ClientPublish::Allow).build()
}

/// A client that has been greeted, and the task that serves it.
async fn client(gateway: &Gateway) -> (MemoryPeer, JoinHandle<()>) {
    let (conn, mut peer) = memory::pair();
    let serving = tokio::spawn(gateway.serve_conn(conn, ConnectOptions::new().user("ada")));
    assert_eq!(push(&mut peer).await["type"], "connected");
    (peer, serving)
}

async fn push(peer: &mut MemoryPeer) -> Value {
    serde_json::from_str(&peer.recv().await.unwrap()).unwrap()
}

async fn join(peer: &mut MemoryPeer, channel: &str) {
    let subscribe = json!({"type": "subscribe", "channel_id": channel});
    peer.send(subscribe.to_string()).await.unwrap();
    assert_eq!(push(peer).await["type"], "joined");
}

fn publish(gateway: &Gateway, number: u32) {
    let message = Message::text(number.to_string());
    let _delivery = gateway.hub().publish("news", message).unwrap();
}

#[tokio::test]
async fn a_client_speaks_the_protocol() {
    let gateway = open();
    let (mut peer, _serving) = client(&gateway).await;
    // Sent one after the other, answered in their order: the join, though it is in band, too.
    for command in [
        r#"{"id":1,"type":"subscribe","channel_id":"news"}"#,
        r#"{"id":2,"type":"publish","channel_id":"news","data":7}"#,
        r#"{"id":3,"type":"ping"}"#,
        "nonsense",
    ] {
        peer.send(command).await.unwrap();
    }
    let joined = push(&mut peer).await;
    assert_eq!(
        (&joined["type"], &joined["reply_to"]),
        (&json!("joined"), &json!(1))
    );
    let mut pushes = Vec::new();
    for _ in 0..4 {
        let push = push(&mut peer).await;
        pushes.push((push["type"].clone(), push["reply_to"].clone()));
    }
    let message = (json!("message"), Value::Null);
    let at = pushes.iter().position(|push| *push == message).unwrap();
    pushes.remove(at);
    let expected = [
        (json!("ack"), json!(2)),
        (json!("pong"), json!(3)),
        (json!("error"), Value::Null),
    ];
    assert_eq!(pushes, expected);

    let stats = gateway.stats(Transport::Other);
    assert_eq!((stats.open, stats.opened), (1, 1));
    assert_eq!((stats.frames_in, stats.frames_out), (4, 6));
    assert!(stats.bytes_in > 100 && stats.bytes_out > 300, "{stats:?}");
    assert!((1..=6).contains(&stats.writes), "{stats:?}");
}

#[tokio::test]
async fn a_client_gives_its_message_a_lifetime() {
    let gateway = open();
    let (subscriber, mut outbox) = gateway.hub().connect(ConnectOptions::new()).unwrap();
    subscriber.subscribe("news").await.unwrap();
    let (mut peer, _serving) = client(&gateway).await;
    let command =
        json!({"type": "publish", "channel_id": "news", "data": 7, "expires_in_ms": 60_000});
    peer.send(command.to_string()).await.unwrap();
    let frame = outbox.recv().await.unwrap();
    let lifetime = frame.message().unwrap().lifetime();
    assert_eq!(lifetime, Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn what_was_accepted_comes_before_the_close() {
    let gateway = open();
    let (mut peer, serving) = client(&gateway).await;
    join(&mut peer, "news").await;
    for number in 0..50 {
        publish(&gateway, number);
    }
    gateway.hub().close(Disconnect::SHUTDOWN);
    for number in 0..50 {
        assert_eq!(push(&mut peer).await["data"], number);
    }
    let farewell = push(&mut peer).await;
    assert_eq!(farewell["type"], "disconnect");
    assert_eq!(farewell["data"]["code"], 3001);
    assert_eq!(peer.recv().await, Err(Disconnect::SHUTDOWN));
    serving.await.unwrap();
    assert_eq!(gateway.stats(Transport::Other).closes, [(3001, 1)]);
}

#[tokio::test]
async fn whoever_goes_is_forgotten() {
    let gateway = open();
    let (peer, serving) = client(&gateway).await;
    drop(peer);
    serving.await.unwrap();
    let (_peer, serving) = client(&gateway).await;
    serving.abort();
    assert!(serving.await.unwrap_err().is_cancelled());
    assert_eq!(
        (gateway.connections(), gateway.hub().client_count()),
        (0, 0)
    );
    let stats = gateway.stats(Transport::Other);
    assert_eq!(stats.closes, [(1000, 1), (1006, 1)]);
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_read_is_given_up() {
    let hub = Hub::builder()
        .outbox(OutboxLimits::new().messages(4))
        .build()
        .unwrap();
    let config = WsConfig::new().write_timeout(Duration::from_secs(5));
    let gateway = Gateway::builder(hub).ws(config).build();
    let (mut peer, serving) = client(&gateway).await;
    join(&mut peer, "news").await;
    let hub = gateway.hub().clone();
    // More than the connection, the outbox and what is on its way hold.
    for number in 0..300 {
        publish(&gateway, number);
        tokio::task::yield_now().await;
    }
    let start = Instant::now();
    let ended = tokio::time::timeout(Duration::from_secs(60), serving);
    ended.await.expect("still served").unwrap();
    assert_eq!(start.elapsed().as_secs(), 5);
    assert_eq!(hub.client_count(), 0);
}

#[tokio::test]
async fn whoever_says_too_much_is_disconnected() {
    let gateway = Gateway::builder(Hub::new())
        .ws(WsConfig::new().max_message(100))
        .build();
    let (mut peer, serving) = client(&gateway).await;
    peer.send("x".repeat(101)).await.unwrap();
    assert_eq!(push(&mut peer).await["data"]["code"], 1009);
    assert_eq!(peer.recv().await, Err(Disconnect::TOO_LARGE));
    serving.await.unwrap();
}

#[tokio::test]
async fn whoever_is_not_let_in_is_told_why() {
    let limits = Limits::new().clients(1);
    let gateway = Gateway::new(Hub::builder().limits(limits).build().unwrap());
    let (_first, _serving) = client(&gateway).await;
    let (conn, mut peer) = memory::pair();
    gateway.serve_conn(conn, ConnectOptions::new()).await;
    assert_eq!(peer.recv().await, Err(Disconnect::BUSY));
}

#[tokio::test]
async fn a_peer_may_speak_a_dialect_and_binary() {
    let gateway = Gateway::builder(Hub::new()).dialect(&Shout).build();
    let (conn, mut peer) = memory::pair();
    let serving = tokio::spawn(gateway.serve_conn(conn.speaking("shout", ""), user("ada")));
    peer.send(vec![0, 1, 255]).await.unwrap();
    assert_eq!(
        peer.recv_message().await.unwrap(),
        Message::from(vec![255, 1, 0])
    );
    peer.send("drow").await.unwrap();
    assert_eq!(peer.recv_message().await.unwrap(), Message::text("word"));
    peer.send("").await.unwrap();
    assert_eq!(peer.recv().await, Err(Disconnect::UNSUPPORTED));
    serving.await.unwrap();
}

#[tokio::test]
async fn a_peer_receives_payloads_alone() {
    let gateway = Gateway::new(Hub::new());
    let (conn, mut peer) = memory::pair();
    let conn = conn.speaking("throng.v1.raw", "channels=news");
    let _serving = tokio::spawn(gateway.serve_conn(conn, user("ada")));
    while gateway.hub().channel("news").unwrap().subscriber_count() == 0 {
        tokio::task::yield_now().await;
    }
    for message in [Message::text("text"), Message::binary(vec![0, 255])] {
        let _delivery = gateway.hub().publish("news", message.clone()).unwrap();
        assert_eq!(peer.recv_message().await.unwrap(), message);
    }
}

#[tokio::test]
async fn binary_is_no_command_and_an_unknown_dialect_is_refused() {
    let gateway = Gateway::new(Hub::new());
    let (mut peer, _serving) = client(&gateway).await;
    peer.send(vec![0, 255]).await.unwrap();
    assert_eq!(push(&mut peer).await["data"]["code"], "unsupported_frame");
    let (conn, mut peer) = memory::pair();
    gateway
        .serve_conn(conn.speaking("klingon", ""), user("ada"))
        .await;
    assert_eq!(peer.recv().await, Err(Disconnect::UNSUPPORTED));
    assert_eq!(gateway.connections(), 1);
}

/// Sends back what it hears, backwards; silence ends it.
struct Shout;

impl Dialect for Shout {
    fn subprotocols(&self) -> &'static [&'static str] {
        &["shout"]
    }

    fn hear(&self, message: Message) -> Heard {
        let backwards: Vec<u8> = message.payload().iter().rev().copied().collect();
        match message.format() {
            _ if backwards.is_empty() => Heard::Close(Disconnect::UNSUPPORTED),
            Format::Text => Heard::Answered(Message::text(String::from_utf8(backwards).unwrap())),
            Format::Binary => Heard::Answered(backwards.into()),
        }
    }

    fn say(&self, _: Push<'_>) -> Said {
        Said::Nothing
    }
}

fn user(name: &str) -> ConnectOptions {
    ConnectOptions::new().user(name)
}

/// Breaks at the second message.
struct Fragile(u32);

impl Conn for Fragile {
    async fn recv(&mut self) -> io::Result<Option<Message>> {
        std::future::pending().await
    }

    async fn send(&mut self, _: Message) -> io::Result<()> {
        self.0 += 1;
        if self.0 < 2 {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    async fn close(&mut self, why: &Disconnect) {
        panic!("closed what is broken: {why}");
    }
}

#[tokio::test]
async fn what_breaks_is_dropped() {
    let gateway = open();
    let serving = tokio::spawn(gateway.serve_conn(Fragile(0), ConnectOptions::new()));
    tokio::task::yield_now().await;
    let message = Message::text("one too many");
    let _delivery = gateway.hub().broadcast(message).unwrap();
    serving.await.unwrap();
    assert_eq!(gateway.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn draining_closes_a_few_at_a_time() {
    let gateway = Gateway::builder(Hub::new())
        .drain_window(Duration::from_secs(1))
        .reconnect_window(Duration::from_secs(8))
        .build();
    let mut reading = JoinSet::new();
    for _ in 0..40 {
        let (mut peer, _) = client(&gateway).await;
        join(&mut peer, "news").await;
        reading.spawn(async move {
            assert_eq!(push(&mut peer).await["data"], 1);
            let farewell = push(&mut peer).await;
            assert_eq!(peer.recv().await, Err(Disconnect::GOING_AWAY));
            let retry_after = farewell["data"]["retry_after_ms"].as_u64().unwrap();
            (Instant::now(), retry_after)
        });
    }
    publish(&gateway, 1);
    let start = Instant::now();
    gateway.drain().await;
    assert_eq!(gateway.connections(), 0, "it waits for the last");

    let mut batches = BTreeMap::<Duration, usize>::new();
    let mut waits = Vec::new();
    while let Some(read) = reading.join_next().await {
        let (at, retry_after) = read.unwrap();
        *batches.entry(at - start).or_default() += 1;
        waits.push(retry_after);
    }
    // Twenty batches of two, 50 ms apart.
    assert_eq!(batches.len(), 20, "{batches:?}");
    assert!(batches.values().all(|size| *size == 2), "{batches:?}");
    let last = *batches.keys().last().unwrap();
    assert_eq!(last.as_millis(), 950);
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 30, "each at a moment of its own: {waits:?}");
    assert!(*waits.last().unwrap() <= 8000);

    let (conn, mut late) = memory::pair();
    gateway.serve_conn(conn, ConnectOptions::new()).await;
    assert_eq!(late.recv().await, Err(Disconnect::GOING_AWAY));
}

#[tokio::test(start_paused = true)]
async fn without_a_window_all_are_closed_at_once() {
    let gateway = Gateway::builder(Hub::new())
        .drain_window(Duration::ZERO)
        .build();
    let mut peers = Vec::new();
    for _ in 0..40 {
        peers.push(client(&gateway).await.0);
    }
    let start = Instant::now();
    gateway.drain().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    for mut peer in peers {
        assert_eq!(push(&mut peer).await["data"]["code"], 1001);
    }
}
