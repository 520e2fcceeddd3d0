//! All streams of a gateway, and the task that watches whether they are taken.
//!
//! A body that nobody asks for more cannot find out that time passes: whoever writes it waits for
//! the socket, not for the body. So one task per gateway looks at all of them from time to time. It
//! runs while there are streams.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use ahash::RandomState;
use parking_lot::Mutex;
use tokio::time;

use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::sse::SseConfig;
use crate::transport::sse::stream::SharedStream;
use crate::transport::sse::stream::Stream;
use crate::transport::sse::token::StreamToken;

/// The streams of a gateway.
#[derive(Default)]
pub(crate) struct Streams {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    streams: HashMap<StreamToken, Watched, RandomState>,
    /// Whether the task runs.
    is_watched: bool,
}

/// A stream, and what was seen of it.
pub(super) struct Watched {
    stream: SharedStream,
    polls: u32,
    /// When it was first seen to have been polled so often.
    polled: Instant,
    /// When something was first seen to wait, not polled since.
    waiting: Option<Instant>,
}

impl Streams {
    pub(super) fn get(&self, id: StreamToken) -> Option<SharedStream> {
        let inner = self.inner.lock();
        Some(Arc::clone(&inner.streams.get(&id)?.stream))
    }

    /// Adds a stream, and begins to watch if nobody does.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub(super) fn insert(&self, stream: &SharedStream, config: SseConfig) {
        let watched = Watched::new(stream, SystemClock::new().now());
        let mut inner = self.inner.lock();
        inner.streams.insert(stream.id, watched);
        if !inner.is_watched {
            inner.is_watched = true;
            tokio::spawn(watch(Arc::clone(&self.inner), config));
        }
    }

    pub(super) fn remove(&self, id: StreamToken) {
        let removed = self.inner.lock().streams.remove(&id);
        drop(removed);
    }
}

/// Looks at all streams until there are none.
async fn watch(inner: Arc<Mutex<Inner>>, config: SseConfig) {
    let pause = (config.write_timeout / 4).clamp(LEAST_PAUSE, MOST_PAUSE);
    loop {
        time::sleep(pause).await;
        let now = SystemClock::new().now();
        let mut late = Vec::new();
        {
            let mut inner = inner.lock();
            if inner.streams.is_empty() {
                inner.is_watched = false;
                return;
            }
            for watched in inner.streams.values_mut() {
                if watched.is_late(now, config) {
                    late.push(Arc::clone(&watched.stream));
                }
            }
            for stream in &late {
                inner.streams.remove(&stream.id);
            }
        }
        late.iter().for_each(|stream| stream.cut());
    }
}

impl Watched {
    pub(super) fn new(stream: &SharedStream, now: Instant) -> Self {
        Self {
            stream: Arc::clone(stream),
            polls: stream.polls(),
            polled: now,
            waiting: None,
        }
    }

    /// Whether the body has not been asked for more for too long.
    pub(super) fn is_late(&mut self, now: Instant, config: SseConfig) -> bool {
        if self.stream.has_socket() {
            return false;
        }
        let polls = self.stream.polls();
        if polls != self.polls {
            self.polls = polls;
            self.polled = now;
            self.waiting = None;
        }
        if self.stream.has_waiting() {
            let since = *self.waiting.get_or_insert(now);
            if now.duration_since(since) >= config.write_timeout {
                return true;
            }
        }
        // With nothing to say, there are heartbeats.
        now.duration_since(self.polled) >= config.heartbeat.mul_f64(1.2) + config.write_timeout
    }
}

impl Stream {
    /// Whether it is the stream of this user, or of nobody for nobody.
    pub(super) fn is_of(&self, user: Option<&str>) -> bool {
        self.client.user() == user
    }
}

const LEAST_PAUSE: Duration = Duration::from_millis(10);

const MOST_PAUSE: Duration = Duration::from_secs(1);
