//! Sending to one client alone.

use std::sync::Arc;

use crate::hub::channel::Op;
use crate::hub::client::Client;
use crate::hub::delivery::Delivery;
use crate::hub::error::SendError;
use crate::hub::frame::Frame;
use crate::hub::frame::StreamPosition;
use crate::hub::frame::Terms;
use crate::hub::frame::What;
use crate::hub::policy::Class;
use crate::hub::queue::Overflow;
use crate::limits::SlowConsumer;
use crate::message::Message;
use crate::raw::ring::Why;

impl Client {
    /// Sends a message to this client alone. Never waits for a client or for another thread's
    /// publish.
    ///
    /// # Errors
    ///
    /// [`SendError`] gives the message back when it was not put into the outbox.
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.send_message(message.into())
    }

    fn send_message(&self, message: Message) -> Result<(), SendError> {
        let common = &self.core.common;
        let limit = common.limits.max_payload;
        if message.payload().len() > limit {
            return Err(SendError::TooLarge { message, limit });
        }
        let class = Class::of(common.slow_consumer);
        let terms = Terms::of(class, common.expires_at(&message));
        let own = message.own_millis();
        let at = own.unwrap_or_else(|| common.unix_millis());
        let what = What::Message(message.clone());
        let frame = Frame::publication(terms, what, None, StreamPosition::default(), at);
        if self.core.queue.handed.has_plain() {
            return self.send_behind(frame, message);
        }
        let Err(refused) = self.core.queue.ring.push(frame.into_shared()) else {
            common.counters.send(&Delivery {
                delivered: 1,
                ..Delivery::nobody()
            });
            return Ok(());
        };
        if refused.why == Why::Closed {
            return Err(SendError::Closed(message));
        }
        let (own, now) = (self.core.policy.get(), || common.millis());
        let policy = own.unwrap_or(common.slow_consumer);
        let overflow = self.core.queue.overflow(refused.item, policy, own, now);
        self.settle(overflow, policy, message)
    }

    /// Sends a message that must not overtake an earlier one, which was handed over.
    #[cold]
    fn send_behind(&self, frame: Frame, message: Message) -> Result<(), SendError> {
        let (queue, common) = (&self.core.queue, &self.core.common);
        if queue.is_closed() {
            return Err(SendError::Closed(message));
        }
        let policy = self.core.policy.get().unwrap_or(common.slow_consumer);
        let counted = policy == SlowConsumer::KeepLatest && queue.hand_over(&frame, None);
        let (item, evicted) = (frame.into_shared(), 0);
        let overflow = if counted {
            Overflow::HandedOver { item, evicted }
        } else {
            queue.refuse(item, policy, evicted, || common.millis())
        };
        self.settle(overflow, policy, message)
    }

    /// Does what follows from a message that did not fit at once.
    fn settle(
        &self,
        overflow: Overflow,
        policy: SlowConsumer,
        message: Message,
    ) -> Result<(), SendError> {
        let common = &self.core.common;
        let mut delivery = Delivery::nobody();
        let sent = match overflow {
            Overflow::StoredMessage { evicted } => {
                delivery.delivered = 1;
                delivery.evicted = evicted;
                Ok(())
            }
            Overflow::HandedOver { item, evicted } => {
                delivery.delivered = 1;
                delivery.evicted = evicted;
                self.hand_over(Frame(item));
                Ok(())
            }
            Overflow::Closed { evicted, .. } => {
                delivery.evicted = evicted;
                Err(SendError::Closed(message))
            }
            Overflow::Dropped { evicted, first, .. } => {
                delivery.dropped = 1;
                delivery.evicted = evicted;
                if first {
                    self.core.begin_losing(policy, None);
                    common.serve();
                }
                Err(SendError::Full(message))
            }
            Overflow::Disconnected(_) => {
                delivery.dropped = 1;
                delivery.disconnected = 1;
                self.disconnected();
                Err(SendError::Closed(message))
            }
        };
        common.counters.send(&delivery);
        sent
    }

    /// Hands a message over to the channel of all clients. A client that has left it is closed, and
    /// gets nothing any more.
    fn hand_over(&self, frame: Frame) {
        if let Some(membership) = self.core.everyone() {
            let client = Arc::clone(&self.core);
            let channel = Arc::clone(membership.channel());
            let _applied = channel.run(Op::HandOver {
                client,
                membership,
                frame,
            });
        }
    }
}
