//! Files that somebody has damaged while the server was down: it takes them up, or says what is
//! wrong and does not start.

use std::fs;
use std::process::Command;

use throng::RoomId;
use throng::messages::MessageQuery;
use throng::messages::MessageStore;
use throng::messages::Order;
use throng::messages::StoreError;
use throng::messages::StoredMessage;
use throng::messages::sqlite::SqliteOptions;
use throng::messages::sqlite::SqliteStore;

use super::ROOM;
use super::any;
use super::arguments;
use super::folder::Folder;
use super::ledger::Ledger;
use super::ledger::all;
use super::open;
use super::rounds;
use super::write_and_kill;
use crate::binary::Throng;

const FILE: &str = "throng.db";
const LOG: &str = "throng.db-wal";

fn room() -> RoomId {
    RoomId::parse(ROOM).unwrap()
}

/// A folder with messages that a kill has left, and what was acknowledged. With all of it on the
/// disk: of a log that was written otherwise nothing can be told.
fn killed(after: usize) -> (Folder, Ledger) {
    let folder = Folder::new("damage");
    let throng = Throng::start(&arguments(&folder, &[]));
    let ledger = write_and_kill(throng, (ROOM, 0), after);
    (folder, ledger)
}

/// The same, with everything in the file and nothing in the log, and what is in it.
fn settled(after: usize) -> (Folder, Ledger, Vec<StoredMessage>) {
    let (folder, ledger) = killed(after);
    let store = open(&folder);
    let all = all(&store, &room());
    drop(store);
    assert!(folder.read(LOG).is_empty());
    // A process that another test starts holds the lock as well until it runs; not that of a copy.
    (folder.copy(), ledger, all)
}

/// Starts the server on what was damaged, and gives how it went; what it refuses it explains.
fn start(folder: &Folder) -> Option<Throng> {
    let log = Folder::new("log");
    fs::create_dir_all(log.path()).unwrap();
    let file = log.path().join("stderr");
    let started = Throng::start_logging_to(&file, &arguments(folder, &[]));
    if let Ok(throng) = &started {
        // Whatever is read, it does not fall over.
        for path in [
            "/api/v1/messages/stats",
            "/api/v1/messages/search?query=edited&room_id=den",
        ] {
            assert!([200, 404, 503].contains(&throng.get(path).status));
        }
    }
    let said = fs::read_to_string(&file).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    match started {
        Ok(throng) => Some(throng),
        Err(status) => {
            assert_eq!(status.code(), Some(1), "{said}");
            let explained = said.starts_with("throng: cannot keep messages in ");
            assert!(explained && said.contains(FILE), "{said}");
            None
        }
    }
}

/// That the server refuses, or that there is something, and nothing that nobody sent.
fn refuses_or_has_some(folder: &Folder, ledger: &Ledger, told: &str) {
    let Some(mut throng) = start(folder) else {
        return;
    };
    throng.signal("KILL");
    throng.wait();
    if let Ok(store) = SqliteStore::open(folder.path(), SqliteOptions::default()) {
        let some = ledger.check_some(&store, &room());
        // The last transactions look as if they had never been committed.
        let few = ledger.acknowledged().saturating_sub(8);
        assert!(some >= few, "{told}: {some} are left, and nobody was told");
    }
}

#[test]
fn a_torn_end_of_the_log_is_no_loss() {
    for _ in 0..rounds() {
        let (folder, ledger) = killed(1 + any(60));
        let mut log = folder.read(LOG);
        // As much as a page, or less, of what may be there after the power has ended.
        let torn = match any(3) {
            0 => vec![0; any(9000)],
            1 => vec![0xa5; any(9000)],
            _ => log[..log.len().min(any(9000))].to_vec(),
        };
        log.extend(torn);
        folder.write(LOG, &log);
        let throng = start(&folder).expect("it is taken up");
        drop(throng);
        ledger.check(&open(&folder), &room());
    }
}

#[test]
fn a_flipped_byte_in_the_log_is_survived_or_told() {
    for _ in 0..rounds() {
        let (folder, ledger) = killed(20 + any(60));
        let mut log = folder.read(LOG);
        let at = any(log.len());
        log[at] ^= 1 << any(8);
        folder.write(LOG, &log);
        refuses_or_has_some(&folder, &ledger, &format!("{at} of {}", log.len()));
    }
}

#[test]
fn a_log_that_is_damaged_before_its_end_is_refused() {
    let (folder, ledger) = killed(40);
    let log = folder.read(LOG);
    // Its own beginning; and of its first frame the salt, the checksum, and the page.
    for at in [0, 9, 17, 25, 32 + 9, 32 + 17, 32 + 24, 32 + 24 + 4095] {
        let copy = folder.copy();
        let mut damaged = log.clone();
        damaged[at] ^= 1;
        copy.write(LOG, &damaged);
        assert!(start(&copy).is_none(), "byte {at}");
        assert_eq!(copy.read(LOG), damaged, "it is left as it was");
    }
    ledger.check(&open(&folder), &room());
}

/// A flipped bit may be one of what a message says, for which there is no checksum: then it is
/// served as it is. That is all that goes unnoticed. Each bit is of one message at most, and no
/// message is gone, or somebody else's, or at another place, unless the store says that it cannot
/// be read.
#[test]
fn flipped_bytes_in_the_file_are_survived_or_told() {
    let (folder, _, before) = settled(80);
    for _ in 0..4 * rounds() {
        let copy = folder.copy();
        let mut file = copy.read(FILE);
        let at: Vec<_> = (0..=any(8)).map(|_| any(file.len())).collect();
        for &at in &at {
            file[at] ^= 1 << any(8);
        }
        copy.write(FILE, &file);
        let told = format!("{at:?} of {}", file.len());
        // Whether it starts, and how it ends if not, is seen to there.
        drop(start(&copy));
        if let Ok(store) = SqliteStore::open(copy.path(), SqliteOptions::default()) {
            let altered = has_all(&store, &before, &told);
            assert!(altered <= at.len(), "{told}: {altered} were altered");
        }
    }
}

/// What a message is found by is in the file twice, and both are held against each other.
#[test]
fn a_flipped_byte_of_an_index_is_told() {
    let (folder, _, before) = settled(80);
    let file = folder.read(FILE);
    let size = usize::from(u16::from_be_bytes([file[16], file[17]]));
    // The first byte of a page says what it is; that of the first page is the header's.
    let pages = file.chunks(size).enumerate().skip(1);
    let indexes = pages.filter(|(_, page)| matches!(page[0], 0x02 | 0x0a));
    let used: Vec<_> = indexes
        .flat_map(|(number, page)| {
            let used = (0..size).filter(|at| page[*at] != 0);
            used.map(move |at| number * size + at)
        })
        .collect();
    for _ in 0..25 * rounds() {
        let copy = folder.copy();
        let mut file = file.clone();
        let at = used[any(used.len())];
        file[at] ^= 1 << any(8);
        copy.write(FILE, &file);
        if let Ok(store) = SqliteStore::open(copy.path(), SqliteOptions::default()) {
            let altered = has_all(&store, &before, &format!("byte {at}"));
            assert_eq!(altered, 0, "byte {at}");
        }
    }
}

/// Holds a store against what was in it: each message is where it was, alone and in pages, or the
/// store says that it cannot tell. Gives how many are not what they were.
fn has_all(store: &SqliteStore, before: &[StoredMessage], told: &str) -> usize {
    let mut altered = 0;
    for was in before {
        match store.get(&room(), was.sequence) {
            Ok(Some(is)) => {
                let place =
                    |it: &StoredMessage| (it.id, it.sequence, it.at, it.user.clone(), it.thread);
                assert_eq!(place(&is), place(was), "{told}");
                altered += usize::from(is != *was);
            }
            Ok(None) => panic!("{told}: {} is gone", was.sequence),
            Err(StoreError::Failed(_)) => {}
            Err(other) => panic!("{told}: {other}"),
        }
    }
    let mut query = MessageQuery::room(room());
    (query.order, query.limit) = (Order::OldestFirst, MessageQuery::MAX_LIMIT);
    let numbers = |all: &[StoredMessage]| all.iter().map(|it| it.sequence).collect::<Vec<_>>();
    if let Ok(page) = store.page(&query) {
        assert_eq!(numbers(&page.messages), numbers(before), "{told}");
    }
    altered
}

#[test]
fn a_room_that_cannot_be_read_is_refused_by_name() {
    let (folder, ..) = settled(20);
    let mut file = folder.read(FILE);
    let name = br#""name":"Den""#;
    let at = file.windows(name.len()).rposition(|bytes| bytes == name);
    file[at.unwrap()] = b'?';
    folder.write(FILE, &file);
    let said = refusal(folder.as_str());
    assert!(said.contains("room `den`"), "{said}");
    assert!(start(&folder).is_none());
}

#[test]
fn what_is_no_store_is_refused() {
    for damage in [
        |file: &mut Vec<u8>| file.truncate(5000),
        |file: &mut Vec<u8>| file[..100].fill(0x5a),
        |file: &mut Vec<u8>| file[100..].fill(0x5a),
        |file: &mut Vec<u8>| *file = b"once upon a time".repeat(300),
    ] {
        let (folder, ..) = settled(20);
        let mut file = folder.read(FILE);
        damage(&mut file);
        folder.write(FILE, &file);
        assert!(start(&folder).is_none());
        assert_eq!(folder.read(FILE), file, "it is left as it was");
    }
}

#[test]
fn garbage_after_the_file_is_survived_or_told() {
    let (folder, ledger, _) = settled(40);
    let mut file = folder.read(FILE);
    file.extend([0xa5; 5000]);
    folder.write(FILE, &file);
    if let Some(throng) = start(&folder) {
        drop(throng);
        ledger.check(&open(&folder), &room());
    }
}

/// How a server ends that cannot start, and what it says.
fn refusal(folder: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command.args(["--listen", "127.0.0.1:0", "--data", folder]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b""[..]));
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn two_servers_do_not_share_a_directory() {
    let folder = Folder::new("two");
    let first = Throng::start(&arguments(&folder, &[]));
    let said = refusal(folder.as_str());
    assert!(said.contains("is locked by another process"), "{said}");
    let users = ["ada".to_owned()];
    super::enter(&first, ROOM, &users);
    drop(first);
    drop(Throng::start(&arguments(&folder, &[])));
}

#[test]
fn a_directory_that_cannot_be_made_or_written_is_refused() {
    let folder = Folder::new("unwritable");
    fs::create_dir_all(folder.path()).unwrap();
    folder.write("file", b"in the way");
    let under = format!("{}/file/under", folder.as_str());
    for (path, why) in [(&*under, "Not a directory"), ("/proc/none", "No such file")] {
        let said = refusal(path);
        assert!(said.contains(path) && said.contains(why), "{said}");
    }
}
