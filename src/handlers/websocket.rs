//! `GET`, for WebSocket.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::MethodRouter;
use axum::routing::get;

use crate::transport::Gateway;
use crate::transport::Problem;

/// Lets WebSocket clients in: for `Router::route`.
///
/// See [`Gateway::websocket`] for what it does with a request.
pub fn websocket<S>(gateway: impl Into<Gateway>) -> MethodRouter<S, Infallible>
where
    S: Clone + Send + Sync + 'static,
{
    let gateway = gateway.into();
    get(async move |request: Request| answer(gateway.websocket(request).await))
}

fn answer(answered: Result<hyper::Response<()>, Problem>) -> Response {
    match answered {
        Ok(response) => response.map(|()| Body::empty()),
        Err(problem) => IntoResponse::into_response(problem),
    }
}
