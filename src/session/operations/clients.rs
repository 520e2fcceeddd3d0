//! What an operator or a backend asks of the hub: its clients, its channels, its counters.

use crate::hub::Client;
use crate::message::Message;
use crate::protocol::DeliveryReport;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::MAX_KEY;
use crate::protocol::Payload;
use crate::session::fault::publish_fault;
use crate::session::fault::unknown_client;

use super::Answer;
use super::Argument;
use super::Call;
use super::Kind;
use super::Method;
use super::Operation;
use super::Who;
use super::call::EVENT;
use super::channels::CHANNEL;
use super::channels::MAX_NAME;
use super::page::AFTER;
use super::page::LIMIT;
use super::verbs::BASE64;
use super::verbs::DATA;
use super::verbs::EXPIRES;
use super::verbs::KEY;
use super::verbs::METADATA;
use super::verbs::TEXT;
use super::view::ChannelList;
use super::view::ChannelView;
use super::view::ClientView;
use super::view::SlowList;
use super::view::StatsView;

const CLIENT: Argument = Argument::needed("client_id", Kind::Text, "Which client.");

pub(super) const TABLE: &[Operation] = &[
    Operation {
        name: "stats",
        method: Method::Get,
        path: "/stats",
        summary: "The counters of the hub, of the transports and of the listener.",
        who: Who::Server,
        arguments: &[],
        run: &|call: &Call<'_>| Ok(Answer::of(StatsView::of(call.entrance))),
    },
    Operation {
        name: "broadcast",
        method: Method::Post,
        path: "/broadcast",
        summary: "Sends a message to all clients: one of `data`, `text` and `base64`.",
        who: Who::Server,
        arguments: &[DATA, TEXT, BASE64, KEY, EVENT, METADATA, EXPIRES],
        run: &broadcast,
    },
    Operation {
        name: "client.slow",
        method: Method::Get,
        path: "/clients/slow",
        summary: "The clients that keep up worst, the worst first.",
        who: Who::Server,
        arguments: &[Argument::optional(
            "n",
            Kind::Number,
            "How many at most: 1 to 1,000, default 10.",
        )],
        run: &slow,
    },
    Operation {
        name: "client.stats",
        method: Method::Get,
        path: "/clients/{client_id}/stats",
        summary: "What waits for a client, what became of what did, and how it is connected.",
        who: Who::Server,
        arguments: &[CLIENT],
        run: &|call: &Call<'_>| Ok(Answer::of(ClientView::of(&client(call)?, call.entrance))),
    },
    Operation {
        name: "channel.list",
        method: Method::Get,
        path: "/channels",
        summary: "The channels there are, in the order of their names.",
        who: Who::Server,
        arguments: &[LIMIT, AFTER],
        run: &|call: &Call<'_>| {
            let (limit, after) = call.page()?;
            let hub = call.entrance.hub();
            Ok(Answer::of(ChannelList::of(hub, after.as_deref(), limit)))
        },
    },
    Operation {
        name: "channel.get",
        method: Method::Get,
        path: "/channels/{channel_id}",
        summary: "One channel that is there: its subscribers, its counters, its members.",
        who: Who::Server,
        arguments: &[CHANNEL],
        run: &channel,
    },
];

fn slow(call: &Call<'_>) -> Result<Answer<SlowList>, Fault> {
    let n = call.arguments.number("n", 1, MOST_SLOW)?.unwrap_or(10);
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    Ok(Answer::of(SlowList::of(call.entrance.hub(), n)))
}

/// The most slow clients that are listed at once.
const MOST_SLOW: u64 = 1000;

fn broadcast(call: &Call<'_>) -> Result<Answer<DeliveryReport>, Fault> {
    let delivery = call.entrance.hub().broadcast(message(call)?);
    let delivery = delivery.map_err(|error| publish_fault(&error))?;
    Ok(Answer::of(DeliveryReport::of(&delivery)))
}

/// The message that is sent.
fn message(call: &Call<'_>) -> Result<Message, Fault> {
    let most = u64::from(u32::MAX);
    let lifetime = call.arguments.number("expires_in_ms", 1, most)?;
    let lifetime = lifetime.and_then(|millis| u32::try_from(millis).ok()?.try_into().ok());
    let key = call.arguments.text("key", MAX_KEY)?;
    call.stamped(Payload::of(call.arguments)?.into_expiring(key, lifetime))
}

fn client(call: &Call<'_>) -> Result<Client, Fault> {
    let id = call.text("client_id", MAX_ID)?;
    let id = id.parse().map_err(|_| unknown_client())?;
    call.entrance.hub().client(id).ok_or_else(unknown_client)
}

fn channel(call: &Call<'_>) -> Result<Answer<ChannelView>, Fault> {
    let name = call.text("channel_id", MAX_NAME)?;
    let channel = call.entrance.hub().find_channel(&name);
    let channel = channel.ok_or_else(|| {
        Fault::new(ErrorCode::UnknownChannel, "no channel has this name").field("channel_id")
    })?;
    Ok(Answer::of(ChannelView::of(&channel)))
}

/// Digits of an id, and some.
const MAX_ID: usize = 32;
