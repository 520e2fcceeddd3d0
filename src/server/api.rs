//! The REST API: what an operator or a backend asks of the hub.

use std::fmt::Display;

use axum::Json;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use serde::Deserialize;

use crate::disconnect::Disconnect;
use crate::hub::Channel;
use crate::hub::ChannelError;
use crate::id::ClientId;
use crate::layers::is_reserved;
use crate::protocol::Fault;
use crate::protocol::Report;
use crate::server::body::Letter;
use crate::server::routes::App;
use crate::server::view::ChannelList;
use crate::server::view::ChannelView;
use crate::server::view::ClientView;
use crate::server::view::SlowList;
use crate::server::view::StatsView;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::Problem;
use crate::transport::fault::channel_code;
use crate::transport::fault::in_full;
use crate::transport::fault::reserved;

type Named = Result<Path<String>, PathRejection>;

/// Publishes to a channel, and answers when every subscriber's outbox has taken or refused it.
pub(super) async fn publish(
    State(app): State<App>,
    name: Named,
    letter: Letter,
) -> Result<Json<Report>, Problem> {
    let Path(name) = name.map_err(bad_path)?;
    let Letter { message, except } = letter;
    let channel = channel_of(&app, &name)?;
    let delivery = channel.publish_confirmed_except(message, except).await?;
    Ok(Json(Report::of(&delivery)))
}

/// Sends to all clients.
pub(super) async fn broadcast(
    State(app): State<App>,
    letter: Letter,
) -> Result<Json<Report>, Problem> {
    if letter.except.is_some() {
        let why = "a broadcast leaves nobody out: `except` is for channels";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_field", why));
    }
    Ok(Json(Report::of(
        &app.gateway.hub().broadcast(letter.message)?,
    )))
}

/// Sends to one client.
pub(super) async fn send(
    State(app): State<App>,
    id: Named,
    letter: Letter,
) -> Result<StatusCode, Problem> {
    app.gateway.hub().send_to(client_id(id)?, letter.message)?;
    Ok(StatusCode::NO_CONTENT)
}

/// One client, and how it is connected.
pub(super) async fn client(State(app): State<App>, id: Named) -> Result<Json<ClientView>, Problem> {
    let client = app.gateway.hub().client(client_id(id)?);
    let client = client.ok_or_else(Problem::unknown_client)?;
    Ok(Json(ClientView::of(&client, &app.gateway)))
}

/// Disconnects one client for good.
pub(super) async fn kick(State(app): State<App>, id: Named) -> Result<StatusCode, Problem> {
    match app
        .gateway
        .hub()
        .disconnect(client_id(id)?, Disconnect::KICKED)
    {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(_) => Err(Problem::unknown_client()),
    }
}

/// The counters of the hub, of the transports and of the listener.
pub(super) async fn stats(State(app): State<App>) -> Json<StatsView> {
    let uptime = SystemClock::new()
        .now()
        .saturating_duration_since(app.since);
    Json(StatsView::of(&app.gateway, app.accepting.stats(), uptime))
}

/// The channels there are.
pub(super) async fn channels(State(app): State<App>) -> Json<ChannelList> {
    Json(ChannelList::of(app.gateway.hub()))
}

/// One channel that exists.
pub(super) async fn channel(
    State(app): State<App>,
    name: Named,
) -> Result<Json<ChannelView>, Problem> {
    let Path(name) = name.map_err(bad_path)?;
    let channel = app.gateway.hub().existing_channel(&name).ok_or_else(|| {
        let why = "no channel has this name";
        Problem::new(StatusCode::NOT_FOUND, "unknown_channel", why)
    })?;
    Ok(Json(ChannelView::of(&channel)))
}

#[derive(Debug, Deserialize)]
pub(super) struct Slowest {
    n: Option<usize>,
}

/// The clients that keep up worst.
pub(super) async fn slow_clients(
    State(app): State<App>,
    query: Result<Query<Slowest>, QueryRejection>,
) -> Result<Json<SlowList>, Problem> {
    let Query(Slowest { n }) = query.map_err(|_| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_field",
            "`n` must be a whole number",
        )
    })?;
    Ok(Json(SlowList::of(
        app.gateway.hub(),
        n.unwrap_or(10).min(MOST_SLOW),
    )))
}

/// The most slow clients that are listed at once.
const MOST_SLOW: usize = 1000;

fn channel_of(app: &App, name: &str) -> Result<Channel, Problem> {
    if is_reserved(name) {
        return Err(reserved().field("channel").into());
    }
    app.gateway
        .hub()
        .channel(name)
        .map_err(|error: ChannelError| {
            Fault::new(channel_code(&error), in_full(&error))
                .field("channel")
                .into()
        })
}

fn client_id(id: Named) -> Result<ClientId, Problem> {
    let Path(id) = id.map_err(bad_path)?;
    id.parse().map_err(|_| Problem::unknown_client())
}

/// What is said of a path that cannot be decoded.
pub(super) fn bad_path(rejection: impl Display) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_path", rejection)
}
