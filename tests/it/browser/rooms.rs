//! Two users in two tabs: a room from its making to its handing over.

use crate::binary::Throng;

use super::browser;
use super::page::Page;
use super::page::event;
use super::page::member;
use super::page::message;
use super::page::room;
use super::page::toast;
use super::page::typing;
use super::picture;

#[test]
fn two_users_make_a_room_their_own() {
    let Some(mut browser) = browser("rooms") else {
        return;
    };
    let throng = Throng::start(&["--insecure-trust-query-user", "--presence-grace", "200"]);
    let ada = Page::open(&mut browser, &throng, "ada");
    let bob = Page::open(&mut browser, &throng, "bob");

    // A private room, an invitation to one user, and that user comes in.
    ada.fill(&mut browser, "create-name", "Den");
    ada.click(&mut browser, "create-private");
    ada.click(&mut browser, "create");
    ada.until(&mut browser, &room("Den"));
    ada.until(&mut browser, &member("ada", "role", "owner"));
    ada.fill(&mut browser, "invite-input", "bob");
    ada.click(&mut browser, "invite");
    bob.until(
        &mut browser,
        "document.querySelector('[data-testid=accept]')",
    );
    bob.click(&mut browser, "accept");
    bob.until(&mut browser, &room("Den"));
    for page in [&ada, &bob] {
        page.until(&mut browser, &member("bob", "status", "online"));
        page.until(&mut browser, &member("ada", "status", "online"));
    }

    // Typing is shown to the other, and ends by itself; messages go both ways.
    bob.fill(&mut browser, "room-input", "hel");
    ada.until(&mut browser, &typing("bob is typing…"));
    ada.until(&mut browser, &typing("\u{a0}"));
    bob.say(&mut browser, "hello");
    ada.say(&mut browser, "<b>hi</b>");
    for page in [&ada, &bob] {
        page.until(&mut browser, &message("bob", "hello"));
        page.until(&mut browser, &message("ada", "<b>hi</b>"));
    }
    picture(
        &mut browser,
        &ada.0,
        (1280, 800),
        "light",
        "rooms-light.png",
    );
    picture(&mut browser, &bob.0, (400, 860), "dark", "rooms-narrow.png");

    // A status that is chosen is seen; who closes the tab is gone, and back with the next one.
    bob.set(&mut browser, "status", "busy");
    ada.until(&mut browser, &member("bob", "status", "busy"));
    browser.close(bob.0);
    ada.until(&mut browser, &member("bob", "status", "offline"));
    let bob = Page::open(&mut browser, &throng, "bob");
    bob.until(&mut browser, &room("Den"));
    ada.until(&mut browser, &member("bob", "status", "online"));

    // Who is muted is told so, and may speak again afterwards.
    ada.choose(&mut browser, "bob", "Mute for a day");
    bob.until(&mut browser, &member("bob", "muted", "true"));
    bob.say(&mut browser, "let me speak");
    bob.until(&mut browser, &toast("muted:"));
    ada.choose(&mut browser, "bob", "Unmute");
    bob.until(&mut browser, &member("bob", "muted", "false"));
    bob.click(&mut browser, "room-send");
    ada.until(&mut browser, &message("bob", "let me speak"));

    // Who is banned is out, and an invite does not help.
    let code = ada.invite_code(&mut browser);
    ada.choose(&mut browser, "bob", "Ban");
    bob.until(&mut browser, &toast("You are out of Den: banned"));
    bob.until(
        &mut browser,
        "document.querySelector('[data-testid=room-card]').hidden",
    );
    bob.fill(&mut browser, "join-input", &code);
    bob.click(&mut browser, "join");
    bob.until(&mut browser, &toast("banned:"));
    ada.until(
        &mut browser,
        "!document.querySelector('[data-testid=room-member][data-user=bob]')",
    );

    // Once the ban is over it does; and the room can be given away.
    ada.act(&mut browser, "Unban all");
    ada.until(&mut browser, &event("bob may come back"));
    bob.fill(&mut browser, "join-input", &code);
    bob.click(&mut browser, "join");
    bob.until(&mut browser, &room("Den"));
    ada.until(&mut browser, &member("bob", "role", "member"));
    ada.choose(&mut browser, "bob", "Make owner");
    for page in [&ada, &bob] {
        page.until(&mut browser, &member("bob", "role", "owner"));
        page.until(&mut browser, &member("ada", "role", "admin"));
    }
    bob.until(
        &mut browser,
        "document.querySelector('[data-testid=room-card]').dataset.role === 'owner'",
    );
    bob.act(&mut browser, "Delete");
    ada.until(&mut browser, &toast("You are out of Den: deleted"));
}

#[test]
fn a_public_room_is_found_and_joined() {
    let Some(mut browser) = browser("public-rooms") else {
        return;
    };
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let ada = Page::open(&mut browser, &throng, "ada");
    ada.fill(&mut browser, "create-name", "Chess club");
    ada.click(&mut browser, "create");
    ada.until(&mut browser, &room("Chess club"));

    let bob = Page::open(&mut browser, &throng, "bob");
    bob.fill(&mut browser, "room-search", "chess");
    bob.until(
        &mut browser,
        "document.querySelector('[data-testid=join-public]')",
    );
    bob.click(&mut browser, "join-public");
    bob.until(&mut browser, &room("Chess club"));
    bob.say(&mut browser, "e4");
    ada.until(&mut browser, &message("bob", "e4"));

    // Direct: nobody has to be asked, and it is there for both.
    bob.choose(&mut browser, "ada", "Message");
    bob.until(&mut browser, &room("direct"));
    bob.say(&mut browser, "between us");
    ada.until(
        &mut browser,
        "[...document.querySelectorAll('[data-testid=room]')].some(it => it.textContent === '@ bob')",
    );
}
