//! The way of a stream from under HTTP onto its bare socket.
//!
//! hyper writes a chunk for each client: it copies it into the buffer of the connection, and its
//! task is scheduled and timed for it. A server that can take its connection apart leaves a
//! [`Carrier`] in the extensions of a request. Then the response to a `GET` has a body that never
//! has anything, and the carrier has the stream. Once the head of the response is on its way, the
//! server takes the socket out of hyper and [serves](Handover::serve) the stream on it.
//!
//! ```text
//!   request ──► Gateway::sse ──► response with a silent body ──► hyper writes its head
//!                    │ the stream                                     │ asks the body, flushes
//!                    ▼                                                ▼
//!                 carrier ◄──────────────────────────────── is ready: hyper is taken apart
//! ```
//!
//! # Order
//!
//! hyper asks the body for the first time when the head is in its buffer, and flushes the socket
//! only when that buffer is empty. So after such a flush, everything that hyper had to write is
//! written, and it adds nothing more.
//!
//! # Loss
//!
//! A stream that is not taken ends with its response, as it does with its body elsewhere.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::transport::sse::opened::Opened;

/// A connection over HTTP/1.1 that its server can hand over. A cheap clone.
#[derive(Clone, Default)]
pub(crate) struct Carrier(Arc<Mutex<Slot>>);

#[derive(Default)]
struct Slot {
    stream: Option<Opened>,
    step: Step,
    /// Whether the client wants the connection to go on.
    keep_alive: bool,
}

/// How far the response is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    /// Its head is not yet written.
    #[default]
    Offered,
    /// Its head is in the buffer of hyper.
    Written,
    /// Its head has left the buffer of hyper.
    Flushed,
}

impl Carrier {
    /// Returns a handle for a request. `keep_alive`: whether the client wants the connection to go
    /// on after the response.
    pub(crate) fn offered(&self, keep_alive: bool) -> Self {
        self.0.lock().keep_alive = keep_alive;
        self.clone()
    }

    /// Offers a stream; returns what its body holds.
    pub(super) fn offer(&self, stream: Opened) -> Offer {
        let mut slot = self.0.lock();
        slot.stream = Some(stream);
        slot.step = Step::Offered;
        Offer(self.clone())
    }

    /// hyper has written all it had, and flushed the connection.
    pub(crate) fn flushed(&self) {
        let mut slot = self.0.lock();
        if slot.step == Step::Written {
            slot.step = Step::Flushed;
        }
    }

    /// Takes the stream that is to be served on the bare socket, once it is.
    pub(crate) fn take(&self) -> Option<Handover> {
        let mut slot = self.0.lock();
        if slot.step != Step::Flushed {
            return None;
        }
        slot.step = Step::Offered;
        let keep_alive = slot.keep_alive;
        slot.stream
            .take()
            .map(|opened| Handover { opened, keep_alive })
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carrier").finish_non_exhaustive()
    }
}

/// The part of a body in a stream that is going to be served on the bare socket. Dropped before
/// that, the stream ends.
pub(super) struct Offer(Carrier);

impl Offer {
    /// The body is asked for the first time, or again: the head of the response is written.
    pub(super) fn asked(&self) {
        let mut slot = self.0.0.lock();
        if slot.step == Step::Offered {
            slot.step = Step::Written;
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        let stream = self.0.0.lock().stream.take();
        // Not under the lock: with the outbox, callbacks are called.
        drop(stream);
    }
}

/// A stream between HTTP and its bare socket.
pub(crate) struct Handover {
    pub(super) opened: Opened,
    /// Whether the client wants the connection to go on after the stream.
    pub(super) keep_alive: bool,
}
