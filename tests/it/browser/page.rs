//! What a user does on the page, and what is to be seen there.

use serde_json::json;

use crate::binary::Throng;

use super::connected;
use super::devtools::Browser;
use super::devtools::Tab;

/// The page of one user.
pub(super) struct Page(pub(super) Tab);

impl Page {
    pub(super) fn open(browser: &mut Browser, throng: &Throng, user: &str) -> Self {
        Self(connected(browser, throng, user))
    }

    /// Loads the page again, as a user does, and waits until it is connected.
    pub(super) fn reload(&self, browser: &mut Browser) {
        browser.reload(&self.0);
        self.until(
            browser,
            "document.querySelector('[data-testid=state]').dataset.state === 'open'",
        );
    }

    pub(super) fn until(&self, browser: &mut Browser, condition: &str) {
        browser.until(&self.0, condition);
    }

    pub(super) fn click(&self, browser: &mut Browser, id: &str) {
        browser.evaluate(&self.0, &format!("{}.click()", by_id(id)));
    }

    pub(super) fn fill(&self, browser: &mut Browser, id: &str, text: &str) {
        self.put(browser, id, text, "input");
    }

    pub(super) fn set(&self, browser: &mut Browser, id: &str, value: &str) {
        self.put(browser, id, value, "change");
    }

    pub(super) fn put(&self, browser: &mut Browser, id: &str, value: &str, event: &str) {
        let script = format!(
            "(() => {{ const it = {}; it.value = {}; it.dispatchEvent(new Event('{event}')); }})()",
            by_id(id),
            json!(value)
        );
        browser.evaluate(&self.0, &script);
    }

    pub(super) fn say(&self, browser: &mut Browser, text: &str) {
        self.fill(browser, "room-input", text);
        self.click(browser, "room-send");
    }

    /// Chooses what to do with a member.
    pub(super) fn choose(&self, browser: &mut Browser, user: &str, action: &str) {
        let menu = format!("[data-user={user}] [data-testid=member-action]");
        self.pick(browser, &menu, action);
    }

    /// Chooses what to do with the room.
    pub(super) fn act(&self, browser: &mut Browser, action: &str) {
        self.pick(browser, "[data-testid=room-action]", action);
    }

    pub(super) fn pick(&self, browser: &mut Browser, menu: &str, action: &str) {
        let option = format!(
            "[...document.querySelectorAll('{menu} option')].find(it => it.text === '{action}')"
        );
        self.until(browser, &option);
        let script = format!(
            "(() => {{ const option = {option}; const menu = option.closest('select');
               menu.value = option.value; menu.dispatchEvent(new Event('change')); }})()"
        );
        browser.evaluate(&self.0, &script);
    }

    /// Makes an invite for whoever has it.
    pub(super) fn invite_code(&self, browser: &mut Browser) -> String {
        self.click(browser, "invite");
        let code = by_id("invite-code");
        self.until(
            browser,
            &format!("!{code}.hidden && {code}.textContent.includes('.')"),
        );
        let text = browser.evaluate(&self.0, &format!("{code}.textContent"));
        text.as_str().unwrap().to_owned()
    }
}

pub(super) fn by_id(id: &str) -> String {
    format!("document.querySelector('[data-testid={id}]')")
}

pub(super) fn room(name: &str) -> String {
    format!(
        "!{}.hidden && {}.textContent === '{name}'",
        by_id("room-card"),
        by_id("room-name")
    )
}

pub(super) fn member(user: &str, what: &str, value: &str) -> String {
    format!(
        "document.querySelector('[data-testid=room-member][data-user={user}]')?.dataset.{what} === '{value}'"
    )
}

pub(super) fn typing(text: &str) -> String {
    format!("{}.textContent === {}", by_id("typing"), json!(text))
}

pub(super) fn message(user: &str, text: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-testid=room-message]')].some(it =>
            it.querySelector('.who').textContent === '{user}'
            && it.querySelector('.what').textContent === {})",
        json!(text)
    )
}

pub(super) fn event(text: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-testid=room-event] .what')].some(it => it.textContent.startsWith('{text}'))"
    )
}

pub(super) fn toast(text: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-testid=toast]')].some(it => it.textContent.startsWith('{text}'))"
    )
}
