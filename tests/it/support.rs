//! Small worlds for the tests of the hub, and short ways to look at what came out.

use std::sync::Arc;
use std::sync::Mutex;
use std::task::Context;
use std::task::Poll;
use std::task::Wake;
use std::task::Waker;
use std::thread;

use throng::Authorization;
use throng::Client;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::Frame;
use throng::Gap;
use throng::Hub;
use throng::HubBuilder;
use throng::Limits;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::SlowConsumer;
use throng::TryRecvError;

/// A client with the hub's own settings.
pub(crate) fn connect(hub: &Hub) -> (Client, Outbox) {
    connect_as(hub, ConnectOptions::new())
}

pub(crate) fn connect_as(hub: &Hub, options: ConnectOptions) -> (Client, Outbox) {
    hub.connect(options).expect("the hub has room")
}

/// A client in `channel`.
pub(crate) fn join(hub: &Hub, channel: &str) -> (Client, Outbox) {
    join_as(hub, channel, ConnectOptions::new())
}

pub(crate) fn join_as(hub: &Hub, channel: &str, options: ConnectOptions) -> (Client, Outbox) {
    let (client, outbox) = connect_as(hub, options);
    client.subscribe_blocking(channel).expect("joined");
    (client, outbox)
}

/// A hub whose outboxes hold `messages` and follow `policy`.
pub(crate) fn hub_of(messages: usize, policy: SlowConsumer) -> Hub {
    built(
        Hub::builder()
            .outbox(holding(messages))
            .slow_consumer(policy),
    )
}

/// A hub that lets everyone in, in presence channels by the client's user.
pub(crate) fn open_hub() -> HubBuilder {
    Hub::builder().authorizer(|_: &throng::AuthRequest| Authorization::Allow)
}

pub(crate) fn built(builder: HubBuilder) -> Hub {
    builder.build().expect("the settings are in range")
}

pub(crate) fn limited(limits: Limits) -> Hub {
    built(open_hub().limits(limits))
}

pub(crate) fn holding(messages: usize) -> OutboxLimits {
    OutboxLimits::new().messages(messages)
}

/// Publishes where the report is of no interest.
pub(crate) fn publish(hub: &Hub, channel: &str, text: &'static str) {
    let _delivery = hub
        .publish(channel, Message::static_text(text))
        .expect("published");
}

/// Publishes the numbers of `range` as texts.
pub(crate) fn publish_numbers(hub: &Hub, channel: &str, range: std::ops::Range<u64>) {
    for number in range {
        let _delivery = hub
            .publish(channel, Message::text(number.to_string()))
            .expect("published");
    }
}

/// Everything that is there now.
pub(crate) fn drain(outbox: &mut Outbox) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Ok(frame) = outbox.try_recv() {
        frames.push(frame);
    }
    frames
}

/// The texts of the messages that are there now, other events left out.
pub(crate) fn texts(outbox: &mut Outbox) -> Vec<String> {
    let frames = drain(outbox);
    let messages = frames.iter().filter_map(Frame::message);
    messages
        .map(|message| String::from_utf8(message.payload().to_vec()).expect("text"))
        .collect()
}

/// The offsets of the messages that are there now.
pub(crate) fn offsets(outbox: &mut Outbox) -> Vec<u64> {
    let frames = drain(outbox);
    let messages = frames.iter().filter(|frame| frame.message().is_some());
    messages.map(Frame::offset).collect()
}

/// The gap notices that are there now, as first, last and missed; other events left out.
pub(crate) fn gaps(outbox: &mut Outbox) -> Vec<(u64, u64, u64)> {
    let frames = drain(outbox);
    frames.iter().filter_map(gap).map(range_of).collect()
}

pub(crate) fn gap(frame: &Frame) -> Option<&Gap> {
    match frame.event() {
        throng::Event::Gap(gap) => Some(gap),
        _ => None,
    }
}

pub(crate) fn range_of(gap: &Gap) -> (u64, u64, u64) {
    (gap.first, gap.last, gap.missed)
}

/// Why the outbox has ended; fails if it has not, or if something waits.
pub(crate) fn ending(outbox: &mut Outbox) -> Disconnect {
    match outbox.try_recv() {
        Err(TryRecvError::Closed(closed)) => closed.disconnect().clone(),
        other => panic!("the outbox has not ended: {other:?}"),
    }
}

/// A waker that calls `f`.
pub(crate) fn waker(f: impl Fn() + Send + Sync + 'static) -> Waker {
    struct Call<F>(F);
    impl<F: Fn() + Send + Sync + 'static> Wake for Call<F> {
        fn wake(self: Arc<Self>) {
            (self.0)();
        }
    }
    Waker::from(Arc::new(Call(f)))
}

/// Calls `f` while a publisher is in the middle of `channel`, from the waker of a subscriber that
/// was parked; whatever `f` asks of the channel is therefore handed over. Returns after it was
/// done, with what `f` returned. One publication and the subscriber are there only for this.
pub(crate) fn in_the_middle_of<R: Send + 'static>(
    hub: &Hub,
    channel: &str,
    f: impl FnOnce() -> R + Send + 'static,
) -> R {
    let (_client, mut outbox) = join(hub, channel);
    drop(drain(&mut outbox));
    let job = Mutex::new(Some(f));
    let result = Arc::new(Mutex::new(None));
    let put = Arc::clone(&result);
    let waker = waker(move || {
        let job = job.lock().expect("no panic").take();
        if let Some(job) = job {
            let done = job();
            *put.lock().expect("no panic") = Some(done);
        }
    });
    let parked = outbox.poll_recv(&mut Context::from_waker(&waker));
    assert!(matches!(parked, Poll::Pending));
    publish(hub, channel, "in the middle");
    let done = result.lock().expect("no panic").take();
    done.expect("the publisher woke the subscriber")
}

/// Waits for what other threads are about to do, without a clock: gives up after so many looks
/// that a machine under load gets there, and a broken program does not hang.
pub(crate) fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..10_000_000 {
        if is() {
            return;
        }
        thread::yield_now();
    }
    panic!("never happened: {what}");
}
