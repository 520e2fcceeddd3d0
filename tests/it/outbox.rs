//! The receiving end: waiting, waking, ending.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::thread;

use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::stream::FusedStream;
use throng::Batch;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::Event;
use throng::Frame;
use throng::Hub;
use throng::Message;
use throng::TryRecvError;

use crate::support::built;
use crate::support::connect;
use crate::support::drain;
use crate::support::ending;
use crate::support::join;
use crate::support::join_as;
use crate::support::open_hub;
use crate::support::publish;
use crate::support::publish_numbers;
use crate::support::texts;
use crate::support::waker;

#[test]
fn nothing_there_is_not_an_end() {
    let hub = Hub::new();
    let (_client, mut outbox) = connect(&hub);
    assert_eq!(outbox.try_recv().unwrap_err(), TryRecvError::Empty);
    assert!(outbox.is_empty());
    let mut batch = Batch::new();
    assert_eq!(
        outbox.try_recv_batch(&mut batch, 8),
        Err(TryRecvError::Empty)
    );
}

#[tokio::test]
async fn recv_wakes_for_a_message() {
    let hub = Hub::new();
    let (_client, mut outbox) = join(&hub, "c");
    let receiver = tokio::spawn(async move { outbox.recv().await.unwrap().payload().clone() });
    tokio::task::yield_now().await;
    publish(&hub, "c", "woken");
    assert_eq!(receiver.await.unwrap(), "woken");
}

#[tokio::test]
async fn recv_wakes_for_the_close() {
    let hub = Hub::new();
    let (client, mut outbox) = connect(&hub);
    let receiver = tokio::spawn(async move { outbox.recv().await.unwrap_err() });
    tokio::task::yield_now().await;
    client.close(Disconnect::KICKED);
    assert_eq!(receiver.await.unwrap().disconnect(), &Disconnect::KICKED);
}

#[tokio::test]
async fn recv_wakes_for_control() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "c");
    let receiver = tokio::spawn(async move {
        let frame = outbox.recv().await.unwrap();
        matches!(frame.event(), Event::Unsubscribed(_))
    });
    tokio::task::yield_now().await;
    client.force_unsubscribe("c", "out").unwrap();
    assert!(receiver.await.unwrap());
}

#[test]
fn one_parked_receiver_is_woken_once() {
    let hub = Hub::new();
    let (_client, mut outbox) = join(&hub, "c");
    let wakes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&wakes);
    let waker = waker(move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let mut cx = Context::from_waker(&waker);
    assert!(outbox.poll_recv(&mut cx).is_pending());
    publish_numbers(&hub, "c", 0..10);
    assert_eq!(wakes.load(Ordering::SeqCst), 1);
    assert_eq!(drain(&mut outbox).len(), 10);
    publish(&hub, "c", "it looked without a waker");
    assert_eq!(wakes.load(Ordering::SeqCst), 1);
}

#[test]
fn only_the_last_to_poll_is_woken() {
    let hub = Hub::new();
    let (_client, mut outbox) = join(&hub, "c");
    let (wakes, count) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let seen = Arc::clone(&wakes);
    let last = waker(move || {
        seen.fetch_add(1, Ordering::SeqCst);
    });
    let first = waker(move || {
        count.fetch_add(1, Ordering::SeqCst);
        panic!("it was replaced");
    });
    assert!(
        outbox
            .poll_recv(&mut Context::from_waker(&first))
            .is_pending()
    );
    assert!(
        outbox
            .poll_recv(&mut Context::from_waker(&last))
            .is_pending()
    );
    publish(&hub, "c", "x");
    assert_eq!(wakes.load(Ordering::SeqCst), 1);
}

#[test]
fn recv_blocking_waits_for_each() {
    const MESSAGES: u64 = 2_000;
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "c");
    let (sender, received) = std::sync::mpsc::channel();
    let receiver = thread::spawn(move || {
        while let Ok(frame) = outbox.recv_blocking() {
            sender.send(frame.offset()).unwrap();
        }
    });
    for offset in 1..=MESSAGES {
        publish(&hub, "c", "ping");
        assert_eq!(received.recv(), Ok(offset));
    }
    client.close(Disconnect::CLOSED);
    receiver.join().unwrap();
}

#[test]
fn a_dropped_recv_loses_nothing() {
    let hub = Hub::new();
    let (_client, mut outbox) = join(&hub, "c");
    assert!(outbox.recv().now_or_never().is_none());
    drop(outbox.recv());
    publish_numbers(&hub, "c", 0..2);
    drop(outbox.recv());
    let first = outbox.recv().now_or_never().unwrap().unwrap();
    assert_eq!(first.payload(), "0");
    let mut batch = Batch::new();
    drop(outbox.recv_batch(&mut batch, 8));
    assert!(batch.is_empty());
    assert_eq!(texts(&mut outbox), ["1"]);
}

#[test]
fn a_batch_takes_what_is_there_and_no_more_than_it_may() {
    let hub = Hub::new();
    let (_client, mut outbox) = join(&hub, "c");
    publish_numbers(&hub, "c", 0..10);
    let mut batch = Batch::new();
    assert_eq!(outbox.try_recv_batch(&mut batch, 4), Ok(4));
    assert_eq!(
        outbox.recv_batch(&mut batch, 100).now_or_never(),
        Some(Ok(6))
    );
    let offsets: Vec<_> = batch.iter().map(Frame::offset).collect();
    assert_eq!(offsets, (1..=10).collect::<Vec<_>>());
    batch.clear();
    assert!(outbox.recv_batch(&mut batch, 4).now_or_never().is_none());
}

#[test]
fn what_was_accepted_before_the_close_is_received_and_then_the_reason() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "c");
    publish_numbers(&hub, "c", 0..3);
    client.close(Disconnect::SHUTDOWN);
    publish(&hub, "c", "too late");
    assert_eq!(
        outbox.close_reason(),
        Some(&Disconnect::SHUTDOWN),
        "one may look ahead"
    );
    assert_eq!(texts(&mut outbox), ["0", "1", "2"]);
    assert_eq!(ending(&mut outbox), Disconnect::SHUTDOWN);
    assert_eq!(ending(&mut outbox), Disconnect::SHUTDOWN, "and again");
    let closed = outbox.recv_blocking().unwrap_err();
    assert_eq!(closed.to_string(), "disconnected: shutdown (3001)");
}

#[tokio::test]
async fn the_stream_ends_with_the_client() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "c");
    publish_numbers(&hub, "c", 0..2);
    client.close(Disconnect::CLOSED);
    assert!(!outbox.is_terminated());
    let offsets: Vec<_> = outbox.by_ref().map(|frame| frame.offset()).collect().await;
    assert_eq!(offsets, [1, 2]);
    assert!(outbox.is_terminated());
    assert!(outbox.next().await.is_none(), "it stays at its end");
    assert_eq!(outbox.close_reason(), Some(&Disconnect::CLOSED));
}

#[test]
fn dropping_the_outbox_disconnects_and_leaves_nothing() {
    let hub = built(open_hub());
    let (client, outbox) = join(&hub, "c");
    client.subscribe_blocking("presence-lobby").unwrap();
    publish(&hub, "c", "never received");
    drop(outbox);
    assert_eq!(client.close_reason(), Some(&Disconnect::RECEIVER_DROPPED));
    assert_eq!((hub.client_count(), hub.channel_count()), (0, 0));
    assert!(client.subscriptions().is_empty());
    assert_eq!(client.stats().queued_messages, 0);
    client.send(Message::static_text("x")).unwrap_err();
    client.subscribe_blocking("c").unwrap_err();
}

#[test]
fn dropping_a_client_does_nothing() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "c");
    drop(client);
    publish(&hub, "c", "still here");
    assert_eq!(texts(&mut outbox), ["still here"]);
    assert!(!outbox.client().is_closed());
}

#[test]
fn an_outbox_outlives_its_hub() {
    let hub = Hub::new();
    let (client, mut outbox) = join(&hub, "c");
    publish(&hub, "c", "kept");
    drop((hub, client));
    assert_eq!(texts(&mut outbox), ["kept"]);
    outbox.client().close(Disconnect::CLOSED);
    assert_eq!(ending(&mut outbox), Disconnect::CLOSED);
}

#[test]
fn control_comes_before_data_and_joins_tell_their_position() {
    let hub = Hub::new();
    let options = ConnectOptions::new().join_notices(true);
    let (client, mut outbox) = join_as(&hub, "c", options);
    publish(&hub, "c", "data");
    client.subscribe_blocking("d").unwrap();
    let frames = drain(&mut outbox);
    let kinds: Vec<_> = frames
        .iter()
        .map(|frame| match frame.event() {
            Event::Joined(joined) => {
                format!("joined {} at {}", joined.channel, joined.position.offset)
            }
            Event::Message(_) => "message".to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["joined c at 0", "joined d at 0", "message"]);
}

/// The receiver polls by hand and is woken from another thread, many times.
#[test]
fn no_wake_up_is_lost() {
    const MESSAGES: u64 = 20_000;
    let hub = built(Hub::builder().outbox(crate::support::holding(1 << 15)));
    let (client, mut outbox) = join(&hub, "c");
    let receiver = thread::spawn(move || {
        let thread = thread::current();
        let waker = waker(move || thread.unpark());
        let mut cx = Context::from_waker(&waker);
        let mut received = 0;
        loop {
            match outbox.poll_recv(&mut cx) {
                Poll::Ready(Ok(_)) => received += 1,
                Poll::Ready(Err(_)) => return received,
                Poll::Pending => thread::park(),
            }
        }
    });
    for number in 0..MESSAGES {
        publish(&hub, "c", "x");
        if number % 64 == 0 {
            thread::yield_now();
        }
    }
    client.close(Disconnect::CLOSED);
    assert_eq!(receiver.join().unwrap(), MESSAGES);
}
