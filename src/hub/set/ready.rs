//! Which outboxes of a set have something: a list of their keys, and one waker for all.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Context;
use std::task::Wake;
use std::task::Waker;

use crossbeam_queue::SegQueue;

use crate::hub::frame::Body;
use crate::hub::set::OutboxKey;
use crate::raw::ring::Park;
use crate::raw::ring::Receiver;
use crate::raw::ring::Ring;
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::Ordering;

/// The outboxes that have rung and were not looked at since.
pub(super) struct Ready {
    rung: Arc<Rung>,
    receiver: Receiver,
    /// Those still to be looked at.
    keys: VecDeque<OutboxKey>,
}

struct Rung {
    keys: SegQueue<OutboxKey>,
    /// Nothing is ever put into it; it is called, for whoever waits to be woken.
    call: Ring<Body, ()>,
}

/// The waker of one outbox: puts its key into the list, once until it is looked at.
pub(super) struct Bell {
    clapper: Arc<Clapper>,
    waker: Waker,
}

struct Clapper {
    key: OutboxKey,
    rung: Arc<Rung>,
    /// Whether its key is in the list.
    rings: AtomicBool,
}

impl Ready {
    pub(super) fn new() -> Self {
        let rung = Arc::new(Rung {
            keys: SegQueue::new(),
            call: Ring::new(1, 1, false, ()),
        });
        let Some(receiver) = rung.call.receiver() else {
            unreachable!("a new ring has its receiver");
        };
        Self {
            rung,
            receiver,
            keys: VecDeque::new(),
        }
    }

    /// The bell of an outbox, which has rung, for nobody has looked at the outbox yet.
    pub(super) fn bell(&self, key: OutboxKey) -> Bell {
        let clapper = Arc::new(Clapper {
            key,
            rung: Arc::clone(&self.rung),
            rings: AtomicBool::new(false),
        });
        clapper.ring();
        let waker = Waker::from(Arc::clone(&clapper));
        Bell { clapper, waker }
    }

    /// How many have rung. What rings from now on is not among them.
    pub(super) fn gather(&mut self) -> usize {
        let rung = &self.rung.keys;
        self.keys.extend((0..rung.len()).map_while(|_| rung.pop()));
        self.keys.len()
    }

    /// The next of those gathered.
    pub(super) fn next(&mut self) -> Option<OutboxKey> {
        self.keys.pop_front()
    }

    /// The one that is `ahead` places behind the next.
    pub(super) fn later(&self, ahead: usize) -> Option<OutboxKey> {
        self.keys.get(ahead).copied()
    }

    /// Has the task woken when a bell rings. `false` if one has rung meanwhile.
    pub(super) fn park(&mut self, cx: &Context<'_>) -> bool {
        let call = &self.rung.call;
        let Some(turn) = call.consume(&mut self.receiver) else {
            return false;
        };
        if turn.is_called() {
            drop(turn);
            // Before the list is looked at again: what is put there later calls again.
            call.answer();
            return false;
        }
        let seen = turn.finish();
        match call.park(&mut self.receiver, seen, Some(cx.waker())) {
            Park::Look => false,
            Park::Parked | Park::Soon => true,
        }
    }
}

impl Bell {
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Lets it ring again, before its outbox is looked at.
    pub(super) fn hush(&self) {
        // AcqRel: whoever has rung before this has put something in that is seen now; whoever
        // finds it hushed rings anew.
        self.clapper.rings.swap(false, Ordering::AcqRel);
    }
}

impl Clapper {
    fn ring(&self) {
        // AcqRel: see `Bell::hush`.
        if !self.rings.swap(true, Ordering::AcqRel) {
            self.rung.keys.push(self.key);
            self.rung.call.call();
        }
    }
}

impl Wake for Clapper {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
