//! Handlers for axum 0.8: the transports of a [`Gateway`](crate::Gateway) inside someone else's
//! application.

mod sse;
mod websocket;

use axum::response::IntoResponse;
use axum::response::Response;

use crate::transport::Problem;

pub use self::sse::sse;
pub use self::sse::sse_subscribe;
pub use self::sse::sse_unsubscribe;
pub use self::websocket::websocket;

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        Self::into_response(self)
    }
}
