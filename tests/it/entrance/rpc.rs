//! - A method is called over every transport, with typed arguments and a typed answer.
//! - Answers keep the order of the requests; a method that panics or hangs fails its call only.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use serde_json::json;
use throng::policy::CallerInfo;
use throng::protocol::ErrorCode;
use throng::protocol::Fault;
use tokio::sync::Notify;

use super::world::World;

#[derive(Deserialize)]
struct Quote {
    symbol: String,
}

#[derive(Serialize)]
struct Price {
    cents: u64,
    asked_by: Option<Box<str>>,
}

async fn quote(who: CallerInfo, quote: Quote) -> Result<Price, Fault> {
    if quote.symbol != "XY" {
        let fault = Fault::new(ErrorCode::RpcFailed, "there is no such symbol");
        return Err(fault.reason("unknown_symbol"));
    }
    Ok(Price {
        cents: 1015,
        asked_by: who.user,
    })
}

#[test]
fn a_method_is_called_by_every_way_with_typed_errors() {
    let world = World::new(|builder| builder.rpc("quote", quote));
    let mut ws = world.ws("ada");
    let call = r#"{"id":1,"type":"rpc","method":"quote","args":{"symbol":"XY"}}"#;
    let price = json!({"cents": 1015, "asked_by": "ada"});
    let answer = ws.reply(call);
    assert_eq!(
        (&answer["type"], &answer["data"]),
        (&json!("ack"), &price),
        "{answer}"
    );
    assert_eq!(world.conn("ada").reply(call)["data"], price);
    let answer = world.post("/api/v1/rpc/quote?actor=ada", r#"{"args":{"symbol":"XY"}}"#);
    assert_eq!((answer.status, answer.json()), (200, price), "{answer:?}");

    let refused = ws.reply(r#"{"id":2,"type":"rpc","method":"quote","args":{"symbol":"Z"}}"#);
    assert_eq!(refused["data"]["code"], "rpc_failed", "{refused}");
    assert_eq!(refused["data"]["reason"], "unknown_symbol");
    let refused = world.post("/api/v1/rpc/quote", r#"{"args":{"symbol":"Z"}}"#);
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["reason"], "unknown_symbol");
    let refused = ws.reply(r#"{"id":3,"type":"rpc","method":"quote","args":{"symbol":7}}"#);
    assert_eq!(refused["data"]["code"], "invalid_field", "{refused}");
    assert_eq!(refused["data"]["field"], "args");
    let unknown = world.post("/api/v1/rpc/qoute", r#"{"args":{"symbol":"XY"}}"#);
    assert_eq!(
        (unknown.status, &unknown.json()["code"]),
        (404, &json!("unknown_method"))
    );
}

#[test]
fn answers_keep_their_order_and_a_broken_method_fails_its_call_only() {
    let go_on = Arc::new(Notify::new());
    let wait = Arc::clone(&go_on);
    let world = World::new(|builder| {
        builder
            .rpc("wait", move |_, ()| {
                let wait = Arc::clone(&wait);
                async move {
                    wait.notified().await;
                    Ok("waited")
                }
            })
            .rpc("echo", async |_, text: String| Ok(text))
            .rpc("panic", async |_, ()| -> Result<(), Fault> {
                panic!("this is what is tested")
            })
    });
    let (mut ws, mut other) = (world.ws("ada"), world.ws("bob"));
    ws.say(r#"{"id":1,"type":"rpc","method":"wait"}"#);
    ws.say(r#"{"id":2,"type":"rpc","method":"echo","args":"two"}"#);
    ws.say(r#"{"id":3,"type":"rpc","method":"panic"}"#);
    ws.say(r#"{"id":4,"type":"ping"}"#);
    let echoed = other.reply(r#"{"id":1,"type":"rpc","method":"echo","args":"one"}"#);
    assert_eq!(echoed["data"], "one");
    go_on.notify_one();
    let pushes: Vec<_> = (0..4).map(|_| ws.push()).collect();
    let ids: Vec<_> = pushes.iter().map(|push| push["reply_to"].clone()).collect();
    assert_eq!(ids, [1, 2, 3, 4], "{pushes:?}");
    assert_eq!(pushes[0]["data"], "waited");
    assert_eq!(pushes[2]["data"]["code"], "hook_failed");
}

#[test]
fn a_method_that_hangs_is_given_up() {
    let world = World::new(|builder| {
        builder
            .rpc("hang", async |_, ()| -> Result<(), Fault> {
                pending().await
            })
            .rpc_timeout(Duration::from_millis(20))
    });
    let refused = world
        .ws("ada")
        .reply(r#"{"id":1,"type":"rpc","method":"hang"}"#);
    assert_eq!(refused["data"]["code"], "hook_timeout", "{refused}");
    let refused = world.post("/api/v1/rpc/hang", "{}");
    assert_eq!(refused.status, 503, "{refused:?}");
}
