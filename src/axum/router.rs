//! All the transports at once.

use axum::Router;

use crate::axum::sse;
use crate::axum::sse_subscribe;
use crate::axum::sse_unsubscribe;
use crate::axum::websocket;
use crate::transport::Gateway;

/// All the transports: for `Router::merge` or `Router::nest`.
///
/// | route | what it does |
/// |---|---|
/// | `GET /ws` | [WebSocket](fn@websocket) |
/// | `GET /sse` | [server-sent events](fn@sse) |
/// | `POST /sse/{connection_id}/subscribe` | [subscribes](fn@sse_subscribe) a stream of these |
/// | `POST /sse/{connection_id}/unsubscribe` | [unsubscribes](fn@sse_unsubscribe) one |
pub fn router<S>(gateway: impl Into<Gateway>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let gateway = gateway.into();
    let (subscribe, unsubscribe) = (gateway.clone(), gateway.clone());
    Router::new()
        .route("/ws", websocket(gateway.clone()))
        .route("/sse", sse(gateway))
        .route("/sse/{connection_id}/subscribe", sse_subscribe(subscribe))
        .route(
            "/sse/{connection_id}/unsubscribe",
            sse_unsubscribe(unsubscribe),
        )
}
