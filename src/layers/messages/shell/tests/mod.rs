//! Tests of who may, what is kept, and who is told.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::Messages;
use super::OutgoingMessage;
use crate::hub::Client;
use crate::hub::ConnectOptions;
use crate::hub::Hub;
use crate::hub::Outbox;
use crate::layers::messages::Change;
use crate::layers::messages::CleanupOutcome;
use crate::layers::messages::MemoryLimits;
use crate::layers::messages::MemoryStore;
use crate::layers::messages::MessageError;
use crate::layers::messages::MessageQuery;
use crate::layers::messages::MessageSearch;
use crate::layers::messages::MessageStore;
use crate::layers::messages::MessageView;
use crate::layers::messages::MessagesConfig;
use crate::layers::messages::Page;
use crate::layers::messages::Retention;
use crate::layers::messages::Revision;
use crate::layers::messages::Scope;
use crate::layers::messages::StoreError;
use crate::layers::messages::StoreStats;
use crate::layers::messages::StoredMessage;
use crate::layers::messages::Written;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::Role;
use crate::layers::rooms::RoomError;
use crate::layers::rooms::RoomOptions;
use crate::layers::rooms::Rooms;
use crate::layers::rooms::RoomsConfig;
use crate::layers::stamp::MessageHeader;
use crate::limits::OutboxLimits;
use crate::message::Message;
use crate::sync::Mutex;
use crate::time::Clock;
use crate::time::SystemClock;

mod keeping;

/// What is called with the changes before they are made; `Err` is what each is answered then.
type Before = Box<dyn Fn(&[Change]) -> Result<(), StoreError> + Send + Sync>;

/// A store in memory that may claim to block, and may fail.
struct Store {
    memory: Arc<MemoryStore>,
    blocks: bool,
    fails: Arc<Mutex<bool>>,
    /// How long the next message that is got takes.
    delay: Arc<Mutex<Duration>>,
    before: Before,
    before_page: Box<dyn Fn() + Send + Sync>,
    before_search: Box<dyn Fn() + Send + Sync>,
}

impl Store {
    fn new(memory: &Arc<MemoryStore>, blocks: bool) -> Self {
        Self {
            memory: Arc::clone(memory),
            blocks,
            fails: Arc::new(Mutex::new(false)),
            delay: Arc::default(),
            before: Box::new(|_| Ok(())),
            before_page: Box::new(|| {}),
            before_search: Box::new(|| {}),
        }
    }
}

impl MessageStore for Store {
    fn write(&self, changes: Vec<Change>) -> Vec<Result<Written, StoreError>> {
        if *self.fails.lock() {
            let failed = || Err(StoreError::Failed("on purpose".into()));
            return changes.iter().map(|_| failed()).collect();
        }
        if let Err(error) = (self.before)(&changes) {
            return changes.iter().map(|_| Err(error.clone())).collect();
        }
        self.memory.write(changes)
    }

    fn get(&self, room: &RoomId, sequence: u64) -> Result<Option<StoredMessage>, StoreError> {
        let delay = mem::take(&mut *self.delay.lock());
        thread::sleep(delay);
        self.memory.get(room, sequence)
    }

    fn page(&self, query: &MessageQuery) -> Result<Page, StoreError> {
        (self.before_page)();
        self.memory.page(query)
    }

    fn search(&self, search: &MessageSearch) -> Result<Page, StoreError> {
        (self.before_search)();
        self.memory.search(search)
    }

    fn revisions(
        &self,
        room: &RoomId,
        sequence: u64,
        max_bytes: usize,
    ) -> Result<Vec<Revision>, StoreError> {
        self.memory.revisions(room, sequence, max_bytes)
    }

    fn reactors(
        &self,
        room: &RoomId,
        sequence: u64,
        reaction: &str,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.memory.reactors(room, sequence, reaction, after, limit)
    }

    fn unread(
        &self,
        room: &RoomId,
        user: &UserId,
        after: u64,
        most: u64,
    ) -> Result<u64, StoreError> {
        self.memory.unread(room, user, after, most)
    }

    fn last_sequence(&self, room: &RoomId) -> Result<u64, StoreError> {
        self.memory.last_sequence(room)
    }

    fn clean(
        &self,
        now: u64,
        retention: &Retention,
        budget: usize,
    ) -> Result<CleanupOutcome, StoreError> {
        self.memory.clean(now, retention, budget)
    }

    fn rooms(&self) -> Result<Vec<(RoomId, Bytes)>, StoreError> {
        self.memory.rooms()
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        self.memory.stats()
    }

    fn blocks(&self) -> bool {
        self.blocks
    }
}

/// A room of ada, with bob, and the connections of both.
struct Place {
    hub: Hub,
    rooms: Rooms,
    messages: Messages,
    room: RoomId,
    outbox: Outbox,
    fails: Arc<Mutex<bool>>,
    delay: Arc<Mutex<Duration>>,
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn actor(name: &str) -> Actor {
    Actor::User(user(name))
}

impl Place {
    fn new(blocks: bool) -> Self {
        Self::with(blocks, MessagesConfig::new())
    }

    fn with(blocks: bool, config: MessagesConfig) -> Self {
        let hub = Hub::new();
        let (bob, outbox) = hub.connect(ConnectOptions::new().user("bob")).unwrap();
        let rooms = Rooms::new(&hub, RoomsConfig::new(), of_bob(bob));
        let store = Store::new(&Arc::new(MemoryStore::new(MemoryLimits::new())), blocks);
        let fails = Arc::clone(&store.fails);
        let delay = Arc::clone(&store.delay);
        let messages = Messages::new(&rooms, store, config).unwrap();
        let room = rooms
            .create(&actor("ada"), RoomOptions::new("Lobby"))
            .unwrap()
            .id;
        rooms.join(&user("bob"), &room, None).unwrap();
        let mut place = Self {
            hub,
            rooms,
            messages,
            room,
            outbox,
            fails,
            delay,
        };
        place.told();
        place
    }

    fn send(&self, who: &str, text: &str) -> Result<u64, MessageError> {
        let outgoing = OutgoingMessage::new(Message::text(text.to_owned()));
        let sent = self.messages.send(&actor(who), &self.room, outgoing).wait();
        sent.map(|sent| sent.id)
    }

    fn edit(&self, who: &Actor, sequence: u64, text: &str) -> Result<StoredMessage, MessageError> {
        let message = Message::text(text.to_owned());
        self.messages
            .edit(who, &self.room, sequence, message)
            .wait()
    }

    fn texts(&self, who: &str) -> Result<Vec<String>, MessageError> {
        let page = self
            .messages
            .page(&actor(who), MessageQuery::room(self.room.clone()))
            .wait()?;
        let texts = page.messages.iter().map(text_of);
        Ok(texts.collect())
    }

    /// What bob was told since the last time, by kind and payload.
    fn told(&mut self) -> Vec<(&'static str, String)> {
        let frames = std::iter::from_fn(|| self.outbox.try_recv().ok());
        let told = frames.filter_map(|frame| {
            let message = frame.message()?;
            Some((
                MessageHeader::of(message)?.kind,
                String::from_utf8(message.payload().to_vec()).ok()?,
            ))
        });
        told.collect()
    }

    fn kinds(&mut self) -> Vec<&'static str> {
        self.told().into_iter().map(|(kind, _)| kind).collect()
    }
}

fn of_bob(bob: Client) -> impl Fn(&UserId) -> Vec<Client> + Send + Sync {
    move |user| {
        if &**user == "bob" {
            vec![bob.clone()]
        } else {
            Vec::new()
        }
    }
}

fn text_of(stored: &StoredMessage) -> String {
    String::from_utf8(stored.payload.to_vec()).unwrap()
}

#[test]
fn what_is_sent_is_kept_and_then_published() {
    for blocks in [false, true] {
        let mut place = Place::new(blocks);
        assert_eq!(place.send("ada", "one"), Ok(1));
        assert_eq!(place.send("bob", "two"), Ok(2));
        assert_eq!(
            place.told(),
            [("message", "one".to_owned()), ("message", "two".to_owned())]
        );
        assert_eq!(place.texts("bob").unwrap(), ["two", "one"]);
        let stored = place
            .messages
            .get(&actor("ada"), &place.room, 2)
            .wait()
            .unwrap();
        assert_eq!((stored.user, stored.sequence), (Some(user("bob")), 2));
    }
}

#[test]
fn what_cannot_be_kept_is_not_published() {
    for blocks in [false, true] {
        let mut place = Place::new(blocks);
        *place.fails.lock() = true;
        assert!(matches!(
            place.send("ada", "lost"),
            Err(MessageError::Store(StoreError::Failed(_)))
        ));
        *place.fails.lock() = false;
        assert_eq!(
            place.send("ada", "kept"),
            Ok(2),
            "a number is not given twice"
        );
        assert_eq!(place.told(), [("message", "kept".to_owned())]);
    }
}

#[test]
fn what_the_room_refuses_is_not_kept() {
    let place = Place::new(false);
    let refused = place.send("eve", "hello").unwrap_err();
    assert_eq!(refused, MessageError::Room(RoomError::NotMember));
    place
        .rooms
        .mute(&actor("ada"), &place.room, &user("bob"), None, None)
        .unwrap();
    assert!(matches!(
        place.send("bob", "x"),
        Err(MessageError::Room(RoomError::Muted { .. }))
    ));
    assert_eq!(place.texts("ada").unwrap(), [""; 0]);
}

#[test]
fn messages_are_kept_and_published_in_the_order_of_their_numbers() {
    for blocks in [false, true] {
        let mut place = Place::new(blocks);
        place.outbox = {
            let options = ConnectOptions::new().outbox(OutboxLimits::new().messages(1 << 10));
            let (client, outbox) = place.hub.connect(options).unwrap();
            client.subscribe_blocking(&place.room.channel()).unwrap();
            outbox
        };
        thread::scope(|scope| {
            for sender in ["ada", "bob"] {
                let place = &place;
                scope.spawn(move || {
                    for text in 0..100 {
                        place.send(sender, &text.to_string()).unwrap();
                    }
                });
            }
        });
        let frames = std::iter::from_fn(|| place.outbox.try_recv().ok());
        let ids: Vec<_> = frames
            .filter_map(|frame| MessageHeader::of(frame.message()?)?.message_id)
            .collect();
        assert_eq!(ids, (1..=200).collect::<Vec<_>>());
    }
}

#[test]
fn only_its_sender_edits_a_message() {
    for blocks in [false, true] {
        let mut place = Place::new(blocks);
        place.send("ada", "one").unwrap();
        assert_eq!(
            place.edit(&actor("bob"), 1, "mine"),
            Err(MessageError::NotYours)
        );
        let eve = place.edit(&actor("eve"), 1, "mine").unwrap_err();
        assert_eq!(eve, MessageError::Room(RoomError::NotMember));
        assert_eq!(place.edit(&actor("ada"), 1, "two").unwrap().edits, 1);
        assert_eq!(place.edit(&Actor::Server, 1, "three").unwrap().edits, 2);
        let unknown = place.edit(&actor("ada"), 2, "x").unwrap_err();
        assert_eq!(unknown, MessageError::Store(StoreError::UnknownMessage));
        let revisions = place
            .messages
            .revisions(&actor("bob"), &place.room, 1)
            .wait()
            .unwrap();
        assert_eq!(revisions.len(), 2);
        assert_eq!(
            place.kinds(),
            ["message", "message.edited", "message.edited"]
        );
        assert_eq!(place.texts("ada").unwrap(), ["three"], "it is there once");
    }
}

/// Nothing that one of them waits for is passed by the next.
#[test]
fn what_is_asked_for_about_a_message_is_done_in_that_order() {
    let mut place = Place::new(true);
    place.send("bob", "one").unwrap();
    let bob = actor("bob");
    let ask = |text| {
        let message = Message::text(text);
        place.messages.edit(&bob, &place.room, 1, message)
    };
    *place.delay.lock() = Duration::from_millis(100);
    let edits = [ask("first"), ask("last")];
    let edited = edits.map(|it| text_of(&it.wait().unwrap()));
    assert_eq!(edited, ["first", "last"]);
    assert_eq!(place.texts("ada").unwrap(), ["last"]);
    *place.delay.lock() = Duration::from_millis(100);
    let edit = ask("before it is deleted");
    let deletion = place.messages.delete(&bob, &place.room, 1);
    assert_eq!(deletion.wait(), Ok(()));
    assert_eq!(text_of(&edit.wait().unwrap()), "before it is deleted");
    let kinds = place.kinds();
    assert_eq!(kinds.last(), Some(&"message.deleted"), "{kinds:?}");
}

#[test]
fn a_flush_waits_for_edits_and_deletions() {
    let place = Place::new(true);
    place.send("bob", "one").unwrap();
    place.send("bob", "two").unwrap();
    let bob = actor("bob");
    *place.delay.lock() = Duration::from_millis(100);
    let message = Message::text("edited");
    let _edit = place.messages.edit(&bob, &place.room, 1, message);
    *place.delay.lock() = Duration::from_millis(100);
    let _deletion = place.messages.delete(&bob, &place.room, 2);
    place.messages.flush();
    let kept = |sequence| {
        let kept = place.messages.store().get(&place.room, sequence);
        kept.unwrap().unwrap()
    };
    assert_eq!(text_of(&kept(1)), "edited");
    assert!(kept(2).deleted.is_some());
}

#[test]
fn who_is_muted_or_too_late_does_not_edit() {
    let config = MessagesConfig::new().edit_window(Some(Duration::ZERO));
    let place = Place::with(false, config);
    place.send("bob", "one").unwrap();
    thread::sleep(Duration::from_millis(2));
    assert_eq!(
        place.edit(&actor("bob"), 1, "x"),
        Err(MessageError::TooLate)
    );
    place
        .rooms
        .mute(&actor("ada"), &place.room, &user("bob"), None, None)
        .unwrap();
    let muted = place.edit(&actor("bob"), 1, "x").unwrap_err();
    assert!(
        matches!(muted, MessageError::Room(RoomError::Muted { .. })),
        "{muted}"
    );
}

#[test]
fn its_sender_and_moderators_delete_a_message() {
    for blocks in [false, true] {
        let mut place = Place::new(blocks);
        for who in ["ada", "bob", "bob"] {
            place.send(who, "text").unwrap();
        }
        let delete =
            |who: &Actor, sequence| place.messages.delete(who, &place.room, sequence).wait();
        assert_eq!(delete(&actor("bob"), 1), Err(MessageError::NotYours));
        assert_eq!(delete(&actor("bob"), 2), Ok(()));
        assert_eq!(delete(&actor("ada"), 3), Ok(()), "she owns the room");
        assert_eq!(delete(&Actor::Server, 1), Ok(()));
        assert_eq!(delete(&Actor::Server, 1), Ok(()), "it is so already");
        let hidden = place
            .messages
            .revisions(&actor("bob"), &place.room, 1)
            .wait();
        assert_eq!(hidden, Err(MessageError::Store(StoreError::Deleted)));
        assert_eq!(place.kinds()[3..], ["message.deleted"; 3]);
        let reacted = place
            .messages
            .react(&user("bob"), &place.room, 1, "+1")
            .wait();
        assert_eq!(reacted, Err(MessageError::Store(StoreError::Deleted)));
        let stored = place
            .messages
            .get(&actor("bob"), &place.room, 1)
            .wait()
            .unwrap();
        let view = serde_json::to_value(MessageView::of(stored)).unwrap();
        assert_eq!(
            (view.get("text"), view.get("data")),
            (None, None),
            "and says it no more"
        );
    }
}

#[test]
fn reactions_are_told_when_they_change_something() {
    for blocks in [false, true] {
        let mut place = Place::new(blocks);
        place.send("ada", "one").unwrap();
        place.told();
        let react = |who: &str, with: &str| {
            place
                .messages
                .react(&user(who), &place.room, 1, with)
                .wait()
        };
        assert_eq!(react("bob", "+1"), Ok(Some(1)));
        assert_eq!(react("bob", "+1"), Ok(None));
        assert_eq!(react("ada", "+1"), Ok(Some(2)));
        let unreacted = place
            .messages
            .unreact(&user("bob"), &place.room, 1, "+1")
            .wait();
        assert_eq!(unreacted, Ok(Some(1)));
        assert!(matches!(
            react("bob", ""),
            Err(MessageError::InvalidReaction { .. })
        ));
        assert!(matches!(
            react("bob", &"x".repeat(65)),
            Err(MessageError::InvalidReaction { .. })
        ));
        assert!(matches!(
            react("eve", "+1"),
            Err(MessageError::Room(RoomError::NotMember))
        ));
        place
            .rooms
            .set_role(&actor("ada"), &place.room, &user("bob"), Role::Guest)
            .unwrap();
        assert!(matches!(
            react("bob", "+1"),
            Err(MessageError::Room(RoomError::SendDenied))
        ));
        let told: Vec<_> = place.told().into_iter().map(|(kind, _)| kind).collect();
        let reactions: Vec<_> = told
            .iter()
            .filter(|kind| kind.starts_with("message."))
            .collect();
        let added = "message.reaction_added";
        assert_eq!(reactions, [&added, &added, &"message.reaction_removed"]);
    }
}

#[test]
fn only_those_who_are_in_a_room_read_it() {
    let place = Place::new(false);
    place.send("ada", "secret").unwrap();
    let denied = |error| assert_eq!(error, MessageError::Room(RoomError::NotMember));
    denied(place.texts("eve").unwrap_err());
    let (eve, room) = (actor("eve"), &place.room);
    denied(place.messages.get(&eve, room, 1).wait().unwrap_err());
    denied(place.messages.revisions(&eve, room, 1).wait().unwrap_err());
    denied(place.messages.delete(&eve, room, 1).wait().unwrap_err());
    denied(
        place
            .messages
            .unread(&user("eve"), vec![room.clone()])
            .wait()
            .unwrap_err(),
    );
    denied(
        place
            .messages
            .reactors(&eve, room, 1, "+1", None, 1)
            .wait()
            .unwrap_err(),
    );
    let of_ada = || MessageQuery::new(Scope::User(user("ada"), Vec::new()));
    assert!(
        place
            .messages
            .page(&eve, of_ada())
            .wait()
            .unwrap()
            .messages
            .is_empty()
    );
    assert_eq!(
        place
            .messages
            .page(&actor("bob"), of_ada())
            .wait()
            .unwrap()
            .messages
            .len(),
        1
    );
    let search = |rooms| MessageSearch::new("secret".parse().unwrap(), rooms);
    denied(
        place
            .messages
            .search(&eve, search(vec![room.clone()]))
            .wait()
            .unwrap_err(),
    );
    assert!(
        place
            .messages
            .search(&eve, search(vec![]))
            .wait()
            .unwrap()
            .messages
            .is_empty()
    );
    assert_eq!(
        place
            .messages
            .search(&actor("bob"), search(vec![]))
            .wait()
            .unwrap()
            .messages
            .len(),
        1
    );
}

#[test]
fn answers_are_in_threads_and_say_so() {
    let mut place = Place::new(true);
    place.send("ada", "root").unwrap();
    let answer = |thread| {
        let outgoing = OutgoingMessage::new(Message::text("answer")).thread(Some(thread));
        place
            .messages
            .send(&actor("bob"), &place.room, outgoing)
            .wait()
    };
    assert_eq!(answer(1).unwrap().id, 2);
    assert_eq!(answer(2).unwrap().id, 3);
    assert_eq!(
        answer(9),
        Err(MessageError::Store(StoreError::UnknownThread))
    );
    let thread = MessageQuery::new(Scope::Thread(place.room.clone(), 1));
    let page = place.messages.page(&actor("ada"), thread).wait().unwrap();
    assert_eq!(page.messages.len(), 2);
    let frames = std::iter::from_fn(|| place.outbox.try_recv().ok());
    let threads: Vec<_> = frames
        .filter_map(|frame| Some(MessageHeader::of(frame.message()?)?.thread))
        .collect();
    assert_eq!(threads, [None, Some(1), Some(1)]);
}

#[test]
fn unread_messages_are_counted_from_what_was_read() {
    let place = Place::new(true);
    for who in ["ada", "ada", "bob", "ada", "ada"] {
        place.send(who, "x").unwrap();
    }
    // Who sends has read up to there.
    let unread = |who: &str| {
        let unread = place
            .messages
            .unread(&user(who), Vec::new())
            .wait()
            .unwrap();
        unread
            .iter()
            .map(|it| (it.read, it.count, it.more))
            .collect::<Vec<_>>()
    };
    assert_eq!(unread("bob"), [(3, 2, false)]);
    place.rooms.mark_read(&user("bob"), &place.room, 4).unwrap();
    assert_eq!(unread("bob"), [(4, 1, false)]);
    place
        .messages
        .delete(&actor("ada"), &place.room, 5)
        .wait()
        .unwrap();
    assert_eq!(unread("bob"), [(4, 0, false)]);
}

#[test]
fn what_was_sent_to_a_room_goes_with_it() {
    for blocks in [false, true] {
        let place = Place::new(blocks);
        place.send("ada", "x").unwrap();
        place.rooms.delete(&actor("ada"), &place.room).unwrap();
        // Behind the removal, in the order of changes.
        assert_eq!(place.messages.forget_user(&user("ada")).wait(), Ok(0));
        assert_eq!(place.messages.store().stats().unwrap().messages, 0);
    }
}

#[test]
fn what_is_too_old_is_removed_in_time() {
    let retention = Retention::new().max_per_room(Some(3));
    let place = Place::with(true, MessagesConfig::new().retention(retention));
    for _ in 0..5 {
        place.send("ada", "x").unwrap();
    }
    let due = SystemClock::new().now() + place.messages.config().cleanup_interval;
    place.messages.tick(due - Duration::from_secs(60));
    assert_eq!(place.messages.store().stats().unwrap().messages, 5);
    place.messages.tick(due);
    while place.messages.store().stats().unwrap().messages != 3 {
        thread::yield_now();
    }
}

proptest! {
    #[test]
    fn what_waits_is_answered_in_order(count in 1usize..300) {
        let place = Place::new(true);
        let pending: Vec<_> = (0..count)
            .map(|_| place.messages.send(&actor("ada"), &place.room, OutgoingMessage::new(Message::text("x"))))
            .collect();
        for (index, pending) in pending.into_iter().enumerate() {
            prop_assert_eq!(pending.wait().unwrap().id, index as u64 + 1);
        }
    }
}

#[test]
fn unread_messages_may_be_counted_without_a_bound() {
    for blocks in [false, true] {
        let config = MessagesConfig::new().max_unread(u64::MAX);
        let place = Place::with(blocks, config);
        place.send("ada", "one").unwrap();
        place.send("ada", "two").unwrap();
        let unread = place.messages.unread(&user("bob"), Vec::new()).wait();
        let unread = &unread.unwrap()[0];
        assert_eq!((unread.count, unread.more), (2, false));
    }
}

/// A room that is left or deleted in between is none of the user's any more, and no mistake of it.
#[test]
fn rooms_that_were_not_named_may_go_meanwhile() {
    let place = Place::new(false);
    let bob = user("bob");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Relaxed: it says when to end, and nothing else.
            while !is_over.load(Ordering::Relaxed) {
                let options = RoomOptions::new("Short");
                let short = place.rooms.create(&actor("bob"), options).unwrap().id;
                place.rooms.leave(&bob, &place.room).unwrap();
                place.rooms.delete(&actor("bob"), &short).unwrap();
                place.rooms.join(&bob, &place.room, None).unwrap();
            }
        });
        let asked: Vec<_> = (0..2000)
            .map(|_| {
                let unread = place.messages.unread(&bob, Vec::new()).wait().map(drop);
                let search = MessageSearch::new("word".parse().unwrap(), Vec::new());
                let found = place.messages.search(&actor("bob"), search).wait();
                unread.and_then(|()| found.map(drop))
            })
            .collect();
        // Relaxed: as above.
        is_over.store(true, Ordering::Relaxed);
        let refused = asked.into_iter().find_map(Result::err);
        assert_eq!(refused, None);
    });
    // One that is named is one that must be there.
    let gone = vec![RoomId::parse("gone").unwrap()];
    let unread = place.messages.unread(&bob, gone.clone()).wait();
    let unknown = MessageError::Room(RoomError::UnknownRoom);
    assert_eq!(unread.unwrap_err(), unknown);
    let search = MessageSearch::new("word".parse().unwrap(), gone);
    let found = place.messages.search(&actor("bob"), search).wait();
    assert_eq!(found.unwrap_err(), unknown);
}
