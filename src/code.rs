//! The stable codes of errors on the wire.

use std::fmt;

use serde::Serialize;
use serde::Serializer;

/// Writes the enum and what each code is called, from one table.
macro_rules! error_codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $status:literal;)+) => {
        /// The stable codes of errors on the wire. New ones may be added; none changes its
        /// meaning.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $name,)+
        }

        impl ErrorCode {
            /// All codes, by name.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The code as it is on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// The status of a response over HTTP that has this code.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)+
                }
            }
        }
    };
}

error_codes! {
    /// The user is a member of this room already.
    AlreadyMember = "already_member", 409;
    /// The client is subscribed to this channel already.
    AlreadySubscribed = "already_subscribed", 400;
    /// The connection did not authenticate in time.
    AuthTimeout = "auth_timeout", 401;
    /// The credentials could not be checked now; try again later.
    AuthUnavailable = "auth_unavailable", 503;
    /// Too many publications wait in this channel; try again later.
    Backlogged = "backlogged", 503;
    /// The user is banned from this room.
    Banned = "banned", 403;
    /// A channel of this name is declared already.
    ChannelExists = "channel_exists", 409;
    /// The user is in as many channels as it may be.
    ChannelLimitReached = "channel_limit_reached", 409;
    /// The hub or the client is closing.
    Closed = "closed", 503;
    /// There are as many connections as there may be, of this user or in all.
    ConnectionLimitReached = "connection_limit_reached", 503;
    /// The server goes away; come back later, or to another.
    Draining = "draining", 503;
    /// The message was sent too long ago to be edited.
    EditWindowOver = "edit_window_over", 403;
    /// This server has been told to do without this.
    FeatureDisabled = "feature_disabled", 404;
    /// This server does not let clients publish.
    Forbidden = "forbidden", 403;
    /// Pages of this origin may not connect.
    ForbiddenOrigin = "forbidden_origin", 403;
    /// A hook of the server failed; the request was not carried out.
    HookFailed = "hook_failed", 500;
    /// A hook of the server took too long; the request was not carried out.
    HookTimeout = "hook_timeout", 503;
    /// The request names a host that this server does not serve.
    HostNotAllowed = "host_not_allowed", 421;
    /// The body of the request broke off.
    IncompleteBody = "incomplete_body", 400;
    /// The role of the user in this room is too low for that, or not above that of the other.
    InsufficientRole = "insufficient_role", 403;
    /// The API key or the token does not allow this request.
    InsufficientScope = "insufficient_scope", 403;
    /// The channel's name is empty, too long, or has characters that are not allowed.
    InvalidChannel = "invalid_channel", 400;
    /// A field has the wrong type or an impossible value.
    InvalidField = "invalid_field", 400;
    /// The filter cannot be understood, or is too large.
    InvalidFilter = "invalid_filter", 400;
    /// The headers that proxies set cannot be read, or contradict each other.
    InvalidForwarded = "invalid_forwarded", 400;
    /// The request names no host, several, or one that cannot be read.
    InvalidHost = "invalid_host", 400;
    /// The frame is not one JSON object.
    InvalidJson = "invalid_json", 400;
    /// The path cannot be decoded.
    InvalidPath = "invalid_path", 400;
    /// The pattern cannot be understood, or is too long.
    InvalidPattern = "invalid_pattern", 400;
    /// No permission has this name.
    InvalidPermission = "invalid_permission", 400;
    /// No role has this name, or it cannot be given so.
    InvalidRole = "invalid_role", 400;
    /// This cannot be done with this room: a direct one, most often.
    InvalidRoom = "invalid_room", 400;
    /// No presence status has this name.
    InvalidStatus = "invalid_status", 400;
    /// The body is not UTF-8.
    InvalidUtf8 = "invalid_utf8", 400;
    /// The invite has been used as often as it may be.
    InviteExhausted = "invite_exhausted", 410;
    /// The invite is too old.
    InviteExpired = "invite_expired", 410;
    /// A content filter refused the message.
    MessageBlocked = "message_blocked", 422;
    /// The message was deleted.
    MessageDeleted = "message_deleted", 410;
    /// The path does not have this method.
    MethodNotAllowed = "method_not_allowed", 405;
    /// The server cannot take this connection; the operator knows more.
    Misconfigured = "misconfigured", 503;
    /// A field that this command needs is missing.
    MissingField = "missing_field", 400;
    /// The user is muted in this room.
    Muted = "muted", 403;
    /// The path gives a stream of events, which the request does not accept.
    NotAcceptable = "not_acceptable", 406;
    /// The user is not banned from this room.
    NotBanned = "not_banned", 404;
    /// Nothing has this path.
    NotFound = "not_found", 404;
    /// The user is not a member of this room.
    NotMember = "not_member", 403;
    /// The user is not muted in this room.
    NotMuted = "not_muted", 404;
    /// The channel has no members to list: its name does not start with `presence-`.
    NotPresence = "not_presence", 400;
    /// The client is not subscribed to this channel.
    NotSubscribed = "not_subscribed", 400;
    /// The request is not the handshake of a WebSocket.
    NotWebSocket = "not_websocket", 400;
    /// The server is too busy; try again later.
    Overloaded = "overloaded", 503;
    /// The owner of a room leaves it only after another has become its owner.
    OwnerCannotLeave = "owner_cannot_leave", 409;
    /// The user lacks a permission in this room.
    PermissionDenied = "permission_denied", 403;
    /// A policy of the server failed; the request was not carried out.
    PolicyFailed = "policy_failed", 500;
    /// The user may not see the presence of the other.
    PresenceDenied = "presence_denied", 403;
    /// Too many commands; try again later.
    RateLimited = "rate_limited", 429;
    /// The room is private, and the user was not invited.
    RoomAccessDenied = "room_access_denied", 403;
    /// The room is archived: it can be read, and nothing else.
    RoomArchived = "room_archived", 409;
    /// A room with this id exists already.
    RoomExists = "room_exists", 409;
    /// The room has as many members as it may have.
    RoomFull = "room_full", 409;
    /// The user is in as many rooms as it may be.
    RoomLimitReached = "room_limit_reached", 409;
    /// The room lets nobody in who is not a member.
    RoomLocked = "room_locked", 409;
    /// A method of the application refused the call.
    RpcFailed = "rpc_failed", 422;
    /// The search took longer than it may; ask for rarer words, or fewer rooms.
    SearchTimedOut = "search_timed_out", 503;
    /// The user may not send to this room.
    SendDenied = "send_denied", 403;
    /// The session is another user's.
    SessionNotOwned = "session_not_owned", 403;
    /// The room is in slow mode, and the user has sent a moment ago.
    SlowMode = "slow_mode", 429;
    /// What is kept could not be read or written; the operator knows more.
    StoreFailed = "store_failed", 503;
    /// The token has expired; get a new one.
    TokenExpired = "token_expired", 401;
    /// The credentials are not valid here.
    TokenInvalid = "token_invalid", 401;
    /// The token was revoked.
    TokenRevoked = "token_revoked", 401;
    /// Objects and arrays are nested too deeply.
    TooDeep = "too_deep", 400;
    /// A field or a payload is larger than its limit.
    TooLarge = "too_large", 413;
    /// The hub has as many channels as it may have.
    TooManyChannels = "too_many_channels", 503;
    /// The hub has as many clients as it may have.
    TooManyClients = "too_many_clients", 503;
    /// The message was edited as often as it may be.
    TooManyEdits = "too_many_edits", 409;
    /// The room has as many invites as it may have.
    TooManyInvites = "too_many_invites", 409;
    /// The channel has as many members as it may have.
    TooManyMembers = "too_many_members", 400;
    /// The client has as many patterns as it may have.
    TooManyPatterns = "too_many_patterns", 409;
    /// The room has as many pinned messages as it may have.
    TooManyPins = "too_many_pins", 409;
    /// The message has as many different reactions as it may have.
    TooManyReactions = "too_many_reactions", 409;
    /// The table of revoked tokens is full.
    TooManyRevocations = "too_many_revocations", 503;
    /// There are as many rooms as there may be.
    TooManyRooms = "too_many_rooms", 503;
    /// The client has as many subscriptions as it may have.
    TooManySubscriptions = "too_many_subscriptions", 400;
    /// As many users type in this room as are shown.
    TooManyTyping = "too_many_typing", 409;
    /// The user watches as many others as it may.
    TooManyWatches = "too_many_watches", 409;
    /// Only a user can do that, and the connection is nobody's.
    Unauthenticated = "unauthenticated", 401;
    /// The channel may not be joined with what this client has shown.
    Unauthorized = "unauthorized", 403;
    /// No channel has this name.
    UnknownChannel = "unknown_channel", 404;
    /// No client has this id.
    UnknownClient = "unknown_client", 404;
    /// No content filter has this name.
    UnknownFilter = "unknown_filter", 404;
    /// No invite has this code.
    UnknownInvite = "unknown_invite", 404;
    /// No rate limit has this name.
    UnknownLimit = "unknown_limit", 404;
    /// The room has no message with this id.
    UnknownMessage = "unknown_message", 404;
    /// The application has no method of this name.
    UnknownMethod = "unknown_method", 404;
    /// Nothing is known about this user.
    UnknownPresence = "unknown_presence", 404;
    /// No room has this id.
    UnknownRoom = "unknown_room", 404;
    /// No schema has this name.
    UnknownSchema = "unknown_schema", 404;
    /// There is no such session: it was resumed already, is too old, or never was.
    UnknownSession = "unknown_session", 404;
    /// No stream of this user has this token.
    UnknownStream = "unknown_stream", 404;
    /// There is no such thread, or what began it was deleted.
    UnknownThread = "unknown_thread", 404;
    /// No command has this type.
    UnknownType = "unknown_type", 400;
    /// This user has no connection.
    UnknownUser = "unknown_user", 404;
    /// The body has a content encoding that is not accepted here.
    UnsupportedEncoding = "unsupported_encoding", 415;
    /// Commands are JSON in text frames; this was a binary frame.
    UnsupportedFrame = "unsupported_frame", 400;
    /// The body has a media type that is not taken here.
    UnsupportedMediaType = "unsupported_media_type", 415;
    /// The version of WebSocket is not 13.
    UnsupportedVersion = "unsupported_version", 426;
    /// The request came through a proxy that this server was not told to trust.
    UntrustedProxy = "untrusted_proxy", 403;
    /// The message does not match its schema.
    ValidationFailed = "validation_failed", 422;
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
