//! A message to a room, kept in memory, beside the same that nobody keeps; in turns.

use std::time::Duration;
use std::time::Instant;

use throng::Actor;
use throng::Client;
use throng::ConnectOptions;
use throng::Hub;
use throng::Message;
use throng::Outbox;
use throng::RoomId;
use throng::UserId;
use throng::messages::MemoryLimits;
use throng::messages::MemoryStore;
use throng::messages::Messages;
use throng::messages::MessagesConfig;
use throng::messages::OutgoingMessage;
use throng::rooms::RoomOptions;
use throng::rooms::Rooms;
use throng::rooms::RoomsConfig;

use super::TEXT;
use super::median;

pub(super) fn report(is_smoke: bool) {
    let turns = if is_smoke { 3 } else { 1_001 };
    println!("a message to a room with one member, and received; medians");
    let (mut plain, mut kept) = (Chat::new(false), Chat::new(true));
    for _ in 0..KEPT {
        kept.send();
    }
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..turns {
        times[0].push(plain.time());
        times[1].push(kept.time());
    }
    let [plain, kept] = times;
    let ratios = kept.iter().zip(&plain).map(|(kept, plain)| kept / plain);
    let ratio = median(ratios.collect());
    let (plain, kept) = (median(plain), median(kept));
    println!("Rooms::send {plain:.0} ns, Messages::send into memory {kept:.0} ns ({ratio:.2}x)");
}

/// A room with one member, who is connected.
struct Chat {
    rooms: Rooms,
    messages: Option<Messages>,
    owner: Actor,
    room: RoomId,
    outbox: Outbox,
}

impl Chat {
    fn new(is_kept: bool) -> Self {
        let hub = Hub::new();
        let user = UserId::parse("ada").expect("an id");
        let connected = hub.connect(ConnectOptions::new().user(user.as_str()));
        let (client, mut outbox): (Client, _) = connected.expect("connected");
        let clients = move |_: &UserId| vec![client.clone()];
        let rooms = Rooms::new(&hub, RoomsConfig::new(), clients);
        let owner = Actor::User(user);
        let room = rooms.create(&owner, RoomOptions::new("bench"));
        let room = room.expect("made").id;
        rooms.tick(Instant::now() + Duration::from_secs(1));
        while outbox.try_recv().is_ok() {}
        let messages = is_kept.then(|| {
            let store = MemoryStore::new(MemoryLimits::new().max_messages(KEPT));
            Messages::new(&rooms, store, MessagesConfig::new()).expect("no threads to start")
        });
        Self {
            rooms,
            messages,
            owner,
            room,
            outbox,
        }
    }

    fn send(&mut self) {
        let message = Message::static_text(TEXT);
        let sent = match &self.messages {
            Some(messages) => messages
                .send(&self.owner, &self.room, OutgoingMessage::new(message))
                .wait()
                .expect("kept"),
            None => self
                .rooms
                .send(&self.owner, &self.room, message, None)
                .expect("sent"),
        };
        assert_eq!(sent.delivery.delivered(), 1, "it was lost");
        while self.outbox.try_recv().is_ok() {}
    }

    /// Nanoseconds for each message of a turn.
    fn time(&mut self) -> f64 {
        let began = Instant::now();
        for _ in 0..A_TURN {
            self.send();
        }
        began.elapsed().as_nanos() as f64 / f64::from(A_TURN)
    }
}

/// So many messages are kept; for each that comes one goes.
const KEPT: usize = 10_000;

/// Messages in a turn.
const A_TURN: u32 = 1_000;
