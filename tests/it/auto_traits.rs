//! Which public types may be sent, shared and moved, and which may not.

use std::cell::Cell;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::marker::PhantomPinned;
use std::rc::Rc;

use throng::AuthRequest;
use throng::Authorization;
use throng::Batch;
use throng::BuildError;
use throng::Channel;
use throng::ChannelError;
use throng::ChannelName;
use throng::ChannelStats;
use throng::Client;
use throng::ClientId;
use throng::ClientStats;
use throng::Closed;
use throng::ConnectError;
use throng::ConnectOptions;
use throng::Delivery;
use throng::Disconnect;
use throng::EncodingSlot;
use throng::Event;
use throng::Frame;
use throng::Gap;
use throng::Hub;
use throng::HubBuilder;
use throng::HubEvent;
use throng::HubStats;
use throng::Joined;
use throng::Limits;
use throng::ManualClock;
use throng::Member;
use throng::Message;
use throng::NotSubscribed;
use throng::Outbox;
use throng::OutboxKey;
use throng::OutboxLimits;
use throng::OutboxSet;
use throng::PresenceEvent;
use throng::PublishError;
use throng::SendError;
use throng::SlowClient;
use throng::SlowConsumer;
use throng::StreamPosition;
use throng::SubscribeError;
use throng::SubscribeOptions;
use throng::TryRecvError;
use throng::UnknownClient;
use throng::Unsubscribed;

/// Which traits a type has: `Send`, `Sync`, `Unpin`.
type Traits = (bool, bool, bool);

const ALL: Traits = (true, true, true);

/// Asked of a type, answers with its own method where the bound holds, else with the trait's.
struct Probe<T>(PhantomData<T>);

impl<T> Probe<T> {
    /// Asks a value whose type has no name.
    fn of(_: &T) -> Self {
        Self(PhantomData)
    }
}

impl<T: Send> Probe<T> {
    fn is_send(&self) -> bool {
        true
    }
}

impl<T: Sync> Probe<T> {
    fn is_sync(&self) -> bool {
        true
    }
}

impl<T: Unpin> Probe<T> {
    fn is_unpin(&self) -> bool {
        true
    }
}

trait Otherwise {
    fn is_send(&self) -> bool {
        false
    }

    fn is_sync(&self) -> bool {
        false
    }

    fn is_unpin(&self) -> bool {
        false
    }
}

impl<T> Otherwise for Probe<T> {}

macro_rules! traits {
    ($probe:expr) => {{
        let probe = $probe;
        (probe.is_send(), probe.is_sync(), probe.is_unpin())
    }};
}

macro_rules! assert_traits {
    ($($type:ty: $expected:expr;)*) => {$(
        let traits = traits!(Probe::<$type>(PhantomData));
        assert_eq!(traits, $expected, "{}", stringify!($type));
    )*};
}

#[test]
fn the_probe_tells_them_apart() {
    assert_traits! {
        u8: ALL;
        Rc<u8>: (false, false, true);
        Cell<u8>: (true, false, true);
        PhantomPinned: (true, true, false);
    }
}

#[test]
fn handles_go_anywhere() {
    assert_traits! {
        Batch: ALL;
        Channel: ALL;
        Client: ALL;
        Frame: ALL;
        Hub: ALL;
        HubBuilder: ALL;
        Message: ALL;
        Outbox: ALL;
        OutboxSet: ALL;
    }
}

#[test]
fn a_decision_that_comes_later_is_not_shared() {
    assert_traits! {
        AuthRequest: ALL;
        Authorization: (true, false, true);
    }
}

#[test]
fn words_go_anywhere() {
    assert_traits! {
        ChannelName: ALL;
        ChannelStats: ALL;
        ClientId: ALL;
        ClientStats: ALL;
        ConnectOptions: ALL;
        Delivery: ALL;
        Disconnect: ALL;
        Event<'static>: ALL;
        Gap: ALL;
        HubEvent: ALL;
        HubStats: ALL;
        Joined: ALL;
        Unsubscribed: ALL;
        Limits: ALL;
        ManualClock: ALL;
        Member: ALL;
        OutboxKey: ALL;
        OutboxLimits: ALL;
        PresenceEvent: ALL;
        SlowClient: ALL;
        SlowConsumer: ALL;
        StreamPosition: ALL;
        SubscribeOptions: ALL;
        EncodingSlot: ALL;
    }
}

/// What `anyhow` and `Box<dyn Error + Send + Sync>` ask for.
fn assert_error<E: std::error::Error + Debug + Send + Sync + Unpin + 'static>() {}

#[test]
fn errors_go_anywhere() {
    assert_error::<BuildError>();
    assert_error::<ChannelError>();
    assert_error::<Closed>();
    assert_error::<ConnectError>();
    assert_error::<NotSubscribed>();
    assert_error::<PublishError>();
    assert_error::<SendError>();
    assert_error::<SubscribeError>();
    assert_error::<TryRecvError>();
    assert_error::<UnknownClient>();
}

#[test]
fn futures_are_sent_but_not_moved_once_polled() {
    let hub = Hub::new();
    let (client, mut outbox) = hub.connect(ConnectOptions::new()).unwrap();
    let channel = hub.channel("a").unwrap();
    let mut batch = Batch::new();
    let message = Message::static_text("x");
    let options = SubscribeOptions::new();
    let confirmed = channel
        .prepare(message.clone())
        .except(client.id())
        .confirmed();
    // A join may await the authorizer's future, which need not be `Sync`.
    let joining = (true, false, false);
    let waiting = (true, true, false);
    assert_eq!(traits!(Probe::of(&client.subscribe("a"))), joining);
    assert_eq!(
        traits!(Probe::of(&client.subscribe_with("a", options))),
        joining
    );
    assert_eq!(
        traits!(Probe::of(&channel.prepare(message).confirmed())),
        waiting
    );
    assert_eq!(traits!(Probe::of(&confirmed)), waiting);
    assert_eq!(traits!(Probe::of(&outbox.recv())), waiting);
    assert_eq!(
        traits!(Probe::of(&outbox.recv_batch(&mut batch, 1))),
        waiting
    );
}
