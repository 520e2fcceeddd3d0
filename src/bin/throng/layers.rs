//! What is served on top of the hub.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use clap::ValueEnum;
use throng::Hub;
use throng::Layers;
use throng::channels::ChannelsConfig;
use throng::presence::PresenceConfig;
use throng::presence::Visibility;
use throng::rooms::RoomsConfig;
use throng::sessions::SessionsConfig;
use throng::typing::TypingConfig;
use throng::users::UsersConfig;

use crate::cli::millis;
use crate::keeping::KeepOptions;

/// How users, rooms, presence and typing are kept.
#[derive(Clone, Debug, Args)]
pub(crate) struct LayerOptions {
    /// Connections of one user; 0 for no limit.
    #[arg(long, value_name = "N", default_value = "5")]
    max_connections_per_user: usize,

    /// Connections without a user; 0 for no limit.
    #[arg(long, value_name = "N", default_value = "1000")]
    max_anonymous: usize,

    /// Channels that one user may be in, over all of its connections.
    #[arg(long, value_name = "N", default_value = "100")]
    max_channels_per_user: usize,

    /// Milliseconds after which a connection that asks for nothing is closed, whatever its
    /// transport; never unless given.
    #[arg(long, value_name = "MS", value_parser = millis)]
    idle_timeout: Option<Duration>,

    /// Serve no patterns, filters or declared channels.
    #[arg(long)]
    no_patterns: bool,

    /// Patterns that one client may subscribe to.
    #[arg(long, value_name = "N", default_value = "32")]
    max_patterns: usize,

    /// Let clients use declared channels only.
    #[arg(long)]
    declared_only: bool,

    /// Serve no rooms.
    #[arg(long)]
    no_rooms: bool,

    /// Rooms that one user may be in, direct ones not counted.
    #[arg(long, value_name = "N", default_value = "50")]
    max_rooms_per_user: usize,

    /// Rooms at a time.
    #[arg(long, value_name = "N", default_value = "1000000")]
    max_rooms: usize,

    /// Members up to which a room is told of each coming and going at once.
    #[arg(long, value_name = "N", default_value = "32")]
    room_batch_from: usize,

    /// Milliseconds for which comings and goings are gathered in larger rooms.
    #[arg(long, value_name = "MS", default_value = "100", value_parser = millis)]
    room_batch_window: Duration,

    /// Serve no presence.
    #[arg(long)]
    no_presence: bool,

    /// Milliseconds for which a user without a connection is still there.
    #[arg(long, value_name = "MS", default_value = "5000", value_parser = millis)]
    presence_grace: Duration,

    /// Milliseconds after which a user that was only said to be there is not any more.
    #[arg(long, value_name = "MS", default_value = "300000", value_parser = millis)]
    presence_timeout: Duration,

    /// Visibility of presence: which users see which.
    #[arg(long, value_name = "WHO", default_value = "shared-rooms")]
    presence_visibility: Sees,

    /// Serve no typing.
    #[arg(long)]
    no_typing: bool,

    /// Milliseconds after which a user that does not say it is typing is not any more.
    #[arg(long, value_name = "MS", default_value = "3000", value_parser = millis)]
    typing_timeout: Duration,

    /// Users who may be typing in one room at a time; 0 for no limit.
    #[arg(long, value_name = "N", default_value = "10")]
    max_typing: usize,

    /// Milliseconds for which a lost connection may be gone on with over another; 0 for never.
    #[arg(long, value_name = "MS", default_value = "30000", value_parser = millis)]
    session_ttl: Duration,

    /// Connections that are kept so at a time.
    #[arg(long, value_name = "N", default_value = "100000")]
    max_sessions: usize,

    /// Bytes that one of them notes of what its client subscribed to; what is beyond is not
    /// brought back.
    #[arg(long, value_name = "BYTES", default_value = "65536")]
    max_session_bytes: usize,

    /// Bytes that all of them note together.
    #[arg(long, value_name = "BYTES", default_value = "67108864")]
    max_total_session_bytes: usize,

    #[command(flatten)]
    keep: KeepOptions,
}

/// Who sees the presence of whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Sees {
    /// Every user sees every user.
    Everyone,
    /// Those see each other who share a room.
    SharedRooms,
}

impl LayerOptions {
    /// The folder in which things are kept, if there is one.
    pub(crate) fn data(&self) -> Option<&Path> {
        self.keep.data()
    }

    pub(crate) fn layers(&self, hub: &Hub) -> Result<Layers, Box<dyn Error>> {
        let users = UsersConfig::new()
            .max_per_user(limit(self.max_connections_per_user))
            .max_anonymous(limit(self.max_anonymous))
            .max_channels(self.max_channels_per_user)
            .idle_after(self.idle_timeout);
        let channels = ChannelsConfig::new()
            .declared_only(self.declared_only)
            .max_patterns(self.max_patterns);
        let rooms = RoomsConfig::new()
            .max_rooms_per_user(self.max_rooms_per_user)
            .max_rooms(self.max_rooms)
            .batch_from(self.room_batch_from)
            .batch_window(self.room_batch_window);
        let presence = PresenceConfig::new()
            .grace(self.presence_grace)
            .timeout(self.presence_timeout)
            .visibility(match self.presence_visibility {
                Sees::Everyone => Visibility::Everyone,
                Sees::SharedRooms => Visibility::SharedRooms,
            });
        let typing = TypingConfig::new()
            .expires(self.typing_timeout)
            .max_per_room(limit(self.max_typing));
        let sessions = SessionsConfig::new()
            .ttl(self.session_ttl)
            .max_sessions(self.max_sessions)
            .max_bytes(self.max_session_bytes)
            .max_total_bytes(self.max_total_session_bytes);
        let builder = Layers::builder(hub)
            .users(users)
            .channels((!self.no_patterns).then_some(channels))
            .rooms((!self.no_rooms).then_some(rooms))
            .presence((!self.no_presence).then_some(presence))
            .typing((!self.no_typing).then_some(typing))
            .sessions((!self.session_ttl.is_zero()).then_some(sessions));
        self.keep.build(builder)
    }
}

fn limit(n: usize) -> Option<usize> {
    (n > 0).then_some(n)
}
