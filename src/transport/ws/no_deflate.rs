//! What stands for permessage-deflate where the feature `deflate` is off: it is never turned on.

use bytes::Bytes;

use crate::transport::ws::reader::Inflate;

/// There is no way to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deflate {}

impl Deflate {
    pub(super) fn text(self, _payload: &[u8]) -> Option<Bytes> {
        match self {}
    }

    pub(super) const fn inflate(self) -> Inflate {
        match self {}
    }
}
