//! Recording.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use parking_lot::Mutex;

use crate::id::ClientId;
use crate::tune::recording::Record;
use crate::tune::recording::Recording;
use crate::tune::recording::What;
use crate::tune::recording::format::RECORD;

/// Records what is published and how fast slow clients take it, for [`Tuning::replay`].
///
/// It is told everything, the time too: it reads no clock and no hub, and costs nothing where it is
/// not called. An application calls [`Recorder::publish`] beside each publish that is to be
/// recorded, and [`Recorder::client`] every 100 ms for each client that is behind or was before.
///
/// ```
/// use std::time::Instant;
/// use throng::{Hub, Message};
/// use throng::tune::Recorder;
///
/// let hub = Hub::new();
/// let ticks = hub.channel("ticks")?;
/// let recorder = Recorder::new(1 << 20, 150);
/// let begin = Instant::now();
///
/// let message = Message::text("101").key("XY");
/// recorder.publish(begin.elapsed(), "ticks", Some(b"XY"), message.payload().len());
/// ticks.publish(message)?;
///
/// // Every 100 ms, with what `Gateway::connection` says of the socket:
/// for slow in hub.slow_clients(64) {
///     let (bytes_sent, unsent) = (0, 0);
///     recorder.client(begin.elapsed(), slow.id, bytes_sent, unsent, slow.stats.queued_messages);
/// }
/// let file = recorder.recording(hub.client_count()).to_bytes();
/// assert_eq!(&file[..8], b"throngrc");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Memory
///
/// At most the bytes that it was created with, and some 100 for each channel and each client that
/// was behind, 65,536 of each at most; what is beyond that is not recorded, and counted.
///
/// # Progress
///
/// A call takes a lock for the time of a look-up and an append; use one recorder for each publisher
/// where that matters.
///
/// [`Tuning::replay`]: crate::tune::Tuning::replay
#[derive(Debug)]
pub struct Recorder {
    capacity: usize,
    overhead: u32,
    salt: RandomState,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    records: VecDeque<Record>,
    lost: u64,
    channels: HashMap<String, u16>,
    clients: HashMap<ClientId, (u16, u64)>,
    /// No record is older than the one before.
    last: u64,
}

impl Recorder {
    /// Creates a recorder that holds at most so many bytes, 16 for each record. `overhead` is the
    /// number of bytes that a message takes on the wire beside its payload, some 150.
    #[must_use]
    pub fn new(bytes: usize, overhead: u32) -> Self {
        Self {
            capacity: (bytes / RECORD).max(1),
            overhead,
            salt: RandomState::new(),
            state: Mutex::default(),
        }
    }

    /// Records a publish, so long after the beginning.
    pub fn publish(&self, at: Duration, channel: &str, key: Option<&[u8]>, size: usize) {
        // Zero stands for no key.
        let key = key.map_or(0, |key| low(self.salt.hash_one(key)).max(1));
        let mut state = self.state.lock();
        let next = u16::try_from(state.channels.len()).ok();
        let known = state.channels.get(channel).copied();
        let Some(number) = known.or(next) else {
            state.lost += 1;
            return;
        };
        if known.is_none() {
            state.channels.insert(channel.to_owned(), number);
        }
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        state.push(
            self.capacity,
            at,
            What::Publish {
                channel: number,
                key,
                size,
            },
        );
    }

    /// Records a client: the bytes that its connection was given since it began, those of them that
    /// the kernel has not sent, and the messages in its outbox. It is behind if there are any.
    pub fn client(
        &self,
        at: Duration,
        client: ClientId,
        bytes_out: u64,
        unsent: u64,
        queued: usize,
    ) {
        let sent = bytes_out.saturating_sub(unsent);
        let cut = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let mut state = self.state.lock();
        let next = u16::try_from(state.clients.len()).ok();
        let known = state.clients.get(&client).copied();
        let Some((number, before)) = known.or_else(|| Some((next?, sent))) else {
            state.lost += 1;
            return;
        };
        state.clients.insert(client, (number, sent));
        let what = if known.is_none() {
            let queued = u32::try_from(queued).unwrap_or(u32::MAX);
            What::Begin {
                client: number,
                unsent: cut(unsent),
                queued,
            }
        } else {
            let bytes = cut(sent.saturating_sub(before));
            What::Taken {
                client: number,
                bytes,
                behind: queued > 0,
            }
        };
        state.push(self.capacity, at, what);
    }

    /// Records that a client was closed, with its code.
    pub fn closed(&self, at: Duration, client: ClientId, code: u16) {
        let mut state = self.state.lock();
        if let Some((number, _)) = state.clients.get(&client).copied() {
            let code = code.into();
            state.push(
                self.capacity,
                at,
                What::Closed {
                    client: number,
                    code,
                },
            );
        }
    }

    /// Returns what was recorded so far. `clients` is the number of all clients.
    #[must_use]
    pub fn recording(&self, clients: usize) -> Recording {
        let state = self.state.lock();
        let others = clients.saturating_sub(state.clients.len());
        Recording {
            overhead: self.overhead,
            others: u32::try_from(others).unwrap_or(u32::MAX),
            lost: state.lost,
            records: state.records.iter().copied().collect(),
        }
    }
}

impl State {
    fn push(&mut self, capacity: usize, at: Duration, what: What) {
        if self.records.len() == capacity {
            self.records.pop_front();
            self.lost += 1;
        }
        // Forty bits are twelve days.
        let micros = u64::try_from(at.as_micros())
            .unwrap_or(u64::MAX)
            .min((1 << 40) - 1);
        self.last = self.last.max(micros);
        let at = self.last;
        self.records.push_back(Record { at, what });
    }
}

fn low(hash: u64) -> u32 {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
