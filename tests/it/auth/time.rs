//! - A connection is told before its token expires, may show another, and is closed if it does not;
//!   an event stream ends.
//! - A refresh is for the same user, and ends what the new token does not allow.
//! - With `validate_on_message`, each request is refused once the token has expired.

use std::time::Duration;

use super::world::World;
use crate::support::eventually;

const MINUTE: &str = "ada~exp=60000";

#[test]
fn a_token_that_expires_is_told_and_then_closes() {
    let world = World::new(|builder| builder);
    let mut ws = world.ws(MINUTE);
    let left = ws.greeting()["expires_in_ms"].as_u64().unwrap();
    assert!((50_000..=60_000).contains(&left), "{left}");
    let (mut stream, connected) = world.sse("/sse", MINUTE);
    assert!(connected["data"]["expires_in_ms"].is_u64(), "{connected}");
    let mut forever = world.ws("bob");
    assert!(forever.greeting().get("expires_in_ms").is_none());

    world.clock.advance(Duration::from_secs(40));
    let told = ws.expect("expiring");
    let left = told["data"]["expires_in_ms"].as_u64().unwrap();
    assert!((10_000..=20_000).contains(&left), "{told}");
    assert_eq!(stream.expect("expiring")["type"], "expiring");
    // The token has expired, and the connection has some grace.
    world.clock.advance(Duration::from_secs(25));
    assert_eq!(ws.ask(r#"{"id":1,"type":"ping"}"#)["type"], "pong");
    world.clock.advance(Duration::from_secs(25));
    assert_eq!(ws.closed().0, 3005);
    assert_eq!(ws.farewell()["reconnect"], true);
    let last = stream.rest().pop().unwrap();
    assert_eq!(last.1["data"]["code"], 3005, "{last:?}");
    assert_eq!(forever.ask(r#"{"id":1,"type":"ping"}"#)["type"], "pong");
}

#[test]
fn a_refresh_keeps_the_connection() {
    let world = World::new(|builder| builder);
    let mut ws = world.ws(MINUTE);
    world.clock.advance(Duration::from_secs(40));
    ws.expect("expiring");
    let refreshed = ws.ask(r#"{"id":1,"type":"auth.refresh","token":"ada~exp=3600000"}"#);
    assert_eq!(refreshed["type"], "ack", "{refreshed}");
    assert!(
        refreshed["data"]["expires_in_ms"].as_u64().unwrap() > 3_000_000,
        "{refreshed}"
    );
    world.clock.advance(Duration::from_secs(600));
    ws.join("news");
    for (token, code) in [
        ("bob", "token_invalid"),
        ("expired", "token_expired"),
        ("-", "token_invalid"),
    ] {
        let refresh = format!(r#"{{"id":1,"type":"auth.refresh","token":"{token}"}}"#);
        let refused = ws.ask(&refresh);
        assert_eq!(refused["data"]["code"], code, "{refused}");
    }
    let late = ws.ask(r#"{"id":1,"type":"auth","token":"ada"}"#);
    assert_eq!(late["data"]["code"], "invalid_field", "{late}");
    assert_eq!(ws.ask(r#"{"id":1,"type":"ping"}"#)["type"], "pong");
}

#[test]
fn a_narrower_token_ends_what_it_does_not_allow() {
    let world = World::new(|builder| builder);
    let mut ws = world.ws("ada");
    for channel in ["news.a", "other"] {
        ws.join(channel);
    }
    for pattern in ["news.>", "*.*"] {
        ws.say(&format!(
            r#"{{"id":1,"type":"pattern.subscribe","pattern":"{pattern}"}}"#
        ));
        let _told = [ws.push(), ws.push()];
    }
    ws.ask(r#"{"id":1,"type":"room.create","room_id":"den","name":"den"}"#);
    ws.say(r#"{"id":1,"type":"auth.refresh","token":"ada~sub=news.>~rooms=lair"}"#);
    let mut left = Vec::new();
    while left.len() < 3 {
        let push = ws.push();
        if push["type"] == "left" {
            assert_eq!(push["data"]["reason"], "unauthorized", "{push}");
            let names = ["channel_id", "pattern", "room_id"];
            let name = names.iter().find_map(|name| push[name].as_str());
            left.push(name.unwrap().to_owned());
        }
    }
    left.sort();
    assert_eq!(left, ["den", "other", "s:*.*"]);
    let client = world.client_of("ada");
    assert!(client.is_subscribed("news.a"));
    assert!(!client.is_subscribed("other"));
}

#[test]
fn each_request_is_validated_if_that_is_asked_for() {
    let world = World::new(|builder| builder.validate_on_message(true));
    let mut ws = world.ws("ada~exp=60000");
    assert_eq!(ws.ask(r#"{"id":1,"type":"ping"}"#)["type"], "pong");
    world.clock.advance(Duration::from_secs(61));
    ws.expect("expiring");
    let refused = ws.ask(r#"{"id":1,"type":"ping"}"#);
    assert_eq!(refused["data"]["code"], "token_expired", "{refused}");
    let refreshed = ws.ask(r#"{"id":1,"type":"auth.refresh","token":"ada"}"#);
    assert_eq!(
        refreshed["type"], "ack",
        "a refresh is let through: {refreshed}"
    );
    assert_eq!(ws.ask(r#"{"id":1,"type":"ping"}"#)["type"], "pong");
}

#[test]
fn connections_can_be_closed_by_their_identity() {
    let world = World::new(|builder| builder);
    let mut one = world.ws("ada~id=one");
    let mut two = world.ws("ada~id=two");
    let (mut stream, _) = world.sse("/sse", "ada~id=one");
    let revoked = throng::Disconnect::TOKEN_REVOKED;
    let closed = world
        .gateway
        .disconnect_where(&revoked, |it| it.token() == Some("one"));
    assert_eq!(closed, 2);
    assert_eq!(one.closed().0, 3510);
    assert_eq!(one.farewell()["reconnect"], false);
    assert_eq!(stream.rest().pop().unwrap().1["data"]["code"], 3510);
    assert_eq!(two.ask(r#"{"id":1,"type":"ping"}"#)["type"], "pong");
    eventually("they have ended", || world.gateway.connections() == 1);
}
