//! A WebSocket of a client, as lean as it can be: a load generator shares the machine with what it
//! measures.
//!
//! Bytes are read into one buffer per thread; a connection keeps only the start of a frame whose
//! end has not come yet.

use std::cell::RefCell;
use std::io;
use std::io::Cursor;
use std::io::ErrorKind;
use std::mem;
use std::net::SocketAddr;

use throng::Disconnect;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::Control;
use tungstenite::protocol::frame::coding::Data;
use tungstenite::protocol::frame::coding::OpCode;

use super::address::Address;
use super::http;

/// Where and how to connect.
pub(crate) struct Dial {
    pub(crate) server: SocketAddr,
    pub(crate) local: Option<SocketAddr>,
    /// Bytes that the kernel keeps for a reader that does not read; None: its default.
    pub(crate) receive_buffer: Option<u32>,
}

impl Dial {
    /// Connects, and sends small writes at once.
    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let socket = match self.server {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(local) = self.local {
            socket.bind(local)?;
        }
        socket.set_nodelay(true)?;
        socket.connect(self.server).await
    }
}

/// A stream that speaks WebSocket.
pub(crate) struct Socket {
    stream: TcpStream,
    frames: Frames,
    /// What came together with the handshake.
    rest: Vec<u8>,
}

impl Socket {
    /// Shakes hands with the server.
    pub(crate) async fn open(dial: &Dial, url: &Address, headers: &[String]) -> io::Result<Self> {
        let mut stream = dial.connect().await?;
        let headers: String = headers
            .iter()
            .map(|header| format!("{header}\r\n"))
            .collect();
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\
             Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n{headers}\r\n",
            url.path, url.authority
        );
        stream.write_all(request.as_bytes()).await?;
        let (head, rest) = http::read_head(&mut stream).await?;
        let accept = derive_accept_key(KEY.as_bytes());
        if head.status() != Some(101) || head.header("sec-websocket-accept") != Some(&accept) {
            return Err(invalid(format!(
                "no WebSocket there, but `{}`",
                head.first_line()
            )));
        }
        Ok(Self {
            stream,
            frames: Frames::default(),
            rest,
        })
    }

    /// Reads once, and calls `each` for each frame that is complete.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing was read.
    pub(crate) async fn read(&mut self, mut each: impl FnMut(Received<'_>)) -> io::Result<()> {
        let mut done = !self.rest.is_empty();
        if done {
            self.frames.feed(&mem::take(&mut self.rest), &mut each)?;
        }
        while !done {
            self.stream.readable().await?;
            let frames = &mut self.frames;
            done = read_once(&self.stream, |bytes| frames.feed(bytes, &mut each))?;
        }
        Ok(())
    }

    /// Reads at most so many bytes, 64 KiB at a time, once some are there; returns how many.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing was read.
    pub(crate) async fn read_at_most(
        &mut self,
        most: usize,
        mut each: impl FnMut(Received<'_>),
    ) -> io::Result<usize> {
        if !self.rest.is_empty() {
            self.frames.feed(&mem::take(&mut self.rest), &mut each)?;
        }
        loop {
            self.stream.readable().await?;
            let read = SCRATCH.with_borrow_mut(|scratch| {
                let most = most.min(scratch.len());
                let read = match self.stream.try_read(&mut scratch[..most]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                    Err(error) => return Err(error),
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(read) => read,
                };
                self.frames.feed(&scratch[..read], &mut each)?;
                Ok::<_, io::Error>(Some(read))
            })?;
            if let Some(read) = read {
                return Ok(read);
            }
        }
    }

    /// Answers the last ping, if one has come.
    pub(crate) async fn pong(&mut self) -> io::Result<()> {
        match self.frames.ping.take() {
            Some(ping) => {
                let mut frame = Vec::new();
                write_frame(OpCode::Control(Control::Pong), &ping, &mut frame)?;
                self.send(&frame).await
            }
            None => Ok(()),
        }
    }

    /// Sends what [`write_text`] wrote.
    pub(crate) async fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        self.stream.write_all(frames).await
    }
}

/// What a server sent.
pub(crate) enum Received<'a> {
    /// A close frame, and its code.
    Close(u16),
    /// The payload of a text or binary frame, or the first part of it.
    Message(&'a [u8]),
}

/// Appends a text frame to `frames`.
pub(crate) fn write_text(text: &str, frames: &mut Vec<u8>) -> io::Result<()> {
    write_frame(OpCode::Data(Data::Text), text.as_bytes(), frames)
}

/// Bytes to frames.
#[derive(Default)]
struct Frames {
    /// The start of a frame whose end has not come yet.
    partial: Vec<u8>,
    ping: Option<Vec<u8>>,
}

impl Frames {
    fn feed(&mut self, bytes: &[u8], each: &mut impl FnMut(Received<'_>)) -> io::Result<()> {
        if self.partial.is_empty() {
            let used = self.parse(bytes, each)?;
            self.partial.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut partial = mem::take(&mut self.partial);
        partial.extend_from_slice(bytes);
        let used = self.parse(&partial, each)?;
        partial.drain(..used);
        if !partial.is_empty() {
            self.partial = partial;
        }
        Ok(())
    }

    /// Takes the complete frames at the start of `bytes`; how many bytes these were.
    fn parse(&mut self, bytes: &[u8], each: &mut impl FnMut(Received<'_>)) -> io::Result<usize> {
        let mut used = 0;
        loop {
            let mut cursor = Cursor::new(&bytes[used..]);
            let header = FrameHeader::parse(&mut cursor).map_err(|e| invalid(e.to_string()))?;
            let Some((header, length)) = header else {
                return Ok(used);
            };
            let start = used + usize::try_from(cursor.position()).unwrap_or(usize::MAX);
            let length = usize::try_from(length)
                .ok()
                .filter(|&length| length <= LONGEST);
            let length = length.ok_or_else(|| invalid("a frame of more than 16 MiB"))?;
            let Some(payload) = bytes.get(start..start + length) else {
                return Ok(used);
            };
            match header.opcode {
                OpCode::Control(Control::Close) => each(Received::Close(close_code(payload))),
                OpCode::Control(Control::Ping) => self.ping = Some(payload.to_vec()),
                OpCode::Control(_) | OpCode::Data(Data::Continue | Data::Reserved(_)) => {}
                OpCode::Data(Data::Binary | Data::Text) => each(Received::Message(payload)),
            }
            used = start + length;
        }
    }
}

/// Masked by zeros, which is to say as it is: the server cannot tell, and it costs nothing.
fn write_frame(opcode: OpCode, payload: &[u8], frames: &mut Vec<u8>) -> io::Result<()> {
    let header = FrameHeader {
        opcode,
        mask: Some([0; 4]),
        ..FrameHeader::default()
    };
    let written = header.format(payload.len() as u64, frames);
    written.map_err(|error| invalid(error.to_string()))?;
    frames.extend_from_slice(payload);
    Ok(())
}

/// 1005 stands for a close frame without a code.
fn close_code(payload: &[u8]) -> u16 {
    payload
        .first_chunk()
        .map_or(1005, |code| u16::from_be_bytes(*code))
}

/// Returns how to name a close of the server, with its remedy where it is known.
pub(crate) fn closed_with(code: u16) -> String {
    if code == Disconnect::BUSY.code() {
        return format!(
            "closed with {code}: the server takes no more connections of this user, or \
             without a user; `throng serve --max-anonymous 0` takes as many of these as come"
        );
    }
    format!("closed with {code}")
}

/// Reads what there is, up to 64 KiB, and feeds it to `feed`; `false` when there is nothing.
pub(super) fn read_once(
    stream: &TcpStream,
    feed: impl FnOnce(&[u8]) -> io::Result<()>,
) -> io::Result<bool> {
    SCRATCH.with_borrow_mut(|scratch| match stream.try_read(scratch) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(read) => feed(&scratch[..read]).map(|()| true),
    })
}

pub(super) fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.into())
}

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; 64 << 10].into());
}

/// Any sixteen bytes will do.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// throng's own protocol.
const SUBPROTOCOL: &str = "throng.v1.json";

/// No server sends longer frames here; so a broken one cannot fill the memory.
const LONGEST: usize = 16 << 20;

#[cfg(test)]
mod tests;
