//! What the transports and the listener know, for the operations that tell it.

use std::collections::BTreeMap;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::id::ClientId;

/// What stands around the session room: the transports, and the listener of a server.
pub(crate) trait Around: Send + Sync {
    /// What one connection has done; `None` when it is none of a transport.
    fn connection(&self, client: ClientId) -> Option<ConnectionView>;

    /// What the connections of each transport have done.
    fn transports(&self) -> BTreeMap<&'static str, TransportView>;

    /// What the listener has done, where there is one.
    fn listener(&self) -> Option<ListenerView>;
}

/// What one connection has done.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(crate) struct ConnectionView {
    pub(crate) transport: &'static str,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) frames_in: u64,
    pub(crate) frames_out: u64,
    pub(crate) writes: u64,
    pub(crate) blocked: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unsent: Option<u64>,
}

/// What the connections of a transport have done.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(crate) struct TransportView {
    pub(crate) open: usize,
    pub(crate) opened: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) frames_in: u64,
    pub(crate) frames_out: u64,
    pub(crate) writes: u64,
    pub(crate) blocked: u64,
    pub(crate) frames_per_write: f64,
    pub(crate) flush_latency: LatencyView,
    pub(crate) closes: BTreeMap<String, u64>,
}

/// How long something has taken.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(crate) struct LatencyView {
    pub(crate) count: u64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
}

/// What a listener has done.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(crate) struct ListenerView {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    pub(crate) no_tls: u64,
    /// In bytes; 0 for none.
    pub(crate) unsent_mark: u32,
    pub(crate) unmarked: u64,
}
