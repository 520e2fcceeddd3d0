//! The one place where an error of the hub becomes an error on the wire.

use std::error::Error;

use crate::disconnect::Disconnect;
use crate::hub::ChannelError;
use crate::hub::ConnectError;
use crate::hub::PublishError;
use crate::hub::SubscribeError;
#[cfg(feature = "sse")]
use crate::id::ChannelName;
use crate::layers::channels::ChannelsError;
#[cfg(feature = "sse")]
use crate::layers::is_reserved;
use crate::layers::users::ConnectionLimit;
use crate::layers::users::UserError;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;

/// What is said of an operation where there are no layers.
pub(crate) fn no_layers() -> Fault {
    let why = "this server has users, rooms and presence turned off";
    Fault::new(ErrorCode::FeatureDisabled, why)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn channels_fault(error: ChannelsError) -> Fault {
    of_layer(error.code(), error.field(), &error)
}

pub(crate) fn user_fault(error: &UserError) -> Fault {
    let field = match error {
        UserError::TooManyChannels { .. } => Some("channel_id"),
        error => error.field(),
    };
    of_layer(error.code(), field, error)
}

fn of_layer(code: ErrorCode, field: Option<&'static str>, error: &impl Error) -> Fault {
    let fault = Fault::new(code, error.to_string());
    match field {
        Some(field) => fault.field(field),
        None => fault,
    }
}

/// The channel that a client names, if clients may name it.
#[cfg(feature = "sse")]
pub(crate) fn channel_named(name: &str, max: usize) -> Result<ChannelName, Fault> {
    if is_reserved(name) {
        return Err(reserved());
    }
    ChannelName::parse(name, max).map_err(|error| {
        let why = format!("not the name of a channel: {error}");
        Fault::new(ErrorCode::InvalidChannel, why).field("channel_id")
    })
}

/// What is said of a channel that is a layer's own.
pub(crate) fn reserved() -> Fault {
    let why = "channels whose names begin with `$` are the server's own";
    Fault::new(ErrorCode::InvalidChannel, why).field("channel_id")
}

/// What is said of a client that is not there.
pub(crate) fn unknown_client() -> Fault {
    Fault::new(ErrorCode::UnknownClient, "no client has this id").field("client_id")
}

pub(crate) fn not_subscribed() -> Fault {
    let why = "this client is not subscribed to the channel";
    Fault::new(ErrorCode::NotSubscribed, why).field("channel_id")
}

pub(crate) fn publish_fault(error: &PublishError) -> Fault {
    let (code, field) = match error {
        PublishError::Backlogged(_) => (ErrorCode::Backlogged, "channel_id"),
        PublishError::Closed(_) => return Fault::new(ErrorCode::Closed, error.to_string()),
        PublishError::Name(..) => (ErrorCode::InvalidChannel, "channel_id"),
        PublishError::TooLarge { .. } => (ErrorCode::TooLarge, "data"),
        PublishError::TooManyChannels { .. } => (ErrorCode::TooManyChannels, "channel_id"),
    };
    Fault::new(code, error.to_string()).field(field)
}

pub(crate) fn subscribe_fault(error: &SubscribeError) -> Fault {
    let code = match error {
        SubscribeError::AlreadySubscribed => ErrorCode::AlreadySubscribed,
        SubscribeError::Backlogged => ErrorCode::Backlogged,
        SubscribeError::Channel(error) => channel_code(error),
        SubscribeError::Closed(_) => return Fault::new(ErrorCode::Closed, error.to_string()),
        SubscribeError::Member { .. } => ErrorCode::TooLarge,
        SubscribeError::TooManyMembers { .. } => ErrorCode::TooManyMembers,
        SubscribeError::TooManySubscriptions { .. } => ErrorCode::TooManySubscriptions,
        SubscribeError::Unauthorized { .. } => ErrorCode::Unauthorized,
        SubscribeError::Unsubscribed => ErrorCode::NotSubscribed,
    };
    Fault::new(code, error.to_string()).field("channel_id")
}

pub(crate) fn channel_code(error: &ChannelError) -> ErrorCode {
    match error {
        ChannelError::Closed => ErrorCode::Closed,
        ChannelError::Name(_) => ErrorCode::InvalidChannel,
        ChannelError::TooManyChannels { .. } => ErrorCode::TooManyChannels,
    }
}

/// What a client is told that the hub does not let in.
pub(crate) fn refusal(error: &UserError) -> &'static Disconnect {
    const BAD_REQUEST: &Disconnect = &Disconnect::BAD_REQUEST;
    const GOING_AWAY: &Disconnect = &Disconnect::GOING_AWAY;
    const BUSY: &Disconnect = &Disconnect::BUSY;
    const TOO_MANY: &Disconnect = &Disconnect::TOO_MANY_CONNECTIONS;
    match error {
        // The user's own limit: another connection would be refused as well.
        UserError::TooManyConnections {
            scope: ConnectionLimit::PerUser,
            ..
        } => TOO_MANY,
        UserError::Connect(ConnectError::TooManyClients { .. })
        | UserError::TooManyConnections { .. } => BUSY,
        UserError::InvalidUser(_) => BAD_REQUEST,
        _ => GOING_AWAY,
    }
}
