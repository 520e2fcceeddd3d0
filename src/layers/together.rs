//! The layers wired together on one hub.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;
use std::time::Instant;

use crate::disconnect::Disconnect;
use crate::hub::Client;
use crate::hub::ConnectOptions;
use crate::hub::Hub;
use crate::hub::Outbox;
use crate::hub::StreamPosition;
use crate::layers::channels::Channels;
use crate::layers::channels::ChannelsConfig;
use crate::layers::messages::MemoryLimits;
use crate::layers::messages::MemoryStore;
use crate::layers::messages::MessageError;
use crate::layers::messages::MessageStore;
use crate::layers::messages::Messages;
use crate::layers::messages::MessagesConfig;
use crate::layers::messages::OpenError;
use crate::layers::messages::OutgoingMessage;
use crate::layers::messages::Pending;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::presence;
use crate::layers::presence::Presence;
use crate::layers::presence::PresenceConfig;
use crate::layers::rooms::RoomChange;
use crate::layers::rooms::Rooms;
use crate::layers::rooms::RoomsConfig;
use crate::layers::rooms::Sent;
use crate::layers::sessions::Session;
use crate::layers::sessions::SessionStore;
use crate::layers::sessions::Sessions;
use crate::layers::sessions::SessionsConfig;
use crate::layers::typing::Typing;
use crate::layers::typing::TypingConfig;
use crate::layers::typing::TypingError;
use crate::layers::users::Connection;
use crate::layers::users::UserError;
use crate::layers::users::Users;
use crate::layers::users::UsersConfig;

/// The layers that a gateway serves, wired together on one hub. A cheap clone.
///
/// A user's connections follow its rooms, its presence follows its connections and is told to its
/// rooms, and what it types is told to those it types in.
///
/// ```
/// use throng::{Hub, Layers};
/// use throng::rooms::RoomsConfig;
///
/// let hub = Hub::new();
/// let layers = Layers::builder(&hub)
///     .rooms(Some(RoomsConfig::new().max_rooms_per_user(10)))
///     .typing(None)
///     .build();
/// assert!(layers.rooms().is_some() && layers.typing().is_none());
/// // For a gateway: Gateway::builder(hub).layers(layers)
/// ```
#[derive(Clone)]
pub struct Layers {
    inner: Arc<Inner>,
}

struct Inner {
    hub: Hub,
    users: Users,
    channels: Option<Channels>,
    rooms: Option<Rooms>,
    presence: Option<Presence>,
    typing: Option<Typing>,
    messages: Option<Messages>,
    sessions: Option<Sessions>,
}

/// Layers to be; each of those but users can be left out.
#[derive(Clone, Debug)]
#[must_use]
pub struct LayersBuilder {
    hub: Hub,
    users: UsersConfig,
    channels: Option<ChannelsConfig>,
    rooms: Option<RoomsConfig>,
    presence: Option<PresenceConfig>,
    typing: Option<TypingConfig>,
    messages: Option<MessagesConfig>,
    memory: MemoryLimits,
    sessions: Option<SessionsConfig>,
    session_store: Option<Arc<dyn SessionStore>>,
}

impl LayersBuilder {
    /// How many connections users may have, and which are closed.
    pub fn users(mut self, config: UsersConfig) -> Self {
        self.users = config;
        self
    }

    /// Patterns, filters and declared channels; `None` for none.
    pub fn channels(mut self, config: Option<ChannelsConfig>) -> Self {
        self.channels = config;
        self
    }

    /// Rooms; `None` for none.
    pub fn rooms(mut self, config: Option<RoomsConfig>) -> Self {
        self.rooms = config;
        self
    }

    /// Presence; `None` for none.
    pub fn presence(mut self, config: Option<PresenceConfig>) -> Self {
        self.presence = config;
        self
    }

    /// Who is typing in rooms; `None` for nobody.
    pub fn typing(mut self, config: Option<TypingConfig>) -> Self {
        self.typing = config;
        self
    }

    /// Messages of rooms that are kept; `None` for none. Needs rooms.
    pub fn messages(mut self, config: Option<MessagesConfig>) -> Self {
        self.messages = config;
        self
    }

    /// Sessions that connections leave behind; `None` for none.
    pub fn sessions(mut self, config: Option<SessionsConfig>) -> Self {
        self.sessions = config;
        self
    }

    /// Stores sessions whose connection is lost in `store`, in the place of memory: they outlive
    /// the process, and go on at another. Default: memory.
    pub fn session_store(mut self, store: impl SessionStore) -> Self {
        self.session_store = Some(Arc::new(store));
        self
    }

    /// How many messages are kept in memory, where there is no other store.
    pub fn memory(mut self, limits: MemoryLimits) -> Self {
        self.memory = limits;
        self
    }

    /// The layers, with messages kept in memory.
    #[must_use]
    pub fn build(self) -> Layers {
        let store = MemoryStore::new(self.memory);
        match self.build_with(store) {
            Ok(layers) => layers,
            Err(error) => unreachable!("memory neither blocks nor fails: {error}"),
        }
    }

    /// The layers, with messages kept in `store`, and the rooms that it knows.
    ///
    /// # Errors
    ///
    /// As [`Messages::new`].
    pub fn build_with(self, store: impl MessageStore) -> Result<Layers, OpenError> {
        let users = Users::new(&self.hub, self.users);
        let connections = {
            let users = users.clone();
            move |user: &UserId| users.clients_of(user)
        };
        let rooms = self.rooms;
        let rooms = rooms.map(|config| Rooms::new(&self.hub, config, connections));
        let messages = match (&rooms, self.messages) {
            (Some(rooms), Some(config)) => Some(Messages::new(rooms, store, config)?),
            _ => None,
        };
        let layers = Layers {
            inner: Arc::new(Inner {
                users,
                channels: self.channels.map(|it| Channels::new(&self.hub, it)),
                presence: self.presence.map(|it| Presence::new(&self.hub, it)),
                typing: self.typing.map(|it| Typing::new(&self.hub, it)),
                rooms,
                messages,
                sessions: self.sessions.map(|config| match self.session_store {
                    Some(store) => Sessions::with_store(config, store),
                    None => Sessions::new(config),
                }),
                hub: self.hub,
            }),
        };
        layers.wire();
        Ok(layers)
    }
}

impl Layers {
    /// All layers with their defaults.
    #[must_use]
    pub fn new(hub: &Hub) -> Self {
        Self::builder(hub).build()
    }

    /// Layers to be set up; all of them, with their defaults, unless something else is said.
    pub fn builder(hub: &Hub) -> LayersBuilder {
        LayersBuilder {
            hub: hub.clone(),
            users: UsersConfig::new(),
            channels: Some(ChannelsConfig::new()),
            rooms: Some(RoomsConfig::new()),
            presence: Some(PresenceConfig::new()),
            typing: Some(TypingConfig::new()),
            messages: Some(MessagesConfig::new()),
            memory: MemoryLimits::new(),
            sessions: Some(SessionsConfig::new()),
            session_store: None,
        }
    }

    /// The hub.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// Users and their connections.
    #[must_use]
    pub fn users(&self) -> &Users {
        &self.inner.users
    }

    /// Patterns, filters and declared channels.
    #[must_use]
    pub fn channels(&self) -> Option<&Channels> {
        self.inner.channels.as_ref()
    }

    /// The rooms.
    #[must_use]
    pub fn rooms(&self) -> Option<&Rooms> {
        self.inner.rooms.as_ref()
    }

    /// Who is there.
    #[must_use]
    pub fn presence(&self) -> Option<&Presence> {
        self.inner.presence.as_ref()
    }

    /// Who is typing.
    #[must_use]
    pub fn typing(&self) -> Option<&Typing> {
        self.inner.typing.as_ref()
    }

    /// The messages of rooms.
    #[must_use]
    pub fn messages(&self) -> Option<&Messages> {
        self.inner.messages.as_ref()
    }

    /// Sessions that connections leave behind.
    #[must_use]
    pub fn sessions(&self) -> Option<&Sessions> {
        self.inner.sessions.as_ref()
    }

    /// Connects a client, as [`Users::connect`] does: it receives the rooms of its user from now
    /// on, and its user is there until the [`ConnectionGuard`] is dropped.
    ///
    /// # Errors
    ///
    /// As [`Users::connect`].
    pub fn connect(
        &self,
        options: ConnectOptions,
        transport: &'static str,
    ) -> Result<(Client, Outbox, ConnectionGuard), UserError> {
        let connected = self.enter(options, transport)?;
        self.attach(&connected.0, &HashMap::new());
        Ok(connected)
    }

    /// [`Layers::connect`], for a client that receives no rooms before it is
    /// [attached](Layers::attach).
    ///
    /// # Errors
    ///
    /// As [`Users::connect`].
    pub fn enter(
        &self,
        options: ConnectOptions,
        transport: &'static str,
    ) -> Result<(Client, Outbox, ConnectionGuard), UserError> {
        let (client, outbox, connection) = self.inner.users.connect(options, transport)?;
        if let (Some(presence), Some(user)) = (self.presence(), connection.user()) {
            presence.connected(user, client.id(), presence::device_of(&client));
        }
        let attendance = ConnectionGuard {
            layers: self.clone(),
            connection: Some(connection),
            session: OnceLock::new(),
        };
        Ok((client, outbox, attendance))
    }

    /// Disconnects the connection that still has a session of this user's, if there is one, so that
    /// whoever goes on with that session finds a place. The session is not touched.
    pub fn give_way(&self, session: &str, user: Option<&UserId>) {
        let connected = |sessions: &Sessions| sessions.connected(session, user);
        if let Some(client) = self.sessions().and_then(connected) {
            self.inner.users.replace(client);
        }
    }

    /// Has a client receive the rooms of its user from now on, each from the position that it
    /// has, if one is given: see [`Rooms::attach_since`].
    pub fn attach(&self, client: &Client, positions: &HashMap<RoomId, StreamPosition>) {
        if let Some(rooms) = self.rooms() {
            rooms.attach_since(client, positions);
        }
    }

    /// Sends a message to a room: the one call that a message of a user takes. The room decides
    /// whether the actor may; the message is stored, if messages are, and published then; and the
    /// user does not type in the room any more. A message that is refused at once ends no typing.
    ///
    /// ```
    /// use throng::messages::OutgoingMessage;
    /// use throng::rooms::RoomOptions;
    /// use throng::{Actor, Hub, Layers, Message, RoomId, UserId};
    ///
    /// let layers = Layers::new(&Hub::new());
    /// let ada = Actor::User(UserId::parse("ada")?);
    /// let den = RoomId::parse("den")?;
    /// let rooms = layers.rooms().ok_or("no rooms")?;
    /// rooms.create(&ada, RoomOptions::new("The den").id(den.clone()))?;
    /// let sent = layers.send(&ada, &den, OutgoingMessage::new(Message::text("hello"))).wait()?;
    /// assert_eq!(sent.id, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MessageError::Room`] when the room does not let the actor send, and as
    /// [`Messages::send`]; [`MessageError::Disabled`] without rooms, and for an answer in a thread
    /// without messages.
    ///
    /// # Cancel safety
    ///
    /// Dropping the answer loses the answer only.
    pub fn send(
        &self,
        actor: &Actor,
        room: &RoomId,
        outgoing: OutgoingMessage,
    ) -> Pending<Result<Sent, MessageError>> {
        let disabled = |layer| Pending::ready(Err(MessageError::Disabled { layer }));
        let pending = match (self.messages(), self.rooms()) {
            (Some(messages), _) => messages.send(actor, room, outgoing),
            (None, None) => return disabled("rooms"),
            (None, Some(_)) if outgoing.is_answer() => return disabled("the keeping of messages"),
            (None, Some(rooms)) => {
                let (message, except) = outgoing.into_parts();
                let sent = rooms.send(actor, room, message, except);
                Pending::ready(sent.map_err(MessageError::Room))
            }
        };
        if let (Actor::User(user), Some(typing), false) =
            (actor, self.typing(), pending.is_refused())
        {
            typing.stop(user, room, None);
        }
        pending
    }

    /// When to call [`Layers::tick`] next, if nothing happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        [
            self.inner.users.next_deadline(),
            self.rooms().and_then(Rooms::next_deadline),
            self.presence().and_then(Presence::next_deadline),
            self.typing().and_then(Typing::next_deadline),
            self.messages().and_then(Messages::next_deadline),
            self.sessions().and_then(Sessions::next_deadline),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due at `now`.
    pub fn tick(&self, now: Instant) {
        self.inner.users.tick(now);
        if let Some(rooms) = self.rooms() {
            rooms.tick(now);
        }
        if let Some(presence) = self.presence() {
            presence.tick(now);
        }
        if let Some(typing) = self.typing() {
            typing.tick(now);
        }
        if let Some(messages) = self.messages() {
            messages.tick(now);
        }
        if let Some(sessions) = self.sessions() {
            sessions.tick(now);
        }
    }

    /// Waits until everything that was asked for is kept. For the end of a program: it parks the
    /// thread.
    pub fn flush(&self) {
        if let Some(messages) = self.messages() {
            messages.flush();
        }
    }

    fn wire(&self) {
        let Some(rooms) = self.rooms() else {
            return;
        };
        let weak = Arc::downgrade(&self.inner);
        rooms.observe(move |change| {
            if let Some(layers) = upgrade(&weak) {
                layers.room_changed(change);
            }
        });
        if let Some(presence) = self.presence() {
            let (of, noting) = (rooms.clone(), rooms.clone());
            presence.rooms(
                move |user| of.rooms_of(user),
                move |room, user, entry| noting.publish_presence(room, user, entry),
            );
        }
        if let Some(typing) = self.typing() {
            let rooms = rooms.clone();
            typing.permit(move |user, room| {
                let checked = rooms.check_send(user, room);
                checked.map_err(|error| TypingError::denied(error.code(), error.to_string()))
            });
        }
    }

    /// Called in the middle of the room.
    fn room_changed(&self, change: &RoomChange) {
        match change {
            RoomChange::Left(room, user) => {
                if let Some(typing) = self.typing() {
                    typing.leave(user, room);
                }
                if let Some(presence) = self.presence() {
                    presence.recheck(user);
                }
            }
            RoomChange::Deleted(room) => {
                if let Some(typing) = self.typing() {
                    typing.close(room);
                }
            }
            RoomChange::Created(_) | RoomChange::Joined(..) | RoomChange::Updated(_) => {}
        }
    }
}

fn upgrade(inner: &Weak<Inner>) -> Option<Layers> {
    inner.upgrade().map(|inner| Layers { inner })
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers").finish_non_exhaustive()
    }
}

/// Keeps a connection among those of its user, and its user there. When it is dropped, the client
/// is closed, if it is not yet, and nothing of it is left.
#[derive(Debug)]
#[must_use = "a connection that is dropped has left"]
pub struct ConnectionGuard {
    layers: Layers,
    connection: Option<Connection>,
    session: OnceLock<Option<Arc<Session>>>,
}

impl ConnectionGuard {
    /// The session that the connection leaves behind: opened when it is first asked for, by those
    /// who tell the client. `None` where there are no sessions, or no randomness for an id.
    #[must_use]
    pub fn session(&self) -> Option<Arc<Session>> {
        let open = || {
            let sessions = self.layers.sessions()?;
            let connection = self.connection.as_ref()?;
            let opened = sessions.open(connection.user(), connection.id());
            opened.ok().map(Arc::new)
        };
        self.session.get_or_init(open).clone()
    }

    /// The client has asked for something.
    pub fn touch(&self) {
        let Some(connection) = &self.connection else {
            return;
        };
        connection.touch();
        if let (Some(presence), Some(user)) = (self.layers.presence(), connection.user()) {
            // An error: it has gone meanwhile.
            let _known = presence.touch(user, Some(connection.id()));
        }
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let client = connection.id();
        // It is over, whoever still has the other end of it.
        connection.client().close(Disconnect::RECEIVER_DROPPED);
        if let Some(channels) = self.layers.channels() {
            channels.forget(client);
        }
        let left = connection.leave();
        let Some(user) = left.user else {
            return;
        };
        if let (Some(typing), true) = (self.layers.typing(), left.last) {
            typing.clear(&user);
        }
        if let Some(presence) = self.layers.presence() {
            presence.disconnected(&user, client);
        }
    }
}
