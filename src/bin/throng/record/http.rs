//! As much of an HTTP client as recording needs: one GET after the other, of JSON.

use std::io;
use std::io::ErrorKind;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A connection to a server.
pub(super) struct Client {
    stream: TcpStream,
    host: String,
}

impl Client {
    pub(super) async fn connect(server: SocketAddr, host: String) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host })
    }

    /// Gets JSON; what is no JSON is null.
    pub(super) async fn get(&mut self, path: &str) -> io::Result<Value> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::with_capacity(4 << 10);
        let (body, length) = loop {
            let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = end {
                let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
                break (end + 4, content_length(&head)?);
            }
            self.read(&mut bytes).await?;
        };
        while bytes.len() < body + length {
            self.read(&mut bytes).await?;
        }
        Ok(serde_json::from_slice(&bytes[body..body + length]).unwrap_or_default())
    }

    async fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        if bytes.len() > MAX_BYTES {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "an answer of more than 16 MiB",
            ));
        }
        match self.stream.read_buf(bytes).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// How long the body is, by a head in lower case.
fn content_length(head: &str) -> io::Result<usize> {
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let length = headers.find(|(name, _)| *name == "content-length");
    let length = length.and_then(|(_, value)| value.trim().parse().ok());
    length.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "an answer without a length"))
}

/// The longest answer that is read.
const MAX_BYTES: usize = 16 << 20;
