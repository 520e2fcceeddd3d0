//! Which path is what.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::extract::State;
use axum::http::Method;
use axum::middleware;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;

use crate::handlers::router as transports;
use crate::protocol::ErrorCode;
use crate::server::ServerConfig;
use crate::server::operations;
use crate::server::page;
use crate::transport::Gateway;
use crate::transport::Problem;

/// What every handler knows.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) config: Arc<ServerConfig>,
    pub(super) gateway: Gateway,
}

pub(super) fn router(app: App) -> Router {
    let api = operations::router().layer(middleware::from_fn_with_state(app.clone(), check_origin));
    Router::new()
        .merge(transports(app.gateway.clone()))
        .route("/", get(page::page))
        .route("/healthz", get(async || "ok"))
        .route("/asyncapi.json", get(operations::asyncapi_document))
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
        return Err(Problem::new(ErrorCode::ForbiddenOrigin, why));
    }
    Ok(next.run(request).await)
}

async fn not_found() -> Problem {
    Problem::new(ErrorCode::NotFound, "nothing is here")
}

async fn not_allowed(method: Method) -> Problem {
    let why = format!("{method} means nothing here");
    Problem::new(ErrorCode::MethodNotAllowed, why)
}
