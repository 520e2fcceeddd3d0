//! The unsent mark: how many bytes of a connection the kernel holds that it has not sent yet.
//!
//! A send buffer grows to megabytes (`net.ipv4.tcp_wmem`), and everything in it is beyond the
//! slow-consumer policy of the client: it is sent in order, however stale it is by then. With a
//! mark, the kernel takes more only while less than that is unsent, so the rest waits in the
//! outbox, where the policy conflates, evicts or drops it.
//!
//! # Memory
//!
//! The kernel may exceed the mark by what fits into the segment it is filling, 64 KiB at most; on
//! a connection with a small window that is less. What was sent and not acknowledged is not
//! counted: it is bounded by the receive buffer of the client.

use std::io;
use std::num::NonZeroU32;

#[cfg(any(target_os = "android", target_os = "linux"))]
use socket2::SockRef;
use tokio::net::TcpStream;

/// The default unsent mark of a server, 16 KiB: see
/// [`ServerConfig::unsent_mark`](crate::server::ServerConfig::unsent_mark).
pub const UNSENT_MARK: NonZeroU32 = match NonZeroU32::new(16 << 10) {
    Some(mark) => mark,
    None => NonZeroU32::MIN,
};

/// Sets the unsent mark of a TCP connection, in bytes (`TCP_NOTSENT_LOWAT`).
///
/// For listeners of your own: call it for each accepted connection, before TLS. The server of
/// this crate does it by itself. The kernel counts the mark for a connection alone, and wakes the
/// writer when half of it is sent.
///
/// With axum:
///
/// ```
/// # #[cfg(feature = "axum")]
/// # async fn serve(listener: tokio::net::TcpListener, router: ::axum::Router) -> std::io::Result<()> {
/// use axum::serve::ListenerExt;
/// use throng::transport::{UNSENT_MARK, set_unsent_mark};
///
/// let listener = listener.tap_io(|stream| {
///     let _ = stream.set_nodelay(true);
///     let _ = set_unsent_mark(stream, UNSENT_MARK);
/// });
/// axum::serve(listener, router).await
/// # }
/// # #[cfg(feature = "axum")]
/// # let _ = serve;
/// ```
///
/// # Errors
///
/// [`Unsupported`](io::ErrorKind::Unsupported) on every platform but Linux and Android, and the
/// errors of the operating system. The connection works without a mark; its policy begins when the
/// kernel's buffer is full.
pub fn set_unsent_mark(stream: &TcpStream, bytes: NonZeroU32) -> io::Result<()> {
    set(stream, bytes)
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn set(stream: &TcpStream, bytes: NonZeroU32) -> io::Result<()> {
    SockRef::from(stream).set_tcp_notsent_lowat(bytes.get())
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn set(_stream: &TcpStream, _bytes: NonZeroU32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
