//! - A connection without credentials is no client of the hub before it has shown some.
//! - Anything else than credentials is refused, and the connection closed with 3500.
//! - The lobby has a bound, and its memory as well; whoever finds it full is told to come back.

use std::time::Duration;

use serde_json::json;
use throng::transport::Lobby;

use super::world::World;
use super::world::auth;
use crate::binary::Ws;

#[test]
fn the_first_message_decides() {
    let world = World::new(|builder| builder);
    let mut ws = world.lobby();
    assert_eq!(ws.ping(b"there?"), &b"there?"[..]);
    assert_eq!(world.gateway.connections(), 0, "it is no client");
    // What comes behind in the same breath is not lost.
    ws.say(&auth("ada"));
    ws.say(r#"{"id":1,"type":"ping"}"#);
    let mut ws = ws.greeted();
    assert_eq!(ws.greeting()["user"], "ada");
    assert_eq!(ws.expect("pong")["reply_to"], 1);
    assert_eq!(world.gateway.connections(), 1);
}

#[test]
fn anything_else_is_refused_and_closed() {
    let world = World::new(|builder| builder);
    for (message, code) in [
        (r#"{"id":7,"type":"ping"}"#, "unauthenticated"),
        (
            r#"{"id":7,"type":"subscribe","channel_id":"a"}"#,
            "unauthenticated",
        ),
        (
            r#"{"id":7,"type":"room.join","room_id":"a"}"#,
            "unauthenticated",
        ),
        (r#"{"id":7,"type":"no.such"}"#, "unauthenticated"),
        (r#"{"id":7,"type":"nonsense"}"#, "unauthenticated"),
        (r#"{"id":7,"type":"auth"}"#, "missing_field"),
        (r#"{"id":7,"type":"auth","token":""}"#, "invalid_field"),
        (
            r#"{"id":7,"type":"auth","token":"ada","more":1}"#,
            "invalid_field",
        ),
    ] {
        let mut ws = world.lobby();
        let told = ws.ask(message);
        assert_eq!(told["type"], "error", "{told}");
        assert_eq!(
            (&told["data"]["code"], &told["reply_to"]),
            (&json!(code), &json!(7)),
            "{told}"
        );
        assert_eq!(ws.closed().0, 3500, "{message}");
    }
    let mut ws = world.lobby();
    ws.send(tungstenite::Message::binary(vec![1]));
    assert_eq!(ws.expect("error")["data"]["code"], "unauthenticated");
    assert_eq!(ws.closed().0, 3500);
    let mut ws = world.lobby();
    let told = ws.ask(&auth("expired"));
    assert_eq!(told["data"]["code"], "token_expired");
    assert_eq!(ws.closed().0, 3005);
    let mut ws = world.lobby();
    assert_eq!(ws.ask(&auth("what?"))["data"]["code"], "token_invalid");
    assert_eq!(ws.closed().0, 3500);
    let mut ws = world.lobby();
    ws.say(&auth(&"a".repeat(20 << 10)));
    assert_eq!(ws.closed().0, 1009);
}

#[test]
fn a_connection_that_shows_nothing_in_time_is_closed() {
    let lobby = Lobby::new().timeout(Duration::from_millis(20));
    let world = World::new(|builder| builder.lobby(lobby));
    let mut ws = world.lobby();
    assert_eq!(ws.expect("error")["data"]["code"], "auth_timeout");
    assert_eq!(ws.closed().0, 3500);
}

#[test]
fn a_full_lobby_says_come_back_later() {
    let lobby = Lobby::new().max_connections(3).max_per_address(2);
    let world = World::new(|builder| builder.lobby(lobby));
    let (mut one, _two) = (world.lobby(), world.lobby());
    // Answered, so it is there.
    assert_eq!(one.ping(b"x"), &b"x"[..]);
    assert_eq!(Ws::open_with(world.address, "/ws", &[]).err(), Some(503));
    let origin = format!("http://{}", world.address);
    let mut page = Ws::open_with(world.address, "/ws", &[("origin", &origin)]).unwrap();
    assert_eq!(page.closed().0, 3023);
    assert_eq!(page.farewell()["reconnect"], true);
    // Those with credentials need no place.
    let bearer = [("authorization", "Bearer ada")];
    Ws::open_with(world.address, "/ws", &bearer)
        .unwrap()
        .greeted();
    one.say(&auth("ada"));
    one = one.greeted();
    assert_eq!(one.greeting()["user"], "ada");
    let mut three = world.lobby();
    assert_eq!(three.ping(b"x"), &b"x"[..], "its place is free again");
}
