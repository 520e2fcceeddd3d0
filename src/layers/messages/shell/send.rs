//! Messages on their way into rooms.

use std::time::Duration;

use crate::hub::Channel;
use crate::hub::Delivery;
use crate::id::ClientId;
use crate::layers::messages::error::MessageError;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::pending::Giver;
use crate::layers::messages::pending::Pending;
use crate::layers::messages::record::NewMessage;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::Written;
use crate::layers::metadata::Metadata;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::rooms::Accepted;
use crate::layers::rooms::Sent;
use crate::layers::rooms::stamped;
use crate::layers::stamp::MessageHeader;
use crate::message::Message;

use super::Messages;

/// A message on its way into a room.
#[derive(Clone, Debug)]
#[must_use]
pub struct OutgoingMessage {
    message: Message,
    thread: Option<u64>,
    except: Option<ClientId>,
}

impl OutgoingMessage {
    /// A message to everybody in the room. What is attached to it is replaced by a
    /// [`MessageHeader`]; one that is a stamp already keeps its event and its metadata.
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

    /// The message, and the connection that it does not go to.
    pub(in crate::layers) fn into_parts(self) -> (Message, Option<ClientId>) {
        (self.message, self.except)
    }

    /// Whether it is an answer in a thread.
    pub(in crate::layers) fn is_answer(&self) -> bool {
        self.thread.is_some()
    }

    fn draft(&self, actor: &Actor, accepted: &Accepted<'_>) -> NewMessage {
        let mut draft = NewMessage::text(
            accepted.room.clone(),
            self.message.payload().clone(),
            accepted.at,
        );
        draft.user = actor.user().cloned();
        draft.thread = self.thread;
        draft.format = self.message.format();
        draft.event = MessageHeader::of(&self.message).and_then(|header| header.event.clone());
        draft.metadata = Metadata::of(&self.message).cloned();
        draft.sequence = Some(accepted.id);
        draft
    }
}

impl Messages {
    /// Sends a message to a room, as [`Rooms::send`](crate::rooms::Rooms::send) does, once it is
    /// kept. It ends no typing: [`Layers::send`](crate::Layers::send) does all that a message
    /// takes.
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
        outgoing: OutgoingMessage,
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
        outgoing: OutgoingMessage,
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
                    delivery: publish(&channel, as_stored(message, &written), except),
                }),
                Err(error) => Err(MessageError::Store(error)),
            });
        };
        let (change, needs) = (Change::Save(draft), accepted.needs);
        self.inner.line.write(change, needs, Box::new(then));
    }
}

/// Returns the message with the time that the store has for it, and with the thread that it is in:
/// that of what it answers, if that is an answer.
fn as_stored(message: Message, written: &Written) -> Message {
    let Written::Message(stored) = written else {
        return message;
    };
    let message = message.published_at(Duration::from_millis(stored.at));
    match (stored.thread, MessageHeader::of(&message)) {
        (Some(thread), Some(stamp)) => stamp.clone().thread(thread).attach_to(message),
        _ => message,
    }
}

/// Publishes what is kept. Where the hub refuses it, it can still be read.
fn publish(channel: &Channel, message: Message, except: Option<ClientId>) -> Delivery {
    let delivery = channel.prepare(message).except(except).publish();
    delivery.unwrap_or_default()
}
