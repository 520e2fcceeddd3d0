//! The hub as a whole: its limits, its settings, its tables, its end.

use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

use bytes::Bytes;
use throng::AuthRequest;
use throng::Authorization;
use throng::ChannelError;
use throng::ClientId;
use throng::ConnectError;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::Hub;
use throng::HubBuilder;
use throng::InvalidDisconnect;
use throng::InvalidName;
use throng::Limits;
use throng::Member;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::PublishError;
use throng::ReconnectAdvice;
use throng::SendError;
use throng::SlowConsumer;
use throng::SubscribeError;

use crate::support::built;
use crate::support::connect;
use crate::support::connect_as;
use crate::support::drain;
use crate::support::ending;
use crate::support::holding;
use crate::support::in_the_middle_of;
use crate::support::join;
use crate::support::limited;
use crate::support::open_hub;
use crate::support::publish;
use crate::support::texts;

/// A hub that makes whoever asks the member that its credentials say.
fn hub_of_members(limits: Limits) -> Hub {
    let admit = |request: &AuthRequest| {
        let id = String::from_utf8_lossy(request.auth()).into_owned();
        Authorization::AllowAs(Member::new(id, "info!"))
    };
    built(Hub::builder().authorizer(admit).limits(limits))
}

/// The outbox of a client that has joined as `id`.
fn subscribe_as(hub: &Hub, id: &str) -> Result<Outbox, SubscribeError> {
    let (client, outbox) = connect_as(hub, ConnectOptions::new().auth(id.to_owned()));
    client.subscribe_blocking("presence-lobby").map(|_| outbox)
}

#[test]
fn max_clients_is_enforced() {
    let hub = limited(Limits::new().clients(2));
    let (first, _outbox) = connect(&hub);
    let (_second, _other) = connect(&hub);
    let full = || hub.connect(ConnectOptions::new()).map(drop);
    assert_eq!(full(), Err(ConnectError::TooManyClients { limit: 2 }));
    first.close(Disconnect::CLOSED);
    assert_eq!(full(), Ok(()), "a closed client makes room");
    assert_eq!(
        hub.stats().connected,
        3,
        "a refused one was never connected"
    );
}

#[test]
fn max_channels_is_enforced() {
    let hub = limited(Limits::new().channels(2));
    let first = hub.channel("a").unwrap();
    let (client, mut outbox) = join(&hub, "b");
    let full = ChannelError::TooManyChannels { limit: 2 };
    assert_eq!(hub.channel("c").map(drop), Err(full.clone()));
    let joined = client.subscribe_blocking("c").map(drop);
    assert_eq!(joined, Err(SubscribeError::Channel(full)));
    assert_eq!(
        hub.channel("a").map(drop),
        Ok(()),
        "one that is there may be had"
    );
    drop(first);
    assert_eq!(hub.channel("c").map(drop), Ok(()));
    client.close(Disconnect::CLOSED);
    let _one = hub.channel("c").unwrap();
    let two = hub.channel("d").map(drop);
    assert_eq!(two, Ok(()), "a closed client holds no channel");
    assert_eq!(ending(&mut outbox), Disconnect::CLOSED);
}

#[test]
fn max_channel_name_is_enforced() {
    let hub = limited(Limits::new().channel_name(4));
    let (client, _outbox) = connect(&hub);
    let long = InvalidName::TooLong { len: 5, max: 4 };
    assert_eq!(
        hub.channel("12345").map(drop),
        Err(ChannelError::Name(long))
    );
    let joined = client.subscribe_blocking("12345").map(drop);
    assert_eq!(
        joined,
        Err(SubscribeError::Channel(ChannelError::Name(long)))
    );
    let message = Message::static_text("back");
    let refused = hub.publish("12345", message.clone());
    assert_eq!(refused, Err(PublishError::Name(message.clone(), long)));
    assert_eq!(refused.unwrap_err().into_message(), message);
    hub.channel("1234").unwrap();
    hub.channel("ünï").map(drop).unwrap_err();
}

#[test]
fn a_name_is_not_empty_and_has_no_control_characters() {
    let hub = Hub::new();
    let control = |at, character| InvalidName::ControlCharacter { at, character };
    for (name, why) in [
        ("", InvalidName::Empty),
        ("a\nb", control(1, '\n')),
        ("é\u{7f}", control(2, '\u{7f}')),
    ] {
        assert_eq!(hub.channel(name).map(drop), Err(ChannelError::Name(why)));
    }
    hub.channel("spaces, ünïcode/and:signs").unwrap();
}

#[test]
fn max_payload_is_enforced() {
    let hub = limited(Limits::new().payload(4));
    let (client, mut outbox) = join(&hub, "c");
    let channel = hub.channel("c").unwrap();
    let message = Message::static_text("12345");
    let large = PublishError::TooLarge {
        message: message.clone(),
        limit: 4,
    };
    let refusals = [
        channel.publish(message.clone()),
        channel
            .prepare(message.clone())
            .except(ClientId::new(0))
            .publish(),
        hub.publish("c", message.clone()),
        hub.publish("not there", message.clone()),
        hub.broadcast(message.clone()),
        hub.publish_many(["c", "c"], message.clone())
            .map(|_| unreachable!("refused")),
    ];
    for refused in refusals {
        assert_eq!(refused, Err(large.clone()));
    }
    let limit = 4;
    assert_eq!(
        client.send(message.clone()),
        Err(SendError::TooLarge { message, limit })
    );
    assert!(drain(&mut outbox).is_empty());
    assert_eq!(
        large.to_string(),
        "payload has 5 bytes, at most 4 are allowed (Limits::max_payload)"
    );
    publish(&hub, "c", "1234");
    assert_eq!(texts(&mut outbox), ["1234"]);
}

#[test]
fn max_subscriptions_is_enforced() {
    for limit in [1, 3] {
        let hub = limited(Limits::new().subscriptions(limit));
        let (client, _outbox) = connect(&hub);
        let names: Vec<_> = (0..limit).map(|number| number.to_string()).collect();
        for name in &names {
            client.subscribe_blocking(name).unwrap();
        }
        let more = client.subscribe_blocking("one more").map(drop);
        assert_eq!(more, Err(SubscribeError::TooManySubscriptions { limit }));
        assert_eq!(hub.channel_count(), limit, "no channel was made for it");
        client.unsubscribe(&names[0]).unwrap();
        client.subscribe_blocking("one more").unwrap();
    }
}

#[test]
fn max_members_is_enforced() {
    let hub = hub_of_members(Limits::new().members(2));
    let _ada = subscribe_as(&hub, "ada").unwrap();
    let _bob = subscribe_as(&hub, "bob").unwrap();
    let full = SubscribeError::TooManyMembers { limit: 2 };
    assert_eq!(subscribe_as(&hub, "cleo").map(drop), Err(full));
    let _ada_again = subscribe_as(&hub, "ada").unwrap();
    assert_eq!(hub.presence("presence-lobby").len(), 2);
    assert_eq!(
        hub.subscriber_count("presence-lobby"),
        3,
        "a member may have several"
    );
}

#[test]
fn max_member_id_and_info_are_enforced() {
    for (limits, id, field, len, max) in [
        (Limits::new().member_id(3), "cleo", "id", 4, 3),
        (Limits::new().member_info(4), "ada", "info", 5, 4),
    ] {
        let hub = hub_of_members(limits);
        let large = SubscribeError::Member { field, len, max };
        assert_eq!(subscribe_as(&hub, id).map(drop), Err(large));
        assert!(hub.presence("presence-lobby").is_empty());
        assert_eq!(hub.channel_count(), 0);
    }
    let fits = hub_of_members(Limits::new().member_id(3).member_info(5));
    subscribe_as(&fits, "ada").unwrap();
}

#[test]
fn max_backlog_is_enforced_and_gives_the_message_back() {
    let hub = limited(Limits::new().backlog(3));
    let (_client, mut outbox) = join(&hub, "c");
    let channel = hub.channel("c").unwrap();
    let own = channel.clone();
    let results = in_the_middle_of(&hub, "c", move || {
        let publish = |number: u64| own.publish(Message::text(number.to_string()));
        (0..5).map(publish).collect::<Vec<_>>()
    });
    for deferred in &results[..3] {
        assert!(deferred.as_ref().unwrap().is_deferred());
    }
    for (number, refused) in (3..).zip(&results[3..]) {
        let message = Message::text(number.to_string());
        assert_eq!(refused, &Err(PublishError::Backlogged(message)));
    }
    assert_eq!(texts(&mut outbox), ["in the middle", "0", "1", "2"]);
    assert!(
        !channel
            .publish(Message::static_text("x"))
            .unwrap()
            .is_deferred()
    );
}

#[test]
fn settings_out_of_range_are_named() {
    let of_limits = |limits| Hub::builder().limits(limits);
    let of_outbox = |limits| Hub::builder().outbox(limits);
    let tight = Limits::new().payload(1);
    let cases: [(HubBuilder, &str); 13] = [
        (
            Hub::builder().shards(0),
            "shards is 0, 1 to 65536 are allowed",
        ),
        (
            Hub::builder().shards(65_537),
            "shards is 65537, 1 to 65536 are allowed",
        ),
        (
            of_limits(Limits::new().backlog(0)),
            "Limits::max_backlog is 0, 1 to 18446744073709551615 are allowed",
        ),
        (
            of_limits(Limits::new().channel_name(0)),
            "Limits::max_channel_name is 0, 1 to 65535 are allowed",
        ),
        (
            of_limits(Limits::new().channel_name(65_536)),
            "Limits::max_channel_name is 65536, 1 to 65535 are allowed",
        ),
        (
            of_limits(Limits::new().channels(0)),
            "Limits::max_channels is 0, 1 to 18446744073709551615 are allowed",
        ),
        (
            of_limits(Limits::new().clients(0)),
            "Limits::max_clients is 0, 1 to 18446744073709551615 are allowed",
        ),
        (
            of_limits(Limits::new().members(0)),
            "Limits::max_members is 0, 1 to 18446744073709551615 are allowed",
        ),
        (
            of_limits(Limits::new().member_id(0)),
            "Limits::max_member_id is 0, 1 to 18446744073709551615 are allowed",
        ),
        (
            of_limits(Limits::new().subscriptions(0)),
            "Limits::max_subscriptions is 0, 1 to 18446744073709551615 are allowed",
        ),
        (
            of_outbox(holding(0)),
            "OutboxLimits::max_messages is 0, 1 to 1048576 are allowed",
        ),
        (
            of_outbox(OutboxLimits::new().bytes(0)).limits(tight),
            "OutboxLimits::max_bytes is 0, 1 to 17179869184 are allowed",
        ),
        (
            of_outbox(OutboxLimits::new().bytes(9)),
            "OutboxLimits::max_bytes is 9, at least Limits::max_payload (1048576) is required: \
             raise OutboxLimits::max_bytes or lower Limits::max_payload",
        ),
    ];
    for (builder, text) in cases {
        assert_eq!(builder.build().unwrap_err().to_string(), text);
    }
}

#[test]
fn the_limits_of_one_outbox_are_checked_too() {
    let hub = limited(Limits::new().payload(100));
    let options = ConnectOptions::new().outbox(OutboxLimits::new().bytes(99));
    let error = hub.connect(options).map(drop).unwrap_err();
    assert!(matches!(error, ConnectError::Outbox(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "outbox limits of the client: OutboxLimits::max_bytes is 99, at least Limits::max_payload \
         (100) is required: raise OutboxLimits::max_bytes or lower Limits::max_payload"
    );
    assert_eq!(hub.client_count(), 0);
}

#[test]
fn one_shard_is_enough() {
    let hub = built(Hub::builder().shards(1));
    let clients: Vec<_> = (0..10).map(|n: u64| join(&hub, &n.to_string())).collect();
    assert_eq!((hub.client_count(), hub.channel_count()), (10, 10));
    let mut names: Vec<_> = hub.channels().iter().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(names, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    drop(clients);
    assert_eq!((hub.client_count(), hub.channel_count()), (0, 0));
}

#[test]
fn publish_many_is_all_or_nothing_on_names() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "a");
    client.subscribe_blocking("b").unwrap();
    let message = Message::static_text("to several");
    let refused = hub
        .publish_many(["a", "b", ""], message.clone())
        .unwrap_err();
    assert_eq!(
        refused,
        PublishError::Name(message.clone(), InvalidName::Empty)
    );
    assert!(drain(&mut outbox).is_empty());
    let reports = hub
        .publish_many(["a", "nowhere", "b", "a"], message)
        .unwrap();
    let delivered: Vec<_> = reports.iter().map(throng::Delivery::delivered).collect();
    assert_eq!(delivered, [1, 0, 1, 1]);
    let frames = drain(&mut outbox);
    let names: Vec<_> = frames
        .iter()
        .map(|frame| frame.channel().unwrap().as_str())
        .collect();
    assert_eq!(names, ["a", "b", "a"]);
}

#[test]
fn a_broadcast_reaches_every_client_and_no_closed_one() {
    let hub = Hub::new();
    let (_subscribed, mut one) = join(&hub, "c");
    let (_idle, mut two) = connect(&hub);
    let (closed, mut three) = connect(&hub);
    closed.close(Disconnect::CLOSED);
    let delivery = hub.broadcast(Message::static_text("to all")).unwrap();
    assert_eq!((delivery.addressed(), delivery.position()), (2, None));
    for outbox in [&mut one, &mut two] {
        let frame = outbox.try_recv().unwrap();
        assert_eq!(
            (frame.channel(), frame.offset(), frame.epoch() > 0),
            (None, 0, true)
        );
    }
    assert_eq!(ending(&mut three), Disconnect::CLOSED);
    assert_eq!(hub.subscriber_count("c"), 1);
    assert_eq!(hub.stats().subscriptions, 1);
}

#[test]
fn every_client_gets_the_same_frame() {
    let hub = Hub::new();
    let (_a, mut a) = join(&hub, "c");
    let (_b, mut b) = join(&hub, "c");
    publish(&hub, "c", "one copy");
    let (one, other) = (a.try_recv().unwrap(), b.try_recv().unwrap());
    assert!(one.ptr_eq(&other));
    let wire = throng::EncodingSlot::custom(3);
    let made = one
        .encoded(wire, |frame| frame.payload().slice(..3))
        .clone();
    let again = other.encoded(wire, |_| unreachable!("made once for all"));
    assert_eq!((&made, made.as_ptr()), (again, again.as_ptr()));
    let elsewhere = other.encoded(throng::EncodingSlot::custom(0), |_| {
        Bytes::from_static(b"another")
    });
    assert_eq!(elsewhere, "another");
}

#[test]
fn disconnect_ends_one_client() {
    let hub = Hub::new();
    let (client, mut outbox) = connect(&hub);
    let why = Disconnect::new(4500, "banned").unwrap();
    hub.disconnect(client.id(), why.clone()).unwrap();
    assert_eq!(ending(&mut outbox), why);
    assert!(hub.client(client.id()).is_none());
    hub.disconnect(client.id(), why).unwrap_err();
}

#[test]
fn the_code_of_a_close_says_whether_to_come_back() {
    for (why, code, advice) in [
        (Disconnect::CLOSED, 3000, ReconnectAdvice::Reconnect),
        (Disconnect::SHUTDOWN, 3001, ReconnectAdvice::Reconnect),
        (Disconnect::SLOW, 3008, ReconnectAdvice::Reconnect),
        (
            Disconnect::CONTROL_OVERFLOW,
            3020,
            ReconnectAdvice::Reconnect,
        ),
        (
            Disconnect::RECEIVER_DROPPED,
            3021,
            ReconnectAdvice::Reconnect,
        ),
        (Disconnect::BAD_REQUEST, 3501, ReconnectAdvice::StayAway),
        (Disconnect::RESUMED, 3502, ReconnectAdvice::StayAway),
        (Disconnect::KICKED, 3503, ReconnectAdvice::StayAway),
        (
            Disconnect::new(4499, "passing").unwrap(),
            4499,
            ReconnectAdvice::Reconnect,
        ),
        (
            Disconnect::new(4500, "final").unwrap(),
            4500,
            ReconnectAdvice::StayAway,
        ),
    ] {
        assert_eq!((why.code(), why.advice()), (code, advice), "{why}");
    }
    for code in [0, 1000, 3000, 3999, 5000] {
        let refused = Disconnect::new(code, "not the application's");
        assert_eq!(refused, Err(InvalidDisconnect::Code(code)));
    }
    let most = "x".repeat(Disconnect::MAX_REASON);
    Disconnect::new(4000, most.clone()).unwrap();
    let refused = Disconnect::new(4000, most + "x");
    assert_eq!(refused, Err(InvalidDisconnect::Reason { len: 124 }));
}

#[test]
fn a_close_of_the_hub_races_those_who_connect() {
    const EACH: usize = 20;
    for _ in 0..300 {
        let hub = Hub::new();
        let let_in: Vec<_> = thread::scope(|scope| {
            let connecting = (0..3).map(|_| {
                let hub = hub.clone();
                scope.spawn(move || {
                    let tries = (0..EACH).map(|_| hub.connect(ConnectOptions::new()));
                    tries.filter_map(Result::ok).collect::<Vec<_>>()
                })
            });
            let connecting: Vec<_> = connecting.collect();
            thread::yield_now();
            hub.close(Disconnect::SHUTDOWN);
            connecting
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        for (client, mut outbox) in let_in {
            assert!(client.is_closed(), "who was let in was closed");
            assert_eq!(ending(&mut outbox), Disconnect::SHUTDOWN);
        }
        assert_eq!(hub.client_count(), 0);
    }
}

/// G7: after all have come and gone, in whatever order, everything is as it was.
#[test]
fn counts_return_to_the_baseline_after_a_storm() {
    const ROUNDS: u64 = 300;
    let balance = Arc::new(Mutex::new(0_i64));
    let count = Arc::clone(&balance);
    let hub = built(open_hub().outbox(holding(4)).on_presence(move |event| {
        let change = match event.change {
            throng::PresenceChange::Joined => 1,
            throng::PresenceChange::Left => -1,
        };
        *count.lock().unwrap() += change;
    }));
    let channels = ["a", "b", "presence-a", "presence-b"];
    thread::scope(|scope| {
        for seed in 0..4_u64 {
            let hub = &hub;
            scope.spawn(move || {
                let mut clients = Vec::new();
                let mut random = seed * 7919 + 1;
                for _ in 0..ROUNDS {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    let channel = channels[(random >> 33) as usize % channels.len()];
                    let policy = [SlowConsumer::DISCONNECT, SlowConsumer::DropOldest];
                    let policy = policy[(random >> 40) as usize % 2];
                    let user = format!("user {}", (random >> 45) % 3);
                    let options = ConnectOptions::new().user(user).slow_consumer(policy);
                    let (client, outbox) = connect_as(hub, options);
                    let _joined = client.subscribe_blocking(channel);
                    let _joined = client.subscribe_blocking("presence-a");
                    let _left = client.unsubscribe(channel);
                    publish(hub, channel, "storm");
                    clients.push((client, outbox));
                    if clients.len() > 5 {
                        let (client, outbox) = clients.swap_remove((random >> 50) as usize % 5);
                        if random >> 55 & 1 == 0 {
                            client.close(Disconnect::KICKED);
                        }
                        drop(outbox);
                    }
                }
            });
        }
    });
    assert_eq!(hub.client_count(), 0);
    assert_eq!(hub.channel_count(), 0);
    let stats = hub.stats();
    assert_eq!(
        (stats.clients, stats.channels, stats.subscriptions),
        (0, 0, 0)
    );
    assert!(hub.slow_clients(10).is_empty());
    assert_eq!(*balance.lock().unwrap(), 0, "as many leaves as joins");
}

/// G7 in memory: what a client brought along and what it never received is freed.
#[test]
fn nothing_of_a_client_that_has_gone_is_kept() {
    struct Payload(Arc<[u8]>);
    impl AsRef<[u8]> for Payload {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    let hub = built(open_hub().slow_consumer(SlowConsumer::KeepLatest));
    let (_stays, mut stays) = join(&hub, "presence-lobby");
    let user: Arc<str> = Arc::from("ada");
    let payload: Arc<[u8]> = Arc::from(*b"never received");
    let (of_client, of_payload) = (Arc::downgrade(&user), Arc::downgrade(&payload));
    let (client, outbox) = connect_as(&hub, ConnectOptions::new().user(user).gap_notices(true));
    client.subscribe_blocking("presence-lobby").unwrap();
    client.subscribe_blocking("c").unwrap();
    let message = Message::binary(Bytes::from_owner(Payload(payload))).key("k");
    for _ in 0..100 {
        let _delivery = hub.publish("c", message.clone()).unwrap();
    }
    drop((message, client));
    assert!(of_client.upgrade().is_some() && of_payload.upgrade().is_some());
    drop(outbox);
    assert!(of_client.upgrade().is_none(), "the client is freed");
    assert!(of_payload.upgrade().is_none(), "and what waited for it");
    drop(drain(&mut stays));
}

/// Every thread may be in the middle of closing what another is about to join.
#[test]
fn a_close_races_subscribe_and_leaves_nothing() {
    for _ in 0..500 {
        let hub = built(open_hub());
        let (client, outbox) = connect(&hub);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _joined = client.subscribe_blocking("presence-lobby");
                let _joined = client.subscribe_blocking("c");
            });
            scope.spawn(|| client.close(Disconnect::KICKED));
        });
        assert_eq!(hub.subscriber_count("c"), 0);
        assert!(hub.presence("presence-lobby").is_empty());
        assert!(client.subscriptions().is_empty());
        drop((client, outbox));
        assert_eq!(hub.channel_count(), 0);
    }
}
