//! Every feature of lagodev's `realtime` package (v0.24.0), kept here. One test for each feature,
//! named after it; where throng's name or promise differs, the table says how.
//!
//! | lagodev | throng | test |
//! |---|---|---|
//! | `NewHub` | `Hub::new` | `new_hub` |
//! | `Hub.Add` | `Hub::connect` | `hub_add` |
//! | `Hub.Broadcast` | `Hub::publish`, `Channel::publish` | `hub_broadcast` |
//! | `Hub.BroadcastBinary` | `Message::binary` | `hub_broadcast_binary` |
//! | `Hub.BroadcastExcept` | `Hub::prepare`, `Publish::except` | `hub_broadcast_except` |
//! | `Hub.ChannelCount` | `Hub::subscriber_count` | `hub_channel_count` |
//! | `Hub.Close` | `Hub::close`, with a reason | `hub_close` |
//! | `Hub.Count` | `Hub::client_count` | `hub_count` |
//! | `Hub.OnPresence` | `HubBuilder::on_presence`; may use the hub | `hub_on_presence` |
//! | `Hub.Presence` | `Hub::presence`: once per member, not per connection | `hub_presence` |
//! | `Hub.SendTo` | `Hub::send_to`, which gives back what it could not send | `hub_send_to` |
//! | `Hub.Subscribe` | `Client::subscribe` | `hub_subscribe` |
//! | `Hub.Unsubscribe` | `Client::unsubscribe`; the second time says `NotSubscribed` | `hub_unsubscribe` |
//! | `Client.Close` | `Client::close`, with a reason | `client_close`, `client_close_concurrently` |
//! | `Client.Drops` | `Client::stats` | `client_drops` |
//! | `Client.ID` | `Client::id` | `client_id` |
//! | `Client.Serve` | whoever owns the `Outbox`; dropping it is the teardown | `client_serve` |
//! | `Conn` | the `Outbox`: received from by any executor or thread | `conn` |
//! | `WithAuthorizer`, `Authorizer` | `HubBuilder::authorizer`, `Authorizer` | `with_authorizer`, `authorizer` |
//! | `AuthorizerFunc` | any closure | `authorizer_func` |
//! | `AuthRequest` | `AuthRequest`, with the user as well | `auth_request` |
//! | `AuthResult` | `Authorization`, which may answer later | `auth_result` |
//! | `WithLogger` | `HubBuilder::on_event`, with events instead of lines | `with_logger` |
//! | `WithOutbox` | `HubBuilder::outbox`, in messages and bytes | `with_outbox` |
//! | `WithSlowConsumerPolicy`, `DropMessage` | `SlowConsumer::DropNewest`, the default | `drop_message` |
//! | `DisconnectClient` | `SlowConsumer::DISCONNECT` | `disconnect_client` |
//! | `ClassifyChannel`, `ChannelType` | `ChannelKind::of` | `classify_channel` |
//! | `ChannelType.String` | `ChannelKind::as_str` | `channel_type_string` |
//! | `Member` | `Member` | `member` |
//! | `PresenceEvent` | `PresenceEvent` | `presence_event` |
//! | `MessageType` | `Format` | `message_type` |
//! | `ErrClosed` | an error per operation, each with a `Closed` | `err_closed` |
//! | `ErrUnauthorized` | `SubscribeError::Unauthorized`, with the reason | `err_unauthorized` |
//! | the package's example | the same, with `?` | `example` |

use std::error::Error;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

use throng::AuthRequest;
use throng::Authorization;
use throng::Authorizer;
use throng::ChannelError;
use throng::ChannelKind;
use throng::ClientId;
use throng::ConnectError;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::Event;
use throng::Format;
use throng::Hub;
use throng::HubEvent;
use throng::Member;
use throng::Message;
use throng::NotSubscribed;
use throng::OutboxLimits;
use throng::PresenceChange;
use throng::PresenceEvent;
use throng::PublishError;
use throng::SendError;
use throng::SlowConsumer;
use throng::SubscribeError;

use crate::support::built;
use crate::support::connect;
use crate::support::connect_as;
use crate::support::drain;
use crate::support::ending;
use crate::support::hub_of;
use crate::support::join;
use crate::support::join_as;
use crate::support::open_hub;
use crate::support::publish;
use crate::support::publish_numbers;
use crate::support::texts;

type Events = Arc<Mutex<Vec<PresenceEvent>>>;

/// A hub that lets everyone in and writes down who came and went.
fn observed() -> (Hub, Events) {
    let events = Events::default();
    let seen = Arc::clone(&events);
    let hub = built(open_hub().on_presence(move |event| seen.lock().unwrap().push(event.clone())));
    (hub, events)
}

fn told(events: &Events) -> Vec<(String, String, PresenceChange)> {
    let events = events.lock().unwrap();
    let each = events.iter().map(|event| {
        let member = event.member.id().to_owned();
        (event.channel.to_string(), member, event.change)
    });
    each.collect()
}

#[test]
fn new_hub() {
    let hub = Hub::new();
    assert_eq!(hub.client_count(), 0);
    assert_eq!(hub.channel_count(), 0);
    assert!(!hub.is_closed());
}

#[test]
fn hub_add() {
    let hub = Hub::new();
    let (client, outbox) = hub.connect(ConnectOptions::new().auth("token")).unwrap();
    assert_eq!(hub.client_count(), 1);
    assert_eq!(hub.client(client.id()).unwrap().id(), client.id());
    assert_eq!(outbox.client().id(), client.id());
}

#[test]
fn hub_broadcast() {
    let hub = Hub::new();
    let (_a, mut a) = join(&hub, "orders");
    let (_b, mut b) = join(&hub, "orders");
    let (_other, mut other) = join(&hub, "invoices");
    let delivery = hub.publish("orders", Message::text("created")).unwrap();
    assert_eq!((delivery.delivered(), delivery.dropped()), (2, 0));
    assert_eq!(texts(&mut a), ["created"]);
    assert_eq!(texts(&mut b), ["created"]);
    assert!(texts(&mut other).is_empty());
    let nobody = hub.publish("nowhere", Message::text("lost")).unwrap();
    assert_eq!(nobody.addressed(), 0);
}

#[test]
fn hub_broadcast_binary() {
    let hub = Hub::new();
    let (_client, mut outbox) = join(&hub, "orders");
    let message = Message::binary(vec![0, 159, 146, 150]);
    assert_eq!(hub.publish("orders", message).unwrap().delivered(), 1);
    let frame = outbox.try_recv().unwrap();
    assert_eq!(frame.format(), Format::Binary);
    assert_eq!(frame.payload()[..], [0, 159, 146, 150]);
}

#[test]
fn hub_broadcast_except() {
    let hub = Hub::new();
    let (sender, mut own) = join(&hub, "chat");
    let (_other, mut other) = join(&hub, "chat");
    let message = Message::text("hello, others");
    let delivery = hub
        .prepare("chat", message)
        .except(sender.id())
        .publish()
        .unwrap();
    assert_eq!(delivery.addressed(), 1);
    assert!(texts(&mut own).is_empty());
    assert_eq!(texts(&mut other), ["hello, others"]);
    let message = Message::text("nobody is left out");
    let delivery = hub
        .prepare("chat", message)
        .except(ClientId::new(0))
        .publish()
        .unwrap();
    assert_eq!(delivery.delivered(), 2);
}

#[test]
fn hub_channel_count() {
    let hub = Hub::new();
    assert_eq!(hub.subscriber_count("orders"), 0);
    let (_a, _outbox) = join(&hub, "orders");
    let (b, outbox) = join(&hub, "orders");
    assert_eq!(hub.subscriber_count("orders"), 2);
    b.unsubscribe("orders").unwrap();
    assert_eq!(hub.subscriber_count("orders"), 1);
    b.subscribe_blocking("orders").unwrap();
    drop(outbox);
    assert_eq!(hub.subscriber_count("orders"), 1);
}

#[test]
fn hub_close() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "orders");
    publish(&hub, "orders", "accepted before");
    hub.close(Disconnect::SHUTDOWN);
    assert!(hub.is_closed());
    assert_eq!(hub.client_count(), 0);
    assert!(client.is_closed());
    assert_eq!(texts(&mut outbox), ["accepted before"]);
    assert_eq!(ending(&mut outbox), Disconnect::SHUTDOWN);
    let refused = hub.connect(ConnectOptions::new()).map(drop);
    assert_eq!(refused, Err(ConnectError::Closed));
}

#[test]
fn hub_count() {
    let hub = Hub::new();
    let (_first, _outbox) = connect(&hub);
    let (second, _closed) = connect(&hub);
    let (_third, dropped) = connect(&hub);
    assert_eq!(hub.client_count(), 3);
    second.close(Disconnect::CLOSED);
    drop(dropped);
    assert_eq!(hub.client_count(), 1);
}

#[test]
fn hub_on_presence() {
    let (hub, events) = observed();
    let (ada, _outbox) = join_as(&hub, "presence-lobby", ConnectOptions::new().user("ada"));
    let (_bob, outbox) = join_as(&hub, "presence-lobby", ConnectOptions::new().user("bob"));
    ada.unsubscribe("presence-lobby").unwrap();
    drop(outbox);
    let lobby = |member: &str, change| ("presence-lobby".to_owned(), member.to_owned(), change);
    let expected = [
        lobby("ada", PresenceChange::Joined),
        lobby("bob", PresenceChange::Joined),
        lobby("ada", PresenceChange::Left),
        lobby("bob", PresenceChange::Left),
    ];
    assert_eq!(told(&events), expected);
}

#[test]
fn hub_presence() {
    let hub = built(open_hub());
    assert!(hub.presence("presence-lobby").is_empty());
    let (_ada, _one) = join_as(&hub, "presence-lobby", ConnectOptions::new().user("ada"));
    let (_bob, _two) = join_as(&hub, "presence-lobby", ConnectOptions::new().user("bob"));
    let mut roster: Vec<_> = hub.presence("presence-lobby").to_vec();
    roster.sort_by(|one, other| one.id().cmp(other.id()));
    let ids: Vec<_> = roster.iter().map(Member::id).collect();
    assert_eq!(ids, ["ada", "bob"]);
    let (_client, _outbox) = join(&hub, "orders");
    assert!(hub.presence("orders").is_empty());
}

#[test]
fn hub_send_to() {
    let hub = Hub::new();
    let (client, mut outbox) = connect(&hub);
    let (_other, mut other) = connect(&hub);
    hub.send_to(client.id(), Message::text("you alone"))
        .unwrap();
    assert_eq!(texts(&mut outbox), ["you alone"]);
    assert!(texts(&mut other).is_empty());
    drop(outbox);
    let late = Message::text("too late");
    let refused = hub.send_to(client.id(), late.clone());
    assert_eq!(refused, Err(SendError::UnknownClient(late)));
}

#[test]
fn hub_subscribe() {
    let hub = Hub::new();
    let (client, mut outbox) = connect(&hub);
    client.subscribe_blocking("orders").unwrap();
    let again = client.subscribe_blocking("orders").map(drop);
    assert_eq!(again, Err(SubscribeError::AlreadySubscribed));
    assert_eq!(hub.subscriber_count("orders"), 1);
    publish(&hub, "orders", "once");
    assert_eq!(texts(&mut outbox), ["once"]);
}

#[test]
fn hub_unsubscribe() {
    let (hub, events) = observed();
    let (client, mut outbox) = join(&hub, "orders");
    client.unsubscribe("orders").unwrap();
    let NotSubscribed { .. } = client.unsubscribe("orders").unwrap_err();
    publish(&hub, "orders", "not for me");
    assert!(texts(&mut outbox).is_empty());
    client.subscribe_blocking("presence-lobby").unwrap();
    client.unsubscribe("presence-lobby").unwrap();
    client.unsubscribe("presence-lobby").unwrap_err();
    assert_eq!(told(&events).len(), 2, "one join, one leave");
}

#[test]
fn client_close() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "orders");
    client.close(Disconnect::KICKED);
    client.close(Disconnect::CLOSED);
    assert!(client.is_closed());
    assert_eq!(client.close_reason(), Some(&Disconnect::KICKED));
    assert_eq!(ending(&mut outbox), Disconnect::KICKED);
    assert_eq!(hub.client_count(), 0);
    assert_eq!(hub.subscriber_count("orders"), 0);
}

#[test]
fn client_close_concurrently() {
    const CLOSERS: u16 = 4;
    let (hub, events) = observed();
    let (client, mut outbox) = join(&hub, "presence-lobby");
    drop(drain(&mut outbox));
    thread::scope(|scope| {
        for closer in 0..CLOSERS {
            let client = client.clone();
            let why = Disconnect::new(4000 + closer, "me first").unwrap();
            scope.spawn(move || client.close(why));
        }
    });
    assert_eq!(Some(&ending(&mut outbox)), client.close_reason());
    assert_eq!(hub.client_count(), 0, "counted off once");
    assert_eq!(told(&events).len(), 2, "one join, one leave");
}

#[test]
fn client_drops() {
    let hub = hub_of(2, SlowConsumer::DropNewest);
    let (client, _outbox) = join(&hub, "orders");
    publish_numbers(&hub, "orders", 0..5);
    assert_eq!(client.stats().dropped, 3);
}

#[test]
fn client_id() {
    let hub = Hub::new();
    let (one, _first) = connect(&hub);
    let (other, _second) = connect(&hub);
    assert_ne!(one.id(), other.id());
    assert_eq!(one.id().to_string().parse(), Ok(one.id()));
}

/// `Serve` tears the client down when the peer goes, and fires a leave for every channel. Here the
/// one who serves owns the outbox, and drops it.
#[test]
fn client_serve() {
    let (hub, events) = observed();
    let (client, mut outbox) = join_as(&hub, "presence-a", ConnectOptions::new().user("ada"));
    client.subscribe_blocking("presence-b").unwrap();
    client.subscribe_blocking("orders").unwrap();
    events.lock().unwrap().clear();
    publish(&hub, "orders", "served");
    let server = thread::spawn(move || {
        while outbox.recv_blocking().unwrap().payload() != "served" {}
        // The peer has gone.
        drop(outbox);
    });
    server.join().unwrap();
    let mut left = told(&events);
    left.sort_by(|one, other| one.0.cmp(&other.0));
    let ada = |channel: &str| (channel.to_owned(), "ada".to_owned(), PresenceChange::Left);
    assert_eq!(left, [ada("presence-a"), ada("presence-b")]);
    assert_eq!(client.close_reason(), Some(&Disconnect::RECEIVER_DROPPED));
    assert_eq!(hub.client_count(), 0);
    assert_eq!(hub.channel_count(), 0);
}

#[tokio::test]
async fn conn() {
    let hub = Hub::new();
    let (_client, mut by_task) = join(&hub, "orders");
    let (_client, mut by_thread) = join(&hub, "orders");
    let thread = thread::spawn(move || by_thread.recv_blocking().map(|frame| frame.offset()));
    let task = tokio::spawn(async move { by_task.recv().await.map(|frame| frame.offset()) });
    publish(&hub, "orders", "to both");
    assert_eq!(thread.join().unwrap(), Ok(1));
    assert_eq!(task.await.unwrap(), Ok(1));
}

#[test]
fn with_authorizer() {
    let hub = built(Hub::builder().authorizer(|request: &AuthRequest| {
        if request.auth() == "secret" {
            Authorization::Allow
        } else {
            Authorization::deny("wrong token")
        }
    }));
    let (knows, _one) = connect_as(&hub, ConnectOptions::new().auth("secret"));
    let (guesses, _two) = connect_as(&hub, ConnectOptions::new().auth("guess"));
    for channel in ["private-orders", "presence-lobby"] {
        knows.subscribe_blocking(channel).unwrap();
        guesses.subscribe_blocking(channel).unwrap_err();
        assert_eq!(hub.subscriber_count(channel), 1);
    }
    guesses.subscribe_blocking("orders").unwrap();
}

#[test]
fn authorizer() {
    struct OnlyPrivate;
    impl Authorizer for OnlyPrivate {
        fn authorize(&self, request: &AuthRequest) -> Authorization {
            match request.kind() {
                ChannelKind::Private => Authorization::Allow,
                _ => Authorization::deny("private only"),
            }
        }
    }
    let hub = built(Hub::builder().authorizer(OnlyPrivate));
    let (client, _outbox) = connect(&hub);
    client.subscribe_blocking("private-orders").unwrap();
    client.subscribe_blocking("presence-lobby").unwrap_err();
}

#[test]
fn authorizer_func() {
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let hub = built(Hub::builder().authorizer(move |_: &AuthRequest| {
        *count.lock().unwrap() += 1;
        Authorization::Allow
    }));
    let (client, _outbox) = connect(&hub);
    client.subscribe_blocking("orders").unwrap();
    assert_eq!(
        *asked.lock().unwrap(),
        0,
        "nobody asks about a public channel"
    );
    client.subscribe_blocking("private-orders").unwrap();
    assert_eq!(*asked.lock().unwrap(), 1);
}

#[test]
fn auth_request() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let hub = built(Hub::builder().authorizer(move |request: &AuthRequest| {
        seen.lock().unwrap().push(request.clone());
        Authorization::Allow
    }));
    let options = ConnectOptions::new().user("ada").auth("signed");
    let (client, _outbox) = connect_as(&hub, options);
    client.subscribe_blocking("presence-lobby").unwrap();
    let requests = requests.lock().unwrap();
    let [request] = &requests[..] else {
        panic!("asked {} times", requests.len())
    };
    assert_eq!(request.channel().as_str(), "presence-lobby");
    assert_eq!(request.kind(), ChannelKind::Presence);
    assert_eq!(request.client(), client.id());
    assert_eq!(request.user(), Some("ada"));
    assert_eq!(request.auth(), "signed");
}

#[test]
fn auth_result() {
    let hub = built(
        Hub::builder().authorizer(|request: &AuthRequest| match request.user() {
            Some("nobody") => Authorization::deny("nobody may"),
            Some(user) => Authorization::AllowAs(Member::new(user, r#"{"name":"Ada"}"#)),
            None => Authorization::Allow,
        }),
    );
    let (ada, _one) = connect_as(&hub, ConnectOptions::new().user("ada"));
    let joined = ada.subscribe_blocking("presence-lobby").unwrap();
    assert_eq!(joined.members[0].id(), "ada");
    assert_eq!(joined.members[0].info(), r#"{"name":"Ada"}"#);
    let (nobody, _two) = connect_as(&hub, ConnectOptions::new().user("nobody"));
    nobody.subscribe_blocking("presence-lobby").unwrap_err();
    let (anonymous, _three) = connect(&hub);
    anonymous.subscribe_blocking("presence-cellar").unwrap();
    let own_id = anonymous.id().to_string();
    assert_eq!(hub.presence("presence-cellar")[0].id(), own_id);
}

#[test]
fn with_logger() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    let hub = built(
        Hub::builder()
            .outbox(OutboxLimits::new().messages(2))
            .on_event(move |event| lines.lock().unwrap().push(event.clone())),
    );
    let (client, mut outbox) = join(&hub, "orders");
    let take = || std::mem::take(&mut *log.lock().unwrap());
    client.subscribe_blocking("private-orders").unwrap_err();
    let [
        HubEvent::JoinDenied {
            client: who,
            channel,
            ..
        },
    ] = &take()[..]
    else {
        panic!("a denial is one line")
    };
    assert_eq!((*who, channel.as_str()), (client.id(), "private-orders"));
    publish_numbers(&hub, "orders", 0..1000);
    let [
        HubEvent::DroppingStarted {
            client: who,
            channel,
        },
    ] = &take()[..]
    else {
        panic!("a storm of drops is one line")
    };
    assert_eq!(*who, client.id());
    assert_eq!(channel.as_deref(), Some("orders"));
    drop(drain(&mut outbox));
    publish_numbers(&hub, "orders", 0..1000);
    assert_eq!(take().len(), 1, "one more after it had caught up");
    drop(drain(&mut outbox));
    for _ in 0..10 {
        let _full = client.send(Message::static_text("alone"));
    }
    let alone = HubEvent::DroppingStarted {
        client: client.id(),
        channel: None,
    };
    assert_eq!(take(), [alone]);
}

#[test]
fn with_outbox() {
    let hub = Hub::new();
    let (client, _outbox) = join(&hub, "orders");
    publish_numbers(&hub, "orders", 0..65);
    let stats = client.stats();
    assert_eq!((stats.queued_messages, stats.dropped), (64, 1));
    let hub = hub_of(3, SlowConsumer::DropNewest);
    let (client, _outbox) = join(&hub, "orders");
    publish_numbers(&hub, "orders", 0..4);
    let stats = client.stats();
    assert_eq!((stats.queued_messages, stats.dropped), (3, 1));
}

#[test]
fn drop_message() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "telemetry");
    publish_numbers(&hub, "telemetry", 0..70);
    assert!(!client.is_closed());
    let first: Vec<_> = (0..64).map(|number: u64| number.to_string()).collect();
    assert_eq!(texts(&mut outbox), first);
    publish(&hub, "telemetry", "room again");
    assert_eq!(texts(&mut outbox), ["room again"]);
}

#[test]
fn disconnect_client() {
    let hub = hub_of(2, SlowConsumer::DISCONNECT);
    let (client, mut outbox) = join(&hub, "orders");
    publish_numbers(&hub, "orders", 0..2);
    assert!(!client.is_closed());
    let delivery = hub.publish("orders", Message::text("2")).unwrap();
    assert_eq!((delivery.dropped(), delivery.disconnected()), (1, 1));
    assert!(client.is_closed());
    assert_eq!(texts(&mut outbox), ["0", "1"]);
    assert_eq!(ending(&mut outbox), Disconnect::SLOW);
    assert_eq!(hub.subscriber_count("orders"), 0);
}

#[test]
fn classify_channel() {
    for (name, kind) in [
        ("orders", ChannelKind::Public),
        ("private-orders", ChannelKind::Private),
        ("presence-lobby", ChannelKind::Presence),
        ("private", ChannelKind::Public),
        ("my-presence-lobby", ChannelKind::Public),
    ] {
        assert_eq!(ChannelKind::of(name), kind, "{name}");
    }
}

#[test]
fn channel_type_string() {
    assert_eq!(ChannelKind::Public.to_string(), "public");
    assert_eq!(ChannelKind::Private.as_str(), "private");
    assert_eq!(ChannelKind::Presence.as_str(), "presence");
}

#[test]
fn member() {
    let member = Member::new("7", r#"{"name":"Ada"}"#);
    assert_eq!(member.id(), "7");
    assert_eq!(member.info(), r#"{"name":"Ada"}"#);
}

#[test]
fn presence_event() {
    let (hub, events) = observed();
    let (_client, mut outbox) = join_as(&hub, "presence-lobby", ConnectOptions::new().user("ada"));
    let event = events.lock().unwrap()[0].clone();
    assert_eq!(event.channel.as_str(), "presence-lobby");
    assert_eq!(event.change, PresenceChange::Joined);
    assert_eq!(event.member.id(), "ada");
    let first = outbox.try_recv().unwrap();
    assert!(matches!(first.event(), Event::Joined(_)), "{first:?}");
    let (_other, _outbox) = join_as(&hub, "presence-lobby", ConnectOptions::new().user("bob"));
    let second = outbox.try_recv().unwrap();
    let Event::MemberAdded(added) = second.event() else {
        panic!("the members are told too: {second:?}")
    };
    assert_eq!(added.id(), "bob");
}

#[test]
fn message_type() {
    assert_eq!(Message::text("a").format(), Format::Text);
    assert_eq!(Message::static_text("a").format(), Format::Text);
    assert_eq!(Message::binary("a").format(), Format::Binary);
    assert_eq!(
        Message::from_utf8("a".into()).unwrap().format(),
        Format::Text
    );
    let not_text: &[u8] = &[0xff];
    assert_eq!(Message::from_utf8(not_text.into()).unwrap_err(), not_text);
}

#[test]
fn err_closed() {
    let hub = Hub::new();
    let (client, mut outbox) = connect(&hub);
    let channel = hub.channel("orders").unwrap();
    hub.close(Disconnect::SHUTDOWN);
    let message = Message::text("too late");
    let closed = PublishError::Closed(message.clone());
    assert_eq!(channel.publish(message.clone()), Err(closed.clone()));
    assert_eq!(hub.publish("orders", message.clone()), Err(closed.clone()));
    assert_eq!(hub.publish("nowhere", message.clone()), Err(closed.clone()));
    assert_eq!(hub.broadcast(message.clone()), Err(closed));
    assert_eq!(
        client.send(message.clone()),
        Err(SendError::Closed(message))
    );
    let join = client.subscribe_blocking("orders").map(drop);
    assert_eq!(join, Err(SubscribeError::Channel(ChannelError::Closed)));
    assert_eq!(hub.channel("orders").map(drop), Err(ChannelError::Closed));
    let ended = outbox.recv_blocking().map(drop).unwrap_err();
    assert_eq!(ended.disconnect(), &Disconnect::SHUTDOWN);
}

#[test]
fn err_unauthorized() {
    let bare = Hub::new();
    let (client, _outbox) = connect(&bare);
    for channel in ["private-orders", "presence-lobby"] {
        let denied = client.subscribe_blocking(channel).map(drop);
        assert!(matches!(denied, Err(SubscribeError::Unauthorized { .. })));
    }
    assert_eq!(bare.channel_count(), 0, "a denied join makes no channel");
    let strict = |_: &AuthRequest| Authorization::deny("not you");
    let hub = built(Hub::builder().authorizer(strict));
    let (client, _outbox) = connect(&hub);
    let denied = client.subscribe_blocking("private-orders").unwrap_err();
    assert_eq!(denied.to_string(), "unauthorized: not you");
}

#[test]
fn example() -> Result<(), Box<dyn Error>> {
    let hub = Hub::new();
    let (client, mut outbox) = hub.connect(ConnectOptions::new())?;
    client.subscribe_blocking("orders")?;
    let message = Message::static_text(r#"{"event":"created","id":42}"#);
    assert_eq!(hub.publish("orders", message)?.delivered(), 1);
    assert_eq!(hub.subscriber_count("orders"), 1);
    let frame = outbox.recv_blocking()?;
    assert_eq!(frame.payload(), r#"{"event":"created","id":42}"#);
    hub.close(Disconnect::SHUTDOWN);
    Ok(())
}
