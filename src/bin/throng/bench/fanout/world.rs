//! The hub, its channels and its clients.

use std::mem;

use throng::Channel;
use throng::ConnectOptions;
use throng::Hub;
use throng::Limits;
use throng::Outbox;
use throng::OutboxLimits;

use crate::bench::failed::Failed;
use crate::bench::options::is_slow;
use crate::bench::progress::Progress;

use super::drainer::Drainer;
use super::options::Options;

/// The hub, its channels and its clients.
pub(super) struct World {
    hub: Hub,
    channels: Vec<Channel>,
    healthy: Vec<Healthy>,
    /// Kept, and never drained.
    slow: Vec<Outbox>,
}

/// A client that drains.
pub(super) struct Healthy {
    pub(super) outbox: Outbox,
    pub(super) channel: usize,
    pub(super) drainer: usize,
    pub(super) sampled: bool,
    /// Time of publication of the newest message that it has received, in nanoseconds.
    pub(super) newest: u64,
}

impl World {
    pub(super) fn new(options: &Options) -> Result<Self, Failed> {
        let hub = hub(options)?;
        let names: Vec<_> = (0..options.channels)
            .map(|i| format!("bench-{i}"))
            .collect();
        let channels = names.iter().map(|name| hub.channel(name));
        let channels = channels.collect::<Result<_, _>>();
        let channels = channels.map_err(|e| Failed::new(format!("cannot make a channel: {e}")))?;
        let mut world = Self {
            hub,
            channels,
            healthy: Vec::with_capacity(options.subscribers),
            slow: Vec::new(),
        };
        let progress = Progress::new("clients", options.subscribers);
        for client in 0..options.subscribers {
            let channel = client % options.channels;
            world.connect(options, client, channel, &names[channel])?;
            if client.is_multiple_of(1_024) {
                progress.set(client);
            }
        }
        Ok(world)
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(super) fn channels(&self) -> &[Channel] {
        &self.channels
    }

    pub(super) fn slow(&self) -> usize {
        self.slow.len()
    }

    /// Hands the healthy clients to the threads that will drain them.
    pub(super) fn drainers(&mut self, options: &Options) -> Vec<Drainer> {
        let mut parts: Vec<Vec<_>> = (0..options.drainers).map(|_| Vec::new()).collect();
        for client in mem::take(&mut self.healthy) {
            parts[client.drainer].push(client);
        }
        parts
            .into_iter()
            .enumerate()
            .map(|(index, clients)| {
                // The first looks at those that no thread drains, too.
                let slow = if index == 0 {
                    self.slow() / options.sample
                } else {
                    0
                };
                let looks = (self.slow() > 0).then_some(slow);
                Drainer::new(clients, options.channels, looks)
            })
            .collect()
    }

    fn connect(
        &mut self,
        options: &Options,
        client: usize,
        channel: usize,
        name: &str,
    ) -> Result<(), Failed> {
        let failed = |why: String| Failed::new(format!("cannot connect client {client}: {why}"));
        let connected = self.hub.connect(ConnectOptions::new());
        let (handle, outbox) = connected.map_err(|e| failed(e.to_string()))?;
        handle
            .subscribe_blocking(name)
            .map_err(|e| failed(e.to_string()))?;
        if is_slow(client, options.slow_share) {
            self.slow.push(outbox);
            return Ok(());
        }
        self.healthy.push(Healthy {
            outbox,
            channel,
            drainer: client / options.channels % options.drainers,
            sampled: client.is_multiple_of(options.sample),
            newest: 0,
        });
        Ok(())
    }
}

fn hub(options: &Options) -> Result<Hub, Failed> {
    let limits = Limits::new()
        .clients(options.subscribers)
        .channels(options.channels)
        .payload(options.size);
    let outbox = OutboxLimits::new()
        .messages(options.outbox())
        .bytes(options.outbox_bytes());
    let hub = Hub::builder()
        .limits(limits)
        .outbox(outbox)
        .slow_consumer(options.slow_consumer())
        .build();
    hub.map_err(|error| Failed::new(format!("cannot build the hub: {error}")))
}
