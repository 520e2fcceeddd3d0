//! - An authenticator that panics or hangs refuses its credentials with 503, and nothing else.
//! - An authenticator is asked once for each request that shows credentials.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::world::World;
use super::world::auth;
use crate::binary::Ws;

#[test]
fn a_panic_or_a_hang_refuses_and_nothing_else() {
    let world = World::new(|builder| builder.auth_timeout(Duration::from_millis(20)));
    let mut other = world.ws("ada");
    for token in ["panics", "panics-later", "hangs"] {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", &*bearer)];
        for path in ["/sse", "/api/v1/stats"] {
            let refused = world.request("GET", path, &headers, "");
            assert_eq!(
                refused.problem(),
                (503, "auth_unavailable".to_owned()),
                "{token} {path}"
            );
            assert!(refused.header("retry-after").is_some());
        }
        assert_eq!(
            Ws::open_with(world.address, "/ws", &headers).err(),
            Some(503),
            "{token}"
        );
        let mut ws = world.lobby();
        assert_eq!(ws.ask(&auth(token))["data"]["code"], "auth_unavailable");
        let (code, _) = ws.closed();
        assert!(code < 3500, "it may come back: {code}");
        let refresh = format!(r#"{{"id":1,"type":"auth.refresh","token":"{token}"}}"#);
        assert_eq!(other.ask(&refresh)["data"]["code"], "auth_unavailable");
        assert_eq!(other.ask(r#"{"id":1,"type":"ping"}"#)["type"], "pong");
    }
}

#[test]
fn a_decision_that_takes_time_is_waited_for() {
    let world = World::new(|builder| builder);
    let ws = world.ws("ada~id=later");
    assert_eq!(ws.greeting()["user"], "ada");
    let (_stream, connected) = world.sse("/sse", "ada~id=later");
    assert_eq!(connected["data"]["user"], "ada");
    let found = world.api("GET", "/channels/find", "ada~id=later", "");
    assert_eq!(found.status, 200, "{found:?}");
}

#[test]
fn an_authenticator_is_asked_once_for_each_request() {
    let world = World::new(|builder| builder);
    // Relaxed: nothing is asked any more when it is read.
    let asked = || world.tokens.asked.swap(0, Ordering::Relaxed);
    let mut ws = world.ws("ada");
    // Once for the handshake without credentials, once for the message.
    assert_eq!(asked(), 2);
    for id in 0..5 {
        ws.ask(&format!(r#"{{"id":{id},"type":"ping"}}"#));
    }
    ws.join("news");
    assert_eq!(asked(), 0, "messages are not decided about");
    ws.ask(r#"{"id":1,"type":"auth.refresh","token":"ada"}"#);
    assert_eq!(asked(), 1);
    let (_stream, connected) = world.sse("/sse", "ada");
    assert_eq!(asked(), 1);
    let token = connected["data"]["stream_token"].as_str().unwrap();
    let path = format!("/sse/{token}/subscribe");
    let headers = [("authorization", "Bearer ada")];
    let body = r#"{"channels":["a","b","c"]}"#;
    let joined = world.request("POST", &path, &headers, body);
    assert_eq!(joined.status, 200, "{joined:?}");
    assert_eq!(asked(), 1);
    let batch = r#"{"requests":[{"type":"ping"},{"type":"ping"}]}"#;
    assert_eq!(world.api("POST", "/batch", "ada", batch).status, 200);
    assert_eq!(asked(), 1);
}
