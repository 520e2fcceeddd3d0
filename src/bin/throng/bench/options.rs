//! Values of options: each has bounds, and says which when they are left.

use std::time::Duration;

/// A whole number from `MIN` to `MAX`; `_` may group the digits.
pub(super) fn count<const MIN: usize, const MAX: usize>(text: &str) -> Result<usize, String> {
    match text.replace('_', "").parse() {
        Ok(count) if (MIN..=MAX).contains(&count) => Ok(count),
        _ => Err(format!("must be a whole number from {MIN} to {MAX}")),
    }
}

/// A share of all clients, from 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}

/// Seconds, at least a hundredth and at most a day.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.01..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("must be a number of seconds from 0.01 to 86400".to_owned()),
    }
}

/// Seconds, perhaps none, and at most a day.
pub(super) fn seconds_or_none(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("must be a number of seconds from 0 to 86400".to_owned()),
    }
}

/// Whether client number `client` is one of the slow share.
///
/// Multiples of the golden ratio, modulo one, are spread so evenly that every channel, which has
/// every n-th client, gets its share of the slow.
pub(super) fn is_slow(client: usize, share: f64) -> bool {
    const TURN: u64 = 0x9E37_79B9_7F4A_7C15;
    let place = (client as u64).wrapping_mul(TURN);
    // Both are fractions of 2^64; the rounding moves the border by one client in 2^53.
    (place as f64) < share * 2.0_f64.powi(64)
}
