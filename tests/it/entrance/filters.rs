//! - A filter and a schema hold on every transport and on edits, and are added, listed and removed
//!   while the server runs.
//! - Flags are in the metadata that receivers and the history have; no sender forges them.
//! - The sender of a blocked message is told which rule it broke.

use serde_json::Value;
use serde_json::json;
use throng::policy::Action;
use throng::policy::FilterConfig;
use throng::policy::Schema;
use throng::policy::Scope;

use super::world::World;
use crate::binary::Ws;

fn add(world: &World, what: &str, value: &Value) {
    let body = json!({ what: value }).to_string();
    let added = world.post(&format!("/api/v1/{what}s"), &body);
    assert_eq!(added.status, 204, "{added:?}");
}

/// Publishes by every transport: the code that each was refused with.
fn published(world: &World, ws: &mut Ws, data: &str) -> Vec<Value> {
    let publish = format!(r#"{{"id":1,"type":"publish","channel_id":"chat","data":{data}}}"#);
    let mut conn = world.conn("bob");
    let rest = world.post(
        "/api/v1/channels/chat/publish",
        &format!(r#"{{"data":{data}}}"#),
    );
    let batch = json!({"id": 2, "type": "batch", "requests": [
        {"type": "publish", "channel_id": "chat", "data": serde_json::from_str::<Value>(data).unwrap()},
    ]});
    let batch = ws.reply(&batch.to_string());
    vec![
        ws.reply(&publish)["data"].clone(),
        conn.reply(&publish)["data"].clone(),
        rest.json(),
        batch["data"]["replies"][0]["error"].clone(),
    ]
}

#[test]
fn a_filter_comes_and_goes_while_the_server_runs_and_holds_everywhere() {
    let world = World::new(|builder| builder);
    let mut ws = world.ws("ada");
    let spam = r#"{"a":["buy SPAM now"]}"#;
    for came in published(&world, &mut ws, spam) {
        assert_eq!(came["code"], Value::Null, "{came}");
    }
    add(
        &world,
        "filter",
        &json!({"name": "profanity", "kind": "words", "words": ["spam"]}),
    );
    for refused in published(&world, &mut ws, spam) {
        assert_eq!(refused["code"], "message_blocked", "{refused}");
        assert_eq!(
            refused["errors"],
            json!([{"path": "", "rule": "words"}]),
            "{refused}"
        );
    }
    let listed = world.request("GET", "/api/v1/filters", "").json();
    let filter = &listed["filters"][0];
    assert_eq!(filter["name"], "profanity");
    assert_eq!(
        (&filter["checked"], &filter["blocked"]),
        (&json!(4), &json!(4))
    );
    let removed = world.request("DELETE", "/api/v1/filters/profanity", "");
    assert_eq!(removed.status, 204, "{removed:?}");
    let again = world.request("DELETE", "/api/v1/filters/profanity", "");
    assert_eq!(again.json()["code"], "unknown_filter");
    for came in published(&world, &mut ws, spam) {
        assert_eq!(came["code"], Value::Null, "{came}");
    }
    let refused = ws.reply(r#"{"id":9,"type":"filter.list"}"#);
    assert_eq!(refused["data"]["code"], "permission_denied", "{refused}");
    let wrong = json!({"filter": {"name": "x", "kind": "words", "wrods": ["a"]}}).to_string();
    let wrong = world.post("/api/v1/filters", &wrong);
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("wrods"), "{wrong:?}");
}

#[test]
fn rooms_users_and_edits_are_filtered_and_flags_reach_receivers_and_the_history() {
    let world = World::new(|builder| {
        let words = FilterConfig::words("profanity", ["darn"]).action(Action::Flag);
        let stars = FilterConfig::words("stars", ["spam"]).action(Action::Replace);
        builder
            .filter(words.build().unwrap())
            .filter(stars.build().unwrap())
    });
    let mut ada = world.ws("ada");
    assert_eq!(
        ada.reply(r#"{"id":1,"type":"room.create","room_id":"den","name":"den"}"#)["type"],
        "ack"
    );
    ada.say(r#"{"type":"room.send","room_id":"den","text":"darn spam","metadata":{"flags":["forged"],"a":1}}"#);
    let heard = ada.wait_for("message");
    assert_eq!(heard["text"], "darn ***", "{heard}");
    assert_eq!(heard["metadata"], json!({"a": 1, "flags": ["profanity"]}));
    ada.say(r#"{"type":"room.send","room_id":"den","text":"ok","metadata":{"flags":["forged"]}}"#);
    assert_eq!(ada.wait_for("message")["metadata"].get("flags"), None);
    let history = ada.reply(r#"{"id":2,"type":"message.history","room_id":"den"}"#);
    let history = history["data"]["messages"].to_string();
    assert!(history.contains(r#""flags":["profanity"]"#), "{history}");
    assert!(
        !history.contains("forged") && !history.contains("spam"),
        "{history}"
    );
    let edited = ada.reply(
        r#"{"id":3,"type":"message.edit","room_id":"den","message_id":"2","text":"spam, darn"}"#,
    );
    assert_eq!(edited["data"]["text"], "***, darn", "{edited}");
    assert_eq!(
        edited["data"]["metadata"]["flags"],
        json!(["profanity"]),
        "{edited}"
    );
    let sent = world.post("/api/v1/users/ada/messages", r#"{"text":"spam"}"#);
    assert_eq!(sent.status, 200, "{sent:?}");
    loop {
        let push = ada.wait_for("message");
        if push["room_id"] == Value::Null {
            assert_eq!(push["text"], "***", "{push}");
            break;
        }
    }
}

#[test]
fn a_schema_holds_on_every_transport_and_on_edits() {
    let order = json!({
        "type": "object",
        "required": ["sku"],
        "properties": {"sku": {"type": "string", "maxLength": 3}},
    });
    let world = World::new(|builder| {
        let scope = Scope::all().channels("chat").unwrap().category("orders");
        builder.schema(Schema::new("order", &order, scope).unwrap())
    });
    let mut ws = world.ws("ada");
    for came in published(&world, &mut ws, r#"{"sku":"abc"}"#) {
        assert_eq!(came["code"], Value::Null, "{came}");
    }
    for refused in published(&world, &mut ws, r#"{"sku":"abcd"}"#) {
        assert_eq!(refused["code"], "validation_failed", "{refused}");
        assert_eq!(
            refused["errors"],
            json!([{"path": "/sku", "rule": "maxLength"}])
        );
    }
    let create =
        r#"{"id":3,"type":"room.create","room_id":"den","name":"den","category":"orders"}"#;
    assert_eq!(ws.reply(create)["type"], "ack");
    let sent = ws.reply(r#"{"id":4,"type":"room.send","room_id":"den","data":{"sku":"a"}}"#);
    assert_eq!(sent["type"], "ack", "{sent}");
    let refused = ws.reply(
        r#"{"id":5,"type":"message.edit","room_id":"den","message_id":"1","data":{"sku":1}}"#,
    );
    assert_eq!(refused["data"]["code"], "validation_failed", "{refused}");
    assert_eq!(
        refused["data"]["errors"],
        json!([{"path": "/sku", "rule": "type"}])
    );
    let refused = ws.reply(r#"{"id":6,"type":"room.send","room_id":"den","text":"no JSON"}"#);
    assert_eq!(
        refused["data"]["errors"],
        json!([{"path": "", "rule": "type"}]),
        "{refused}"
    );
    assert_eq!(
        world.request("DELETE", "/api/v1/schemas/order", "").status,
        204
    );
    let sent = ws.reply(r#"{"id":7,"type":"room.send","room_id":"den","text":"no JSON"}"#);
    assert_eq!(sent["type"], "ack", "{sent}");
}

#[test]
fn a_schema_is_bound_to_an_event_at_run_time() {
    let world = World::new(|builder| builder);
    let mut ws = world.ws("ada");
    let schema = json!({"name": "tick", "events": ["tick"], "schema": {"type": "number"}});
    add(&world, "schema", &schema);
    let mut publish = |event: &str, data: &str| {
        let publish = format!(
            r#"{{"id":1,"type":"publish","channel_id":"c","event":"{event}","data":{data}}}"#
        );
        ws.reply(&publish)["type"].clone()
    };
    assert_eq!(publish("tick", "1.5"), "ack");
    assert_eq!(publish("tick", r#""x""#), "error");
    assert_eq!(publish("talk", r#""x""#), "ack");
    let listed = world.request("GET", "/api/v1/schemas", "").json();
    assert_eq!(listed["schemas"][0]["events"], json!(["tick"]));
    assert_eq!(listed["schemas"][0]["refused"], 1);
    let wrong = json!({"schema": {"name": "x", "events": ["e"], "schema": {"type": "strin"}}});
    let wrong = world.post("/api/v1/schemas", &wrong.to_string());
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("at `/type`"), "{wrong:?}");
}

#[test]
fn a_filter_looks_into_metadata_and_the_name_of_the_event() {
    let world = World::new(|builder| builder);
    let mut ws = world.ws("ada");
    let words = json!({"name": "profanity", "kind": "words", "words": ["spam"]});
    add(&world, "filter", &words);
    for extra in [r#""metadata":{"title":"SPAM"}"#, r#""event":"spam""#] {
        let publish =
            format!(r#"{{"id":1,"type":"publish","channel_id":"chat","data":1,{extra}}}"#);
        assert_eq!(ws.reply(&publish)["data"]["code"], "message_blocked");
    }
    let masks =
        json!({"name": "profanity", "kind": "words", "words": ["spam"], "action": "replace"});
    add(&world, "filter", &masks);
    let mut listener = world.ws("bob");
    listener.join("chat");
    let publish = r#"{"id":1,"type":"publish","channel_id":"chat","data":1,"metadata":{"n":1,"title":"so SPAM"}}"#;
    ws.reply(publish);
    let message = listener.wait_for("message");
    assert_eq!(message["metadata"], json!({"n": 1, "title": "so ***"}));
    let publish = r#"{"id":1,"type":"publish","channel_id":"chat","data":1,"event":"spam"}"#;
    assert_eq!(ws.reply(publish)["data"]["code"], "message_blocked");
}
