//! What has changed is noted once, what has not is not, and nothing is lost on the way.

use std::collections::BTreeMap;
use std::slice::from_ref;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use super::Rooms;
use crate::hub::Hub;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::config::RoomsConfig;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::options::InviteOptions;
use crate::layers::rooms::options::RoomOptions;
use crate::layers::rooms::options::RoomPatch;
use crate::layers::rooms::role::Permission;
use crate::layers::rooms::role::Role;
use crate::message::Message;

/// Whoever keeps rooms.
#[derive(Default)]
struct Keeper(BTreeMap<RoomId, Bytes>);

impl Keeper {
    /// Takes everything; gives which rooms that were.
    fn take(&mut self, rooms: &Rooms) -> Vec<RoomId> {
        let taken = rooms.take_changed(usize::MAX).into_iter();
        taken
            .map(|(id, snapshot)| {
                match snapshot {
                    Some(snapshot) => self.0.insert(id.clone(), snapshot),
                    None => self.0.remove(&id),
                };
                id
            })
            .collect()
    }

    fn load(&self) -> Rooms {
        let rooms = rooms();
        let all = self.0.iter().map(|(id, it)| (id.clone(), it.clone()));
        assert_eq!(rooms.load(all), Ok(self.0.len()));
        rooms
    }
}

type Verb = (&'static str, fn(&Rooms, &RoomId));

/// All verbs that change a room, in an order in which each does.
const VERBS: [Verb; 26] = [
    ("join", |it, den| {
        drop(it.join(&user("bob"), den, None).unwrap());
    }),
    ("add_member", |it, den| {
        let added = it.add_member(&SERVER, den, &user("cy"), Role::Guest);
        assert!(added.unwrap());
    }),
    ("add_members", |it, den| {
        let users = [user("dan"), user("eve")];
        let added = it.add_members(&SERVER, den, &users);
        assert_eq!(added, [Ok(true), Ok(true)]);
    }),
    ("leave", |it, den| it.leave(&user("dan"), den).unwrap()),
    ("update", |it, den| {
        let patch = RoomPatch::new().name("new").private(true);
        drop(it.update(&SERVER, den, patch).unwrap());
    }),
    ("set_slow_mode", |it, den| {
        it.set_slow_mode(&SERVER, den, Duration::from_secs(9))
            .unwrap();
    }),
    ("set_role", |it, den| {
        it.set_role(&SERVER, den, &user("bob"), Role::Moderator)
            .unwrap();
    }),
    ("grant", |it, den| {
        it.grant(&SERVER, den, &user("bob"), Permission::ManageRoom)
            .unwrap();
    }),
    ("revoke", |it, den| {
        it.revoke(&SERVER, den, &user("bob"), Permission::ManageRoom)
            .unwrap();
    }),
    ("mute", |it, den| {
        let hour = Some(Duration::from_secs(3600));
        it.mute(&SERVER, den, &user("eve"), Some("why"), hour)
            .unwrap();
    }),
    ("unmute", |it, den| {
        it.unmute(&SERVER, den, &user("eve")).unwrap();
    }),
    ("kick", |it, den| {
        it.kick(&SERVER, den, &user("eve"), None).unwrap();
    }),
    ("ban", |it, den| {
        let hour = Some(Duration::from_secs(3600));
        it.ban(&SERVER, den, &user("cy"), Some("why"), hour)
            .unwrap();
    }),
    ("unban", |it, den| {
        it.unban(&SERVER, den, &user("cy")).unwrap();
    }),
    ("ban for no time", |it, den| {
        it.ban(&SERVER, den, &user("cy"), None, Some(Duration::ZERO))
            .unwrap();
    }),
    ("tick", |it, _| {
        let due = it.next_deadline().unwrap();
        it.tick(due);
    }),
    ("create_invite", |it, den| {
        drop(
            it.create_invite(&SERVER, den, InviteOptions::new(), None)
                .unwrap(),
        );
    }),
    ("join with an invite", |it, den| {
        let code = it.invites(&SERVER, den).unwrap().remove(0).invite;
        drop(it.join(&user("fay"), den, Some(&code)).unwrap());
    }),
    ("revoke_invite", |it, den| {
        let code = it.invites(&SERVER, den).unwrap().remove(0).invite;
        it.revoke_invite(&SERVER, den, &code).unwrap();
    }),
    ("pin", |it, den| {
        it.send(&SERVER, den, Message::text("hello"), None).unwrap();
        it.pin(&SERVER, den, 1).unwrap();
    }),
    ("mark_read", |it, den| {
        drop(it.mark_read(&user("bob"), den, 1).unwrap());
    }),
    ("unpin", |it, den| it.unpin(&SERVER, den, 1).unwrap()),
    ("transfer_ownership", |it, den| {
        it.transfer_ownership(&SERVER, den, &user("bob")).unwrap();
    }),
    ("lock", |it, den| it.lock(&SERVER, den).unwrap()),
    ("unlock", |it, den| it.unlock(&SERVER, den).unwrap()),
    ("archive", |it, den| it.archive(&SERVER, den).unwrap()),
];

#[test]
fn every_verb_that_changes_a_room_is_noted_and_comes_back() {
    let (rooms, den) = tracked();
    let mut keeper = Keeper::default();
    assert_eq!(keeper.take(&rooms), from_ref(&den), "create");
    for (name, verb) in VERBS {
        verb(&rooms, &den);
        assert_eq!(keeper.take(&rooms), from_ref(&den), "{name}");
        is_same(&keeper.load(), &rooms, name);
    }
    rooms.restore(&SERVER, &den).unwrap();
    rooms.direct(&SERVER, &user("ada"), &user("zoe")).unwrap();
    assert_eq!(keeper.take(&rooms).len(), 2, "restore, direct");
    is_same(&keeper.load(), &rooms, "direct");
    rooms.delete(&SERVER, &den).unwrap();
    assert_eq!(keeper.take(&rooms), from_ref(&den), "delete");
    is_same(&keeper.load(), &rooms, "delete");
    assert!(keeper.load().get(&SERVER, &den).is_err());
}

#[test]
fn what_changes_nothing_that_is_kept_is_not_noted() {
    let (rooms, den) = tracked();
    let ada = user("ada");
    let taken = rooms.take_changed(9);
    assert_eq!(taken.len(), 1);
    rooms.send(&SERVER, &den, Message::text("a"), None).unwrap();
    rooms
        .send_to_role(
            &Actor::User(ada.clone()),
            &den,
            Role::Owner,
            Message::text("b"),
        )
        .unwrap();
    rooms.publish_presence(&den, &ada, "{}");
    rooms.join(&ada, &den, None).unwrap();
    let added = rooms.add_member(&SERVER, &den, &ada, Role::Member);
    assert_eq!(added, Ok(false));
    rooms.get(&SERVER, &den).unwrap();
    rooms.members(&SERVER, &den, None, None, 9).unwrap();
    rooms.stats(&SERVER, &den).unwrap();
    rooms.leave(&user("nobody"), &den).unwrap_err();
    rooms.lock(&Actor::User(user("nobody")), &den).unwrap_err();
    rooms.unban(&SERVER, &den, &ada).unwrap_err();
    rooms.mark_read(&ada, &den, 99).unwrap_err();
    rooms
        .create(&SERVER, RoomOptions::new("den").id(den))
        .unwrap_err();
    assert_eq!(rooms.take_changed(9), []);
}

#[test]
fn nothing_is_noted_until_that_is_asked_for_and_then_all_there_is() {
    let rooms = rooms();
    let gone = make(&rooms, "gone");
    let den = make(&rooms, "den");
    rooms.delete(&SERVER, &gone).unwrap();
    assert!(rooms.inner.changes.queue.lock().entries.is_empty());
    assert!(unsaved(&rooms, &den).is_none());
    rooms.track_changes();
    rooms.track_changes();
    let mut keeper = Keeper::default();
    assert_eq!(keeper.take(&rooms), [den]);
    is_same(&keeper.load(), &rooms, "all there is");
}

#[test]
fn no_more_are_taken_than_asked_for_and_the_longest_waiting_first() {
    let (rooms, den) = tracked();
    let [second, third] = ["second", "third"].map(|id| make(&rooms, id));
    rooms.lock(&SERVER, &den).unwrap();
    rooms.delete(&SERVER, &second).unwrap();
    let ids = |most| -> Vec<(RoomId, bool)> {
        let taken = rooms.take_changed(most).into_iter();
        taken.map(|(id, it)| (id, it.is_some())).collect()
    };
    assert_eq!(ids(0), []);
    assert_eq!(ids(1), [(den, true)]);
    assert_eq!(ids(2), [(third, true), (second, false)]);
    assert_eq!(ids(9), []);
}

#[test]
fn a_room_that_was_deleted_and_made_anew_is_told_as_deleted_first() {
    let (rooms, den) = tracked();
    for _ in 0..2 {
        rooms.delete(&SERVER, &den).unwrap();
        make(&rooms, "den");
    }
    let taken = rooms.take_changed(9);
    let deleted: Vec<_> = taken.iter().map(|(_, it)| it.is_none()).collect();
    assert_eq!(deleted, [true, false]);
}

#[test]
fn a_room_is_unsaved_until_it_is_taken_or_said_to_be() {
    let (rooms, den) = tracked();
    let first = unsaved(&rooms, &den).unwrap();
    assert_eq!(first.bytes, snapshot(&rooms, &den));
    assert!(unsaved(&rooms, &den).is_none(), "somebody was asked");
    drop(first);
    let second = unsaved(&rooms, &den).unwrap();
    second.keeping.done();
    assert!(unsaved(&rooms, &den).is_none());
    let mut keeper = Keeper::default();
    assert_eq!(
        keeper.take(&rooms),
        from_ref(&den),
        "it may have changed since"
    );

    let taken = make(&rooms, "taken");
    keeper.take(&rooms);
    assert!(unsaved(&rooms, &taken).is_none());
    let loaded = keeper.load();
    loaded.track_changes();
    assert!(unsaved(&loaded, &den).is_none());
}

#[test]
fn an_unsaved_room_has_it_not_told_that_another_had_its_id() {
    let (rooms, den) = tracked();
    unsaved(&rooms, &den).unwrap().keeping.done();
    rooms.delete(&SERVER, &den).unwrap();
    make(&rooms, "den");
    unsaved(&rooms, &den).unwrap().keeping.done();
    let mut keeper = Keeper::default();
    assert_eq!(keeper.take(&rooms), from_ref(&den));
    assert!(keeper.0.contains_key(&den), "its messages would be gone");
    rooms.delete(&SERVER, &den).unwrap();
    keeper.take(&rooms);
    assert!(!keeper.0.contains_key(&den));
}

#[test]
fn what_was_not_kept_has_changed_once_more() {
    let (rooms, den) = tracked();
    let mut given = Vec::new();
    let save = |given: &mut Vec<_>| {
        rooms.save_changed(9, Duration::ZERO, &mut |it| {
            given.push(it);
            true
        })
    };
    assert_eq!((save(&mut given), save(&mut given)), (1, 0));
    rooms.lock(&SERVER, &den).unwrap();
    // It is there twice now, and is given once.
    given.clear();
    assert_eq!((save(&mut given), save(&mut given)), (1, 0));
    given.drain(..).for_each(|it| it.keeping.done());
    assert_eq!(save(&mut given), 0);
    rooms.unlock(&SERVER, &den).unwrap();
    save(&mut given);
    rooms.delete(&SERVER, &den).unwrap();
    given.clear();
    assert_eq!(save(&mut given), 0, "it is gone");
}

#[test]
fn an_id_is_free_when_nobody_holds_it() {
    let (rooms, den) = tracked();
    let (first, second) = (rooms.stay(&den).unwrap(), rooms.stay(&den).unwrap());
    let options = || RoomOptions::new("anew").id(den.clone());
    rooms.delete(&SERVER, &den).unwrap();
    drop(first);
    let taken = rooms.create(&SERVER, options()).err();
    assert_eq!(taken, Some(RoomError::Exists));
    assert_eq!(rooms.stay(&den).err(), Some(RoomError::UnknownRoom));
    assert_eq!(rooms.count(), 1, "it counts until then");
    drop(second);
    rooms.create(&SERVER, options()).unwrap();
    assert_eq!(rooms.count(), 1);
}

#[test]
fn what_changes_while_it_is_taken_is_not_lost() {
    let join = |rooms: &Rooms, den: &RoomId| drop(rooms.join(&user("bob"), den, None));
    let lock = |rooms: &Rooms, den: &RoomId| {
        rooms.lock(&SERVER, den).unwrap();
        rooms.unlock(&SERVER, den).unwrap();
    };
    racing(join, lock);
}

#[test]
fn a_room_that_is_made_while_another_of_its_id_is_deleted_is_not_lost() {
    let delete = |rooms: &Rooms, den: &RoomId| drop(rooms.delete(&SERVER, den));
    let make = |rooms: &Rooms, den: &RoomId| {
        let options = RoomOptions::new("anew").id(den.clone());
        while rooms.create(&SERVER, options.clone()).is_err() {
            thread::yield_now();
        }
    };
    racing(delete, make);
}

/// Does both with a room that has changed, while it is taken, many times.
fn racing(one: impl Fn(&Rooms, &RoomId) + Sync, other: impl Fn(&Rooms, &RoomId) + Sync) {
    const ROUNDS: usize = 2000;
    let (rooms, den) = tracked();
    let mut keeper = Keeper::default();
    for round in 0..ROUNDS {
        rooms.kick(&SERVER, &den, &user("bob"), None).ok();
        let wait = Duration::from_millis(round as u64 + 1);
        rooms.set_slow_mode(&SERVER, &den, wait).unwrap();
        let start = Barrier::new(3);
        thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                one(&rooms, &den);
            });
            scope.spawn(|| {
                start.wait();
                other(&rooms, &den);
            });
            start.wait();
            keeper.take(&rooms);
        });
        keeper.take(&rooms);
        let kept = keeper.0.get(&den);
        assert_eq!(kept, Some(&snapshot(&rooms, &den)), "round {round}");
    }
}

const SERVER: Actor = Actor::Server;

fn rooms() -> Rooms {
    Rooms::new(&Hub::new(), RoomsConfig::new().max_log(40), |_: &UserId| {
        Vec::new()
    })
}

fn tracked() -> (Rooms, RoomId) {
    let rooms = rooms();
    rooms.track_changes();
    let den = make(&rooms, "den");
    (rooms, den)
}

fn make(rooms: &Rooms, id: &str) -> RoomId {
    let options = RoomOptions::new(id).id(RoomId::parse(id).unwrap());
    let made = rooms.create(&Actor::User(user("ada")), options);
    made.unwrap().id
}

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

fn unsaved(rooms: &Rooms, room: &RoomId) -> Option<super::Snapshot> {
    let cell = rooms.cell(room).unwrap();
    let mut state = cell.state.lock();
    rooms.needed(&cell, &mut state).0
}

fn snapshot(rooms: &Rooms, room: &RoomId) -> Bytes {
    rooms.cell(room).unwrap().state.lock().room.snapshot()
}

/// The same rooms, found in the same ways.
fn is_same(one: &Rooms, other: &Rooms, after: &str) {
    use crate::layers::rooms::directory::RoomQuery;
    let all = |rooms: &Rooms| -> BTreeMap<RoomId, Bytes> {
        let shards = rooms.inner.shards.iter();
        let ids = shards.flat_map(|it| it.read().keys().cloned().collect::<Vec<_>>());
        ids.map(|id| (id.clone(), snapshot(rooms, &id))).collect()
    };
    assert_eq!(all(one), all(other), "{after}");
    assert_eq!(one.count(), other.count(), "{after}");
    for who in ["ada", "bob", "cy", "dan", "eve", "fay", "zoe"].map(user) {
        assert_eq!(one.rooms_of(&who), other.rooms_of(&who), "{after}: {who}");
        assert_eq!(one.directs(&who), other.directs(&who), "{after}: {who}");
    }
    let listed = |rooms: &Rooms| {
        let (views, _) = rooms.search(&SERVER, &RoomQuery::new(), None, 99);
        views.into_iter().map(|it| it.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(one), listed(other), "{after}");
}
