//! A transport without a network, for tests.
//!
//! ```
//! use throng::transport::memory;
//! use throng::{ConnectOptions, Disconnect, Gateway, Hub, Message};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gateway = Gateway::new(Hub::new());
//! let (conn, mut peer) = memory::pair();
//! let serving = tokio::spawn(gateway.serve_conn(conn, ConnectOptions::new()));
//! assert!(peer.recv().await.unwrap().contains("\"connected\""));
//!
//! peer.send(r#"{"type":"subscribe","channel_id":"news"}"#).await?;
//! assert!(peer.recv().await.unwrap().contains("\"joined\""));
//!
//! gateway.hub().publish("news", Message::text("it works"))?;
//! assert!(peer.recv().await.unwrap().contains("it works"));
//!
//! gateway.hub().close(Disconnect::SHUTDOWN);
//! assert!(peer.recv().await.unwrap().contains("\"disconnect\""));
//! assert_eq!(peer.recv().await, Err(Disconnect::SHUTDOWN));
//! serving.await?;
//! # Ok(())
//! # }
//! ```

use std::io;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::disconnect::Disconnect;
use crate::transport::conn::Conn;

/// The two ends of a connection that holds 16 texts in either direction.
#[must_use]
pub fn pair() -> (MemoryConn, MemoryPeer) {
    pair_of(16)
}

/// The two ends of a connection that holds so many texts in either direction.
///
/// # Panics
///
/// When that is none.
#[must_use]
pub fn pair_of(capacity: usize) -> (MemoryConn, MemoryPeer) {
    let (to_peer, from_conn) = mpsc::channel(capacity);
    let (to_conn, from_peer) = mpsc::channel(capacity);
    let conn = MemoryConn {
        inbound: from_peer,
        outbound: to_peer,
    };
    let peer = MemoryPeer {
        inbound: from_conn,
        outbound: to_conn,
    };
    (conn, peer)
}

/// The end that a gateway [serves](crate::Gateway::serve_conn).
#[derive(Debug)]
pub struct MemoryConn {
    inbound: mpsc::Receiver<String>,
    outbound: mpsc::Sender<Result<Bytes, Disconnect>>,
}

impl Conn for MemoryConn {
    async fn recv(&mut self) -> io::Result<Option<String>> {
        Ok(self.inbound.recv().await)
    }

    async fn send(&mut self, text: Bytes) -> io::Result<()> {
        let sent = self.outbound.send(Ok(text)).await;
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    async fn close(&mut self, why: &Disconnect) {
        // An error: there is nobody left to tell.
        self.outbound.send(Err(why.clone())).await.ok();
    }
}

/// The end of the client. Dropping it ends the connection.
#[derive(Debug)]
pub struct MemoryPeer {
    inbound: mpsc::Receiver<Result<Bytes, Disconnect>>,
    outbound: mpsc::Sender<String>,
}

impl MemoryPeer {
    /// Sends a text. Waits while the connection is full.
    ///
    /// # Errors
    ///
    /// When the other end is gone; [`MemoryPeer::recv`] says why.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, nothing was sent.
    pub async fn send(&mut self, text: impl Into<String>) -> io::Result<()> {
        let sent = self.outbound.send(text.into()).await;
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// The next text.
    ///
    /// # Errors
    ///
    /// Why the connection was closed; [`Disconnect::CLOSED`] when it ended without a reason.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, no text is lost.
    pub async fn recv(&mut self) -> Result<String, Disconnect> {
        let text = self
            .inbound
            .recv()
            .await
            .unwrap_or(Err(Disconnect::CLOSED))?;
        // The protocol is JSON, which is UTF-8.
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
