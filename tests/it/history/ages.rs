//! What becomes of a history, and of a channel that has one, as time passes.

use std::time::Duration;

use futures_util::FutureExt;
use throng::Channel;
use throng::HistoryOptions;
use throng::HistoryQuery;
use throng::Hub;
use throng::Limits;
use throng::ManualClock;
use throng::Message;
use throng::SubscribeOptions;

use super::options;
use super::publish;
use super::remembering;
use super::since;

/// What is reckoned for a publication of one byte.
pub(super) const ONE: u64 = 649;

fn aging(seconds: u64) -> (ManualClock, throng::HubBuilder) {
    let clock = ManualClock::new();
    let hub = remembering(HistoryOptions::new().age(Duration::from_secs(seconds)));
    (clock.clone(), hub.clock(clock))
}

fn pass(clock: &ManualClock, hub: &Hub, seconds: u64) {
    clock.advance(Duration::from_secs(seconds));
    hub.tick();
}

fn say(channel: &Channel) {
    let _delivery = channel.publish(Message::static_text("x")).unwrap();
}

#[test]
fn what_is_too_old_is_forgotten_although_somebody_holds_the_channel() {
    let (clock, hub) = aging(60);
    let limits = Limits::new().history_bytes(usize::try_from(10 * ONE).unwrap());
    let hub = hub.limits(limits).build().unwrap();
    let held: Vec<_> = (0..20)
        .map(|number| hub.channel(&number.to_string()).unwrap())
        .collect();
    held.iter().for_each(say);
    assert_eq!(hub.stats().history_bytes, 10 * ONE, "all that may be");
    pass(&clock, &hub, 61);
    assert_eq!(hub.stats().history_bytes, 0);
    assert!(held.iter().all(|held| held.stats().history_messages == 0));
    // There is room again for those that had none.
    say(&held[19]);
    assert_eq!(held[19].stats().history_messages, 1);
    assert_eq!(held[0].stats().position.offset, 1);
}

#[test]
fn each_publication_is_forgotten_in_its_time() {
    let (clock, hub) = aging(60);
    let hub = hub.build().unwrap();
    let channel = hub.channel("c").unwrap();
    let kept = |hub: &Hub| hub.stats().history_messages;
    say(&channel);
    pass(&clock, &hub, 30);
    say(&channel);
    pass(&clock, &hub, 30);
    assert_eq!(kept(&hub), 2, "an age is reached, not exceeded");
    pass(&clock, &hub, 1);
    assert_eq!(kept(&hub), 1);
    say(&channel);
    pass(&clock, &hub, 30);
    assert_eq!(kept(&hub), 1);
    pass(&clock, &hub, 31);
    assert_eq!(kept(&hub), 0);
    say(&channel);
    pass(&clock, &hub, 61);
    assert_eq!(kept(&hub), 0, "and again");
}

#[test]
fn an_age_that_is_made_shorter_holds_at_once() {
    let (clock, hub) = aging(3600);
    let hub = hub.build().unwrap();
    let channel = hub.channel("c").unwrap();
    say(&channel);
    pass(&clock, &hub, 100);
    say(&channel);
    channel.set_history(Some(HistoryOptions::new().age(Duration::from_secs(60))));
    assert_eq!(hub.stats().history_messages, 1);
    pass(&clock, &hub, 61);
    assert_eq!(hub.stats().history_messages, 0);
    channel.set_history(Some(HistoryOptions::new().age(Duration::MAX)));
    say(&channel);
    pass(&clock, &hub, 1 << 30);
    assert_eq!(hub.stats().history_messages, 1);
}

#[test]
fn a_channel_stays_for_the_one_who_left_last() {
    let (clock, hub) = aging(300);
    let hub = hub.build().unwrap();
    let join = || {
        let (client, outbox) = hub.connect(options()).unwrap();
        let joined = client.subscribe_blocking("c").unwrap();
        (joined, client, outbox)
    };
    let first = join();
    publish(&hub, [1]);
    pass(&clock, &hub, 1000);
    drop(first);
    pass(&clock, &hub, 290);
    let (joined, client, outbox) = join();
    pass(&clock, &hub, 9);
    drop((client, outbox));
    // The first has been gone for as long as the channel stays, but not the second.
    pass(&clock, &hub, 6);
    let (client, outbox) = hub.connect(options()).unwrap();
    assert!(since(&client, joined.position).recovered);
    drop((client, outbox));
    pass(&clock, &hub, 300);
    assert_eq!(hub.channel_count(), 1);
    pass(&clock, &hub, 1);
    assert_eq!(hub.channel_count(), 0);
}

#[test]
fn a_look_at_a_page_forgets_nothing_that_waits_to_be_forgotten() {
    let (clock, hub) = aging(60);
    let hub = hub.build().unwrap();
    let channel = hub.channel("c").unwrap();
    say(&channel);
    clock.advance(Duration::from_secs(61));
    // Forgotten by the look, not by the tick, which is still to come.
    assert!(channel.history(&HistoryQuery::new()).frames.is_empty());
    say(&channel);
    hub.tick();
    assert_eq!(hub.stats().history_messages, 1);
    pass(&clock, &hub, 61);
    assert_eq!(hub.stats().history_messages, 0);
    let (client, _outbox) = hub.connect(options()).unwrap();
    let since = SubscribeOptions::new().since(channel.position());
    let joined = client.subscribe_with("c", since).now_or_never();
    assert!(joined.unwrap().unwrap().recovered);
}
