//! What waits for one client: replies behind one that somebody else is still at.
//!
//! - However many commands were not to be answered, those behind them are heard when they are done.
//! - Replies that wait are bounded in bytes, whatever each of them is: no more commands are read.
//! - Nothing of it is lost or out of order when the client reads again.

use std::sync::Arc;
use std::thread;
use std::thread::ThreadId;
use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt;
use futures_util::StreamExt;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use parking_lot::Condvar;
use parking_lot::Mutex;
use serde_json::Value;
use serde_json::json;
use throng::ClientId;
use throng::ConnectOptions;
use throng::Gateway;
use throng::HistoryOptions;
use throng::Hub;
use throng::Layers;
use throng::Message;
use throng::RoomId;
use throng::UserId;
use throng::messages::Change;
use throng::messages::CleanupOutcome;
use throng::messages::MemoryLimits;
use throng::messages::MemoryStore;
use throng::messages::MessageQuery;
use throng::messages::MessageSearch;
use throng::messages::MessageStore;
use throng::messages::Page;
use throng::messages::Retention;
use throng::messages::Revision;
use throng::messages::StoreError;
use throng::messages::StoreStats;
use throng::messages::StoredMessage;
use throng::messages::Written;
use throng::transport::memory;
use throng::transport::memory::MemoryPeer;
use throng::transport::ws::WsConfig;
use tokio::time;

use crate::binary::PATIENCE;

/// What calls of a store go through, which can be shut.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

/// On which threads a store was asked for pages.
type Paged = Arc<Mutex<Vec<ThreadId>>>;

impl Gate {
    fn shut(&self) {
        *self.0.0.lock() = true;
    }

    fn open(&self) {
        *self.0.0.lock() = false;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let mut is_shut = self.0.0.lock();
        self.0.1.wait_while(&mut is_shut, |is_shut| *is_shut);
    }
}

/// A store in memory whose writes and searches go through a gate, so that it blocks.
struct Gated {
    store: MemoryStore,
    gate: Gate,
    blocks: bool,
    paged: Paged,
}

impl MessageStore for Gated {
    fn write(&self, changes: Vec<Change>) -> Vec<Result<Written, StoreError>> {
        self.gate.pass();
        self.store.write(changes)
    }

    fn get(&self, room: &RoomId, sequence: u64) -> Result<Option<StoredMessage>, StoreError> {
        self.store.get(room, sequence)
    }

    fn page(&self, query: &MessageQuery) -> Result<Page, StoreError> {
        self.paged.lock().push(thread::current().id());
        self.store.page(query)
    }

    fn search(&self, search: &MessageSearch) -> Result<Page, StoreError> {
        self.gate.pass();
        self.store.search(search)
    }

    fn revisions(
        &self,
        room: &RoomId,
        sequence: u64,
        max_bytes: usize,
    ) -> Result<Vec<Revision>, StoreError> {
        self.store.revisions(room, sequence, max_bytes)
    }

    fn reactors(
        &self,
        room: &RoomId,
        sequence: u64,
        reaction: &str,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.store.reactors(room, sequence, reaction, after, limit)
    }

    fn unread(
        &self,
        room: &RoomId,
        user: &UserId,
        after: u64,
        most: u64,
    ) -> Result<u64, StoreError> {
        self.store.unread(room, user, after, most)
    }

    fn last_sequence(&self, room: &RoomId) -> Result<u64, StoreError> {
        self.store.last_sequence(room)
    }

    fn clean(
        &self,
        now: u64,
        retention: &Retention,
        budget: usize,
    ) -> Result<CleanupOutcome, StoreError> {
        self.store.clean(now, retention, budget)
    }

    fn rooms(&self) -> Result<Vec<(RoomId, Bytes)>, StoreError> {
        self.store.rooms()
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        self.store.stats()
    }

    fn blocks(&self) -> bool {
        self.blocks
    }
}

/// A gateway on a hub whose channels remember, and the gate of its store.
fn world() -> (Gateway, Gate) {
    let (gateway, gate, _) = world_with(true);
    (gateway, gate)
}

fn world_with(blocks: bool) -> (Gateway, Gate, Paged) {
    let hub = Hub::builder()
        .history(|_: &throng::ChannelName| Some(HistoryOptions::new()))
        .build()
        .unwrap();
    let gate = Gate::default();
    let paged = Paged::default();
    let store = Gated {
        store: MemoryStore::new(MemoryLimits::new()),
        gate: gate.clone(),
        blocks,
        paged: Arc::clone(&paged),
    };
    let layers = Layers::builder(&hub).build_with(store).unwrap();
    let user = |_: &hyper::http::request::Parts| Ok(ConnectOptions::new().user("ada"));
    // No ping wakes a connection that was forgotten.
    let ws = WsConfig::new().ping_interval(Duration::from_secs(3600));
    let gateway = Gateway::builder(hub).layers(layers).ws(ws);
    (gateway.authenticate(user).build(), gate, paged)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The next push, in time.
async fn push(peer: &mut MemoryPeer) -> Value {
    let received = time::timeout(PATIENCE, peer.recv()).await;
    parsed(&received.expect("nothing comes").unwrap())
}

/// The next reply, in time.
async fn reply(peer: &mut MemoryPeer) -> Value {
    loop {
        let push = push(peer).await;
        if push["reply_to"] != Value::Null {
            return push;
        }
    }
}

/// The reply to a command, in time.
async fn told(peer: &mut MemoryPeer, command: &Value) -> Value {
    peer.send(command.to_string()).await.unwrap();
    loop {
        let push = push(peer).await;
        if push["reply_to"] == command["id"] {
            return push;
        }
    }
}

/// A client with a room, over memory that takes many commands at once.
async fn member(gateway: &Gateway) -> (MemoryPeer, ClientId) {
    let (conn, mut peer) = memory::pair_of(1000);
    tokio::spawn(gateway.serve_conn(conn, ConnectOptions::new().user("ada")));
    let connected = push(&mut peer).await;
    let id = connected["data"]["client_id"].as_str().unwrap();
    let create = json!({"id": 1, "type": "room.create", "room_id": "den", "name": "den"});
    assert_eq!(told(&mut peer, &create).await["type"], "ack");
    (peer, ClientId::new(id.parse().unwrap()))
}

/// Waits until the server has read so many messages of a client, and reads no more; how many it has
/// read.
async fn settled(gateway: &Gateway, client: ClientId, least: u64) -> u64 {
    let frames_in = || gateway.connection(client).unwrap().frames_in;
    let mut before = 0;
    let mut same = 0;
    while same < 20 || before < least {
        time::sleep(Duration::from_millis(5)).await;
        let now = frames_in();
        same = if now == before { same + 1 } else { 0 };
        before = now;
    }
    before
}

#[tokio::test]
async fn commands_that_want_no_answer_do_not_end_the_reading() {
    let (gateway, gate) = world();
    let (mut peer, id) = member(&gateway).await;
    gate.shut();
    let send = json!({"type": "room.send", "room_id": "den", "data": 1, "echo": false});
    for _ in 0..200 {
        peer.send(send.to_string()).await.unwrap();
    }
    let read = settled(&gateway, id, 10).await;
    assert!(read < 200, "it is bounded: {read}");
    gate.open();
    let pong = told(&mut peer, &json!({"id": 2, "type": "ping"})).await;
    assert_eq!(pong["type"], "pong");
}

#[tokio::test]
async fn what_is_filtered_twice_keeps_no_thread_of_the_runtime() {
    let (gateway, _gate, paged) = world_with(false);
    let (mut peer, _) = member(&gateway).await;
    let pages = [(json!({}), true), (json!({"user_id": "nobody"}), false)];
    for (number, (mut page, is_quick)) in (2..).zip(pages) {
        (page["id"], page["type"]) = (json!(number), json!("message.history"));
        page["room_id"] = json!("den");
        assert_eq!(told(&mut peer, &page).await["type"], "ack", "{page}");
        let on = paged.lock().pop().unwrap();
        assert_eq!(on == thread::current().id(), is_quick, "{page}");
    }
}

const BIG: usize = 300 << 10;

#[tokio::test]
async fn replies_that_wait_are_bounded_in_bytes() {
    let (gateway, gate) = world();
    let (mut peer, id) = member(&gateway).await;
    let published = gateway.hub().publish("big", Message::text("x".repeat(BIG)));
    let _delivery = published.unwrap();
    gate.shut();
    let before = settled(&gateway, id, 1).await;
    let search = json!({"id": "search", "type": "message.search", "room_id": "den", "query": "x"});
    peer.send(search.to_string()).await.unwrap();
    for number in 0..10 {
        let history = json!({"id": number, "type": "channel.history", "channel_id": "big"});
        peer.send(history.to_string()).await.unwrap();
    }
    // The search, one that is too much, and nothing behind it.
    assert_eq!(settled(&gateway, id, before + 2).await - before, 2);
    gate.open();
    assert_eq!(reply(&mut peer).await["reply_to"], "search");
    for number in 0..10 {
        assert_eq!(reply(&mut peer).await["reply_to"], number);
    }
}

#[tokio::test]
async fn a_socket_gets_what_has_waited_when_it_takes_more() {
    // Those that are there already, and those that have to be waited for themselves.
    socket_gets(40, |number| match number % 5 {
        0 => json!({"type": "message.search", "room_id": "den", "query": "x"}),
        1 | 2 => json!({"type": "channel.history", "channel_id": "big"}),
        3 => json!({"type": "room.send", "room_id": "den", "data": 1, "echo": false}),
        _ => json!({"type": "ping"}),
    })
    .await;
    socket_gets(12, |number| match number {
        0 => json!({"type": "message.search", "room_id": "den", "query": "x"}),
        _ => json!({"type": "message.history", "room_id": "den"}),
    })
    .await;
}

/// Has a client say so many commands while the gate is shut, and looks for the replies when it is
/// open.
async fn socket_gets(count: u64, command: impl Fn(u64) -> Value + Send + 'static) {
    let (gateway, gate) = world();
    let published = gateway.hub().publish("big", Message::text("x".repeat(BIG)));
    let _delivery = published.unwrap();
    // Of what is written at once, the client's side holds little.
    let (client, server) = tokio::io::duplex(1 << 10);
    let connection = http1::Builder::new()
        .serve_connection(TokioIo::new(server), gateway.service())
        .with_upgrades();
    tokio::spawn(connection);
    let (socket, _) = tokio_tungstenite::client_async("ws://x/ws", client)
        .await
        .unwrap();
    let (mut commands, mut pushes) = socket.split();
    for command in [
        json!({"id": "room", "type": "room.create", "room_id": "den", "name": "den"}),
        json!({
            "id": "send", "type": "room.send", "room_id": "den", "echo": false,
            "text": "x".repeat(50 << 10),
        }),
    ] {
        commands.send(command.to_string().into()).await.unwrap();
    }
    let mut next = async || loop {
        let message = time::timeout(PATIENCE, pushes.next()).await;
        let message = message.expect("nothing comes").unwrap().unwrap();
        if message.is_text() {
            let push = parsed(message.to_text().unwrap());
            if push["reply_to"] != Value::Null {
                return push;
            }
        }
    };
    assert_eq!(next().await["reply_to"], "room");
    assert_eq!(next().await["reply_to"], "send");
    gate.shut();
    let saying = tokio::spawn(async move {
        for number in 0..count {
            let mut command = command(number);
            command["id"] = json!(number);
            commands.send(command.to_string().into()).await.unwrap();
        }
        commands
    });
    time::sleep(Duration::from_millis(100)).await;
    gate.open();
    for number in 0..count {
        assert_eq!(next().await["reply_to"], number);
    }
    drop(saying.await.unwrap());
}
