//! One of the channels that a user may be in, over all of its connections.

use crate::hub::Client;
use crate::layers::Layers;
use crate::protocol::Fault;
use crate::transport::fault::user_fault;

/// One of the channels that a user may be in; given back unless it is kept.
pub(super) struct Seat<'a> {
    layers: Option<&'a Layers>,
    client: &'a Client,
    channel: &'a str,
    /// Whether the client had it before.
    is_kept: bool,
}

impl<'a> Seat<'a> {
    /// Takes one, if there is one left.
    pub(super) fn take(
        layers: Option<&'a Layers>,
        client: &'a Client,
        channel: &'a str,
    ) -> Result<Self, Fault> {
        let mut is_kept = false;
        if let Some(layers) = layers {
            is_kept = client.subscriptions().iter().any(|name| **name == *channel);
            let reserved = layers.users().reserve_channel(client.id(), channel);
            reserved.map_err(|error| user_fault(&error))?;
        }
        Ok(Self {
            layers,
            client,
            channel,
            is_kept,
        })
    }

    /// The client has joined.
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }

    /// The client has left.
    pub(super) fn give_back(layers: Option<&Layers>, client: &Client, channel: &str) {
        if let Some(layers) = layers {
            layers.users().release_channel(client.id(), channel);
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            Self::give_back(self.layers, self.client, self.channel);
        }
    }
}
