//! Pages, both ways.

use proptest::prelude::*;

use super::*;
use crate::layers::messages::Cursor;
use crate::layers::messages::MessageQuery;
use crate::layers::messages::Order;
use crate::layers::messages::Scope;

fn page(store: &SqliteStore, query: &MessageQuery) -> (Vec<u64>, Option<Cursor>, Option<Cursor>) {
    let page = store.page(query).unwrap();
    (sequences(&page), page.older, page.newer)
}

#[test]
fn pages_are_walked_to_the_oldest_and_back() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "other", "ada", 100);
    fill(&store, "a", "ada", 7);
    let (older, newer) = (|id| Some(Cursor::Older(id)), |id| Some(Cursor::Newer(id)));
    let mut query = MessageQuery::room(room("a"));
    query.limit = 3;
    let mut at = |cursor| {
        query.cursor = cursor;
        page(&store, &query)
    };
    assert_eq!(at(None), (vec![7, 6, 5], older(105), newer(107)));
    assert_eq!(at(older(105)), (vec![4, 3, 2], older(102), newer(104)));
    assert_eq!(at(older(102)), (vec![1], None, newer(101)));
    assert_eq!(at(newer(101)), (vec![4, 3, 2], older(102), newer(104)));
    assert_eq!(at(newer(104)), (vec![7, 6, 5], older(105), newer(107)));
    assert_eq!(at(newer(107)), (vec![], older(108), newer(107)));
    assert_eq!(at(older(101)), (vec![], None, newer(100)));
    assert_eq!(at(older(0)), (vec![], None, newer(0)));
    let end = u64::MAX;
    assert_eq!(at(newer(end)), (vec![], older(end), newer(end)));
    assert_eq!(at(older(end)), (vec![7, 6, 5], older(105), newer(107)));
}

#[test]
fn the_oldest_come_first_if_asked_for() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 7);
    let (older, newer) = (|id| Some(Cursor::Older(id)), |id| Some(Cursor::Newer(id)));
    let mut query = MessageQuery::room(room("a"));
    query.limit = 3;
    query.order = Order::OldestFirst;
    assert_eq!(page(&store, &query), (vec![1, 2, 3], None, newer(3)));
    query.cursor = newer(3);
    assert_eq!(page(&store, &query), (vec![4, 5, 6], older(4), newer(6)));
    query.cursor = older(4);
    assert_eq!(page(&store, &query), (vec![1, 2, 3], None, newer(3)));
    query.cursor = older(6);
    assert_eq!(page(&store, &query), (vec![3, 4, 5], older(3), newer(5)));
    query = MessageQuery::room(room("none"));
    assert_eq!(page(&store, &query), (vec![], None, None));
}

#[test]
fn limits_have_bounds() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 502);
    let mut query = MessageQuery::room(room("a"));
    for (limit, expected) in [(0, 1), (1, 1), (usize::MAX, 500)] {
        query.limit = limit;
        assert_eq!(store.page(&query).unwrap().messages.len(), expected);
    }
}

#[test]
fn what_is_unread_is_counted_up_to_a_bound() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 5);
    fill(&store, "a", "bob", 3);
    save(&store, NewMessage::text(room("a"), "by the server", 9));
    message(change(&store, delete("a", 2, 9)));
    let unread = |name: &str, after, most| {
        let count = store.unread(&room("a"), &user(name), after, most);
        count.unwrap()
    };
    assert_eq!(unread("bob", 0, 100), 5);
    assert_eq!(unread("ada", 0, 100), 4);
    assert_eq!(unread("cat", 0, 100), 8);
    assert_eq!(unread("cat", 6, 100), 3);
    assert_eq!(unread("cat", 9, 100), 0);
    assert_eq!(unread("cat", 0, 2), 2);
    assert_eq!(unread("cat", u64::MAX, u64::MAX), 0);
    assert_eq!(unread("cat", 0, u64::MAX), 8);
    assert_eq!(store.unread(&room("b"), &user("ada"), 0, 9), Ok(0));
}

#[test]
fn deleted_messages_are_in_pages_as_such() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 3);
    message(change(&store, delete("a", 2, 9)));
    let page = store.page(&MessageQuery::room(room("a"))).unwrap();
    let deleted = page
        .messages
        .iter()
        .map(|message| message.deleted.is_some());
    assert_eq!(deleted.collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn what_a_user_wrote_in_many_rooms_is_one_row() {
    let dir = Dir::new();
    let store = dir.open();
    let names: Vec<_> = (0..7).map(|n| format!("room {n}")).collect();
    // Square numbers come back to some of the rooms more often than to others.
    let to = |n: usize| &names[n * n % 7];
    let drafts = (1..=60).map(|n| Change::Save(draft(to(n), "ada", "x", 9)));
    store
        .write(drafts.collect())
        .into_iter()
        .for_each(|written| drop(message(written)));
    let rooms = names.iter().map(|name| room(name)).collect();
    let mut query = MessageQuery::new(Scope::User(user("ada"), rooms));
    query.limit = 9;
    for order in [Order::NewestFirst, Order::OldestFirst] {
        query.order = order;
        query.cursor = None;
        let mut all = Vec::new();
        loop {
            let page = store.page(&query).unwrap();
            if page.messages.is_empty() {
                break;
            }
            all.extend(page.messages.iter().map(|message| message.id));
            query.cursor = match order {
                Order::NewestFirst => page.older,
                Order::OldestFirst => page.newer,
            };
            if query.cursor.is_none() {
                break;
            }
        }
        if order == Order::NewestFirst {
            all.reverse();
        }
        assert_eq!(all, (1..=60).collect::<Vec<_>>(), "{order:?}");
    }
}

/// What a page is by definition: all that match, and the nearest of them.
fn expected(all: &[StoredMessage], query: &MessageQuery) -> Vec<u64> {
    let in_scope = |message: &StoredMessage| match &query.scope {
        Scope::Room(room) => message.room == *room,
        Scope::Thread(room, root) => message.room == *room && message.thread == Some(*root),
        Scope::User(by, rooms) => {
            message.user.as_ref() == Some(by) && rooms.contains(&message.room)
        }
    };
    let matches = |message: &&StoredMessage| {
        in_scope(message)
            && (query.user.is_none() || message.user == query.user)
            && query.from.is_none_or(|from| message.at >= from)
            && query.until.is_none_or(|until| message.at <= until)
            && !(query.roots && message.thread.is_some())
            && match query.cursor {
                None => true,
                Some(Cursor::Newer(id)) => message.id > id,
                Some(Cursor::Older(id)) => message.id < id,
            }
    };
    let mut ids: Vec<_> = all
        .iter()
        .filter(matches)
        .map(|message| message.id)
        .collect();
    let older = match query.cursor {
        Some(cursor) => matches!(cursor, Cursor::Older(_)),
        None => query.order == Order::NewestFirst,
    };
    if older {
        ids.reverse();
    }
    ids.truncate(query.bounded());
    ids.sort_unstable();
    if query.order == Order::NewestFirst {
        ids.reverse();
    }
    ids
}

fn queries() -> impl Strategy<Value = MessageQuery> {
    let room = prop::sample::select(vec!["a", "b", "none"]).prop_map(room);
    let user = prop::sample::select(vec!["ada", "bob", "none"]).prop_map(user);
    let scope = prop_oneof![
        room.clone().prop_map(Scope::Room),
        (room.clone(), 1_u64..6).prop_map(|(room, root)| Scope::Thread(room, root)),
        (user.clone(), prop::collection::vec(room, 0..5))
            .prop_map(|(user, rooms)| Scope::User(user, rooms)),
    ];
    let cursor = prop_oneof![
        (0_u64..40).prop_map(Cursor::Newer),
        (0_u64..40).prop_map(Cursor::Older),
    ];
    let narrow = (prop::option::weighted(0.3, user), any::<bool>());
    let times = (prop::option::of(0_u64..30), prop::option::of(0_u64..30));
    let order = prop::sample::select(vec![Order::NewestFirst, Order::OldestFirst]);
    let way = (prop::option::of(cursor), order, 1_usize..9);
    (scope, narrow, times, way).prop_map(|(scope, narrow, times, way)| {
        let mut query = MessageQuery::new(scope);
        (query.user, query.roots) = narrow;
        (query.from, query.until) = times;
        (query.cursor, query.order, query.limit) = way;
        query
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_page_is_the_nearest_of_all_that_match(
        drafts in prop::collection::vec((0..2, 0..3, 0_u64..30, 0_u64..6), 0..40),
        queries in prop::collection::vec(queries(), 40),
    ) {
        let dir = Dir::new();
        let store = dir.open();
        let changes = drafts.into_iter().map(|(to, by, at, root)| {
            let mut draft = NewMessage::text(room(["a", "b"][to as usize]), "x", at);
            draft.user = ["ada", "bob"].get(by as usize).copied().map(user);
            draft.thread = (root > 0).then_some(root);
            Change::Save(draft)
        });
        let written = store.write(changes.collect()).into_iter();
        let all: Vec<_> = written.filter(Result::is_ok).map(message).collect();
        for query in queries {
            let page = store.page(&query).unwrap();
            let ids: Vec<_> = page.messages.iter().map(|message| message.id).collect();
            prop_assert_eq!(&ids, &expected(&all, &query), "{:?}", query);
            for found in &page.messages {
                let same = all.iter().find(|message| message.id == found.id).unwrap();
                prop_assert_eq!(&same.payload, &found.payload);
            }
            let is_older = match query.cursor {
                Some(cursor) => matches!(cursor, Cursor::Older(_)),
                None => query.order == Order::NewestFirst,
            };
            if let (Some(smallest), true) = (ids.iter().min(), is_older) {
                let mut before = query.clone();
                before.cursor = Some(Cursor::Older(*smallest));
                let older = before.cursor.filter(|_| !expected(&all, &before).is_empty());
                prop_assert_eq!(page.older, older, "{:?}", query);
            }
        }
    }
}
