//! What is gathered is told once, and nothing that is no longer so.

use serde_json::Value;
use serde_json::json;
use serde_json::value::to_raw_value;

use super::Batch;
use crate::layers::name::UserId;
use crate::layers::rooms::role::Role;

#[test]
fn the_latest_of_a_user_is_told_and_nothing_else() {
    let mut batch = Batch::default();
    let presence = |status| to_raw_value(&json!({ "status": status })).unwrap();
    batch.joined(&user("ada"), Role::Member);
    batch.left(&user("ada"), "left");
    batch.joined(&user("ada"), Role::Guest);
    batch.left(&user("bob"), "kicked");
    batch.presence(&user("eve"), presence("online"));
    batch.presence(&user("eve"), presence("away"));
    assert_eq!(
        told(&mut batch, 10),
        [json!({
            "left": [{"user_id": "bob", "reason": "kicked"}],
            "joined": [{"user_id": "ada", "role": "guest"}],
            "presence": [{"status": "away"}],
            "members": 7,
        })]
    );
}

#[test]
fn many_are_told_in_parts() {
    let mut batch = Batch::default();
    for number in 0..25 {
        batch.joined(&user(&number.to_string()), Role::Member);
    }
    let told = told(&mut batch, 10);
    let sizes: Vec<_> = told
        .iter()
        .map(|event| event["joined"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [10, 10, 5]);
}

fn told(batch: &mut Batch, most: usize) -> Vec<Value> {
    std::iter::from_fn(|| batch.take(most, 7))
        .map(|event| serde_json::to_value(event).unwrap())
        .collect()
}

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}
