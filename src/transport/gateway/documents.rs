//! The documents that describe a gateway to programs.

use crate::session::operations::asyncapi;
use crate::session::operations::openapi;

use super::Gateway;

impl Gateway {
    /// Returns the OpenAPI 3.1 document of the REST API, as JSON: what the server serves at
    /// `/api/v1/openapi.json`. An application that gives the API another path changes `paths`.
    ///
    /// ```
    /// use throng::Gateway;
    ///
    /// let document: serde_json::Value = serde_json::from_str(&Gateway::openapi())?;
    /// let publish = &document["paths"]["/api/v1/channels/{channel_id}/publish"]["post"];
    /// assert_eq!(publish["operationId"], "publish");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn openapi() -> String {
        openapi().to_string()
    }

    /// Returns the AsyncAPI 3.0 document of the native protocol, as JSON: its commands, their
    /// answers, and the pushes of a WebSocket. The server serves it at `/api/v1/asyncapi.json`.
    ///
    /// ```
    /// use throng::Gateway;
    ///
    /// let document: serde_json::Value = serde_json::from_str(&Gateway::asyncapi())?;
    /// assert_eq!(document["operations"]["room.send"]["action"], "receive");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn asyncapi() -> String {
        asyncapi().to_string()
    }
}
