//! Where connections come from.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::num::NonZeroU32;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixListener;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::transport;

/// Something that connections come from: a TCP or Unix socket that listens, or the embedder's own.
pub trait Listener: Send + Sync + 'static {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, and the address that it counts for. Several tasks wait at once.
    ///
    /// # Errors
    ///
    /// Those of the operating system. The server waits a little before it asks again.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, no connection is lost.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Io, Option<IpAddr>)>> + Send;

    /// Returns the address that connections are made to, if it is one of IP: requests may name it
    /// as their [host](crate::server::Hosts). Default: none.
    fn local_address(&self) -> Option<SocketAddr> {
        None
    }

    /// Sets the [unsent mark](crate::server::ServerConfig::unsent_mark) of an accepted connection,
    /// in bytes. By default there is none: override it where connections are TCP underneath, with
    /// [`set_unsent_mark`](crate::transport::set_unsent_mark).
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) where there is no such mark, and those of the
    /// operating system. The connection is served all the same, and counted.
    fn set_unsent_mark(_io: &Self::Io, _bytes: NonZeroU32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Listener for TcpListener {
    type Io = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Option<IpAddr>)> {
        let (stream, peer) = Self::accept(self).await?;
        // Messages are small and each is written whole: there is nothing to wait for.
        drop(stream.set_nodelay(true));
        Ok((stream, Some(peer.ip())))
    }

    fn local_address(&self) -> Option<SocketAddr> {
        self.local_addr().ok()
    }

    fn set_unsent_mark(stream: &TcpStream, bytes: NonZeroU32) -> io::Result<()> {
        transport::set_unsent_mark(stream, bytes)
    }
}

#[cfg(unix)]
impl Listener for UnixListener {
    type Io = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Option<IpAddr>)> {
        let (stream, _) = Self::accept(self).await?;
        Ok((stream, None))
    }
}

/// Listens on `address`. As many as `backlog` connections may wait to be accepted; the operating
/// system sets a limit to that (on Linux, `net.core.somaxconn`).
///
/// # Errors
///
/// Those of the operating system: the address is in use, for one.
///
/// # Panics
///
/// Outside a tokio runtime whose I/O driver is enabled.
pub fn listen(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A server that is started again does not wait until the last connections are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}
