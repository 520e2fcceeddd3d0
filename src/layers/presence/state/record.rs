//! What is known about one user.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Map;
use serde_json::Value;
use smallvec::SmallVec;

use crate::id::ClientId;
use crate::layers::presence::state::Rules;
use crate::layers::presence::state::index::Place;
use crate::layers::presence::status::Status;
use crate::layers::presence::update::Activity;
use crate::layers::presence::update::CustomStatus;
use crate::layers::presence::update::Device;
use crate::layers::presence::update::Edit;
use crate::layers::presence::update::PresenceUpdate;

/// What is known about one user.
#[derive(Debug)]
pub(in crate::layers::presence) struct Record {
    /// Invariant: in the order of their ids.
    connections: Vec<Connection>,
    /// The device of the last connection, while the user is given time to come back.
    parted: Option<Arc<Device>>,
    /// The devices that came through no connection, oldest first.
    devices: Vec<Registered>,
    /// What the user wants to be while it is there.
    choice: Status,
    /// Until when the user may come back.
    grace: Option<Instant>,
    /// Until when the user is there without having been connected.
    hold: Option<Instant>,
    profile: Profile,
    /// When somebody has last said something about the user, and when since it came.
    said: Option<Instant>,
    said_here: Option<Instant>,
    status: Status,
    since: Instant,
    /// Since when others have seen what they see.
    shown_since: Instant,
    last_active: Instant,
    /// The last activity that others know of.
    last_seen: Instant,
    /// Oldest first.
    history: VecDeque<(Instant, Status)>,
    /// When the timers of this user come out.
    /// Invariant: the next one is the last, and each other is later than the one after it.
    pub(super) timers: SmallVec<[Instant; 2]>,
}

/// One connection of a user.
#[derive(Clone, Debug)]
pub(in crate::layers::presence) struct Connection {
    pub(in crate::layers::presence) id: ClientId,
    pub(in crate::layers::presence) device: Option<Arc<Device>>,
    pub(in crate::layers::presence) since: Instant,
    pub(in crate::layers::presence) last_active: Instant,
}

/// A device that came through no connection.
#[derive(Clone, Debug)]
pub(in crate::layers::presence) struct Registered {
    pub(in crate::layers::presence) device: Arc<Device>,
    pub(in crate::layers::presence) last_active: Instant,
}

/// What a user says about itself.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::layers::presence) struct Profile {
    pub(in crate::layers::presence) custom: Option<CustomStatus>,
    pub(in crate::layers::presence) custom_until: Option<Instant>,
    pub(in crate::layers::presence) activity: Option<Arc<Activity>>,
    pub(in crate::layers::presence) availability: Option<Arc<str>>,
    pub(in crate::layers::presence) available: bool,
    pub(in crate::layers::presence) details: Option<Arc<Map<String, Value>>>,
}

/// A user as it is seen at a moment.
#[derive(Clone, Debug)]
pub(in crate::layers::presence) struct Look {
    pub(in crate::layers::presence) status: Status,
    pub(in crate::layers::presence) since: Instant,
    pub(in crate::layers::presence) last_seen: Instant,
    pub(in crate::layers::presence) profile: Profile,
    /// Each once, in order.
    pub(in crate::layers::presence) devices: Vec<Arc<Device>>,
}

impl Look {
    /// Somebody of whom there is nothing to see.
    pub(in crate::layers::presence) const fn offline(since: Instant) -> Self {
        Self {
            status: Status::Offline,
            since,
            last_seen: since,
            profile: Profile::new(),
            devices: Vec::new(),
        }
    }

    /// Whether there is nothing to tell about the step from one to the other.
    pub(in crate::layers::presence) fn is_like(&self, other: &Self) -> bool {
        self.status == other.status
            && self.profile == other.profile
            && self.devices == other.devices
    }
}

impl Record {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            connections: Vec::new(),
            parted: None,
            devices: Vec::new(),
            choice: Status::Online,
            grace: None,
            hold: None,
            profile: Profile::new(),
            said: None,
            said_here: None,
            status: Status::Offline,
            since: now,
            shown_since: now,
            last_active: now,
            last_seen: now,
            history: VecDeque::new(),
            timers: SmallVec::new(),
        }
    }

    pub(super) fn connect(&mut self, now: Instant, id: ClientId, device: Option<Arc<Device>>) {
        match self.find(id) {
            Ok(at) => self.connections[at].device = device,
            Err(at) => {
                let (since, last_active) = (now, now);
                let connection = Connection {
                    id,
                    device,
                    since,
                    last_active,
                };
                self.connections.insert(at, connection);
            }
        }
        (self.grace, self.hold, self.parted) = (None, None, None);
        self.last_active = now;
    }

    pub(super) fn disconnect(&mut self, now: Instant, id: ClientId, rules: &Rules) {
        let Ok(at) = self.find(id) else {
            return;
        };
        let connection = self.connections.remove(at);
        self.last_active = now;
        if self.connections.is_empty() && !rules.grace.is_zero() {
            self.grace = Some(now + rules.grace);
            self.parted = connection.device;
        }
    }

    pub(super) fn update(
        &mut self,
        now: Instant,
        through: Option<ClientId>,
        update: &PresenceUpdate,
        rules: &Rules,
    ) {
        if update.says_something() {
            (self.said, self.said_here) = (Some(now), Some(now));
        }
        if let Edit::Clear | Edit::Set(_) = update.custom {
            update.custom.apply(&mut self.profile.custom);
            let custom = self.profile.custom.as_mut();
            let lasts = custom.and_then(|custom| custom.expires_in.take());
            self.profile.custom_until = lasts.map(|lasts| now + lasts);
        }
        update.activity.apply(&mut self.profile.activity);
        update.availability.apply(&mut self.profile.availability);
        update.details.apply(&mut self.profile.details);
        self.profile.available = update.available.unwrap_or(self.profile.available);
        self.update_device(now, through, &update.device);
        if let Some(status) = update.status {
            self.choose(now, status, rules);
        }
        self.touch(now, through, rules);
    }

    fn choose(&mut self, now: Instant, status: Status, rules: &Rules) {
        self.choice = status;
        if !self.connections.is_empty() {
            return;
        }
        self.hold = (status != Status::Offline).then(|| now + rules.timeout);
        if status == Status::Offline {
            self.grace = None;
        }
    }

    fn update_device(&mut self, now: Instant, through: Option<ClientId>, edit: &Edit<Arc<Device>>) {
        let at = through.and_then(|id| self.find(id).ok());
        match (at, edit) {
            (_, Edit::Keep) => {}
            (Some(at), edit) => edit.apply(&mut self.connections[at].device),
            (None, Edit::Clear) => self.devices.clear(),
            (None, Edit::Set(device)) => {
                self.devices.retain(|known| known.device != *device);
                if self.devices.len() >= MAX_DEVICES {
                    self.devices.remove(0);
                }
                self.devices.push(Registered {
                    device: Arc::clone(device),
                    last_active: now,
                });
            }
        }
    }

    /// Takes a device away that came through no connection.
    pub(super) fn remove_device(&mut self, device: &Device) {
        self.devices.retain(|known| *known.device != *device);
    }

    pub(super) fn touch(&mut self, now: Instant, through: Option<ClientId>, rules: &Rules) {
        self.last_active = now;
        if self.hold.is_some() {
            self.hold = Some(now + rules.timeout);
        }
        if let Some(Ok(at)) = through.map(|id| self.find(id)) {
            self.connections[at].last_active = now;
        }
        if self.status.is_present() {
            self.last_seen = now;
        }
    }

    /// Forgets all but the connections.
    pub(super) fn erase(&mut self) {
        self.leave();
        (self.grace, self.hold, self.said) = (None, None, None);
        self.profile = Profile::new();
        self.history.clear();
    }

    /// Ends what has lasted its time.
    pub(super) fn expire(&mut self, now: Instant) {
        let is_over = |until: &mut Instant| *until <= now;
        self.grace.take_if(is_over);
        self.hold.take_if(is_over);
        if self.profile.custom_until.take_if(is_over).is_some() {
            self.profile.custom = None;
        }
    }

    /// Draws the conclusions from what was done to the record.
    pub(super) fn settle(&mut self, now: Instant, rules: &Rules) {
        if !self.is_there() {
            self.leave();
        }
        let status = if self.is_there() {
            self.choice
        } else {
            Status::Offline
        };
        let before = self.status;
        if status.is_present() || before.is_present() {
            self.last_seen = self.last_active;
        }
        if status == before {
            return;
        }
        (self.status, self.since) = (status, now);
        if status.shown() != before.shown() {
            self.shown_since = now;
        }
        self.history.push_back((now, status));
        while self.history.len() > rules.history {
            self.history.pop_front();
        }
    }

    /// Forgets what means something only while the user is there.
    fn leave(&mut self) {
        self.choice = Status::Online;
        self.said_here = None;
        self.profile.activity = None;
        self.profile.details = None;
        self.profile.available = true;
        self.parted = None;
        self.devices.clear();
    }

    /// When somebody has last said something about the user, and when since it came.
    #[cfg(feature = "ws")]
    pub(in crate::layers::presence) fn said(&self) -> (Option<Instant>, Option<Instant>) {
        (self.said, self.said_here)
    }

    /// Whether the user is connected, is given time to come back, or was said to be there.
    pub(in crate::layers::presence) fn is_there(&self) -> bool {
        !self.connections.is_empty() || self.grace.is_some() || self.hold.is_some()
    }

    /// When something of it has lasted its time.
    pub(super) fn due(&self, rules: &Rules) -> Option<Instant> {
        let forget = (!self.is_there()).then(|| self.last_change() + rules.remember);
        let all = [self.grace, self.hold, self.profile.custom_until, forget];
        all.into_iter().flatten().min()
    }

    /// Whether it is time to forget the user.
    pub(super) fn is_stale(&self, now: Instant, rules: &Rules) -> bool {
        !self.is_there() && self.last_change() + rules.remember <= now
    }

    fn last_change(&self) -> Instant {
        self.since.max(self.last_active)
    }

    pub(super) fn place(&self) -> Place {
        match self.status {
            Status::Away => Place::Away,
            Status::Busy => Place::Busy,
            Status::Invisible => Place::Invisible,
            Status::Online => Place::Online,
            Status::Offline if self.is_there() => Place::Hidden,
            Status::Offline => Place::Gone,
        }
    }

    pub(super) fn shown_since(&self) -> Instant {
        self.shown_since
    }

    /// As others see it.
    pub(in crate::layers::presence) fn shown(&self) -> Look {
        if !self.status.is_present() {
            return Look {
                last_seen: self.last_seen,
                ..Look::offline(self.shown_since)
            };
        }
        Look {
            since: self.shown_since,
            last_seen: self.last_seen,
            ..self.full()
        }
    }

    /// As the user itself and the server see it.
    pub(in crate::layers::presence) fn full(&self) -> Look {
        let connected = self.connections.iter().filter_map(|it| it.device.as_ref());
        let others = self.devices.iter().map(|it| &it.device);
        let all = connected.chain(&self.parted).chain(others);
        let mut devices: Vec<_> = all.cloned().collect();
        devices.sort_unstable();
        devices.dedup();
        Look {
            status: self.status,
            since: self.since,
            last_seen: self.last_active,
            profile: self.profile.clone(),
            devices,
        }
    }

    pub(in crate::layers::presence) fn connections(&self) -> &[Connection] {
        &self.connections
    }

    pub(in crate::layers::presence) fn devices(&self) -> &[Registered] {
        &self.devices
    }

    /// What the status was from when on, oldest first.
    pub(in crate::layers::presence) fn history(
        &self,
    ) -> impl DoubleEndedIterator<Item = (Instant, Status)> {
        self.history.iter().copied()
    }

    /// What the status was at that time, as far as the history reaches.
    pub(in crate::layers::presence) fn status_at(&self, time: Instant) -> Status {
        let mut history = self.history.iter().rev();
        let then = history.find(|(since, _)| *since <= time);
        then.map_or(Status::Offline, |(_, status)| *status)
    }

    fn find(&self, id: ClientId) -> Result<usize, usize> {
        self.connections
            .binary_search_by_key(&id, |connection| connection.id)
    }
}

impl Profile {
    const fn new() -> Self {
        Self {
            custom: None,
            custom_until: None,
            activity: None,
            availability: None,
            available: true,
            details: None,
        }
    }
}

/// The devices of a user that came through no connection.
const MAX_DEVICES: usize = 16;
