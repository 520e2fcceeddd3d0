//! The one entrance: every request of every transport, and of the application, goes through
//! `Entrance::execute`; an application enters by [`Gateway::execute`](crate::Gateway::execute).
//!
//! ```text
//!   WebSocket ─┐                ┌────────┐   passed   ┌───────────┐
//!   SSE       ─┤    Request     │  Gate  │ ─────────▶ │ operation │ ──▶ hub, layers
//!   REST      ─┼──  + Caller ─▶ │        │            └─────┬─────┘
//!   Conn      ─┤                └───┬────┘                  │
//!   embedder  ─┘                    └── refused ──▶ Fault   └──▶ Reply
//! ```
//!
//! A transport turns bytes into a [`Request`], names the [`Caller`], and turns the [`Reply`] or the
//! fault back into bytes. It calls neither the hub nor a layer on behalf of a request.
//!
//! # Decisions and answers
//!
//! A [`Policy`] that needs time gives a pending *decision*: the request is not carried out yet, and
//! later requests of that connection wait behind it, one of them in memory and the others unread.
//! An operation that needs time gives a pending *answer*: later requests are carried out, and their
//! replies wait, so that replies keep the order of the requests. Other connections wait for
//! neither. Requests that arrive in parallel, such as two `POST`s for one event stream, have no
//! order.
//!
//! # Isolation
//!
//! A policy that panics refuses the request that it was asked about, with
//! [`ErrorCode::PolicyFailed`](crate::ErrorCode::PolicyFailed), and nothing else.
//!
//! # Cost
//!
//! A gate without a policy costs one test of a bit mask per request; publications of the
//! application that go straight to the [`Hub`](crate::Hub) pass no gate.

mod around;
mod badges;
mod budget;
mod caller;
mod connected;
pub(crate) mod content;
mod deciding;
mod door;
mod entrance;
pub(crate) mod fault;
mod gate;
pub(crate) mod hooks;
mod identity;
mod limiting;
pub(crate) mod operations;
mod pace;
mod permit;
mod rare;
mod replies;
mod rpc;
pub(crate) mod seat;
mod verbs;

pub use crate::protocol::Command;
pub use crate::protocol::Fault;
pub use crate::protocol::Request;

pub use self::caller::Caller;
pub use self::caller::Origin;
pub use self::entrance::ClientPublish;
pub use self::entrance::Reply;
pub use self::gate::Actions;
pub use self::gate::Decision;
pub use self::gate::Interest;
pub use self::gate::Policy;
pub use self::gate::Verdict;
pub use self::hooks::Arrival;
pub use self::hooks::AsyncPolicy;
pub use self::hooks::CallerInfo;
pub use self::hooks::Draft;
pub use self::hooks::Event;
pub use self::hooks::Hook;
pub use self::hooks::HookInfo;
pub use self::hooks::Hooks;
pub use self::hooks::Moments;
pub use self::hooks::NewRoom;
pub use self::hooks::Observer;
pub use self::hooks::Target;
pub use self::hooks::from_async;
pub use self::identity::Identity;
pub use self::identity::Permissions;
pub use self::identity::Right;

pub(crate) use self::around::Around;
pub(crate) use self::around::ConnectionView;
pub(crate) use self::around::LatencyView;
pub(crate) use self::around::ListenerView;
pub(crate) use self::around::TransportView;
pub(crate) use self::badges::Badge;
pub(crate) use self::badges::Badges;
pub(crate) use self::badges::Notice;
pub(crate) use self::budget::request_cost;
pub(crate) use self::budget::spend;
pub(crate) use self::caller::MeterCell;
pub(crate) use self::connected::Session;
pub(crate) use self::deciding::Deciding;
pub(crate) use self::door::Admitting;
pub(crate) use self::door::Allowance;
pub(crate) use self::door::Door;
pub(crate) use self::door::Revoke;
pub(crate) use self::door::Revoking;
pub(crate) use self::entrance::Effort;
pub(crate) use self::entrance::Entrance;
pub(crate) use self::entrance::Outcome;
pub(crate) use self::entrance::Subscribing;
pub(crate) use self::gate::Gate;
pub(crate) use self::limiting::KeyValues;
pub(crate) use self::limiting::LimitDraft;
pub(crate) use self::limiting::LimitStatusView;
pub(crate) use self::limiting::LimitView;
pub(crate) use self::limiting::Limiting;
pub(crate) use self::limiting::WasReset;
pub(crate) use self::operations::is_operation;
pub(crate) use self::pace::Pace;
pub(crate) use self::permit::Permit;
pub(crate) use self::replies::Dialogue;
pub(crate) use self::replies::Replies;
pub(crate) use self::rpc::Rpc;
