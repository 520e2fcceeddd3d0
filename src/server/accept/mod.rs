//! From a listener to connections.

use std::io;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time;

use crate::server::connection::Connections;
use crate::server::listener::Listener;
use crate::server::permits::Permit;
use crate::session::ListenerView;

/// What all acceptors of a server share.
#[derive(Debug, Default)]
pub(super) struct Accepting {
    accepted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    no_tls: AtomicU64,
    unmarked: AtomicU64,
    /// How many connections there are to be accepted before the last failure is over.
    failing: AtomicU32,
}

/// How accepting went so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AcceptStats {
    /// Connections accepted and served.
    pub(super) accepted: u64,
    /// Connections closed at once: there were too many from where they came, or they lacked the
    /// PROXY header.
    pub(super) refused: u64,
    /// Failed attempts.
    pub(super) failed: u64,
    /// Connections that did not come to speak TLS.
    pub(super) no_tls: u64,
    /// Connections served without the unsent mark that is configured.
    pub(super) unmarked: u64,
}

impl Accepting {
    pub(super) fn view(&self, unsent_mark: Option<NonZeroU32>) -> ListenerView {
        let stats = self.stats();
        ListenerView {
            accepted: stats.accepted,
            refused: stats.refused,
            failed: stats.failed,
            no_tls: stats.no_tls,
            unsent_mark: unsent_mark.map_or(0, NonZeroU32::get),
            unmarked: stats.unmarked,
        }
    }

    fn stats(&self) -> AcceptStats {
        // Relaxed: figures for people.
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        AcceptStats {
            accepted: read(&self.accepted),
            refused: read(&self.refused),
            failed: read(&self.failed),
            no_tls: read(&self.no_tls),
            unmarked: read(&self.unmarked),
        }
    }

    fn succeeded(&self) {
        // Relaxed: a figure for people, and a word in the log.
        self.accepted.fetch_add(1, Ordering::Relaxed);
        // Relaxed: as above. Read first, since it is hardly ever set.
        if self.failing.load(Ordering::Relaxed) == 0 {
            return;
        }
        let one_less = |left: u32| left.checked_sub(1);
        // Relaxed: as above.
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        if self.failing.fetch_update(set, fetch, one_less) == Ok(1) {
            tracing::info!("accepting connections again");
        }
    }

    /// A connection did not come to speak TLS.
    pub(super) fn no_tls(&self) {
        // Relaxed: a figure for people.
        self.no_tls.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection has no unsent mark: its platform or its kind of socket has none.
    fn unmarked(&self) {
        // Relaxed: a figure for people, and a word in the log.
        if self.unmarked.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::info!("no unsent mark here: slow clients lag by what the kernel buffers");
        }
    }

    pub(super) fn refused(&self) {
        // Relaxed: a figure for people.
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&self, error: &io::Error) {
        // Relaxed: a figure for people, and a word in the log.
        self.failed.fetch_add(1, Ordering::Relaxed);
        // Relaxed: as above.
        if self.failing.swap(CALM, Ordering::Relaxed) == 0 {
            tracing::warn!("cannot accept connections, and will try again: {error}");
        }
    }
}

/// After so many connections without a failure the next one is worth a word again: a server at
/// its limit fails each time that a client has taken the place of another.
const CALM: u32 = 256;

/// Accepts connections, and serves each in a task of its own, until the server drains. Then waits
/// until they have ended.
pub(super) async fn accept<L: Listener>(
    listener: Arc<L>,
    connections: Arc<Connections>,
    mut draining: watch::Receiver<bool>,
) {
    let mut serving = JoinSet::new();
    let mut backoff = Backoff::new();
    'accepting: loop {
        // Kept while others end: it may have a connection that waits for room.
        let mut accepted = pin!(next(&*listener, &connections, &mut backoff));
        let (io, address, permit) = loop {
            tokio::select! {
                _ = draining.wait_for(|draining| *draining) => break 'accepting,
                _ = serving.join_next(), if !serving.is_empty() => {}
                accepted = &mut accepted => break accepted,
            }
        };
        let connections = Arc::clone(&connections);
        serving.spawn(async move { connections.serve(io, address, permit).await });
    }
    drop(listener);
    while serving.join_next().await.is_some() {}
}

/// The next connection that there is room for.
async fn next<L: Listener>(
    listener: &L,
    connections: &Connections,
    backoff: &mut Backoff,
) -> (L::Io, Option<IpAddr>, Permit) {
    let accepting = connections.accepting();
    loop {
        match listener.accept().await {
            Ok((io, ip)) => {
                *backoff = Backoff::new();
                // Where there is no room at all, the next connections wait in the backlog.
                if let Some(permit) = connections.permit(ip).await {
                    accepting.succeeded();
                    if let Some(mark) = connections.config().unsent_mark
                        && L::set_unsent_mark(&io, mark).is_err()
                    {
                        accepting.unmarked();
                    }
                    return (io, ip, permit);
                }
                accepting.refused();
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                accepting.failed(&error);
                time::sleep(backoff.wait()).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// How long to wait after a failure: the reason (most often that there are no more file
/// descriptors) does not pass at once.
#[derive(Debug)]
struct Backoff(Duration);

impl Backoff {
    const MAX: Duration = Duration::from_secs(1);
    const MIN: Duration = Duration::from_millis(5);

    fn new() -> Self {
        Self(Self::MIN)
    }

    /// Twice as long as the last time.
    fn wait(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(Self::MAX);
        wait
    }
}

#[cfg(test)]
mod tests;
