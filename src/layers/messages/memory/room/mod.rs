//! The messages of one room, and the ways to find them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::collections::vec_deque;
use std::ops::Range;

use ahash::HashMap;
use bytes::Bytes;

use crate::layers::messages::memory::kept::Kept;
use crate::layers::messages::record::StoredMessage;
use crate::layers::messages::walk::Way;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;

/// The messages of one room.
///
/// ```text
///  line     1 2 3 _ 5 6 _ 8 9    by id, number and time at once; `_` is a hole
///  roots    1   3   5     8      ids, those that begin a thread or belong to none
///  users    ada: 1 3   bob: 2 5  ids, of each user
///  threads  1: 2 6               ids, of each thread's answers
/// ```
///
/// Messages come at the end of all lists. Most go at their beginning; where one goes from the
/// middle it leaves a hole in the line.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) snapshot: Option<Bytes>,
    /// The greatest number ever given.
    pub(super) last: u64,
    /// Invariants: neither end is a hole; ids and numbers grow, times do not fall.
    line: VecDeque<Slot>,
    /// How many of the line are holes; no more than half of them, or one.
    holes: usize,
    roots: BTreeSet<u64>,
    /// Invariant: none is empty, and so with the threads.
    users: HashMap<UserId, VecDeque<u64>>,
    threads: HashMap<u64, BTreeSet<u64>>,
    /// The numbers in the line that are never unread, with their authors: those that were deleted,
    /// and holes, which have none.
    silent: BTreeMap<u64, Option<UserId>>,
}

/// A place in the line.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: u64,
    pub(super) sequence: u64,
    pub(super) at: u64,
    message: Option<Box<Kept>>,
}

/// Which of a room's lists.
#[derive(Clone, Copy, Debug)]
pub(super) enum List<'a> {
    All,
    Roots,
    Thread(u64),
    User(&'a UserId),
}

/// Whether a user still has messages in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    Gone,
    Stays,
}

/// What has been removed, and whether its author is still there.
pub(super) struct Removed {
    pub(super) sequence: u64,
    pub(super) message: Box<Kept>,
    pub(super) author: Author,
}

impl Room {
    /// Appends a message. Its id and number must be greater than all before it.
    pub(super) fn push(
        &mut self,
        name: &RoomId,
        id: u64,
        sequence: u64,
        at: u64,
        message: Kept,
    ) -> StoredMessage {
        match message.thread {
            None => drop(self.roots.insert(id)),
            Some(thread) => drop(self.threads.entry(thread).or_default().insert(id)),
        }
        if let Some(user) = message.user.clone() {
            self.users.entry(user).or_default().push_back(id);
        }
        self.last = sequence;
        let mut slot = Slot {
            id,
            sequence,
            at,
            message: None,
        };
        let stored = slot.stored(name, &message);
        slot.message = Some(Box::new(message));
        self.line.push_back(slot);
        stored
    }

    /// Removes a message from all lists.
    pub(super) fn remove(&mut self, id: u64) -> Option<Removed> {
        let place = self.line.binary_search_by_key(&id, |slot| slot.id).ok()?;
        let slot = &mut self.line[place];
        let (sequence, message) = (slot.sequence, slot.message.take()?);
        self.holes += 1;
        self.silent.insert(sequence, None);
        match message.thread {
            None => drop(self.roots.remove(&id)),
            Some(thread) => self.leave_thread(thread, id),
        }
        let author = match &message.user {
            None => Author::Stays,
            Some(user) => self.leave_user(user, id),
        };
        self.close_holes();
        Some(Removed {
            sequence,
            message,
            author,
        })
    }

    /// Gives the ids of all messages of a user, who is then in no list of its own any more; they
    /// are to be removed.
    pub(super) fn take_user(&mut self, user: &UserId) -> VecDeque<u64> {
        self.users.remove(user).unwrap_or_default()
    }

    fn leave_thread(&mut self, thread: u64, id: u64) {
        if let Some(answers) = self.threads.get_mut(&thread) {
            answers.remove(&id);
            if answers.is_empty() {
                self.threads.remove(&thread);
            }
        }
    }

    fn leave_user(&mut self, user: &UserId, id: u64) -> Author {
        let Some(ids) = self.users.get_mut(user) else {
            return Author::Gone;
        };
        if let Ok(place) = ids.binary_search(&id) {
            ids.remove(place);
        }
        if !ids.is_empty() {
            return Author::Stays;
        }
        self.users.remove(user);
        Author::Gone
    }

    /// Closes the holes at the ends; and all when they are more than the rest, which pays for it.
    fn close_holes(&mut self) {
        while let Some(slot) = self.line.pop_front() {
            if slot.message.is_some() {
                self.line.push_front(slot);
                break;
            }
            self.holes -= 1;
            self.silent.remove(&slot.sequence);
        }
        while let Some(slot) = self.line.pop_back() {
            if slot.message.is_some() {
                self.line.push_back(slot);
                break;
            }
            self.holes -= 1;
            self.silent.remove(&slot.sequence);
        }
        if self.holes > self.line.len() / 2 {
            let silent = &mut self.silent;
            self.line.retain(|slot| {
                let is_kept = slot.message.is_some();
                if !is_kept {
                    silent.remove(&slot.sequence);
                }
                is_kept
            });
            self.holes = 0;
        }
        self.shrink();
    }

    /// A room that was once large keeps nothing of that.
    fn shrink(&mut self) {
        if self.line.len() < self.line.capacity() / 4 {
            self.line.shrink_to(self.line.len() * 2);
        }
        if self.line.is_empty() {
            self.users = HashMap::default();
            self.threads = HashMap::default();
        }
    }

    /// Marks a message as never unread.
    pub(super) fn silence(&mut self, sequence: u64, author: Option<UserId>) {
        self.silent.insert(sequence, author);
    }
}

/// What is found.
impl Room {
    /// What it takes besides its messages, about.
    pub(super) fn bytes(&self, name: &RoomId) -> usize {
        size_of::<Self>() + 64 + name.len() + self.snapshot.as_ref().map_or(0, |it| it.len())
    }

    /// How many messages there are.
    pub(super) fn len(&self) -> usize {
        self.line.len() - self.holes
    }

    /// The oldest message: its id and its time.
    pub(super) fn front(&self) -> Option<(u64, u64)> {
        self.line.front().map(|slot| (slot.id, slot.at))
    }

    /// When the newest message came.
    pub(super) fn last_at(&self) -> u64 {
        self.line.back().map_or(0, |slot| slot.at)
    }

    pub(super) fn users(&self) -> impl Iterator<Item = &UserId> {
        self.users.keys()
    }

    pub(super) fn has_user(&self, user: &UserId) -> bool {
        self.users.contains_key(user)
    }

    /// All messages, with their numbers.
    pub(super) fn messages(&self) -> impl Iterator<Item = (u64, &Kept)> {
        let messages = self.line.iter();
        messages.filter_map(|slot| Some((slot.sequence, slot.message.as_deref()?)))
    }

    /// The message with a number.
    pub(super) fn get(&self, sequence: u64) -> Option<(&Slot, &Kept)> {
        let place = self.line.binary_search_by_key(&sequence, |it| it.sequence);
        let slot = &self.line[place.ok()?];
        Some((slot, slot.message.as_deref()?))
    }

    /// The message with a number, to be changed.
    pub(super) fn get_mut(&mut self, sequence: u64) -> Option<&mut Kept> {
        let place = self.line.binary_search_by_key(&sequence, |it| it.sequence);
        self.line[place.ok()?].message.as_deref_mut()
    }

    /// The message with an id.
    pub(super) fn find(&self, id: u64) -> Option<(&Slot, &Kept)> {
        let place = self.line.binary_search_by_key(&id, |slot| slot.id).ok()?;
        let slot = &self.line[place];
        Some((slot, slot.message.as_deref()?))
    }

    /// What there is to read for a user after a number: a difference of positions, less those that
    /// are never unread, which are gone through.
    pub(super) fn unread(&self, user: &UserId, after: u64) -> u64 {
        let start = self.line.partition_point(|slot| slot.sequence <= after);
        let Some(first) = self.line.get(start) else {
            return 0;
        };
        let own = self.users.get(user).map_or(0, |ids| {
            ids.len() - ids.partition_point(|id| *id < first.id)
        });
        let silent = self.silent.range(first.sequence..);
        let silent = silent.filter(|(_, author)| author.as_ref() != Some(user));
        (self.line.len() - start - own - silent.count()) as u64
    }

    /// Those of the ids that are of messages between two times.
    pub(super) fn between(
        &self,
        ids: Range<u64>,
        from: Option<u64>,
        until: Option<u64>,
    ) -> Range<u64> {
        let Range { mut start, mut end } = ids;
        if let Some(from) = from {
            let first = self.line.partition_point(|slot| slot.at < from);
            start = start.max(self.line.get(first).map_or(end, |slot| slot.id));
        }
        if let Some(until) = until {
            let beyond = self.line.partition_point(|slot| slot.at <= until);
            end = end.min(self.line.get(beyond).map_or(end, |slot| slot.id));
        }
        start..end
    }

    /// The ids of a list that are among these, in the order of the way.
    pub(super) fn ids<'a>(&'a self, list: List<'_>, among: Range<u64>, way: Way) -> Ids<'a> {
        if among.is_empty() {
            return Box::new([].into_iter());
        }
        match list {
            List::All => {
                let slots = part(&self.line, &among, |slot| slot.id);
                directed(slots.map(|slot| slot.id), way)
            }
            List::Roots => directed(self.roots.range(among).copied(), way),
            List::Thread(thread) => {
                let answers = self.threads.get(&thread);
                let answers = answers
                    .into_iter()
                    .flat_map(move |it| it.range(among.clone()));
                directed(answers.copied(), way)
            }
            List::User(user) => {
                let of_user = self.users.get(user).into_iter();
                let of_user = of_user.flat_map(move |it| part(it, &among, |id| *id));
                directed(of_user.copied(), way)
            }
        }
    }
}

/// Ids, of which some may be of holes.
pub(super) type Ids<'a> = Box<dyn Iterator<Item = u64> + 'a>;

/// Those of a sorted list whose ids are among these.
fn part<'a, T>(
    list: &'a VecDeque<T>,
    among: &Range<u64>,
    id: impl Fn(&T) -> u64,
) -> vec_deque::Iter<'a, T> {
    let start = list.partition_point(|it| id(it) < among.start);
    let end = list.partition_point(|it| id(it) < among.end);
    list.range(start..end)
}

fn directed<'a>(ids: impl DoubleEndedIterator<Item = u64> + 'a, way: Way) -> Ids<'a> {
    match way {
        Way::Newer => Box::new(ids),
        Way::Older => Box::new(ids.rev()),
    }
}

impl Slot {
    /// The message as it is given.
    pub(super) fn stored(&self, room: &RoomId, message: &Kept) -> StoredMessage {
        StoredMessage {
            id: self.id,
            room: room.clone(),
            sequence: self.sequence,
            user: message.user.clone(),
            thread: message.thread,
            payload: message.payload.clone(),
            format: message.format,
            event: message.event.clone(),
            metadata: message.metadata.clone(),
            at: self.at,
            edited_at: message.edited_at,
            edits: message.edits,
            deleted: message.deleted.clone(),
            replies: message.replies,
            reactions: message.reactions.counts(),
        }
    }
}

#[cfg(test)]
mod tests;
