//! What can be asked about users and connections.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::code::ErrorCode;
use crate::hub::SendError;
use crate::id::ClientId;
use crate::layers::Actor;
use crate::layers::UserId;
use crate::layers::users::ClientInfo;
use crate::layers::users::Page;
use crate::layers::users::Sent;
use crate::layers::users::UserEntry;
use crate::layers::users::UserError;
use crate::message::Message;
use crate::protocol::Fault;
use crate::protocol::Payload;
use crate::protocol::invalid;
use crate::protocol::missing;

use super::Answer;
use super::Argument;
use super::Call;
use super::Kind;
use super::Method;
use super::Operation;
use super::Who;
use super::answers;
use super::call::EVENT;
use super::page::AFTER;
use super::page::LIMIT;
use super::verbs::BASE64;
use super::verbs::DATA;
use super::verbs::TEXT;

pub(super) const TABLE: &[Operation] = &[
    Operation {
        name: "client.list",
        method: Method::Get,
        path: "/clients",
        summary: "The connections of a user, or for the server all, in the order in which they came.",
        who: Who::Anyone,
        arguments: &[WHOSE, LIMIT, AFTER],
        run: &clients,
    },
    Operation {
        name: "client.count",
        method: Method::Get,
        path: "/clients/count",
        summary: "Counts the connections, the anonymous ones among them, and the users.",
        who: Who::Server,
        arguments: &[],
        run: &count,
    },
    Operation {
        name: "client.idle",
        method: Method::Get,
        path: "/clients/idle",
        summary: "The connections that have asked for nothing for so long, longest first.",
        who: Who::Server,
        arguments: &[LONGER_THAN, LIMIT, AFTER],
        run: &idle,
    },
    Operation {
        name: "client.cleanup_idle",
        method: Method::Delete,
        path: "/clients/idle",
        summary: "Closes connections that have asked for nothing for so long, the longest idle first.",
        who: Who::Server,
        arguments: &[LONGER_THAN, MOST],
        run: &cleanup_idle,
    },
    Operation {
        name: "client.me",
        method: Method::Get,
        path: "/clients/me",
        summary: "What is known about the connection that asks.",
        who: Who::Connection,
        arguments: &[],
        run: &me,
    },
    Operation {
        name: "client.get",
        method: Method::Get,
        path: "/clients/{client_id}",
        summary: "What is known about a connection, one's own for a user.",
        who: Who::Anyone,
        arguments: &[CLIENT],
        run: &|call: &Call<'_>| Ok(Answer::of(own_client(call)?)),
    },
    Operation {
        name: "client.kick",
        method: Method::Delete,
        path: "/clients/{client_id}",
        summary: "Closes a connection for good, one's own for a user.",
        who: Who::Anyone,
        arguments: &[CLIENT, REASON],
        run: &kick,
    },
    Operation {
        name: "client.send",
        method: Method::Post,
        path: "/clients/{client_id}/send",
        summary: "Sends a message to one connection: one of `data`, `text` and `base64`.",
        who: Who::Server,
        arguments: &[CLIENT, DATA, TEXT, BASE64, EVENT, METADATA],
        run: &send_to_client,
    },
    Operation {
        name: "user.list",
        method: Method::Get,
        path: "/users",
        summary: "The users that have connections, in the order of their ids.",
        who: Who::Server,
        arguments: &[LIMIT, AFTER],
        run: &list,
    },
    Operation {
        name: "user.get",
        method: Method::Get,
        path: "/users/{user_id}",
        summary: "The connections of a user, oldest first, and how many channels and rooms it is in.",
        who: Who::Anyone,
        arguments: &[USER],
        run: &get,
    },
    Operation {
        name: "user.kick",
        method: Method::Delete,
        path: "/users/{user_id}/clients",
        summary: "Closes all connections of a user for good.",
        who: Who::Server,
        arguments: &[USER, REASON],
        run: &kick_user,
    },
    Operation {
        name: "user.send",
        method: Method::Post,
        path: "/users/{user_id}/messages",
        summary: "Sends a message to all connections of a user: one of `data`, `text` and `base64`.",
        who: Who::Server,
        arguments: &[USER, DATA, TEXT, BASE64, EVENT, METADATA],
        run: &send,
    },
    Operation {
        name: "user.send_many",
        method: Method::Post,
        path: "/users/messages",
        summary: "Sends a message to all connections of several users.",
        who: Who::Server,
        arguments: &[USERS, DATA, TEXT, BASE64, EVENT, METADATA],
        run: &send_many,
    },
    Operation {
        name: "user.broadcast_except",
        method: Method::Post,
        path: "/users/broadcast",
        summary: "Sends a message to all connections but those of some users.",
        who: Who::Server,
        arguments: &[EXCEPT, DATA, TEXT, BASE64, EVENT, METADATA],
        run: &broadcast_except,
    },
];

fn clients(call: &Call<'_>) -> Result<Answer<Clients>, Fault> {
    let (limit, after) = call.page()?;
    let named = call.optional_user("user_id")?;
    let whose = match call.actor()? {
        Actor::Server => named,
        Actor::User(user) if named.as_ref().is_none_or(|named| *named == user) => Some(user),
        Actor::User(_) => Some(call.own_user("user_id")?),
    };
    let users = call.layers()?.users();
    let page = match whose {
        Some(user) => users.list_clients_of(&user, after.as_deref(), limit),
        None => users.list_clients(after.as_deref(), limit),
    };
    listed(page)
}

fn count(call: &Call<'_>) -> Result<Answer<ClientCounts>, Fault> {
    let users = call.layers()?.users();
    Ok(Answer::of(ClientCounts {
        clients: users.client_count(),
        anonymous: users.anonymous_count(),
        users: users.user_count(),
    }))
}

fn idle(call: &Call<'_>) -> Result<Answer<Clients>, Fault> {
    let (limit, after) = call.page()?;
    let longer_than = call.arguments.millis("longer_than_ms")?;
    let longer_than = longer_than.ok_or_else(|| missing("longer_than_ms"))?;
    listed(
        call.layers()?
            .users()
            .idle(longer_than, after.as_deref(), limit),
    )
}

fn cleanup_idle(call: &Call<'_>) -> Result<Answer<ClosedClients>, Fault> {
    let longer_than = call.arguments.millis("longer_than_ms")?;
    let longer_than = longer_than.ok_or_else(|| missing("longer_than_ms"))?;
    let most = call.arguments.number("limit", 1, MOST_CLOSED)?;
    let most = usize::try_from(most.unwrap_or(MOST_CLOSED)).unwrap_or(usize::MAX);
    let closed = call.layers()?.users().close_idle(longer_than, most);
    Ok(Answer::of(ClosedClients { closed }))
}

fn me(call: &Call<'_>) -> Result<Answer<ClientInfo>, Fault> {
    let info = call.layers()?.users().client_info(call.client()?.id());
    let info = info.ok_or(UserError::UnknownClient).map_err(fault)?;
    Ok(Answer::of(info))
}

fn kick(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let id = own_client(call)?.client_id;
    let kicked = call.layers()?.users().kick(id, &reason(call)?);
    kicked.map(|()| Answer::done()).map_err(fault)
}

fn send_to_client(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let (id, message) = (client_id(call)?, message(call)?);
    let sent = call.layers()?.hub().send_to(id, message);
    sent.map(|()| Answer::done()).map_err(|error| match error {
        SendError::Full(_) => {
            let why = "the connection does not keep up, and its outbox is full";
            Fault::new(ErrorCode::Backlogged, why)
        }
        _ => fault(UserError::UnknownClient),
    })
}

fn list(call: &Call<'_>) -> Result<Answer<UserList>, Fault> {
    let (limit, after) = call.page()?;
    let page = call.layers()?.users().list(after.as_deref(), limit);
    let Page { items, next, .. } = page.map_err(fault)?;
    Ok(Answer::of(UserList { users: items, next }))
}

fn get(call: &Call<'_>) -> Result<Answer<UserView>, Fault> {
    let user = call.own_user("user_id")?;
    let users = call.layers()?.users();
    let clients = users.client_infos_of(&user);
    if clients.is_empty() {
        return Err(fault(UserError::UnknownUser));
    }
    let channels = users.channels_of(&user);
    Ok(Answer::of(UserView {
        rooms: call
            .layers()?
            .rooms()
            .map_or(0, |rooms| rooms.rooms_of(&user).len()),
        user_id: user,
        clients,
        channels,
    }))
}

fn kick_user(call: &Call<'_>) -> Result<Answer<ClosedClients>, Fault> {
    let kicked = call
        .layers()?
        .users()
        .kick_user(&call.user_named("user_id")?, &reason(call)?);
    Ok(Answer::of(ClosedClients {
        closed: kicked.map_err(fault)?,
    }))
}

fn send(call: &Call<'_>) -> Result<Answer<Sent>, Fault> {
    let user = call.user_named("user_id")?;
    Ok(Answer::of(
        call.layers()?.users().send_to_user(&user, &message(call)?),
    ))
}

fn send_many(call: &Call<'_>) -> Result<Answer<Sent>, Fault> {
    let named = call.users("user_ids", MOST_USERS)?;
    Ok(Answer::of(
        call.layers()?
            .users()
            .send_to_users(&named, &message(call)?),
    ))
}

fn broadcast_except(call: &Call<'_>) -> Result<Answer<Sent>, Fault> {
    let named = call.users("except", MOST_USERS)?;
    Ok(Answer::of(
        call.layers()?
            .users()
            .broadcast_except(&named, &message(call)?),
    ))
}

/// A page of connections as it is in JSON.
fn listed(page: Result<Page<ClientInfo>, UserError>) -> Result<Answer<Clients>, Fault> {
    let Page { items, next, .. } = page.map_err(fault)?;
    Ok(Answer::of(Clients {
        clients: items,
        next,
    }))
}

/// The connection that is named. To a user, one that is not its own is one that is not there.
fn own_client(call: &Call<'_>) -> Result<ClientInfo, Fault> {
    let actor = call.actor()?;
    let info = call.layers()?.users().client_info(client_id(call)?);
    let is_own = |info: &ClientInfo| match &actor {
        Actor::Server => true,
        Actor::User(user) => info.user.as_ref() == Some(user),
    };
    let info = info.filter(is_own);
    info.ok_or_else(|| fault(UserError::UnknownClient))
}

fn client_id(call: &Call<'_>) -> Result<ClientId, Fault> {
    let id = call.text("client_id", MAX_ID)?;
    id.parse()
        .map_err(|_| invalid("client_id", "the id of a client, a string of digits"))
}

fn message(call: &Call<'_>) -> Result<Message, Fault> {
    let message = call.stamped(Payload::of(call.arguments)?.into_message(None))?;
    let limit = call.layers()?.hub().limits().max_payload;
    if message.payload().len() > limit {
        let why = format!("a message has at most {limit} bytes");
        return Err(Fault::new(ErrorCode::TooLarge, why).field("data"));
    }
    Ok(message)
}

fn reason(call: &Call<'_>) -> Result<String, Fault> {
    let reason = call.arguments.text("reason", usize::MAX)?;
    Ok(reason.unwrap_or_default())
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn fault(error: UserError) -> Fault {
    super::fault(error.code(), error.field(), &error)
}

/// Users that may be named at once.
const MOST_USERS: usize = 1000;

/// Connections that are closed at once.
const MOST_CLOSED: u64 = 1000;

/// Digits of an id, and some.
const MAX_ID: usize = 32;

const CLIENT: Argument = Argument::needed("client_id", Kind::Text, "The client.");
const WHOSE: Argument = Argument::optional(
    "user_id",
    Kind::Text,
    "Of whom; a user may name itself alone.",
);
const USER: Argument = Argument::needed("user_id", Kind::Text, "The user.");
const USERS: Argument = Argument::needed("user_ids", Kind::List, "The users, 1,000 at most.");
const EXCEPT: Argument = Argument::needed(
    "except",
    Kind::List,
    "The users who do not get it, 1,000 at most.",
);
const REASON: Argument = Argument::optional(
    "reason",
    Kind::Text,
    "Why; the client is told. At most 123 bytes.",
);
const LONGER_THAN: Argument = Argument::needed(
    "longer_than_ms",
    Kind::Number,
    "For how many milliseconds they have asked for nothing.",
);
const MOST: Argument = Argument::optional(
    "limit",
    Kind::Number,
    "How many to close at most: 1 to 1,000, default 1,000.",
);
const METADATA: Argument = Argument::optional(
    "metadata",
    Kind::Object,
    "What is said about it; passed on as it is. At most 4 KiB.",
);

answers! {
    /// A page of connections.
    struct Clients {
        /// The connections.
        clients: Vec<ClientInfo>,
        /// The `after` of the next page; the last page has none.
        next: Option<String>,
    }

    /// The number of connections and users.
    struct ClientCounts {
        /// Connections.
        clients: usize,
        /// Connections without a user.
        anonymous: usize,
        /// Users that have a connection.
        users: usize,
    }

    /// The number of connections that were closed.
    struct ClosedClients {
        /// How many.
        closed: usize,
    }

    /// A page of users.
    struct UserList {
        /// The users.
        users: Vec<UserEntry>,
        /// The `after` of the next page; the last page has none.
        next: Option<String>,
    }

    /// A user that has connections.
    struct UserView {
        /// The id of the user.
        user_id: UserId,
        /// Its connections, the oldest first.
        clients: Vec<ClientInfo>,
        /// How many channels it is in, over all connections.
        channels: usize,
        /// How many rooms it is a member of.
        rooms: usize,
    }
}
