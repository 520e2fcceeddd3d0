//! What is done to the store and its model, and what they are asked.
//!
//! Numbers are told from the end of the room, and times from now, so that most of what is done
//! finds something to be done to: the model makes real ones of them.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::sample::subsequence;

use crate::layers::messages::cursor::Cursor;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::MessageSearch;
use crate::layers::messages::query::Order;
use crate::layers::messages::query::Scope;
use crate::layers::messages::record::NewMessage;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::Retention;
use crate::layers::name::EventName;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::message::Format;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Change(Change),
    Clean(Retention),
}

#[derive(Clone, Debug)]
pub(super) enum Ask {
    Page(MessageQuery),
    MessageSearch(MessageSearch),
}

pub(super) fn rooms() -> Vec<RoomId> {
    ["a", "b", "c"].map(|id| RoomId::parse(id).unwrap()).into()
}

pub(super) fn users() -> Vec<UserId> {
    let ids = ["ada", "bob", "eve"];
    ids.map(|id| UserId::parse(id).unwrap()).into()
}

pub(super) fn search(terms: &str, room: &RoomId) -> MessageSearch {
    MessageSearch::new(terms.parse().unwrap(), vec![room.clone()])
}

fn text() -> impl Strategy<Value = &'static [u8]> {
    select(vec![
        "red",
        "red blue",
        "Blue, red!",
        "green",
        "reddish",
        "",
    ])
    .prop_map(str::as_bytes)
}

fn format() -> impl Strategy<Value = Format> {
    prop_oneof![9 => Just(Format::Text), 1 => Just(Format::Binary)]
}

fn somebody() -> impl Strategy<Value = Option<UserId>> {
    option::weighted(0.9, select(users()))
}

fn event() -> impl Strategy<Value = Option<EventName>> {
    let names = ["note", "a b", "élan"].map(|name| EventName::parse(name).unwrap());
    option::weighted(0.4, select(names.to_vec()))
}

fn draft() -> impl Strategy<Value = Change> {
    let number = || option::weighted(0.1, 0_u64..4);
    let thread = option::weighted(0.4, 0_u64..6);
    let places = (select(rooms()), somebody(), thread, number(), event());
    (places, text(), format(), 0_u64..3).prop_map(|(places, payload, format, at)| {
        let (room, user, thread, sequence, event) = places;
        Change::Save(NewMessage {
            user,
            thread,
            format,
            event,
            sequence,
            ..NewMessage::text(room, payload, at)
        })
    })
}

fn edit() -> impl Strategy<Value = Change> {
    let what = (select(rooms()), 0_u64..8, text(), format());
    // How long ago it may have been sent.
    let since = option::weighted(0.2, 0_u64..20);
    (what, somebody(), only_by(), since).prop_map(|(what, by, only_by, sent_since)| {
        let (room, sequence, payload, format) = what;
        Change::Edit {
            room,
            sequence,
            payload: payload.into(),
            format,
            metadata: None,
            by,
            at: 0,
            max_revisions: 3,
            only_by,
            sent_since,
        }
    })
}

fn only_by() -> impl Strategy<Value = Option<UserId>> {
    option::weighted(0.3, select(users()))
}

fn reaction() -> impl Strategy<Value = (RoomId, u64, UserId, Box<str>)> {
    let what = select(vec!["+", "+", "-", "?"]).prop_map(Into::into);
    // Few places, so that they meet.
    (select(rooms()), 0_u64..2, select(users()), what)
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let delete = (select(rooms()), 0_u64..8, somebody(), only_by());
    let delete = delete.prop_map(|(room, sequence, by, only_by)| Change::Delete {
        room,
        sequence,
        by,
        at: 0,
        only_by,
    });
    let react = (reaction(), 1_usize..4).prop_map(|(reaction, max_reactions)| {
        let (room, sequence, user, reaction) = reaction;
        Change::React {
            room,
            sequence,
            user,
            reaction,
            max_reactions,
        }
    });
    let unreact = reaction().prop_map(|(room, sequence, user, reaction)| Change::Unreact {
        room,
        sequence,
        user,
        reaction,
    });
    let snapshot = (select(rooms()), option::weighted(0.7, Just("it".into())))
        .prop_map(|(room, snapshot)| Change::Room { room, snapshot });
    let forget = select(users()).prop_map(Change::ForgetUser);
    let count = option::of(0_u64..8);
    let clean = (option::of(0_u64..40), count).prop_map(|(age, max_per_room)| Retention {
        max_age: age.map(Duration::from_millis),
        max_per_room,
    });
    prop_oneof![
        24 => draft().prop_map(Step::Change),
        4 => edit().prop_map(Step::Change),
        4 => delete.prop_map(Step::Change),
        16 => react.prop_map(Step::Change),
        6 => unreact.prop_map(Step::Change),
        1 => snapshot.prop_map(Step::Change),
        1 => forget.prop_map(Step::Change),
        1 => clean.prop_map(Step::Clean),
    ]
}

fn cursor() -> impl Strategy<Value = Option<Cursor>> {
    let at = || 0_u64..1000;
    option::of(prop_oneof![
        at().prop_map(Cursor::Older),
        at().prop_map(Cursor::Newer),
    ])
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        select(rooms()).prop_map(Scope::Room),
        (select(rooms()), 1_u64..8).prop_map(|(room, thread)| Scope::Thread(room, thread)),
        (select(users()), vec(select(rooms()), 0..4))
            .prop_map(|(user, rooms)| Scope::User(user, rooms)),
    ]
}

fn page() -> impl Strategy<Value = MessageQuery> {
    let time = || option::weighted(0.3, 90_u64..160);
    let order = select(vec![Order::NewestFirst, Order::OldestFirst]);
    let user = option::weighted(0.3, select(users()));
    let event = prop_oneof![2 => Just(None), 1 => event()];
    let filters = (user, event, time(), time(), proptest::bool::weighted(0.3));
    (scope(), filters, cursor(), order, most()).prop_map(
        |(scope, filters, cursor, order, (limit, max_bytes))| {
            let (user, event, from, until, roots) = filters;
            MessageQuery {
                scope,
                user,
                event,
                from,
                until,
                roots,
                cursor,
                order,
                limit,
                max_bytes,
            }
        },
    )
}

/// How many messages, and how many bytes.
fn most() -> impl Strategy<Value = (usize, usize)> {
    let bytes = prop_oneof![2 => Just(usize::MAX), 1 => 0_usize..40];
    (0_usize..9, bytes)
}

pub(super) fn ask() -> impl Strategy<Value = Ask> {
    let terms = select(vec!["red", "red*", "\"red blue\"", "red -blue", "blue red"]);
    let by = (option::weighted(0.3, select(users())), event());
    let search = (terms, subsequence(rooms(), 0..=3), by, cursor(), most());
    prop_oneof![
        3 => page().prop_map(Ask::Page),
        1 => search.prop_map(|(terms, rooms, (user, event), cursor, (limit, max_bytes))| Ask::MessageSearch(MessageSearch {
            terms: terms.parse().unwrap(),
            rooms,
            user,
            event,
            cursor,
            limit,
            max_bytes,
            time_limit: None,
        })),
    ]
}
