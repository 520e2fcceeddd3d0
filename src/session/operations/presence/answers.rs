//! The content of answers about presence.

use std::collections::BTreeMap;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::layers::UserId;
use crate::layers::presence::DeviceView;
use crate::layers::presence::PresenceCounts;
use crate::layers::presence::StatusEntry;
use crate::layers::presence::UserPresence;
use crate::session::operations::answers;

answers! {
    /// A page of users.
    struct Users {
        /// Their presence; there may be none though there are more pages.
        users: Vec<UserPresence>,
        /// The `after` of the next page; the last page has none.
        next: Option<String>,
    }

    /// The presence of several users.
    struct Presences {
        /// Their presence.
        users: Vec<UserPresence>,
        /// The users whose presence may not be seen.
        denied: Vec<UserId>,
    }

    /// The number of users of each status.
    struct Counts {
        /// Users that are online, away or busy.
        present: usize,
        /// Users that are online.
        online: usize,
        /// Users that are away.
        away: usize,
        /// Users that are busy.
        busy: usize,
        /// Users that are offline and not forgotten, with those that are invisible.
        offline: usize,
        /// Users of those that are invisible; for the server only.
        #[serde(skip_serializing_if = "Option::is_none")]
        invisible: Option<usize>,
        /// The most users that have been present at a time, over the last 24 hours.
        peak: usize,
        /// The number of users that have been present on average, over the last 24 hours.
        average: f64,
    }

    /// The changes of the status of a user.
    struct StatusHistory {
        /// The changes, the newest first.
        history: Vec<StatusEntry>,
    }

    /// How long a user has had each status.
    struct Durations {
        /// Milliseconds, by status.
        durations_ms: BTreeMap<String, u64>,
    }

    /// The devices of a user.
    struct Devices {
        /// Its connections, and the devices that were named without one.
        devices: Vec<DeviceView>,
    }

    /// The users that a user watches.
    struct Watching {
        /// Their ids.
        user_ids: Vec<UserId>,
    }

    /// A page of the users that watch a user.
    struct Watchers {
        /// Their ids.
        user_ids: Vec<UserId>,
        /// The `after` of the next page; the last page has none.
        next: Option<String>,
    }
}

impl Counts {
    pub(super) fn of(counts: PresenceCounts, is_server: bool) -> Self {
        Self {
            present: counts.present,
            online: counts.online,
            away: counts.away,
            busy: counts.busy,
            offline: counts.offline,
            invisible: is_server.then_some(counts.invisible),
            peak: counts.peak,
            average: counts.average,
        }
    }
}
