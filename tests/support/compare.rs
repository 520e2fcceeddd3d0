//! What the hub shows, compared with what the model says.

use std::sync::atomic::Ordering;

use throng::ClientId;
use throng::Delivery;
use throng::Event;
use throng::Frame;
use throng::HubEvent;
use throng::Joined;
use throng::Member;
use throng::PresenceChange;
use throng::StreamPosition;
use throng::TryRecvError;

use super::Heard;
use super::Peer;
use super::Replay;
use super::content;
use crate::model;
use crate::model::Item;
use crate::model::Line;
use crate::model::NAMES;
use crate::model::Nothing;
use crate::model::What;

impl Replay {
    /// Compares all that can be seen from outside.
    pub(crate) fn compare(&mut self) {
        self.compare_hub();
        self.compare_channels();
        self.compare_told();
        for client in 0..self.peers.len() {
            self.compare_client(client);
        }
        let waiting = self.model.clients.iter().flat_map(model::Client::waiting);
        let waiting = waiting.chain(self.model.handed_over());
        let mut numbers: Vec<_> = waiting
            .filter_map(|item| match item.what {
                What::Message(note) => Some(note.number),
                _ => None,
            })
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        let alive = self.payloads.alive.load(Ordering::Relaxed);
        assert_eq!(alive, numbers.len(), "payloads alive");
    }

    fn compare_hub(&self) {
        let model = &self.model;
        let stats = self.hub.stats();
        let subscribers = model.channels[1..]
            .iter()
            .map(model::Channel::subscriber_count);
        assert_eq!(self.hub.is_closed(), model.is_closed);
        assert_eq!(self.hub.client_count(), model.client_count, "client_count");
        assert_eq!(stats.clients, model.client_count);
        assert_eq!(stats.connected, model.clients.len() as u64);
        assert_eq!(stats.subscriptions, subscribers.sum::<usize>());
        assert_eq!(
            self.hub.channel_count(),
            model.channels.len() - 1,
            "channel_count"
        );
        assert_eq!(stats.channels, model.channels.len() - 1);
        let figures = model::Figures {
            published: stats.published,
            delivered: stats.delivered,
            dropped: stats.dropped,
            disconnected: stats.disconnected_slow,
            evicted: stats.evicted,
        };
        assert_eq!(figures, model.figures(), "stats");
    }

    fn compare_channels(&mut self) {
        let mut names = self.hub.channels();
        names.sort_unstable();
        let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
        let mut expected: Vec<_> = self.model.channels[1..]
            .iter()
            .filter_map(|channel| channel.name)
            .map(|name| NAMES[name])
            .collect();
        expected.sort_unstable();
        assert_eq!(names, expected, "channels");
        for (index, name) in NAMES.iter().enumerate() {
            let life = self.model.find(index);
            let channel = life.map(|life| &*self.model.channel(life));
            let count = channel.map_or(0, model::Channel::subscriber_count);
            let members = channel.map_or_else(Vec::new, model::Channel::members);
            assert_eq!(self.hub.subscriber_count(name), count, "{name}");
            assert_eq!(members_of(&self.hub.presence(name)), members, "{name}");
        }
        for index in 0..self.handles.len() {
            self.compare_handle(index);
        }
    }

    fn compare_handle(&mut self, index: usize) {
        let (name, life, channel) = &self.handles[index];
        let stats = channel.stats();
        let expected = self.model.channel(*life);
        assert_eq!(channel.name().as_str(), NAMES[*name]);
        assert_eq!(stats.subscribers, expected.subscriber_count());
        let figures = model::Figures {
            published: stats.published,
            delivered: stats.delivered,
            dropped: stats.dropped,
            disconnected: stats.disconnected_slow,
            evicted: stats.evicted,
        };
        assert_eq!(figures, expected.figures, "{}", NAMES[*name]);
        let position = (*life, expected.offset);
        self.compare_position(stats.position, position);
    }

    fn compare_client(&self, client: usize) {
        let peer = &self.peers[client];
        let expected = &self.model.clients[client];
        let stats = peer.client.stats();
        let options = &expected.options;
        assert!(stats.queued_messages <= options.max_messages, "{stats:?}");
        assert!(stats.queued_bytes <= options.max_bytes as u64, "{stats:?}");
        assert!(stats.high_water <= options.max_messages, "{stats:?}");
        assert_eq!(peer.client.close_reason(), expected.closed.as_ref());
        assert_eq!(peer.client.is_closed(), expected.closed.is_some());
        let is_known = self.hub.client(peer.client.id()).is_some();
        assert_eq!(is_known, expected.closed.is_none());
        assert_eq!(
            stats.queued_messages,
            expected.queued_messages(),
            "{client}"
        );
        assert_eq!(stats.queued_bytes, expected.queued_bytes(), "{client}");
        assert_eq!(stats.dropped, expected.dropped, "{client}");
        assert_eq!(stats.evicted, expected.evicted, "{client}");
        assert_eq!(stats.conflated, expected.conflated, "{client}");
        assert_eq!(stats.high_water, expected.high_water, "{client}");
        // What is discarded with an outbox counts as received.
        if expected.has_outbox {
            assert_eq!(stats.received, expected.received, "{client}");
            assert_eq!(stats.abandoned, expected.abandoned, "{client}");
        }
        let mut names = peer.client.subscriptions();
        names.sort_unstable_by_key(|name| index_of(name));
        let names: Vec<_> = names.iter().map(|name| index_of(name)).collect();
        assert_eq!(names, self.model.subscriptions(client), "{client}");
    }

    fn compare_told(&mut self) {
        let told = std::mem::take(&mut *self.told.0.lock().unwrap());
        let lines: Vec<_> = told.iter().map(|heard| self.line(heard)).collect();
        assert_eq!(lines, self.model.lines[self.lines..], "told");
        self.lines = self.model.lines.len();
    }

    fn line(&self, heard: &Heard) -> Line {
        match heard {
            Heard::Presence(event) => {
                let channel = index_of(&event.channel);
                let member = member_of(&event.member);
                match event.change {
                    PresenceChange::Joined => Line::Joined(channel, member),
                    PresenceChange::Left => Line::Left(channel, member),
                }
            }
            Heard::Log(HubEvent::JoinDenied {
                client, channel, ..
            }) => Line::Denied(self.number(*client), index_of(channel)),
            Heard::Log(HubEvent::SlowDisconnected { client }) => {
                Line::Disconnected(self.number(*client))
            }
            Heard::Log(HubEvent::DroppingStarted { client, channel }) => {
                let channel = channel.as_ref().map(|name| index_of(name));
                Line::Dropping(self.number(*client), channel)
            }
            Heard::Log(other) => panic!("unknown to the model: {other}"),
        }
    }

    fn number(&self, id: ClientId) -> usize {
        let place = self.peers.iter().position(|peer| peer.client.id() == id);
        place.unwrap()
    }

    pub(super) fn compare_delivery(&mut self, real: &Delivery, expected: &model::Delivery) {
        assert!(!real.is_deferred(), "nobody else is there");
        let position = match (real.position(), expected.position) {
            (Some(real), Some(expected)) => {
                self.compare_position(real, expected);
                Some(expected)
            }
            (None, None) => None,
            (real, expected) => panic!("published at {real:?}, expected {expected:?}"),
        };
        let real = model::Delivery {
            addressed: real.addressed(),
            delivered: real.delivered(),
            dropped: real.dropped(),
            disconnected: real.disconnected(),
            evicted: real.evicted(),
            position,
        };
        assert_eq!(real, *expected);
    }

    /// Each life of a channel has one epoch, and no other life has it.
    fn compare_position(&mut self, real: StreamPosition, (life, offset): model::Position) {
        let StreamPosition { epoch, offset: at } = real;
        assert_eq!(at, offset, "offset");
        let known = *self.epochs.entry(life).or_insert(epoch);
        assert_eq!(known, epoch, "the epoch of life {life}");
        let lives = self.epochs.values().filter(|other| **other == epoch);
        assert_eq!(lives.count(), 1, "epoch {epoch} has come back");
    }

    pub(super) fn compare_joined(&mut self, real: &Joined, expected: &model::Joined) {
        self.compare_position(real.position, expected.position);
        assert_eq!(real.recovered, expected.recovered);
        assert_eq!(members_of(&real.members), expected.members);
    }

    pub(super) fn compare_frames(&mut self, client: usize, frames: &[Frame], items: &[Item]) {
        let received: Vec<_> = frames.iter().collect();
        assert_eq!(
            frames.len(),
            items.len(),
            "{received:?}, expected {items:?}"
        );
        for (frame, item) in frames.iter().zip(items) {
            self.compare_frame(frame, item);
            self.peers[client].note_order(frame);
        }
    }

    fn compare_frame(&mut self, frame: &Frame, item: &Item) {
        let words = format!("{frame:?}, expected {item:?}");
        let channel = frame.channel().map(|name| index_of(name));
        assert_eq!(channel, item.channel, "{words}");
        match (frame.event(), &item.what) {
            (Event::Message(message), What::Message(note)) => {
                assert_eq!(*message.payload(), content(*note), "{words}");
                let key = message.conflation_key().map(|key| key[0]);
                assert_eq!(key, note.key, "{words}");
            }
            (Event::MemberAdded(real), What::Added(member))
            | (Event::MemberRemoved(real), What::Removed(member)) => {
                assert_eq!(member_of(real), *member, "{words}");
            }
            (Event::Joined(real), What::Joined(expected)) => self.compare_joined(real, expected),
            (Event::Unsubscribed(_), What::Left) => {}
            (
                Event::Gap(gap),
                What::Gap {
                    first,
                    last,
                    missed,
                },
            ) => {
                let expected = (*first, *last, *missed);
                assert_eq!((gap.first, gap.last, gap.missed), expected, "{words}");
            }
            _ => panic!("{words}"),
        }
        match item.position {
            Some(position) => {
                let real = StreamPosition {
                    offset: frame.offset(),
                    epoch: frame.epoch(),
                };
                self.compare_position(real, position);
            }
            None => assert_eq!(frame.offset(), 0, "{words}"),
        }
    }
}

impl Peer {
    /// The publications of a channel come in the order of their offsets.
    fn note_order(&mut self, frame: &Frame) {
        let is_publication = matches!(
            frame.event(),
            Event::MemberAdded(_) | Event::MemberRemoved(_) | Event::Message(_)
        );
        let Some(channel) = frame.channel().filter(|_| is_publication) else {
            return;
        };
        let stream = (channel.to_string(), frame.epoch());
        let before = self.offsets.insert(stream, frame.offset());
        assert!(before < Some(frame.offset()), "{before:?}, then {frame:?}");
    }
}

fn member_of(real: &Member) -> model::Member {
    model::Member {
        user: real.id()[1..].parse().unwrap(),
        info: u8::try_from(real.info().len()).unwrap(),
    }
}

fn members_of(real: &[Member]) -> Vec<model::Member> {
    let mut members: Vec<_> = real.iter().map(member_of).collect();
    members.sort_unstable();
    members
}

fn index_of(name: &str) -> usize {
    NAMES.iter().position(|it| *it == name).unwrap()
}

pub(super) fn compare_nothing(real: &TryRecvError, expected: &Nothing) {
    let real = match real {
        TryRecvError::Closed(closed) => Nothing::Closed(closed.disconnect().clone()),
        TryRecvError::Empty => Nothing::Empty,
        other => panic!("{other:?}"),
    };
    assert_eq!(real, *expected);
}
