//! One thread, one epoll, one dense row for each client.

use std::collections::BTreeSet;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::mem;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::event::epoll::CreateFlags;
use rustix::event::epoll::EventData;
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net;
use rustix::net::SendFlags;
use tungstenite::handshake::derive_accept_key;

use super::wire;
use super::wire::Command;
use super::wire::Publications;

/// Serves for ever.
pub(crate) fn run() -> io::Result<()> {
    Server::new(wire::listen()?)?.run()
}

struct Server {
    listener: TcpListener,
    epoll: OwnedFd,
    rows: Vec<Option<Row>>,
    /// Rows that are not in use.
    free: BTreeSet<usize>,
    publications: Publications,
    /// The frames that the current read has published.
    published: Vec<u8>,
    scratch: Vec<u8>,
}

/// A client.
struct Row {
    stream: TcpStream,
    open: bool,
    subscribed: bool,
    /// The start of a request or frame whose end has not come yet.
    input: Vec<u8>,
    /// What the kernel had no room for.
    unsent: Vec<u8>,
}

impl Server {
    fn new(listener: TcpListener) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let data = EventData::new_u64(LISTENER);
        epoll::add(&epoll, &listener, data, EventFlags::IN)?;
        Ok(Self {
            listener,
            epoll,
            rows: Vec::new(),
            free: BTreeSet::new(),
            publications: Publications::default(),
            published: Vec::new(),
            scratch: vec![0; 64 << 10],
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(1 << 10);
        loop {
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    row => self.serve(usize::try_from(row).unwrap_or_default(), event.flags),
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let row = self.free.pop_first().unwrap_or(self.rows.len());
            let data = EventData::new_u64(row as u64);
            epoll::add(&self.epoll, &stream, data, EventFlags::IN)?;
            self.rows.resize_with(self.rows.len().max(row + 1), || None);
            self.rows[row] = Some(Row {
                stream,
                open: false,
                subscribed: false,
                input: Vec::new(),
                unsent: Vec::new(),
            });
        }
    }

    fn serve(&mut self, at: usize, flags: EventFlags) {
        let Some(row) = &mut self.rows[at] else {
            return;
        };
        let mut stays = true;
        if flags.contains(EventFlags::OUT) {
            let unsent = mem::take(&mut row.unsent);
            stays = row.send(&unsent);
            if row.unsent.is_empty() {
                self.watch(at, EventFlags::IN);
            }
        }
        if stays && flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            stays = self.read(at);
        }
        if !stays {
            self.rows[at] = None;
            self.free.insert(at);
        }
        if !self.published.is_empty() {
            self.fan_out();
        }
    }

    /// Reads once, and does what was asked for. False when the client is gone.
    fn read(&mut self, at: usize) -> bool {
        let Some(row) = &mut self.rows[at] else {
            return false;
        };
        let read = match row.stream.read(&mut self.scratch) {
            Ok(0) => return false,
            Ok(read) => read,
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        };
        row.input.extend_from_slice(&self.scratch[..read]);
        let input = mem::take(&mut row.input);
        let mut rest = &input[..];
        if !row.open {
            let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") else {
                row.input = input;
                return true;
            };
            let answer = greeting(&String::from_utf8_lossy(&rest[..end]));
            row.open = true;
            if !row.send(&answer) {
                return false;
            }
            rest = &rest[end + 4..];
        }
        while let Some((opcode, text, after)) = frame(rest) {
            match opcode {
                CLOSE => return false,
                TEXT => row.obey(&text, &self.publications, &mut self.published),
                _ => {}
            }
            rest = after;
        }
        row.input = rest.to_vec();
        true
    }

    /// Sends what was published to all who have subscribed.
    fn fan_out(&mut self) {
        let published = mem::take(&mut self.published);
        for at in 0..self.rows.len() {
            let Some(row) = &mut self.rows[at] else {
                continue;
            };
            if !row.subscribed {
                continue;
            }
            if !row.unsent.is_empty() {
                // What a client does not read is not kept without bound.
                if row.unsent.len() < wire::room() * published.len() {
                    row.unsent.extend_from_slice(&published);
                }
                continue;
            }
            // One that is gone is noticed by its read.
            let _ = row.send(&published);
            if !row.unsent.is_empty() {
                self.watch(at, EventFlags::IN | EventFlags::OUT);
            }
        }
        self.published = published;
        self.published.clear();
    }

    fn watch(&self, at: usize, flags: EventFlags) {
        if let Some(row) = &self.rows[at] {
            let data = EventData::new_u64(at as u64);
            // It fails only for a socket that is gone.
            let _ = epoll::modify(&self.epoll, &row.stream, data, flags);
        }
    }
}

impl Row {
    /// Sends what the kernel takes, and keeps the rest. False when the client is gone.
    fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = net::send(
            &self.stream,
            bytes,
            SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
        );
        let sent = match sent {
            Ok(sent) => sent,
            Err(Errno::AGAIN) => 0,
            Err(_) => return false,
        };
        self.unsent.extend_from_slice(&bytes[sent..]);
        true
    }

    fn obey(&mut self, text: &[u8], publications: &Publications, published: &mut Vec<u8>) {
        match Command::parse(&String::from_utf8_lossy(text)) {
            Some(Command::Subscribe { id, channel_id }) => {
                self.subscribed = true;
                let mut joined = Vec::new();
                push_text(&wire::joined(&id, channel_id), &mut joined);
                self.send(&joined);
            }
            Some(Command::Publish { channel_id, text }) => {
                push_text(&publications.next(channel_id, text), published);
            }
            None => {}
        }
    }
}

/// The answer to a handshake, and the first push.
fn greeting(head: &str) -> Vec<u8> {
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let key = headers.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    let accept = derive_accept_key(key.map_or("", |(_, key)| key).as_bytes());
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: throng.v1.json\r\n\r\n"
    )
    .into_bytes();
    push_text(wire::CONNECTED, &mut answer);
    answer
}

/// The first frame of a client: opcode, payload, and what comes behind it. None if it is not whole.
fn frame(bytes: &[u8]) -> Option<(u8, Vec<u8>, &[u8])> {
    let [first, second, rest @ ..] = bytes else {
        return None;
    };
    let (length, rest) = match second & 0x7F {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*length), rest)
        }
        length => (u64::from(length), rest),
    };
    let (mask, rest) = rest.split_first_chunk::<4>()?;
    let (payload, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let unmasked = payload.iter().zip(mask.iter().cycle());
    let payload = unmasked.map(|(byte, mask)| byte ^ mask).collect();
    Some((first & 0x0F, payload, after))
}

/// Appends a text frame of a server.
fn push_text(text: &str, frames: &mut Vec<u8>) {
    frames.push(0x80 | TEXT);
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(length @ ..126), _) => frames.push(length),
        (_, Ok(length)) => {
            frames.push(126);
            frames.extend(length.to_be_bytes());
        }
        _ => {
            frames.push(127);
            frames.extend((text.len() as u64).to_be_bytes());
        }
    }
    frames.extend_from_slice(text.as_bytes());
}

const TEXT: u8 = 1;
const CLOSE: u8 = 8;

/// The listener's place among the events; no row is so far.
const LISTENER: u64 = u64::MAX;
