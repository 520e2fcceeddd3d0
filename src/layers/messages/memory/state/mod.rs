//! All that is kept, behind one lock: plain data that is told the time.

mod change;
mod read;

use std::collections::BTreeMap;
use std::hash::Hash;
use std::ops::Range;

use ahash::HashMap;
use ahash::HashSet;

use crate::layers::messages::error::StoreError;
use crate::layers::messages::memory::kept::Kept;
use crate::layers::messages::memory::limits::MemoryLimits;
use crate::layers::messages::memory::reactions::Reactions;
use crate::layers::messages::memory::room::Author;
use crate::layers::messages::memory::room::Removed;
use crate::layers::messages::memory::room::Room;
use crate::layers::messages::record::NewMessage;
use crate::layers::messages::record::StoredMessage;
use crate::layers::messages::store::Retention;
use crate::layers::messages::store::StoreStats;
use crate::layers::messages::store::Written;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::time::millis;

#[derive(Debug)]
pub(super) struct State {
    limits: MemoryLimits,
    rooms: HashMap<RoomId, Box<Room>>,
    /// The rooms that have messages, by the ids of their oldest.
    fronts: BTreeMap<u64, RoomId>,
    /// In which rooms a user has messages.
    authors: HashMap<UserId, HashSet<RoomId>>,
    /// What a user has reacted to.
    reacted: HashMap<UserId, HashSet<(RoomId, u64)>>,
    last_id: u64,
    messages: usize,
    /// What the messages take, about.
    bytes: usize,
    /// What the rooms take besides, about.
    room_bytes: usize,
}

/// What is to be removed in a room: what came before, and all but so many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overdue {
    pub(super) before: u64,
    pub(super) most: usize,
}

impl Overdue {
    pub(super) fn of(now: u64, retention: &Retention) -> Self {
        let before = retention.max_age.map(|age| now.saturating_sub(millis(age)));
        let most = retention.max_per_room.map(usize::try_from);
        Self {
            before: before.unwrap_or(0),
            most: most.and_then(Result::ok).unwrap_or(usize::MAX),
        }
    }
}

/// What cleaning a part of the rooms has come to.
#[derive(Debug)]
pub(super) struct Swept {
    pub(super) removed: usize,
    /// Where to go on; `None` at the end.
    pub(super) next: Option<u64>,
    /// Whether more could have been removed where it stopped.
    pub(super) is_short: bool,
}

impl State {
    /// What the lists of a room take that has messages, about.
    const LISTS: usize = 512;
    /// How many rooms are looked at, at most, before the lock is let go.
    const SWEEP: usize = 256;

    pub(super) fn new(limits: MemoryLimits) -> Self {
        Self {
            limits,
            rooms: HashMap::default(),
            fronts: BTreeMap::new(),
            authors: HashMap::default(),
            reacted: HashMap::default(),
            last_id: 0,
            messages: 0,
            bytes: 0,
            room_bytes: 0,
        }
    }

    pub(super) fn last_id(&self) -> u64 {
        self.last_id
    }

    pub(super) fn stats(&self) -> StoreStats {
        StoreStats {
            messages: self.messages as u64,
            rooms: self.fronts.len() as u64,
            bytes: (self.bytes() + self.room_bytes) as u64,
        }
    }

    /// What the messages and their lists take, about.
    fn bytes(&self) -> usize {
        self.bytes + self.fronts.len() * Self::LISTS
    }

    /// Keeps a message.
    fn save(&mut self, draft: NewMessage) -> Result<Written, StoreError> {
        let room = self.rooms.get(&draft.room);
        let last = room.map_or(0, |room| room.last);
        let sequence = draft.sequence.unwrap_or(last + 1);
        if sequence <= last || sequence > NewMessage::MAX_SEQUENCE {
            return Err(StoreError::Sequence);
        }
        let thread = draft.thread.map(|number| {
            let thread = room.and_then(|room| thread_of(room, number));
            thread.ok_or(StoreError::UnknownThread)
        });
        let thread = thread.transpose()?;
        self.limits.admit(Kept::bytes_of(&draft) + Self::LISTS)?;
        let stored = self.keep(draft, sequence, thread);
        Ok(Written::Message(Box::new(stored)))
    }

    fn keep(&mut self, draft: NewMessage, sequence: u64, thread: Option<u64>) -> StoredMessage {
        let (name, user, at) = (draft.room.clone(), draft.user.clone(), draft.at);
        let message = Kept::new(draft, thread);
        self.last_id += 1;
        self.messages += 1;
        self.bytes += message.bytes;
        let room = room_mut(&mut self.rooms, &mut self.room_bytes, &name);
        let at = at.max(room.last_at());
        if let Some(root) = thread.and_then(|number| room.get_mut(number)) {
            root.replies.count += 1;
            root.replies.last_at = at;
        }
        if let Some(user) = user.filter(|user| !room.has_user(user)) {
            self.authors.entry(user).or_default().insert(name.clone());
        }
        if room.len() == 0 {
            self.fronts.insert(self.last_id, name.clone());
        }
        room.push(&name, self.last_id, sequence, at, message)
    }

    /// Removes the oldest messages until the limits hold.
    fn evict(&mut self) {
        let limits = self.limits;
        while self.messages > limits.max_messages.max(1) || self.bytes() > limits.max_bytes {
            let Some((&id, name)) = self.fronts.first_key_value() else {
                return;
            };
            let name = name.clone();
            self.remove(&name, id);
        }
    }

    /// Removes a message from everywhere.
    fn remove(&mut self, name: &RoomId, id: u64) -> Option<Box<Kept>> {
        let room = self.rooms.get_mut(name)?;
        let front = room.front();
        let Removed {
            sequence,
            message,
            author,
        } = room.remove(id)?;
        if let Some((before, _)) = front.filter(|before| room.front() != Some(*before)) {
            self.fronts.remove(&before);
            if let Some((after, _)) = room.front() {
                self.fronts.insert(after, name.clone());
            }
        }
        self.messages -= 1;
        self.bytes -= message.bytes;
        if let Some(user) = message.user.as_ref().filter(|_| author == Author::Gone) {
            leave(&mut self.authors, user, name);
        }
        self.forget_reactions(name, sequence, &message.reactions);
        Some(message)
    }

    fn forget_reactions(&mut self, name: &RoomId, sequence: u64, reactions: &Reactions) {
        let mut users = reactions.users().peekable();
        if users.peek().is_some() {
            let place = (name.clone(), sequence);
            users.for_each(|user| leave(&mut self.reacted, user, &place));
        }
    }

    /// Removes what is overdue, at most `budget`, in the next of the rooms whose oldest are among
    /// these.
    pub(super) fn sweep(&mut self, among: Range<u64>, overdue: Overdue, budget: usize) -> Swept {
        let rooms = self.fronts.range(among).take(Self::SWEEP);
        let rooms: Vec<_> = rooms.map(|(id, name)| (*id, name.clone())).collect();
        let mut removed = 0;
        for (id, name) in &rooms {
            while let Some(oldest) = self.overdue(name, overdue) {
                if removed == budget {
                    return Swept {
                        removed,
                        next: Some(*id),
                        is_short: true,
                    };
                }
                self.remove(name, oldest);
                removed += 1;
            }
        }
        let last = rooms.last().filter(|_| rooms.len() == Self::SWEEP);
        Swept {
            removed,
            next: last.map(|(id, _)| id + 1),
            is_short: false,
        }
    }

    /// The oldest message of a room, if it is to be removed.
    fn overdue(&self, name: &RoomId, overdue: Overdue) -> Option<u64> {
        let room = self.rooms.get(name)?;
        let (id, at) = room.front()?;
        (at < overdue.before || room.len() > overdue.most).then_some(id)
    }
}

/// The thread that an answer to this message belongs to, if it may be answered.
fn thread_of(room: &Room, number: u64) -> Option<u64> {
    let answerable = |number| {
        let (_, message) = room.get(number)?;
        message.deleted.is_none().then_some(message)
    };
    match answerable(number)?.thread {
        Some(root) => answerable(root).map(|_| root),
        None => Some(number),
    }
}

/// The room, made if it is not there.
fn room_mut<'a>(
    rooms: &'a mut HashMap<RoomId, Box<Room>>,
    bytes: &mut usize,
    id: &RoomId,
) -> &'a mut Room {
    rooms.entry(id.clone()).or_insert_with(|| {
        let room = Box::<Room>::default();
        *bytes += room.bytes(id);
        room
    })
}

/// Takes one of the places of a user.
fn leave<P: Eq + Hash>(places: &mut HashMap<UserId, HashSet<P>>, user: &UserId, place: &P) {
    if let Some(of_user) = places.get_mut(user) {
        of_user.remove(place);
        if of_user.is_empty() {
            places.remove(user);
        }
    }
}

#[cfg(test)]
mod tests;
