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
    let mut all = vec!["--authorize", "open", "--data", folder.as_str()];
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

fn survives(extra: &[&str]) {
    let folder = Folder::new("crash");
    let mut ledgers: Vec<(RoomId, Ledger)> = Vec::new();
    for round in 0..rounds() {
        let throng = Throng::start(&arguments(&folder, extra));
        let room = format!("den-{round}");
        let ledger = write_and_kill(throng, (&room, round), 1 + any(120));
        ledgers.push((RoomId::parse(&room).unwrap(), ledger));
        // The store recovers a copy, and the server, in the next round, the folder itself.
        let copy = folder.copy();
        let store = open(&copy);
        for (room, ledger) in &ledgers {
            ledger.check(&store, room);
        }
    }
    let acknowledged: usize = ledgers.iter().map(|it| it.1.acknowledged()).sum();
    assert!(acknowledged > 0);
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    survives(&[]);
}

#[test]
fn what_was_acknowledged_survives_a_kill_where_only_the_process_may_end() {
    survives(&["--sync", "normal"]);
}
