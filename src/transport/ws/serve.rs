//! The door of the gateway for WebSocket connections.

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;

use crate::hub::ConnectOptions;
use crate::transport::gateway::Gateway;
use crate::transport::ws;
use crate::transport::ws::Accepted;

impl Gateway {
    /// Connects the peer of `io`, which has been [upgraded](ws::upgrade) to WebSocket, and serves
    /// it until either side closes. `buffered` is what was read from `io` behind the handshake.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime whose time driver is enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the client is disconnected from the hub and the socket closed without a
    /// close frame. Nothing is left behind.
    pub async fn serve_ws<IO>(
        &self,
        io: IO,
        buffered: Bytes,
        _accepted: Accepted,
        options: ConnectOptions,
    ) where
        IO: AsyncRead + AsyncWrite + Send + 'static,
    {
        let never = std::future::pending();
        ws::serve(io, buffered, self.hub(), options, *self.ws_config(), never).await;
    }
}
