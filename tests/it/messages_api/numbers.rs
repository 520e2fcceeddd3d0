//! Numbers are the server's.

use serde_json::json;

use super::World;
use super::ids;
use super::of;
use super::send;

#[test]
fn f5_what_a_client_says_of_numbers_and_of_itself_is_refused() {
    let (world, mut ada) = World::with_room(&[]);
    for (field, value) in [
        ("offset", json!(999)),
        ("message_id", json!("77")),
        ("user_id", json!("eve")),
        ("sent_at", json!("1999-01-01T00:00:00Z")),
        ("edits", json!(3)),
        ("position", json!({"offset": 5, "epoch": "0"})),
    ] {
        let mut forged = send("forged");
        forged[field] = value;
        let refused = world.refused(&mut ada, "ada", &forged);
        assert_eq!(refused, (400, "invalid_field".to_owned()));
    }
    let forged = send("not forged");
    assert_eq!(ada.done(&forged)["message_id"], "1");
    assert_eq!(ada.next("message")["message_id"], "1");
    assert_eq!(world.done(Some("ada"), &forged)["message_id"], "2");
    let pushed = ada.next("message");
    assert_eq!(
        (&pushed["message_id"], &pushed["user_id"]),
        (&json!("2"), &json!("ada"))
    );
    assert_eq!(ada.say("honest"), 3);
    let page = world.read(&mut ada, "ada", &of("message.history"));
    assert_eq!(ids(&page), [3, 2, 1]);
    for message in page["messages"].as_array().unwrap() {
        assert_eq!(
            (&message["user_id"], message.get("edits")),
            (&json!("ada"), None)
        );
        assert!(message["sent_at"].as_str() > Some("2000"), "{message}");
    }
}
