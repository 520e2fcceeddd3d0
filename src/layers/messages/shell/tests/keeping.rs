//! What becomes of rooms when the store fails, or takes its time.

use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::*;
use crate::layers::messages::Pending;
use crate::layers::rooms::Sent;
use crate::time::ManualClock;

/// Rooms whose messages are kept in a store that outlives them.
struct Kept {
    memory: Arc<MemoryStore>,
    rooms: Rooms,
    messages: Messages,
    fails: Arc<Mutex<bool>>,
}

impl Kept {
    fn new() -> Self {
        let memory = Arc::new(MemoryStore::new(MemoryLimits::new()));
        Self::of(Store::new(&memory, true))
    }

    fn of(store: Store) -> Self {
        let rooms = Rooms::new(&Hub::new(), RoomsConfig::new(), |_: &UserId| Vec::new());
        let (memory, fails) = (Arc::clone(&store.memory), Arc::clone(&store.fails));
        Self {
            memory,
            messages: Messages::new(&rooms, store, MessagesConfig::new()).unwrap(),
            rooms,
            fails,
        }
    }

    /// The same after the process has ended, without a word.
    fn again(&self) -> Self {
        Self::of(Store::new(&self.memory, true))
    }

    fn make(&self, id: &str) -> RoomId {
        let room = RoomId::parse(id).unwrap();
        let options = RoomOptions::new(id).id(room);
        self.rooms.create(&actor("ada"), options).unwrap().id
    }

    fn send(&self, room: &RoomId, text: &str) -> Result<u64, MessageError> {
        self.begin(room, text).wait().map(|sent| sent.id)
    }

    fn begin(&self, room: &RoomId, text: &str) -> Pending<Result<Sent, MessageError>> {
        let outgoing = OutgoingMessage::new(Message::text(text.to_owned()));
        self.messages.send(&actor("ada"), room, outgoing)
    }

    /// Does what is due after so long, and waits until it is done.
    fn after(&self, seconds: u64) {
        let due = SystemClock::new().now() + Duration::from_secs(seconds);
        self.messages.tick(due);
        self.settle();
    }

    /// Waits for what was asked of the store before.
    fn settle(&self) {
        self.messages.forget_user(&user("nobody")).wait().ok();
    }

    fn texts(&self, room: &RoomId) -> Vec<String> {
        let page = self
            .messages
            .page(&actor("ada"), MessageQuery::room(room.clone()));
        page.wait().unwrap().messages.iter().map(text_of).collect()
    }
}

/// Has each write with such a change wait until it is told what to do: the one end for the store.
fn gate(is_meant: fn(&Change) -> bool) -> (Before, Receiver<()>, Sender<Result<(), StoreError>>) {
    let (come, came) = mpsc::channel();
    let (go, gone) = mpsc::channel();
    let gone = Mutex::new(gone);
    let before = move |changes: &[Change]| {
        // Nobody listens any more: then nobody is waited for.
        if !changes.iter().any(is_meant) || come.send(()).is_err() {
            return Ok(());
        }
        gone.lock().recv().unwrap_or(Ok(()))
    };
    (Box::new(before), came, go)
}

fn failed() -> Result<(), StoreError> {
    Err(StoreError::Failed("on purpose".into()))
}

#[test]
fn a_room_that_could_not_be_kept_is_kept_later() {
    let place = Kept::new();
    *place.fails.lock() = true;
    let den = place.make("den");
    place.after(10);
    *place.fails.lock() = false;
    assert!(place.again().rooms.get(&Actor::Server, &den).is_err());
    place.after(20);
    let again = place.again();
    assert_eq!(again.rooms.rooms_of(&user("ada")), [den]);
}

#[test]
fn a_change_of_a_room_that_could_not_be_kept_is_kept_later() {
    let place = Kept::new();
    let den = place.make("den");
    place.after(10);
    *place.fails.lock() = true;
    place.rooms.join(&user("bob"), &den, None).unwrap();
    place.after(20);
    *place.fails.lock() = false;
    place.after(30);
    assert!(place.again().rooms.is_member(&user("bob"), &den));
}

#[test]
fn no_message_is_kept_in_a_room_that_could_not_be() {
    let (before, came, go) = gate(|it| matches!(it, Change::Room { .. }));
    let place = {
        let memory = Arc::new(MemoryStore::new(MemoryLimits::new()));
        let mut store = Store::new(&memory, true);
        store.before = before;
        Kept::of(store)
    };
    let den = place.make("den");
    let first = place.begin(&den, "first");
    came.recv().unwrap();
    // Asked for when nobody knows yet that the room will not be there.
    let second = place.begin(&den, "second");
    go.send(failed()).unwrap();
    first.wait().unwrap_err();
    drop((came, go));
    second.wait().unwrap_err();
    let third = place.begin(&den, "third").wait().unwrap();
    assert_eq!(third.id, 3, "a number is not given twice");
    let again = place.again();
    assert_eq!(again.texts(&den), ["third"], "and its room is known");
}

#[test]
fn a_removal_that_failed_is_said_to_have_and_made_later() {
    let place = Kept::new();
    let den = place.make("den");
    place.send(&den, "secret").unwrap();
    // As long as it is locked, the store does not answer.
    let mut fails = place.fails.lock();
    *fails = true;
    place.rooms.delete(&actor("ada"), &den).unwrap();
    let removed = place.messages.removed(&den);
    drop(fails);
    let removed = removed.wait();
    assert!(
        matches!(removed, Err(MessageError::Store(StoreError::Failed(_)))),
        "{removed:?}"
    );
    *place.fails.lock() = false;
    assert_eq!(place.again().texts(&den), ["secret"], "as it was not said");
    let options = RoomOptions::new("den").id(den.clone());
    let taken = place.rooms.create(&actor("eve"), options.clone());
    assert_eq!(taken.unwrap_err(), RoomError::Exists);
    let due = place.messages.next_deadline().unwrap();
    assert!(due <= SystemClock::new().now() + Duration::from_secs(1));
    place.after(10);
    assert_eq!(place.messages.removed(&den).wait(), Ok(()));
    assert_eq!(place.memory.stats().unwrap().messages, 0);
    assert!(place.again().rooms.get(&Actor::Server, &den).is_err());
    assert!(place.rooms.create(&actor("eve"), options).is_ok());
}

#[test]
fn nobody_has_the_id_of_a_room_before_its_messages_are_gone() {
    let place = Kept::new();
    let den = place.make("den");
    place.send(&den, "secret").unwrap();
    // As long as it is locked, the store does not answer.
    let slow = place.fails.lock();
    place.rooms.delete(&actor("ada"), &den).unwrap();
    let options = || RoomOptions::new("den").id(den.clone());
    let taken = place.rooms.create(&actor("eve"), options());
    assert_eq!(taken.unwrap_err(), RoomError::Exists);
    let gone = place.rooms.get(&actor("ada"), &den);
    assert_eq!(gone.unwrap_err(), RoomError::UnknownRoom);
    let removed = place.messages.removed(&den);
    drop(slow);
    assert_eq!(removed.wait(), Ok(()));
    place.rooms.create(&actor("eve"), options()).unwrap();
    let page = place.messages.page(&actor("eve"), MessageQuery::room(den));
    assert!(page.wait().unwrap().messages.is_empty());
}

#[test]
fn who_reads_a_room_does_not_read_the_next_one() {
    for blocks in [true, false] {
        let (come, came) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let gone = Mutex::new(gone);
        let memory = Arc::new(MemoryStore::new(MemoryLimits::new()));
        let mut store = Store::new(&memory, blocks);
        store.before_page = Box::new(move || {
            come.send(()).ok();
            gone.lock().recv().ok();
        });
        let place = Kept::of(store);
        let den = place.make("den");
        thread::scope(|scope| {
            let page = scope.spawn(|| place.texts(&den));
            came.recv().unwrap();
            place.rooms.delete(&actor("ada"), &den).unwrap();
            let options = || RoomOptions::new("den").id(den.clone());
            let taken = place.rooms.create(&actor("eve"), options());
            assert_eq!(taken.unwrap_err(), RoomError::Exists);
            let removed = place.messages.removed(&den);
            drop(go);
            assert_eq!(page.join().unwrap(), [""; 0]);
            assert_eq!(removed.wait(), Ok(()), "and the id can be had");
            place.rooms.create(&actor("eve"), options()).unwrap();
        });
    }
}

#[test]
fn two_who_meet_while_their_room_is_removed_are_told_so() {
    let place = Kept::new();
    let meet = || {
        let (ada, bob) = (user("ada"), user("bob"));
        place.rooms.direct(&Actor::Server, &ada, &bob)
    };
    let room = meet().unwrap().id;
    let mut fails = place.fails.lock();
    *fails = true;
    place.rooms.delete(&Actor::Server, &room).unwrap();
    let removed = place.messages.removed(&room);
    drop(fails);
    removed.wait().unwrap_err();
    assert_eq!(meet().unwrap_err(), RoomError::Exists);
    *place.fails.lock() = false;
    place.after(10);
    assert_eq!(meet().unwrap().id, room);
}

#[test]
fn a_store_that_panics_has_failed() {
    let memory = Arc::new(MemoryStore::new(MemoryLimits::new()));
    let mut store = Store::new(&memory, true);
    let panics = Arc::new(Mutex::new(true));
    let (writing, reading) = (Arc::clone(&panics), Arc::clone(&panics));
    store.before = Box::new(move |_| {
        assert!(!*writing.lock(), "on purpose");
        Ok(())
    });
    store.before_page = Box::new(move || assert!(!*reading.lock(), "on purpose"));
    let place = Kept::of(store);
    let den = place.make("den");
    let page = |_| {
        place
            .messages
            .page(&actor("ada"), MessageQuery::room(den.clone()))
    };
    let failed = |error| matches!(error, MessageError::Store(StoreError::Failed(_)));
    for _ in 0..3 {
        assert!(place.send(&den, "x").is_err_and(failed));
        assert!(page(()).wait().is_err_and(failed));
    }
    place.messages.flush();
    *panics.lock() = false;
    place.send(&den, "y").unwrap();
    assert_eq!(page(()).wait().unwrap().messages.len(), 1);
    assert_eq!(place.again().texts(&den), ["y"]);
}

#[test]
fn what_is_let_go_in_the_middle_of_a_room_waits_for_nothing() {
    let (before, came, go) = gate(|it| matches!(it, Change::Save(_)));
    let memory = Arc::new(MemoryStore::new(MemoryLimits::new()));
    let mut store = Store::new(&memory, true);
    store.before = before;
    let place = Kept::of(store);
    let den = place.make("den");
    let sent = place.begin(&den, "x");
    came.recv().unwrap();
    // The last owner, and one who has it for a moment only.
    let Kept {
        rooms, messages, ..
    } = place;
    let dropping = thread::spawn(move || drop(messages));
    rooms.delete(&actor("ada"), &den).unwrap();
    drop(came);
    go.send(Ok(())).unwrap();
    sent.wait().unwrap();
    dropping.join().unwrap();
}

#[test]
fn what_was_sent_is_known_after_a_graceful_end() {
    let place = Kept::new();
    let den = place.make("den");
    let (ada, bob) = (user("ada"), user("bob"));
    place.rooms.join(&bob, &den, None).unwrap();
    place
        .rooms
        .set_slow_mode(&actor("ada"), &den, Duration::from_secs(9999))
        .unwrap();
    place.after(10);
    for _ in 0..10 {
        place.send(&den, "x").unwrap();
    }
    let outgoing = || OutgoingMessage::new(Message::text("answer"));
    let answer = |place: &Kept| place.messages.send(&actor("bob"), &den, outgoing()).wait();
    answer(&place).unwrap();
    place.messages.flush();
    let again = place.again();
    let unread = |user| again.messages.unread(user, Vec::new()).wait().unwrap()[0].count;
    assert_eq!((unread(&ada), unread(&bob)), (1, 0));
    let too_soon = answer(&again).unwrap_err();
    assert!(matches!(
        too_soon,
        MessageError::Room(RoomError::SlowMode { .. })
    ));
}

#[test]
fn a_number_is_not_given_twice_for_what_is_not_kept() {
    let place = Kept::new();
    let den = place.make("den");
    place.send(&den, "first").unwrap();
    let aside = Message::text("aside");
    place
        .rooms
        .send_to_role(&actor("ada"), &den, Role::Owner, aside)
        .unwrap();
    assert_eq!(place.send(&den, "second"), Ok(2));
    place.messages.flush();
    assert_eq!(place.again().send(&den, "third"), Ok(3));
}

#[test]
fn a_marker_that_stays_where_it_is_changes_nothing() {
    let place = Kept::new();
    let den = place.make("den");
    place.send(&den, "x").unwrap();
    place.messages.flush();
    let count = Arc::new(Mutex::new(0));
    let marked = |to| drop(place.rooms.mark_read(&user("ada"), &den, to).unwrap());
    marked(1);
    let mut save = |_| {
        *count.lock() += 1;
        true
    };
    place.rooms.save_changed(9, Duration::ZERO, &mut save);
    assert_eq!(*count.lock(), 0);
}

#[test]
fn never_is_an_interval_too() {
    for blocks in [true, false] {
        let mut config = MessagesConfig::new().cleanup_interval(Duration::MAX);
        config.save_interval = Duration::MAX;
        let place = Place::with(blocks, config);
        place.send("ada", "x").unwrap();
        let now = SystemClock::new().now();
        place.messages.tick(now);
        place.messages.tick(now + Duration::from_secs(9999));
        place.messages.flush();
        assert_eq!(place.messages.next_deadline(), None);
    }
}

/// A clock whose time of day jumps.
struct Jumping {
    clock: ManualClock,
    wall: Mutex<Duration>,
}

impl Clock for Jumping {
    fn now(&self) -> std::time::Instant {
        self.clock.now()
    }

    fn unix_time(&self) -> Option<Duration> {
        Some(*self.wall.lock())
    }
}

#[test]
fn what_is_sent_after_the_time_of_day_has_jumped_is_not_too_old() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let jumping = Arc::new(Jumping {
        clock: ManualClock::new(),
        wall: Mutex::new(DAY * 10_000),
    });
    let clock: Arc<dyn Clock> = Arc::clone(&jumping) as _;
    let nobody = |_: &UserId| Vec::new();
    // The hub has a clock of its own, which does not jump.
    let hub = Hub::new();
    let rooms = Rooms::with_clock(&hub, RoomsConfig::new(), nobody, clock);
    let store = MemoryStore::new(MemoryLimits::new());
    let messages = Messages::new(&rooms, store, MessagesConfig::new()).unwrap();
    let room = rooms.create(&Actor::Server, RoomOptions::new("a")).unwrap();
    let (member, mut outbox) = hub.connect(ConnectOptions::new()).unwrap();
    member.subscribe_blocking(&room.id.channel()).unwrap();
    let mut send = || {
        let outgoing = OutgoingMessage::new(Message::text("x"));
        let id = messages
            .send(&Actor::Server, &room.id, outgoing)
            .wait()
            .unwrap()
            .id;
        let stored = messages.get(&Actor::Server, &room.id, id).wait().unwrap();
        // What is pushed shows the time that is stored.
        let pushed = outbox.try_recv().unwrap().published_at();
        assert_eq!(pushed, Duration::from_millis(stored.at));
        stored.at
    };
    let days = |days| u64::try_from((DAY * days).as_millis()).unwrap();
    let clean = || {
        let due = messages.next_deadline().unwrap();
        messages.tick(due);
        messages.store().stats().unwrap().messages
    };
    assert_eq!(send(), days(10_000));
    // It slept, and its own clock with it.
    *jumping.wall.lock() = DAY * 10_040;
    assert_eq!(send(), days(10_040));
    assert_eq!(clean(), 1, "the first is old");
    // It is set right: time goes on, and nothing is too old for it.
    *jumping.wall.lock() = DAY * 10_001;
    jumping.clock.advance(DAY);
    assert_eq!(send(), days(10_041));
    assert_eq!(clean(), 2);
    *jumping.wall.lock() = DAY * 10_041 + Duration::from_secs(9);
    assert_eq!(send(), days(10_041), "a little is not followed");
    assert_eq!(clean(), 3);
}

#[test]
fn nobody_waits_for_searches() {
    for blocks in [true, false] {
        let (go, gone) = mpsc::channel::<()>();
        let gone = Mutex::new(gone);
        let memory = Arc::new(MemoryStore::new(MemoryLimits::new()));
        let mut store = Store::new(&memory, blocks);
        store.before_search = Box::new(move || {
            gone.lock().recv().ok();
        });
        let place = Kept::of(store);
        let den = place.make("den");
        place.send(&den, "word").unwrap();
        let search = || {
            let search = MessageSearch::new("word".parse().unwrap(), vec![den.clone()]);
            place.messages.search(&actor("ada"), search)
        };
        let searches: Vec<_> = (0..9).map(|_| search()).collect();
        assert_eq!(place.texts(&den), ["word"]);
        drop(go);
        for search in searches {
            assert_eq!(search.wait().unwrap().messages.len(), 1);
        }
    }
}
