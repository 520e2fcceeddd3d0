//! - A limit counts by its keys, and what lacks one of them is not counted.
//! - A request that one limit refuses is not counted by the others.
//! - Requests of a resumed session and of the server's side are not counted, unless asked for.
//! - A connection that goes on although it is refused is closed.
//! - Limits are added, replaced, removed, shown and cleared at run time.
//! - The text form of a limit is read back as it was written.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::code::ErrorCode;
use crate::hub::Client;
use crate::hub::ConnectOptions;
use crate::hub::Hub;
use crate::hub::Outbox;
use crate::layers::UserId;
use crate::protocol::Fault;
use crate::protocol::Request;
use crate::session::Caller;
use crate::session::Identity;
use crate::session::MeterCell;
use crate::session::Origin;
use crate::session::Policy;
use crate::session::Verdict;
use crate::time::ManualClock;

const SECOND: Duration = Duration::from_secs(1);

fn limits(clock: &ManualClock, limits: impl IntoIterator<Item = Limit>) -> RateLimits {
    let all = RateLimits::new(Arc::new(clock.clone()), NonZeroU32::new(2), true);
    for limit in limits {
        all.add(limit).unwrap();
    }
    all
}

fn request(text: &str) -> Request {
    Request::parse(text).unwrap()
}

fn ping() -> Request {
    request(r#"{"type":"ping"}"#)
}

fn send(room: &str) -> Request {
    request(&format!(
        r#"{{"type":"room.send","room_id":"{room}","data":1}}"#
    ))
}

fn publish(channel: &str) -> Request {
    request(&format!(
        r#"{{"type":"publish","channel_id":"{channel}","data":1}}"#
    ))
}

fn refusal(limits: &RateLimits, caller: &Caller<'_>, mut request: Request) -> Option<Fault> {
    match limits.check(caller, &mut request) {
        Verdict::Refuse(fault) => {
            assert_eq!(fault.code(), ErrorCode::RateLimited);
            Some(fault)
        }
        _ => None,
    }
}

/// The milliseconds to wait, unless the request passes.
fn wait(limits: &RateLimits, caller: &Caller<'_>, request: Request) -> Option<u128> {
    let fault = refusal(limits, caller, request)?;
    Some(fault.wait().unwrap().as_millis())
}

fn user(name: &str) -> Caller<'static> {
    Caller::on_behalf_of(UserId::parse(name).unwrap())
}

fn from(last: u8) -> Option<IpAddr> {
    Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)))
}

fn connect() -> (Client, Outbox) {
    Hub::new().connect(ConnectOptions::new()).unwrap()
}

#[test]
fn a_connection_has_its_burst_at_once_and_then_its_rate() {
    let clock = ManualClock::new();
    let limits = limits(&clock, [Limit::per_connection(Actions::ALL, 4, SECOND)]);
    let (client, _outbox) = connect();
    let meter = MeterCell::new();
    let caller = Caller::of(&client, Origin::Client).metered(&meter);
    for _ in 0..4 {
        assert_eq!(wait(&limits, &caller, ping()), None);
    }
    let fault = refusal(&limits, &caller, ping()).unwrap();
    assert_eq!(fault.wait(), Some(Duration::from_millis(250)));
    let quota = fault.limit().unwrap();
    assert_eq!((quota.requests, quota.remaining), (4, 0));
    assert_eq!((quota.window, quota.reset), (SECOND, SECOND));
    clock.advance(Duration::from_millis(249));
    assert_eq!(wait(&limits, &caller, ping()), Some(1));
    clock.advance(Duration::from_millis(1));
    assert_eq!(wait(&limits, &caller, ping()), None);
    assert!(!client.is_closed());
}

#[test]
fn a_connection_that_does_not_heed_refusals_is_closed() {
    let limits = limits(
        &ManualClock::new(),
        [
            Limit::per_connection(Actions::PING, 1, SECOND),
            Limit::per_connection(Actions::PUBLISH, 9, SECOND),
        ],
    );
    let (client, _outbox) = connect();
    let meter = MeterCell::new();
    let caller = Caller::of(&client, Origin::Client).metered(&meter);
    assert_eq!(wait(&limits, &caller, ping()), None);
    for _ in 0..2 {
        for _ in 0..2 {
            assert_eq!(wait(&limits, &caller, ping()), Some(1000));
        }
        assert!(!client.is_closed());
        assert_eq!(wait(&limits, &caller, publish("c")), None, "it has heeded");
    }
    for _ in 0..3 {
        assert!(!client.is_closed());
        assert_eq!(wait(&limits, &caller, ping()), Some(1000));
    }
    assert!(client.is_closed());
}

#[test]
fn callers_without_a_connection_count_by_user_and_address() {
    let clock = ManualClock::new();
    let limits = limits(&clock, [Limit::per_connection(Actions::ALL, 1, SECOND)]);
    for caller in [
        user("ada"),
        user("bob"),
        user("bob").from_address(from(1)),
        user("bob").from_address(from(2)),
    ] {
        assert_eq!(wait(&limits, &caller, ping()), None, "{caller:?}");
        assert_eq!(wait(&limits, &caller, ping()), Some(1000), "{caller:?}");
    }
}

#[test]
fn each_key_counts_by_itself() {
    let clock = ManualClock::new();
    let one = |key| Limit::per(key, Actions::ALL, 1, SECOND);
    let (ada, bob) = (user("ada"), user("bob"));
    let check = |limit: Limit, same: [(&Caller<'_>, Request); 2], other: (&Caller<'_>, Request)| {
        let limits = limits(&clock, [limit]);
        let [first, second] = same;
        assert_eq!(wait(&limits, first.0, first.1), None);
        assert_eq!(wait(&limits, other.0, other.1), None, "another");
        assert_eq!(wait(&limits, second.0, second.1), Some(1000), "the same");
    };
    let by_user = [(&ada, ping()), (&ada, publish("c"))];
    check(one(LimitKey::User), by_user, (&bob, ping()));
    let by_room = [(&ada, send("den")), (&bob, send("den"))];
    check(one(LimitKey::Room), by_room, (&ada, send("hall")));
    // An escape is the same room.
    let escaped = [(&ada, send("den")), (&ada, send(r"d\u0065n"))];
    check(one(LimitKey::Room), escaped, (&ada, send("hall")));
    let by_channel = [(&ada, publish("c")), (&bob, publish("c"))];
    check(one(LimitKey::Channel), by_channel, (&ada, publish("d")));
    let by_action = [(&ada, ping()), (&bob, ping())];
    check(one(LimitKey::Action), by_action, (&ada, publish("c")));
    let product = one(LimitKey::User).and(LimitKey::Room);
    let same = [(&ada, send("den")), (&ada, send("den"))];
    check(product, same, (&bob, send("den")));
    let product = one(LimitKey::User).and(LimitKey::Room);
    let same = [(&ada, send("den")), (&ada, send("den"))];
    check(product, same, (&ada, send("hall")));

    let v6 = |text: &str| user("ada").from_address(Some(text.parse().unwrap()));
    let (same, other) = (
        [v6("2001:db8::1"), v6("2001:db8::2:3")],
        v6("2001:db8:0:1::1"),
    );
    let [first, second] = &same;
    check(
        one(LimitKey::Address),
        [(first, ping()), (second, ping())],
        (&other, ping()),
    );
}

#[test]
fn anonymous_connections_count_by_themselves_in_a_limit_by_user() {
    let limits = limits(
        &ManualClock::new(),
        [Limit::per_user(Actions::ALL, 1, SECOND)],
    );
    let hub = Hub::new();
    let connect = || hub.connect(ConnectOptions::new()).unwrap();
    let (one, other) = (connect(), connect());
    for client in [&one.0, &other.0] {
        let caller = Caller::of(client, Origin::Client);
        assert_eq!(wait(&limits, &caller, ping()), None);
        assert_eq!(wait(&limits, &caller, ping()), Some(1000));
    }
}

#[test]
fn what_lacks_a_key_is_not_counted() {
    let one = |key| Limit::per(key, Actions::ALL, 1, SECOND);
    for key in [
        LimitKey::Room,
        LimitKey::Channel,
        LimitKey::Address,
        LimitKey::ApiKey,
    ] {
        let limits = limits(&ManualClock::new(), [one(key)]);
        for _ in 0..5 {
            assert_eq!(wait(&limits, &user("ada"), ping()), None, "{key:?}");
        }
    }
}

#[test]
fn the_address_of_a_connection_is_that_of_its_metadata() {
    let limits = limits(
        &ManualClock::new(),
        [Limit::per_address(Actions::ALL, 1, SECOND)],
    );
    let hub = Hub::new();
    let connect = || {
        let options = ConnectOptions::new().metadata("address", "10.0.0.1");
        hub.connect(options).unwrap()
    };
    let (one, other) = (connect(), connect());
    assert_eq!(
        wait(&limits, &Caller::of(&one.0, Origin::Client), ping()),
        None
    );
    let again = wait(&limits, &Caller::of(&other.0, Origin::Client), ping());
    assert_eq!(again, Some(1000));
}

#[test]
fn limits_count_actions_and_operations() {
    let limit = Limit::per_user(Actions::PUBLISH, 1, SECOND).operation("room.send");
    let limits = limits(&ManualClock::new(), [limit]);
    let ada = user("ada");
    for _ in 0..3 {
        assert_eq!(wait(&limits, &ada, ping()), None);
    }
    assert_eq!(wait(&limits, &ada, send("den")), None);
    assert_eq!(wait(&limits, &ada, publish("c")), Some(1000));
}

#[test]
fn a_refused_request_is_counted_by_no_other_limit() {
    let room = Limit::per_room(Actions::SEND, 3, SECOND);
    let overall = Limit::overall(Actions::SEND, 3, SECOND).sliding_window();
    let each = Limit::per_user(Actions::SEND, 1, SECOND);
    let limits = limits(&ManualClock::new(), [room, overall, each]);
    let ada = user("ada");
    assert_eq!(wait(&limits, &ada, send("den")), None);
    for _ in 0..10 {
        assert_eq!(wait(&limits, &ada, send("den")), Some(1000));
    }
    assert_eq!(wait(&limits, &user("bob"), send("den")), None);
    assert_eq!(wait(&limits, &user("cleo"), send("den")), None);
    assert!(wait(&limits, &user("dave"), send("den")).is_some());
}

#[test]
fn requests_of_resumed_sessions_are_not_counted() {
    let limits = limits(
        &ManualClock::new(),
        [Limit::per_connection(Actions::ALL, 1, SECOND)],
    );
    let (client, _outbox) = connect();
    let caller = |origin| Caller::of(&client, origin);
    for _ in 0..10 {
        assert_eq!(wait(&limits, &caller(Origin::Restored), ping()), None);
    }
    assert_eq!(wait(&limits, &caller(Origin::Client), ping()), None);
    assert_eq!(wait(&limits, &caller(Origin::Client), ping()), Some(1000));
}

#[test]
fn the_servers_side_is_counted_only_where_that_is_asked_for() {
    let limit = Limit::overall(Actions::ALL, 1, SECOND);
    let limits = limits(&ManualClock::new(), [limit.clone()]);
    for _ in 0..3 {
        assert_eq!(wait(&limits, &Caller::server(), ping()), None);
    }
    limits.add(limit.including_server()).unwrap();
    assert_eq!(wait(&limits, &Caller::server(), ping()), None);
    assert_eq!(wait(&limits, &Caller::server(), ping()), Some(1000));
}

#[test]
fn an_api_key_is_counted_although_it_is_of_the_servers_side() {
    let limit = Limit::per_api_key(Actions::ALL, 1, SECOND).named("keys");
    let limits = limits(&ManualClock::new(), [limit]);
    let with = |id: &str| {
        let identity = Identity::of_api_key(id);
        Caller::server().identified(Some(Arc::new(identity)))
    };
    for id in ["ops", "billing"] {
        assert_eq!(wait(&limits, &with(id), ping()), None);
        assert_eq!(wait(&limits, &with(id), ping()), Some(1000));
    }
    assert_eq!(
        wait(&limits, &Caller::server(), ping()),
        None,
        "without a key"
    );
    let status = limits.status("keys", &LimitSubject::new().api_key("ops"));
    assert!(!status.unwrap().is_allowed());
}

#[test]
fn an_api_key_has_a_rate_of_its_own() {
    let clock = ManualClock::new();
    let all = Limit::per_api_key(Actions::PING, 10, SECOND).named("all");
    let limits = limits(&clock, [all]);
    let with = |id: &str, rate: u32| {
        let identity = Identity::of_api_key(id).rate(NonZeroU32::new(rate).unwrap());
        Caller::server().identified(Some(Arc::new(identity)))
    };
    let (slow, fast) = (with("slow", 2), with("fast", 5));
    assert_eq!(limits.interest().unwrap().get(), Actions::PING);
    limits.count_own_rates();
    assert_eq!(limits.interest().unwrap().get(), Actions::ALL);
    for _ in 0..2 {
        assert_eq!(wait(&limits, &slow, publish("c")), None);
    }
    let fault = refusal(&limits, &slow, ping()).unwrap();
    assert_eq!(fault.wait(), Some(Duration::from_millis(500)));
    assert_eq!(&*fault.limit().unwrap().name, "api-key");
    let subject = LimitSubject::new().api_key("slow");
    let left = limits.status("all", &subject).unwrap().remaining();
    assert_eq!(left, 10, "what is refused is not counted");
    for _ in 0..5 {
        assert_eq!(wait(&limits, &fast, ping()), None);
    }
    assert_eq!(wait(&limits, &fast, ping()), Some(200));
    clock.advance(SECOND);
    assert_eq!(wait(&limits, &slow, ping()), None);
    let changed = limits.add(Limit::overall(Actions::PING, 10, SECOND));
    assert_eq!(changed, Ok(None));
    assert_eq!(limits.interest().unwrap().get(), Actions::ALL);
}

#[test]
fn limits_change_at_run_time() {
    let limits = limits(&ManualClock::new(), []);
    let interest = limits.interest().unwrap();
    assert_eq!(interest.get(), Actions::NONE);
    let limit = Limit::per_user(Actions::NONE, 2, SECOND).operation("room.send");
    assert_eq!(limits.add(limit.clone().named("chat")), Ok(None));
    assert_eq!(interest.get(), Actions::SEND);
    let ada = user("ada");
    let subject = LimitSubject::new().user("ada");
    assert_eq!(wait(&limits, &ada, send("den")), None);
    let status = limits.status("chat", &subject).unwrap();
    assert_eq!((status.quota(), status.remaining()), (2, 1));
    assert_eq!(
        limits.status("chat", &subject),
        Ok(status),
        "looking counts nothing"
    );
    assert_eq!(wait(&limits, &ada, send("den")), None);
    assert_eq!(wait(&limits, &ada, send("den")), Some(500));
    assert!(!limits.status("chat", &subject).unwrap().is_allowed());
    assert_eq!(limits.list()[0].refused, 1);
    assert_eq!(limits.reset("chat", &subject), Ok(true));
    assert_eq!(limits.reset("chat", &subject), Ok(false));
    assert_eq!(wait(&limits, &ada, send("den")), None);

    let narrow = Limit::per_room(Actions::SEND, 1, SECOND).named("chat");
    let replaced = limits.add(narrow.clone()).unwrap();
    assert_eq!(replaced, Some(limit.named("chat")));
    assert_eq!(limits.list().len(), 1);
    assert_eq!(wait(&limits, &ada, send("den")), None);
    assert_eq!(wait(&limits, &ada, send("den")), Some(1000));
    let missing = limits.status("chat", &subject);
    assert_eq!(missing, Err(UnknownLimit::Subject(vec![LimitKey::Room])));
    assert_eq!(limits.status("other", &subject), Err(UnknownLimit::Name));
    assert_eq!(limits.remove("chat"), Some(narrow));
    assert_eq!(limits.remove("chat"), None);
    assert_eq!(interest.get(), Actions::NONE);
    assert_eq!(wait(&limits, &ada, send("den")), None);
}

#[test]
fn the_number_of_limits_is_bounded() {
    let limits = limits(&ManualClock::new(), []);
    let limit = |n: usize| {
        let limit = Limit::overall(Actions::ALL, 1, SECOND);
        limit.named(n.to_string())
    };
    for n in 0..limits::MAX_LIMITS {
        limits.add(limit(n)).unwrap();
    }
    assert_eq!(limits.add(limit(64)), Err(InvalidLimit::TooMany));
    assert!(limits.add(limit(3)).unwrap().is_some(), "it replaces");
}

#[test]
fn impossible_limits_are_refused_by_their_field() {
    let fine = || Limit::per_user(Actions::PUBLISH, 10, SECOND);
    assert_eq!(fine().validate(), Ok(()));
    let long = "n".repeat(Limit::MAX_NAME + 1);
    for (limit, field) in [
        (fine().named(""), "name"),
        (fine().named("two words"), "name"),
        (fine().named(long), "name"),
        (fine().burst(0), "burst"),
        (
            Limit::per_user(Actions::PUBLISH, 1, Limit::MAX_PERIOD).burst(11),
            "burst",
        ),
        (fine().max_keys(0), "max_keys"),
        (fine().max_keys(usize::MAX), "max_keys"),
        (fine().operation("room.jion"), "actions"),
        (Limit::per_user(Actions::NONE, 1, SECOND), "actions"),
        (Limit::per_user(Actions::PUBLISH, 0, SECOND), "requests"),
        (
            Limit::per_user(Actions::PUBLISH, u32::MAX, Duration::from_millis(1)),
            "requests",
        ),
        (
            Limit::per_user(Actions::PUBLISH, 1 << 20, SECOND).sliding_window(),
            "requests",
        ),
        (
            Limit::per_user(Actions::PUBLISH, 1, Duration::ZERO),
            "period_ms",
        ),
        (
            Limit::per_user(Actions::PUBLISH, 1, Duration::MAX),
            "period_ms",
        ),
        (
            Limit::per_user(Actions::PUBLISH, 1, Duration::from_millis(9)).sliding_window(),
            "period_ms",
        ),
    ] {
        let error = limit.validate().unwrap_err();
        assert_eq!(error.field(), Some(field), "{error}");
        assert!(RateLimits::add(&limits(&ManualClock::new(), []), limit).is_err());
    }
}

#[test]
fn presets_are_valid() {
    let clock = ManualClock::new();
    let reference = limits(&clock, Limit::reference());
    let names: Vec<_> = reference
        .list()
        .iter()
        .map(|it| it.limit.to_string())
        .collect();
    assert_eq!(
        names,
        [
            "message.send=per-user:publish,send,message.edit:10/s:burst=20",
            "message.minute=per-user:publish,send,message.edit:100/min:sliding-window",
            "room.messages=per-room:publish,send,message.edit:100/s",
            "room.join=per-user:join,invite.accept:5/min:burst=10",
            "presence.update=per-user:presence.set:60/min:burst=10",
        ]
    );
    assert_eq!(limits(&clock, Limit::defaults()).list().len(), 2);
}

#[test]
fn a_limit_is_named_after_what_it_counts() {
    let limit = Limit::per_user(Actions::PUBLISH, 1, SECOND);
    assert_eq!(limit.name(), "per-user.publish");
    let limit = limit.and(LimitKey::Room).operation("room.join");
    assert_eq!(limit.name(), "per-room-user.publish_room.join");
    let limit = limit.named("mine").and(LimitKey::Address);
    assert_eq!(limit.name(), "mine");
    assert_eq!(
        Limit::overall(Actions::ALL, 1, SECOND).name(),
        "overall.all"
    );
}

#[test]
fn texts_are_read() {
    let read = |text: &str| text.parse::<Limit>();
    let limit = read("chat=per-user:publish:100/s:burst=20").unwrap();
    let same = Limit::per_user(Actions::PUBLISH, 100, SECOND).burst(20);
    assert_eq!(limit, same.named("chat"));
    let limit =
        read("a=overall:message.send,presence.update:5/10min:sliding-window:server").unwrap();
    let kinds = Actions::PUBLISH | Actions::SEND;
    let same = Limit::overall(kinds, 5, Duration::from_secs(600)).operation("presence.set");
    assert_eq!(limit, same.sliding_window().including_server().named("a"));
    for (text, why) in [
        ("chat", "NAME=KEYS:ACTIONS:RATE"),
        ("chat=per-user:publish", "NAME=KEYS:ACTIONS:RATE"),
        ("chat=user:publish:1/s", "`user` is no key"),
        ("chat=per-user+planet:publish:1/s", "`planet` is no key"),
        ("chat=per-user:shout:1/s", "no operation is called `shout`"),
        ("chat=per-user:publish:1", "`1` is no rate"),
        ("chat=per-user:publish:1/", "`1/` is no rate"),
        ("chat=per-user:publish:-1/s", "`-1/s` is no rate"),
        ("chat=per-user:publish:1/99999999999s", "is no rate"),
        ("chat=per-user:publish:0/s", "at least 1"),
        (
            "chat=per-user:publish:1/s:burst=x",
            "`burst=x` is no option",
        ),
        ("chat=per-user:publish:1/s:bust=2", "`bust=2` is no option"),
        (
            "chat=per-user:publish:1/s:sliding-window:burst=2",
            "has no burst",
        ),
        ("chat=per-user:publish:1/s:burst=0", "at least 1"),
        ("=per-user:publish:1/s", "the name of a rate limit"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

fn any_limit() -> impl Strategy<Value = Limit> {
    let keys = prop::sample::subsequence(&LimitKey::ALL[..], 0..=7);
    let kinds = vec![
        Actions::PUBLISH,
        Actions::SEND,
        Actions::READ,
        Actions::PING,
    ];
    let kinds = prop::sample::subsequence(kinds, 1..=4);
    let operations = prop::sample::subsequence(vec!["presence.set", "room.ban", "room.join"], 0..3);
    let algorithm = prop_oneof![Just(None), (1..5_u32).prop_map(Some),];
    let numbers = (1..1000_u32, 100..100_000_u64, 1..1000_usize, any::<bool>());
    (keys, kinds, operations, algorithm, numbers).prop_map(
        |(keys, kinds, operations, burst, (requests, millis, max_keys, server))| {
            let kinds = kinds.into_iter().fold(Actions::NONE, Actions::or);
            let limit = Limit::overall(kinds, requests, Duration::from_millis(millis));
            let limit = keys.into_iter().fold(limit, Limit::and);
            let limit = operations.into_iter().fold(limit, Limit::operation);
            let limit = match burst {
                Some(burst) => limit.burst(burst),
                None => limit.sliding_window(),
            };
            let limit = limit.max_keys(max_keys).named("any");
            if server {
                limit.including_server()
            } else {
                limit
            }
        },
    )
}

proptest! {
    #[test]
    fn a_text_is_read_back_as_it_was_written(limit in any_limit()) {
        prop_assert_eq!(limit.to_string().parse::<Limit>(), Ok(limit));
    }

    #[test]
    fn no_text_panics(text in "[a-z=:/,+0-9-]{0,40}") {
        let _read = text.parse::<Limit>();
    }
}
