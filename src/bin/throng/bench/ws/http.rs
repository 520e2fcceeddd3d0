//! As much of HTTP as a load generator needs.

use std::io;
use std::io::ErrorKind;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The first line and the headers of an answer.
pub(super) struct Head(String);

impl Head {
    pub(super) fn first_line(&self) -> &str {
        self.0.lines().next().unwrap_or_default()
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.first_line()
            .strip_prefix("HTTP/1.1 ")?
            .get(..3)?
            .parse()
            .ok()
    }

    /// The value of the header `name`, which is in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.0.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = headers.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value.trim())
    }
}

/// Reads the head of an answer; also returns what came after it.
pub(super) async fn read_head(stream: &mut TcpStream) -> io::Result<(Head, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(1 << 10);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            let head = String::from_utf8_lossy(&bytes).into_owned();
            return Ok((Head(head), rest));
        }
        if bytes.len() > LONGEST_HEAD {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "an HTTP head without end",
            ));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Reads a whole answer, which must say how long it is, and forgets its body.
pub(super) async fn read_answer(stream: &mut TcpStream) -> io::Result<Head> {
    let (head, rest) = read_head(stream).await?;
    let length = head
        .header("content-length")
        .and_then(|length| length.parse::<usize>().ok());
    let length = match (length, head.status()) {
        (Some(length), _) => length,
        (None, Some(204)) => 0,
        (None, _) => {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "an answer without a length",
            ));
        }
    };
    let mut missing = length.saturating_sub(rest.len());
    let mut scratch = [0; 1 << 10];
    while missing > 0 {
        let room = missing.min(scratch.len());
        let read = stream.read(&mut scratch[..room]).await?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        missing -= read;
    }
    Ok(head)
}

/// Longer heads are refused.
const LONGEST_HEAD: usize = 16 << 10;
