//! What is kept is bounded.

use std::time::Instant;

use super::World;
use super::edit;
use super::ids;
use super::of;
use super::send;
use crate::binary::PATIENCE;
use crate::crash::Folder;

/// Sends two hundred, and waits until no more than these are kept.
fn keeps_five(extra: &[&str]) {
    let few = [
        &["--retention-messages", "5", "--cleanup-interval", "50"],
        extra,
    ]
    .concat();
    let (world, mut ada) = World::with_room(&few);
    for number in 1..=200 {
        assert_eq!(ada.say(&format!("number {number}")), number);
    }
    let begun = Instant::now();
    let stats = |name: &str| {
        let stats = world.done(None, &serde_json::json!({"type": "message.stats"}));
        stats[name].as_u64().unwrap()
    };
    while stats("messages") > 5 {
        assert!(begun.elapsed() < PATIENCE, "still {}", stats("messages"));
    }
    let page = world.read(&mut ada, "ada", &of("message.history"));
    assert_eq!(ids(&page), [200, 199, 198, 197, 196]);
    assert_eq!(page["older"], serde_json::Value::Null, "the rest is gone");
    assert_eq!((stats("messages"), stats("rooms")), (5, 1));
    assert_eq!(ada.say("numbers go on"), 201);
}

#[test]
fn f25_of_a_room_no_more_than_that_is_kept_in_memory() {
    keeps_five(&[]);
}

#[test]
fn f25_of_a_room_no_more_than_that_is_kept_in_a_file() {
    let folder = Folder::new("few");
    keeps_five(&["--data", folder.as_str(), "--durability", "normal"]);
}

#[test]
fn f25_memory_is_bounded_whatever_is_sent() {
    let few = ["--memory-messages", "100", "--memory-bytes", "40000"];
    let (world, mut ada) = World::with_room(&few);
    let long = "x".repeat(1000);
    for number in 1..=300 {
        let text = if number > 150 { &*long } else { "short" };
        ada.done(&send(text));
        let stats = world.done(None, &serde_json::json!({"type": "message.stats"}));
        assert!(stats["messages"].as_u64() <= Some(100), "{stats}");
        // Rooms come on top.
        assert!(stats["bytes"].as_u64() <= Some(41_000), "{stats}");
    }
    let page = world.read(&mut ada, "ada", &of("message.history"));
    assert_eq!(ids(&page)[0], 300, "the newest are kept");
}

#[test]
fn what_is_too_large_to_be_kept_is_called_so() {
    let (world, mut ada) = World::with_room(&["--memory-bytes", "4000"]);
    ada.say("short");
    for large in [send(&"x".repeat(4000)), edit(1, &"x".repeat(4000))] {
        let refused = world.refused(&mut ada, "ada", &large);
        assert_eq!(refused, (413, "too_large".to_owned()));
    }
}
