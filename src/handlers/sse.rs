//! `GET`, for server-sent events, and the `POST`s beside it.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::Path;
use axum::extract::Request;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use axum::routing::MethodRouter;
use axum::routing::any;

use crate::transport::Gateway;
use crate::transport::sse::SseBody;

/// Streams of server-sent events: for `Router::route`.
///
/// See [`Gateway::sse`] for what it does with a request.
pub fn sse<S>(gateway: impl Into<Gateway>) -> MethodRouter<S, Infallible>
where
    S: Clone + Send + Sync + 'static,
{
    let gateway = gateway.into();
    any(async move |request: Request| {
        let (parts, _) = request.into_parts();
        answer(gateway.sse(&parts).await)
    })
}

/// Subscribes streams: for `Router::route` with a path of one parameter, as in
/// `/sse/{stream_token}/subscribe`.
///
/// See [`Gateway::sse_subscribe`] for what it does with a request.
pub fn sse_subscribe<S>(gateway: impl Into<Gateway>) -> MethodRouter<S, Infallible>
where
    S: Clone + Send + Sync + 'static,
{
    let gateway = gateway.into();
    any(async move |path: Named, request: Request| {
        let token = named(path);
        answer(gateway.sse_subscribe(&token, request).await)
    })
}

/// Unsubscribes streams; as [`sse_subscribe`].
///
/// See [`Gateway::sse_unsubscribe`] for what it does with a request.
pub fn sse_unsubscribe<S>(gateway: impl Into<Gateway>) -> MethodRouter<S, Infallible>
where
    S: Clone + Send + Sync + 'static,
{
    let gateway = gateway.into();
    any(async move |path: Named, request: Request| {
        let token = named(path);
        answer(gateway.sse_unsubscribe(&token, request).await)
    })
}

type Named = Result<Path<String>, PathRejection>;

/// What cannot be read names no stream.
fn named(path: Named) -> String {
    path.map_or_else(|_| String::new(), |Path(token)| token)
}

fn answer(response: Response<SseBody>) -> Response {
    response.map(Body::new)
}
