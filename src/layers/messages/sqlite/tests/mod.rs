//! Tests of the store in a file.

mod agreement;
mod changes;
mod crashes;
mod files;
mod pages;
mod plans;
mod removal;
mod searches;

use std::env;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::SqliteOptions;
use super::SqliteStore;
use crate::layers::messages::Change;
use crate::layers::messages::MessageSearch;
use crate::layers::messages::MessageStore;
use crate::layers::messages::NewMessage;
use crate::layers::messages::Page;
use crate::layers::messages::StoreError;
use crate::layers::messages::StoredMessage;
use crate::layers::messages::Written;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::message::Format;

/// A directory of its own, removed afterwards.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        // Relaxed: only that no two are the same counts.
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = env::temp_dir().join(format!("throng-sqlite-{}-{next}", process::id()));
        let _missing = fs::remove_dir_all(&dir);
        Self(dir)
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.0, SqliteOptions::default()).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.0.join("throng.db")
    }

    fn log(&self) -> PathBuf {
        self.0.join("throng.db-wal")
    }

    /// What is left on the disk when the process ends now.
    fn crash(&self) -> Self {
        let copy = Self::new();
        fs::create_dir_all(&copy.0).unwrap();
        fs::copy(self.file(), copy.file()).unwrap();
        fs::copy(self.log(), copy.log()).unwrap();
        copy
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _missing = fs::remove_dir_all(&self.0);
    }
}

fn room(name: &str) -> RoomId {
    RoomId::parse(name).unwrap()
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// A text in a room, by somebody.
fn draft(to: &str, by: &str, text: &str, at: u64) -> NewMessage {
    let mut draft = NewMessage::text(room(to), text.to_owned(), at);
    draft.user = Some(user(by));
    draft
}

fn answer(to: &str, thread: u64, by: &str, text: &str, at: u64) -> NewMessage {
    let mut draft = draft(to, by, text, at);
    draft.thread = Some(thread);
    draft
}

fn change(store: &SqliteStore, change: Change) -> Result<Written, StoreError> {
    let mut answers = store.write(vec![change]);
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

fn message(written: Result<Written, StoreError>) -> StoredMessage {
    match written {
        Ok(Written::Message(message)) => *message,
        other => panic!("{other:?}"),
    }
}

fn save(store: &SqliteStore, draft: NewMessage) -> StoredMessage {
    message(change(store, Change::Save(draft)))
}

/// So many texts in a room, at 1, 2, 3 ….
fn fill(store: &SqliteStore, to: &str, by: &str, count: u64) -> Vec<StoredMessage> {
    let drafts = (1..=count).map(|at| Change::Save(draft(to, by, &format!("text {at}"), at)));
    store
        .write(drafts.collect())
        .into_iter()
        .map(message)
        .collect()
}

fn edit(to: &str, sequence: u64, text: &str, at: u64) -> Change {
    Change::Edit {
        room: room(to),
        sequence,
        payload: Bytes::from(text.to_owned()),
        format: Format::Text,
        metadata: None,
        by: Some(user("ada")),
        at,
        max_revisions: 3,
        only_by: None,
        sent_since: None,
    }
}

fn delete(from: &str, sequence: u64, at: u64) -> Change {
    Change::Delete {
        room: room(from),
        sequence,
        by: Some(user("mod")),
        at,
        only_by: None,
    }
}

fn react(to: &str, sequence: u64, by: &str, reaction: &str) -> Change {
    Change::React {
        room: room(to),
        sequence,
        user: user(by),
        reaction: reaction.into(),
        max_reactions: 3,
    }
}

fn unreact(to: &str, sequence: u64, by: &str, reaction: &str) -> Change {
    Change::Unreact {
        room: room(to),
        sequence,
        user: user(by),
        reaction: reaction.into(),
    }
}

fn get(store: &SqliteStore, from: &str, sequence: u64) -> StoredMessage {
    store.get(&room(from), sequence).unwrap().unwrap()
}

fn sequences(page: &Page) -> Vec<u64> {
    page.messages
        .iter()
        .map(|message| message.sequence)
        .collect()
}

fn found(store: &SqliteStore, terms: &str, rooms: &[&str]) -> Vec<u64> {
    let rooms = rooms.iter().map(|name| room(name)).collect();
    let search = MessageSearch::new(terms.parse().unwrap(), rooms);
    sequences(&store.search(&search).unwrap())
}

/// Opens a directory that cannot be opened.
fn refused(dir: &Path) -> super::OpenError {
    SqliteStore::open(dir, SqliteOptions::default()).unwrap_err()
}
