//! Presence as it is shown: with dates, and as JSON.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
use serde::Serializer;
use serde_json::Map;
use serde_json::Value;

use crate::id::ClientId;
use crate::layers::name::UserId;
use crate::layers::presence::state::Look;
use crate::layers::presence::state::Record;
use crate::layers::presence::status::Status;
use crate::layers::presence::update::Activity;
use crate::layers::presence::update::Device;
use crate::layers::timestamp::Timestamp;

/// The presence of a user as somebody sees it at a moment.
///
/// As JSON it has the names of the fields, without those that are `None`, empty, or as they are
/// unless somebody says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct UserPresence {
    /// Whose presence.
    pub user_id: UserId,
    /// What the user is.
    pub status: Status,
    /// Since when it has been that, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When it was last known to do something, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// How it is, in its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_status: Option<CustomStatusView>,
    /// What it is doing.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<Activity>"))]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shared")]
    pub activity: Option<Arc<Activity>>,
    /// How available it is, in its own words.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shared")]
    pub availability: Option<Arc<str>>,
    /// Whether it is available; not in the JSON if it is.
    #[serde(skip_serializing_if = "Clone::clone")]
    pub available: bool,
    /// What it is there with, each kind and name once.
    #[cfg_attr(feature = "openapi", schemars(with = "Vec<Device>"))]
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "each_shared")]
    pub devices: Vec<Arc<Device>>,
    /// What else the application shows.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<Map<String, Value>>"))]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shared")]
    pub details: Option<Arc<Map<String, Value>>>,
}

/// How a user is, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct CustomStatusView {
    /// The words.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    #[serde(serialize_with = "shared_text")]
    pub text: Arc<str>,
    /// The picture.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shared")]
    pub emoji: Option<Arc<str>>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A device of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct DeviceView {
    /// What it is, if that was said.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<Device>"))]
    #[serde(flatten, serialize_with = "shared")]
    pub device: Option<Arc<Device>>,
    /// The connection that it is there with; none if it was only said to be there.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub client_id: Option<ClientId>,
    /// Since when the connection has been there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When it last did something.
    pub last_active: Timestamp,
    /// Whether it is in use: did something within
    /// [`PresenceConfig::timeout`](crate::presence::PresenceConfig::timeout).
    pub active: bool,
}

/// A status, and since when it was that of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct StatusEntry {
    /// The status.
    pub status: Status,
    /// Since when.
    pub since: Timestamp,
}

/// What has changed about a user, as others see it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StatusChange {
    /// What it was; perhaps the same, if something else has changed.
    pub from: Status,
    /// What it is.
    pub to: Status,
    /// All there is to see now.
    pub presence: UserPresence,
}

/// How many users there are of each status, and how many there have been.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PresenceCounts {
    /// Online, away or busy.
    pub present: usize,
    /// Online.
    pub online: usize,
    /// Away.
    pub away: usize,
    /// Busy.
    pub busy: usize,
    /// Offline and not forgotten; with those that only say so, or are invisible.
    pub offline: usize,
    /// Of those, how many are invisible.
    pub invisible: usize,
    /// The most that have been present at a time, over the last 24 hours.
    pub peak: usize,
    /// How many have been present on average, over the last 24 hours.
    pub average: f64,
}

/// Makes dates of instants: always the same of the same, whatever becomes of the time of day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dates {
    pub(super) start: Instant,
    /// The time of day at `start`, since 1970.
    pub(super) wall: Duration,
}

impl Dates {
    pub(super) fn of(self, time: Instant) -> Timestamp {
        Timestamp::since_unix_epoch(self.wall + time.saturating_duration_since(self.start))
    }

    pub(super) fn view(self, user: UserId, look: Look) -> UserPresence {
        let profile = look.profile;
        let custom = profile.custom.map(|custom| CustomStatusView {
            text: custom.text,
            emoji: custom.emoji,
            expires_at: profile.custom_until.map(|until| self.of(until)),
        });
        UserPresence {
            user_id: user,
            status: look.status,
            since: Some(self.of(look.since)),
            last_seen: Some(self.of(look.last_seen)),
            custom_status: custom,
            activity: profile.activity,
            availability: profile.availability,
            available: profile.available,
            devices: look.devices,
            details: profile.details,
        }
    }

    /// What is shown of a user about whom nothing is known.
    pub(super) fn unknown(self, user: UserId) -> UserPresence {
        UserPresence {
            since: None,
            last_seen: None,
            ..self.view(user, Look::offline(self.start))
        }
    }

    pub(super) fn devices(
        self,
        record: &Record,
        now: Instant,
        timeout: Duration,
    ) -> Vec<DeviceView> {
        let is_active = |last: Instant| now.saturating_duration_since(last) <= timeout;
        let connected = record.connections().iter().map(|connection| DeviceView {
            device: connection.device.clone(),
            client_id: Some(connection.id),
            since: Some(self.of(connection.since)),
            last_active: self.of(connection.last_active),
            active: is_active(connection.last_active),
        });
        let others = record.devices().iter().map(|known| DeviceView {
            device: Some(Arc::clone(&known.device)),
            client_id: None,
            since: None,
            last_active: self.of(known.last_active),
            active: is_active(known.last_active),
        });
        connected.chain(others).collect()
    }
}

fn shared<T, S>(value: &Option<Arc<T>>, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Serialize + ?Sized,
    S: Serializer,
{
    value.as_deref().serialize(serializer)
}

fn shared_text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn each_shared<T, S>(values: &[Arc<T>], serializer: S) -> Result<S::Ok, S::Error>
where
    T: Serialize,
    S: Serializer,
{
    serializer.collect_seq(values.iter().map(|value| &**value))
}

fn as_text<S: Serializer>(id: &Option<ClientId>, serializer: S) -> Result<S::Ok, S::Error> {
    id.map(|id| id.to_string()).serialize(serializer)
}
