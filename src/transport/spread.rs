//! How what all clients do is spread over time.

use crate::id::ClientId;

/// A number from 0 to 1 that differs from client to client and is always the same for one.
pub(super) fn spread(client: ClientId) -> f64 {
    let hash = client.get().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    hash as f64 / 2_f64.powi(32)
}
