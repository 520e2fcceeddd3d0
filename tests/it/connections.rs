//! WebSocket connections of a gateway in this process: who writes, when, and what it outlives.
//!
//! - What is published reaches every client, however publishing, flushing and reading meet.
//! - A client with a flush delay gets the same in fewer writes; others do not wait for it.
//! - A payload that panics ends no connection but those that it concerns.
//! - When the future of a connection is dropped, nothing is left of its client.

use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt;
use futures_util::StreamExt;
use serde_json::Value;
use serde_json::json;
use throng::AuthRequest;
use throng::Authorization;
use throng::ClientId;
use throng::ConnectOptions;
use throng::Gateway;
use throng::Hub;
use throng::Message;
use throng::OutboxLimits;
use throng::session::ClientPublish;
use throng::transport::Transport;
use throng::transport::ws::Negotiated;
use tokio::io::DuplexStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message as WsMessage;
use tungstenite::protocol::Role;

use crate::binary::PATIENCE;

/// A client, subscribed to `room`.
struct Peer {
    socket: WebSocketStream<DuplexStream>,
    id: ClientId,
    task: JoinHandle<()>,
}

impl Peer {
    async fn join(gateway: &Gateway, options: ConnectOptions) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let serving = gateway.serve_ws(ours, &[], Negotiated::default(), options);
        let mut peer = Self {
            socket: WebSocketStream::from_raw_socket(theirs, Role::Client, None).await,
            id: ClientId::new(0),
            task: tokio::spawn(serving),
        };
        let connected = peer.push().await;
        peer.id = connected["data"]["client_id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        peer.say(r#"{"id":1,"type":"subscribe","channel_id":"room"}"#)
            .await;
        assert_eq!(peer.push().await["type"], "joined");
        peer
    }

    async fn say(&mut self, text: &str) {
        self.socket.send(WsMessage::text(text)).await.unwrap();
    }

    async fn push(&mut self) -> Value {
        match self.socket.next().await.unwrap().unwrap() {
            WsMessage::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("not a push: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_lost_between_flusher_and_task() {
    const CLIENTS: usize = 4;
    const EACH: usize = 2_000;
    let outbox = OutboxLimits::new().messages(CLIENTS * EACH).bytes(1 << 30);
    let gateway = Gateway::builder(Hub::builder().outbox(outbox).build().unwrap())
        .client_publish(ClientPublish::Allow)
        .build();
    let mut peers = Vec::new();
    for _ in 0..CLIENTS {
        peers.push(Peer::join(&gateway, ConnectOptions::new()).await);
    }
    let (mut sinks, mut streams) = (Vec::new(), Vec::new());
    for peer in peers {
        let (mut sink, mut stream) = peer.socket.split();
        // Each publishes to all, itself among them, while all others do: its state is now with its
        // task, which reads commands, now wanted by the flusher.
        sinks.push(tokio::spawn(async move {
            for _ in 0..EACH {
                let publish = r#"{"type":"publish","channel_id":"room","data":1}"#;
                sink.send(WsMessage::text(publish)).await.unwrap();
            }
            sink
        }));
        streams.push(tokio::spawn(async move {
            for _ in 0..CLIENTS * EACH {
                let next = timeout(PATIENCE, stream.next()).await;
                next.expect("it comes").unwrap().unwrap();
            }
            stream
        }));
    }
    for stream in streams {
        drop(stream.await.unwrap());
    }
    for sink in sinks {
        drop(sink.await.unwrap());
    }
}

#[tokio::test]
async fn a_subscribe_behind_one_that_waited_on_a_full_socket_is_carried_out() {
    let (allow, allowed) = watch::channel(false);
    let authorizer = move |_: &AuthRequest| {
        let mut allowed = allowed.clone();
        Authorization::later(async move {
            drop(allowed.wait_for(|allowed| *allowed).await);
            Authorization::Allow
        })
    };
    let gateway = Gateway::new(Hub::builder().authorizer(authorizer).build().unwrap());
    let mut peer = Peer::join(&gateway, ConnectOptions::new()).await;
    for channel in ["private-a", "b"] {
        peer.say(&json!({"type": "subscribe", "channel_id": channel}).to_string())
            .await;
    }
    // A little more than the socket takes. Then the first is let in.
    for _ in 0..3 {
        publish(&gateway, Message::text("x".repeat(1 << 15)));
        yield_now().await;
    }
    allow.send_replace(true);
    yield_now().await;
    let mut joined = Vec::new();
    while joined.len() < 2 {
        // Sooner than any timer of the connection would wake it.
        let push = timeout(PATIENCE / 6, peer.push()).await;
        let push = push.expect("both are carried out");
        if push["type"] == "joined" {
            joined.push(push["channel_id"].clone());
        }
    }
    assert_eq!(joined, ["private-a", "b"]);
}

/// Publishes to the room.
fn publish(gateway: &Gateway, message: Message) {
    let delivery = gateway.hub().publish("room", message).unwrap();
    assert_eq!(delivery.dropped(), 0);
}

#[tokio::test]
async fn a_delayed_client_gets_the_same_in_fewer_writes() {
    let gateway = Gateway::new(Hub::new());
    let delayed = ConnectOptions::new().flush_delay(Duration::from_millis(50));
    let mut delayed = Peer::join(&gateway, delayed).await;
    let mut prompt = Peer::join(&gateway, ConnectOptions::new()).await;
    let writes = |peer: &Peer| gateway.connection(peer.id).unwrap().writes;
    let before = (writes(&delayed), writes(&prompt));
    for n in 0..10 {
        publish(&gateway, Message::text(n.to_string()));
        assert_eq!(prompt.push().await["data"], n, "nobody else waits");
    }
    for n in 0..10 {
        assert_eq!(delayed.push().await["data"], n);
    }
    assert_eq!(writes(&prompt) - before.1, 10);
    assert!(writes(&delayed) - before.0 < 10, "some went together");
    assert_eq!(gateway.connection(delayed.id).unwrap().frames_out, 12);
}

/// A payload whose last owner panics.
struct Grudge(&'static [u8]);

impl AsRef<[u8]> for Grudge {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

impl Drop for Grudge {
    fn drop(&mut self) {
        panic!("a grudge is dropped");
    }
}

#[tokio::test]
async fn a_payload_that_panics_stops_nobody() {
    let gateway = Gateway::new(Hub::new());
    let mut one = Peer::join(&gateway, ConnectOptions::new()).await;
    let mut other = Peer::join(&gateway, ConnectOptions::new()).await;
    for n in 0..10 {
        let grudge = Message::from_utf8(Bytes::from_owner(Grudge(b"\"grudge\"")));
        publish(&gateway, grudge.unwrap());
        assert_eq!(one.push().await["data"], "grudge");
        assert_eq!(other.push().await["data"], "grudge");
        publish(&gateway, Message::text(n.to_string()));
        assert_eq!(one.push().await["data"], n);
        assert_eq!(other.push().await["data"], n);
    }
    assert_eq!(gateway.stats(Transport::Ws).open, 2);
}

#[tokio::test]
async fn a_dropped_connection_leaves_nothing_behind() {
    let gateway = Gateway::new(Hub::new());
    let mut peer = Peer::join(&gateway, ConnectOptions::new()).await;
    assert_eq!(gateway.connections(), 1);
    peer.task.abort();
    assert!((&mut peer.task).await.unwrap_err().is_cancelled());
    let rest = peer.socket.next().await.unwrap();
    rest.expect_err("the stream ends without a close frame");
    assert_eq!(gateway.connections(), 0);
    assert_eq!(gateway.hub().stats().clients, 0);
    assert_eq!(gateway.stats(Transport::Ws).closes, [(1006, 1)]);
    assert!(gateway.connection(peer.id).is_none());
}

#[tokio::test]
async fn who_is_drained_learns_why_and_when_to_come_back() {
    let gateway = Gateway::builder(Hub::new())
        .drain_window(Duration::ZERO)
        .reconnect_window(Duration::from_secs(8))
        .build();
    let mut peer = Peer::join(&gateway, ConnectOptions::new()).await;
    publish(&gateway, Message::text("1"));
    let draining = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.drain().await }
    });
    assert_eq!(
        peer.push().await["data"],
        1,
        "what was accepted comes first"
    );
    let farewell = peer.push().await;
    assert_eq!(farewell["type"], "disconnect");
    assert_eq!(
        (&farewell["data"]["code"], &farewell["data"]["reconnect"]),
        (&1001.into(), &true.into())
    );
    assert!(farewell["data"]["retry_after_ms"].as_u64().unwrap() <= 8_000);
    match peer.socket.next().await.unwrap().unwrap() {
        WsMessage::Close(Some(close)) => assert_eq!(u16::from(close.code), 1001),
        other => panic!("not a close: {other:?}"),
    }
    while peer.socket.next().await.is_some() {}
    draining.await.unwrap();
    let late = gateway.serve_ws(
        tokio::io::duplex(64).0,
        &[],
        Negotiated::default(),
        ConnectOptions::new(),
    );
    drop(late);
    assert_eq!(gateway.stats(Transport::Ws).opened, 1, "nobody is let in");
}
