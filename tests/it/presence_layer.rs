//! Presence of users, over a hub and by a clock that is moved by hand:
//!
//! * online with the first connection, offline a while after the last;
//! * what a user says it is holds, whatever it does;
//! * who watches, shares a room or observes is told of what others see, in order, and of no more;
//! * who may not see is told nothing, and lists show nobody to whom that applies;
//! * pages show everybody once, however they are asked for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use throng::Actor;
use throng::Client;
use throng::ClientId;
use throng::Clock;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::ErrorCode;
use throng::Event;
use throng::Hub;
use throng::ManualClock;
use throng::Message;
use throng::MessageHeader;
use throng::Outbox;
use throng::RoomId;
use throng::UserId;
use throng::presence::Activity;
use throng::presence::CustomStatus;
use throng::presence::Device;
use throng::presence::Presence;
use throng::presence::PresenceConfig;
use throng::presence::PresenceError;
use throng::presence::PresenceFilter;
use throng::presence::PresenceQuery;
use throng::presence::PresenceUpdate;
use throng::presence::Status;

use crate::support::drain;

/// A hub, the presence of its users, and the clock that both go by.
struct World {
    hub: Hub,
    presence: Presence,
    clock: ManualClock,
}

impl World {
    fn new() -> Self {
        Self::with(PresenceConfig::new())
    }

    fn with(config: PresenceConfig) -> Self {
        let clock = ManualClock::new();
        let hub = Hub::builder().clock(clock.clone()).build().unwrap();
        let presence = Presence::with_clock(&hub, config, Arc::new(clock.clone()));
        Self {
            hub,
            presence,
            clock,
        }
    }

    /// A connection of the user that is online.
    fn connect(&self, name: &str) -> (Client, Outbox) {
        let options = ConnectOptions::new().user(name);
        let (client, outbox) = self.hub.connect(options).unwrap();
        self.presence.connected(&user(name), client.id(), None);
        (client, outbox)
    }

    fn disconnect(&self, client: &Client) {
        client.close(Disconnect::new(4000, "gone").unwrap());
        let name = client.user().unwrap();
        self.presence.disconnected(&user(name), client.id());
    }

    /// Lets time pass, with a tick at every time that was asked for.
    fn pass(&self, time: Duration) {
        let until = self.clock.now() + time;
        while let Some(next) = self.presence.next_deadline()
            && next <= until
        {
            self.clock
                .advance(next.saturating_duration_since(self.clock.now()));
            self.presence.tick(self.clock.now());
        }
        self.clock
            .advance(until.saturating_duration_since(self.clock.now()));
        self.presence.tick(self.clock.now());
    }

    fn say(&self, name: &str, status: Status) {
        let update = PresenceUpdate::new().status(status);
        self.presence.set(&user(name), None, &update);
    }

    /// What the server sees.
    fn is(&self, name: &str) -> Status {
        let seen = self.presence.get(&Actor::Server, &user(name));
        seen.map_or(Status::Offline, |presence| presence.status)
    }

    /// What another user sees.
    fn seen(&self, name: &str) -> Status {
        let stranger = Actor::User(user("stranger"));
        let seen = self.presence.get(&stranger, &user(name));
        seen.map_or(Status::Offline, |presence| presence.status)
    }

    /// What observers are told from now on: `ada online>away`.
    fn observe(&self) -> Arc<Mutex<Vec<String>>> {
        let log = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&log);
        self.presence.observe(move |change| {
            let user = &change.presence.user_id;
            let line = format!("{user} {}>{}", change.from, change.to);
            told.lock().unwrap().push(line);
        });
        log
    }
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn take(log: &Mutex<Vec<String>>) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

/// The events `presence` that are there now.
fn events(outbox: &mut Outbox) -> Vec<Value> {
    let frames = drain(outbox);
    let messages = frames.iter().filter_map(|frame| frame.message());
    messages.map(event).collect()
}

fn event(message: &Message) -> Value {
    let stamp = MessageHeader::of(message).expect("stamped");
    assert_eq!(stamp.kind, "presence");
    assert!(stamp.ephemeral);
    let event: Value = serde_json::from_slice(message.payload()).unwrap();
    let user = stamp.user.as_ref().unwrap();
    assert_eq!(event["user_id"], user.as_str());
    let key = format!("presence:{user}");
    assert_eq!(message.conflation_key().unwrap(), key.as_bytes());
    event
}

/// What the events say the user is.
fn told(outbox: &mut Outbox) -> Vec<String> {
    let events = events(outbox);
    let status = |event: &Value| event["status"].as_str().unwrap().to_owned();
    events.iter().map(status).collect()
}

const GRACE: Duration = Duration::from_secs(5);

#[test]
fn a_user_is_online_from_the_first_connection_until_a_while_after_the_last() {
    let world = World::new();
    let log = world.observe();
    let (one, _outbox) = world.connect("ada");
    let (other, _outbox) = world.connect("ada");
    assert_eq!(take(&log), ["ada offline>online"]);
    world.disconnect(&one);
    world.pass(GRACE * 10);
    assert_eq!(world.seen("ada"), Status::Online);
    world.disconnect(&other);
    world.pass(GRACE - Duration::from_millis(1));
    assert_eq!(world.seen("ada"), Status::Online);
    assert!(take(&log).is_empty());
    world.pass(Duration::from_millis(20));
    assert_eq!(take(&log), ["ada online>offline"]);
    assert_eq!(world.seen("ada"), Status::Offline);
}

#[test]
fn a_page_that_is_loaded_anew_is_no_news() {
    let world = World::new();
    let (mut client, _outbox) = world.connect("ada");
    world.say("ada", Status::Busy);
    let log = world.observe();
    for _ in 0..10 {
        world.disconnect(&client);
        world.pass(GRACE - Duration::from_millis(20));
        client = world.connect("ada").0;
        world.pass(GRACE);
    }
    assert!(take(&log).is_empty());
    assert_eq!(world.is("ada"), Status::Busy);
}

#[test]
fn what_a_user_says_it_is_survives_all_that_it_does() {
    let world = World::new();
    let (client, _outbox) = world.connect("ada");
    for status in [Status::Away, Status::Busy, Status::Invisible] {
        world.say("ada", status);
        world
            .presence
            .touch(&user("ada"), Some(client.id()))
            .unwrap();
        let (tab, _outbox) = world.connect("ada");
        world.presence.touch(&user("ada"), Some(tab.id())).unwrap();
        world.disconnect(&tab);
        world.pass(Duration::from_secs(3600));
        assert_eq!(world.is("ada"), status);
    }
    world.disconnect(&client);
    world.pass(GRACE * 2);
    let (_client, _outbox) = world.connect("ada");
    assert_eq!(world.is("ada"), Status::Online, "a new day, a new status");
}

#[test]
fn a_user_that_is_connected_never_times_out_and_one_that_is_not_does() {
    let world = World::new();
    let (_client, _outbox) = world.connect("ada");
    world.say("bob", Status::Away);
    let minute = Duration::from_secs(60);
    for _ in 0..4 {
        world.pass(4 * minute);
        world.presence.touch(&user("bob"), None).unwrap();
    }
    assert_eq!(world.seen("bob"), Status::Away);
    world.pass(5 * minute + Duration::from_millis(20));
    assert_eq!(world.seen("bob"), Status::Offline);
    assert_eq!(world.seen("ada"), Status::Online);
    let unknown = world.presence.touch(&user("eve"), None);
    assert_eq!(unknown, Err(PresenceError::Unknown));
}

#[test]
fn an_invisible_user_is_offline_to_others_and_not_to_itself() {
    let world = World::new();
    let (client, _outbox) = world.connect("ada");
    let (_bob, _outbox) = world.connect("bob");
    world.pass(Duration::from_secs(10));
    world.say("ada", Status::Invisible);
    let before = world
        .presence
        .get(&Actor::User(user("bob")), &user("ada"))
        .unwrap();
    let log = world.observe();
    let activity = Activity::new("playing").unwrap();
    let update = PresenceUpdate::new()
        .custom_status(CustomStatus::new("hiding").unwrap())
        .activity(activity);
    world.presence.set(&user("ada"), Some(client.id()), &update);
    world.pass(Duration::from_secs(10));
    let theirs = world
        .presence
        .get(&Actor::User(user("bob")), &user("ada"))
        .unwrap();
    assert_eq!(theirs.status, Status::Offline);
    assert_eq!((theirs.custom_status, theirs.activity), (None, None));
    assert_eq!(theirs.last_seen, before.last_seen);
    let own = world
        .presence
        .get(&Actor::User(user("ada")), &user("ada"))
        .unwrap();
    assert_eq!(own.status, Status::Invisible);
    assert_eq!(&*own.custom_status.unwrap().text, "hiding");
    assert!(take(&log).is_empty(), "what nobody sees is not told");
    let counts = world.presence.counts();
    assert_eq!(
        (counts.present, counts.offline, counts.invisible),
        (1, 1, 1)
    );
}

#[test]
fn who_watches_is_told_of_every_change_and_of_nothing_after() {
    let world = World::new();
    let (ada, _outbox) = world.connect("ada");
    let (bob, mut outbox) = world.connect("bob");
    let seen = world.presence.watch(&bob, &user("ada")).unwrap();
    assert_eq!(seen.status, Status::Online);
    world.say("ada", Status::Away);
    world.say("ada", Status::Away);
    let lunch = CustomStatus::new("lunch").unwrap().emoji("🍜").unwrap();
    let lunch = lunch.expires_in(Duration::from_secs(60)).unwrap();
    let update = PresenceUpdate::new().custom_status(lunch);
    world.presence.set(&user("ada"), None, &update);
    let heard = events(&mut outbox);
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert_eq!(heard[0]["status"], "away");
    assert_eq!(heard[1]["custom_status"]["text"], "lunch");
    assert_eq!(heard[1]["custom_status"]["emoji"], "🍜");
    assert!(heard[1]["custom_status"]["expires_at"].is_string());
    world.pass(Duration::from_secs(61));
    let heard = events(&mut outbox);
    assert_eq!(heard.len(), 1);
    assert!(heard[0].get("custom_status").is_none());
    world.disconnect(&ada);
    world.pass(GRACE * 2);
    assert_eq!(told(&mut outbox), ["offline"]);
    world.presence.unwatch(&bob, &user("ada"));
    world.connect("ada");
    assert!(told(&mut outbox).is_empty());
}

#[test]
fn a_user_watches_a_bounded_number_of_others_over_all_its_connections() {
    let world = World::with(PresenceConfig::new().max_watches(2));
    let (one, _outbox) = world.connect("bob");
    let (other, _outbox) = world.connect("bob");
    world.presence.watch(&one, &user("ada")).unwrap();
    world.presence.watch(&one, &user("ada")).unwrap();
    world.presence.watch(&other, &user("ada")).unwrap();
    world.presence.watch(&other, &user("eve")).unwrap();
    let refused = world.presence.watch(&one, &user("joe")).unwrap_err();
    assert_eq!(refused, PresenceError::TooManyWatches { limit: 2 });
    assert_eq!(refused.code(), ErrorCode::TooManyWatches);
    assert_eq!(
        world.presence.watching(&user("bob")),
        [user("ada"), user("eve")]
    );
    let watchers = world.presence.watchers(&user("ada"), None, 10).unwrap();
    assert_eq!(watchers.items, [user("bob")]);
    world.disconnect(&other);
    assert_eq!(world.presence.watching(&user("bob")), [user("ada")]);
    world.presence.watch(&one, &user("joe")).unwrap();
    let (nobody, _outbox) = world.hub.connect(ConnectOptions::new()).unwrap();
    let refused = world.presence.watch(&nobody, &user("ada"));
    assert_eq!(refused, Err(PresenceError::Unauthenticated));
}

/// Rooms as presence sees them, and what they were told: `lobby ada online`.
#[derive(Clone, Default)]
struct Rooms {
    members: Arc<Mutex<BTreeSet<(String, String)>>>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Rooms {
    fn of(world: &World) -> Self {
        let rooms = Self::default();
        let (of, note) = (rooms.clone(), rooms.clone());
        let is_first = world.presence.rooms(
            move |user| of.rooms_of(user),
            move |room, user, json| {
                let event: Value = serde_json::from_str(json).unwrap();
                let status = event["status"].as_str().unwrap();
                note.told
                    .lock()
                    .unwrap()
                    .push(format!("{room} {user} {status}"));
            },
        );
        assert!(is_first);
        rooms
    }

    fn rooms_of(&self, user: &UserId) -> Vec<RoomId> {
        let members = self.members.lock().unwrap();
        let of = members.iter().filter(|(_, member)| member == user.as_str());
        of.map(|(room, _)| RoomId::parse(room).unwrap()).collect()
    }

    fn join(&self, room: &str, user: &str) {
        let mut members = self.members.lock().unwrap();
        members.insert((room.to_owned(), user.to_owned()));
    }

    fn leave(&self, room: &str, user: &str) {
        let mut members = self.members.lock().unwrap();
        members.remove(&(room.to_owned(), user.to_owned()));
    }
}

#[test]
fn the_rooms_of_a_user_are_told_and_no_others() {
    let world = World::new();
    let rooms = Rooms::of(&world);
    rooms.join("lobby", "ada");
    rooms.join("garden", "ada");
    rooms.join("attic", "bob");
    let (client, _outbox) = world.connect("ada");
    assert_eq!(take(&rooms.told), ["garden ada online", "lobby ada online"]);
    rooms.leave("lobby", "ada");
    world.say("ada", Status::Busy);
    world
        .presence
        .touch(&user("ada"), Some(client.id()))
        .unwrap();
    assert_eq!(take(&rooms.told), ["garden ada busy"]);
}

#[test]
fn one_sees_with_whom_one_shares_a_room_and_nobody_else() {
    let world = World::new();
    let rooms = Rooms::of(&world);
    for name in ["ada", "bob", "eve"] {
        world.say(name, Status::Online);
    }
    rooms.join("lobby", "ada");
    rooms.join("lobby", "bob");
    rooms.join("attic", "eve");
    let bob = Actor::User(user("bob"));
    assert!(world.presence.get(&bob, &user("ada")).is_ok());
    let denied = world.presence.get(&bob, &user("eve")).unwrap_err();
    assert_eq!(denied.code(), ErrorCode::PresenceDenied);
    let denied = world.presence.history(&bob, &user("eve")).unwrap_err();
    assert_eq!(denied.code(), ErrorCode::PresenceDenied);
    let many = [user("ada"), user("eve"), user("bob")];
    let many = world.presence.get_many(&bob, &many);
    let seen: Vec<_> = many.presences.iter().map(|it| it.user_id.clone()).collect();
    assert_eq!(seen, [user("ada"), user("bob")]);
    assert_eq!(many.denied, [user("eve")]);
    let page = world.presence.page(&bob, &PresenceQuery::new()).unwrap();
    assert_eq!(
        names(&page.items),
        BTreeSet::from([user("ada"), user("bob")])
    );
    let (client, _outbox) = world.connect("bob");
    let denied = world.presence.watch(&client, &user("eve"));
    assert_eq!(denied, Err(PresenceError::Denied));
    assert!(world.presence.watching(&user("bob")).is_empty());
}

#[test]
fn who_shares_no_room_any_longer_watches_no_longer() {
    let world = World::new();
    let rooms = Rooms::of(&world);
    for name in ["ada", "bob"] {
        rooms.join("lobby", name);
        rooms.join("garden", name);
    }
    let (_ada, _outbox) = world.connect("ada");
    let (bob, mut outbox) = world.connect("bob");
    world.presence.watch(&bob, &user("ada")).unwrap();
    rooms.leave("lobby", "ada");
    world.presence.recheck(&user("ada"));
    world.pass(Duration::ZERO);
    world.say("ada", Status::Away);
    assert_eq!(told(&mut outbox), ["away"], "the garden is left");
    rooms.leave("garden", "ada");
    world.presence.recheck(&user("ada"));
    assert!(
        world
            .presence
            .next_deadline()
            .is_some_and(|next| next <= world.clock.now())
    );
    world.pass(Duration::ZERO);
    world.say("ada", Status::Busy);
    let frames = drain(&mut outbox);
    let reasons = frames.iter().map(|frame| match frame.event() {
        Event::Unsubscribed(left) => left.reason.to_string(),
        _ => panic!("{frame:?}"),
    });
    assert_eq!(reasons.collect::<Vec<_>>(), ["presence_denied"]);
    assert!(world.presence.watching(&user("bob")).is_empty());
}

fn names(items: &[throng::presence::UserPresence]) -> BTreeSet<UserId> {
    items.iter().map(|it| it.user_id.clone()).collect()
}

/// All who are asked for, a page at a time, and how many pages that were.
fn all(world: &World, actor: &Actor, query: PresenceQuery) -> (Vec<UserId>, usize) {
    let (mut found, mut pages) = (Vec::new(), 0);
    let mut query = query;
    loop {
        let page = world.presence.page(actor, &query).unwrap();
        found.extend(page.items.into_iter().map(|it| it.user_id));
        pages += 1;
        match page.next {
            Some(next) => query = query.after(next),
            None => return (found, pages),
        }
    }
}

#[test]
fn pages_show_everybody_once_newest_first() {
    let world = World::new();
    for number in 0..500 {
        let name = format!("user.{number}");
        world.say(
            &name,
            [Status::Online, Status::Away, Status::Busy][number % 3],
        );
        if number % 7 > 0 {
            world.clock.advance(Duration::from_millis(1));
        }
    }
    let (found, pages) = all(&world, &Actor::Server, PresenceQuery::new().limit(49));
    assert_eq!((found.len(), pages), (500, 11));
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 500);
    assert_eq!(found[0].as_str(), "user.499");
    let away = PresenceQuery::new().status(Status::Away);
    assert_eq!(all(&world, &Actor::Server, away).0.len(), 167);
    let recent = PresenceQuery::new().changed_within(Duration::from_millis(20));
    let recent = all(&world, &Actor::Server, recent).0.len();
    assert!((20..30).contains(&recent), "{recent}");
    let bad = PresenceQuery::new().after("nonsense");
    let bad = world.presence.page(&Actor::Server, &bad).unwrap_err();
    assert_eq!(
        (bad.code(), bad.field()),
        (ErrorCode::InvalidField, Some("after"))
    );
    for limit in [0, 1001] {
        let bad = PresenceQuery::new().limit(limit);
        let bad = world.presence.page(&Actor::Server, &bad).unwrap_err();
        assert_eq!(bad.field(), Some("limit"));
    }
}

#[test]
fn a_page_with_a_filter_finds_the_needle_over_several_pages() {
    let world = World::new();
    let device = |kind| {
        PresenceUpdate::new()
            .status(Status::Online)
            .device(Device::new(kind).unwrap())
    };
    world.presence.set(&user("needle"), None, &device("mobile"));
    for number in 0..1000 {
        let name = user(&format!("straw{number}"));
        world.presence.set(&name, None, &device("desktop"));
    }
    let query = PresenceQuery::new().filter(PresenceFilter::new().device("mobile"));
    let (found, pages) = all(&world, &Actor::Server, query);
    assert_eq!(found, [user("needle")]);
    assert!(pages > 2, "each looks at a bounded number: {pages}");
    let candidates = [user("needle"), user("straw1"), user("nobody")];
    let filter = PresenceFilter::new()
        .device("mobile")
        .status(Status::Online);
    let among = world.presence.among(&Actor::Server, &candidates, &filter);
    assert_eq!(names(&among), BTreeSet::from([user("needle")]));
    let filter = PresenceFilter::new().status(Status::Offline);
    let among = world.presence.among(&Actor::Server, &candidates, &filter);
    assert_eq!(names(&among), BTreeSet::from([user("nobody")]));
}

#[test]
fn history_and_durations_are_those_of_the_statuses_seen() {
    let world = World::new();
    let minute = Duration::from_secs(60);
    let (_client, _outbox) = world.connect("ada");
    world.pass(minute);
    world.say("ada", Status::Invisible);
    world.pass(minute);
    world.say("ada", Status::Offline);
    world.pass(minute);
    world.say("ada", Status::Away);
    world.pass(2 * minute);
    let ada = Actor::User(user("ada"));
    let statuses = |actor: &Actor| {
        let history = world.presence.history(actor, &user("ada")).unwrap();
        history
            .iter()
            .map(|it| it.status.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(statuses(&ada), ["away", "offline", "invisible", "online"]);
    let bob = Actor::User(user("bob"));
    assert_eq!(statuses(&bob), ["away", "offline", "online"]);
    let durations = |actor: &Actor, window| {
        world
            .presence
            .durations(actor, &user("ada"), window)
            .unwrap()
    };
    let day = Duration::from_secs(86_400);
    assert_eq!(
        durations(&bob, day),
        [
            (Status::Away, 2 * minute),
            (Status::Offline, 2 * minute),
            (Status::Online, minute)
        ],
    );
    assert_eq!(
        durations(&ada, minute * 3),
        [(Status::Away, 2 * minute), (Status::Offline, minute)]
    );
    let then = PresenceQuery::new().ago(minute * 5 - Duration::from_secs(10));
    assert_eq!(all(&world, &Actor::Server, then).0, [user("ada")]);
    let then = PresenceQuery::new().ago(minute * 3 - Duration::from_secs(10));
    assert!(all(&world, &Actor::Server, then).0.is_empty());
}

#[test]
fn devices_are_those_of_the_connections_and_those_that_were_said() {
    let world = World::new();
    let ada = user("ada");
    let phone = Device::new("mobile").unwrap().name("Fairphone").unwrap();
    world
        .presence
        .connected(&ada, ClientId::new(1), Some(phone.clone()));
    world
        .presence
        .connected(&ada, ClientId::new(2), Some(phone));
    let watch = Device::new("watch").unwrap();
    let update = PresenceUpdate::new().device(watch.clone());
    world.presence.set(&ada, None, &update);
    let kinds = |presence: &Presence| {
        let seen = presence.get(&Actor::Server, &ada).unwrap();
        seen.devices
            .iter()
            .map(|it| it.kind().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(&world.presence), ["mobile", "watch"]);
    let lines = world.presence.devices(&ada).unwrap();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0].client_id, Some(ClientId::new(1)));
    let json = serde_json::to_value(&lines).unwrap();
    assert_eq!(json[0]["type"], "mobile");
    assert_eq!(json[0]["client_id"], "1");
    world.pass(Duration::from_secs(301));
    world.presence.touch(&ada, Some(ClientId::new(2))).unwrap();
    let lines = world.presence.devices(&ada).unwrap();
    let active: Vec<_> = lines.iter().map(|it| it.active).collect();
    assert_eq!(active, [false, true, false]);
    world.presence.remove_device(&ada, &watch);
    assert_eq!(kinds(&world.presence), ["mobile"]);
}

#[test]
fn what_is_too_large_or_no_text_is_refused() {
    let long = "x".repeat(129);
    let refused = CustomStatus::new(&long).unwrap_err();
    assert_eq!(
        (refused.code(), refused.field()),
        (ErrorCode::TooLarge, Some("custom_status"))
    );
    assert!(CustomStatus::new(&long[1..]).is_ok());
    let refused = CustomStatus::new("a\nb").unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidField);
    let refused = "Online".parse::<Status>().unwrap_err();
    assert_eq!(
        (refused.code(), refused.field()),
        (ErrorCode::InvalidStatus, Some("status"))
    );
    let month = CustomStatus::MAX_EXPIRES_IN + Duration::from_millis(1);
    assert!(CustomStatus::new("x").unwrap().expires_in(month).is_err());
    let deep = (0..9).fold(Value::from(1), |inner, _| serde_json::json!([inner]));
    for (value, field) in [
        (Value::from("x".repeat(5000)), "details"),
        (deep, "details"),
    ] {
        let details = serde_json::Map::from_iter([("k".to_owned(), value)]);
        let refused = PresenceUpdate::new().details(details).unwrap_err();
        assert_eq!(
            (refused.code(), refused.field()),
            (ErrorCode::TooLarge, Some(field))
        );
    }
}

#[test]
fn an_observer_may_panic_ask_change_and_go() {
    let world = World::new();
    let panics = world
        .presence
        .observe(|_| panic!("an observer of the application"));
    let presence = world.presence.clone();
    world.presence.observe(move |change| {
        let user = &change.presence.user_id;
        if change.to == Status::Online {
            assert!(presence.is_online(user));
            let update = PresenceUpdate::new().status(Status::Busy);
            presence.set(user, None, &update);
        }
    });
    // After the one that changes something: it hears of both in their order all the same.
    let log = world.observe();
    let (_client, _outbox) = world.connect("ada");
    assert_eq!(take(&log), ["ada offline>online", "ada online>busy"]);
    world.presence.unobserve(panics);
    world.say("ada", Status::Away);
    assert_eq!(take(&log), ["ada busy>away"]);
}

#[test]
fn who_follows_the_changes_knows_what_is_however_many_change_it_at_once() {
    let world = World::new();
    let (client, mut outbox) = world.connect("eve");
    client.set_slow_consumer(Some(throng::SlowConsumer::KeepLatest));
    for number in 0..8 {
        let name = user(&format!("user{number}"));
        world.presence.watch(&client, &name).unwrap();
    }
    thread::scope(|scope| {
        for thread in 0..4_usize {
            let world = &world;
            scope.spawn(move || {
                for step in 0..500_usize {
                    let status = Status::ALL[(step * 7 + thread) % 5];
                    world.say(&format!("user{}", (step + thread) % 8), status);
                }
            });
        }
    });
    let mut last = std::collections::BTreeMap::new();
    for event in events(&mut outbox) {
        let name = event["user_id"].as_str().unwrap().to_owned();
        last.insert(name, event["status"].as_str().unwrap().to_owned());
    }
    for (name, status) in last {
        assert_eq!(status, world.seen(&name).as_str(), "{name}");
    }
}

#[test]
fn the_figures_know_the_peak_of_the_day() {
    let world = World::new();
    let clients: Vec<_> = ["ada", "bob", "eve"].map(|name| world.connect(name)).into();
    world.say("eve", Status::Away);
    world.pass(Duration::from_secs(3600));
    for (client, _) in &clients {
        world.disconnect(client);
    }
    world.pass(Duration::from_secs(3600));
    let counts = world.presence.counts();
    assert_eq!((counts.present, counts.peak, counts.offline), (0, 3, 3));
    assert!((counts.average - 1.5).abs() < 0.01, "{}", counts.average);
    world.pass(Duration::from_secs(25 * 3600));
    let counts = world.presence.counts();
    assert_eq!(
        (counts.peak, counts.offline),
        (0, 0),
        "and nobody is remembered for ever"
    );
}
