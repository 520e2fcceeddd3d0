//! - Limits are added, replaced, listed and removed at run time, and hold at once.
//! - What is left is shown without being counted, and can be cleared.
//! - What is wrong with a request is said, by its field.

use serde_json::Value;
use serde_json::json;

use super::passed;
use super::throng;
use crate::binary::Response;
use crate::binary::Throng;

const PUBLISH: &str = r#"{"type":"publish","id":1,"channel_id":"c","data":1}"#;

fn put(throng: &Throng, name: &str, body: &Value) -> Response {
    let path = format!("/api/v1/limits/{name}");
    let headers = [("content-type", "application/json")];
    throng.request("PUT", &path, &headers, body.to_string().as_bytes())
}

#[test]
fn limits_change_while_the_server_runs() {
    let throng = throng(&[]);
    let mut ada = throng.ws_as("ada");
    for _ in 0..20 {
        assert_eq!(ada.ask(PUBLISH)["type"], "ack");
    }
    let chat = json!({
        "per": ["user"], "actions": ["publish"],
        "requests": 3, "period_ms": 3_600_000, "burst": 5,
    });
    let added = put(&throng, "chat", &chat);
    assert_eq!(added.status, 200, "{added:?}");
    assert_eq!(added.json()["algorithm"], "token_bucket");
    assert_eq!(passed(&mut ada, PUBLISH), 5);

    let status = "/api/v1/limits/chat/status?user_id=ada";
    for _ in 0..3 {
        let left = throng.get(status).json();
        assert_eq!(left["allowed"], false, "{left}");
        assert_eq!(left["remaining"], 0, "{left}");
        assert_eq!(left["quota"], 5, "{left}");
        assert!(left["retry_after_ms"].as_u64().unwrap() > 0, "{left}");
    }
    let other = throng.get("/api/v1/limits/chat/status?user_id=bob").json();
    assert_eq!(other["remaining"], 5, "{other}");
    let listed = throng.get("/api/v1/limits").json();
    assert_eq!(listed["limits"][0]["refused"], 1, "{listed}");

    let reset = "/api/v1/limits/chat/reset";
    let ada_only = json!({"user_id": "ada"}).to_string();
    for was in [true, false] {
        let response = throng.post(reset, "application/json", &ada_only);
        assert_eq!(response.json(), json!({ "reset": was }));
    }
    assert_eq!(passed(&mut ada, PUBLISH), 5);

    let window = json!({
        "actions": ["publish"], "requests": 2, "period_ms": 3_600_000,
        "algorithm": "sliding_window", "server": true,
    });
    assert_eq!(put(&throng, "chat", &window).status, 200);
    assert_eq!(passed(&mut throng.ws_as("bob"), PUBLISH), 2);
    assert_eq!(passed(&mut ada, PUBLISH), 0, "all together");
    let path = "/api/v1/channels/c/publish";
    let response = throng.post(path, "application/json", r#"{"data":1}"#);
    assert_eq!(response.status, 429, "the server's side too: {response:?}");

    let removed = throng.request("DELETE", "/api/v1/limits/chat", &[], b"");
    assert_eq!(removed.status, 204, "{removed:?}");
    for _ in 0..20 {
        assert_eq!(ada.ask(PUBLISH)["type"], "ack");
    }
    assert_eq!(throng.get("/api/v1/limits").json(), json!({ "limits": [] }));
}

#[test]
fn what_is_wrong_is_said_by_its_field() {
    let throng = throng(&[]);
    let fine = json!({"actions": ["publish"], "requests": 1, "period_ms": 1000, "per": ["room"]});
    assert_eq!(put(&throng, "chat", &fine).status, 200);
    for (field, value) in [
        ("actions", json!(["shout"])),
        ("actions", json!([])),
        ("requests", json!(0)),
        ("requests", json!(1_u64 << 40)),
        ("period_ms", json!(u64::MAX)),
        ("per", json!(["planet"])),
        ("burst", json!(0)),
        ("algorithm", json!("adaptive")),
        ("max_keys", json!(1_u64 << 40)),
        ("server", json!("perhaps")),
    ] {
        let mut wrong = fine.clone();
        wrong[field] = value.clone();
        let response = put(&throng, "chat", &wrong);
        assert_eq!(response.status, 400, "{field} {value}: {response:?}");
        assert_eq!(response.json()["field"], field, "{value}: {response:?}");
    }
    let named = put(&throng, "two%20words", &fine);
    assert_eq!(
        (named.status, &named.json()["field"]),
        (400, &json!("name"))
    );
    for (method, path) in [
        ("GET", "/api/v1/limits/other/status?user_id=ada"),
        ("POST", "/api/v1/limits/other/reset"),
        ("DELETE", "/api/v1/limits/other"),
    ] {
        let response = throng.request(method, path, &[], b"");
        assert_eq!(
            response.problem(),
            (404, "unknown_limit".to_owned()),
            "{path}"
        );
    }
    let lacking = throng.get("/api/v1/limits/chat/status?user_id=ada");
    assert_eq!(lacking.problem(), (400, "missing_field".to_owned()));
    assert!(lacking.body.contains("counts by room"), "{lacking:?}");
    let address = throng.get("/api/v1/limits/chat/status?address=here");
    assert_eq!(address.json()["field"], "address", "{address:?}");
}
