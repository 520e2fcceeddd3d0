//! The rate limits: shown, added, removed, and cleared at run time.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::client_of;
use crate::protocol::invalid;
use crate::protocol::missing;
use crate::session::KeyValues;
use crate::session::LimitDraft;
use crate::session::LimitStatusView;
use crate::session::LimitView;
use crate::session::Limiting;
use crate::session::WasReset;

use super::Answer;
use super::Argument;
use super::Call;
use super::Kind;
use super::Method;
use super::Operation;
use super::Who;
use super::answers;

const NAME: Argument = Argument::needed("name", Kind::Text, "The name of the limit.");

/// The keys of a subject.
const SUBJECT: [Argument; 8] = [
    NAME,
    Argument::optional("user_id", Kind::Text, "The user, for a limit by user."),
    Argument::optional(
        "client_id",
        Kind::Text,
        "The connection, for a limit by connection, or by user for an anonymous one.",
    ),
    Argument::optional(
        "address",
        Kind::Text,
        "The IP address, for a limit by address.",
    ),
    Argument::optional("room_id", Kind::Text, "The room, for a limit by room."),
    Argument::optional(
        "channel_id",
        Kind::Text,
        "The channel, for a limit by channel.",
    ),
    Argument::optional(
        "action",
        Kind::Text,
        "The operation, for a limit by action, such as `room.join`.",
    ),
    Argument::optional(
        "key_id",
        Kind::Text,
        "The id of the API key, for a limit by API key.",
    ),
];

pub(super) const TABLE: &[Operation] = &[
    Operation {
        name: "limit.list",
        method: Method::Get,
        path: "/limits",
        summary: "The rate limits, and what they have refused.",
        who: Who::Server,
        arguments: &[],
        run: &|call: &Call<'_>| {
            let limits = limits(call)?.list();
            Ok(Answer::of(Limits { limits }))
        },
    },
    Operation {
        name: "limit.add",
        method: Method::Put,
        path: "/limits/{name}",
        summary: "Adds a rate limit, which holds from now on, in place of that of the same name.",
        who: Who::Server,
        arguments: &[
            NAME,
            Argument::optional(
                "per",
                Kind::List,
                "The keys by which it counts, some of `user`, `connection`, `address`, `room`, `channel`, \
                 `action` and `api-key`; default none: all callers together.",
            ),
            Argument::needed(
                "actions",
                Kind::List,
                "What it counts: `publish`, `send`, `subscribe`, `unsubscribe`, `join`, `change`, `read`, \
                 `ping`, `all`, or operations such as `room.join`.",
            ),
            Argument::needed(
                "requests",
                Kind::Number,
                "How many requests pass in each period.",
            ),
            Argument::needed("period_ms", Kind::Number, "The period: 1 ms to 366 days."),
            Argument::optional(
                "burst",
                Kind::Number,
                "How many requests pass at once, for a token bucket; default `requests`.",
            ),
            Argument::optional(
                "algorithm",
                Kind::Text,
                "`token_bucket`, which is the default, or `sliding_window`.",
            ),
            Argument::optional(
                "max_keys",
                Kind::Number,
                "How many keys there is room for, 17 bytes each: 1 to 67,108,864; default 131,072.",
            ),
            Argument::optional(
                "server",
                Kind::Flag,
                "Whether requests of the server's side count; default not.",
            ),
        ],
        run: &add,
    },
    Operation {
        name: "limit.remove",
        method: Method::Delete,
        path: "/limits/{name}",
        summary: "Removes a rate limit and what it has counted.",
        who: Who::Server,
        arguments: &[NAME],
        run: &|call: &Call<'_>| {
            limits(call)?.remove(&name(call)?)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "limit.status",
        method: Method::Get,
        path: "/limits/{name}/status",
        summary: "What is left of a rate limit to a user, a connection, an address: asking counts nothing.",
        who: Who::Server,
        arguments: &SUBJECT,
        run: &|call: &Call<'_>| {
            let status = limits(call)?.status(&name(call)?, &values(call)?)?;
            Ok::<_, Fault>(Answer::<LimitStatusView>::of(status))
        },
    },
    Operation {
        name: "limit.reset",
        method: Method::Post,
        path: "/limits/{name}/reset",
        summary: "Clears what a rate limit has counted of a user, a connection, an address.",
        who: Who::Server,
        arguments: &SUBJECT,
        run: &|call: &Call<'_>| {
            let reset = limits(call)?.reset(&name(call)?, &values(call)?)?;
            Ok::<_, Fault>(Answer::<WasReset>::of(reset))
        },
    },
];

answers! {
    /// The rate limits.
    struct Limits {
        /// In the order in which they are asked.
        limits: Vec<LimitView>,
    }
}

fn limits<'a>(call: &Call<'a>) -> Result<&'a dyn Limiting, Fault> {
    let limits = call.entrance.limits().map(|limits| &**limits);
    limits.ok_or_else(|| {
        let why = "this gateway has no rate limits";
        Fault::new(ErrorCode::FeatureDisabled, why)
    })
}

fn name(call: &Call<'_>) -> Result<String, Fault> {
    call.text(NAME.name, MAX_TEXT)
}

fn add(call: &Call<'_>) -> Result<Answer<LimitView>, Fault> {
    let arguments = call.arguments;
    let needed = |name| {
        let number = arguments.number(name, 1, u64::MAX);
        number.and_then(|number| number.ok_or_else(|| missing(name)))
    };
    let actions = arguments.texts("actions", MAX_NAMES, MAX_TEXT)?;
    let draft = LimitDraft {
        name: name(call)?,
        per: arguments
            .texts("per", MAX_NAMES, MAX_TEXT)?
            .unwrap_or_default(),
        actions: actions.ok_or_else(|| missing("actions"))?,
        requests: needed("requests")?,
        period_ms: needed("period_ms")?,
        burst: arguments.number("burst", 1, u64::MAX)?,
        algorithm: arguments.text("algorithm", MAX_TEXT)?,
        max_keys: arguments.number("max_keys", 1, u64::MAX)?,
        server: arguments.flag("server")?.unwrap_or(false),
    };
    Ok(Answer::of(limits(call)?.add(&draft)?))
}

fn values(call: &Call<'_>) -> Result<KeyValues, Fault> {
    let text = |name| call.arguments.text(name, MAX_VALUE);
    let address = text("address")?.map(|address| address.parse());
    let address = address.transpose();
    Ok(KeyValues {
        action: text("action")?,
        address: address.map_err(|_| invalid("address", "an IP address"))?,
        api_key: text("key_id")?,
        channel: text("channel_id")?,
        client: client_of("client_id", text("client_id")?)?,
        room: text("room_id")?,
        user: text("user_id")?,
    })
}

/// The most bytes of a name.
const MAX_TEXT: usize = 128;

/// The most bytes of the value of a key.
const MAX_VALUE: usize = 1024;

/// The most keys and actions of a limit.
const MAX_NAMES: usize = 64;
