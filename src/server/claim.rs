//! Users who say who they are, and are believed.

use axum::extract::Query;
use axum::http::request::Parts;
use serde::Deserialize;

use crate::hub::ConnectOptions;
use crate::layers::presence::DEVICE;
use crate::layers::presence::DEVICE_NAME;
use crate::transport::Unauthenticated;

/// Takes a client for whoever it says it is. For development only.
///
/// That is the `user` of the query, of at most 128 bytes, unchecked, with the `device` and the
/// `device_name` of the query, if they are there. To be set with [`GatewayBuilder::authenticate`].
///
/// [`GatewayBuilder::authenticate`]: crate::GatewayBuilder::authenticate
///
/// # Errors
///
/// When the query cannot be read or the user is longer.
pub fn trust_query_user(request: &Parts) -> Result<ConnectOptions, Unauthenticated> {
    let mut options = ConnectOptions::new();
    let query = Query::<Claim>::try_from_uri(&request.uri)
        .map_err(|_| Unauthenticated::new("the query cannot be read"))?;
    for (key, value) in [
        (DEVICE, &query.0.device),
        (DEVICE_NAME, &query.0.device_name),
    ] {
        if let Some(value) = value.as_deref().filter(|value| value.len() <= MAX_USER) {
            options = options.metadata(key, value);
        }
    }
    match query.0.user.as_deref().unwrap_or_default() {
        "" => Ok(options),
        user if user.len() > MAX_USER => {
            let why = format!("`user` is longer than {MAX_USER} bytes");
            Err(Unauthenticated::new(why))
        }
        user => Ok(options.user(user)),
    }
}

#[derive(Debug, Deserialize)]
struct Claim {
    user: Option<String>,
    device: Option<String>,
    device_name: Option<String>,
}

/// The longest user that a client may claim to be, and device that it may claim to have, in bytes.
const MAX_USER: usize = 128;
