//! The end of a gateway, spread over time so that those who leave do not come back all at once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time;

use crate::disconnect::Disconnect;
use crate::transport::gateway::Gateway;

impl Gateway {
    /// Lets nobody in any more, closes every connection with [`Disconnect::GOING_AWAY`] in
    /// batches over the [window](crate::GatewayBuilder::drain_window), in no order, and waits
    /// until all have ended.
    ///
    /// What was accepted for a client is written before it is closed, within the write timeout
    /// of its transport.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, connections that have not been closed stay open; call it again.
    pub async fn drain(&self) {
        // Release: pairs with the Acquire in `is_draining`.
        self.inner.draining.store(true, Ordering::Release);
        let clients = self.inner.registry.clients();
        let window = self.inner.drain_window;
        let batches = window.as_nanos().div_ceil(TICK.as_nanos()).max(1);
        let batches = usize::try_from(batches).unwrap_or(usize::MAX);
        let size = clients.len().div_ceil(batches).max(1);
        let mut batches = clients.chunks(size).peekable();
        while let Some(batch) = batches.next() {
            for client in batch {
                client.close(Disconnect::GOING_AWAY);
            }
            if batches.peek().is_some() {
                time::sleep(TICK.min(window)).await;
            }
        }
        // They would keep what they are handles of.
        drop(clients);
        self.inner.registry.emptied().await;
    }
}

/// The distance of two batches.
const TICK: Duration = Duration::from_millis(50);
