//! The one integration test binary: what the crate promises, seen from outside, and how its
//! source has to look.

mod auto_traits;
mod channel;
mod copies;
#[cfg(feature = "server")]
#[path = "../support/event_stream.rs"]
mod event_stream;
mod examples;
mod expiry;
mod extensions;
mod features;
mod findings;
mod foreign;
mod frictions;
mod gap_keys;
mod guarantees;
mod handed_over;
mod handles;
mod history;
mod hub;
mod keep_latest;
mod lagodev;
mod layering;
mod leaving;
#[path = "../support/model.rs"]
mod model;
mod oldest_waiting;
mod orderings;
mod outbox;
mod outbox_budget;
mod outbox_set;
mod panics;
mod presence;
#[cfg(feature = "layers")]
mod presence_layer;
mod properties;
mod published_at;
#[path = "../support/replay.rs"]
mod replay;
mod sizes;
mod slow_consumer;
mod source;
mod stress;
mod support;
mod unsafe_code;

#[cfg(feature = "server")]
mod accept;
#[cfg(feature = "server")]
mod auth;
#[cfg(feature = "server")]
mod bench;
#[cfg(feature = "server")]
mod bench_pages;
#[cfg(feature = "server")]
mod bench_sse;
#[cfg(feature = "server")]
mod binary;
#[cfg(feature = "server")]
mod browser;
#[cfg(feature = "server")]
mod churn;
#[cfg(feature = "server")]
mod clients;
#[cfg(feature = "ws")]
mod clock;
#[cfg(feature = "server")]
mod conformance;
#[cfg(feature = "ws")]
mod conn;
#[cfg(feature = "server")]
mod connections;
#[cfg(feature = "server")]
mod content;
#[cfg(feature = "server")]
mod crash;
#[cfg(feature = "server")]
mod credentials;
#[cfg(feature = "server")]
mod defaults;
#[cfg(feature = "server")]
mod dialects;
#[cfg(feature = "server")]
mod edge;
#[cfg(feature = "server")]
mod embedding;
#[cfg(feature = "server")]
mod entrance;
#[cfg(feature = "layers")]
mod layers_send;
#[cfg(feature = "server")]
mod limits;
#[cfg(feature = "server")]
mod losses;
#[cfg(feature = "server")]
mod messages_api;
#[cfg(feature = "server")]
mod pace;
#[cfg(feature = "server")]
mod patterns;
#[cfg(feature = "server")]
mod peers;
#[cfg(feature = "server")]
mod presence_users;
#[cfg(feature = "server")]
mod recovery;
#[cfg(feature = "server")]
mod rooms;
#[cfg(feature = "layers")]
mod rooms_api;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod sessions;
#[cfg(feature = "server")]
mod slow_sockets;
#[cfg(feature = "server")]
mod sse;
#[cfg(feature = "server")]
mod sse_sockets;
#[cfg(feature = "server")]
mod streams;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "server")]
mod tune;
#[cfg(feature = "server")]
mod turns;
#[cfg(feature = "server")]
mod typing;
#[cfg(feature = "server")]
mod unsent;
#[cfg(feature = "server")]
mod users;
#[cfg(feature = "server")]
mod waiting;
#[cfg(feature = "server")]
mod websocket;
mod wording;
