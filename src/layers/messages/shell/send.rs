//! Messages on their way into rooms.

use crate::hub::Channel;
use crate::hub::Delivery;
use crate::id::ClientId;
use crate::layers::messages::error::MessageError;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::pending::Giver;
use crate::layers::messages::pending::Pending;
use crate::layers::messages::record::Draft;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::Written;
use crate::layers::metadata::Metadata;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::rooms::Accepted;
use crate::layers::rooms::Sent;
use crate::layers::rooms::stamped;
use crate::layers::stamp::Stamp;
use crate::message::Message;

use super::Messages;

/// A message on its way into a room.
#[derive(Clone, Debug)]
#[must_use]
pub struct Outgoing {
    message: Message,
    thread: Option<u64>,
    except: Option<ClientId>,
}

impl Outgoing {
    /// A message to everybody in the room. What is attached to it is replaced by a
    /// [`Stamp`]; one that is a stamp already keeps its metadata.
    pub fn new(message: Message) -> Self {
        Self {
            message,
            thread: None,
            except: None,
        }
    }

    /// An answer in the thread that this message began, or belongs to.
    pub fn thread(mut self, thread: Option<u64>) -> Self {
        self.thread = thread;
        self
    }

    /// To everybody but this connection.
    pub fn except(mut self, client: Option<ClientId>) -> Self {
        self.except = client;
        self
    }

    fn draft(&self, actor: &Actor, accepted: &Accepted<'_>) -> Draft {
        let mut draft = Draft::text(
            accepted.room.clone(),
            self.message.payload().clone(),
            accepted.at,
        );
        draft.user = actor.user().cloned();
        draft.thread = self.thread;
        draft.format = self.message.format();
        draft.metadata = Metadata::of(&self.message).cloned();
        draft.sequence = Some(accepted.id);
        draft
    }
}

impl Messages {
    /// Sends a message to a room, as [`Rooms::send`](crate::rooms::Rooms::send) does, once it is
    /// kept.
    ///
    /// # Errors
    ///
    /// [`MessageError::Room`] as there, before anything is kept; `UnknownThread` when there is
    /// nothing to answer to; [`StoreError::Failed`] when it could not be kept: then it was not
    /// delivered either.
    ///
    /// # Cancel safety
    ///
    /// Dropping the answer loses the answer only.
    pub fn send(
        &self,
        actor: &Actor,
        room: &RoomId,
        outgoing: Outgoing,
    ) -> Pending<Result<Sent, MessageError>> {
        if let Err(error) = self.inner.rooms.check_size(&outgoing.message) {
            return Pending::ready(Err(MessageError::Room(error)));
        }
        let (giver, pending) = Pending::later();
        let accepted = self.inner.rooms.accept(actor, room, |accepted| {
            self.keep(actor, outgoing, accepted, giver);
        });
        match accepted {
            Ok(()) => pending,
            Err(error) => Pending::ready(Err(MessageError::Room(error))),
        }
    }

    /// Keeps a message, and publishes it then; in the middle of its room, so that messages are
    /// kept in the order of their numbers.
    fn keep(
        &self,
        actor: &Actor,
        outgoing: Outgoing,
        accepted: Accepted<'_>,
        giver: Giver<Result<Sent, MessageError>>,
    ) {
        let draft = outgoing.draft(actor, &accepted);
        if let Some(snapshot) = accepted.unsaved {
            self.inner.keep_room(snapshot);
        }
        let channel = accepted.channel.clone();
        let id = accepted.id;
        let message = stamped(outgoing.message, actor, accepted.room.clone(), Some(id));
        let except = outgoing.except;
        let then = move |written: Result<Written, StoreError>| {
            giver.give(match written {
                Ok(written) => Ok(Sent {
                    id,
                    delivery: publish(&channel, in_thread(message, &written), except),
                }),
                Err(error) => Err(MessageError::Store(error)),
            });
        };
        let (change, needs) = (Change::Save(draft), accepted.needs);
        self.inner.line.write(change, needs, Box::new(then));
    }
}

/// The message with the thread that it is in: that of what it answers, if that is an answer.
fn in_thread(message: Message, written: &Written) -> Message {
    let Written::Message(stored) = written else {
        return message;
    };
    match (stored.thread, Stamp::of(&message)) {
        (Some(thread), Some(stamp)) => stamp.clone().thread(thread).on(message),
        _ => message,
    }
}

/// Publishes what is kept. Where the hub refuses it, it can still be read.
fn publish(channel: &Channel, message: Message, except: Option<ClientId>) -> Delivery {
    let delivery = match except {
        Some(client) => channel.publish_except(message, client),
        None => channel.publish(message),
    };
    delivery.unwrap_or_default()
}
