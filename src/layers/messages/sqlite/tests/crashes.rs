//! What a file survives.

use std::fs::OpenOptions;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::sync::Arc;
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::layers::messages::MessageQuery;
use crate::layers::messages::sqlite::Durability;
use crate::layers::messages::sqlite::OpenError;
use crate::layers::messages::sqlite::kept;

/// Writes over a part of a file.
fn garble(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

fn len(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

/// How many messages are there; they are the first ones, and each is whole.
fn prefix(store: &SqliteStore) -> u64 {
    let mut query = MessageQuery::room(room("a"));
    query.limit = 500;
    let page = store.page(&query).unwrap();
    let count = store.last_sequence(&room("a")).unwrap();
    assert_eq!(sequences(&page), (1..=count).rev().collect::<Vec<_>>());
    for message in &page.messages {
        assert_eq!(message.payload, format!("text {}", message.at).as_bytes());
    }
    assert_eq!(
        found(store, "text", &["a"]),
        sequences(&page)[..count.min(50) as usize]
    );
    assert_eq!(store.stats().unwrap().messages, count);
    count
}

/// A store of texts, each in a list of its own, and how long the log was after each.
fn one_by_one(dir: &Dir, count: u64) -> Vec<u64> {
    let store = dir.open();
    let mut lens = vec![len(&dir.log())];
    for at in 1..=count {
        save(&store, draft("a", "ada", &format!("text {at}"), at));
        lens.push(len(&dir.log()));
    }
    // The file as it is now is what a crash leaves.
    let copy = dir.crash();
    drop(store);
    for (from, to) in [(copy.file(), dir.file()), (copy.log(), dir.log())] {
        fs::copy(from, to).unwrap();
    }
    lens
}

#[test]
fn what_was_written_survives_the_end_of_the_process() {
    for sync in [Durability::Full, Durability::Normal] {
        let dir = Dir::new();
        let options = SqliteOptions::default().durability(sync);
        let store = SqliteStore::open(&dir.0, options).unwrap();
        fill(&store, "a", "ada", 30);
        assert_eq!(prefix(&dir.crash().open()), 30);
    }
}

#[test]
fn a_list_is_there_as_a_whole_or_not_at_all() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 30);
    let before = len(&dir.log());
    let more = (31..=60).map(|at| Change::Save(draft("a", "ada", &format!("text {at}"), at)));
    store
        .write(more.collect())
        .into_iter()
        .for_each(|written| drop(message(written)));
    let after = len(&dir.log());
    let left = [
        (before, 30),
        (after - 1, 30),
        ((before + after) / 2, 30),
        (after, 60),
    ];
    for (len, expected) in left {
        let copy = dir.crash();
        OpenOptions::new()
            .write(true)
            .open(copy.log())
            .unwrap()
            .set_len(len)
            .unwrap();
        assert_eq!(
            prefix(&copy.open()),
            expected,
            "{len} of {before} and {after}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn of_a_torn_log_there_is_all_before_the_tear(
        place in 0.0..1.0_f64,
        garbage in prop::option::of(prop::collection::vec(any::<u8>(), 1..600)),
    ) {
        let dir = Dir::new();
        let lens = one_by_one(&dir, 12);
        let first = lens[0];
        let last = lens[12];
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within")]
        let tear = first + ((last - first) as f64 * place) as u64;
        let log = OpenOptions::new().write(true).open(dir.log()).unwrap();
        log.set_len(tear).unwrap();
        if let Some(garbage) = garbage {
            garble(&dir.log(), tear, &garbage);
        }
        let whole = lens[1..].iter().filter(|len| **len <= tear).count() as u64;
        let store = dir.open();
        prop_assert_eq!(prefix(&store), whole);
        let next = save(&store, draft("a", "ada", "x", 99));
        prop_assert_eq!(next.sequence, whole + 1);
    }
}

#[test]
fn a_log_of_garbage_is_as_none() {
    let dir = Dir::new();
    one_by_one(&dir, 12);
    drop(dir.open());
    fs::write(dir.log(), vec![0xa5; 40_000]).unwrap();
    assert_eq!(prefix(&dir.open()), 12);
}

#[test]
fn a_damaged_file_is_refused_and_what_to_do_is_said() {
    let dir = Dir::new();
    fill(&dir.open(), "a", "ada", 300);
    let whole = fs::read(dir.file()).unwrap();
    let pages = whole.len() as u64 / 4096;
    let mut refusals = 0;
    for page in 1..pages {
        fs::write(dir.file(), &whole).unwrap();
        garble(&dir.file(), page * 4096, &[0x5a; 600]);
        match SqliteStore::open(&dir.0, SqliteOptions::default()) {
            Ok(store) => drop(store),
            Err(error) => {
                assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
                assert!(error.to_string().contains(".recover"), "{error}");
                refusals += 1;
            }
        }
    }
    assert!(refusals > pages * 3 / 4, "{refusals} of {pages}");
    // Half of it.
    fs::write(dir.file(), &whole[..whole.len() / 2]).unwrap();
    let error = refused(&dir.0);
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
    // Its head.
    fs::write(dir.file(), &whole).unwrap();
    garble(&dir.file(), 0, &[0x5a; 100]);
    let error = refused(&dir.0);
    assert!(matches!(error, OpenError::NotOurs { .. }), "{error:?}");
    fs::write(dir.file(), &whole).unwrap();
    assert_eq!(dir.open().stats().unwrap().messages, 300);
}

#[test]
fn a_damage_that_was_not_looked_for_fails_what_meets_it() {
    let dir = Dir::new();
    fill(&dir.open(), "a", "ada", 300);
    let whole = fs::read(dir.file()).unwrap();
    for (page, bytes) in (0_u64..).zip(whole.chunks(4096)).skip(2) {
        // Without its schema nothing is opened.
        if !bytes.windows(7).any(|text| text == b"CREATE ") {
            garble(&dir.file(), page * 4096, &[0x5a; 4096]);
        }
    }
    let store = SqliteStore::open(&dir.0, SqliteOptions::default().check(false)).unwrap();
    let failed = store.page(&MessageQuery::room(room("a")));
    assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
    let changes = vec![Change::Save(draft("a", "ada", "x", 1)), delete("a", 1, 1)];
    for answer in store.write(changes) {
        assert!(matches!(answer, Err(StoreError::Failed(_))), "{answer:?}");
    }
}

#[test]
fn a_full_disk_fails_all_of_a_list_and_nothing_else() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 3);
    let most = |pages: i64| {
        let writer = store.writer.lock();
        writer
            .connection
            .pragma_update(None, "max_page_count", pages)
            .unwrap();
    };
    most(1);
    let mut large = draft("new", "eve", "x", 4);
    large.payload = Bytes::from(vec![b'x'; 200_000]);
    let changes = vec![
        Change::Save(draft("a", "ada", "text 4", 4)),
        delete("a", 99, 1),
        Change::Save(large.clone()),
        edit("a", 1, "text", 5),
    ];
    let answers = store.write(changes);
    assert_eq!(answers.len(), 4);
    for answer in answers {
        assert!(matches!(answer, Err(StoreError::Failed(_))), "{answer:?}");
    }
    assert_eq!(prefix(&store), 3);
    assert_eq!(store.last_sequence(&room("new")), Ok(0));
    most(1 << 30);
    let saved = save(&store, draft("a", "ada", "text 4", 4));
    assert_eq!((saved.sequence, prefix(&store)), (4, 4));
    assert_eq!(save(&store, large).sequence, 1);
    assert_eq!(save(&store, draft("new", "eve", "x", 5)).sequence, 2);
}

#[test]
fn what_fails_when_it_is_committed_is_not_known_either() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 3);
    let failed = store.writer.lock().transact(|work| {
        work.db.pragma_update(None, "defer_foreign_keys", true)?;
        for to in ["a", "new"] {
            let saved = work.save(draft(to, "eve", "text", 4));
            assert!(matches!(saved, Ok(Written::Message(_))));
        }
        // A room that is not there.
        work.execute("INSERT INTO snapshots VALUES (99, x'00')", [])?;
        Ok(())
    });
    failed.unwrap_err();
    assert_eq!(prefix(&store), 3);
    assert_eq!(save(&store, draft("a", "eve", "text 4", 4)).sequence, 4);
    assert_eq!(prefix(&store), 4);
    assert_eq!(save(&store, draft("new", "eve", "text", 4)).sequence, 1);
    assert_eq!(get(&store, "new", 1).user, Some(user("eve")));
}

#[test]
fn one_that_fails_does_not_keep_the_others_from_being_made() {
    let dir = Dir::new();
    let store = dir.open();
    fill(&store, "a", "ada", 1);
    let changes = vec![
        delete("a", 1, 5),
        edit("a", 1, "x", 6),
        Change::Save(answer("a", 1, "eve", "x", 7)),
        Change::Save(draft("a", "ada", "text", 8)),
        react("a", 2, "ada", "+"),
        react("a", 3, "ada", "+"),
    ];
    let answers = store.write(changes);
    let errors: Vec<_> = answers.iter().map(|answer| answer.as_ref().err()).collect();
    let (deleted, thread) = (StoreError::Deleted, StoreError::UnknownThread);
    let unknown = StoreError::UnknownMessage;
    let expected = [
        None,
        Some(&deleted),
        Some(&thread),
        None,
        None,
        Some(&unknown),
    ];
    assert_eq!(errors, expected);
    assert!(store.write(Vec::new()).is_empty());
    assert!(store.blocks());
}

#[test]
fn reads_go_on_while_somebody_writes() {
    let dir = Dir::new();
    let store = Arc::new(dir.open());
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                let mut seen = 0;
                while seen < 200 {
                    let now = store.last_sequence(&room("a")).unwrap();
                    assert!(now >= seen && now.is_multiple_of(4), "{seen}, then {now}");
                    let page = store.page(&MessageQuery::room(room("a"))).unwrap();
                    let newest = sequences(&page).first().copied().unwrap_or(0);
                    assert!(newest >= now && newest.is_multiple_of(4));
                    seen = now;
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..2)
        .map(|_| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                for _ in 0..25 {
                    fill(&store, "a", "ada", 4);
                }
            })
        })
        .collect();
    for thread in writers.into_iter().chain(readers) {
        thread.join().unwrap();
    }
    let mut query = MessageQuery::room(room("a"));
    query.limit = 500;
    let page = store.page(&query).unwrap();
    assert_eq!(sequences(&page), (1..=200).rev().collect::<Vec<_>>());
}

#[test]
fn a_log_is_judged_by_how_it_was_written() {
    let normal = SqliteOptions::default().durability(Durability::Normal);
    let full = SqliteOptions::default();
    for (wrote, opens, is_refused) in [
        (normal, full, false),
        (full, normal, true),
        (normal, normal, false),
        (full, full, true),
    ] {
        let dir = Dir::new();
        // As it was written before does not matter.
        drop(SqliteStore::open(&dir.0, opens).unwrap());
        let store = SqliteStore::open(&dir.0, wrote).unwrap();
        fill(&store, "a", "ada", 3);
        let first = len(&dir.log());
        for at in 4..20 {
            save(&store, draft("a", "ada", &format!("text {at}"), at));
        }
        let left = dir.crash();
        // A hole, and whole transactions after it.
        garble(&left.log(), first + 24, &[0; 4096]);
        match SqliteStore::open(&left.0, opens) {
            Ok(store) => {
                assert!(!is_refused, "{wrote:?}");
                assert_eq!(prefix(&store), 3);
            }
            Err(error) => {
                assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
                assert!(is_refused, "{wrote:?}");
            }
        }
    }
}

#[test]
fn a_file_says_how_it_is_written_wherever_it_is() {
    let dir = Dir(Dir::new().0.join("100%/a?b=c #d"));
    for sync in [
        Durability::Normal,
        Durability::Full,
        Durability::Full,
        Durability::Normal,
    ] {
        let options = SqliteOptions::default().durability(sync);
        let store = SqliteStore::open(&dir.0, options).unwrap();
        assert_eq!(kept::recorded(&dir.file()), Some(sync));
        let is = store.writer.lock();
        let is: i64 = is
            .connection
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .unwrap();
        assert_eq!(is, if sync == Durability::Full { 2 } else { 1 });
    }
}
