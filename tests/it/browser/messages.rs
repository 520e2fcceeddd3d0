//! Messages that are kept: what was said before a page was there, and what becomes of it.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use crate::binary::Throng;

use super::browser;
use super::devtools::Browser;
use super::page::Page;
use super::page::by_id;
use super::page::member;
use super::page::message;
use super::page::room;
use super::page::toast;
use super::picture;

/// Ada makes a room, and bob joins it.
fn room_of_two(browser: &mut Browser, throng: &Throng, name: &str) -> (Page, Page) {
    let ada = Page::open(browser, throng, "ada");
    ada.fill(browser, "create-name", name);
    ada.click(browser, "create");
    ada.until(browser, &room(name));
    let bob = Page::open(browser, throng, "bob");
    bob.until(browser, &by_id("join-public"));
    bob.click(browser, "join-public");
    bob.until(browser, &room(name));
    (ada, bob)
}

/// What is in the feed, in order.
const TEXTS: &str =
    "[...document.querySelectorAll('[data-testid=room-message] .what')].map(it => it.textContent)";

/// Asks for older messages until there are none.
fn read_to_the_start(browser: &mut Browser, page: &Page) {
    let script = "(async () => {
        for (let more; more = document.querySelector('[data-testid=older]');) {
            more.click();
            await new Promise(done => setTimeout(done, 20));
        }
    })()";
    browser.evaluate(&page.0, script);
}

#[test]
fn a_page_that_is_loaded_again_has_missed_nothing() {
    let Some(mut browser) = browser("reload") else {
        return;
    };
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let (ada, bob) = room_of_two(&mut browser, &throng, "Counting");
    // Each is sent as soon as the one before is shown.
    let count = "(() => {
        let next = 0;
        const input = document.querySelector('[data-testid=room-input]');
        const send = () => { input.value = `number ${next++}`; input.closest('form').requestSubmit(); };
        const watch = new MutationObserver(() => {
            const last = document.querySelector('[data-testid=room-message]:last-child .what');
            if (last?.textContent === `number ${next - 1}`) send();
        });
        watch.observe(document.querySelector('[data-testid=room-feed]'), { childList: true });
        window.stop = () => { watch.disconnect(); return next; };
        send();
    })()";
    browser.evaluate(&ada.0, count);
    let lines = format!("{TEXTS}.length");
    bob.until(&mut browser, &format!("{lines} > 60"));
    for _ in 0..2 {
        bob.reload(&mut browser);
        bob.until(&mut browser, &room("Counting"));
        bob.until(&mut browser, &format!("{lines} > 100"));
    }
    // A page that was away, and was not loaded again, has missed nothing either.
    bob.click(&mut browser, "toggle");
    let seen = browser.evaluate(&bob.0, &format!("{TEXTS}.at(-1)"));
    let (_, seen) = seen.as_str().unwrap().split_once(' ').unwrap();
    let later = seen.parse::<u64>().unwrap() + 150;
    ada.until(&mut browser, &message("ada", &format!("number {later}")));
    bob.click(&mut browser, "toggle");
    let away = format!("({TEXTS}.includes('number {seen}') && {TEXTS}.includes('number {later}'))");
    bob.until(&mut browser, &away);
    let counted = browser.evaluate(&ada.0, "window.stop()");
    let counted = counted.as_u64().unwrap();
    let last = format!("number {}", counted - 1);
    bob.until(&mut browser, &message("ada", &last));
    read_to_the_start(&mut browser, &bob);

    let counted = usize::try_from(counted).unwrap();
    assert_eq!(browser.evaluate(&bob.0, TEXTS), numbers(counted));
}

#[test]
fn a_long_room_is_shown_from_its_end_and_read_to_its_start() {
    const COUNT: usize = 1300;
    let Some(mut browser) = browser("long") else {
        return;
    };
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let (ada, bob) = room_of_two(&mut browser, &throng, "Long");
    let id = browser.evaluate(&ada.0, &format!("{}.dataset.room", by_id("room-card")));
    let path = format!("/api/v1/rooms/{}/messages", id.as_str().unwrap());
    for n in 0..COUNT {
        let sent = throng.post(
            &path,
            "application/json",
            format!(r#"{{"data":"number {n}"}}"#),
        );
        assert_eq!(sent.status, 200, "{sent:?}");
    }
    bob.until(
        &mut browser,
        &format!("{TEXTS}.at(-1) === 'number {}'", COUNT - 1),
    );
    let shown = browser
        .evaluate(&bob.0, &format!("{TEXTS}.length"))
        .as_u64()
        .unwrap();
    assert!((800..=1000).contains(&shown), "{shown} are shown");
    read_to_the_start(&mut browser, &bob);
    assert_eq!(browser.evaluate(&bob.0, TEXTS), numbers(COUNT));
}

/// What is in the feed after so many numbers.
fn numbers(count: usize) -> Value {
    (0..count).map(|n| json!(format!("number {n}"))).collect()
}

/// The message with this text.
fn line(text: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-testid=room-message]')]
            .find(it => it.querySelector('.what').textContent === {})",
        json!(text)
    )
}

/// Something within the message with this text.
fn within(text: &str, id: &str) -> String {
    format!("{}?.querySelector('[data-testid={id}]')", line(text))
}

fn press(browser: &mut Browser, page: &Page, what: &str) {
    page.until(browser, what);
    browser.evaluate(&page.0, &format!("({what}).click()"));
}

/// Waits until something has this text.
fn says(browser: &mut Browser, page: &Page, what: &str, text: &str) {
    page.until(
        browser,
        &format!("({what})?.textContent === {}", json!(text)),
    );
}

#[test]
fn what_becomes_of_a_message_is_seen_by_the_other() {
    let Some(mut browser) = browser("messages") else {
        return;
    };
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let (ada, bob) = room_of_two(&mut browser, &throng, "Workshop");
    let browser = &mut browser;
    for text in ["a plan", "<i>a joke</i>", "12345678901234567890"] {
        ada.say(browser, text);
        bob.until(browser, &message("ada", text));
    }

    // A reaction counts for both, is added to, and is taken back.
    press(browser, &bob, &within("a plan", "react"));
    press(browser, &bob, &within("a plan", "choice"));
    says(browser, &ada, &within("a plan", "reaction"), "👍 1");
    press(browser, &ada, &within("a plan", "reaction"));
    for page in [&ada, &bob] {
        says(browser, page, &within("a plan", "reaction"), "👍 2");
    }
    press(browser, &bob, &within("a plan", "reaction"));
    says(browser, &ada, &within("a plan", "reaction"), "👍 1");

    // An edit says that it is one, and what was said before.
    press(browser, &ada, &within("a plan", "edit"));
    ada.say(browser, "a better plan");
    bob.until(browser, &message("ada", "a better plan"));
    press(browser, &bob, &within("a better plan", "edited"));
    says(
        browser,
        &bob,
        &within("a better plan", "revisions"),
        "a plan",
    );
    assert_eq!(
        browser.evaluate(&bob.0, &format!("{}.hidden", by_id("composing"))),
        true
    );
    bob.until(
        browser,
        &format!("!({})", within("a better plan", "delete")),
    );

    // Answers are in a thread, and the first message counts them.
    press(browser, &bob, &within("a better plan", "reply"));
    bob.until(browser, &format!("!{}.hidden", by_id("thread-card")));
    for answer in ["when?", "and where?"] {
        bob.fill(browser, "thread-input", answer);
        bob.click(browser, "thread-send");
    }
    says(
        browser,
        &ada,
        &within("a better plan", "replies"),
        "2 answers",
    );
    press(browser, &ada, &within("a better plan", "replies"));
    let answers = "[...document.querySelectorAll('[data-testid=thread-message] .what')].map(it => it.textContent).join()";
    for page in [&ada, &bob] {
        page.until(
            browser,
            &format!("{answers} === 'a better plan,when?,and where?'"),
        );
    }

    // Both look the same, and so does a page that comes later.
    press(browser, &ada, &within("<i>a joke</i>", "delete"));
    says(
        browser,
        &bob,
        &format!("{}[1]?.querySelector('.what')", lines()),
        "deleted by ada",
    );
    picture(browser, &bob.0, (1280, 800), "light", "messages-light.png");
    picture(browser, &ada.0, (1280, 800), "dark", "messages-dark.png");
    picture(browser, &ada.0, (400, 860), "light", "messages-narrow.png");
    bob.reload(browser);
    says(browser, &bob, &within("a better plan", "reaction"), "👍 1");
    says(
        browser,
        &bob,
        &within("a better plan", "replies"),
        "2 answers",
    );
    let all = json!(["a better plan", "deleted by ada", "12345678901234567890"]);
    assert_eq!(browser.evaluate(&bob.0, TEXTS), all);

    // What is found is shown where it was said: in the room, and in its thread.
    find(browser, &bob, "better");
    assert_eq!(browser.evaluate(&bob.0, FOCUSED), "a better plan");
    find(browser, &bob, "where");
    assert_eq!(browser.evaluate(&bob.0, FOCUSED), "and where?");
}

fn lines() -> &'static str {
    "document.querySelectorAll('[data-testid=room-message]')"
}

const FOCUSED: &str = "document.activeElement.querySelector('.what')?.textContent";

/// Looks for a word, goes to the only message that has it, and waits until it is shown.
fn find(browser: &mut Browser, page: &Page, word: &str) {
    page.fill(browser, "search-input", word);
    let form = format!("{}.closest('form').requestSubmit()", by_id("search-input"));
    browser.evaluate(&page.0, &form);
    let found = "[...document.querySelectorAll('[data-testid=result]')]";
    page.until(
        browser,
        &format!("{found}.length === 1 && {found}[0].textContent.includes('{word}')"),
    );
    page.click(browser, "result");
    page.until(browser, &format!("{FOCUSED}?.includes('{word}')"));
}

#[test]
fn what_is_unread_is_counted_until_the_room_is_shown() {
    let Some(mut browser) = browser("unread") else {
        return;
    };
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let (ada, bob) = room_of_two(&mut browser, &throng, "Quiet");
    let browser = &mut browser;
    bob.fill(browser, "create-name", "Elsewhere");
    bob.click(browser, "create");
    bob.until(browser, &room("Elsewhere"));
    ada.say(browser, "one");
    ada.say(browser, "two");
    let unread = "document.querySelector('.unread')";
    says(browser, &bob, unread, "2");
    // The server has counted too; and the page comes back to the room that was shown.
    bob.reload(browser);
    bob.until(browser, &room("Elsewhere"));
    says(browser, &bob, unread, "2");
    press(
        browser,
        &bob,
        "[...document.querySelectorAll('[data-testid=room]')].find(it => it.textContent === 'Quiet')",
    );
    bob.until(browser, &message("ada", "two"));
    bob.until(browser, &format!("!{unread}"));
}

/// Has what the page sends go through `change`, which gives what is sent, or nothing.
fn intercept(browser: &mut Browser, page: &Page, change: &str) {
    let script = format!(
        "(() => {{
            const send = WebSocket.prototype.send;
            const change = {change};
            WebSocket.prototype.send = function (text) {{
                const changed = change(JSON.parse(text), () => send.call(this, text));
                if (changed) send.call(this, JSON.stringify(changed));
            }};
            window.broken = [];
            addEventListener('unhandledrejection', event => window.broken.push(String(event.reason)));
        }})()"
    );
    browser.evaluate(&page.0, &script);
}

/// The id of the room that is shown.
fn shown(browser: &mut Browser, page: &Page) -> String {
    let id = browser.evaluate(&page.0, &format!("{}.dataset.room", by_id("room-card")));
    id.as_str().unwrap().to_owned()
}

#[test]
fn a_message_that_is_gone_keeps_no_other_from_being_read_again() {
    let Some(mut browser) = browser("gone") else {
        return;
    };
    let browser = &mut browser;
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let (ada, _bob) = room_of_two(browser, &throng, "Den");
    for text in ["one", "two"] {
        ada.say(browser, text);
        ada.until(browser, &message("ada", text));
    }
    let ids =
        "[...document.querySelectorAll('[data-testid=room-message]')].map(it => it.dataset.id)";
    let ids = browser.evaluate(&ada.0, ids);
    // Of the first the page asks as if it were not there any more.
    let change = format!(
        "command => command.type === 'message.get' && command.message_id === {}
            ? {{ ...command, message_id: '999999' }} : command",
        ids[0]
    );
    intercept(browser, &ada, &change);
    let path = format!("/api/v1/rooms/{}/messages", shown(browser, &ada));
    for id in ids.as_array().unwrap() {
        let answer = json!({"data": "an answer", "thread_id": id}).to_string();
        assert_eq!(throng.post(&path, "application/json", answer).status, 200);
    }
    let counted = format!("{}?.textContent === '1 answer'", by_id("replies"));
    ada.until(browser, &counted);
}

#[test]
fn a_room_that_is_left_while_it_is_looked_into_breaks_nothing() {
    let Some(mut browser) = browser("left") else {
        return;
    };
    let browser = &mut browser;
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let (ada, bob) = room_of_two(browser, &throng, "Den");
    ada.say(browser, "needle");
    bob.until(browser, &message("ada", "needle"));
    let den = shown(browser, &bob);
    bob.fill(browser, "create-name", "Elsewhere");
    bob.click(browser, "create");
    bob.until(browser, &room("Elsewhere"));
    bob.reload(browser);
    bob.until(browser, &room("Elsewhere"));
    // What is read of the room comes when it is left.
    let change = "(command, send) => {
        if (command.type !== 'message.history') return command;
        window.held = send;
    }";
    intercept(browser, &bob, change);
    bob.fill(browser, "search-input", "needle");
    let form = format!("{}.closest('form').requestSubmit()", by_id("search-input"));
    browser.evaluate(&bob.0, &form);
    bob.until(browser, &by_id("result"));
    bob.click(browser, "result");
    bob.until(browser, "window.held");
    let path = format!("/api/v1/rooms/{den}");
    assert_eq!(throng.request("DELETE", &path, &[], b"").status, 204);
    bob.until(browser, &toast("You are out of Den"));
    let after = "(async () => {
        window.held();
        await new Promise(done => setTimeout(done, 200));
        return window.broken;
    })()";
    assert_eq!(browser.evaluate(&bob.0, after), json!([]));
}

/// A directory for data that is removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        drop(fs::remove_dir_all(&path));
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn rooms_and_what_was_said_survive_the_server() {
    let Some(mut browser) = browser("restart") else {
        return;
    };
    let browser = &mut browser;
    let directory = Directory::new("browser-restart");
    let data = directory.0.to_str().unwrap();
    let arguments = ["--insecure-trust-query-user", "--data", data];
    let mut throng = Throng::start(&arguments);
    let (ada, bob) = room_of_two(browser, &throng, "Archive");
    ada.say(browser, "before anything");
    bob.until(browser, &message("ada", "before anything"));
    bob.set(browser, "status", "busy");
    bob.until(browser, &member("bob", "status", "busy"));
    let waiting = "document.querySelector('[data-testid=state]').dataset.state !== 'open'";
    let mut all = vec!["before anything".to_owned()];
    for signal in ["TERM", "KILL"] {
        // Whoever is connected comes back by itself, and goes on.
        let address = throng.address.to_string();
        throng.signal(signal);
        throng.wait();
        bob.until(browser, waiting);
        throng = Throng::start_at(&address, &arguments);
        let text = format!("after {signal}");
        bob.until(
            browser,
            "document.querySelector('[data-testid=state]').dataset.state === 'open'",
        );
        bob.until(browser, &room("Archive"));
        // The new server knows nothing of how it was, and the page says so.
        bob.until(browser, &format!("{}.value === 'online'", by_id("status")));
        ada.until(
            browser,
            "document.querySelector('[data-testid=state]').dataset.state === 'open'",
        );
        ada.until(browser, &room("Archive"));
        bob.say(browser, &text);
        ada.until(browser, &message("bob", &text));
        all.push(text);
        assert_eq!(browser.evaluate(&ada.0, TEXTS), json!(all));

        // Whoever comes anew finds it as it was.
        let late = Page::open(browser, &throng, "ada");
        late.until(browser, &room("Archive"));
        late.until(browser, &message("bob", all.last().unwrap()));
        assert_eq!(browser.evaluate(&late.0, TEXTS), json!(all));
        browser.close(late.0);
    }

    // And so at another address.
    drop(throng);
    let throng = Throng::start(&arguments);
    let moved = Page::open(browser, &throng, "bob");
    moved.until(browser, &room("Archive"));
    moved.until(browser, &message("bob", "after KILL"));
    assert_eq!(browser.evaluate(&moved.0, TEXTS), json!(all));
}

#[test]
fn an_edit_that_is_too_large_to_be_told_is_read() {
    let Some(mut browser) = browser("large") else {
        return;
    };
    let throng = Throng::start(&["--insecure-trust-query-user", "--max-payload", "4096"]);
    let (ada, bob) = room_of_two(&mut browser, &throng, "Novel");
    let browser = &mut browser;
    ada.say(browser, "a line");
    bob.until(browser, &message("ada", "a line"));
    let id = browser.evaluate(&ada.0, &format!("{}.dataset.room", by_id("room-card")));
    let path = format!(
        "/api/v1/rooms/{}/messages/1?actor=ada",
        id.as_str().unwrap()
    );
    let novel = "\"".repeat(4000);
    let body = json!({ "text": novel }).to_string();
    let json = [("content-type", "application/json")];
    let edited = throng.request("PATCH", &path, &json, body.as_bytes());
    assert_eq!(edited.status, 200, "{edited:?}");
    for page in [&ada, &bob] {
        page.until(browser, &message("ada", &novel));
    }
}
