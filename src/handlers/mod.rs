//! Handlers for axum 0.8: the transports of a [`Gateway`](crate::Gateway) inside someone else's
//! application.
//!
//! ```no_run
//! use throng::*;
//!
//! # #[tokio::main]
//! # async fn main() -> std::io::Result<()> {
//! let gateway = Gateway::new(Hub::new());
//! let app = axum::Router::new()
//!     .route("/live", handlers::websocket(gateway.clone()))
//!     .nest("/more", handlers::router(gateway.clone()));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! axum::serve(listener, app)
//!     .with_graceful_shutdown(async move {
//!         // ... until it is told to stop, and then:
//!         gateway.drain().await;
//!     })
//!     .await
//! # }
//! ```
//!
//! Under `axum::serve` a WebSocket is served on the bare `TcpStream`; nothing of HTTP is left of
//! its connection. It is no request to axum any more: draining the gateway is what ends it well.

mod router;
mod sse;
mod websocket;

use axum::response::IntoResponse;
use axum::response::Response;

use crate::transport::Problem;

pub use self::router::router;
pub use self::sse::sse;
pub use self::sse::sse_subscribe;
pub use self::sse::sse_unsubscribe;
pub use self::websocket::websocket;

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        Self::into_response(self)
    }
}
