//! One connection, as the one entrance knows it.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;

use crate::disconnect::Disconnect;
use crate::hub::Client;
use crate::hub::StreamPosition;
use crate::hub::Turns;
use crate::layers::Layers;
use crate::layers::RoomId;
use crate::layers::sessions;
use crate::protocol::Arguments;
use crate::protocol::Command;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Request;
use crate::session::operations::reply;
use crate::session::operations::session;
use crate::session::operations::session::Notes;
use crate::session::operations::session::Restored;

use super::Badge;
use super::Caller;
use super::Deciding;
use super::Effort;
use super::Entrance;
use super::MeterCell;
use super::Moments;
use super::Origin;
use super::Outcome;

/// What carries out the requests of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    entrance: Arc<Entrance>,
    client: Client,
    notes: Notes,
    /// Whether its rooms wait for its first command.
    resumes: bool,
    meter: MeterCell,
    /// The identity of the connection, where anything is authenticated.
    badge: Option<Arc<Badge>>,
}

impl Session {
    pub(crate) fn new(
        entrance: &Arc<Entrance>,
        client: Client,
        session: Option<Arc<sessions::Session>>,
        resumes: bool,
    ) -> Self {
        Self {
            meter: MeterCell::new(),
            badge: entrance.badge_of(client.id()),
            entrance: Arc::clone(entrance),
            client,
            notes: Notes::new(session),
            resumes,
        }
    }

    /// How far those are who write to the sockets that its publishes reach.
    pub(super) fn turns(&self) -> &Arc<Turns> {
        self.entrance.hub().turns()
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The id that the client may come back with.
    pub(super) fn id(&self) -> Option<&str> {
        self.notes.session()
    }

    /// Whether its rooms wait for its first command.
    pub(super) fn resumes(&self) -> bool {
        self.resumes
    }

    /// Returns the subscribes that its credentials claim, as commands.
    pub(super) fn claims(&self) -> Vec<Restored> {
        let Some(badge) = &self.badge else {
            return Vec::new();
        };
        let identity = badge.identity();
        identity.subscriptions().map(Restored::claimed).collect()
    }

    /// When its token expires, in milliseconds from now.
    pub(super) fn expires_in(&self) -> Option<u64> {
        let expiry = self.badge.as_ref()?.identity().expiry()?;
        Some(expiry.millis().saturating_sub(self.entrance.now()))
    }

    /// Carries out a request, or starts to, and adds up what that has caused. Never waits.
    pub(super) fn handle(
        &mut self,
        request: Request,
        origin: Origin,
        effort: &mut Effort,
    ) -> Outcome {
        let checked = self.entrance.check(&self.caller(origin), request);
        self.carry_out(checked, origin, effort)
    }

    /// Goes on with a request that a policy lets pass.
    pub(super) fn go_on(
        &mut self,
        decided: Deciding,
        origin: Origin,
        effort: &mut Effort,
    ) -> Outcome {
        let checked = self.entrance.go_on(&self.caller(origin), decided);
        self.carry_out(checked, origin, effort)
    }

    fn carry_out(
        &mut self,
        checked: Result<Command, Outcome>,
        origin: Origin,
        effort: &mut Effort,
    ) -> Outcome {
        let command = match checked {
            Ok(command) => command,
            Err(outcome) => return outcome,
        };
        // What is claimed does not come from the client.
        if origin != Origin::Claim && mem::take(&mut self.resumes) {
            if let Command::Operation { name, arguments } = &command
                && **name == *session::RESUME
            {
                return self.resume(arguments);
            }
            self.attach(&HashMap::new());
        }
        self.entrance
            .carry_out(&self.caller(origin), command, effort)
    }

    fn caller(&self, origin: Origin) -> Caller<'_> {
        Caller::of(&self.client, origin)
            .noting(&self.notes)
            .metered(&self.meter)
            .badged(self.badge.as_ref())
    }

    pub(super) fn wants_raw(&self) -> bool {
        self.entrance.hooks().wants(Moments::RAW)
    }

    /// The bytes as the hooks have changed them.
    pub(super) fn raw(&self, bytes: Bytes) -> Result<Bytes, Fault> {
        let caller = self.caller(Origin::Client);
        self.entrance.hooks().raw(&caller, bytes)
    }

    /// Notifies the observers that a request was refused after a while.
    pub(super) fn refused(&self, origin: Origin, fault: &Fault) {
        self.entrance.refused(&self.caller(origin), "", fault);
    }

    fn attach(&self, positions: &HashMap<RoomId, StreamPosition>) {
        self.entrance.attach(&self.client, positions);
    }

    /// Goes on where another connection was lost: with its rooms, and with what its session had
    /// noted.
    fn resume(&self, arguments: &Arguments) -> Outcome {
        let asked = match session::Asked::read(arguments) {
            Ok(asked) => asked,
            Err(fault) => {
                self.attach(&HashMap::new());
                return Outcome::Now(Err(fault));
            }
        };
        self.attach(&asked.rooms);
        let layers = self.entrance.layers();
        let sessions = layers.and_then(Layers::sessions);
        let presence = layers.and_then(Layers::presence);
        let (answer, commands, old) =
            asked.resume(sessions, presence, self.client.user(), &self.notes);
        if let Some(old) = old.and_then(|old| self.entrance.hub().client(old)) {
            old.close(Disconnect::RESUMED);
        }
        Outcome::Resumed {
            reply: reply(&answer),
            commands,
        }
    }

    /// A command of the session that was resumed is refused: it is not to be asked for again. When
    /// the client is closed, everything is.
    pub(super) fn not_restored(&self, key: &str, fault: &Fault) {
        if fault.code() != ErrorCode::Closed {
            self.notes.forget(key);
        }
    }
}
