//! A stream of server-sent events of a client, as lean as it can be; see [`super::socket`].

use std::io;
use std::io::ErrorKind;
use std::mem;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::address::Address;
use super::http;
use super::publisher::in_path;
use super::socket::Dial;
use super::socket::Received;
use super::socket::invalid;
use super::socket::read_once;

/// A response whose body is a stream of events.
pub(super) struct Events {
    stream: TcpStream,
    decoder: Decoder,
    /// The bytes that came together with the head.
    rest: Vec<u8>,
}

impl Events {
    /// Asks for a stream of `channel`, and waits for the head of the response.
    pub(super) async fn open(
        dial: &Dial,
        url: &Address,
        headers: &[String],
        channel: &str,
    ) -> io::Result<Self> {
        let mut stream = dial.connect().await?;
        let headers: String = headers
            .iter()
            .map(|header| format!("{header}\r\n"))
            .collect();
        let request = format!(
            "GET {}?channel={} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n{headers}\r\n",
            url.path,
            in_path(channel),
            url.authority
        );
        stream.write_all(request.as_bytes()).await?;
        let (head, rest) = http::read_head(&mut stream).await?;
        if head.status() != Some(200) || head.header("transfer-encoding") != Some("chunked") {
            let what = format!("no stream of events there, but `{}`", head.first_line());
            return Err(invalid(what));
        }
        Ok(Self {
            stream,
            decoder: Decoder::default(),
            rest,
        })
    }

    /// Waits until the server confirms the subscription.
    pub(super) async fn joined(&mut self) -> io::Result<()> {
        let mut answer = None;
        while answer.is_none() {
            self.read(|received| answer = answer.take().or_else(|| answered(&received)))
                .await?;
        }
        match answer {
            Some(Err(why)) => Err(io::Error::other(why)),
            _ => Ok(()),
        }
    }

    /// Reads once, and calls `each` for each event that is complete.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing was read.
    pub(super) async fn read(&mut self, mut each: impl FnMut(Received<'_>)) -> io::Result<()> {
        if !self.rest.is_empty() {
            return self.decoder.feed(&mem::take(&mut self.rest), &mut each);
        }
        loop {
            self.stream.readable().await?;
            let decoder = &mut self.decoder;
            if read_once(&self.stream, |bytes| decoder.feed(bytes, &mut each))? {
                return Ok(());
            }
        }
    }
}

/// Whether the server has answered the subscription, and how.
fn answered(received: &Received<'_>) -> Option<Result<(), String>> {
    let Received::Message(event) = received else {
        return None;
    };
    let has = |name: &[u8]| event.split(|byte| *byte == b'\n').any(|line| line == name);
    let text = || String::from_utf8_lossy(event).into_owned();
    match () {
        () if has(b"event: joined") => Some(Ok(())),
        () if has(b"event: refused") || has(b"event: disconnect") => Some(Err(text())),
        () => None,
    }
}

/// Bytes of a chunked body (RFC 9112 section 7.1) to events.
#[derive(Default)]
struct Decoder {
    state: State,
    /// The start of an event whose end has not come yet.
    text: Vec<u8>,
}

#[derive(Clone, Copy, Default)]
enum State {
    /// The digits of a chunk's size, so far; `None` before the first.
    #[default]
    Start,
    Size(usize),
    /// The line feed behind the size.
    SizeEnd(usize),
    /// So many bytes of the chunk are still to come.
    Data(usize),
    /// The line break behind the chunk.
    DataEnd,
    LineEnd,
}

impl Decoder {
    fn feed(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Received<'_>)) -> io::Result<()> {
        while let Some((&first, rest)) = bytes.split_first() {
            if let State::Data(left) = self.state {
                let (data, rest) = bytes.split_at(left.min(bytes.len()));
                self.data(data, each);
                bytes = rest;
                self.state = match left - data.len() {
                    0 => State::DataEnd,
                    left => State::Data(left),
                };
                continue;
            }
            self.state = self.state.after(first)?;
            bytes = rest;
        }
        Ok(())
    }

    /// Takes the complete events out of these bytes, and keeps the rest.
    fn data(&mut self, mut data: &[u8], each: &mut impl FnMut(Received<'_>)) {
        if !self.text.is_empty() {
            // The end may be cut in two.
            let from = self.text.len() - 1;
            self.text.extend_from_slice(data);
            let mut text = mem::take(&mut self.text);
            match end(&text[from..]) {
                Some(at) => {
                    each(Received::Message(&text[..from + at]));
                    text.drain(..from + at);
                    self.data(&text, each);
                }
                None => self.text = text,
            }
            return;
        }
        while let Some(at) = end(data) {
            each(Received::Message(&data[..at]));
            data = &data[at..];
        }
        self.text.extend_from_slice(data);
    }
}

/// Returns the end of the first event.
fn end(text: &[u8]) -> Option<usize> {
    let at = text.windows(2).position(|pair| pair == b"\n\n")?;
    Some(at + 2)
}

impl State {
    fn after(self, byte: u8) -> io::Result<Self> {
        let digit = char::from(byte).to_digit(16).map(|digit| digit as usize);
        Ok(match (self, byte, digit) {
            (Self::Start, _, Some(digit)) => Self::Size(digit),
            (Self::Size(size), _, Some(digit)) if size <= LONGEST => Self::Size(size << 4 | digit),
            (Self::Size(size), b'\r', _) => Self::SizeEnd(size),
            // The last chunk.
            (Self::SizeEnd(0), b'\n', _) => return Err(ErrorKind::UnexpectedEof.into()),
            (Self::SizeEnd(size), b'\n', _) => Self::Data(size),
            (Self::DataEnd, b'\r', _) => Self::LineEnd,
            (Self::LineEnd, b'\n', _) => Self::Start,
            _ => return Err(invalid("no chunk of at most 16 MiB")),
        })
    }
}

/// No server sends longer chunks here; so a broken one cannot fill the memory.
const LONGEST: usize = 1 << 20;

#[cfg(test)]
mod tests;
