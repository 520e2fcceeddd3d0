//! JSON over a hub that does not know it: typed messages, by serde.
//!
//! The hub carries bytes. This module encodes a value once per publish, as text, and decodes a
//! frame where it is received.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use throng::{ConnectOptions, Hub};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Tick {
//!     symbol: String,
//!     price: f64,
//! }
//!
//! let hub = Hub::new();
//! let (client, mut outbox) = hub.connect(ConnectOptions::new())?;
//! client.subscribe_blocking("ticks")?;
//!
//! // A type for the channel, and a key for `SlowConsumer::KeepLatest`.
//! let ticks = hub.channel("ticks")?.typed().keyed(|tick: &Tick| tick.symbol.clone());
//! let tick = Tick { symbol: "XY".into(), price: 101.5 };
//! ticks.publish(&tick)?;
//! // Or any value, without a type for the channel.
//! hub.channel("ticks")?.publish_json(&[1, 2, 3])?;
//!
//! let frame = outbox.try_recv()?;
//! assert_eq!(frame.json::<Tick>()?, tick);
//! assert_eq!(frame.key().unwrap(), "XY");
//! assert_eq!(outbox.try_recv()?.json::<[u8; 3]>()?, [1, 2, 3]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use futures_sink::Sink;
use serde::Deserialize;
use serde::Serialize;

use crate::hub::Channel;
use crate::hub::Delivery;
use crate::hub::Frame;
use crate::hub::Publish;
use crate::hub::PublishError;
use crate::message::Message;

impl Message {
    /// Creates a text message that is `value` as JSON.
    ///
    /// # Errors
    ///
    /// The error of the value's `Serialize`, or a map whose keys are not strings.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self::from)
    }
}

impl Frame {
    /// Decodes the payload of a message, text or binary, from JSON. A type that borrows takes its
    /// strings from the frame, without a copy.
    ///
    /// # Errors
    ///
    /// * [`JsonError::Decode`]: the payload is not JSON, or is not a `T`.
    /// * [`JsonError::NotAMessage`]: the frame is another event, such as a join; see
    ///   [`Frame::event`].
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, JsonError> {
        let message = self.message().ok_or(JsonError::NotAMessage)?;
        serde_json::from_slice(message.payload()).map_err(JsonError::Decode)
    }
}

impl Channel {
    /// Publishes `value` as JSON, as [`Channel::publish`] does. Never waits. For options:
    /// [`Channel::prepare`] with [`Message::json`].
    ///
    /// # Errors
    ///
    /// * [`PublishJsonError::Encode`]: the value has no JSON.
    /// * [`PublishJsonError::Publish`]: as [`Channel::publish`].
    pub fn publish_json<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> Result<Delivery, PublishJsonError> {
        let message = Message::json(value).map_err(PublishJsonError::Encode)?;
        self.publish(message).map_err(PublishJsonError::Publish)
    }

    /// Returns a handle that publishes values of one type, as JSON.
    #[must_use]
    pub fn typed<T: ?Sized>(self) -> TypedChannel<T> {
        TypedChannel {
            channel: self,
            key: None,
            values: PhantomData,
        }
    }
}

/// A [`Channel`] for values of one type, encoded as JSON once per publish. A cheap clone. Created
/// by [`Channel::typed`].
///
/// It is a [`Sink`] of values, as [`Channel`] is one of messages.
pub struct TypedChannel<T: ?Sized> {
    channel: Channel,
    key: Option<Key<T>>,
    values: PhantomData<fn(&T)>,
}

type Key<T> = Arc<dyn Fn(&T) -> Bytes + Send + Sync>;

impl<T: ?Sized> TypedChannel<T> {
    /// Sets the function that returns the [key](Message::key) of a value. Default: no key.
    #[must_use]
    pub fn keyed<K: Into<Bytes>>(mut self, key: impl Fn(&T) -> K + Send + Sync + 'static) -> Self {
        self.key = Some(Arc::new(move |value| key(value).into()));
        self
    }

    /// Returns the channel of messages below.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }
}

impl<T: Serialize + ?Sized> TypedChannel<T> {
    /// Publishes a value. Never waits.
    ///
    /// # Errors
    ///
    /// As [`Channel::publish_json`].
    pub fn publish(&self, value: &T) -> Result<Delivery, PublishJsonError> {
        let publish = self.prepare(value).map_err(PublishJsonError::Encode)?;
        publish.publish().map_err(PublishJsonError::Publish)
    }

    /// Encodes a value and prepares its publish, with options: see [`Publish`].
    ///
    /// # Errors
    ///
    /// As [`Message::json`].
    pub fn prepare(&self, value: &T) -> Result<Publish<'_>, serde_json::Error> {
        let mut message = Message::json(value)?;
        if let Some(key) = &self.key {
            message = message.key(key(value));
        }
        Ok(self.channel.prepare(message))
    }
}

impl<T: ?Sized> Clone for TypedChannel<T> {
    fn clone(&self) -> Self {
        Self {
            channel: self.channel.clone(),
            key: self.key.clone(),
            values: PhantomData,
        }
    }
}

impl<T: ?Sized> fmt::Debug for TypedChannel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedChannel")
            .field("channel", &self.channel)
            .field("keyed", &self.key.is_some())
            .finish_non_exhaustive()
    }
}

/// Publishes each value at once, as [`TypedChannel::publish`]; never pending.
impl<T: Serialize> Sink<T> for TypedChannel<T> {
    type Error = PublishJsonError;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, value: T) -> Result<(), Self::Error> {
        self.publish(&value).map(|_| ())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
}

/// The error returned when a frame cannot be read as JSON.
#[derive(Debug)]
#[non_exhaustive]
pub enum JsonError {
    /// The payload is not JSON, or not of the type.
    Decode(serde_json::Error),
    /// The frame is not a message.
    NotAMessage,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "payload is not the expected JSON: {error}"),
            Self::NotAMessage => f.write_str("the frame is not a message, see `Frame::event`"),
        }
    }
}

impl Error for JsonError {}

/// The error returned when a value cannot be published as JSON.
#[derive(Debug)]
#[non_exhaustive]
pub enum PublishJsonError {
    /// The value has no JSON: its `Serialize` failed, or a key of a map is not a string.
    Encode(serde_json::Error),
    /// The message was not published. It is in the error, encoded.
    Publish(PublishError),
}

impl fmt::Display for PublishJsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => write!(f, "value cannot be encoded as JSON: {error}"),
            Self::Publish(error) => error.fmt(f),
        }
    }
}

impl Error for PublishJsonError {}
