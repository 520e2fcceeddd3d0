//! Which path is what.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::extract::State;
use axum::http::Method;
use axum::http::StatusCode;
use axum::middleware;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;

use crate::axum::router as transports;
use crate::server::ServerConfig;
use crate::server::accept::Accepting;
use crate::server::api;
use crate::server::operations;
use crate::server::page;
use crate::transport::Gateway;
use crate::transport::Problem;

/// What every handler knows.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) accepting: Arc<Accepting>,
    pub(super) config: Arc<ServerConfig>,
    pub(super) gateway: Gateway,
    pub(super) since: Instant,
}

pub(super) fn router(app: App) -> Router {
    let api = Router::new()
        .route("/broadcast", post(api::broadcast))
        .route("/channels", get(api::channels))
        .route("/channels/{channel_id}", get(api::channel))
        .route("/channels/{channel_id}/publish", post(api::publish))
        .route("/clients/slow", get(api::slow_clients))
        .route("/clients/{id}", get(api::client).delete(api::kick))
        .route("/clients/{id}/send", post(api::send))
        .route("/stats", get(api::stats))
        .merge(operations::router())
        .layer(middleware::from_fn_with_state(app.clone(), check_origin));
    Router::new()
        .merge(transports(app.gateway.clone()))
        .route("/", get(page::page))
        .route("/healthz", get(async || "ok"))
        .nest("/api/v1", api)
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(app)
}

/// Refuses requests that the page of another host makes.
async fn check_origin(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if !app
        .gateway
        .origins()
        .allow(request.uri(), request.headers())
    {
        let why = "pages of this origin may not use the API";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden_origin", why));
    }
    Ok(next.run(request).await)
}

async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "nothing is here")
}

async fn not_allowed(method: Method) -> Problem {
    let why = format!("{method} means nothing here");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", why)
}
