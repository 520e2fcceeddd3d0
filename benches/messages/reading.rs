//! Pages and searches among many messages.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use throng::Actor;
use throng::RoomId;
use throng::messages::Change;
use throng::messages::MessageError;
use throng::messages::MessageQuery;
use throng::messages::MessageSearch;
use throng::messages::MessageStore;
use throng::messages::NewMessage;
use throng::messages::Page;
use throng::messages::sqlite::Durability;
use throng::messages::sqlite::SqliteOptions;
use throng::messages::sqlite::SqliteStore;

use super::House;
use super::ROOMS;
use super::folder;
use super::percentiles;

pub(super) fn report(is_smoke: bool) {
    let (count, questions) = if is_smoke { (2_000, 2) } else { (MANY, 1_000) };
    let folder = folder().join(format!("{count}-messages"));
    fill(&folder, count);
    let reader = Reader {
        house: House::new(&folder, SqliteOptions::default().check(false)),
        count,
    };
    println!("read of {count} messages in {ROOMS} rooms, up to {questions} times each");
    println!("{:<44}  {:>6}  {:>11}  {:>11}", "", "found", "p50", "p99");
    reader.ask("newest 50 of a room", questions, Reader::newest);
    reader.ask("50 of a room, anywhere", questions, Reader::anywhere);
    let searches = [
        ("a common word (in one of ten)", "common"),
        ("a rare word (in one of 100,000)", "rare"),
        ("a phrase (in one of 100)", "\"quick brown\""),
        ("a beginning (of one of ten)", "comm*"),
        ("two words (in one of 100)", "quick common"),
    ];
    for (name, terms) in searches {
        let in_all = format!("{name}, all rooms");
        reader.ask(&in_all, questions, |it, _| {
            it.search(terms, it.house.rooms.clone())
        });
        let in_one = format!("{name}, one room");
        reader.ask(&in_one, questions, |it, step| {
            it.search(terms, vec![it.room(step)])
        });
    }
}

/// What was found.
type Answer = Result<Page, MessageError>;

struct Reader {
    house: House,
    /// Messages in all rooms.
    count: u64,
}

impl Reader {
    /// Asks so often, one question after the other, or until [`LONGEST`] is over; and prints a line
    /// of a table.
    fn ask(&self, name: &str, questions: u64, ask: impl Fn(&Self, u64) -> Answer) {
        let mut times = Vec::new();
        let mut found = 0;
        let begun = Instant::now();
        for step in 0..questions {
            let began = Instant::now();
            let page = black_box(ask(self, step).expect("it can be read"));
            times.push(began.elapsed());
            found += page.messages.len() as u64;
            if begun.elapsed() > LONGEST {
                break;
            }
        }
        let found = found / times.len() as u64;
        let [p50, p99] = percentiles(times).map(|time| time.as_secs_f64() * 1e3);
        println!("{name:<44}  {found:>6}  {p50:>8.3} ms  {p99:>8.3} ms");
    }

    fn newest(&self, step: u64) -> Answer {
        self.page(MessageQuery::room(self.room(step)))
    }

    fn anywhere(&self, step: u64) -> Answer {
        let mut query = MessageQuery::room(self.room(step));
        query.until = Some(BEGIN + mixed(step) % self.count);
        self.page(query)
    }

    fn page(&self, query: MessageQuery) -> Answer {
        self.house.messages.page(&Actor::Server, query).wait()
    }

    fn search(&self, terms: &str, rooms: Vec<RoomId>) -> Answer {
        let search = MessageSearch::new(terms.parse().expect("terms"), rooms);
        self.house.messages.search(&Actor::Server, search).wait()
    }

    /// A room, another one with each step.
    fn room(&self, step: u64) -> RoomId {
        self.house.rooms[index(mixed(step), ROOMS)].clone()
    }
}

/// Makes the file, unless it is there.
fn fill(folder: &Path, count: u64) {
    let done = folder.join("filled");
    if done.exists() {
        return;
    }
    let _ignored_if_missing = fs::remove_dir_all(folder);
    let options = SqliteOptions::default().durability(Durability::Normal);
    let store = SqliteStore::open(folder, options).expect("opened");
    let began = Instant::now();
    let rooms: Vec<_> = (0..ROOMS)
        .map(|number| RoomId::parse(&format!("r{number}")).expect("an id"))
        .collect();
    for first in (0..count).step_by(TOGETHER) {
        let numbers = first..count.min(first + TOGETHER as u64);
        let changes = numbers.map(|number| {
            let room = rooms[index(mixed(number), ROOMS)].clone();
            Change::Save(NewMessage::text(room, text(number), BEGIN + number))
        });
        for written in store.write(changes.collect()) {
            written.expect("written");
        }
    }
    drop(store);
    println!("{count} messages written in {:.1?}", began.elapsed());
    fs::write(done, "").expect("noted");
}

/// A text of ten words of a thousand, few of which are frequent, and of those that are looked for.
fn text(number: u64) -> String {
    let mut words: Vec<String> = (0..10)
        .map(|place| {
            let random = mixed(number * 16 + place);
            // The smaller of two is small more often.
            format!("word{}", (random % 1_000).min((random >> 32) % 1_000))
        })
        .collect();
    for (every, word) in [
        (10, "common"),
        (11, "quick"),
        (12, "brown"),
        (100, "quick brown"),
    ] {
        if mixed(number ^ every << 40).is_multiple_of(every) {
            words.insert(index(mixed(number + every), words.len()), word.to_owned());
        }
    }
    if number % RARE_IN == 77_777 % RARE_IN {
        words.push("rare".to_owned());
    }
    words.join(" ")
}

/// Numbers without any order, the same each time.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    number ^ (number >> 32)
}

fn index(number: u64, length: usize) -> usize {
    usize::try_from(number % length as u64).expect("less than a length")
}

/// One of so many has the rare word.
const RARE_IN: u64 = 100_000;

const MANY: u64 = 1_000_000;

/// How long one question is asked again.
const LONGEST: Duration = Duration::from_secs(5);

/// Messages that are written together.
const TOGETHER: usize = 1_000;

/// When the first of them was sent, in milliseconds since 1970; each a millisecond after the other.
const BEGIN: u64 = 1_700_000_000_000;
