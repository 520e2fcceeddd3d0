//! - Every carrier is read on every transport that has it; two that differ are refused.
//! - Credentials that are refused are never those of an anonymous caller.
//! - A page is told with a close code, anything else with 401.

use throng::session::Permissions;
use throng::session::Right;

use super::world::World;
use crate::binary::Sse;
use crate::binary::Ws;

#[test]
fn each_carrier_is_read_over_websocket() {
    let world = World::new(|builder| builder.token_in_query(true).auth_cookie("throng"));
    let origin = format!("http://{}", world.address);
    for (path, headers) in [
        ("/ws", &[("authorization", "Bearer ada")][..]),
        ("/ws", &[("x-api-key", "ada")]),
        (
            "/ws",
            &[(
                "sec-websocket-protocol",
                "throng.v1.json, throng.bearer.ada",
            )],
        ),
        ("/ws?token=ada", &[]),
        (
            "/ws",
            &[("authorization", "bearer ada"), ("x-api-key", "ada")],
        ),
        (
            "/ws",
            &[("cookie", "a=b; throng=ada"), ("origin", &*origin)],
        ),
    ] {
        let ws = Ws::open_with(world.address, path, headers)
            .unwrap()
            .greeted();
        assert_eq!(ws.greeting()["user"], "ada", "{path} {headers:?}");
    }
    let cookie = [("cookie", "throng=ada")];
    let mut ws = Ws::open_with(world.address, "/ws", &cookie).unwrap();
    let told = ws.ask(r#"{"type":"ping"}"#);
    assert_eq!(told["data"]["code"], "unauthenticated", "no page asks");
}

#[test]
fn each_carrier_is_read_by_streams_and_the_api() {
    let world = World::new(|builder| builder.token_in_query(true));
    for (query, headers) in [
        ("", &[("authorization", "Bearer ada")][..]),
        ("", &[("x-api-key", "ada")]),
        ("?token=ada", &[]),
    ] {
        let mut stream = Sse::open(world.address, &format!("/sse{query}"), headers);
        assert_eq!(stream.expect("connected")["data"]["user"], "ada");
        let path = format!("/api/v1/channels/find{query}");
        let found = match query {
            // A query of the API has arguments only.
            "" => world.request("GET", &path, headers, ""),
            _ => continue,
        };
        assert_eq!(found.status, 200, "{found:?}");
    }
}

#[test]
fn two_that_differ_are_refused() {
    let world = World::new(|builder| builder);
    let headers = [("authorization", "Bearer ada"), ("x-api-key", "bob")];
    assert_eq!(
        Ws::open_with(world.address, "/ws", &headers).err(),
        Some(400)
    );
    for path in ["/sse", "/api/v1/stats"] {
        let response = world.request("GET", path, &headers, "");
        assert_eq!(
            response.problem(),
            (400, "invalid_field".to_owned()),
            "{path}"
        );
    }
}

#[test]
fn refused_credentials_are_401_and_never_a_guest() {
    let world = World::new(|builder| builder.guests(Permissions::all()));
    for (token, code) in [("expired", "token_expired"), ("un known", "token_invalid")] {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", &*bearer)];
        for path in ["/sse", "/api/v1/stats"] {
            let response = world.request("GET", path, &headers, "");
            assert_eq!(response.problem(), (401, code.to_owned()), "{path}");
            let challenge = response.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer"), "{challenge}");
        }
        let refused = Ws::open_with(world.address, "/ws", &headers);
        assert_eq!(refused.err(), Some(401), "{token}");
    }
}

#[test]
fn a_page_whose_token_is_refused_is_told_by_a_close() {
    let world = World::new(|builder| builder);
    let origin = format!("http://{}", world.address);
    for (token, code, reconnects) in [("expired", 3005, true), ("unknown!", 3500, false)] {
        let offer = format!("throng.v1.json, throng.bearer.{token}");
        let headers = [("origin", &*origin), ("sec-websocket-protocol", &offer)];
        let mut ws = Ws::open_with(world.address, "/ws", &headers).unwrap();
        assert_eq!(ws.closed().0, code);
        assert_eq!(ws.farewell()["reconnect"], reconnects, "{}", ws.farewell());
    }
}

#[test]
fn without_credentials_a_stream_and_the_api_are_401() {
    let world = World::new(|builder| builder);
    for (method, path) in [
        ("GET", "/sse"),
        ("POST", "/sse/none/subscribe"),
        ("POST", "/sse/none/unsubscribe"),
        ("GET", "/api/v1/stats"),
        ("GET", "/api/v1/openapi.json"),
        ("GET", "/asyncapi.json"),
    ] {
        let response = world.request(method, path, &[], r#"{"channels":["a"]}"#);
        let problem = response.problem();
        assert_eq!(problem, (401, "unauthenticated".to_owned()), "{path}");
    }
    for path in ["/", "/healthz"] {
        assert_eq!(world.request("GET", path, &[], "").status, 200, "{path}");
    }
}

#[test]
fn guests_are_let_in_with_their_permissions() {
    let listen = Permissions::none()
        .allow(Right::Subscribe, "news.>")
        .unwrap();
    let world = World::new(|builder| builder.guests(listen));
    let mut ws = world.lobby().greeted();
    assert_eq!(ws.greeting().get("user"), None);
    ws.join("news.today");
    let refused = ws.ask(r#"{"id":1,"type":"publish","channel_id":"news.today","data":1}"#);
    assert_eq!(refused["data"]["code"], "insufficient_scope", "{refused}");
    let mut stream = Sse::open(world.address, "/sse?channels=news.a,other", &[]);
    stream.expect("connected");
    let told = [stream.next().unwrap(), stream.next().unwrap()];
    let names: Vec<_> = told.iter().map(|event| &*event.name).collect();
    assert!(
        names.contains(&"joined") && names.contains(&"refused"),
        "{told:?}"
    );
    let api = world.request("GET", "/api/v1/channels/find", &[], "");
    assert_eq!(api.status, 401, "{api:?}");
}
