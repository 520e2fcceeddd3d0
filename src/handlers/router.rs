//! All the transports at once.

use axum::Router;

use crate::handlers::sse;
use crate::handlers::sse_subscribe;
use crate::handlers::sse_unsubscribe;
use crate::handlers::websocket;
use crate::transport::Gateway;

/// All the transports: for `Router::merge` or `Router::nest`.
///
/// | route | what it does |
/// |---|---|
/// | `GET /ws` | [WebSocket](fn@websocket) |
/// | `GET /sse` | [server-sent events](fn@sse) |
/// | `POST /sse/{stream_token}/subscribe` | [subscribes](fn@sse_subscribe) a stream of these |
/// | `POST /sse/{stream_token}/unsubscribe` | [unsubscribes](fn@sse_unsubscribe) one |
pub fn router<S>(gateway: impl Into<Gateway>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let gateway = gateway.into();
    let (subscribe, unsubscribe) = (gateway.clone(), gateway.clone());
    Router::new()
        .route("/ws", websocket(gateway.clone()))
        .route("/sse", sse(gateway))
        .route("/sse/{stream_token}/subscribe", sse_subscribe(subscribe))
        .route(
            "/sse/{stream_token}/unsubscribe",
            sse_unsubscribe(unsubscribe),
        )
}
