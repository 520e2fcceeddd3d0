//! What a gateway tells the operations.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use crate::id::ClientId;
use crate::session::Around;
use crate::session::ConnectionView;
use crate::session::LatencyView;
use crate::session::ListenerView;
use crate::session::TransportView;
use crate::transport::gateway::Gateway;
use crate::transport::gateway::Inner;
use crate::transport::stats::LatencyStats;
use crate::transport::stats::Transport;
use crate::transport::stats::TransportStats;

/// What a listener says of itself; nothing once it has ended.
pub(super) type Listener = Arc<dyn Fn() -> Option<ListenerView> + Send + Sync>;

impl Gateway {
    /// Has the entrance ask this gateway.
    pub(super) fn surround(&self) {
        let inner = Arc::downgrade(&self.inner);
        let around: Weak<dyn Around> = inner;
        self.entrance().set_around(around);
    }

    /// Has a server's listener say what it has done. Of several, the last one.
    #[cfg(feature = "server")]
    pub(crate) fn listens(
        &self,
        listener: impl Fn() -> Option<ListenerView> + Send + Sync + 'static,
    ) {
        *self.inner.listener.lock() = Some(Arc::new(listener));
    }
}

impl Around for Inner {
    fn connection(&self, client: ClientId) -> Option<ConnectionView> {
        let stats = self.registry.stats(client)?;
        Some(ConnectionView {
            transport: stats.transport.as_str(),
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
            frames_in: stats.frames_in,
            frames_out: stats.frames_out,
            writes: stats.writes,
            blocked: stats.blocked,
            unsent: stats.unsent,
        })
    }

    fn transports(&self) -> BTreeMap<&'static str, TransportView> {
        let transports = [Transport::Other, Transport::Sse, Transport::Ws];
        let view = |kind: Transport| (kind.as_str(), transport(&self.totals.of(kind).stats()));
        transports.into_iter().map(view).collect()
    }

    fn listener(&self) -> Option<ListenerView> {
        let listener = self.listener.lock().clone();
        listener.and_then(|listener| listener())
    }
}

fn transport(stats: &TransportStats) -> TransportView {
    let code = |(code, count): &(u16, u64)| (code.to_string(), *count);
    TransportView {
        open: stats.open,
        opened: stats.opened,
        bytes_in: stats.bytes_in,
        bytes_out: stats.bytes_out,
        frames_in: stats.frames_in,
        frames_out: stats.frames_out,
        writes: stats.writes,
        blocked: stats.blocked,
        frames_per_write: stats.frames_per_write(),
        flush_latency: latency(stats.flush_latency),
        closes: stats.closes.iter().map(code).collect(),
    }
}

fn latency(stats: LatencyStats) -> LatencyView {
    let micros = |time: Duration| time.as_nanos() as f64 / 1000.0;
    LatencyView {
        count: stats.count,
        p50_us: micros(stats.p50),
        p99_us: micros(stats.p99),
        max_us: micros(stats.max),
    }
}
