//! Gap notices that list keys.
//!
//! * A key is listed if its present value was lost, under whichever policy.
//! * A key with a newer value queued is not listed.
//! * At most as many as were asked for, and 4 KiB; then the notice says that there are more.

use bytes::Bytes;
use throng::ConnectOptions;
use throng::Event;
use throng::GapNotices;
use throng::Hub;
use throng::Message;
use throng::Outbox;
use throng::SlowConsumer;

use crate::support::drain;
use crate::support::hub_of;
use crate::support::join_as;

fn telling(keys: usize) -> ConnectOptions {
    ConnectOptions::new().gap_notices(GapNotices::ON.with_keys(keys))
}

fn ticks(hub: &Hub, keys: &[&str]) {
    for key in keys {
        let message = Message::static_text("value").key((*key).to_owned());
        let _delivery = hub.publish("ticks", message).unwrap();
    }
}

/// The keys of each notice, and whether there are more; everything else that is there is received
/// too.
fn listed(outbox: &mut Outbox) -> Vec<(Vec<Bytes>, bool)> {
    let frames = drain(outbox);
    let notices = frames.iter().filter_map(|frame| match frame.event() {
        Event::Gap(gap) => Some((gap.keys.clone(), gap.more)),
        _ => None,
    });
    notices.collect()
}

fn keys(keys: &[&'static str], more: bool) -> (Vec<Bytes>, bool) {
    let keys = keys.iter().map(|key| Bytes::from_static(key.as_bytes()));
    (keys.collect(), more)
}

#[test]
fn a_notice_lists_the_keys_without_a_present_value() {
    for (policy, expected) in [
        (SlowConsumer::DropNewest, ["c", "a"]),
        (SlowConsumer::DropOldest, ["a", "b"]),
        (SlowConsumer::KeepLatest, ["b", "c"]),
    ] {
        let hub = hub_of(2, policy);
        let (_client, mut outbox) = join_as(&hub, "ticks", telling(8));
        match policy {
            SlowConsumer::DropNewest => ticks(&hub, &["a", "b", "c", "a"]),
            SlowConsumer::DropOldest => ticks(&hub, &["a", "b", "c", "d"]),
            _ => ticks(&hub, &["a", "b", "a", "c", "a", "d"]),
        }
        assert_eq!(listed(&mut outbox), [keys(&expected, false)], "{policy:?}");
        ticks(&hub, &["x"]);
        assert_eq!(listed(&mut outbox), [], "told once");
    }
}

#[test]
fn a_key_with_a_newer_value_queued_is_not_listed() {
    let hub = hub_of(2, SlowConsumer::DropNewest);
    let (_client, mut outbox) = join_as(&hub, "ticks", telling(8));
    ticks(&hub, &["a", "b", "a", "b"]);
    assert_eq!(listed(&mut outbox), [keys(&["a", "b"], false)]);

    let hub = hub_of(2, SlowConsumer::DropOldest);
    let (_client, mut outbox) = join_as(&hub, "ticks", telling(8));
    ticks(&hub, &["a", "b", "a", "c", "c"]);
    assert_eq!(listed(&mut outbox), [keys(&["a", "b"], false)]);
    ticks(&hub, &["a", "b", "c", "b", "a"]);
    assert_eq!(listed(&mut outbox), [keys(&["c"], false)]);
}

#[test]
fn a_notice_lists_no_more_than_was_asked_for_and_says_so() {
    let hub = hub_of(1, SlowConsumer::DropNewest);
    let (_client, mut outbox) = join_as(&hub, "ticks", telling(2));
    let (_other, mut other) = join_as(&hub, "ticks", ConnectOptions::new().gap_notices(true));
    ticks(&hub, &["a", "b", "c", "d"]);
    assert_eq!(listed(&mut outbox), [keys(&["b", "c"], true)]);
    assert_eq!(listed(&mut other), [keys(&[], false)]);

    let (_client, mut outbox) = join_as(&hub, "ticks", telling(usize::MAX));
    let long = "x".repeat(1_500);
    let names: Vec<_> = (0..4).map(|number| format!("{number}{long}")).collect();
    ticks(&hub, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let listed = listed(&mut outbox);
    assert_eq!((listed[0].0.len(), listed[0].1), (2, true), "4 KiB");
    assert_eq!(
        GapNotices::ON.with_keys(1_000).keys(),
        GapNotices::MOST_KEYS
    );
}
