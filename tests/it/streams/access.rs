//! Streams belong to their users, and a bad request is answered before anything is spent.

use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use bytes::Bytes;
use http_body::Body;
use hyper::Method;
use hyper::Response;
use hyper::StatusCode;
use hyper::header;
use serde_json::json;
use throng::AuthRequest;
use throng::Authorization;
use throng::ConnectOptions;
use throng::Gateway;
use throng::Hub;
use throng::transport::Transport;
use throng::transport::Unauthenticated;
use throng::transport::sse::SseBody;
use throng::transport::sse::SseConfig;
use throng::transport::ws::Origins;

use crate::event_stream::Event;

use super::Reader;
use super::ask;
use super::change;
use super::gateway_of;
use super::json_of;
use super::names;
use super::request;
use super::runtime;
use super::whole;

#[test]
fn a_stream_belongs_to_its_user() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let gateway = Gateway::builder(hub.clone())
        .authenticate(|request| {
            let user = request.headers.get("x-user").map(|user| user.to_str());
            match user {
                Some(Ok("nobody")) => Ok(ConnectOptions::new()),
                Some(Ok(user)) => Ok(ConnectOptions::new().user(user)),
                _ => Err(Unauthenticated::new("who are you?")),
            }
        })
        .build();
    let (ada, bob, nobody) = (
        [("x-user", "ada")],
        [("x-user", "bob")],
        [("x-user", "nobody")],
    );
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a", &ada);
    let body = r#"{"channels":["b"]}"#;
    for what in ["subscribe", "unsubscribe"] {
        let post = |connection: &str, headers| change(&gateway, connection, what, body, headers);
        let missing = post(&"0".repeat(32), &ada);
        assert_eq!(missing.0, StatusCode::NOT_FOUND);
        assert_eq!(missing.1["code"], "unknown_stream");
        let upper = reader.connection.to_uppercase();
        for (connection, headers) in [
            (reader.connection.as_str(), &bob),
            (&reader.connection, &nobody),
            ("", &ada),
            ("x", &ada),
            ("+0000000000000000000000000000001", &ada),
            (&format!("{}0", reader.connection), &ada),
            (
                if upper == reader.connection {
                    ""
                } else {
                    &upper
                },
                &ada,
            ),
        ] {
            assert_eq!(post(connection, headers), missing, "{connection}");
        }
        let stranger = post(&reader.connection, &[]);
        assert_eq!(
            (stranger.0, &stranger.1["code"]),
            (StatusCode::UNAUTHORIZED, &json!("unauthenticated"))
        );
    }
    assert_eq!(hub.subscriber_count("b"), 0);
    let mine = change(&gateway, &reader.connection, "subscribe", body, &ada);
    assert_eq!(mine.0, StatusCode::OK);
    assert_eq!(names(&reader.read()), ["joined"]);
    let stranger = whole(ask(&gateway, "/sse", &[]));
    assert_eq!(stranger["status"], 401);
    // A stream that has ended is as one that never was.
    let gone = reader.connection.clone();
    drop(reader);
    let late = change(&gateway, &gone, "subscribe", body, &ada);
    assert_eq!(late.0, StatusCode::NOT_FOUND);
}

#[test]
fn ids_of_streams_are_not_guessed() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let gateway = Gateway::new(Hub::new());
    let readers: Vec<_> = (0..64)
        .map(|_| Reader::open(&gateway, "/sse", &[]).0)
        .collect();
    let mut ids: Vec<_> = readers.iter().map(|reader| &reader.connection).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 64);
    assert!(ids.iter().all(|id| id.len() == 32));
    // Each digit varies, so none of it is a counter.
    for digit in 0..32 {
        let first = ids[0].as_bytes()[digit];
        assert!(
            ids.iter().any(|id| id.as_bytes()[digit] != first),
            "digit {digit}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_request_is_said_and_nothing_is_spent() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let gateway = Gateway::new(hub.clone());
    let many = format!(
        "/sse?channels={}",
        (0..65).map(|n| n.to_string()).collect::<Vec<_>>().join(",")
    );
    let long = format!("/sse?channel={}", "x".repeat(165));
    let id = format!("/sse?last_event_id={}", "x".repeat(4097));
    for (path, code, field) in [
        ("/sse?channels=a%0a", "invalid_channel", "channels"),
        ("/sse?channel=", "invalid_channel", "channel"),
        ("/sse?channel=%ff", "invalid_field", "channel"),
        ("/sse?channel=%4", "invalid_field", "channel"),
        ("/sse?channels=%zz", "invalid_field", "channels"),
        (
            "/sse?last_event_id=a&lastEventId=a",
            "invalid_field",
            "last_event_id",
        ),
        (&many, "too_many_subscriptions", "channels"),
        (&long, "invalid_channel", "channel"),
        (&id, "invalid_field", "last_event_id"),
    ] {
        let response = ask(&gateway, path, &[]);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let problem = whole(response);
        assert_eq!(
            (&problem["status"], &problem["code"], &problem["field"]),
            (&json!(400), &json!(code), &json!(field)),
            "{path}"
        );
    }
    for (accept, status) in [
        ("text/event-stream", 200),
        ("*/*", 200),
        ("text/*;q=0.1, application/json", 200),
        ("", 200),
        ("TEXT/EVENT-STREAM; q=1", 200),
        ("text/html", 406),
        ("text/event-stream;q=0, */*", 406),
        ("*/*;q=0", 406),
        ("text/*; q=0.0, */*", 406),
    ] {
        let response = ask(&gateway, "/sse", &[("accept", accept)]);
        assert_eq!(response.status(), status, "{accept}");
    }
    let (parts, _) = request(Method::PUT, "/sse", &[]).into_parts();
    let wrong = super::opened(&gateway, &parts);
    assert_eq!(
        (wrong.status().as_u16(), &wrong.headers()[header::ALLOW]),
        (405, &"GET, HEAD".parse().unwrap())
    );
    let connected = hub.stats().connected;
    let (parts, _) = request(Method::HEAD, "/sse?channels=a", &[]).into_parts();
    let head = super::opened(&gateway, &parts);
    assert_eq!(head.headers()[header::CONTENT_TYPE], "text/event-stream");
    assert!(head.body().is_end_stream());
    assert_eq!(hub.stats().connected, connected, "a HEAD connects nobody");
    assert_eq!(connected, 5, "only those that got a stream");
}

#[test]
fn what_is_wrong_with_a_change_is_said() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let gateway = gateway_of(Hub::new(), SseConfig::new().max_body(200).max_channels(3));
    let (reader, _) = Reader::open(&gateway, "/sse", &[]);
    let long = format!(r#"{{"channels":["{}"]}}"#, "x".repeat(200));
    for (body, status, code) in [
        ("", 400, "invalid_json"),
        ("[]", 400, "invalid_json"),
        (r#"[["a"]]"#, 400, "invalid_json"),
        ("{}", 400, "missing_field"),
        (r#"{"channels":"a"}"#, 400, "invalid_json"),
        (r#"{"channels":["a","b","c","d"]}"#, 413, "too_large"),
        (
            r#"{"channels":["a"],"since":{"a":{"offset":1,"epoch":"x"}}}"#,
            400,
            "invalid_field",
        ),
        (&long, 413, "too_large"),
    ] {
        let (status_is, problem) = change(&gateway, &reader.connection, "subscribe", body, &[]);
        assert_eq!(
            (status_is.as_u16(), &problem["code"]),
            (status, &json!(code)),
            "{body}"
        );
    }
    let headers = [("content-type", "text/plain")];
    let body = r#"{"channels":["a"]}"#;
    let (status, _) = change(&gateway, &reader.connection, "subscribe", body, &headers);
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    // Names are escaped as JSON has it.
    let (status, _) = change(
        &gateway,
        &reader.connection,
        "subscribe",
        r#"{"channels":["\u0061"]}"#,
        &[],
    );
    assert_eq!(status, StatusCode::OK);
    assert_eq!(gateway.hub().subscriber_count("a"), 1);
    let broken = Bytes::from_static(b"{\"channels\":[\"\xff\"]}");
    let mut request = request(Method::POST, "/", &[("content-type", "application/json")]);
    *request.body_mut() = broken.into();
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(response) =
        pin!(gateway.sse_subscribe(&reader.connection, request)).poll(&mut context)
    else {
        panic!("nothing is waited for");
    };
    assert_eq!(whole(response)["code"], "invalid_utf8");
    // What was said to the stream is counted, as far as it was read.
    let stats = gateway.stats(Transport::Sse);
    assert_eq!((stats.frames_in, stats.bytes_in > 100), (10, true));
}

#[test]
fn members_come_and_go() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .authorizer(|_: &AuthRequest| Authorization::Allow)
        .build()
        .unwrap();
    let gateway = Gateway::builder(hub)
        .authenticate(|request| Ok(ConnectOptions::new().user(request.uri.path())))
        .build();
    let (mut ada, events) = Reader::open(&gateway, "/ada?channels=presence-room", &[]);
    let members = |event: &Event| json_of(event)["data"]["members"].clone();
    assert_eq!(members(&events[0]), json!([{"id": "/ada"}]));
    let (bob, events) = Reader::open(&gateway, "/bob?channels=presence-room", &[]);
    assert_eq!(members(&events[0]).as_array().unwrap().len(), 2);
    drop(bob);
    let events = ada.read();
    assert_eq!(names(&events), ["member_added", "member_removed"]);
    for (event, offset) in events.iter().zip(["2", "3"]) {
        assert_eq!(json_of(event)["data"]["id"], "/bob");
        assert!(
            event.id.starts_with(&format!("presence-room@{offset}.")),
            "{}",
            event.id
        );
    }
}

#[test]
fn pages_that_may_connect_may_read_and_others_may_not() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let friends = Origins::list(["https://friend.example"]).unwrap();
    let gateway = Gateway::builder(hub.clone()).origins(friends).build();
    let friend = [("host", "here"), ("origin", "https://friend.example")];
    let evil = [("host", "here"), ("origin", "https://evil.example")];
    let credentials = |response: &Response<SseBody>| {
        let headers = response.headers();
        let header = |name| {
            headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        (
            header(header::ACCESS_CONTROL_ALLOW_ORIGIN),
            header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS),
            header(header::VARY),
        )
    };
    let text = |text: &str| Some(text.to_owned());
    let all = (text("https://friend.example"), text("true"), text("Origin"));
    let response = ask(&gateway, "/sse", &friend);
    assert_eq!(
        (response.status().as_u16(), credentials(&response)),
        (200, all.clone())
    );
    // It is told what it did wrong, too.
    let response = ask(&gateway, "/sse?channel=", &friend);
    assert_eq!(
        (response.status().as_u16(), credentials(&response)),
        (400, all.clone())
    );
    let response = ask(&gateway, "/sse", &[("host", "here")]);
    assert_eq!(
        (response.status().as_u16(), credentials(&response)),
        (200, (None, None, text("Origin")))
    );
    let response = ask(&gateway, "/sse", &evil);
    assert_eq!(
        (response.status().as_u16(), credentials(&response)),
        (403, (None, None, None))
    );
    assert_eq!(whole(response)["code"], "forbidden_origin");

    let preflight = |headers: &[(&str, &str)]| {
        let mut request = request(Method::OPTIONS, "/", headers);
        let asked = "content-type".parse().unwrap();
        request
            .headers_mut()
            .insert(header::ACCESS_CONTROL_REQUEST_HEADERS, asked);
        let mut context = Context::from_waker(Waker::noop());
        match pin!(gateway.sse_subscribe("x", request)).poll(&mut context) {
            Poll::Ready(response) => response,
            Poll::Pending => panic!("nothing is waited for"),
        }
    };
    let response = preflight(&friend);
    assert_eq!(
        (response.status().as_u16(), credentials(&response)),
        (204, all)
    );
    assert_eq!(
        response.headers()[header::ACCESS_CONTROL_ALLOW_METHODS],
        "GET, POST"
    );
    assert_eq!(
        response.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS],
        "content-type"
    );
    assert_eq!(preflight(&evil).status(), 403);
    let (reader, _) = Reader::open(&gateway, "/sse", &friend);
    let body = r#"{"channels":["a"]}"#;
    let (status, _) = change(&gateway, &reader.connection, "subscribe", body, &evil);
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(hub.subscriber_count("a"), 0);
}
