//! Pages: which messages, from where, and in which order.

use super::support::answer;
use super::support::by;
use super::support::called;
use super::support::delete;
use super::support::edit;
use super::support::get;
use super::support::message;
use super::support::numbers;
use super::support::page;
use super::support::react;
use super::support::room;
use super::support::save;
use super::support::save_many;
use super::support::search;
use super::support::text;
use super::support::user;
use super::support::write;
use crate::layers::messages::cursor::Cursor;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::Order;
use crate::layers::messages::query::Page;
use crate::layers::messages::query::Scope;
use crate::layers::messages::store::MessageStore;
use crate::layers::metadata::Metadata;

fn oldest_first(mut query: MessageQuery) -> MessageQuery {
    query.order = Order::OldestFirst;
    query
}

fn limited(limit: usize, mut query: MessageQuery) -> MessageQuery {
    query.limit = limit;
    query
}

fn from(cursor: Option<Cursor>, mut query: MessageQuery) -> MessageQuery {
    query.cursor = cursor;
    query
}

fn ids(page: &Page) -> Vec<u64> {
    page.messages.iter().map(|it| it.id).collect()
}

pub(in super::super) fn pages_since_a_number_exclude_it(store: &dyn MessageStore) {
    let saved = save_many(store, "a", 5);
    let query = oldest_first(MessageQuery::room(room("a")));
    let since = |n: usize| from(Some(Cursor::Newer(saved[n].id)), query.clone());
    assert_eq!(numbers(&page(store, &query)), [1, 2, 3, 4, 5]);
    assert_eq!(numbers(&page(store, &since(1))), [3, 4, 5]);
    assert!(page(store, &since(4)).messages.is_empty());
    let all = from(Some(Cursor::Newer(u64::MAX)), query.clone());
    assert_eq!(page(store, &all).messages, []);
    let before = from(Some(Cursor::Older(saved[2].id)), query);
    assert_eq!(numbers(&page(store, &before)), [1, 2]);
}

/// Whoever was away gets what comes next, whatever the order, and not the newest with a gap
/// before them.
pub(in super::super) fn a_limited_page_since_a_number_takes_the_oldest_unseen(
    store: &dyn MessageStore,
) {
    let saved = save_many(store, "a", 10);
    let since = Some(Cursor::Newer(saved[2].id));
    let query = from(since, limited(3, MessageQuery::room(room("a"))));
    assert_eq!(numbers(&page(store, &query)), [6, 5, 4]);
    assert_eq!(numbers(&page(store, &oldest_first(query))), [4, 5, 6]);
    let before = Some(Cursor::Older(saved[7].id));
    let query = from(before, limited(3, MessageQuery::room(room("a"))));
    assert_eq!(numbers(&page(store, &query)), [7, 6, 5]);
    assert_eq!(numbers(&page(store, &oldest_first(query))), [5, 6, 7]);
}

pub(in super::super) fn a_page_is_of_its_room_alone(store: &dyn MessageStore) {
    for n in 1..=3 {
        save(store, text("a", "a", n));
        save(store, by("ada", text("b", "b", n)));
    }
    for place in ["a", "b"] {
        let found = page(store, &MessageQuery::room(room(place)));
        assert_eq!(numbers(&found), [3, 2, 1]);
        assert!(found.messages.iter().all(|it| it.room == room(place)));
    }
    let of_ada = |rooms: &[&str]| {
        let rooms = rooms.iter().map(|id| room(id)).collect();
        numbers(&page(
            store,
            &MessageQuery::new(Scope::User(user("ada"), rooms)),
        ))
    };
    assert_eq!(of_ada(&["a"]), [0; 0]);
    assert_eq!(of_ada(&[]), [0; 0]);
    assert_eq!(of_ada(&["a", "b", "nowhere", "b"]), [3, 2, 1]);
}

pub(in super::super) fn unknown_rooms_and_threads_are_empty(store: &dyn MessageStore) {
    save(store, text("a", "a", 1));
    let empty = [
        Scope::Room(room("nowhere")),
        Scope::Thread(room("nowhere"), 1),
        Scope::Thread(room("a"), 1),
        Scope::Thread(room("a"), 9),
        Scope::User(user("nobody"), vec![room("a"), room("nowhere")]),
    ];
    for scope in empty {
        let query = MessageQuery::new(scope);
        assert_eq!(store.page(&query), Ok(Page::default()), "{query:?}");
        let query = oldest_first(query);
        assert_eq!(store.page(&query), Ok(Page::default()), "{query:?}");
    }
}

pub(in super::super) fn limits_are_kept_within_bounds(store: &dyn MessageStore) {
    save_many(store, "a", 510);
    let query = MessageQuery::room(room("a"));
    assert_eq!(page(store, &query).messages.len(), MessageQuery::LIMIT);
    for (limit, given) in [(0, 1), (1, 1), (500, 500), (501, 500), (usize::MAX, 500)] {
        let found = page(store, &limited(limit, query.clone()));
        assert_eq!(found.messages.len(), given, "{limit}");
        assert!(found.older.is_some());
    }
}

pub(in super::super) fn the_cursors_of_a_page_are_its_ends(store: &dyn MessageStore) {
    let id: Vec<_> = save_many(store, "a", 6).iter().map(|it| it.id).collect();
    let (newer, older) = (
        |n: usize| Some(Cursor::Newer(id[n - 1])),
        |n: usize| Some(Cursor::Older(id[n - 1])),
    );
    let newest = limited(2, MessageQuery::room(room("a")));
    let oldest = oldest_first(newest.clone());
    let cases = [
        (newest.clone(), [6, 5], older(5), newer(6)),
        (oldest.clone(), [1, 2], None, newer(2)),
        (from(older(5), newest.clone()), [4, 3], older(3), newer(4)),
        (from(older(5), oldest.clone()), [3, 4], older(3), newer(4)),
        (from(older(3), newest.clone()), [2, 1], None, newer(2)),
        (from(newer(2), newest.clone()), [4, 3], older(3), newer(4)),
        (from(newer(2), oldest), [3, 4], older(3), newer(4)),
        (from(newer(4), newest), [6, 5], older(5), newer(6)),
    ];
    for (query, messages, older, newer) in cases {
        let found = page(store, &query);
        assert_eq!(numbers(&found), messages, "{query:?}");
        assert_eq!((found.older, found.newer), (older, newer), "{query:?}");
    }
}

pub(in super::super) fn an_empty_page_leads_on_from_where_it_is(store: &dyn MessageStore) {
    let (first, query) = (
        save(store, text("a", "one", 1)).id,
        MessageQuery::room(room("a")),
    );
    let end = page(store, &from(Some(Cursor::Newer(first)), query.clone()));
    assert_eq!(end.messages, []);
    assert_eq!(end.newer, Some(Cursor::Newer(first)));
    assert_eq!(end.older, Some(Cursor::Older(first + 1)));
    let start = page(store, &from(Some(Cursor::Older(first)), query.clone()));
    assert_eq!((&start.messages[..], start.older), (&[][..], None));

    save(store, text("b", "elsewhere", 1));
    save(store, text("a", "two", 2));
    let go = |cursor| numbers(&page(store, &from(cursor, query.clone())));
    assert_eq!(go(end.newer), [2], "what came since");
    assert_eq!(go(end.older), [1], "back again");
    assert_eq!(go(start.newer), [2, 1], "nothing is missed");
    for cursor in [Cursor::Older(0), Cursor::Newer(u64::MAX)] {
        assert_eq!(page(store, &from(Some(cursor), query.clone())).messages, []);
    }
}

pub(in super::super) fn the_times_given_are_included(store: &dyn MessageStore) {
    for at in [10, 20, 20, 30, 40] {
        save(store, text("a", "a", at));
        save(store, by("ada", text("b", "b", 50 - at)));
    }
    let between = |from, until, mut query: MessageQuery| {
        (query.from, query.until) = (from, until);
        numbers(&page(store, &query))
    };
    let query = MessageQuery::room(room("a"));
    let cases: [(_, _, &[u64]); 6] = [
        (Some(20), Some(30), &[4, 3, 2]),
        (Some(20), Some(20), &[3, 2]),
        (Some(31), None, &[5]),
        (None, Some(9), &[]),
        (None, Some(10), &[1]),
        (Some(30), Some(20), &[]),
    ];
    for (from, until, expected) in cases {
        let found = between(from, until, query.clone());
        assert_eq!(found, expected, "{from:?} to {until:?}");
    }
    // In that room none is older than its first.
    let all = MessageQuery::new(Scope::User(user("ada"), vec![room("a"), room("b")]));
    assert_eq!(between(Some(40), Some(40), all.clone()), [5, 4, 3, 2, 1]);
    assert_eq!(between(None, Some(39), all), [0; 0]);
}

pub(in super::super) fn filters_hold_together(store: &dyn MessageStore) {
    save(store, by("ada", text("a", "root", 1)));
    save(store, answer(1, by("bob", text("a", "answer", 2))));
    save(store, answer(1, by("ada", text("a", "answer", 3))));
    save(store, by("bob", text("a", "other", 4)));
    save(store, text("a", "server", 5));
    let ask = |scope, name: Option<&str>, roots| {
        let mut query = MessageQuery::new(scope);
        (query.user, query.roots) = (name.map(user), roots);
        numbers(&page(store, &query))
    };
    let all = || Scope::Room(room("a"));
    assert_eq!(ask(all(), Some("ada"), false), [3, 1]);
    assert_eq!(ask(all(), None, true), [5, 4, 1]);
    assert_eq!(ask(all(), Some("bob"), true), [4]);
    assert_eq!(ask(all(), Some("eve"), false), [0; 0]);
    let thread = || Scope::Thread(room("a"), 1);
    assert_eq!(ask(thread(), None, false), [3, 2]);
    assert_eq!(ask(thread(), Some("bob"), false), [2]);
    assert_eq!(ask(thread(), None, true), [0; 0]);
    let of_ada = || Scope::User(user("ada"), vec![room("a")]);
    assert_eq!(ask(of_ada(), None, true), [1]);
    assert_eq!(ask(of_ada(), Some("ada"), false), [3, 1]);
    assert_eq!(ask(of_ada(), Some("bob"), false), [0; 0]);
}

pub(in super::super) fn a_page_may_be_of_one_event(store: &dyn MessageStore) {
    save(store, called("note", by("ada", text("a", "root", 1))));
    save(store, called("task", by("ada", text("a", "task", 2))));
    save(
        store,
        answer(1, called("note", by("bob", text("a", "answer", 3)))),
    );
    save(store, by("ada", text("a", "of none", 4)));
    save(store, called("note", by("ada", text("b", "elsewhere", 5))));
    let saved = save(store, called("Note", by("ada", text("a", "other case", 6))));
    assert_eq!(saved.event.as_deref(), Some("Note"));
    let ask = |scope, event: &str, roots| {
        let mut query = MessageQuery::new(scope);
        (query.event, query.roots) = (Some(event.parse().unwrap()), roots);
        numbers(&page(store, &query))
    };
    let all = || Scope::Room(room("a"));
    assert_eq!(ask(all(), "note", false), [3, 1]);
    assert_eq!(ask(all(), "note", true), [1]);
    assert_eq!(ask(all(), "task", false), [2]);
    assert_eq!(ask(all(), "Note", false), [5]);
    assert_eq!(ask(all(), "none", false), [0; 0]);
    assert_eq!(ask(Scope::Thread(room("a"), 1), "note", false), [3]);
    let of_ada = Scope::User(user("ada"), vec![room("a"), room("b")]);
    assert_eq!(ask(of_ada, "note", false), [1, 1]);
    let edited = message(write(store, edit("a", 1, "edited", 7)).unwrap());
    assert_eq!(edited.event.as_deref(), Some("note"));
    assert_eq!(
        ask(all(), "note", false),
        [3, 1],
        "an edit changes no event"
    );
    write(store, delete("a", 3, 7)).unwrap();
    assert_eq!(
        ask(all(), "note", false),
        [3, 1],
        "deleted ones are among them"
    );
}

/// One of the three scopes with rooms of its own, the ids of what is in it, between others that
/// are not, and what saves one more.
fn crowd(store: &dyn MessageStore, kind: usize) -> (Scope, Vec<u64>, impl Fn() -> u64 + use<'_>) {
    let [a, b, ada] = ["a", "b", "ada"].map(|name| format!("{name}{kind}"));
    let mut ids = [vec![save(store, text(&a, "root", 0)).id], vec![], vec![]];
    let scope = match kind {
        0 => Scope::Room(room(&a)),
        1 => Scope::Thread(room(&a), 1),
        _ => Scope::User(user(&ada), vec![room(&b), room(&a)]),
    };
    let more = {
        let (a, ada) = (a.clone(), ada.clone());
        move || save(store, answer(1, by(&ada, text(&a, "m", 1)))).id
    };
    for _ in 0..240 {
        let id = more();
        ids.iter_mut().for_each(|of_scope| of_scope.push(id));
        ids[0].push(save(store, by("bob", text(&a, "m", 1))).id);
        ids[2].push(save(store, by(&ada, text(&b, "m", 1))).id);
        save(store, by("bob", text(&b, "m", 1)));
    }
    (scope, std::mem::take(&mut ids[kind]), more)
}

pub(in super::super) fn cursors_cover_all_once_the_newest_first(store: &dyn MessageStore) {
    for kind in 0..3 {
        let (scope, expected, more) = crowd(store, kind);
        let mut query = limited(17, MessageQuery::new(scope));
        let mut seen = Vec::new();
        loop {
            let found = page(store, &query);
            seen.extend(ids(&found));
            more();
            query.cursor = found.older;
            if found.older.is_none() {
                break;
            }
            assert_eq!(found.messages.len(), 17);
        }
        seen.reverse();
        assert_eq!(seen, expected, "{:?}", query.scope);
    }
}

pub(in super::super) fn cursors_cover_all_once_the_oldest_first(store: &dyn MessageStore) {
    for kind in 0..3 {
        let (scope, mut expected, more) = crowd(store, kind);
        let mut query = limited(17, oldest_first(MessageQuery::new(scope)));
        let mut seen = Vec::new();
        loop {
            let found = page(store, &query);
            seen.extend(ids(&found));
            query.cursor = found.newer;
            if found.messages.is_empty() {
                break;
            }
            if seen.len() < 200 {
                expected.extend([more(), more()]);
            }
        }
        assert_eq!(seen, expected, "{:?}", query.scope);
        expected.push(more());
        seen.extend(ids(&page(store, &query)));
        assert_eq!(seen, expected, "what comes after the end");
    }
}

/// All pages of so many bytes, from the end that the order begins with.
fn pages_of(store: &dyn MessageStore, max_bytes: usize, order: Order) -> Vec<Vec<u64>> {
    let mut query = MessageQuery::room(room("a"));
    (query.max_bytes, query.order) = (max_bytes, order);
    let mut pages = Vec::new();
    loop {
        let found = page(store, &query);
        if found.messages.is_empty() {
            return pages;
        }
        pages.push(numbers(&found));
        query.cursor = match order {
            Order::NewestFirst => found.older,
            Order::OldestFirst => found.newer,
        };
        if query.cursor.is_none() {
            return pages;
        }
    }
}

pub(in super::super) fn a_page_ends_where_its_bytes_do(store: &dyn MessageStore) {
    for (at, bytes) in [(1, 10), (2, 10), (3, 100), (4, 10), (5, 10)] {
        save(store, text("a", &"x".repeat(bytes), at));
    }
    let newest = Order::NewestFirst;
    assert_eq!(
        pages_of(store, 20, newest),
        [vec![5, 4], vec![3], vec![2, 1]]
    );
    assert_eq!(
        pages_of(store, 20, Order::OldestFirst),
        [vec![1, 2], vec![3], vec![4, 5]],
        "one that is larger is a page of its own"
    );
    assert_eq!(
        pages_of(store, 119, newest),
        [vec![5, 4], vec![3, 2], vec![1]]
    );
    assert_eq!(pages_of(store, 120, newest), [vec![5, 4, 3], vec![2, 1]]);
    assert_eq!(pages_of(store, 140, newest), [vec![5, 4, 3, 2, 1]]);
    assert_eq!(pages_of(store, 0, newest), [[5], [4], [3], [2], [1]]);
    // What is said about a message, and with it, counts as well.
    write(store, react("a", 5, "ada", "++")).unwrap();
    assert_eq!(get(store, "a", 5).unwrap().bytes(), 10 + 2 + 3);
    let about = serde_json::json!({ "lang": "en" });
    let mut draft = text("a", "0123456789", 6);
    draft.metadata = Some(Metadata::new(about.as_object().unwrap().clone()).unwrap());
    assert_eq!(save(store, draft).bytes(), 10 + r#"{"lang":"en"}"#.len());
    assert_eq!(pages_of(store, 38, newest)[0], [6, 5]);
    assert_eq!(pages_of(store, 37, newest)[0], [6]);
}

pub(in super::super) fn a_search_ends_where_its_bytes_do(store: &dyn MessageStore) {
    for at in 1..=5 {
        save(store, text("a", "red button", at));
    }
    let mut search = search(store, "red", &["a"]);
    let mut found = Vec::new();
    search.max_bytes = 25;
    loop {
        let page = store.search(&search).unwrap();
        found.push(numbers(&page));
        search.cursor = page.older;
        if search.cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, [vec![5, 4], vec![3, 2], vec![1]]);
}
