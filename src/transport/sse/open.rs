//! From a request to a stream.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::Method;
use hyper::Response;
use hyper::header;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;

use crate::disconnect::Disconnect;
use crate::hub::StreamPosition;
use crate::id::ChannelName;
use crate::layers::Layers;
use crate::layers::RoomId;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Missed;
use crate::protocol::StreamHello;
use crate::protocol::StreamPush;
use crate::session::Identity;
use crate::session::Moments;
use crate::session::Origin;
use crate::session::fault::channel_named;
use crate::session::fault::channels_fault;
use crate::time::millis;
use crate::transport::Problem;
use crate::transport::gateway::Gateway;
use crate::transport::gateway::arrival;
use crate::transport::sse::SseBody;
use crate::transport::sse::carrier::Carrier;
use crate::transport::sse::cursor::Cursor;
use crate::transport::sse::cursor::Malformed;
use crate::transport::sse::cursor::Mark;
use crate::transport::sse::cursor::Resume;
use crate::transport::sse::event;
use crate::transport::sse::headers;
use crate::transport::sse::headers::EVENT_STREAM;
use crate::transport::sse::opened::Ask;
use crate::transport::sse::opened::Opened;
use crate::transport::sse::query::Bounds;
use crate::transport::sse::query::Query;
use crate::transport::sse::refusal;
use crate::transport::sse::stream::Stream;
use crate::transport::sse::stream::random_part;
use crate::transport::sse::token::StreamToken;
use crate::transport::stats::Transport;

/// What a request asks for, checked before anything is spent on it.
struct Plan {
    cursor: Cursor,
    asks: VecDeque<Ask>,
    /// Rooms that it had, and how far.
    rooms: HashMap<RoomId, StreamPosition>,
    /// Channels that the client had, and that it cannot have again.
    refused: Vec<(String, Fault)>,
    resumed: Result<bool, Malformed>,
}

pub(super) async fn open(gateway: &Gateway, request: &Parts) -> Result<Response<SseBody>, Problem> {
    if request.method != Method::GET && request.method != Method::HEAD {
        return Err(refusal::method("GET, HEAD"));
    }
    if !headers::accepts_stream(&request.headers) {
        return Err(refusal::not_acceptable());
    }
    if gateway.is_draining() {
        return Err(Problem::draining(gateway.reconnect_window()));
    }
    let plan = Plan::of(gateway, request)?;
    let admission = gateway.admitted(request).await?;
    let identity = admission.identity.clone();
    if request.method == Method::HEAD {
        return Ok(response(SseBody::whole("")));
    }
    let hooks = gateway.hooks();
    if hooks.wants(Moments::CONNECT) {
        let arrival = arrival(&admission.options, Transport::Sse);
        let refused = |why: Disconnect| Problem::new(ErrorCode::Forbidden, why.reason());
        hooks.admit(arrival).await.map_err(refused)?;
    }
    let Some(id) = StreamToken::random() else {
        let why = "no random numbers can be had";
        return Err(Problem::new(ErrorCode::Misconfigured, why));
    };
    let (client, outbox, registration) = gateway
        .enter(admission, Transport::Sse, false)
        .map_err(|error| refusal::unavailable(&error, gateway.reconnect_window()))?;
    let Plan {
        cursor,
        mut asks,
        rooms,
        mut refused,
        resumed,
    } = plan;
    gateway.entrance().attach(&client, &rooms);
    for room in rooms.keys().map(RoomId::channel) {
        if !client.is_subscribed(&room) {
            let why = "the user is not in this room any more";
            refused.push((room, Fault::new(ErrorCode::NotMember, why)));
        }
    }
    let mut cursor = cursor;
    if let Some(identity) = identity {
        let max_name = gateway.hub().limits().max_channel_name;
        claim(&identity, max_name, &mut cursor, &mut asks, &mut refused);
    }
    let stream = Arc::new(Stream::new(id, client, outbox, registration, cursor));
    greet(gateway, &stream, resumed);
    for (channel, fault) in &refused {
        stream.refuse(channel, fault);
    }
    gateway.streams().insert(&stream, *gateway.sse_config());
    let opened = Opened::new(gateway, stream, asks);
    let carrier = request.extensions.get::<Carrier>();
    Ok(response(SseBody::of(opened, carrier)))
}

impl Plan {
    fn of(gateway: &Gateway, request: &Parts) -> Result<Self, Problem> {
        let config = gateway.sse_config();
        let max_name = gateway.hub().limits().max_channel_name;
        let bounds = Bounds {
            max_channels: config.max_channels,
            max_name,
            max_id: config.max_id,
        };
        let query = Query::parse(request.uri.query().unwrap_or_default(), bounds)?;
        let resume = match last_event_id(&request.headers, config.max_id) {
            Some(id) => id.and_then(Resume::parse),
            None => Resume::parse(&query.last_event_id),
        };
        let resumed = resume.as_ref().map(|resume| !resume.entries.is_empty());
        let mut plan = Self {
            cursor: Cursor::new(config.max_id),
            asks: VecDeque::new(),
            rooms: HashMap::new(),
            refused: Vec::new(),
            resumed: resumed.map_err(|malformed| *malformed),
        };
        let resume = resume.unwrap_or_default();
        if let Some(filter) = &query.filter {
            check_filter(gateway, filter)?;
        }
        let filter: Option<Arc<str>> = query.filter.map(Into::into);
        for channel in &query.channels {
            plan.name(channel, resume.get(channel), filter.as_ref())?;
        }
        for (channel, mark) in resume.entries {
            let is_named = query.channels.iter().any(|named| **named == *channel);
            if let (Mark::At(_), false) = (mark, is_named) {
                plan.bring_back(channel, mark, max_name);
            }
        }
        Ok(plan)
    }

    /// A channel of the query.
    fn name(
        &mut self,
        channel: &ChannelName,
        mark: Option<Mark>,
        filter: Option<&Arc<str>>,
    ) -> Result<(), Problem> {
        let since = match mark {
            Some(Mark::At(position)) => Some(position),
            _ => None,
        };
        let noted = match mark {
            Some(Mark::Left) => self.cursor.skip(channel),
            _ => self.cursor.ask(channel, since, true),
        };
        noted.map_err(|error| {
            Fault::new(ErrorCode::InvalidField, error.to_string()).field("channels")
        })?;
        if mark != Some(Mark::Left) {
            self.asks.push_back(Ask {
                channel: channel.clone(),
                since,
                filter: filter.cloned(),
                origin: match mark {
                    Some(_) => Origin::Restored,
                    None => Origin::Client,
                },
            });
        }
        Ok(())
    }

    /// A channel that only the cursor names: the client had joined it later.
    fn bring_back(&mut self, channel: String, mark: Mark, max_name: usize) {
        let since = match mark {
            Mark::At(position) => Some(position),
            Mark::Left => return,
        };
        if let Some((room, position)) = room_of(&channel).zip(since) {
            return self.go_on_in(room, position, max_name);
        }
        let fault = match channel_named(&channel, max_name) {
            Ok(name) => match self.cursor.ask(&name, since, false) {
                Ok(()) => {
                    return self.asks.push_back(Ask {
                        channel: name,
                        since,
                        filter: None,
                        origin: Origin::Restored,
                    });
                }
                Err(error) => Fault::new(ErrorCode::TooLarge, error.to_string()),
            },
            Err(fault) => fault,
        };
        self.refused.push((channel, fault.field("channel_id")));
    }

    /// A room of the cursor: it is joined if the user is still in it.
    fn go_on_in(&mut self, room: RoomId, position: StreamPosition, max_name: usize) {
        let channel = room.channel();
        let asked = match ChannelName::parse(&channel, max_name) {
            Ok(name) => self.cursor.ask(&name, Some(position), false),
            Err(error) => {
                let fault = Fault::new(ErrorCode::InvalidRoom, error.to_string());
                return self.refused.push((channel, fault));
            }
        };
        if let Err(error) = asked {
            let fault = Fault::new(ErrorCode::TooLarge, error.to_string());
            return self.refused.push((channel, fault));
        }
        self.rooms.insert(room, position);
    }
}

/// Refuses a filter that cannot be understood.
fn check_filter(gateway: &Gateway, filter: &str) -> Result<(), Fault> {
    let channels = gateway.layers().and_then(Layers::channels);
    let channels = channels.ok_or_else(|| {
        let why = "this server has filters turned off";
        Fault::new(ErrorCode::FeatureDisabled, why).field("filter")
    })?;
    channels.filter_of(filter).map_err(channels_fault)?;
    Ok(())
}

/// The room that a channel of the hub carries.
fn room_of(channel: &str) -> Option<RoomId> {
    RoomId::of_channel(channel).and_then(|room| RoomId::parse(room).ok())
}

/// What the header says, if it is there. What is longer than any id of ours is none.
fn last_event_id(headers: &HeaderMap, max: usize) -> Option<Result<&str, Malformed>> {
    const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
    let id = headers.get(LAST_EVENT_ID)?;
    let id = id.to_str().ok().filter(|id| id.len() <= max);
    Some(id.ok_or(Malformed))
}

/// Asks for the channels that the credentials claim.
fn claim(
    identity: &Identity,
    max_name: usize,
    cursor: &mut Cursor,
    asks: &mut VecDeque<Ask>,
    refused: &mut Vec<(String, Fault)>,
) {
    for channel in identity.subscriptions() {
        if let Some(ask) = asks.iter_mut().find(|ask| *ask.channel == *channel) {
            ask.origin = Origin::Claim;
            continue;
        }
        let asked = channel_named(channel, max_name).and_then(|name| {
            let asked = cursor.ask(&name, None, false);
            asked.map_err(|error| Fault::new(ErrorCode::TooLarge, error.to_string()))?;
            Ok(name)
        });
        match asked {
            Ok(name) => asks.push_back(Ask {
                channel: name,
                since: None,
                filter: None,
                origin: Origin::Claim,
            }),
            Err(fault) => refused.push((channel.to_owned(), fault)),
        }
    }
}

fn greet(gateway: &Gateway, stream: &Stream, resumed: Result<bool, Malformed>) {
    let config = gateway.sse_config();
    let token = stream.id.to_string();
    let hello = StreamHello {
        client: stream.client.id(),
        token: &token,
        heartbeat_ms: millis(config.heartbeat),
        resumed: resumed == Ok(true),
        user: stream.client.user(),
        expires_in_ms: stream.expires_in(gateway.entrance().now()),
    };
    let retry = config.retry.mul_f64(0.8 + 0.4 * random_part());
    let greeting = |out: &mut Vec<u8>| {
        event::retry(out, millis(retry));
        event::stream_push(out, "connected", StreamPush::Connected(&hello));
    };
    if hello.resumed {
        // By the standard a client forgets with the first event the id that it came with.
        stream.say_with_id(greeting);
    } else {
        stream.say(greeting);
    }
    if resumed.is_err() {
        let push = StreamPush::Gap {
            channel: None,
            missed: Missed::Unknown { reason: "id" },
        };
        stream.say(|out| event::stream_push(out, "gap", push));
    }
}

fn response(body: SseBody) -> Response<SseBody> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, EVENT_STREAM),
        (header::CACHE_CONTROL, "no-cache, no-store, no-transform"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
