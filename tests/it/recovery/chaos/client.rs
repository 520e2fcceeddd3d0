//! One client, over all of its connections.

use std::net::SocketAddr;

use serde_json::Value;

use crate::binary::Came;
use crate::binary::Raw;
use crate::binary::Sse;

use super::super::subscribe;
use super::Book;
use super::CHANNELS;
use super::Figures;
use super::KEPT;
use super::Storm;
use super::book::Went;

/// One client, over all of its connections.
pub(super) struct Client {
    address: SocketAddr,
    is_stream: bool,
    /// Whether the policy drops what does not fit.
    may_lose: bool,
    books: [Book; CHANNELS.len()],
    /// What a stream goes on from.
    last_event_id: String,
    random: u64,
}

/// One connection.
enum Line {
    Socket(Raw),
    Stream(Sse),
}

/// Why a client no longer listens.
enum Heard {
    Enough,
    /// The storm is over; this is the last message of each channel.
    Last(u64),
    /// The connection has ended.
    Nothing,
}

impl Client {
    pub(super) fn new(index: u64, address: SocketAddr, may_lose: bool) -> Self {
        Self {
            address,
            is_stream: index % 2 == 1,
            may_lose,
            books: Default::default(),
            last_event_id: String::new(),
            random: index + 1,
        }
    }

    /// Comes and is killed until the storm is over, and then once more to get the rest.
    pub(super) fn live(&mut self, storm: &Storm, figures: &Figures) {
        while storm.last().is_none() {
            let mut line = self.connect();
            match self.listen(&mut line, storm, figures) {
                Heard::Enough => Figures::count(&figures.killed, 1),
                Heard::Nothing => Figures::count(&figures.ended, 1),
                Heard::Last(last) => self.hear_out(&mut line, last, figures),
            }
            self.kill(line);
            if self.random().is_multiple_of(8) {
                // Away for longer than is remembered.
                let at = self.books[0].place.as_ref().map(|place| place.offset);
                storm.wait_for(at.unwrap_or(0) + KEPT + 1);
            }
        }
        while !self.books.iter().all(Book::is_up_to_date) {
            let mut line = self.connect();
            while !self.books.iter().all(Book::is_up_to_date) && self.hear(&mut line, figures) {}
            if !self.books.iter().all(Book::is_up_to_date) {
                self.kill(line);
            }
        }
        for book in &self.books {
            book.check();
            Figures::count(&figures.held, book.held);
            Figures::count(&figures.lost, book.lost);
        }
    }

    /// Takes what comes over one connection, for a while.
    fn listen(&mut self, line: &mut Line, storm: &Storm, figures: &Figures) -> Heard {
        for _ in 0..=self.random() % MOST_PUSHES {
            if let Some(last) = storm.last() {
                return Heard::Last(last);
            }
            if !self.hear(line, figures) {
                return Heard::Nothing;
            }
        }
        Heard::Enough
    }

    /// Takes all that comes up to the last message, unless the server ends the connection. Then
    /// what is missing is what was told, to the number.
    fn hear_out(&mut self, line: &mut Line, last: u64, figures: &Figures) {
        while self
            .books
            .iter()
            .any(|book| book.accounts_for() < Some(last))
        {
            if !self.hear(line, figures) {
                return;
            }
        }
        for book in &self.books {
            assert_eq!(book.accounts_for(), Some(last), "{book:?}");
        }
    }

    fn connect(&self) -> Line {
        if self.is_stream {
            let id = [("last-event-id", self.last_event_id.as_str())];
            let headers = if self.last_event_id.is_empty() {
                &[][..]
            } else {
                &id
            };
            let path = format!("/sse?channels={}", CHANNELS.join(","));
            return Line::Stream(Sse::open(self.address, &path, headers));
        }
        let socket = Raw::open(self.address, None);
        for (channel, book) in CHANNELS.iter().zip(&self.books) {
            socket.say(&subscribe(channel, book.place.as_ref()));
        }
        Line::Socket(socket)
    }

    /// Is gone, in the middle of whatever it is being sent.
    fn kill(&mut self, line: Line) {
        match line {
            Line::Socket(socket) => socket.reset(),
            Line::Stream(stream) => drop(stream),
        }
        self.books.iter_mut().for_each(Book::break_off);
    }

    /// Takes what comes next; says whether anything did.
    fn hear(&mut self, line: &mut Line, figures: &Figures) -> bool {
        let Some(push) = self.next(line) else {
            return false;
        };
        let channel = push["channel_id"].as_str();
        let index = CHANNELS.iter().position(|name| Some(*name) == channel);
        match (push["type"].as_str().unwrap(), index) {
            ("connected" | "disconnect", None) => {}
            // The server has closed it before it was in all channels.
            ("error", _) if push["data"]["code"] == "closed" && !self.is_stream => {}
            ("joined", Some(index)) => match self.books[index].join(&push, self.is_stream) {
                Went::On => Figures::count(&figures.resumed, 1),
                Went::Told => Figures::count(&figures.told, 1),
                Went::Began | Went::OnWithNothingMissed => {}
            },
            ("gap", Some(index)) => self.books[index].gap(&push, self.may_lose),
            ("message", Some(index)) => self.books[index].message(&push),
            other => panic!("{other:?}: {push}"),
        }
        true
    }

    fn next(&mut self, line: &mut Line) -> Option<Value> {
        match line {
            Line::Socket(socket) => match socket.next() {
                Came::Push(push) => Some(push),
                Came::Close(code) => {
                    assert_eq!(code, 3008);
                    None
                }
                Came::End => None,
            },
            Line::Stream(stream) => {
                let event = stream.next()?;
                self.last_event_id = event.id;
                Some(serde_json::from_str(&event.data).unwrap())
            }
        }
    }

    /// A number that is the same in every run.
    fn random(&mut self) -> u64 {
        self.random = self
            .random
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(1);
        self.random >> 33
    }
}

/// The most pushes that come over one connection before it is killed.
const MOST_PUSHES: u64 = 1000;
