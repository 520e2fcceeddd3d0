//! A thread that publishes.

use std::ops::Add;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use throng::Message;

use crate::bench::latency::nanos;

use super::options::Options;
use super::options::Policy;
use super::pace::Pace;
use super::world::World;

/// A thread that publishes, to every n-th channel in turn.
pub(super) struct Publisher<'a> {
    index: usize,
    options: &'a Options,
    world: &'a World,
    pace: &'a Pace,
    payload: Vec<u8>,
}

/// What a publisher did.
#[derive(Default)]
pub(super) struct Published {
    /// Messages.
    pub(super) messages: u64,
    /// Time inside of `Channel::publish`.
    pub(super) inside: Duration,
    /// How often a channel refused a message for a moment, because too much waited on it.
    pub(super) backlogged: u64,
}

impl Add for Published {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            messages: self.messages + other.messages,
            inside: self.inside + other.inside,
            backlogged: self.backlogged + other.backlogged,
        }
    }
}

impl<'a> Publisher<'a> {
    pub(super) fn new(
        index: usize,
        options: &'a Options,
        world: &'a World,
        pace: &'a Pace,
    ) -> Self {
        let payload = vec![b'x'; options.size];
        Self {
            index,
            options,
            world,
            pace,
            payload,
        }
    }

    /// Publishes until the time is over, or all messages are published.
    pub(super) fn run(mut self, start: Instant) -> Published {
        let (last, until) = match self.options.messages {
            Some(messages) => (messages, None),
            None => (usize::MAX, Some(start + self.options.seconds)),
        };
        let mut published = Published::default();
        for sequence in 0..last {
            let channel = self.channel(sequence);
            let over = until.is_some_and(|until| Instant::now() >= until);
            if over || !self.pace.enter(channel, until) {
                break;
            }
            self.publish(channel, sequence, start, &mut published);
        }
        published
    }

    /// The channel of message number `sequence`.
    fn channel(&self, sequence: usize) -> usize {
        let channels = self.options.channels;
        let publishers = self.options.publishers;
        if publishers >= channels {
            return self.index % channels;
        }
        let mine = (channels - self.index).div_ceil(publishers);
        self.index + sequence % mine * publishers
    }

    fn publish(
        &mut self,
        channel: usize,
        sequence: usize,
        start: Instant,
        published: &mut Published,
    ) {
        let before = Instant::now();
        let stamp = nanos(before.duration_since(start));
        self.payload[..STAMP].copy_from_slice(&stamp.to_le_bytes());
        let mut message = Message::binary(Bytes::copy_from_slice(&self.payload));
        if matches!(self.options.policy, Policy::KeepLatest) {
            message = message.key(self.key(sequence));
        }
        let channel = &self.world.channels()[channel];
        while let Err(refused) = channel.publish(message) {
            message = refused.into_message();
            published.backlogged += 1;
            thread::yield_now();
        }
        published.inside += before.elapsed();
        published.messages += 1;
    }

    /// No two messages on their way have the same key, so that a healthy client gets them all.
    fn key(&self, sequence: usize) -> Bytes {
        let (index, turn) = (self.index, sequence % self.options.outbox());
        Bytes::from(format!("{index}-{turn}"))
    }
}

/// Bytes of a payload that tell when it was published: nanoseconds, the lowest byte first.
pub(super) const STAMP: usize = size_of::<u64>();
