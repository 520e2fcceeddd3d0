//! A publication as a history has it.

use std::time::Duration;

use serde::Serialize;
use serde::Serializer;

use crate::hub::Frame;

use super::Timestamp;
use super::envelope::Envelope;

/// A publication as a history has it: what its push says, but for what all those of one channel
/// have in common, and for the time, which is when the push was first written.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a wrapper that says how its content is written"
)]
pub struct Remembered<'a>(pub &'a Frame);

impl Serialize for Remembered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let envelope = Envelope {
            channel_id: None,
            epoch: None,
            timestamp: None,
            ..Envelope::of(self.0, Timestamp::since_unix_epoch(Duration::ZERO))
        };
        envelope.serialize(serializer)
    }
}
