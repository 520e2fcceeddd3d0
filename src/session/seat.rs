//! One of the channels that a user may be in, over all of its connections.

use super::fault::channels_fault;
use super::fault::not_subscribed;
use super::fault::subscribe_fault;
use super::fault::user_fault;
use crate::hub::Client;
use crate::hub::SubscribeOptions;
use crate::layers::Layers;
use crate::protocol::Fault;

/// Subscribes a client to a channel that clients may use, if its user may be in one more.
pub(crate) async fn join(
    layers: Option<&Layers>,
    client: &Client,
    channel: &str,
    options: SubscribeOptions,
) -> Result<(), Fault> {
    check_channel(layers, channel)?;
    let seat = Seat::take(layers, client, channel)?;
    let joined = client.subscribe_with(channel, options).await;
    joined.map_err(|error| subscribe_fault(&error))?;
    seat.keep();
    Ok(())
}

/// Has a client leave a channel.
pub(crate) fn leave(layers: Option<&Layers>, client: &Client, channel: &str) -> Result<(), Fault> {
    client.unsubscribe(channel).map_err(|_| not_subscribed())?;
    Seat::give_back(layers, client, channel);
    Ok(())
}

/// Ends a client's subscription and tells it why. Nothing happens if it is not subscribed.
pub(crate) fn remove(layers: Option<&Layers>, client: &Client, channel: &str, reason: &str) {
    if client.force_unsubscribe(channel, reason).is_ok() {
        Seat::give_back(layers, client, channel);
    }
}

/// Whether clients may use this channel.
pub(crate) fn check_channel(layers: Option<&Layers>, channel: &str) -> Result<(), Fault> {
    match layers.and_then(Layers::channels) {
        Some(channels) => channels.check(channel).map_err(channels_fault),
        None => Ok(()),
    }
}

/// One of the channels that a user may be in; given back unless it is kept.
struct Seat<'a> {
    layers: Option<&'a Layers>,
    client: &'a Client,
    channel: &'a str,
    /// Whether the client had it before.
    is_kept: bool,
}

impl<'a> Seat<'a> {
    /// Takes one, if there is one left.
    fn take(
        layers: Option<&'a Layers>,
        client: &'a Client,
        channel: &'a str,
    ) -> Result<Self, Fault> {
        let mut is_kept = false;
        if let Some(layers) = layers {
            is_kept = client.is_subscribed(channel);
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
    fn keep(mut self) {
        self.is_kept = true;
    }

    /// The client has left.
    fn give_back(layers: Option<&Layers>, client: &Client, channel: &str) {
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
