//! The shipped binary, killed in the middle of its work: what it has acknowledged is there when it
//! is started again.

mod client;
mod damage;
mod folder;
mod ledger;

use std::env;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::mpsc;
use std::thread;

use serde_json::Value;
use serde_json::json;
use throng::RoomId;
use throng::messages::sqlite::SqliteOptions;
use throng::messages::sqlite::SqliteStore;

use self::client::Asks;
use self::client::Rest;
use self::client::Socket;
pub(crate) use self::folder::Folder;
use self::ledger::Ledger;
use crate::binary::Throng;

const ROOM: &str = "den";

/// As many rounds as are asked for, and else a few.
fn rounds() -> usize {
    let rounds = env::var("THRONG_CRASH_ROUNDS");
    rounds.map_or(4, |rounds| rounds.parse().unwrap())
}

/// A number below `end` that is another one each time.
fn any(end: usize) -> usize {
    let any = RandomState::new().hash_one(());
    usize::try_from(any % end as u64).unwrap()
}

fn arguments<'a>(folder: &'a Folder, extra: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["--insecure-trust-query-user", "--data", folder.as_str()];
    all.extend(extra);
    all
}

/// Has the room, which users are in.
fn enter(throng: &Throng, room: &str, users: &[String]) {
    let body = json!({"name": "Den", "room_id": room}).to_string();
    let made = throng.post("/api/v1/rooms", "application/json", body);
    assert!(
        made.status < 300 || made.problem().1 == "room_exists",
        "{made:?}"
    );
    for user in users {
        let path = format!("/api/v1/rooms/{room}/join?actor={user}");
        let joined = throng.post(&path, "application/json", "{}");
        let is_in = joined.status < 300 || joined.problem().1 == "already_member";
        assert!(is_in, "{joined:?}");
    }
}

/// Has four users write, kills the server after so many acknowledgements, in the middle of others,
/// and gives what the users know.
fn write_and_kill(mut throng: Throng, (room, round): (&str, usize), after: usize) -> Ledger {
    let users = ["ada", "bob", "eve", "kim"].map(str::to_owned);
    enter(&throng, room, &users);
    let (acknowledged, count) = mpsc::channel();
    let address = throng.address;
    let entries = thread::scope(|scope| {
        let writers = users.iter().enumerate().map(|(index, user)| {
            let acknowledged = acknowledged.clone();
            let client: Box<dyn Asks> = if index % 2 == 0 {
                let user = user.clone();
                Box::new(Rest { address, user })
            } else {
                Box::new(Socket::open(address, user).unwrap())
            };
            scope.spawn(move || ledger::write(client, user, (room, round), &acknowledged))
        });
        let writers: Vec<_> = writers.collect();
        // Only the writers' own are left: where all of them fail, nobody waits for more.
        drop(acknowledged);
        let counted = count.iter().take(after).count();
        throng.signal("KILL");
        throng.wait();
        let entries = writers.into_iter().map(|it| it.join().unwrap());
        let entries = entries.collect::<Vec<_>>().concat();
        assert_eq!(counted, after, "the writers ended before the server");
        entries
    });
    Ledger { entries }
}

fn open(folder: &Folder) -> SqliteStore {
    SqliteStore::open(folder.path(), SqliteOptions::default()).unwrap()
}

/// The numbers that the server gives, page by page.
fn served(throng: &Throng) -> Vec<u64> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/rooms/{ROOM}/messages?limit=100{cursor}");
        let page = throng.get(&path).json();
        let messages = page["messages"].as_array().unwrap().iter();
        all.extend(messages.map(|it| number(&it["message_id"])));
        let Some(older) = page["older"].as_str() else {
            break;
        };
        cursor = format!("&cursor={older}");
    }
    all.reverse();
    all
}

fn number(id: &Value) -> u64 {
    id.as_str().unwrap().parse().unwrap()
}

/// Kills the server again and again, on one directory and in one room.
fn survives(extra: &[&str]) {
    let folder = Folder::new("crash");
    let (room, mut all) = (RoomId::parse(ROOM).unwrap(), Ledger::default());
    for round in 0..rounds() {
        let throng = Throng::start(&arguments(&folder, extra));
        let there: Vec<u64> = served_if_made(&throng, round);
        let ledger = write_and_kill(throng, (ROOM, round), 1 + any(120));
        let before = there.last().copied().unwrap_or(0).max(all.last());
        assert!(
            ledger.first().is_none_or(|first| first > before),
            "given twice"
        );
        all.entries.extend(ledger.entries);
        // The store recovers a copy, and the server, in the next round, the folder itself.
        let copy = folder.copy();
        let store = open(&copy);
        all.check(&store, &room);
        let kept = ledger::all(&store, &room);
        let kept: Vec<_> = kept.iter().map(|it| it.sequence).collect();
        assert!(kept.starts_with(&there), "what was shown stays");
        let throng = Throng::start(&arguments(&folder, extra));
        assert_eq!(served(&throng), kept, "the server shows what the store has");
    }
    assert!(all.acknowledged() > 0);
}

/// What is served before a round; before the first there is no room.
fn served_if_made(throng: &Throng, round: usize) -> Vec<u64> {
    if round > 0 {
        return served(throng);
    }
    let answer = throng.get(&format!("/api/v1/rooms/{ROOM}"));
    assert_eq!(answer.problem(), (404, "unknown_room".into()));
    Vec::new()
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    survives(&[]);
}

#[test]
fn what_was_acknowledged_survives_a_kill_where_only_the_process_may_end() {
    survives(&["--durability", "normal"]);
}
