//! What stands for TLS where the feature `tls` is off: nothing that could be had.

use std::io;
use std::num::NonZeroU32;

/// No TLS.
#[derive(Clone, Debug)]
pub(super) enum Tls {}

impl Tls {
    #[expect(clippy::unused_async, reason = "it is one where there is TLS")]
    pub(super) async fn accept<IO>(&self, _: IO, _: Option<NonZeroU32>) -> io::Result<IO> {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "it is one where there is TLS")]
    pub(super) async fn watch(&self) -> ! {
        match *self {}
    }
}
