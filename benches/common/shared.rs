//! One shared buffer, and a cursor per client: the broadcast channels.
//!
//! A publish costs them next to nothing; what a fan-out costs is paid by the receivers.
//! A slow receiver loses the oldest messages.

use bytes::Bytes;
use tokio::sync::broadcast;

use super::CAPACITY;
use super::Drain;
use super::Fanout;
use super::Parted;
use super::Publish;
use super::Setup;

/// `tokio::sync::broadcast`, `send` and `try_recv`.
pub(super) fn tokio_broadcast(setup: &Setup) -> Fanout {
    let (sender, _) = broadcast::channel::<Bytes>(CAPACITY);
    let receivers = (0..setup.receivers).map(|_| sender.subscribe()).collect();
    Fanout {
        publisher: Box::new(TokioPublisher {
            sender,
            payload: setup.payload.clone(),
        }),
        drainer: Box::new(TokioDrainer(setup.part(receivers))),
    }
}

/// `async_broadcast`, `try_broadcast` and `try_recv`, overwriting the oldest when full: without
/// that, one slow receiver would stop all others.
pub(super) fn async_broadcast(setup: &Setup) -> Fanout {
    let (mut sender, receiver) = async_broadcast::broadcast::<Bytes>(CAPACITY);
    sender.set_overflow(true);
    let receivers = (0..setup.receivers).map(|_| receiver.new_receiver());
    let receivers = setup.part(receivers.collect());
    Fanout {
        publisher: Box::new(AsyncPublisher {
            sender,
            payload: setup.payload.clone(),
        }),
        drainer: Box::new(AsyncDrainer(receivers)),
    }
}

struct TokioPublisher {
    sender: broadcast::Sender<Bytes>,
    payload: Bytes,
}

impl Publish for TokioPublisher {
    fn publish(&mut self) {
        let _nobody_there = self.sender.send(self.payload.clone());
    }

    fn fork(&self) -> Box<dyn Publish> {
        Box::new(Self {
            sender: self.sender.clone(),
            payload: self.payload.clone(),
        })
    }
}

struct TokioDrainer(Parted<broadcast::Receiver<Bytes>>);

impl Drain for TokioDrainer {
    fn drain(&mut self) -> usize {
        let mut drained = 0;
        for receiver in &mut self.0.healthy {
            while receiver.try_recv().is_ok() {
                drained += 1;
            }
        }
        drained
    }

    fn split(&mut self, receivers: usize) -> Box<dyn Drain> {
        Box::new(Self(self.0.split(receivers)))
    }
}

struct AsyncPublisher {
    sender: async_broadcast::Sender<Bytes>,
    payload: Bytes,
}

impl Publish for AsyncPublisher {
    fn publish(&mut self) {
        let _overwritten = self.sender.try_broadcast(self.payload.clone());
    }

    fn fork(&self) -> Box<dyn Publish> {
        Box::new(Self {
            sender: self.sender.clone(),
            payload: self.payload.clone(),
        })
    }
}

struct AsyncDrainer(Parted<async_broadcast::Receiver<Bytes>>);

impl Drain for AsyncDrainer {
    fn drain(&mut self) -> usize {
        let mut drained = 0;
        for receiver in &mut self.0.healthy {
            while receiver.try_recv().is_ok() {
                drained += 1;
            }
        }
        drained
    }

    fn split(&mut self, receivers: usize) -> Box<dyn Drain> {
        Box::new(Self(self.0.split(receivers)))
    }
}
