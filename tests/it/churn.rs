//! Very many clients come, subscribe, and vanish by the thousand, again and again.
//!
//! - While thousands vanish at once, by FIN and by RST, others connect and talk.
//! - The server's clients, subscriptions, channels and open files come back to what they were.
//! - Its memory does not grow from one round to the next.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::json;
use socket2::SockRef;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::binary::HANDSHAKE;
use crate::binary::Throng;
use crate::binary::masked_text;

#[test]
fn fifteen_thousand_clients_vanish_by_half_and_return() {
    let mut crowd = Crowd::new();
    crowd.fill();
    let mut plateaus = vec![crowd.throng.memory()];
    for round in 0..ROUNDS {
        crowd.halve(round);
        crowd.fill();
        plateaus.push(crowd.throng.memory());
    }
    let allowed = plateaus[1] + GROWTH;
    let grown = plateaus.iter().skip(1).any(|&plateau| plateau > allowed);
    assert!(
        !grown,
        "more than {GROWTH} bytes from round to round: {plateaus:?}"
    );
    crowd.empty();
}

/// Clients that are connected and subscribed.
struct Crowd {
    runtime: Runtime,
    throng: Throng,
    /// Open files of the server before the first client.
    descriptors: usize,
    full: usize,
    clients: Vec<TcpStream>,
    published: u64,
}

impl Crowd {
    fn new() -> Self {
        let allowed = rlimit::increase_nofile_limit(u64::MAX).unwrap();
        let room = usize::try_from(allowed)
            .unwrap()
            .saturating_sub(OTHER_FILES);
        let full = room.min(CLIENTS);
        if full < CLIENTS {
            println!("ONLY {full} CLIENTS, NOT {CLIENTS}: {allowed} open files are allowed");
        }
        let throng = Throng::start(&[
            "--ping-interval",
            "3600000",
            "--max-anonymous",
            "0",
            // What those that vanish leave behind is to be gone in time.
            "--session-ttl",
            "1000",
        ]);
        Self {
            runtime: Runtime::new().unwrap(),
            descriptors: throng.descriptors(),
            throng,
            full,
            clients: Vec::with_capacity(full),
            published: 0,
        }
    }

    /// Connects clients until it is full; then all get a message.
    fn fill(&mut self) {
        let server = self.throng.address;
        let missing = self.clients.len()..self.full;
        let opened = stream::iter(missing.map(|index| open(server, index)))
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>();
        self.clients.extend(self.runtime.block_on(opened));
        self.settled(self.full);
        self.reaches_all();
    }

    /// Half of the clients vanish at once, while others come and talk; then the rest get a message.
    fn halve(&mut self, round: usize) {
        let half = self.full / 2;
        // In each round others; some have been there from the first.
        self.clients.rotate_left(round * self.full / 4);
        let gone = self.clients.split_off(self.full - half);
        let vanished = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&vanished);
        let vanishing = thread::spawn(move || {
            vanish(gone);
            // Release: pairs with the Acquire below, though nothing else is handed over.
            done.store(true, Ordering::Release);
        });
        let mut during = 0;
        loop {
            // Acquire: pairs with the Release above.
            let last = vanished.load(Ordering::Acquire);
            self.probe();
            during += 1;
            if last {
                break;
            }
        }
        vanishing.join().unwrap();
        println!("round {round}: {during} others came and talked while {half} vanished");
        self.settled(self.full - half);
        self.reaches_all();
    }

    /// All vanish, and nothing remains of them.
    fn empty(mut self) {
        vanish(self.clients.split_off(0));
        self.settled(0);
        self.throng.stats_until(|stats| stats["channels"] == 0);
        self.throng.descriptors_until(self.descriptors);
    }

    /// Somebody comes, talks, and goes.
    fn probe(&self) {
        let mut probe = self.throng.ws_joined("probe");
        self.throng.publish("probe", &json!("hello"));
        assert_eq!(probe.expect("message")["data"], "hello");
        probe.close();
    }

    /// Waits until the server knows exactly so many clients, and holds no more files than they
    /// need.
    fn settled(&self, clients: usize) {
        self.throng.stats_until(|stats| {
            stats["clients"] == clients
                && stats["subscriptions"] == clients
                && stats["sessions"] == json!({"open": clients, "lost": 0})
        });
        self.throng.descriptors_until(self.descriptors + clients);
    }

    /// Publishes, and every client gets it.
    fn reaches_all(&mut self) {
        self.published += 1;
        let text = format!("<message {}>", self.published);
        let delivery = self.throng.publish("crowd", &json!(text));
        assert_eq!(delivery["delivered"], self.clients.len());
        let reading = stream::iter(&mut self.clients)
            .for_each_concurrent(AT_ONCE, |client| read_until(client, &text));
        self.runtime.block_on(reading);
    }
}

/// Connects and subscribes. The command comes right behind the handshake.
async fn open(server: SocketAddr, index: usize) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // One address has not ports enough for all that come, and those that have just gone.
    let last = u8::try_from(2 + index % 5).unwrap();
    let address = Ipv4Addr::new(127, 0, 0, last);
    socket.bind(SocketAddr::from((address, 0))).unwrap();
    let mut stream = socket.connect(server).await.unwrap();
    let mut request = HANDSHAKE.as_bytes().to_vec();
    let subscribe = r#"{"type":"subscribe","id":1,"channel_id":"crowd"}"#;
    request.extend(masked_text(subscribe));
    stream.write_all(&request).await.unwrap();
    read_until(&mut stream, "\"joined\"").await;
    stream
}

/// Reads until these words have come.
async fn read_until(stream: &mut TcpStream, words: &str) {
    let mut bytes = Vec::with_capacity(1 << 10);
    while !bytes.windows(words.len()).any(|w| w == words.as_bytes()) {
        let read = stream.read_buf(&mut bytes).await.unwrap();
        assert_ne!(read, 0, "ended before {words}");
    }
}

/// Half of them hang up, half of them are reset.
fn vanish(clients: Vec<TcpStream>) {
    for (index, client) in clients.into_iter().enumerate() {
        if index % 2 == 0 {
            SockRef::from(&client)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
        }
        drop(client);
    }
}

/// Clients at a time, if so many files may be open.
const CLIENTS: usize = 15_000;

/// How often half of them vanish.
const ROUNDS: usize = 3;

/// Connections that are being made, or read from, at the same time.
const AT_ONCE: usize = 256;

/// Files that this process and the server need beside the clients'; tests run side by side.
const OTHER_FILES: usize = 2_500;

/// What memory may grow from the first plateau to the last, in bytes: a quarter of a KiB for each
/// of those that came meanwhile.
const GROWTH: u64 = 4 << 20;
