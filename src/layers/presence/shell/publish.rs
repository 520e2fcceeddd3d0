//! Who is told of a change: watchers, rooms, observers.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::layers::name::PRESENCE_PREFIX;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::presence::shell::Presence;
use crate::layers::presence::shell::Shard;
use crate::layers::presence::state::Change;
use crate::layers::presence::view::StatusChange;
use crate::layers::stamp::MessageHeader;
use crate::message::Message;

/// What is called with a change.
type Observer = Arc<dyn Fn(&StatusChange) + Send + Sync>;

/// Which observer, to [take it away](Presence::unobserve).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObserverId(u64);

/// Those that are called with every change.
#[derive(Default)]
pub(super) struct Observers {
    /// How many ids were given; none is given twice.
    given: u64,
    list: Vec<(ObserverId, Observer)>,
}

/// What presence knows of rooms.
pub(super) struct Rooms {
    pub(super) of: Box<RoomsOf>,
    note: Box<Note>,
}

/// Which rooms a user is in.
type RoomsOf = dyn Fn(&UserId) -> Vec<RoomId> + Send + Sync;

/// What is called with a change for one room.
type Note = dyn Fn(&RoomId, &UserId, &str) + Send + Sync;

impl Presence {
    /// Connects presence with rooms: `of` says which rooms a user is in, and `note` is called with
    /// each change for each of them: the room, the user, and its presence as JSON. The first call
    /// counts; says whether this was it.
    ///
    /// Both are called with no lock held.
    pub fn rooms(
        &self,
        of: impl Fn(&UserId) -> Vec<RoomId> + Send + Sync + 'static,
        note: impl Fn(&RoomId, &UserId, &str) + Send + Sync + 'static,
    ) -> bool {
        let rooms = Rooms {
            of: Box::new(of),
            note: Box::new(note),
        };
        self.shared.rooms.set(rooms).is_ok()
    }

    /// Has `observer` be called with every change that others see. It must be quick: the thread
    /// that changes something calls it. One that panics is called again all the same.
    pub fn observe(&self, observer: impl Fn(&StatusChange) + Send + Sync + 'static) -> ObserverId {
        let mut observers = self.shared.observers.write();
        observers.given += 1;
        let id = ObserverId(observers.given);
        observers.list.push((id, Arc::new(observer)));
        id
    }

    /// Takes an observer away. It may be in the middle of a call.
    pub fn unobserve(&self, observer: ObserverId) {
        let mut observers = self.shared.observers.write();
        observers.list.retain(|(id, _)| *id != observer);
    }

    /// Tells what is to be told of the users in this shard, unless somebody is about it already.
    pub(super) fn tell(&self, shard: &Mutex<Shard>) {
        if !shard.lock().news.begin() {
            return;
        }
        loop {
            let change = shard.lock().news.pop();
            let Some(change) = change else {
                return;
            };
            // Whoever panics in there has been told, and the next is told all the same.
            let _told = catch_unwind(AssertUnwindSafe(|| self.publish(change)));
        }
    }

    fn publish(&self, change: Change) {
        let (from, to) = change.statuses();
        let user = change.user;
        let presence = self.shared.dates.view(user.clone(), change.now);
        let rooms = self.shared.rooms.get();
        let audience = rooms.map_or_else(Vec::new, |rooms| (rooms.of)(&user));
        let json = serde_json::to_string(&presence).unwrap_or_default();
        if let Some(rooms) = rooms {
            for room in &audience {
                (rooms.note)(room, &user, &json);
            }
        }
        let channel = channel(&user);
        let event = Message::text(json).key(format!("presence:{user}"));
        let stamp = MessageHeader::new("presence").user(user).ephemeral();
        // Of this channel there is one publication at a time, so it has no backlog to be full.
        let _published = self.shared.hub.publish(&channel, stamp.attach_to(event));
        let observers = self.shared.observers.read().list.clone();
        let change = StatusChange { from, to, presence };
        for (_, observer) in observers {
            let _called = catch_unwind(AssertUnwindSafe(|| observer(&change)));
        }
    }
}

/// The channel of the hub on which a user is watched.
pub(super) fn channel(user: &UserId) -> String {
    format!("{PRESENCE_PREFIX}{user}")
}
