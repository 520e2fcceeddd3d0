//! Any changes to a store in memory, and the same to a dull list of messages: both have the same
//! after each of them, whole and in pages, and what the store counts is what there is.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::arbitrary;
use libfuzzer_sys::fuzz_target;
use throng::Format;
use throng::RoomId;
use throng::UserId;
use throng::messages::Change;
use throng::messages::Cursor;
use throng::messages::MemoryLimits;
use throng::messages::MemoryStore;
use throng::messages::MessageQuery;
use throng::messages::MessageStore;
use throng::messages::NewMessage;
use throng::messages::Order;
use throng::messages::Retention;
use throng::messages::Written;

#[derive(Debug, arbitrary::Arbitrary)]
struct Story {
    /// How many messages are kept; none for all.
    most: Option<u8>,
    steps: Vec<(Step, Ask)>,
}

#[derive(Debug, arbitrary::Arbitrary)]
enum Step {
    Clean(u8),
    /// Only if it is by this user.
    Delete(Place, Option<Who>),
    /// And only if it was sent no longer ago than that.
    Edit(Place, u8, Option<Who>, Option<u8>),
    Forget(Who),
    ForgetRoom(Room),
    React(Place, Who, bool),
    Save(Room, Option<Who>, Option<u8>, u8),
    Unreact(Place, Who, bool),
}

/// A message: which room, and how far from its last one.
#[derive(Clone, Copy, Debug, arbitrary::Arbitrary)]
struct Place(Room, u8);

#[derive(Clone, Copy, Debug, arbitrary::Arbitrary, PartialEq)]
enum Room {
    A,
    B,
}

#[derive(Clone, Copy, Debug, arbitrary::Arbitrary, PartialEq)]
enum Who {
    Ada,
    Bob,
    Eve,
}

/// A page that is asked for.
#[derive(Clone, Copy, Debug, arbitrary::Arbitrary)]
struct Ask {
    room: Room,
    oldest_first: bool,
    limit: u8,
    by: Option<Who>,
    cursor: Option<(bool, u8)>,
}

/// A message, as it should be.
#[derive(Debug)]
struct Row {
    id: u64,
    room: Room,
    sequence: u64,
    at: u64,
    user: Option<Who>,
    thread: Option<u64>,
    /// What it has said, what it says last.
    said: Vec<u8>,
    is_deleted: bool,
    reactions: Vec<(bool, Who)>,
}

#[derive(Default)]
struct Dull {
    rows: Vec<Row>,
    last: [u64; 2],
}

fuzz_target!(|story: Story| run(&story));

fn run(story: &Story) {
    let limits = MemoryLimits::new();
    let most = story.most.map(|most| usize::from(most).max(1));
    let limits = most.map_or(limits, |most| limits.max_messages(most));
    let store = MemoryStore::new(limits);
    let mut dull = Dull::default();
    for (now, (step, ask)) in (1..).zip(story.steps.iter().take(200)) {
        dull.step(&store, step, now);
        let over = dull.rows.len().saturating_sub(most.unwrap_or(usize::MAX));
        dull.rows.drain(..over);
        dull.compare(&store);
        dull.compare_page(&store, *ask);
    }
}

impl Room {
    fn id(self) -> RoomId {
        let id = if self == Self::A { "a" } else { "b" };
        RoomId::parse(id).expect("an id")
    }
}

impl Who {
    fn id(self) -> UserId {
        let id = match self {
            Self::Ada => "ada",
            Self::Bob => "bob",
            Self::Eve => "eve",
        };
        UserId::parse(id).expect("an id")
    }
}

fn write(store: &MemoryStore, change: Change) -> Option<Written> {
    let mut answers = store.write(vec![change]);
    assert_eq!(answers.len(), 1, "one answer to one change");
    answers.remove(0).ok()
}

fn text(said: u8) -> String {
    format!("said {said}")
}

fn reaction(which: bool) -> Box<str> {
    if which { "+".into() } else { "-".into() }
}

/// What is done.
impl Dull {
    fn step(&mut self, store: &MemoryStore, step: &Step, now: u64) {
        match *step {
            Step::Save(room, user, back, said) => self.save(store, room, user, back, said, now),
            Step::Edit(place, said, by, ago) => self.edit(store, place, said, by, ago, now),
            Step::Delete(place, by) => self.delete(store, place, by, now),
            Step::React(place, user, which) => self.react(store, place, user, which, true),
            Step::Unreact(place, user, which) => self.react(store, place, user, which, false),
            Step::Forget(user) => {
                let removed = write(store, Change::ForgetUser(user.id()));
                let before = self.rows.len();
                self.rows.retain(|row| row.user != Some(user));
                for row in &mut self.rows {
                    row.reactions.retain(|(_, whose)| *whose != user);
                }
                let count = (before - self.rows.len()) as u64;
                assert_eq!(removed, Some(Written::Removed(count)));
            }
            Step::ForgetRoom(room) => {
                let (id, snapshot) = (room.id(), None);
                write(store, Change::Room { room: id, snapshot }).expect("it is forgotten");
                self.rows.retain(|row| row.room != room);
                self.last[room as usize] = 0;
            }
            Step::Clean(most) => {
                let most = u64::from(most % 16);
                let retention = Retention::new()
                    .max_age(Some(Duration::from_secs(3600)))
                    .max_per_room(Some(most));
                let cleaned = store.clean(now, &retention, usize::MAX).expect("cleaned");
                let before = self.rows.len();
                for room in [Room::A, Room::B] {
                    let count = self.rows.iter().filter(|row| row.room == room).count() as u64;
                    let mut over = count.saturating_sub(most);
                    self.rows.retain(|row| {
                        let goes = row.room == room && over > 0;
                        over -= u64::from(goes);
                        !goes
                    });
                }
                assert_eq!(cleaned.messages, (before - self.rows.len()) as u64);
            }
        }
    }

    fn save(
        &mut self,
        store: &MemoryStore,
        room: Room,
        user: Option<Who>,
        back: Option<u8>,
        said: u8,
        now: u64,
    ) {
        let mut draft = NewMessage::text(room.id(), text(said), now);
        draft.user = user.map(Who::id);
        draft.thread = back.map(|back| self.number(Place(room, back)));
        let of = draft.thread.map(|thread| self.thread(room, thread));
        let saved = write(store, Change::Save(draft));
        let Some(thread) = of.map_or(Some(None), |of| of.map(Some)) else {
            assert_eq!(saved, None, "there is no such thread");
            return;
        };
        let Some(Written::Message(saved)) = saved else {
            panic!("not saved: {saved:?}");
        };
        self.last[room as usize] += 1;
        let before = self.rows.last().map_or(0, |row| row.id);
        assert!(saved.id > before, "ids grow");
        self.rows.push(Row {
            id: saved.id,
            room,
            sequence: self.last[room as usize],
            at: now,
            user,
            thread,
            said: vec![said],
            is_deleted: false,
            reactions: Vec::new(),
        });
    }

    /// The first message of the thread of this one, where that may still be answered.
    fn thread(&self, room: Room, sequence: u64) -> Option<u64> {
        let mut rows = self.rows.iter();
        let row = rows.find(|row| row.room == room && row.sequence == sequence)?;
        match (row.is_deleted, row.thread) {
            (true, _) => None,
            (false, Some(root)) => self.thread(room, root),
            (false, None) => Some(sequence),
        }
    }

    fn number(&self, Place(room, back): Place) -> u64 {
        self.last[room as usize].saturating_sub(u64::from(back % 16))
    }

    fn at(&mut self, place: Place) -> Option<&mut Row> {
        let sequence = self.number(place);
        let mut rows = self.rows.iter_mut();
        rows.find(|row| row.room == place.0 && row.sequence == sequence)
    }
}

const MOST_EDITIONS: usize = 3;
const MOST_REACTIONS: usize = 1;

/// What is done to a message.
impl Dull {
    fn edit(
        &mut self,
        store: &MemoryStore,
        place: Place,
        said: u8,
        by: Option<Who>,
        ago: Option<u8>,
        now: u64,
    ) {
        let since = ago.map(|ago| now.saturating_sub(u64::from(ago)));
        let edited = write(
            store,
            Change::Edit {
                room: place.0.id(),
                sequence: self.number(place),
                payload: text(said).into(),
                format: Format::Text,
                metadata: None,
                by: None,
                at: now,
                max_revisions: MOST_EDITIONS,
                only_by: by.map(Who::id),
                sent_since: since,
            },
        );
        let row = self.at(place);
        let row = row.filter(|row| !row.is_deleted && row.said.len() <= MOST_EDITIONS);
        let row = row.filter(|row| by.is_none_or(|by| row.user == Some(by)));
        let row = row.filter(|row| since.is_none_or(|since| row.at >= since));
        assert_eq!(edited.is_some(), row.is_some());
        if let Some(row) = row {
            row.said.push(said);
        }
    }

    fn delete(&mut self, store: &MemoryStore, place: Place, only_by: Option<Who>, at: u64) {
        let (room, sequence) = (place.0.id(), self.number(place));
        let deleted = write(
            store,
            Change::Delete {
                room,
                sequence,
                by: None,
                at,
                only_by: only_by.map(Who::id),
            },
        );
        let row = self.at(place);
        let row = row.filter(|row| only_by.is_none_or(|by| row.user == Some(by)));
        match (row, deleted) {
            (None, None) => {}
            (Some(row), Some(written)) => {
                assert_eq!(written == Written::Nothing, row.is_deleted);
                row.is_deleted = true;
            }
            (row, written) => panic!("{written:?} of {row:?}"),
        }
    }

    fn react(&mut self, store: &MemoryStore, place: Place, who: Who, which: bool, adds: bool) {
        let (room, sequence, user) = (place.0.id(), self.number(place), who.id());
        let reaction = reaction(which);
        let max_reactions = MOST_REACTIONS;
        let written = write(
            store,
            if adds {
                Change::React {
                    room,
                    sequence,
                    user,
                    reaction,
                    max_reactions,
                }
            } else {
                Change::Unreact {
                    room,
                    sequence,
                    user,
                    reaction,
                }
            },
        );
        let Some(row) = self.at(place) else {
            assert_eq!(written, None);
            return;
        };
        let had = row.reactions.contains(&(which, who));
        let other = row.reactions.iter().any(|(it, _)| *it != which);
        let first = !row.reactions.iter().any(|(it, _)| *it == which);
        if adds && (row.is_deleted || (other && first)) {
            assert_eq!(written, None, "{row:?}");
            return;
        }
        if had == adds {
            assert_eq!(written, Some(Written::Nothing), "{row:?}");
            return;
        }
        if adds {
            row.reactions.push((which, who));
        } else {
            row.reactions.retain(|it| *it != (which, who));
        }
        let count = row.reactions.iter().filter(|it| it.0 == which).count() as u64;
        assert_eq!(written, Some(Written::Reaction(count)), "{row:?}");
    }
}

/// What is there.
impl Dull {
    fn compare(&self, store: &MemoryStore) {
        let stats = store.stats().expect("stats");
        assert_eq!(stats.messages, self.rows.len() as u64);
        for room in [Room::A, Room::B] {
            let last = store.last_sequence(&room.id());
            assert_eq!(last, Ok(self.last[room as usize]));
        }
        for row in &self.rows {
            let room = row.room.id();
            let kept = store.get(&room, row.sequence).expect("it answers");
            let kept = kept.unwrap_or_else(|| panic!("lost: {row:?}"));
            let is = (
                kept.id,
                kept.thread,
                kept.user.clone(),
                kept.deleted.is_some(),
            );
            let user = row.user.map(Who::id);
            assert_eq!(is, (row.id, row.thread, user, row.is_deleted));
            let revisions = store
                .revisions(&room, row.sequence, usize::MAX)
                .expect("revisions");
            let said = revisions
                .iter()
                .map(|it| &it.payload)
                .chain([&kept.payload]);
            let said: Vec<_> = said.map(|it| String::from_utf8_lossy(it)).collect();
            let expected: Vec<_> = row.said.iter().map(|said| text(*said)).collect();
            assert_eq!(said, expected);
            for which in [true, false] {
                let users = store.reactors(&room, row.sequence, &reaction(which), None, 9);
                let expected = row.reactions.iter().filter(|it| it.0 == which);
                assert_eq!(users, Ok(expected.map(|it| it.1.id()).collect()));
            }
            let answers = self.rows.iter().filter(|it| {
                it.room == row.room && it.thread == Some(row.sequence) && !it.is_deleted
            });
            assert_eq!(kept.replies.count, answers.count() as u64);
        }
    }

    fn compare_page(&self, store: &MemoryStore, ask: Ask) {
        let mut query = MessageQuery::room(ask.room.id());
        query.limit = usize::from(ask.limit);
        query.user = ask.by.map(Who::id);
        if ask.oldest_first {
            query.order = Order::OldestFirst;
        }
        let near = |at: u8| {
            let base = self.rows.first().map_or(0, |row| row.id);
            (base + u64::from(at % 32)).saturating_sub(1)
        };
        query.cursor = ask.cursor.map(|(newer, at)| match newer {
            true => Cursor::Newer(near(at)),
            false => Cursor::Older(near(at)),
        });
        let page = store.page(&query).expect("a page");
        let of_it = self
            .rows
            .iter()
            .filter(|row| row.room == ask.room && ask.by.is_none_or(|by| row.user == Some(by)));
        let mut ids: Vec<u64> = of_it.map(|row| row.id).collect();
        let limit = query.limit.clamp(1, MessageQuery::MAX_LIMIT);
        let from_the_old = match query.cursor {
            Some(Cursor::Newer(id)) => {
                ids.retain(|it| *it > id);
                true
            }
            Some(Cursor::Older(id)) => {
                ids.retain(|it| *it < id);
                false
            }
            None => ask.oldest_first,
        };
        if from_the_old {
            ids.truncate(limit);
        } else {
            ids.drain(..ids.len().saturating_sub(limit));
        }
        if !ask.oldest_first {
            ids.reverse();
        }
        let given: Vec<_> = page.messages.iter().map(|it| it.id).collect();
        assert_eq!(given, ids, "{query:?}");
    }
}
