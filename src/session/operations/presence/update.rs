//! What a user can say about itself, out of arguments.

use crate::layers::presence::Activity;
use crate::layers::presence::CustomStatus;
use crate::layers::presence::Device;
use crate::layers::presence::PresenceUpdate;
use crate::layers::presence::Status;
use crate::protocol::Fault;
use crate::session::operations::Call;

use super::MAX_TEXT;
use super::fault;

/// What is to be changed, of what is named.
pub(super) fn update(call: &Call<'_>) -> Result<PresenceUpdate, Fault> {
    let arguments = call.arguments;
    let mut update = custom_status(call, PresenceUpdate::new())?;
    if let Some(status) = status(call)? {
        update = update.status(status);
    }
    if let Some(kind) = arguments.text("activity", MAX_TEXT)? {
        update = match &*kind {
            "" => update.clear_activity(),
            kind => update.activity(activity(call, kind)?),
        };
    }
    if let Some(text) = arguments.text("availability", MAX_TEXT)? {
        update = update.availability(&text).map_err(fault)?;
    }
    if let Some(available) = arguments.flag("available")? {
        update = update.available(available);
    }
    if let Some(details) = arguments.json("details", "an object")? {
        update = update.details(details).map_err(fault)?;
    }
    Ok(match device(call)? {
        Some(device) => update.device(device),
        None if arguments.text("device", MAX_TEXT)?.is_some() => update.clear_device(),
        None => update,
    })
}

fn custom_status(call: &Call<'_>, update: PresenceUpdate) -> Result<PresenceUpdate, Fault> {
    let text = call.arguments.text("custom_status", MAX_TEXT)?;
    let emoji = call.arguments.text("emoji", MAX_TEXT)?;
    let expires_in = call.arguments.millis("expires_in_ms")?;
    let is_empty = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
    if is_empty(&text) && is_empty(&emoji) {
        return Ok(match text {
            Some(_) => update.clear_custom_status(),
            None => update,
        });
    }
    let custom = CustomStatus::new(text.as_deref().unwrap_or_default());
    let mut custom = custom.map_err(fault)?;
    if let Some(emoji) = emoji.filter(|emoji| !emoji.is_empty()) {
        custom = custom.emoji(&emoji).map_err(fault)?;
    }
    if let Some(time) = expires_in {
        custom = custom.expires_in(time).map_err(fault)?;
    }
    Ok(update.custom_status(custom))
}

fn activity(call: &Call<'_>, kind: &str) -> Result<Activity, Fault> {
    let activity = Activity::new(kind).map_err(fault)?;
    match call.arguments.text("activity_detail", MAX_TEXT)? {
        Some(detail) => activity.detail(&detail).map_err(fault),
        None => Ok(activity),
    }
}

/// The device that the arguments name; none if it is not there or empty.
pub(super) fn device(call: &Call<'_>) -> Result<Option<Device>, Fault> {
    let kind = call.arguments.text("device", MAX_TEXT)?;
    let Some(kind) = kind.filter(|kind| !kind.is_empty()) else {
        return Ok(None);
    };
    let device = Device::new(&kind).map_err(fault)?;
    match call.arguments.text("device_name", MAX_TEXT)? {
        Some(name) => device.name(&name).map(Some).map_err(fault),
        None => Ok(Some(device)),
    }
}

pub(super) fn status(call: &Call<'_>) -> Result<Option<Status>, Fault> {
    let status = call.arguments.text("status", MAX_TEXT)?;
    status.map(|name| name.parse()).transpose().map_err(fault)
}
