//! One bounded queue per client, and a loop over them: what one writes by hand.

use std::sync::Arc;

use bytes::Bytes;
use crossbeam_queue::ArrayQueue;
use tokio::sync::mpsc;

use super::CAPACITY;
use super::Drain;
use super::Fanout;
use super::Parted;
use super::Publish;
use super::Setup;

/// `tokio::sync::mpsc`, `try_send` and `try_recv`.
pub(super) fn tokio_mpsc(setup: &Setup) -> Fanout {
    build::<TokioMpsc>(setup)
}

/// crossbeam's `ArrayQueue<Bytes>`, `push` and `pop`.
pub(super) fn array_queue(setup: &Setup) -> Fanout {
    build::<CrossbeamArray>(setup)
}

/// `flume::bounded`, `try_send` and `drain`, which takes all there is under one lock.
pub(super) fn flume(setup: &Setup) -> Fanout {
    build::<Flume>(setup)
}

/// A bounded queue that refuses what it has no room for.
trait Queue: 'static {
    type Sender: Send + Sync;
    type Receiver: Send;

    fn pair() -> (Self::Sender, Self::Receiver);
    fn offer(sender: &Self::Sender, payload: Bytes);
    fn drain(receiver: &mut Self::Receiver) -> usize;
}

struct TokioMpsc;

impl Queue for TokioMpsc {
    type Sender = mpsc::Sender<Bytes>;
    type Receiver = mpsc::Receiver<Bytes>;

    fn pair() -> (Self::Sender, Self::Receiver) {
        mpsc::channel(CAPACITY)
    }

    #[inline]
    fn offer(sender: &Self::Sender, payload: Bytes) {
        let _dropped_when_full = sender.try_send(payload);
    }

    #[inline]
    fn drain(receiver: &mut Self::Receiver) -> usize {
        let mut drained = 0;
        while receiver.try_recv().is_ok() {
            drained += 1;
        }
        drained
    }
}

struct CrossbeamArray;

impl Queue for CrossbeamArray {
    type Sender = Arc<ArrayQueue<Bytes>>;
    type Receiver = Arc<ArrayQueue<Bytes>>;

    fn pair() -> (Self::Sender, Self::Receiver) {
        let queue = Arc::new(ArrayQueue::new(CAPACITY));
        (Arc::clone(&queue), queue)
    }

    #[inline]
    fn offer(sender: &Self::Sender, payload: Bytes) {
        let _dropped_when_full = sender.push(payload);
    }

    #[inline]
    fn drain(receiver: &mut Self::Receiver) -> usize {
        let mut drained = 0;
        while receiver.pop().is_some() {
            drained += 1;
        }
        drained
    }
}

struct Flume;

impl Queue for Flume {
    type Sender = flume::Sender<Bytes>;
    type Receiver = flume::Receiver<Bytes>;

    fn pair() -> (Self::Sender, Self::Receiver) {
        flume::bounded(CAPACITY)
    }

    #[inline]
    fn offer(sender: &Self::Sender, payload: Bytes) {
        let _dropped_when_full = sender.try_send(payload);
    }

    #[inline]
    fn drain(receiver: &mut Self::Receiver) -> usize {
        receiver.drain().count()
    }
}

fn build<Q: Queue>(setup: &Setup) -> Fanout {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..setup.receivers).map(|_| Q::pair()).unzip();
    Fanout {
        publisher: Box::new(Publisher::<Q> {
            senders: Arc::new(senders),
            payload: setup.payload.clone(),
        }),
        drainer: Box::new(Drainer::<Q>(setup.part(receivers))),
    }
}

struct Publisher<Q: Queue> {
    senders: Arc<Vec<Q::Sender>>,
    payload: Bytes,
}

impl<Q: Queue> Publish for Publisher<Q> {
    fn publish(&mut self) {
        for sender in self.senders.iter() {
            Q::offer(sender, self.payload.clone());
        }
    }

    fn fork(&self) -> Box<dyn Publish> {
        Box::new(Self {
            senders: Arc::clone(&self.senders),
            payload: self.payload.clone(),
        })
    }
}

struct Drainer<Q: Queue>(Parted<Q::Receiver>);

impl<Q: Queue> Drain for Drainer<Q> {
    fn drain(&mut self) -> usize {
        self.0.healthy.iter_mut().map(Q::drain).sum()
    }

    fn split(&mut self, receivers: usize) -> Box<dyn Drain> {
        Box::new(Self(self.0.split(receivers)))
    }
}
