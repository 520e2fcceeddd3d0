//! When to publish.

use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::mpsc;

use super::options::Load;
use super::options::Options;
use super::shared::Passed;
use super::shared::Shared;
use super::stamp::MessageHeader;

/// Says when to publish: at fixed times, or as fast as the clients receive.
///
/// A thread of its own: timers of the runtime are only exact to a millisecond.
pub(super) struct Pacer {
    pub(super) shared: Arc<Shared>,
    pub(super) publishers: Vec<mpsc::Sender<MessageHeader>>,
    /// What was done before this one.
    pub(super) paced: Paced,
}

/// What the pacer did.
#[derive(Clone, Copy, Default)]
pub(super) struct Paced {
    /// Messages handed to the publishers.
    pub(super) messages: usize,
    /// Messages that were due, but for which no time was left.
    pub(super) unsent: usize,
    /// Deliveries that the messages should have made.
    pub(super) expected: usize,
    /// Deliveries that did not come while the window waited for them, and were given up.
    pub(super) given_up: usize,
}

impl Pacer {
    /// Publishes so many messages, each when all healthy clients have the one before.
    pub(super) fn fill(self, messages: usize) -> Paced {
        self.shared.set_pacer(thread::current());
        let mut paced = self.paced;
        for _ in 0..messages {
            if !self.publish(Instant::now(), &mut paced) {
                break;
            }
            self.await_all_but(0, &mut paced);
        }
        paced
    }

    /// Publishes from `begin` until all time is over.
    pub(super) fn run(self, load: Load, options: &Options, begin: Instant) -> Paced {
        let end = begin + options.warm_up + options.seconds;
        self.shared.set_pacer(thread::current());
        match load {
            Load::Rate(rate) => self.at_rate(rate, begin, end),
            Load::Window(window) => self.in_window(window, end),
        }
    }

    /// Waits until all that was published has been received, or nothing comes any more; when the
    /// last came.
    pub(super) fn settle(shared: &Shared, paced: Paced) -> Instant {
        shared.set_pacer(thread::current());
        shared
            .wait_for(paced.expected - paced.given_up, PATIENCE)
            .at
    }

    /// The stamp is the time at which a message is due, however late it is then sent: a server
    /// that is behind is not given the time to catch up (coordinated omission).
    fn at_rate(self, rate: usize, begin: Instant, end: Instant) -> Paced {
        let mut paced = self.paced;
        let before = paced.messages;
        let due = |messages: usize| {
            begin + Duration::from_secs_f64((messages - before) as f64 / rate as f64)
        };
        while due(paced.messages) < end && Instant::now() < end {
            let due = due(paced.messages);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if !self.publish(due, &mut paced) {
                break;
            }
        }
        while due(paced.messages + paced.unsent) < end {
            paced.unsent += 1;
        }
        paced
    }

    /// A message is due when all but `window - 1` of those before have been received, or lost.
    fn in_window(self, window: usize, end: Instant) -> Paced {
        let mut paced = self.paced;
        loop {
            let others = (window - 1) * self.shared.healthy();
            self.await_all_but(others, &mut paced);
            let now = Instant::now();
            if now >= end || !self.publish(now, &mut paced) {
                return paced;
            }
        }
    }

    /// Waits until all but so many deliveries have come, or nothing comes any more.
    fn await_all_but(&self, others: usize, paced: &mut Paced) {
        let wanted = (paced.expected - paced.given_up).saturating_sub(others);
        let Passed { messages, .. } = self.shared.wait_for(wanted, PATIENCE);
        if messages < wanted {
            paced.given_up = paced.expected - messages;
        }
    }

    /// False when the publisher is gone, or the numbers are used up.
    fn publish(&self, due: Instant, paced: &mut Paced) -> bool {
        let publisher = &self.publishers[paced.messages % self.publishers.len()];
        let Ok(number) = u32::try_from(paced.messages) else {
            return false;
        };
        let nanos = self.shared.at(due);
        let sent = publisher.blocking_send(MessageHeader { number, nanos });
        paced.messages += 1;
        paced.expected += self.shared.healthy();
        sent.is_ok()
    }
}

/// If nothing comes for so long, nothing will.
const PATIENCE: Duration = Duration::from_secs(2);
