//! What a user can say about itself.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::hub::Client;
use crate::id::check_characters;
use crate::layers::presence::error::PresenceError;
use crate::layers::presence::status::Status;

/// What is to change in the presence of a user. What is not named stays as it is.
///
/// Activity, details, devices and being available or not are what a user is at just now: they are
/// kept only while it is there. The custom status and the words on availability stay.
///
/// ```
/// use throng::presence::{CustomStatus, PresenceUpdate, Status};
///
/// let lunch = CustomStatus::new("at lunch")?.emoji("🍜")?;
/// let update = PresenceUpdate::new().status(Status::Away).custom_status(lunch);
/// # let _ = update;
/// # Ok::<(), throng::presence::PresenceError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct PresenceUpdate {
    pub(super) status: Option<Status>,
    pub(super) custom: Edit<CustomStatus>,
    pub(super) activity: Edit<Arc<Activity>>,
    pub(super) availability: Edit<Arc<str>>,
    pub(super) available: Option<bool>,
    pub(super) details: Edit<Arc<Map<String, Value>>>,
    pub(super) device: Edit<Arc<Device>>,
}

impl PresenceUpdate {
    /// An update that changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the status. It holds until the user says otherwise or is gone: neither what it does
    /// nor a further connection changes it.
    pub fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets the custom status.
    pub fn custom_status(mut self, custom: CustomStatus) -> Self {
        self.custom = Edit::Set(custom);
        self
    }

    /// Takes the custom status away.
    pub fn clear_custom_status(mut self) -> Self {
        self.custom = Edit::Clear;
        self
    }

    /// Sets what the user is doing.
    pub fn activity(mut self, activity: Activity) -> Self {
        self.activity = Edit::Set(Arc::new(activity));
        self
    }

    /// Says that the user is doing nothing in particular.
    pub fn clear_activity(mut self) -> Self {
        self.activity = Edit::Clear;
        self
    }

    /// Says in words how available the user is; an empty text takes it away.
    ///
    /// # Errors
    ///
    /// [`PresenceError::TooLarge`] if it is longer than 128 characters,
    /// [`PresenceError::InvalidField`] if there are control characters in it.
    pub fn availability(mut self, text: &str) -> Result<Self, PresenceError> {
        self.availability = if text.is_empty() {
            Edit::Clear
        } else {
            Edit::Set(checked("availability", text, MAX_TEXT)?)
        };
        Ok(self)
    }

    /// Says whether the user is available; it is unless it says otherwise.
    pub fn available(mut self, available: bool) -> Self {
        self.available = Some(available);
        self
    }

    /// Sets what else there is to show: an object of the application's own making; an empty one
    /// takes it away.
    ///
    /// # Errors
    ///
    /// [`PresenceError::TooLarge`] if it is larger than 4 KiB as JSON, or nested deeper than eight
    /// levels.
    pub fn details(mut self, details: Map<String, Value>) -> Result<Self, PresenceError> {
        self.details = if details.is_empty() {
            Edit::Clear
        } else {
            Edit::Set(Arc::new(bounded(details)?))
        };
        Ok(self)
    }

    /// Sets the device: of the connection that the update comes through, or else one more of the
    /// user's, of which at most 16 are kept.
    pub fn device(mut self, device: Device) -> Self {
        self.device = Edit::Set(Arc::new(device));
        self
    }

    /// Takes the device of the connection away, or else all those that came through none.
    pub fn clear_device(mut self) -> Self {
        self.device = Edit::Clear;
        self
    }
}

impl PresenceUpdate {
    /// Whether it is about the user, and not about one of its devices alone.
    pub(super) fn says_something(&self) -> bool {
        self.status.is_some()
            || self.available.is_some()
            || self.custom.changes()
            || self.activity.changes()
            || self.availability.changes()
            || self.details.changes()
    }
}

/// What happens to one thing.
#[derive(Clone, Debug, Default)]
pub(super) enum Edit<T> {
    Clear,
    #[default]
    Keep,
    Set(T),
}

impl<T> Edit<T> {
    fn changes(&self) -> bool {
        !matches!(self, Self::Keep)
    }
}

impl<T: Clone> Edit<T> {
    pub(super) fn apply(&self, to: &mut Option<T>) {
        match self {
            Self::Clear => *to = None,
            Self::Keep => {}
            Self::Set(value) => *to = Some(value.clone()),
        }
    }
}

/// A few words of the user's own about how it is, perhaps for a time only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomStatus {
    pub(super) text: Arc<str>,
    pub(super) emoji: Option<Arc<str>>,
    pub(super) expires_in: Option<Duration>,
}

impl CustomStatus {
    /// The longest that a custom status lasts if it is to expire: 30 days.
    pub const MAX_EXPIRES_IN: Duration = Duration::from_secs(30 * 86_400);

    /// A custom status of these words.
    ///
    /// # Errors
    ///
    /// [`PresenceError::TooLarge`] if they are longer than 128 characters,
    /// [`PresenceError::InvalidField`] if there are control characters among them.
    pub fn new(text: &str) -> Result<Self, PresenceError> {
        Ok(Self {
            text: checked("custom_status", text, MAX_TEXT)?,
            emoji: None,
            expires_in: None,
        })
    }

    /// Adds a picture: an emoji, or its name.
    ///
    /// # Errors
    ///
    /// [`PresenceError::TooLarge`] if it is longer than 32 characters,
    /// [`PresenceError::InvalidField`] if there are control characters in it.
    pub fn emoji(mut self, emoji: &str) -> Result<Self, PresenceError> {
        self.emoji = Some(checked("emoji", emoji, MAX_NAME)?);
        Ok(self)
    }

    /// Has it end after a time.
    ///
    /// # Errors
    ///
    /// [`PresenceError::InvalidField`] if that is longer than [`Self::MAX_EXPIRES_IN`].
    pub fn expires_in(mut self, time: Duration) -> Result<Self, PresenceError> {
        if time > Self::MAX_EXPIRES_IN {
            return Err(PresenceError::InvalidField {
                field: "expires_in_ms",
                allowed: "at most 30 days",
            });
        }
        self.expires_in = Some(time);
        Ok(self)
    }
}

/// What a user is doing, such as `playing` `chess`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub struct Activity {
    #[serde(rename = "type")]
    kind: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Box<str>>,
}

impl Activity {
    /// An activity of this kind: `playing`, `listening`, `watching`, `streaming`, `browsing` or any
    /// other word.
    ///
    /// # Errors
    ///
    /// [`PresenceError::TooLarge`] if it is longer than 32 characters,
    /// [`PresenceError::InvalidField`] if it is empty or there are control characters in it.
    pub fn new(kind: &str) -> Result<Self, PresenceError> {
        Ok(Self {
            kind: named("activity", kind)?,
            detail: None,
        })
    }

    /// Says what exactly.
    ///
    /// # Errors
    ///
    /// [`PresenceError::TooLarge`] if it is longer than 128 characters,
    /// [`PresenceError::InvalidField`] if there are control characters in it.
    pub fn detail(mut self, detail: &str) -> Result<Self, PresenceError> {
        self.detail = Some(
            checked("activity_detail", detail, MAX_TEXT)?
                .as_ref()
                .into(),
        );
        Ok(self)
    }

    /// Of what kind it is.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }
}

/// What a user is there with, such as a `desktop` called `Firefox`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub struct Device {
    #[serde(rename = "type")]
    kind: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Box<str>>,
}

impl Device {
    /// A device of this kind: `desktop`, `mobile`, `tablet`, `web` or any other word.
    ///
    /// # Errors
    ///
    /// [`PresenceError::TooLarge`] if it is longer than 32 characters,
    /// [`PresenceError::InvalidField`] if it is empty or there are control characters in it.
    pub fn new(kind: &str) -> Result<Self, PresenceError> {
        Ok(Self {
            kind: named("device", kind)?,
            name: None,
        })
    }

    /// Says what it is called.
    ///
    /// # Errors
    ///
    /// [`PresenceError::TooLarge`] if it is longer than 128 characters,
    /// [`PresenceError::InvalidField`] if there are control characters in it.
    pub fn name(mut self, name: &str) -> Result<Self, PresenceError> {
        self.name = Some(checked("device_name", name, MAX_TEXT)?.as_ref().into());
        Ok(self)
    }

    /// Of what kind it is.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }
}

/// The key under which a client's metadata has the kind of its device.
pub const DEVICE: &str = "device";

/// The key under which a client's metadata has what its device is called.
pub const DEVICE_NAME: &str = "device_name";

/// The device that a client's metadata names, if it names one as it should.
pub(in crate::layers) fn device_of(client: &Client) -> Option<Device> {
    let device = Device::new(client.metadata(DEVICE)?).ok()?;
    match client.metadata(DEVICE_NAME) {
        Some(name) => device.name(name).ok(),
        None => Some(device),
    }
}

fn named(field: &'static str, name: &str) -> Result<Box<str>, PresenceError> {
    if name.is_empty() {
        let allowed = "a word of 1 to 32 characters";
        return Err(PresenceError::InvalidField { field, allowed });
    }
    let name = checked(field, name, MAX_NAME)?;
    if check_characters(&name).is_err() {
        let allowed = "without spaces at its ends and characters that cannot be seen";
        return Err(PresenceError::InvalidField { field, allowed });
    }
    Ok(name.as_ref().into())
}

fn checked(field: &'static str, text: &str, limit: usize) -> Result<Arc<str>, PresenceError> {
    if text.chars().nth(limit).is_some() {
        let unit = "characters";
        return Err(PresenceError::TooLarge { field, limit, unit });
    }
    if text.chars().any(char::is_control) {
        let allowed = "without control characters";
        return Err(PresenceError::InvalidField { field, allowed });
    }
    Ok(text.into())
}

fn bounded(details: Map<String, Value>) -> Result<Map<String, Value>, PresenceError> {
    let too_large = |limit, unit| PresenceError::TooLarge {
        field: "details",
        limit,
        unit,
    };
    if details.values().any(|value| depth(value) >= MAX_DEPTH) {
        return Err(too_large(MAX_DEPTH, "levels"));
    }
    let len = serde_json::to_vec(&details).map_or(usize::MAX, |json| json.len());
    if len > MAX_DETAILS {
        return Err(too_large(MAX_DETAILS, "bytes"));
    }
    Ok(details)
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Characters in a text.
const MAX_TEXT: usize = 128;

/// Characters in a name.
const MAX_NAME: usize = 32;

/// Bytes of the details as JSON.
const MAX_DETAILS: usize = 4096;

/// Levels of the details.
const MAX_DEPTH: usize = 8;
