//! Clients that read as fast as they can lose nothing to the server's own scheduling.
//!
//! - A thousand of them get everything, however many messages the publishers have in flight, with
//!   the default outbox, and whether the server has one worker or two.
//! - Publishing connections go on when the flusher that they wait for has ended, or does not run.
//! - One connection's commands leave other connections their turns.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use throng::ConnectOptions;
use throng::Gateway;
use throng::Hub;
use throng::session::ClientPublish;
use throng::transport::ws::Negotiated;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::binary::PATIENCE;

const CLIENTS: usize = 1_000;

/// A server of so many workers; without a handshake, for it is not about that.
fn serve(gateway: &Gateway, workers: usize) -> (Runtime, SocketAddr) {
    let mut builder = runtime::Builder::new_multi_thread();
    let runtime = builder
        .worker_threads(workers)
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = gateway.clone();
    runtime.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let options = ConnectOptions::new();
            let serving = gateway.serve_ws(stream, &[], Negotiated::default(), options);
            tokio::spawn(serving);
        }
    });
    (runtime, address)
}

/// A client's side of a WebSocket: what has come and is not read.
struct Socket {
    stream: TcpStream,
    pending: Vec<u8>,
}

impl Socket {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let pending = Vec::new();
        Self { stream, pending }
    }

    /// Joins `room`.
    async fn subscribe(&mut self) {
        let subscribe = br#"{"type":"subscribe","channel_id":"room"}"#;
        self.stream.write_all(&masked(subscribe)).await.unwrap();
        while !self.next().await.contains(r#""joined""#) {}
    }

    /// The next frame, as text.
    async fn next(&mut self) -> String {
        loop {
            if let Some(length) = frame(&self.pending) {
                let frame: Vec<_> = self.pending.drain(..length).collect();
                return String::from_utf8_lossy(&frame).into_owned();
            }
            assert!(self.read().await, "the server has closed");
        }
    }

    /// How many frames came; zero at the end.
    async fn count(&mut self) -> usize {
        loop {
            let (mut count, mut at) = (0, 0);
            while let Some(length) = frame(&self.pending[at..]) {
                count += 1;
                at += length;
            }
            self.pending.drain(..at);
            if count > 0 || !self.read().await {
                return count;
            }
        }
    }

    /// Reads some; `false` at the end.
    async fn read(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.pending);
        let read = timeout(PATIENCE, read).await.expect("more comes");
        read.is_ok_and(|read| read > 0)
    }
}

/// A text in a frame as a client sends it: the mask is zero.
fn masked(text: &[u8]) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("short");
    let mut frame = match length {
        ..=125 => vec![0x81, 0x80 | length],
        _ => vec![0x81, 0x80 | 126, 0, length],
    };
    frame.extend([0; 4]);
    frame.extend(text);
    frame
}

/// The length of the frame that these bytes begin with, if all of it is there.
fn frame(bytes: &[u8]) -> Option<usize> {
    let length = match *bytes.get(1)? {
        126 => 4 + usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
        short => 2 + usize::from(short),
    };
    (bytes.len() >= length).then_some(length)
}

/// What clients and publishers know of each other.
#[derive(Default)]
struct Progress {
    received: AtomicUsize,
    /// Clients that were closed early.
    closed: AtomicUsize,
    sent: AtomicUsize,
    changed: Notify,
}

impl Progress {
    /// Waits until fewer than `most` messages are on their way to the clients, on average.
    async fn room(&self, most: usize) {
        loop {
            let changed = self.changed.notified();
            // Relaxed: one thread.
            let received = self.received.load(Ordering::Relaxed);
            // Relaxed: as above.
            let sent = self.sent.load(Ordering::Relaxed);
            // Relaxed: as above.
            if sent - received / CLIENTS < most || self.closed.load(Ordering::Relaxed) > 0 {
                return;
            }
            timeout(PATIENCE, changed).await.expect("more is received");
        }
    }
}

async fn receive(mut socket: Socket, messages: usize, progress: Arc<Progress>) {
    let mut left = messages;
    while left > 0 {
        let count = socket.count().await;
        if count == 0 {
            // The server has closed; the figures say why.
            // Relaxed: one thread.
            progress.closed.fetch_add(1, Ordering::Relaxed);
            return progress.changed.notify_waiters();
        }
        left = left.saturating_sub(count);
        // Relaxed: one thread.
        progress.received.fetch_add(count, Ordering::Relaxed);
        progress.changed.notify_waiters();
    }
}

async fn publish(mut socket: Socket, messages: usize, in_flight: usize, progress: Arc<Progress>) {
    let text = format!(
        r#"{{"type":"publish","channel_id":"room","data":"{:x>60}"}}"#,
        ""
    );
    let command = masked(text.as_bytes());
    for _ in 0..messages {
        progress.room(in_flight).await;
        // Relaxed: one thread.
        progress.sent.fetch_add(1, Ordering::Relaxed);
        socket.stream.write_all(&command).await.unwrap();
    }
    // What it was told is not read before the end.
    progress.room(1).await;
}

/// A gateway whose clients may publish.
fn open(hub: &Hub) -> Gateway {
    let builder = Gateway::builder(hub.clone());
    builder.client_publish(ClientPublish::Allow).build()
}

/// All clients get all messages, with so many in flight for each publisher.
fn nothing_is_lost(workers: usize, publishers: usize, in_flight: usize) {
    const EACH: usize = 400;
    let hub = Hub::new();
    let (server, address) = serve(&open(&hub), workers);
    let mut builder = runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(async {
        let progress = Arc::new(Progress::default());
        let mut tasks = Vec::new();
        for _ in 0..CLIENTS {
            let mut socket = Socket::connect(address).await;
            socket.subscribe().await;
            tasks.push(tokio::spawn(receive(socket, EACH, Arc::clone(&progress))));
        }
        let most = publishers * in_flight;
        for _ in 0..publishers {
            let socket = Socket::connect(address).await;
            let publish = publish(socket, EACH / publishers, most, Arc::clone(&progress));
            tasks.push(tokio::spawn(publish));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    let stats = hub.stats();
    assert_eq!((stats.dropped, stats.evicted), (0, 0), "{stats:?}");
    assert_eq!(stats.delivered, (CLIENTS * EACH) as u64);
    server.shutdown_background();
}

#[test]
fn fast_clients_lose_nothing_with_32_in_flight_on_one_worker() {
    nothing_is_lost(1, 1, 32);
}

#[test]
fn fast_clients_lose_nothing_with_32_in_flight_on_two_workers() {
    nothing_is_lost(2, 1, 32);
}

#[test]
fn fast_clients_lose_nothing_with_128_in_flight_on_one_worker() {
    nothing_is_lost(1, 1, 128);
}

#[test]
fn fast_clients_lose_nothing_with_128_in_flight_on_two_workers() {
    nothing_is_lost(2, 1, 128);
}

#[test]
fn fast_clients_lose_nothing_to_eight_publishers_on_one_worker() {
    nothing_is_lost(1, 8, 32);
}

#[test]
fn fast_clients_lose_nothing_to_eight_publishers_on_two_workers() {
    nothing_is_lost(2, 8, 32);
}

/// An embedder's publisher that waits loses nothing, though it waits for no answer.
#[test]
fn paced_publishes_lose_nothing() {
    const MESSAGES: usize = 1_000;
    const FEW: usize = 50;
    let hub = Hub::new();
    let gateway = open(&hub);
    let (server, address) = serve(&gateway, 1);
    let mut builder = runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(async {
        let progress = Arc::new(Progress::default());
        let mut tasks = Vec::new();
        for _ in 0..FEW {
            let mut socket = Socket::connect(address).await;
            socket.subscribe().await;
            tasks.push(tokio::spawn(receive(
                socket,
                MESSAGES,
                Arc::clone(&progress),
            )));
        }
        let publishing = server.spawn(async move {
            let room = gateway.hub().channel("room").unwrap();
            for _ in 0..MESSAGES {
                let paced = gateway.publish_paced(&room, "tick");
                paced.await.unwrap();
            }
        });
        publishing.await.unwrap();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let stats = hub.stats();
    assert_eq!((stats.dropped, stats.evicted), (0, 0), "{stats:?}");
    assert!(stats.publish_waits > 0, "{stats:?}");
    server.shutdown_background();
}

/// The flusher that a publisher waits for has ended with its runtime: it is not waited for.
#[test]
fn publisher_goes_on_when_the_flusher_has_ended() {
    let hub = Hub::new();
    let gateway = open(&hub);
    let (server, address) = serve(&gateway, 1);
    let mut builder = runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    let _socket = runtime.block_on(async {
        let mut socket = Socket::connect(address).await;
        socket.subscribe().await;
        socket
    });
    server.shutdown_timeout(PATIENCE);
    let before = hub.stats().publish_waits_timed_out;
    runtime.block_on(async {
        let room = gateway.hub().channel("room").unwrap();
        for _ in 0..200 {
            let _delivery = gateway.publish_paced(&room, "tick").await.unwrap();
        }
    });
    assert_eq!(hub.stats().publish_waits_timed_out, before);
}

/// The flusher's runtime is there, and nobody runs it: the wait times out, once.
#[test]
fn publisher_goes_on_when_the_flusher_does_not_run() {
    let hub = Hub::new();
    let gateway = open(&hub);
    let mut builder = runtime::Builder::new_current_thread();
    let stopped = builder.enable_all().build().unwrap();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let mut peer = stopped.block_on(async {
        let serving = gateway.serve_ws(ours, &[], Negotiated::default(), ConnectOptions::new());
        tokio::spawn(serving);
        let mut peer = theirs;
        let subscribe = br#"{"type":"subscribe","channel_id":"room"}"#;
        peer.write_all(&masked(subscribe)).await.unwrap();
        let mut told = Vec::new();
        while !String::from_utf8_lossy(&told).contains(r#""joined""#) {
            peer.read_buf(&mut told).await.unwrap();
        }
        peer
    });
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(async {
        let room = gateway.hub().channel("room").unwrap();
        for _ in 0..200 {
            let _delivery = gateway.publish_paced(&room, "tick").await.unwrap();
        }
    });
    let stats = hub.stats();
    assert_eq!(stats.publish_waits_timed_out, 1, "{stats:?}");
    // It runs again, and what its outbox took arrives.
    stopped.block_on(async {
        let mut told = [0; 1024];
        let read = timeout(Duration::from_secs(60), peer.read(&mut told)).await;
        assert!(read.expect("it flushes").unwrap() > 0);
    });
}

/// Two connections send more commands than anybody can carry out at once; another one's is carried
/// out after few of them.
#[tokio::test]
async fn a_flood_of_commands_leaves_others_their_turn() {
    const FLOOD: usize = 20_000;
    /// What one turn may cost, in commands of this kind, and some.
    const TURN: u64 = 1_200;
    let hub = Hub::new();
    let gateway = open(&hub);
    let mut streams = Vec::new();
    for _ in 0..3 {
        let (ours, mut theirs) = tokio::io::duplex(4 << 20);
        let serving = gateway.serve_ws(ours, &[], Negotiated::default(), ConnectOptions::new());
        tokio::spawn(serving);
        let mut told = Vec::new();
        while !String::from_utf8_lossy(&told).contains(r#""connected""#) {
            theirs.read_buf(&mut told).await.unwrap();
        }
        streams.push(theirs);
    }
    let mut asking = streams.pop().unwrap();
    let flood = masked(br#"{"type":"publish","channel_id":"void","data":1}"#).repeat(FLOOD);
    for stream in &mut streams {
        stream.write_all(&flood).await.unwrap();
    }
    asking
        .write_all(&masked(br#"{"type":"ping","id":1}"#))
        .await
        .unwrap();
    let mut told = Vec::new();
    while !String::from_utf8_lossy(&told).contains(r#""pong""#) {
        asking.read_buf(&mut told).await.unwrap();
    }
    let published = hub.stats().published;
    assert!(
        published <= 2 * TURN,
        "{published} of {} came first",
        2 * FLOOD
    );
}
