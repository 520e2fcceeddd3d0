//! Events that wait for an asynchronous observer.
//!
//! # Memory
//!
//! Bounded by [`Hook::queue`](super::Hook::queue). The task that calls the observer starts with
//! the first event, and ends when the hook is removed and its events are delivered.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::Sender;
use tokio::time;

use crate::quiet::quietly;

use super::Event;
use super::hook::Counts;
use super::hook::Quietly;

/// A function that begins to observe an event.
pub(super) type Begin =
    Arc<dyn Fn(Event) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The queue of an asynchronous observer.
pub(super) struct Queue {
    observer: Begin,
    len: usize,
    timeout: Duration,
    counts: Arc<Counts>,
    /// The way to the task; `None` before the first event, and closed when its runtime has ended.
    sender: Mutex<Option<Sender<Event>>>,
}

impl Queue {
    pub(super) fn new(observer: Begin, len: usize, timeout: Duration, counts: Arc<Counts>) -> Self {
        Self {
            observer,
            len: len.max(1),
            timeout,
            counts,
            sender: Mutex::new(None),
        }
    }

    /// Queues an event, or counts it as dropped.
    pub(super) fn push(&self, event: &Event) {
        let mut sender = self.sender.lock();
        if sender.as_ref().is_none_or(Sender::is_closed) {
            *sender = self.start();
        }
        let sent = match &*sender {
            Some(sender) => sender.try_send(event.clone()).is_ok(),
            None => false,
        };
        drop(sender);
        if !sent {
            self.counts.add(&self.counts.dropped);
        }
    }

    /// Starts the task, if there is a runtime.
    fn start(&self) -> Option<Sender<Event>> {
        let runtime = Handle::try_current().ok()?;
        let (sender, receiver) = mpsc::channel(self.len);
        let (observer, counts) = (Arc::clone(&self.observer), Arc::clone(&self.counts));
        runtime.spawn(observe(observer, receiver, self.timeout, counts));
        Some(sender)
    }
}

async fn observe(
    observer: Begin,
    mut events: Receiver<Event>,
    timeout: Duration,
    counts: Arc<Counts>,
) {
    while let Some(event) = events.recv().await {
        counts.add(&counts.calls);
        let begun = quietly(|| observer(event));
        let Some(observed) = begun else {
            counts.add(&counts.failed);
            continue;
        };
        match time::timeout(timeout, Quietly(observed)).await {
            Ok(Some(())) => {}
            Ok(None) => counts.add(&counts.failed),
            Err(_) => counts.add(&counts.timed_out),
        }
    }
}
