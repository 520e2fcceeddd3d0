//! What the layers can be asked, in one table: each row is a command of the native protocol, a
//! route of the REST API, and an entry of the OpenAPI document.
//!
//! ```text
//!   {"type":"room.ban", …}  ──▶ ┌───────────┐            ┌────────┐
//!                               │ Operation │ ──▶ run ──▶ │ Layers │
//!   POST /rooms/{room_id}/bans ▶└───────────┘            └────────┘
//! ```
//!
//! An area's file has its rows as a `const TABLE: &[Operation]` and a function for each, which
//! reads its arguments off the [`Call`], asks the layer, and answers with JSON. Nothing in here
//! waits for anybody; a layer may lock for microseconds and read the clock, and what somebody else
//! has to be waited for comes as an answer that is there later.
//!
//! # How to write one
//!
//! Arguments are flat; over REST those named in the path come from there, the others from the body,
//! or from the query of a `GET`. Get `actor` from [`Call::actor`] (the connection's user; over REST
//! the server, or whom `?actor=` names), never from an argument. Times are RFC 3339, durations end
//! in `_ms`, ids are strings. A page is asked for with `limit` and `after` ([`Call::page`]) and
//! answers `next`. Errors become faults by `fault(&error)`.

mod answer;
pub(crate) mod auth;
pub(crate) mod batch;
mod call;
mod channels;
mod clients;
mod content;
#[cfg(feature = "openapi")]
mod documents;
mod history;
mod limits;
mod messages;
mod page;
mod presence;
mod rooms;
mod rpc;
pub(crate) mod session;
mod typing;
mod users;
pub(super) mod verbs;
mod view;

use std::fmt::Display;
use std::sync::LazyLock;

use ahash::HashMap;

use crate::code::ErrorCode;
use crate::layers::rooms::RoomError;
use crate::protocol::Fault;

pub(crate) use self::answer::Answer;
pub(crate) use self::answer::Run;
pub(crate) use self::answer::Started;
use self::answer::answers;
pub(crate) use self::answer::reply;
pub(crate) use self::call::Call;
pub(crate) use self::channels::pattern_of;
#[cfg(feature = "openapi")]
pub(crate) use self::documents::asyncapi;
#[cfg(feature = "openapi")]
pub(crate) use self::documents::openapi;

/// One thing that can be asked for.
#[cfg_attr(
    not(any(feature = "openapi", test)),
    expect(dead_code, reason = "only the documents and the server read them")
)]
pub(crate) struct Operation {
    /// The command of the native protocol, `area.verb`.
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    /// The path below `/api/v1`; arguments in braces.
    pub(crate) path: &'static str,
    /// What it does, in one sentence.
    pub(crate) summary: &'static str,
    pub(crate) who: Who,
    pub(crate) arguments: &'static [Argument],
    pub(crate) run: &'static dyn Run,
}

/// How it is asked for over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Delete,
    Get,
    Patch,
    Post,
    Put,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Everybody; the layer looks at the rights.
    Anyone,
    /// Clients only: it is about the connection that asks.
    Connection,
    /// The server's side only.
    Server,
}

/// One argument of an operation.
#[cfg_attr(
    not(any(feature = "openapi", test)),
    expect(dead_code, reason = "only the documents list them")
)]
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    /// What it says, and its bounds and default.
    pub(crate) about: &'static str,
}

/// What an argument is in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Any,
    Flag,
    List,
    Number,
    Object,
    Objects,
    Text,
}

impl Argument {
    /// One that has to be there.
    pub(crate) const fn needed(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            required: true,
            about,
        }
    }

    /// One that may be left out.
    pub(crate) const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            required: false,
            about,
        }
    }
}

/// What is said where a layer is not there.
fn disabled(what: &str) -> Fault {
    let why = format!("this server has {what} turned off");
    Fault::new(ErrorCode::FeatureDisabled, why)
}

/// The fault of a layer's error.
fn fault(code: ErrorCode, field: Option<&'static str>, error: &impl Display) -> Fault {
    let fault = Fault::new(code, error.to_string());
    match field {
        Some(field) => fault.field(field),
        None => fault,
    }
}

/// The fault of a room's error, which may say after how long to try again.
fn waiting(fault: Fault, error: &RoomError) -> Fault {
    match error.retry_after() {
        Some(wait) => fault.retry_after(wait),
        None => fault,
    }
}

/// The tables of all areas.
const TABLES: &[&[Operation]] = &[
    auth::TABLE,
    batch::TABLE,
    channels::TABLE,
    clients::TABLE,
    content::TABLE,
    history::TABLE,
    limits::TABLE,
    messages::CHANGES,
    messages::READS,
    presence::TABLE,
    rooms::directory::TABLE,
    rooms::manage::TABLE,
    rooms::members::TABLE,
    rooms::messages::TABLE,
    rooms::moderation::TABLE,
    rpc::TABLE,
    session::TABLE,
    typing::TABLE,
    users::TABLE,
    verbs::TABLE,
];

/// All operations.
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    TABLES.iter().copied().flatten()
}

/// The operation of this name.
pub(crate) fn find(name: &str) -> Option<&'static Operation> {
    static NAMES: LazyLock<HashMap<&str, &Operation>> =
        LazyLock::new(|| all().map(|operation| (operation.name, operation)).collect());
    NAMES.get(name).copied()
}

/// Whether there is an operation of this name.
pub(crate) fn is_operation(name: &str) -> bool {
    find(name).is_some()
}

#[cfg(test)]
mod tests;
