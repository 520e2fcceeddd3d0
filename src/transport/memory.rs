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

use tokio::sync::mpsc;

use crate::disconnect::Disconnect;
use crate::message::Message;
use crate::transport::conn::Conn;

/// The two ends of a connection that holds 16 messages in either direction.
#[must_use]
pub fn pair() -> (MemoryConn, MemoryPeer) {
    pair_of(16)
}

/// The two ends of a connection that holds so many messages in either direction.
///
/// # Panics
///
/// When that is none.
#[must_use]
pub fn pair_of(capacity: usize) -> (MemoryConn, MemoryPeer) {
    let (to_peer, from_conn) = mpsc::channel(capacity);
    let (to_conn, from_peer) = mpsc::channel(capacity);
    let conn = MemoryConn {
        subprotocol: None,
        query: String::new(),
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
    subprotocol: Option<String>,
    query: String,
    inbound: mpsc::Receiver<Message>,
    outbound: mpsc::Sender<Result<Message, Disconnect>>,
}

impl MemoryConn {
    /// Sets the dialect that the peer speaks, and the query that its first requests are made of.
    /// Default: the native protocol.
    #[must_use]
    pub fn speaking(mut self, subprotocol: impl Into<String>, query: impl Into<String>) -> Self {
        self.subprotocol = Some(subprotocol.into());
        self.query = query.into();
        self
    }
}

impl Conn for MemoryConn {
    fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    fn query(&self) -> &str {
        &self.query
    }

    async fn recv(&mut self) -> io::Result<Option<Message>> {
        Ok(self.inbound.recv().await)
    }

    async fn send(&mut self, message: Message) -> io::Result<()> {
        let sent = self.outbound.send(Ok(message)).await;
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
    inbound: mpsc::Receiver<Result<Message, Disconnect>>,
    outbound: mpsc::Sender<Message>,
}

impl MemoryPeer {
    /// Sends a message: a text, or [`Message::binary`]. Waits while the connection is full.
    ///
    /// # Errors
    ///
    /// The other end is closed; [`MemoryPeer::recv`] returns the reason.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, nothing was sent.
    pub async fn send(&mut self, message: impl Into<Message>) -> io::Result<()> {
        let sent = self.outbound.send(message.into()).await;
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Receives the payload of the next message as text; bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    ///
    /// As [`MemoryPeer::recv_message`].
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, no message is lost.
    pub async fn recv(&mut self) -> Result<String, Disconnect> {
        let message = self.recv_message().await?;
        Ok(String::from_utf8_lossy(message.payload()).into_owned())
    }

    /// Receives the next message, text or binary.
    ///
    /// # Errors
    ///
    /// The reason for which the connection was closed; [`Disconnect::CLOSED`] when it ended
    /// without one.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, no message is lost.
    pub async fn recv_message(&mut self) -> Result<Message, Disconnect> {
        let received = self.inbound.recv().await;
        received.unwrap_or(Err(Disconnect::CLOSED))
    }
}
