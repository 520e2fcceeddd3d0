//! What layers build on: filters, routes, attachments, joins that nobody waits for, and the news of
//! channels.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Wake;

use parking_lot::Mutex;
use throng::Channel;
use throng::ChannelEvent;
use throng::ChannelName;
use throng::Client;
use throng::ConnectOptions;
use throng::Event;
use throng::Filter;
use throng::Frame;
use throng::Hub;
use throng::Limits;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::Router;
use throng::SubscribeError;
use throng::SubscribeOptions;

#[test]
fn a_filter_lets_through_what_it_wants_at_its_own_offset() {
    let hub = Hub::new();
    let (picky, mut outbox) = connect(&hub);
    let options = SubscribeOptions::new().filter(long());
    picky.subscribe_detached("news", options).unwrap();
    let (_all, mut everything) = subscribed(&hub, "news");

    let short = hub.publish("news", Message::text("short")).unwrap();
    let long = hub.publish("news", Message::text("a long one")).unwrap();

    assert_eq!((short.addressed(), long.addressed()), (1, 2));
    assert_eq!(texts(&mut outbox), ["2: a long one"]);
    assert_eq!(texts(&mut everything), ["1: short", "2: a long one"]);
}

#[test]
fn a_filter_is_asked_once_for_all_who_share_it() {
    let hub = Hub::new();
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    // Relaxed: one thread.
    let filter = Filter::new(move |_| counter.fetch_add(1, Ordering::Relaxed) < u64::MAX);
    let crowd: Vec<_> = (0..10).map(|_| connect(&hub)).collect();
    for (client, _) in &crowd {
        let options = SubscribeOptions::new().filter(filter.clone());
        client.subscribe_detached("news", options).unwrap();
    }

    let delivery = hub.publish("news", Message::text("to ten")).unwrap();

    assert_eq!(delivery.delivered(), 10);
    // Relaxed: one thread.
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn a_filter_that_panics_wants_nothing_and_hurts_nobody() {
    let hub = Hub::new();
    let (careless, mut outbox) = connect(&hub);
    let filter = Filter::new(|_| panic!("a mistake in a filter"));
    let options = SubscribeOptions::new().filter(filter);
    careless.subscribe_detached("news", options).unwrap();
    let (_other, mut other) = subscribed(&hub, "news");

    let delivery = hub.publish("news", Message::text("one")).unwrap();

    assert_eq!(delivery.delivered(), 1);
    assert!(outbox.try_recv().is_err());
    assert_eq!(texts(&mut other), ["1: one"]);
}

#[test]
fn those_with_filters_come_and_go_like_others() {
    let hub = Hub::new();
    let channel = hub.channel("news").unwrap();
    let filters = [long(), long(), Filter::new(|_| true)];
    let crowd: Vec<_> = (0..30).map(|_| connect(&hub)).collect();
    for (index, (client, _)) in crowd.iter().enumerate() {
        let filter = filters[index % 3].clone();
        let options = SubscribeOptions::new().filter(filter);
        client.subscribe_detached("news", options).unwrap();
    }
    assert_eq!(channel.subscriber_count(), 30);
    for (index, (client, _)) in crowd.iter().enumerate() {
        client.unsubscribe("news").unwrap();
        let delivery = channel.publish(Message::text("long enough")).unwrap();
        assert_eq!(delivery.delivered(), 29 - index);
    }
    assert_eq!(channel.subscriber_count(), 0);
}

#[test]
fn routes_hand_on_the_same_frame() {
    let (hub, routes) = routed();
    let (_direct, mut direct) = subscribed(&hub, "sport.tennis");
    let (_pattern, mut pattern) = subscribed(&hub, "$sport");
    routes.add("sport.", hub.channel("$sport").unwrap());

    let delivery = hub.publish("sport.tennis", Message::text("15:0")).unwrap();

    assert_eq!((delivery.delivered(), delivery.routed()), (1, 1));
    let (one, other) = (direct.try_recv().unwrap(), pattern.try_recv().unwrap());
    assert!(one.ptr_eq(&other), "one frame, encoded once");
    assert_eq!(other.channel().unwrap().as_str(), "sport.tennis");
    assert_eq!(other.offset(), 1);
}

#[test]
fn a_route_is_known_from_the_next_publication_on() {
    let (hub, routes) = routed();
    let channel = hub.channel("sport.tennis").unwrap();
    let (_pattern, mut pattern) = subscribed(&hub, "$sport");
    let _nobody = channel.publish(Message::text("before")).unwrap();
    routes.add("sport.", hub.channel("$sport").unwrap());
    let _pattern = channel.publish(Message::text("with")).unwrap();
    routes.clear();
    let _nobody = channel.publish(Message::text("after")).unwrap();

    assert_eq!(texts(&mut pattern), ["2: with"]);
}

#[test]
fn a_publish_to_no_channel_reaches_patterns() {
    let (hub, routes) = routed();
    let (_pattern, mut pattern) = subscribed(&hub, "$sport");
    routes.add("sport.", hub.channel("$sport").unwrap());

    let delivery = hub.publish("sport.golf", Message::text("par")).unwrap();

    assert_eq!((delivery.addressed(), delivery.routed()), (0, 1));
    assert_eq!(texts(&mut pattern), ["1: par"]);
    assert_eq!(hub.channel_count(), 1, "only the pattern's is left");
}

#[test]
fn who_is_left_out_is_left_out_of_routes_too() {
    let (hub, routes) = routed();
    let (publisher, mut own) = subscribed(&hub, "$sport");
    routes.add("sport.", hub.channel("$sport").unwrap());
    let message = Message::text("not to myself");
    let _nobody = hub
        .prepare("sport.golf", message)
        .except(publisher.id())
        .publish()
        .unwrap();
    assert!(own.try_recv().is_err());
}

#[test]
fn what_a_pattern_loses_is_told_in_its_own_numbers() {
    let (hub, routes) = routed();
    let options = ConnectOptions::new()
        .outbox(OutboxLimits::new().messages(1))
        .gap_notices(true);
    let (client, mut outbox) = hub.connect(options).unwrap();
    client
        .subscribe_detached("$sport", SubscribeOptions::new())
        .unwrap();
    routes.add("sport.", hub.channel("$sport").unwrap());
    for channel in ["sport.golf", "sport.tennis", "sport.golf"] {
        let _some_dropped = hub.publish(channel, Message::text(channel)).unwrap();
    }

    let mut gaps = 0;
    while let Ok(frame) = outbox.try_recv() {
        if let Event::Gap(gap) = frame.event() {
            assert_eq!(gap.channel.as_str(), "$sport");
            assert_eq!((gap.first, gap.last, gap.missed), (2, 3, 2));
            gaps += 1;
        }
    }
    assert_eq!(gaps, 1);
}

#[test]
fn what_a_busy_pattern_cannot_take_is_told_as_lost() {
    let hub = Hub::builder()
        .limits(Limits::new().backlog(1))
        .build()
        .unwrap();
    let routes = Routes::default();
    assert!(hub.set_router(routes.clone()));
    let options = ConnectOptions::new().gap_notices(true);
    let (client, mut outbox) = hub.connect(options).unwrap();
    client
        .subscribe_detached("$sport", SubscribeOptions::new())
        .unwrap();
    routes.add("sport.", hub.channel("$sport").unwrap());
    // Two publications come while the pattern is at it: there is room for one of them to wait.
    let waker = Arc::new(PublishTwice(Mutex::new(Some(hub.clone())))).into();
    assert!(
        outbox
            .poll_recv(&mut Context::from_waker(&waker))
            .is_pending()
    );

    let _one = hub.publish("sport.golf", Message::text("first")).unwrap();

    let mut told = Vec::new();
    while let Ok(frame) = outbox.try_recv() {
        told.push(match frame.event() {
            Event::Gap(gap) => format!("{} lost from {}", gap.missed, gap.first),
            _ => String::from_utf8_lossy(frame.payload()).into_owned(),
        });
    }
    told.sort();
    assert_eq!(told, ["1 lost from 2", "first", "second"]);
}

struct PublishTwice(Mutex<Option<Hub>>);

impl Wake for PublishTwice {
    fn wake(self: Arc<Self>) {
        if let Some(hub) = self.0.lock().take() {
            for text in ["second", "third"] {
                let _one = hub.publish("sport.tennis", Message::text(text)).unwrap();
            }
        }
    }
}

#[test]
fn a_channel_comes_and_goes_once_in_the_news() {
    let hub = Hub::new();
    let news = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&news);
    assert!(hub.on_channel(move |change| heard.lock().push(change.clone())));
    assert!(!hub.on_channel(|_| {}), "there is one hook");
    let (client, _outbox) = subscribed(&hub, "news");
    client.unsubscribe("news").unwrap();
    let news: Vec<_> = news.lock().clone();
    let [ChannelEvent::Created(made), ChannelEvent::Removed(gone)] = &news[..] else {
        panic!("{news:?}");
    };
    assert_eq!((made.as_str(), gone.as_str()), ("news", "news"));
}

#[test]
fn an_attachment_travels_and_does_not_count() {
    let hub = Hub::new();
    let (_client, mut outbox) = subscribed(&hub, "news");
    let message = Message::text("hello").attach(Arc::new(42_u8));
    let _one = hub.publish("news", message).unwrap();
    let frame = outbox.try_recv().unwrap();
    assert_eq!(frame.message().unwrap().attachment::<u8>(), Some(&42));
    assert_eq!(frame.message().unwrap().attachment::<u16>(), None);
}

#[test]
fn only_public_channels_are_joined_without_waiting() {
    let hub = Hub::builder()
        .authorizer(|_: &throng::AuthRequest| throng::Authorization::Allow)
        .build()
        .unwrap();
    let (client, _outbox) = connect(&hub);
    let refused = client.subscribe_detached("private-x", SubscribeOptions::new());
    assert!(matches!(refused, Err(SubscribeError::Unauthorized { .. })));
    assert!(client.subscriptions().is_empty());
}

fn long() -> Filter {
    Filter::new(|message: &Message| message.payload().len() > 5)
}

fn connect(hub: &Hub) -> (Client, Outbox) {
    hub.connect(ConnectOptions::new()).unwrap()
}

fn subscribed(hub: &Hub, channel: &str) -> (Client, Outbox) {
    let (client, outbox) = connect(hub);
    client
        .subscribe_detached(channel, SubscribeOptions::new())
        .unwrap();
    (client, outbox)
}

fn texts(outbox: &mut Outbox) -> Vec<String> {
    let frames = std::iter::from_fn(|| outbox.try_recv().ok());
    let text = |frame: Frame| {
        let payload = String::from_utf8_lossy(frame.payload()).into_owned();
        format!("{}: {payload}", frame.offset())
    };
    frames.map(text).collect()
}

/// A hub whose channels go where [`Routes`] says.
fn routed() -> (Hub, Routes) {
    let hub = Hub::new();
    let routes = Routes::default();
    assert!(hub.set_router(routes.clone()));
    (hub, routes)
}

#[derive(Clone, Default)]
struct Routes {
    version: Arc<AtomicU64>,
    all: Arc<Mutex<Vec<(&'static str, Channel)>>>,
}

impl Routes {
    fn add(&self, prefix: &'static str, channel: Channel) {
        self.all.lock().push((prefix, channel));
        // Release: who sees the version sees the route.
        self.version.fetch_add(1, Ordering::Release);
    }

    fn clear(&self) {
        self.all.lock().clear();
        // Release: as above.
        self.version.fetch_add(1, Ordering::Release);
    }
}

impl Router for Routes {
    fn version(&self) -> u64 {
        // Acquire: pairs with the Release of a change.
        self.version.load(Ordering::Acquire)
    }

    fn routes(&self, channel: &ChannelName) -> Vec<Channel> {
        let all = self.all.lock();
        let matching = all.iter().filter(|(prefix, _)| channel.starts_with(prefix));
        matching.map(|(_, channel)| channel.clone()).collect()
    }
}
