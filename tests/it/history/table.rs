//! Channels that remember, and the table that they take up.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use throng::ChannelError;
use throng::ChannelName;
use throng::HistoryOptions;
use throng::HistoryQuery;
use throng::Hub;
use throng::Limits;
use throng::ManualClock;
use throng::Message;
use throng::PublishError;

use super::options;
use super::remembering;

#[test]
fn a_rule_may_look_into_the_hub() {
    let hub = Arc::new(OnceLock::<Hub>::new());
    let seen = Arc::clone(&hub);
    let rule = move |name: &ChannelName| {
        let hub = seen.get()?;
        assert!(hub.find_channel(name).is_none());
        Some(HistoryOptions::new())
    };
    let built = Hub::builder().shards(1).history(rule).build().unwrap();
    let hub = hub.get_or_init(|| built).clone();
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let _delivery = hub.publish("c", Message::static_text("x")).unwrap();
        let page = hub.channel("c").unwrap().history(&HistoryQuery::new());
        done.send(page.frames.len()).unwrap();
    });
    let kept = is_done.recv_timeout(Duration::from_secs(20));
    assert_eq!(kept, Ok(1), "it does not wait for itself");
}

#[test]
fn a_rule_that_panics_takes_nothing_up() {
    let rule = |name: &ChannelName| {
        assert!(!name.starts_with("bad"), "the rule is broken");
        None
    };
    let hub = Hub::builder().limits(Limits::new().channels(1));
    let hub = hub.history(rule).build().unwrap();
    for _ in 0..3 {
        let made = catch_unwind(AssertUnwindSafe(|| hub.channel("bad").map(drop)));
        assert!(made.is_err());
    }
    assert_eq!(hub.channel_count(), 0);
    assert_eq!(hub.channel("good").map(drop), Ok(()));
}

#[test]
fn who_comes_takes_the_place_of_what_only_lingers() {
    let clock = ManualClock::new();
    let hub = remembering(HistoryOptions::new()).clock(clock.clone());
    let hub = hub.limits(Limits::new().channels(3)).build().unwrap();
    let (client, _outbox) = hub.connect(options()).unwrap();
    for channel in ["a", "b", "c", "a"] {
        client.subscribe_blocking(channel).unwrap();
        client.unsubscribe(channel).unwrap();
        clock.advance(Duration::from_secs(1));
    }
    let names = |hub: &Hub| {
        let mut names: Vec<_> = hub.channels().iter().map(ToString::to_string).collect();
        names.sort();
        names.concat()
    };
    assert_eq!(names(&hub), "abc");
    // Of "a" somebody has let go last.
    client.subscribe_blocking("d").unwrap();
    assert_eq!(names(&hub), "acd");
    let _delivery = hub.publish("e", Message::static_text("x")).unwrap();
    assert_eq!(names(&hub), "ade");
    let _held = (hub.channel("a").unwrap(), hub.channel("e").unwrap());
    let full = ChannelError::TooManyChannels { limit: 3 };
    assert_eq!(hub.channel("f").map(drop), Err(full));
    assert_eq!(names(&hub), "ade");
}

#[test]
fn what_lingers_for_ever_makes_way_too() {
    let hub = remembering(HistoryOptions::new().age(Duration::MAX));
    let hub = hub.limits(Limits::new().channels(1)).build().unwrap();
    for channel in ["a", "b"] {
        let published = hub.publish(channel, Message::static_text("x"));
        assert!(published.unwrap().position().is_some());
    }
    assert!(hub.find_channel("a").is_none());
    assert_eq!(hub.stats().history_messages, 1, "and what it remembered");
}

#[test]
fn who_publishes_is_told_that_nothing_is_remembered() {
    let hub = remembering(HistoryOptions::new()).limits(Limits::new().channels(1));
    let hub = hub.build().unwrap();
    let held = hub.channel("held").unwrap();
    let message = Message::static_text("x");
    let refused = hub.publish("c", message.clone()).unwrap_err();
    let expected = PublishError::TooManyChannels {
        message: message.clone(),
        limit: 1,
    };
    assert_eq!(refused, expected);
    assert_eq!(
        refused.to_string(),
        "channel limit reached (Limits::max_channels, 1)"
    );
    assert_eq!(refused.into_message(), message);
    drop(held);
    assert!(hub.publish("c", message).unwrap().position().is_some());
}
