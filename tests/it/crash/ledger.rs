//! What was asked for, what of it was acknowledged, and whether a store has it.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;

use serde_json::Value;
use serde_json::json;
use throng::RoomId;
use throng::messages::Cursor;
use throng::messages::MessageQuery;
use throng::messages::MessageSearch;
use throng::messages::MessageStore;
use throng::messages::Order;
use throng::messages::StoredMessage;

use super::client::Asks;

/// How far something got.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Step {
    #[default]
    Not,
    Asked,
    Done,
}

/// A message that was sent, and what was done to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    user: String,
    text: String,
    /// Where it was acknowledged.
    id: Option<u64>,
    edit: Step,
    react: Step,
    delete: Step,
}

/// Everything that was asked for in a room.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) entries: Vec<Entry>,
}

/// Sends, and changes what was sent, until the server is gone. Each acknowledgement is told.
pub(super) fn write(
    mut client: Box<dyn Asks>,
    user: &str,
    (room, round): (&str, usize),
    acknowledged: &Sender<()>,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for number in 0_usize.. {
        let padding = "x".repeat(number * 997 % 9000);
        let mut entry = Entry {
            user: user.to_owned(),
            text: format!("{user}r{round}n{number} {padding}"),
            ..Entry::default()
        };
        let lives_on = entry.live(&mut *client, room, number, acknowledged);
        entries.push(entry);
        if lives_on.is_none() {
            break;
        }
    }
    entries
}

impl Entry {
    /// `None` when the server is gone.
    fn live(
        &mut self,
        client: &mut dyn Asks,
        room: &str,
        number: usize,
        acknowledged: &Sender<()>,
    ) -> Option<()> {
        let mut ask = |step: &mut Step, mut command: Value| {
            *step = Step::Asked;
            command["room_id"] = json!(room);
            let answer = client.ask(&command)?;
            *step = Step::Done;
            // Nobody counts any more once the server is to be killed.
            acknowledged.send(()).ok();
            Some(answer.unwrap_or_else(|code| panic!("{command} was refused: {code}")))
        };
        let metadata = json!({ "of": self.text.len() });
        let send = json!({"type": "room.send", "text": self.text, "metadata": metadata});
        let sent = ask(&mut Step::Not, send)?;
        self.id = Some(sent["message_id"].as_str().unwrap().parse().unwrap());
        let of = |kind: &str| json!({"type": kind, "message_id": sent["message_id"]});
        if number.is_multiple_of(2) {
            let mut react = of("message.react");
            react["reaction"] = json!("+");
            ask(&mut self.react, react)?;
        }
        if number.is_multiple_of(3) {
            let mut edit = of("message.edit");
            edit["text"] = json!(self.edited());
            ask(&mut self.edit, edit)?;
        }
        if number.is_multiple_of(5) {
            ask(&mut self.delete, of("message.delete"))?;
        }
        Some(())
    }

    fn edited(&self) -> String {
        format!("edited {}", self.text)
    }

    /// Holds what is kept of it against what was acknowledged.
    fn check(&self, store: &dyn MessageStore, kept: &StoredMessage) {
        let told = format!("{self:?}\nis kept as\n{kept:?}");
        let is = |step: Step, is: bool| match step {
            Step::Not => !is,
            Step::Asked => true,
            Step::Done => is,
        };
        assert!(self.id.is_none_or(|id| id == kept.sequence), "{told}");
        assert_eq!(kept.user.as_deref(), Some(&*self.user), "{told}");
        let of = kept.metadata.as_ref().and_then(|it| it.get("of").cloned());
        assert_eq!(of, Some(json!(self.text.len())), "{told}");
        let revisions = store
            .revisions(&kept.room, kept.sequence, usize::MAX)
            .unwrap();
        let before: Vec<_> = revisions.iter().map(|it| it.payload.clone()).collect();
        let was_edited = kept.edits > 0;
        assert!(is(self.edit, was_edited), "{told}");
        if was_edited {
            assert_eq!((kept.edits, &*before), (1, &[self.text.clone().into()][..]));
            assert_eq!(kept.payload, self.edited(), "{told}");
            assert!(kept.edited_at.is_some(), "{told}");
        } else {
            assert_eq!(
                (kept.payload.as_ref(), before.len()),
                (self.text.as_bytes(), 0)
            );
        }
        let reactions: Vec<_> = kept
            .reactions
            .iter()
            .map(|it| (&*it.reaction, it.count))
            .collect();
        assert!(is(self.react, !reactions.is_empty()), "{told}");
        assert!(reactions.is_empty() || reactions == [("+", 1)], "{told}");
        let users = store
            .reactors(&kept.room, kept.sequence, "+", None, 9)
            .unwrap();
        assert_eq!(users.len(), reactions.len(), "{told}");
        assert!(is(self.delete, kept.deleted.is_some()), "{told}");
        let word = self.text.split(' ').next().unwrap();
        let found = search(store, &kept.room, word);
        let expected: &[u64] = if kept.deleted.is_some() {
            &[]
        } else {
            &[kept.sequence]
        };
        assert_eq!(found, expected, "{told}");
    }
}

impl Ledger {
    /// The greatest number that was acknowledged.
    pub(super) fn last(&self) -> u64 {
        self.entries
            .iter()
            .filter_map(|it| it.id)
            .max()
            .unwrap_or(0)
    }

    /// The least number that was acknowledged.
    pub(super) fn first(&self) -> Option<u64> {
        self.entries.iter().filter_map(|it| it.id).min()
    }

    /// How many messages were acknowledged.
    pub(super) fn acknowledged(&self) -> usize {
        self.entries.iter().filter(|it| it.id.is_some()).count()
    }

    /// Holds what a store has against what was acknowledged: all of that is there, once; what was
    /// not is there whole or not at all; and there is nothing else.
    pub(super) fn check(&self, store: &dyn MessageStore, room: &RoomId) {
        let mut kept = BTreeMap::new();
        for message in all(store, room) {
            let again = kept.insert(said_at_first(store, &message), message);
            assert!(again.is_none(), "kept twice: {again:?}");
        }
        for entry in &self.entries {
            match kept.remove(&entry.text) {
                Some(message) => entry.check(store, &message),
                None => assert_eq!(entry.id, None, "acknowledged and lost: {entry:?}"),
            }
        }
        assert!(kept.is_empty(), "nobody sent {kept:?}");
        let last = store.last_sequence(room).unwrap();
        assert!(self.last() <= last, "{last} was given out already");
    }

    /// That what a store has is some of what was asked for, each message of it whole.
    pub(super) fn check_some(&self, store: &dyn MessageStore, room: &RoomId) -> usize {
        let all = all(store, room);
        for message in &all {
            let said = said_at_first(store, message);
            let known = self.entries.iter().any(|entry| entry.text == said);
            assert!(known, "nobody sent {message:?}");
        }
        all.len()
    }
}

fn said_at_first(store: &dyn MessageStore, message: &StoredMessage) -> String {
    let revisions = store
        .revisions(&message.room, message.sequence, usize::MAX)
        .unwrap();
    let first = revisions.first().map_or(&message.payload, |it| &it.payload);
    String::from_utf8(first.to_vec()).unwrap()
}

/// All messages of a room, the oldest first, in growing order.
pub(super) fn all(store: &dyn MessageStore, room: &RoomId) -> Vec<StoredMessage> {
    let mut query = MessageQuery::room(room.clone());
    query.order = Order::OldestFirst;
    query.limit = 50;
    let mut all: Vec<StoredMessage> = Vec::new();
    loop {
        let page = store.page(&query).unwrap();
        let next = page.newer.unwrap_or(Cursor::Newer(0));
        if page.messages.is_empty() {
            break;
        }
        all.extend(page.messages);
        query.cursor = Some(next);
    }
    assert!(all.windows(2).all(|two| two[0].sequence < two[1].sequence));
    all
}

fn search(store: &dyn MessageStore, room: &RoomId, word: &str) -> Vec<u64> {
    let search = MessageSearch::new(word.parse().unwrap(), vec![room.clone()]);
    let page = store.search(&search).unwrap();
    page.messages.iter().map(|it| it.sequence).collect()
}
