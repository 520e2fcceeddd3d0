//! - A revocation closes the connections that it is about, on every transport, and refuses what
//!   comes later.
//! - Only the server's side revokes.

use serde_json::json;
use throng::Timestamp;
use throng::UserId;

use super::world::World;
use crate::binary::Ws;

const ADMIN: &str = "-~admin=auth.revoke";

#[test]
fn a_revoked_token_ends_its_connections() {
    let world = World::new(|builder| builder);
    let mut one = world.ws("ada~id=one");
    let mut two = world.ws("ada~id=two");
    let (mut stream, _) = world.sse("/sse", "ada~id=one");
    let body = json!({"token_id": "one", "expires_at": "2999-01-01T00:00:00Z"}).to_string();
    assert_eq!(world.api("POST", "/auth/revoke", ADMIN, &body).status, 204);
    assert_eq!(one.closed().0, 3510);
    assert_eq!(one.farewell()["reconnect"], false);
    assert_eq!(stream.rest().pop().unwrap().1["data"]["code"], 3510);
    assert_eq!(two.ask(r#"{"id":1,"type":"ping"}"#)["type"], "pong");

    let bearer = [("authorization", "Bearer ada~id=one")];
    assert_eq!(
        Ws::open_with(world.address, "/ws", &bearer).err(),
        Some(401)
    );
    for path in ["/sse", "/api/v1/channels/find"] {
        let refused = world.request("GET", path, &bearer, "");
        assert_eq!(
            refused.problem(),
            (401, "token_revoked".to_owned()),
            "{path}"
        );
    }
    let refreshed = two.ask(r#"{"id":1,"type":"auth.refresh","token":"ada~id=one"}"#);
    assert_eq!(refreshed["data"]["code"], "token_revoked", "{refreshed}");
}

#[test]
fn the_tokens_of_a_user_are_revoked_together() {
    let world = World::new(|builder| builder);
    let mut ada = world.ws("ada~id=one");
    let mut bob = world.ws("bob");
    let revocations = world.gateway.revocations().unwrap();
    let before = Timestamp::since_unix_epoch(std::time::UNIX_EPOCH.elapsed().unwrap());
    let user = UserId::parse("ada").unwrap();
    revocations.revoke_user(&user, before, None).unwrap();
    assert_eq!(ada.closed().0, 3510);
    assert_eq!(bob.ask(r#"{"id":1,"type":"ping"}"#)["type"], "pong");
    let body = r#"{"user_id":"bob"}"#;
    assert_eq!(world.api("POST", "/auth/revoke", ADMIN, body).status, 204);
    assert_eq!(bob.closed().0, 3510);
}

#[test]
fn only_the_server_revokes_and_says_what() {
    let world = World::new(|builder| builder);
    let mut ws = world.ws("ada");
    let refused = ws.ask(r#"{"id":1,"type":"auth.revoke","user_id":"bob"}"#);
    assert_eq!(refused["data"]["code"], "permission_denied", "{refused}");
    let revoke = |key: &str, body: &str| world.api("POST", "/auth/revoke", key, body).problem();
    assert_eq!(
        revoke("-~admin=stats", r#"{"user_id":"bob"}"#).1,
        "insufficient_scope"
    );
    for (body, code) in [
        ("{}", "missing_field"),
        (r#"{"user_id":"a","token_id":"b"}"#, "invalid_field"),
        (
            r#"{"token_id":"b","issued_before":"2020-01-01T00:00:00Z"}"#,
            "invalid_field",
        ),
        (
            r#"{"user_id":"a","issued_before":"yesterday"}"#,
            "invalid_field",
        ),
        (r#"{"token_id":""}"#, "invalid_field"),
    ] {
        assert_eq!(revoke(ADMIN, body).1, code, "{body}");
    }
}
