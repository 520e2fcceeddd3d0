//! The arguments of what can be asked about presence.

use crate::session::operations::Argument;
use crate::session::operations::Kind;

pub(super) const USER: Argument = Argument::needed("user_id", Kind::Text, "The user.");

pub(super) const WHOSE: Argument = Argument::optional(
    "user_id",
    Kind::Text,
    "The user; default the one who asks. Another than that is for the server only.",
);

pub(super) const USERS: Argument =
    Argument::needed("user_ids", Kind::List, "The users: at most 1,000.");

pub(super) const STATUS: Argument = Argument::optional(
    "status",
    Kind::Text,
    "`online`, `away`, `busy`, `invisible` or `offline`.",
);

pub(super) const WHICH: Argument = Argument::needed(
    "status",
    Kind::Text,
    "`online`, `away`, `busy` or `offline`; `invisible` for the server only.",
);

pub(super) const OF_STATUS: Argument = Argument::optional(
    "status",
    Kind::Text,
    "What they have become: `online`, the default, `away`, `busy` or `offline`.",
);

pub(super) const OF_STATUS_NOW: Argument = Argument::optional(
    "status",
    Kind::Text,
    "Those alone of this status: `online`, `away`, `busy` or `offline`.",
);

pub(super) const ROOM: Argument = Argument::needed("room_id", Kind::Text, "Which room.");

pub(super) const CUSTOM_STATUS: Argument = Argument::optional(
    "custom_status",
    Kind::Text,
    "How it is in its own words: at most 128 characters; empty to take it away.",
);

pub(super) const EMOJI: Argument = Argument::optional(
    "emoji",
    Kind::Text,
    "A picture for the custom status: at most 32 characters.",
);

pub(super) const EXPIRES_IN: Argument = Argument::optional(
    "expires_in_ms",
    Kind::Number,
    "After which time the custom status ends: at most 30 days; default never.",
);

pub(super) const ACTIVITY: Argument = Argument::optional(
    "activity",
    Kind::Text,
    "What it is doing, such as `playing`: at most 32 characters; empty for nothing.",
);

pub(super) const ACTIVITY_DETAIL: Argument = Argument::optional(
    "activity_detail",
    Kind::Text,
    "What exactly it is doing: at most 128 characters.",
);

pub(super) const AVAILABILITY: Argument = Argument::optional(
    "availability",
    Kind::Text,
    "How available it is, in words: at most 128 characters; empty to take it away.",
);

pub(super) const AVAILABLE: Argument =
    Argument::optional("available", Kind::Flag, "Whether it is available.");

pub(super) const DEVICE: Argument = Argument::optional(
    "device",
    Kind::Text,
    "The kind of device of this connection, or of one more: at most 32 characters; empty to take \
     it away.",
);

pub(super) const A_DEVICE: Argument =
    Argument::needed("device", Kind::Text, "The kind of the device.");

pub(super) const DEVICE_NAME: Argument = Argument::optional(
    "device_name",
    Kind::Text,
    "What the device is called: at most 128 characters.",
);

pub(super) const DETAILS: Argument = Argument::optional(
    "details",
    Kind::Object,
    "What else the application shows: at most 4 KiB; empty to take it away.",
);

pub(super) const OF_DEVICE: Argument = Argument::optional(
    "device",
    Kind::Text,
    "Those alone who are there with a device of this kind.",
);

pub(super) const OF_ACTIVITY: Argument = Argument::optional(
    "activity",
    Kind::Text,
    "Those alone who are at an activity of this kind.",
);

pub(super) const AGO: Argument = Argument::optional(
    "ago_ms",
    Kind::Number,
    "Those of whom it was true so long ago, as far as the history of each reaches.",
);

pub(super) const WITHIN: Argument = Argument::optional(
    "within_ms",
    Kind::Number,
    "Within which time they have become it; default an hour.",
);

pub(super) const WINDOW: Argument = Argument::optional(
    "window_ms",
    Kind::Number,
    "Over which time; default as far as the history reaches.",
);
