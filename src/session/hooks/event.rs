//! The events that observers receive.

use crate::code::ErrorCode;
use crate::disconnect::Disconnect;
use crate::id::ClientId;
use crate::layers::RoomId;
use crate::layers::UserId;
use crate::layers::presence::Status;

use super::CallerInfo;
use super::Moments;

/// Something that has happened. Observers can neither change nor refuse it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A client was connected.
    Connected {
        /// Id of the client.
        client: ClientId,
        /// User of the client; `None` if it is anonymous.
        user: Option<Box<str>>,
        /// Name of the transport: `ws`, `sse` or `other`.
        transport: &'static str,
    },
    /// A client was disconnected.
    Disconnected {
        /// Id of the client.
        client: ClientId,
        /// User of the client; `None` if it is anonymous.
        user: Option<Box<str>>,
        /// Name of the transport: `ws`, `sse` or `other`.
        transport: &'static str,
        /// Code and reason of the close.
        why: Disconnect,
    },
    /// A flush wrote messages to the socket of a client.
    Delivered {
        /// Id of the client.
        client: ClientId,
        /// Number of frames in the flush.
        frames: u64,
        /// Number of bytes in the flush.
        bytes: u64,
    },
    /// A user became a member of a room.
    Joined {
        /// Id of the room.
        room: RoomId,
        /// The user.
        user: UserId,
    },
    /// A user is no longer a member of a room.
    Left {
        /// Id of the room.
        room: RoomId,
        /// The user.
        user: UserId,
    },
    /// A room was created.
    Created {
        /// Id of the room.
        room: RoomId,
    },
    /// A room was deleted.
    Deleted {
        /// Id of the room.
        room: RoomId,
    },
    /// The presence of a user, as others see it, changed.
    Presence {
        /// The user.
        user: UserId,
        /// Status before the change.
        from: Status,
        /// Status after the change.
        to: Status,
    },
    /// A user began or stopped typing in a room.
    Typing {
        /// Id of the room.
        room: RoomId,
        /// The user.
        user: UserId,
        /// Whether the user types now.
        is_typing: bool,
    },
    /// A request that had passed the gate failed.
    Error {
        /// The caller of the request.
        caller: CallerInfo,
        /// Name of the command.
        command: Box<str>,
        /// Code of the fault that the caller received.
        code: ErrorCode,
        /// Text of the fault that the caller received.
        message: Box<str>,
    },
    /// The gate refused a request: a policy, a limit, a hook, a schema or a filter.
    Refused {
        /// The caller of the request.
        caller: CallerInfo,
        /// Name of the command.
        command: Box<str>,
        /// Code of the fault that the caller received.
        code: ErrorCode,
        /// Text of the fault that the caller received.
        message: Box<str>,
    },
}

impl Event {
    /// Returns the moment of the event.
    #[must_use]
    pub const fn moment(&self) -> Moments {
        match self {
            Self::Connected { .. } => Moments::CONNECTED,
            Self::Created { .. } => Moments::CREATED,
            Self::Deleted { .. } => Moments::DELETED,
            Self::Delivered { .. } => Moments::DELIVERED,
            Self::Disconnected { .. } => Moments::DISCONNECTED,
            Self::Error { .. } => Moments::ERROR,
            Self::Joined { .. } => Moments::JOINED,
            Self::Left { .. } => Moments::LEFT,
            Self::Presence { .. } => Moments::PRESENCE,
            Self::Refused { .. } => Moments::REFUSED,
            Self::Typing { .. } => Moments::TYPING,
        }
    }
}

/// Receives events. Implemented by functions of an event.
///
/// # Progress
///
/// Runs on the thread on which the event happened, and must not block; an
/// [asynchronous observer](super::Hook::observe_async) may.
pub trait Observer: Send + Sync + 'static {
    /// Receives one event.
    fn notify(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync + 'static> Observer for F {
    fn notify(&self, event: &Event) {
        self(event);
    }
}
