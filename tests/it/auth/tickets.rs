//! - A ticket opens one connection, as the user for whom it was issued and with the permissions of
//!   the token that it was issued for.

use super::world::World;
use crate::binary::Sse;
use crate::binary::Ws;

/// A ticket, asked for with a token.
fn ticket(world: &World, path: &str, token: &str) -> String {
    let issued = world.api("POST", path, token, "");
    assert_eq!(issued.status, 200, "{issued:?}");
    assert_eq!(issued.json()["expires_in_ms"], 30_000);
    issued.json()["ticket"].as_str().unwrap().to_owned()
}

#[test]
fn a_ticket_opens_one_connection() {
    let world = World::new(|builder| builder);
    let path = format!("/ws?ticket={}", ticket(&world, "/tickets", "ada~sub=news"));
    let mut ws = Ws::open(world.address, &path).greeted();
    assert_eq!(ws.greeting()["user"], "ada");
    let refused = ws.ask(r#"{"id":1,"type":"subscribe","channel_id":"other"}"#);
    assert_eq!(refused["data"]["code"], "insufficient_scope", "{refused}");
    assert_eq!(
        Ws::open_with(world.address, &path, &[]).err(),
        Some(401),
        "used"
    );
    let path = format!("/sse?ticket={}", ticket(&world, "/tickets", "ada"));
    let mut stream = Sse::open(world.address, &path, &[]);
    assert_eq!(stream.expect("connected")["data"]["user"], "ada");
    assert_eq!(
        world.request("GET", &path, &[], "").problem().1,
        "token_invalid"
    );
}

#[test]
fn a_key_issues_tickets_for_users() {
    let world = World::new(|builder| builder);
    let key = "-~admin=ticket.create~admin=actor";
    let path = format!("/ws?ticket={}", ticket(&world, "/tickets?actor=ada", key));
    assert_eq!(
        Ws::open(world.address, &path).greeted().greeting()["user"],
        "ada"
    );
    let nobody = world.api("POST", "/tickets", key, "");
    assert_eq!(nobody.problem().1, "unauthenticated", "{nobody:?}");
}
