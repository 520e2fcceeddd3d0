//! The end of a connection whose client is still sending.
//!
//! A socket that is closed while bytes of its peer are unread is reset, and then the peer may lose
//! the answer that it has not read yet: the 413 to a body that is too large, above all. So the
//! server closes its half, and reads on for a while.

use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::time;

use crate::server::http::Http;

impl Http {
    /// Reads what the client still sends, and discards it, until it hangs up, pauses for too long,
    /// or has sent too much.
    pub(super) async fn linger<IO: AsyncRead + Unpin>(&self, mut io: IO) {
        let mut draining = self.draining.clone();
        let discarding = Box::pin(async {
            let mut chunk = vec![0; CHUNK];
            let mut left = MOST;
            while let Ok(Ok(length @ 1..)) = time::timeout(PAUSE, io.read(&mut chunk)).await {
                left = left.saturating_sub(length);
                if left == 0 {
                    return;
                }
            }
        });
        tokio::select! {
            _ = time::timeout(self.config.body_timeout, discarding) => {}
            _ = draining.wait_for(|draining| *draining) => {}
        }
    }
}

/// How much is read at once.
const CHUNK: usize = 16 << 10;

/// How much is discarded at most.
const MOST: usize = 64 << 20;

/// How long a client may pause.
const PAUSE: Duration = Duration::from_secs(2);
