//! When to publish.

use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::mpsc;

use super::options::Options;
use super::shared::Shared;

/// Says when to publish: at fixed times, or as fast as the clients receive.
///
/// A thread of its own: timers of the runtime are only exact to a millisecond.
pub(super) struct Pacer {
    pub(super) shared: Arc<Shared>,
    pub(super) publishers: Vec<mpsc::Sender<u64>>,
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
    /// Publishes until `end`.
    pub(super) fn run(self, options: &Options, end: Instant) -> Paced {
        self.shared.set_pacer(thread::current());
        match options.rate {
            Some(rate) => self.at_rate(rate, end),
            None => self.in_window(options.window, end),
        }
    }

    /// Waits until all that was published has been received, or nothing comes any more.
    pub(super) fn settle(shared: &Shared, paced: Paced) {
        shared.set_pacer(thread::current());
        shared.wait_for(paced.expected - paced.given_up, PATIENCE);
    }

    /// The stamp is the time at which a message is due, however late it is then sent: a server
    /// that is behind is not given the time to catch up (coordinated omission).
    fn at_rate(self, rate: usize, end: Instant) -> Paced {
        let mut paced = Paced::default();
        let begin = Instant::now();
        let due = |messages: usize| begin + Duration::from_secs_f64(messages as f64 / rate as f64);
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

    /// A message is due when all but `window - 1` of those before have been received.
    fn in_window(self, window: usize, end: Instant) -> Paced {
        let mut paced = Paced::default();
        loop {
            let room = window * self.shared.healthy();
            // With as much on its way, there is no room; with one delivery less, there is.
            let wanted = (paced.expected - paced.given_up + 1).saturating_sub(room);
            let received = self.shared.wait_for(wanted, STALL.min(PATIENCE));
            if received < wanted {
                paced.given_up += paced.expected - paced.given_up - received;
            }
            let now = Instant::now();
            if now >= end || !self.publish(now, &mut paced) {
                return paced;
            }
        }
    }

    /// False when the publisher is gone.
    fn publish(&self, due: Instant, paced: &mut Paced) -> bool {
        let publisher = &self.publishers[paced.messages % self.publishers.len()];
        let sent = publisher.blocking_send(self.shared.at(due));
        paced.messages += 1;
        paced.expected += self.shared.healthy();
        sent.is_ok()
    }
}

/// A window that nothing comes out of for so long is opened again.
const STALL: Duration = Duration::from_secs(1);

/// How long to wait for the last messages.
const PATIENCE: Duration = Duration::from_secs(5);
