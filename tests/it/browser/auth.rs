//! A page that signs in with a token, refreshes it and is revoked; and a channel of a user's own.

use serde_json::Value;
use serde_json::json;

use crate::auth::served::Keys;
use crate::auth::served::sign;
use crate::binary::Throng;

use super::browser;
use super::devtools::Browser;
use super::devtools::Tab;

/// Opens a page of the server that connects as `user` would: `line` is its socket, `pushes` what
/// came, `closes` the codes of closes.
fn page(browser: &mut Browser, throng: &Throng, token: &str) -> Tab {
    let tab = browser.open(&format!("http://{}/healthz", throng.address));
    let token = json!(token);
    let script = format!(
        "window.pushes = []; window.closes = [];
         window.line = new WebSocket('ws://' + location.host + '/ws',
             ['throng.v1.json', 'throng.bearer.' + {token}]);
         line.onmessage = message => pushes.push(JSON.parse(message.data));
         line.onclose = close => closes.push(close.code);
         window.say = command => line.send(JSON.stringify(command));
         window.reply = id => pushes.find(push => push.reply_to === id);"
    );
    browser.evaluate(&tab, &script);
    tab
}

fn say(browser: &mut Browser, tab: &Tab, command: &Value) -> Value {
    browser.evaluate(tab, &format!("say({command})"));
    let id = &command["id"];
    browser.until(tab, &format!("reply({id})"));
    let reply = browser.evaluate(tab, &format!("JSON.stringify(reply({id}))"));
    serde_json::from_str(reply.as_str().unwrap()).unwrap()
}

fn until_push(browser: &mut Browser, tab: &Tab, condition: &str) {
    browser.until(tab, &format!("pushes.some(push => {condition})"));
}

#[test]
fn a_page_signs_in_refreshes_and_is_revoked() {
    let Some(mut browser) = browser("auth") else {
        return;
    };
    let keys = Keys::new("browser-auth");
    let throng = keys.serve(&["--private-channel", "user.{user}.>"]);
    // So short that it is told at once that its token is about to expire.
    let short = sign(json!({"sub": "ada", "jti": "first", "exp": 31}));
    let ada = page(&mut browser, &throng, &short);
    until_push(
        &mut browser,
        &ada,
        "push.type === 'connected' && push.data.user === 'ada'",
    );
    until_push(
        &mut browser,
        &ada,
        "push.type === 'expiring' && push.data.expires_in_ms > 0",
    );
    let joined = say(
        &mut browser,
        &ada,
        &json!({"id": 1, "type": "subscribe", "channel_id": "user.ada.inbox"}),
    );
    assert_eq!(joined["type"], "joined", "{joined}");
    let long = sign(json!({"sub": "ada", "jti": "second"}));
    let refreshed = say(
        &mut browser,
        &ada,
        &json!({"id": 2, "type": "auth.refresh", "token": long}),
    );
    assert!(
        refreshed["data"]["expires_in_ms"].as_u64().unwrap() > 3_000_000,
        "{refreshed}"
    );

    // Another user can neither join the channel nor publish to it, nor match it by a pattern.
    let bob = page(&mut browser, &throng, &sign(json!({"sub": "bob"})));
    until_push(&mut browser, &bob, "push.type === 'connected'");
    for (id, command) in [
        json!({"type": "subscribe", "channel_id": "user.ada.inbox"}),
        json!({"type": "publish", "channel_id": "user.ada.inbox", "data": "from bob"}),
        json!({"type": "pattern.subscribe", "pattern": "user.ada.>"}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut command = command;
        command["id"] = json!(id + 1);
        let refused = say(&mut browser, &bob, &command);
        assert_eq!(refused["data"]["code"], "unauthorized", "{refused}");
    }
    let wide = json!({"id": 9, "type": "pattern.subscribe", "pattern": ">"});
    assert_eq!(say(&mut browser, &bob, &wide)["type"], "ack");
    let path = "/api/v1/channels/user.ada.inbox/publish";
    let published = keys.api(&throng, path, &json!({"data": "for her"}));
    assert_eq!(published.status, 200, "{published:?}");
    until_push(&mut browser, &ada, "push.data === 'for her'");
    assert_eq!(
        say(&mut browser, &bob, &json!({"id": 10, "type": "ping"}))["type"],
        "pong"
    );
    let leaked = browser.evaluate(&bob, "pushes.some(push => push.data === 'for her')");
    assert_eq!(leaked, false);

    // The same connection all along; the revocation of the first token does not concern it any
    // more, that of the second ends it and says so.
    let revoke = |id: &str| {
        let revoked = keys.api(&throng, "/api/v1/auth/revoke", &json!({"token_id": id}));
        assert_eq!(revoked.status, 204, "{revoked:?}");
    };
    revoke("first");
    assert_eq!(
        say(&mut browser, &ada, &json!({"id": 3, "type": "ping"}))["type"],
        "pong"
    );
    assert_eq!(browser.evaluate(&ada, "closes.length"), 0);
    revoke("second");
    until_push(
        &mut browser,
        &ada,
        "push.type === 'disconnect' && push.data.code === 3510",
    );
    browser.until(&ada, "closes[0] === 3510");

    // A page reads why it is refused.
    let refused = page(&mut browser, &throng, &long);
    until_push(&mut browser, &refused, "push.type === 'disconnect'");
    browser.until(&refused, "closes[0] === 3510");
}
