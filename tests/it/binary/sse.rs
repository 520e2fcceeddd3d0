//! A client of server-sent events over a bare socket.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;

use crate::binary::PATIENCE;
use crate::event_stream::Event;
use crate::event_stream::EventStream;

/// A stream that is being read.
pub(crate) struct Sse {
    socket: TcpStream,
    head: String,
    raw: Vec<u8>,
    source: EventStream,
    events: std::collections::VecDeque<Event>,
    /// The sizes of the chunks that came.
    pub(crate) chunks: Vec<usize>,
    ended: bool,
}

impl Sse {
    pub(crate) fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        socket.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        let mut stream = Self {
            socket,
            head: String::new(),
            raw: Vec::new(),
            source: EventStream::default(),
            events: Default::default(),
            chunks: Vec::new(),
            ended: false,
        };
        stream.head = stream.line_until(b"\r\n\r\n");
        assert!(
            stream.head.starts_with("HTTP/1.1 200 "),
            "{:?} {}",
            stream.head,
            String::from_utf8_lossy(&stream.raw)
        );
        stream
    }

    /// The value of a header of the response.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The next event; `None` when the stream has ended as it should.
    pub(crate) fn next(&mut self) -> Option<Event> {
        let begun = Instant::now();
        while self.events.is_empty() && !self.ended {
            // Heartbeats keep the stream alive; what is waited for may still never come.
            assert!(begun.elapsed() < PATIENCE, "nothing but heartbeats");
            self.read_chunk();
        }
        self.events.pop_front()
    }

    /// The next event, which has this name; its JSON.
    pub(crate) fn expect(&mut self, name: &str) -> Value {
        let event = self
            .next()
            .unwrap_or_else(|| panic!("no more events: {name}"));
        assert_eq!(event.name, name, "{event:?}");
        serde_json::from_str(&event.data).unwrap()
    }

    /// All that is still to come, names and JSON, until the stream ends.
    pub(crate) fn rest(&mut self) -> Vec<(String, Value)> {
        let mut rest = Vec::new();
        while let Some(event) = self.next() {
            rest.push((event.name, serde_json::from_str(&event.data).unwrap()));
        }
        rest
    }

    /// Reads until the stream has sent so many comments.
    pub(crate) fn until_comments(&mut self, count: usize) {
        while self.source.comments < count {
            assert!(!self.ended);
            self.read_chunk();
        }
    }

    /// Reads until it has been given this id, with an event or without.
    pub(crate) fn until_id(&mut self, id: &str) {
        while self.source.last_event_id != id {
            assert!(!self.ended, "{}", self.source.last_event_id);
            self.read_chunk();
        }
    }

    /// What `Last-Event-ID` would be.
    pub(crate) fn last_event_id(&self) -> &str {
        &self.source.last_event_id
    }

    pub(crate) fn retry(&self) -> Option<u64> {
        self.source.retry
    }

    /// Whether the server has hung up without ending the stream.
    pub(crate) fn breaks_off(&mut self) -> bool {
        let mut buffer = [0; 1 << 16];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) | Err(_) => return !self.raw.ends_with(b"0\r\n\r\n"),
                Ok(count) => {
                    self.raw.extend_from_slice(&buffer[..count]);
                    let keep = self.raw.len().min(16);
                    self.raw.drain(..self.raw.len() - keep);
                }
            }
        }
    }

    fn read_chunk(&mut self) {
        let size = self.line_until(b"\r\n");
        let size = usize::from_str_radix(&size, 16).unwrap();
        while self.raw.len() < size + 2 {
            self.fill();
        }
        let chunk: Vec<u8> = self.raw.drain(..size + 2).collect();
        assert_eq!(&chunk[size..], b"\r\n");
        if size == 0 {
            self.ended = true;
            assert!(self.source.is_between_lines());
        } else {
            self.chunks.push(size);
        }
        self.events.extend(self.source.feed(&chunk[..size]));
    }

    fn line_until(&mut self, end: &[u8]) -> String {
        loop {
            let found = self.raw.windows(end.len()).position(|bytes| bytes == end);
            if let Some(at) = found {
                let line: Vec<u8> = self.raw.drain(..at + end.len()).collect();
                return String::from_utf8(line[..at].to_vec()).unwrap();
            }
            self.fill();
        }
    }

    fn fill(&mut self) {
        let mut buffer = [0; 4096];
        let count = self.socket.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "broke off");
        self.raw.extend_from_slice(&buffer[..count]);
    }
}
