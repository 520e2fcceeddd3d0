//! The API's edges as a newcomer meets them: reports that may be ignored, payloads that are not
//! copied, options of a publish, sinks, typed messages, and errors that state the limit and what is
//! allowed.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Display;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::SinkExt;
use futures_util::StreamExt;
use futures_util::stream;
use throng::AuthRequest;
use throng::Authorization;
use throng::ChannelError;
use throng::ConnectError;
use throng::ConnectOptions;
use throng::Delivery;
use throng::Disconnect;
use throng::Format;
use throng::Hub;
use throng::InvalidName;
use throng::Limits;
use throng::Member;
use throng::Message;
use throng::OutboxLimits;
use throng::PublishError;
use throng::SendError;
use throng::SubscribeError;
use throng::Text;
use throng::TryRecvError;

use crate::support::connect;
use crate::support::join;
use crate::support::limited;
use crate::support::texts;

#[test]
#[deny(unused_must_use)]
fn a_report_may_be_ignored() -> Result<(), PublishError> {
    let hub = Hub::new();
    let (_client, mut outbox) = join(&hub, "c");
    hub.channel("c").unwrap().publish("1")?;
    hub.publish("c", String::from("2"))?;
    hub.prepare("c", "3").publish()?;
    hub.broadcast("4")?;
    assert_eq!(texts(&mut outbox), ["1", "2", "3", "4"]);
    Ok(())
}

#[test]
fn payloads_are_not_copied() {
    let string = String::from("a string of its own");
    let boxed: Box<str> = "a box of its own".into();
    let owned: Cow<'static, str> = String::from("owned").into();
    let vec = vec![0_u8; 64];
    let bytes = Bytes::from(vec![1_u8; 64]);
    let text = Bytes::from(String::from("text in bytes"));
    let literal: &'static str = "a literal";
    let slice: &'static [u8] = b"a slice";
    let same = |at: *const u8, message: Message, format| {
        assert_eq!(message.payload().as_ptr(), at, "{message:?}");
        assert_eq!(message.format(), format);
    };
    same(literal.as_ptr(), literal.into(), Format::Text);
    same(literal.as_ptr(), Message::text(literal), Format::Text);
    same(
        literal.as_ptr(),
        Cow::Borrowed(literal).into(),
        Format::Text,
    );
    same(string.as_ptr(), string.into(), Format::Text);
    same(boxed.as_ptr(), boxed.into(), Format::Text);
    same(owned.as_ptr(), owned.into(), Format::Text);
    same(slice.as_ptr(), slice.into(), Format::Binary);
    same(vec.as_ptr(), vec.into(), Format::Binary);
    same(bytes.as_ptr(), bytes.clone().into(), Format::Binary);
    let at = text.as_ptr();
    let checked = Text::try_from(text.clone()).unwrap();
    same(at, checked.into(), Format::Text);
    same(at, Message::from_utf8(text).unwrap(), Format::Text);
    let wrong = Bytes::from_static(b"\xff");
    assert!(Text::try_from(wrong.clone()).is_err());
    assert_eq!(Message::from_utf8(wrong.clone()), Err(wrong));
}

#[test]
fn one_publish_has_all_the_options_by_handle_and_by_name() {
    let hub = Hub::new();
    let (ada, mut adas) = join(&hub, "c");
    let (_bob, mut bobs) = join(&hub, "c");
    let channel = hub.channel("c").unwrap();
    let delivered = |report: Result<Delivery, PublishError>| report.unwrap().delivered();
    let confirmed = |publish: throng::Publish<'_>| {
        let report = publish.confirmed().now_or_never();
        report.expect("nobody else owns the channel")
    };
    assert_eq!(delivered(channel.prepare("1").publish()), 2);
    assert_eq!(delivered(hub.prepare("c", "2").except(None).publish()), 2);
    assert_eq!(
        delivered(channel.prepare("3").except(ada.id()).publish()),
        1
    );
    assert_eq!(
        delivered(hub.prepare("c", "4").except(ada.id()).publish()),
        1
    );
    let publish = channel.prepare("5").except(ada.id());
    assert_eq!(delivered(confirmed(publish)), 1);
    let publish = hub.prepare("c", "6").except(ada.id());
    assert_eq!(delivered(confirmed(publish)), 1);
    drop(channel.prepare("never published"));
    assert_eq!(texts(&mut adas), ["1", "2"]);
    assert_eq!(texts(&mut bobs), ["1", "2", "3", "4", "5", "6"]);

    let nobody = confirmed(hub.prepare("not there", "x")).unwrap();
    assert_eq!((nobody.addressed(), nobody.position()), (0, None));
    assert_eq!(hub.channel_count(), 1, "none was made for it");
    let unnamed = confirmed(hub.prepare("", "x"));
    assert!(matches!(unnamed, Err(PublishError::Name(..))));
    hub.close(Disconnect::SHUTDOWN);
    for closed in [
        confirmed(channel.prepare("x")),
        confirmed(hub.prepare("c", "x")),
        confirmed(hub.prepare("not there", "x")),
    ] {
        assert_eq!(closed, Err(PublishError::Closed("x".into())));
    }
}

#[test]
fn a_channel_is_a_sink() {
    let hub = limited(Limits::new().payload(4));
    let (_client, mut outbox) = join(&hub, "c");
    let mut channel = hub.channel("c").unwrap();
    let all = stream::iter(["1", "2", "3"]).map(|text| Ok(Message::from(text)));
    all.forward(&mut channel).now_or_never().unwrap().unwrap();
    let large = channel.send("large".into()).now_or_never().unwrap();
    assert!(matches!(large, Err(PublishError::TooLarge { .. })));
    channel.send("4".into()).now_or_never().unwrap().unwrap();
    assert_eq!(texts(&mut outbox), ["1", "2", "3", "4"]);
}

/// `use throng::*` names nothing that a caller's own crates are called.
#[cfg(feature = "axum")]
mod glob {
    use throng::*;

    #[test]
    fn everything_of_throng_goes_with_axum() {
        let gateway = Gateway::new(Hub::new());
        let _app: axum::Router = axum::Router::new()
            .route("/live", handlers::websocket(gateway.clone()))
            .merge(handlers::router(gateway));
    }
}

#[cfg(feature = "json")]
mod typed {
    use futures_util::FutureExt;
    use futures_util::SinkExt;
    use serde::Deserialize;
    use serde::Serialize;
    use throng::ConnectOptions;
    use throng::Event;
    use throng::Format;
    use throng::Hub;
    use throng::JsonError;
    use throng::Limits;
    use throng::Message;
    use throng::OutboxLimits;
    use throng::PublishError;
    use throng::PublishJsonError;
    use throng::SlowConsumer;

    use crate::support::connect_as;
    use crate::support::join;
    use crate::support::limited;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Tick {
        symbol: String,
        price: u32,
    }

    fn tick(symbol: &str, price: u32) -> Tick {
        let symbol = symbol.to_owned();
        Tick { symbol, price }
    }

    #[test]
    fn values_arrive_as_they_were_and_keys_conflate() {
        let limits = OutboxLimits::new().messages(2);
        let policy = SlowConsumer::KeepLatest;
        let hub = Hub::new();
        let options = ConnectOptions::new().outbox(limits).slow_consumer(policy);
        let (client, mut outbox) = connect_as(&hub, options);
        client.subscribe_blocking("ticks").unwrap();
        let ticks = hub.channel("ticks").unwrap().typed();
        let mut ticks = ticks.keyed(|tick: &Tick| tick.symbol.clone());
        ticks.publish(&tick("a", 1)).unwrap();
        ticks.prepare(&tick("b", 1)).unwrap().publish().unwrap();
        ticks.send(tick("a", 2)).now_or_never().unwrap().unwrap();
        ticks.clone().publish(&tick("b", 2)).unwrap();
        let got = [(); 2].map(|()| outbox.try_recv().unwrap());
        assert_eq!(got[0].format(), Format::Text);
        let mut got = got.map(|frame| frame.json::<Tick>().unwrap());
        got.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        assert_eq!(got, [tick("a", 2), tick("b", 2)]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_is_no_json_says_so() {
        let hub = limited(Limits::new().payload(8));
        let options = ConnectOptions::new().join_notices(true);
        let (client, mut outbox) = connect_as(&hub, options);
        client.subscribe_blocking("c").unwrap();
        let joined = outbox.try_recv().unwrap();
        assert!(matches!(joined.event(), Event::Joined(_)));
        let error = joined.json::<u8>().unwrap_err();
        assert!(matches!(error, JsonError::NotAMessage), "{error}");

        let channel = hub.channel("c").unwrap();
        channel.publish("").unwrap();
        let error = outbox.try_recv().unwrap().json::<u8>().unwrap_err();
        let begins = "payload is not the expected JSON: EOF while parsing";
        assert!(error.to_string().starts_with(begins), "{error}");

        let error = channel.publish_json(&[1000; 4]).unwrap_err();
        let PublishJsonError::Publish(PublishError::TooLarge { message, .. }) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(message, &Message::text("[1000,1000,1000,1000]"));
        let keyless = std::collections::HashMap::from([((1, 2), 3)]);
        let error = channel.publish_json(&keyless).unwrap_err();
        assert_eq!(
            error.to_string(),
            "value cannot be encoded as JSON: key must be a string"
        );
    }

    #[test]
    fn text_is_borrowed_from_the_frame() {
        let hub = Hub::new();
        let (_client, mut outbox) = join(&hub, "c");
        hub.channel("c").unwrap().publish_json("hello").unwrap();
        let frame = outbox.try_recv().unwrap();
        let text: &str = frame.json().unwrap();
        assert_eq!(text, "hello");
        assert!(frame.payload().as_ptr_range().contains(&text.as_ptr()));
    }
}

/// Each error states the limit or the part that is at fault and what is allowed, in its own text: a
/// report that walks the sources repeats nothing.
#[test]
fn errors_state_the_limit_and_what_is_allowed() {
    fn says(error: impl Error, text: &str) {
        assert_eq!(error.to_string(), text);
        assert!(error.source().is_none(), "{text}");
    }
    let message = || Message::from("12345");
    let named = |error| ChannelError::Name(error);
    let control = InvalidName::ControlCharacter {
        at: 1,
        character: '\n',
    };
    let limit = 4;
    let not = "not the name of a channel: the name";
    says(
        named(InvalidName::Empty),
        &format!("{not} is empty, at least 1 byte is required"),
    );
    says(
        named(InvalidName::TooLong { len: 5, max: 4 }),
        &format!("{not} has 5 bytes, at most 4 are allowed"),
    );
    let in_full = format!("{not} has the control character U+000A at byte 1, none is allowed");
    says(PublishError::Name(message(), control), &in_full);
    says(SubscribeError::Channel(named(control)), &in_full);
    says(named(control), &in_full);
    let channels = "channel limit reached (Limits::max_channels, 4)";
    says(ChannelError::TooManyChannels { limit }, channels);
    let message_back = PublishError::TooManyChannels {
        message: message(),
        limit,
    };
    says(message_back, channels);
    says(
        PublishError::Backlogged(message()),
        "backlog of the channel is full (Limits::max_backlog): publish again later",
    );
    let large = "payload has 5 bytes, at most 4 are allowed (Limits::max_payload)";
    says(
        PublishError::TooLarge {
            message: message(),
            limit,
        },
        large,
    );
    says(
        SendError::TooLarge {
            message: message(),
            limit,
        },
        large,
    );
    says(
        SendError::Full(message()),
        "the client's outbox is full (OutboxLimits)",
    );
    says(
        SendError::UnknownClient(message()),
        "no client of this id is connected",
    );
    says(
        ConnectError::TooManyClients { limit },
        "client limit reached (Limits::max_clients, 4)",
    );
    says(
        SubscribeError::TooManyMembers { limit },
        "member limit reached (Limits::max_members, 4)",
    );
    says(
        SubscribeError::TooManySubscriptions { limit },
        "subscription limit reached (Limits::max_subscriptions, 4)",
    );
    says(
        SubscribeError::Backlogged,
        "presence callbacks are behind by Limits::max_backlog events: join again later",
    );
}

/// The texts as a caller comes by them, with numbers of a default hub.
#[test]
fn refusals_of_a_default_hub_say_what_to_do() {
    fn text<T>(result: Result<T, impl Display>) -> String {
        result.err().map(|error| error.to_string()).unwrap()
    }
    let hub = Hub::new();
    let small = ConnectOptions::new().outbox(OutboxLimits::new().bytes(64 << 10));
    assert_eq!(
        text(hub.connect(small)),
        "outbox limits of the client: OutboxLimits::max_bytes is 65536, at least \
         Limits::max_payload (1048576) is required: raise OutboxLimits::max_bytes or lower \
         Limits::max_payload"
    );
    let (client, mut outbox) = connect(&hub);
    assert_eq!(
        text(client.unsubscribe("c")),
        "the client is not subscribed to the channel"
    );
    assert_eq!(
        text(client.subscribe_blocking(&"x".repeat(165))),
        "not the name of a channel: the name has 165 bytes, at most 164 are allowed"
    );
    assert_eq!(
        text(client.subscribe_blocking("private-x")),
        "unauthorized: this hub has no authorizer"
    );
    assert!(matches!(outbox.try_recv(), Err(TryRecvError::Empty)));
    let admit = |_: &AuthRequest| Authorization::AllowAs(Member::new("x".repeat(129), ""));
    let hub = Hub::builder().authorizer(admit).build().unwrap();
    let (client, _outbox) = connect(&hub);
    assert_eq!(
        text(client.subscribe_blocking("presence-x")),
        "the member's id has 129 bytes, at most 128 are allowed (Limits::max_member_id)"
    );
}
