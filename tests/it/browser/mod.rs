//! The page, in a real browser: two tabs and an HTTP client talk to each other.

mod auth;
mod devtools;
mod event_source;
mod messages;
mod page;
mod report;
mod rooms;

use std::env;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::binary::Throng;

use self::devtools::Browser;
use self::devtools::Tab;

/// Starts a browser, or says that this test is skipped.
fn browser(name: &str) -> Option<Browser> {
    let browser = Browser::start(name);
    if browser.is_none() {
        assert!(
            env::var_os("THRONG_REQUIRE_ALL").is_none(),
            "chromium is not installed"
        );
        println!("skipped: chromium not installed");
    }
    browser
}

fn connected(browser: &mut Browser, throng: &Throng, user: &str) -> Tab {
    let tab = browser.open(&format!("http://{}/?user={user}", throng.address));
    browser.until(
        &tab,
        "document.querySelector('[data-testid=state]').dataset.state === 'open'",
    );
    tab
}

/// Subscribes as a user would, and waits until it is done.
fn subscribe(browser: &mut Browser, tab: &Tab, channel: &str) {
    let script = format!(
        "document.querySelector('[data-testid=subscribe-input]').value = '{channel}';
         document.querySelector('[data-testid=subscribe-button]').click()"
    );
    browser.evaluate(tab, &script);
    let live = format!(
        "document.querySelector('[data-testid=subscription][data-channel={channel}][data-live=true]')"
    );
    browser.until(tab, &live);
}

fn publish(browser: &mut Browser, tab: &Tab, channel: &str, text: &str) {
    let text = json!(text);
    let script = format!(
        "document.querySelector('[data-testid=publish-channel]').value = '{channel}';
         document.querySelector('[data-testid=publish-input]').value = {text};
         document.querySelector('[data-testid=publish-button]').click()"
    );
    browser.evaluate(tab, &script);
}

/// Waits until the page shows a message or an event with this text.
fn shows(browser: &mut Browser, tab: &Tab, channel: &str, text: &str) {
    let text = json!(text);
    let condition = format!(
        "[...document.querySelectorAll('[data-testid=messages] li[data-channel={channel}] .what')]
            .some(line => line.textContent === {text})"
    );
    browser.until(tab, &condition);
}

fn text_of(browser: &mut Browser, tab: &Tab, id: &str) -> String {
    let script = format!("document.querySelector('[data-testid={id}]').textContent");
    browser.evaluate(tab, &script).as_str().unwrap().to_owned()
}

#[test]
fn two_tabs_and_an_http_client_talk() {
    let Some(mut browser) = browser("talk") else {
        return;
    };
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let ada = connected(&mut browser, &throng, "ada");
    let bob = connected(&mut browser, &throng, "bob");
    for tab in [&ada, &bob] {
        subscribe(&mut browser, tab, "news");
        subscribe(&mut browser, tab, "presence-room");
    }
    shows(&mut browser, &ada, "presence-room", "bob came");

    publish(&mut browser, &ada, "news", "hello from ada");
    publish(&mut browser, &bob, "news", r#"{"px": 101.25}"#);
    let posted = throng.post(
        "/api/v1/channels/news/publish",
        "text/plain",
        "<b>from curl</b>",
    );
    assert_eq!(
        (posted.status, posted.json()["delivered"].clone()),
        (200, json!(2))
    );
    for tab in [&ada, &bob] {
        shows(&mut browser, tab, "news", "hello from ada");
        shows(&mut browser, tab, "news", r#"{"px":101.25}"#);
        // What is published is text to the page, whatever it looks like.
        shows(&mut browser, tab, "news", "<b>from curl</b>");
    }
    let members = "[...document.querySelectorAll('[data-testid=member]')].map(m => m.textContent).sort().join()";
    for tab in [&ada, &bob] {
        assert_eq!(browser.evaluate(tab, members), "ada,bob");
    }
    browser.until(
        &ada,
        "document.querySelector('[data-testid=stat-clients]').textContent === '2'",
    );
    browser.until(&ada, "document.querySelector('tr[data-channel=news]')");
    for tab in [&ada, &bob] {
        browser.until(
            tab,
            "document.querySelector('[data-testid=stat-delivered]').textContent.startsWith('7 ')",
        );
    }
    assert_eq!(text_of(&mut browser, &ada, "state"), "connected");

    picture(&mut browser, &ada, (1280, 800), "light", "page-light.png");
    picture(&mut browser, &bob, (1280, 800), "dark", "page-dark.png");
    picture(&mut browser, &ada, (400, 860), "light", "page-narrow.png");
}

/// Takes a picture into `target/`, and checks that something is on it.
fn picture(browser: &mut Browser, tab: &Tab, size: (u32, u32), scheme: &str, name: &str) {
    let png = browser.screenshot(tab, size, scheme);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    fs::write(target.join(name), &png).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!((number(16), number(20)), size);
    assert!(
        png.len() > 20_000,
        "an empty page takes less than {} bytes",
        png.len()
    );
}

#[test]
fn the_page_comes_back_only_when_it_may() {
    let Some(mut browser) = browser("back") else {
        return;
    };
    let throng = Throng::start(&["--slow-consumer", "drop-newest"]);
    let tab = connected(&mut browser, &throng, "");
    subscribe(&mut browser, &tab, "news");
    let id = text_of(&mut browser, &tab, "client-id");
    let id = id.rsplit(' ').next().unwrap();

    // A private channel is refused, and the page says so.
    let ask = "document.querySelector('[data-testid=subscribe-input]').value = 'private-x';
               document.querySelector('[data-testid=subscribe-button]').click()";
    browser.evaluate(&tab, ask);
    browser.until(&tab, "document.querySelector('[data-testid=error] .what')?.textContent.startsWith('unauthorized')");

    assert_eq!(
        throng
            .request("DELETE", &format!("/api/v1/clients/{id}"), &[], b"")
            .status,
        204
    );
    let closed = "document.querySelector('[data-testid=state]').dataset.state === 'closed'";
    browser.until(&tab, closed);
    assert!(text_of(&mut browser, &tab, "state").contains("3503"));

    // The user may come back; the subscription comes back with it.
    browser.evaluate(
        &tab,
        "document.querySelector('[data-testid=toggle]').click()",
    );
    browser.until(
        &tab,
        "document.querySelector('[data-testid=subscription][data-channel=news][data-live=true]')",
    );
    throng.publish("news", &json!("after the return"));
    shows(&mut browser, &tab, "news", "after the return");
}

#[test]
fn the_page_waits_for_a_server_that_restarts() {
    let Some(mut browser) = browser("wait") else {
        return;
    };
    let throng = Throng::start(&[]);
    let tab = connected(&mut browser, &throng, "");
    subscribe(&mut browser, &tab, "news");
    let address = throng.address.to_string();
    throng.signal("TERM");
    browser.until(
        &tab,
        "document.querySelector('[data-testid=state]').dataset.state === 'waiting'",
    );
    drop(throng);
    let again = Throng::start_at(&address, &[]);
    browser.until(
        &tab,
        "document.querySelector('[data-testid=subscription][data-live=true]')",
    );
    again.publish("news", &json!("back"));
    shows(&mut browser, &tab, "news", "back");
}
