//! What can be done to a hub, in few numbers, so that chance hits upon what matters.

use std::time::Duration;

use throng::SlowConsumer;

use crate::model;

/// One thing done to a hub. Clients and channels are numbers taken modulo how many there are.
#[derive(Clone, Debug)]
#[cfg_attr(fuzzing, derive(arbitrary::Arbitrary))]
pub(crate) enum Operation {
    Advance(u8),
    Broadcast(Parcel),
    CloseClient(u8),
    /// Rare, since little can happen after it: below 253 it does nothing.
    CloseHub(u8),
    Connect(Newcomer),
    DropOutbox(u8),
    Expel(u8, u8),
    /// Takes a handle to a channel.
    Hold(u8),
    Publish(u8, Parcel),
    PublishExcept(u8, Parcel, u8),
    PublishMany([u8; 3], Parcel),
    PublishThrough(u8, Parcel),
    Receive(u8, u8),
    ReceiveBatch(u8, u8),
    /// Drops a handle to a channel.
    Release(u8),
    Send(u8, Parcel),
    SetChannelPolicy(u8, Option<Policy>),
    SetClientPolicy(u8, Option<Policy>),
    /// The client, the channel, and whether to go on from where it had joined last.
    Subscribe(u8, u8, bool),
    Unsubscribe(u8, u8),
}

/// A message: its size and its key.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(fuzzing, derive(arbitrary::Arbitrary))]
pub(crate) struct Parcel {
    pub(crate) size: u8,
    pub(crate) key: Option<bool>,
}

/// A client to be.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(fuzzing, derive(arbitrary::Arbitrary))]
pub(crate) struct Newcomer {
    pub(crate) messages: u8,
    pub(crate) bytes: u8,
    pub(crate) policy: Option<Policy>,
    pub(crate) gap_notices: bool,
    pub(crate) join_notices: bool,
    pub(crate) user: u8,
    pub(crate) info: u8,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(fuzzing, derive(arbitrary::Arbitrary))]
pub(crate) enum Policy {
    Disconnect,
    DisconnectLater,
    DropNewest,
    DropOldest,
    KeepLatest,
}

impl From<Policy> for SlowConsumer {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Disconnect => Self::DISCONNECT,
            Policy::DisconnectLater => Self::Disconnect {
                grace: Duration::from_millis(40),
            },
            Policy::DropNewest => Self::DropNewest,
            Policy::DropOldest => Self::DropOldest,
            Policy::KeepLatest => Self::KeepLatest,
        }
    }
}

impl Newcomer {
    /// The first of the byte limits is too small for the hub.
    pub(super) fn options(self) -> model::Options {
        const BYTES: [usize; 5] = [model::MAX_PAYLOAD - 1, 12, 20, 40, 1 << 20];
        model::Options {
            max_messages: 1 + usize::from(self.messages % 8),
            max_bytes: BYTES[usize::from(self.bytes) % BYTES.len()],
            policy: self.policy.map(SlowConsumer::from),
            gap_notices: self.gap_notices,
            join_notices: self.join_notices,
            member: model::Member {
                user: self.user % 3,
                info: self.info % 16,
            },
        }
    }
}
