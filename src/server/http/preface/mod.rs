//! The version of HTTP that a connection begins with.

use std::io;
use std::io::ErrorKind;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;

/// The version, and what was read to find it out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Preface {
    Http1(Bytes),
    /// With prior knowledge, or by ALPN (RFC 9113 section 3.4).
    Http2(Bytes),
}

impl Preface {
    /// Reads until the version is known: no more than the preface of HTTP/2.
    ///
    /// # Errors
    ///
    /// Those of the stream, and [`ErrorKind::UnexpectedEof`] if it ends before the first byte.
    pub(super) async fn read<IO: AsyncRead + Unpin>(io: &mut IO) -> io::Result<Self> {
        let mut bytes = [0; HTTP2.len()];
        let mut length = 0;
        while length < HTTP2.len() && bytes[..length] == HTTP2[..length] {
            match io.read(&mut bytes[length..]).await? {
                0 if length == 0 => return Err(ErrorKind::UnexpectedEof.into()),
                0 => break,
                read => length += read,
            }
        }
        let read = Bytes::copy_from_slice(&bytes[..length]);
        Ok(if read == HTTP2[..] {
            Self::Http2(read)
        } else {
            Self::Http1(read)
        })
    }
}

/// The first bytes of a client of HTTP/2.
const HTTP2: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[cfg(test)]
mod tests;
