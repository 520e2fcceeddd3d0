//! Which path is what.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::extract::State;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use tokio::sync::watch;

use crate::handlers::router as transports;
use crate::protocol::ErrorCode;
use crate::server::ServerConfig;
use crate::server::operations;
use crate::server::operations::Identified;
use crate::server::page;
use crate::transport::Gateway;
use crate::transport::Problem;
use crate::transport::cors;

/// What every handler knows.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) config: Arc<ServerConfig>,
    pub(super) gateway: Gateway,
    /// Turns true when the server drains.
    pub(super) draining: watch::Receiver<bool>,
}

/// The routes that a listener has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surface {
    /// All of them: beside another listener that has those of clients.
    Api,
    /// The routes that clients connect to, and health.
    Clients,
    /// All of them.
    Whole,
}

pub(super) fn router(app: App, surface: Surface) -> Router {
    let identified = middleware::from_fn_with_state(app.clone(), identify);
    let api = operations::router()
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(identified.clone())
        .layer(middleware::from_fn_with_state(app.clone(), check_origin));
    let clients = Router::new()
        .merge(transports(app.gateway.clone()))
        .route("/healthz", get(async || "ok"))
        .route("/live", get(async || "ok"))
        .route("/ready", get(ready));
    let whole = match surface {
        Surface::Clients => clients,
        Surface::Api | Surface::Whole => clients
            .route("/", get(page::page))
            .route(
                "/asyncapi.json",
                get(operations::asyncapi_document).layer(identified),
            )
            .nest("/api/v1", api),
    };
    whole
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(app)
}

/// Refuses requests of pages that may not use the API, and lets others read the answer.
async fn check_origin(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if !request.headers().contains_key(header::ORIGIN) {
        return Ok(next.run(request).await);
    }
    let origins = app.gateway.origins();
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    if !origins.allow(&uri, &headers) {
        let why = "pages of this origin may not use the API";
        return Err(Problem::new(ErrorCode::ForbiddenOrigin, why));
    }
    let is_preflight = request.method() == Method::OPTIONS
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight {
        let mut response = StatusCode::NO_CONTENT.into_response();
        cors::let_ask(METHODS, &headers, response.headers_mut());
        response
    } else {
        next.run(request).await
    };
    cors::let_read(origins, &uri, &headers, response.headers_mut());
    Ok(response)
}

/// The methods of the API.
const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";

/// Refuses requests without valid credentials, where anything is authenticated; notes of others
/// which identity they have.
async fn identify(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    if let Some(identity) = app.gateway.identify(&parts).await? {
        parts.extensions.insert(Identified(identity));
    }
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// Answers whether the server takes new clients.
async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    if *app.draining.borrow() || app.gateway.is_draining() {
        return Err(Problem::draining(app.gateway.reconnect_window()));
    }
    Ok("ok")
}

async fn not_found() -> Problem {
    Problem::new(ErrorCode::NotFound, "nothing is here")
}

async fn not_allowed(method: Method) -> Problem {
    let why = format!("{method} means nothing here");
    Problem::new(ErrorCode::MethodNotAllowed, why)
}
