//! Where a stream is in all of its channels, as one text: the `id` of its events.
//!
//! ```text
//! news@41.1763,chat%20room@7.1764,old@-
//! ```
//!
//! Each entry is a channel, percent-encoded, with the `offset` and the `epoch` of the last event
//! that it brought; `-` stands for a channel that is in the address of the stream but was left.
//! The text is printable ASCII without spaces, and so the same in a header, in an event and, once
//! percent-encoded, in a query.

use std::error::Error;
use std::fmt;
use std::io::Write;

use smallvec::SmallVec;

use crate::hub::StreamPosition;
use crate::id::ChannelName;
use crate::transport::sse::percent;

/// A cursor as a client brings it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resume {
    pub(super) entries: Vec<(String, Mark)>,
}

/// What a cursor says of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// It was received up to here.
    At(StreamPosition),
    /// It was left, and is not to be joined again.
    Left,
}

impl Resume {
    /// Reads a cursor. An empty text is an empty cursor.
    pub(crate) fn parse(text: &str) -> Result<Self, Malformed> {
        let mut entries = Vec::new();
        if text.is_empty() {
            return Ok(Self { entries });
        }
        for entry in text.split(',') {
            let (name, mark) = entry.split_once('@').ok_or(Malformed)?;
            let name = percent::decode(name).ok_or(Malformed)?;
            if name.is_empty() {
                return Err(Malformed);
            }
            entries.push((name, Mark::parse(mark)?));
        }
        let mut names: Vec<_> = entries.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Malformed);
        }
        Ok(Self { entries })
    }

    pub(super) fn get(&self, channel: &str) -> Option<Mark> {
        let mut entries = self.entries.iter();
        let found = entries.find(|(name, _)| name == channel);
        found.map(|(_, mark)| *mark)
    }
}

impl fmt::Display for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, mark)) in self.entries.iter().enumerate() {
            let mut encoded = String::new();
            percent::encode(name, &mut encoded);
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{encoded}@{mark}")?;
        }
        Ok(())
    }
}

impl Mark {
    fn parse(text: &str) -> Result<Self, Malformed> {
        if text == "-" {
            return Ok(Self::Left);
        }
        let (offset, epoch) = text.split_once('.').ok_or(Malformed)?;
        Ok(Self::At(StreamPosition {
            offset: number(offset)?,
            epoch: number(epoch)?,
        }))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(StreamPosition { offset, epoch }) => write!(f, "{offset}.{epoch}"),
            Self::Left => f.write_str("-"),
        }
    }
}

/// Digits only: the parser of the standard library would take a sign as well.
fn number(text: &str) -> Result<u64, Malformed> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_err(|_| Malformed)
    } else {
        Err(Malformed)
    }
}

/// The text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id of this server")
    }
}

impl Error for Malformed {}

/// The cursor of a stream. It never becomes longer than its limit: each channel that is asked for
/// takes as much of it as it may ever need.
#[derive(Debug)]
pub(super) struct Cursor {
    /// Most streams have one channel.
    entries: SmallVec<[Entry; 1]>,
    /// What all entries may come to, in bytes.
    reserved: usize,
    limit: usize,
}

#[derive(Debug)]
struct Entry {
    channel: ChannelName,
    encoded: Box<str>,
    /// Whether the address of the stream names it, so that leaving it has to be remembered.
    is_of_address: bool,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It is being joined, to be continued from there.
    Asked(Option<StreamPosition>),
    /// It was received up to here.
    At(StreamPosition),
    /// It was left.
    Left,
}

impl Cursor {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            entries: SmallVec::new(),
            reserved: 0,
            limit,
        }
    }

    /// Makes room for a channel that is being joined.
    pub(super) fn ask(
        &mut self,
        channel: &ChannelName,
        since: Option<StreamPosition>,
        is_of_address: bool,
    ) -> Result<(), TooLong> {
        let entry = self.enter(channel, Place::Asked(since))?;
        entry.is_of_address |= is_of_address;
        Ok(())
    }

    /// A channel of the address that is not to be joined.
    pub(super) fn skip(&mut self, channel: &ChannelName) -> Result<(), TooLong> {
        self.enter(channel, Place::Left)?.is_of_address = true;
        Ok(())
    }

    /// A channel has been joined; gives the position from which it was to be continued.
    pub(super) fn join(
        &mut self,
        channel: &ChannelName,
        position: StreamPosition,
    ) -> Option<StreamPosition> {
        let since = match self.find(channel).map(|entry| entry.place) {
            Some(Place::Asked(since)) => since,
            _ => None,
        };
        // Who joined it was not asked for, and there may be no room: it goes without, then.
        if let Ok(entry) = self.enter(channel, Place::At(position)) {
            // The name that the frames of the channel have: the same text in the same place.
            entry.channel = channel.clone();
            // What was missed is told next; until then, nothing after `since` was received.
            entry.place = Place::At(since.unwrap_or(position));
        }
        since
    }

    /// What was missed has been told.
    pub(super) fn skip_to(&mut self, channel: &str, position: StreamPosition) {
        if let Some(entry) = self.find(channel) {
            entry.place = Place::At(position);
        }
    }

    /// An event of a channel is on its way. It never takes the cursor back: what was published
    /// before a join may arrive after it.
    pub(super) fn advance(&mut self, channel: &str, position: StreamPosition) {
        if let Some(entry) = self.find(channel)
            && let Place::At(at) = &mut entry.place
            && at.epoch == position.epoch
        {
            at.offset = at.offset.max(position.offset);
        }
    }

    /// A channel was left. It is remembered as such if the address would bring it back.
    pub(super) fn leave(&mut self, channel: &str) {
        let Some(index) = self.index(channel) else {
            return;
        };
        if self.entries[index].is_of_address {
            self.entries[index].place = Place::Left;
        } else {
            self.remove(index);
        }
    }

    /// A channel could not be joined. If it has been meanwhile, by somebody else, it stays.
    pub(super) fn forget(&mut self, channel: &str) {
        if let Some(index) = self.index(channel)
            && let Place::Asked(_) = self.entries[index].place
        {
            self.remove(index);
        }
    }

    /// The only channel of the cursor and its position, if it is no more than that.
    pub(super) fn sole(&self) -> Option<(&str, StreamPosition)> {
        match &self.entries[..] {
            [
                Entry {
                    channel,
                    place: Place::At(at),
                    ..
                },
            ] => Some((channel, *at)),
            _ => None,
        }
    }

    /// Events of the [only channel](Self::sole) are on their way, up to this offset.
    pub(super) fn advance_sole(&mut self, offset: u64) {
        if let [entry] = &mut self.entries[..]
            && let Place::At(at) = &mut entry.place
        {
            at.offset = at.offset.max(offset);
        }
    }

    /// Whether the whole cursor is this one channel at this position.
    pub(super) fn is_just(&self, channel: &str, position: StreamPosition) -> bool {
        match &self.entries[..] {
            [entry] => entry.place == Place::At(position) && entry.channel.as_str() == channel,
            _ => false,
        }
    }

    /// Whether the channel is held, or about to be.
    pub(super) fn has(&self, channel: &str) -> bool {
        let place = self.index(channel).map(|index| self.entries[index].place);
        matches!(place, Some(Place::Asked(_) | Place::At(_)))
    }

    /// Appends the text.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut comma = "";
        for Entry { encoded, place, .. } in &self.entries {
            let mark = match *place {
                Place::Asked(None) => continue,
                // Who breaks off before it has joined has still to be given what it missed.
                Place::Asked(Some(position)) | Place::At(position) => Mark::At(position),
                Place::Left => Mark::Left,
            };
            let written = write!(out, "{comma}{encoded}@{mark}");
            debug_assert!(written.is_ok(), "a Vec takes every write");
            comma = ",";
        }
    }

    fn enter(&mut self, channel: &ChannelName, place: Place) -> Result<&mut Entry, TooLong> {
        let index = match self.index(channel) {
            Some(index) => index,
            None => self.insert(channel)?,
        };
        let entry = &mut self.entries[index];
        entry.place = place;
        Ok(entry)
    }

    fn insert(&mut self, channel: &ChannelName) -> Result<usize, TooLong> {
        let mut encoded = String::new();
        percent::encode(channel, &mut encoded);
        let entry = Entry {
            channel: channel.clone(),
            encoded: encoded.into(),
            is_of_address: false,
            place: Place::Left,
        };
        let reserved = self.reserved + entry.reserved();
        if reserved > self.limit {
            return Err(TooLong { limit: self.limit });
        }
        self.reserved = reserved;
        self.entries.push(entry);
        Ok(self.entries.len() - 1)
    }

    fn remove(&mut self, index: usize) {
        let entry = self.entries.remove(index);
        self.reserved -= entry.reserved();
    }

    fn find(&mut self, channel: &str) -> Option<&mut Entry> {
        let index = self.index(channel)?;
        Some(&mut self.entries[index])
    }

    fn index(&self, channel: &str) -> Option<usize> {
        let mut entries = self.entries.iter();
        entries.position(|entry| entry.channel.as_str() == channel)
    }
}

impl Entry {
    /// The most bytes that it ever takes: the name, two numbers, and what stands around them.
    fn reserved(&self) -> usize {
        self.encoded.len() + "@.,".len() + 2 * MAX_DIGITS
    }
}

/// The digits of the largest number.
const MAX_DIGITS: usize = 20;

/// The ids of the stream would become longer than they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong {
    pub(super) limit: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the ids of this stream could become longer than {} bytes: ask for fewer channels, or \
             for shorter names",
            self.limit
        )
    }
}

impl Error for TooLong {}

/// Appends the cursor of a stream that has this one channel.
pub(super) fn write_one(channel: &str, position: StreamPosition, out: &mut Vec<u8>) {
    let mut encoded = String::new();
    percent::encode(channel, &mut encoded);
    let written = write!(out, "{encoded}@{}", Mark::At(position));
    debug_assert!(written.is_ok(), "a Vec takes every write");
}
