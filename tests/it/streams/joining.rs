//! A refused or pending join holds back nothing else of the stream.

use hyper::StatusCode;
use serde_json::json;
use throng::AuthRequest;
use throng::Authorization;
use throng::Gateway;
use throng::Hub;
use throng::transport::sse::SseConfig;

use crate::support::publish;

use super::Reader;
use super::gateway_of;
use super::json_of;
use super::names;
use super::runtime;
use super::texts;

#[test]
fn who_may_not_join_is_told_and_the_stream_goes_on() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .authorizer(|request: &AuthRequest| match request.auth().as_ref() {
            b"open sesame" => Authorization::Allow,
            _ => Authorization::deny("say\nthe word"),
        })
        .build()
        .unwrap();
    let gateway = Gateway::new(hub.clone());
    let (mut reader, events) = Reader::open(&gateway, "/sse?channels=private-x,a", &[]);
    // What concerns this client alone comes before what the outbox holds.
    assert_eq!(names(&events), ["refused", "joined"]);
    let refused = json_of(&events[0]);
    assert_eq!(
        (
            &refused["type"],
            &refused["channel_id"],
            &refused["data"]["code"]
        ),
        (&json!("error"), &json!("private-x"), &json!("unauthorized"))
    );
    assert!(!reader.id().contains("private-x"), "{}", reader.id());
    let asked = json!({"channels": ["private-x", "a", "b", ""], "auth": "open sesame"});
    let (status, answer) = reader.change(&gateway, "subscribe", &asked);
    assert_eq!(status, StatusCode::MULTI_STATUS);
    let errors: Vec<_> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (
                error["channel"].as_str().unwrap(),
                error["code"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(answer["status"], "partial");
    assert_eq!(
        errors,
        [("a", "already_subscribed"), ("", "invalid_channel")]
    );
    assert_eq!(names(&reader.read()), ["joined", "joined"]);
    let (status, answer) = reader.change(&gateway, "unsubscribe", &json!({"channels": ["b", "z"]}));
    assert_eq!(status, StatusCode::MULTI_STATUS);
    assert_eq!(answer["errors"][0]["code"], "not_subscribed");
    assert_eq!(hub.subscriber_count("b"), 0);
}

#[test]
fn a_join_that_waits_for_leave_holds_back_no_events() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .authorizer(|_: &AuthRequest| Authorization::later(std::future::pending()))
        .build()
        .unwrap();
    let gateway = Gateway::new(hub.clone());
    let (mut reader, events) = Reader::open(&gateway, "/sse?channels=a,private-x", &[]);
    assert_eq!(names(&events), ["joined"]);
    publish(&hub, "a", "at once");
    assert_eq!(texts(&reader.read()), ["at once"]);
}

#[test]
fn a_stream_may_have_many_channels() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .limits(throng::Limits::new().subscriptions(600))
        .build()
        .unwrap();
    let config = SseConfig::new().max_channels(600).max_id(100_000);
    let gateway = gateway_of(hub, config);
    let channels: Vec<_> = (0..600).map(|number| format!("c{number}")).collect();
    let path = format!("/sse?channels={}", channels.join(","));
    let (reader, events) = Reader::open(&gateway, &path, &[]);
    assert_eq!(names(&events), ["joined"; 600]);
    let id = reader.id().to_owned();
    drop(reader);
    let (_reader, events) = Reader::open(&gateway, "/sse", &[("last-event-id", &id)]);
    assert_eq!(
        events.iter().filter(|event| event.name == "joined").count(),
        600
    );
}
