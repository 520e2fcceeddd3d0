//! Tickets: credentials for one connection, short enough for a URL.
//!
//! A browser cannot set headers on a WebSocket, and a token in a URL ends up in logs. So a client
//! asks for a ticket with its token, and opens the connection with the ticket.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use data_encoding::BASE64URL_NOPAD;
use parking_lot::Mutex;

use crate::code::ErrorCode;
use crate::session::Identity;
use crate::time::Clock;

use super::Authenticated;
use super::Authenticator;
use super::Carrier;
use super::Credentials;
use super::Refusal;
use super::time::TimeOfDay;

/// Tickets that were issued and not taken. Clones share them.
///
/// A ticket has 192 random bits. It is taken once, and within [`TicketsConfig::ttl`]. The identity
/// that it stands for keeps the expiry of the credentials that it was issued for.
///
/// As an [`Authenticator`] it decides about [`Carrier::Ticket`] alone.
///
/// # Memory
///
/// At most [`TicketsConfig::max_tickets`] identities.
#[derive(Clone)]
pub struct Tickets {
    inner: Arc<Inner>,
}

struct Inner {
    config: TicketsConfig,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tickets: HashMap<Arc<str>, Identity>,
    /// The tickets in the order of their ends; those that were taken are among them.
    order: VecDeque<(Instant, Arc<str>)>,
}

/// The bytes of randomness in a ticket.
const RANDOM: usize = 24;

impl Tickets {
    /// Creates an empty set of tickets.
    #[must_use]
    pub fn new(config: TicketsConfig) -> Self {
        let state = Mutex::default();
        Self {
            inner: Arc::new(Inner { config, state }),
        }
    }

    /// Issues a ticket for `identity`.
    ///
    /// # Errors
    ///
    /// [`TicketError::Full`]: as many tickets as there may be wait to be taken.
    /// [`TicketError::NoRandomness`]: the system has no randomness.
    pub fn issue(&self, identity: Identity) -> Result<String, TicketError> {
        let mut random = [0; RANDOM];
        getrandom::fill(&mut random).map_err(|_| TicketError::NoRandomness)?;
        let ticket = BASE64URL_NOPAD.encode(&random);
        let config = &self.inner.config;
        let now = config.time.instant();
        let mut state = self.inner.state.lock();
        state.remove_ended(now);
        // Tickets that were taken count until their time is over: the bound is on what was issued.
        if state.order.len() >= config.max_tickets {
            return Err(TicketError::Full(config.max_tickets));
        }
        let shared: Arc<str> = ticket.as_str().into();
        state
            .order
            .push_back((now + config.ttl, Arc::clone(&shared)));
        state.tickets.insert(shared, identity);
        Ok(ticket)
    }

    /// Takes a ticket; `None` if it was not issued, was taken before, or is too old.
    #[must_use]
    pub fn take(&self, ticket: &str) -> Option<Identity> {
        let now = self.inner.config.time.instant();
        let mut state = self.inner.state.lock();
        state.remove_ended(now);
        state.tickets.remove(ticket)
    }

    /// Returns for how long a ticket can be taken.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.inner.config.ttl
    }
}

impl State {
    fn remove_ended(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(end, _)| *end <= now) {
            if let Some((_, ticket)) = self.order.pop_front() {
                self.tickets.remove(&ticket);
            }
        }
    }
}

impl Default for Tickets {
    fn default() -> Self {
        Self::new(TicketsConfig::new())
    }
}

impl Authenticator for Tickets {
    fn name(&self) -> &str {
        "tickets"
    }

    fn authenticate(&self, credentials: &Credentials<'_>) -> Authenticated {
        match (credentials.carrier, credentials.secret) {
            (Carrier::Ticket, Some(ticket)) => match self.take(ticket) {
                Some(identity) => Authenticated::Is(Box::new(identity)),
                None => Authenticated::Refused(Refusal::new(
                    ErrorCode::TokenInvalid,
                    "the ticket is unknown, was used before, or is too old",
                )),
            },
            _ => Authenticated::Unknown,
        }
    }
}

/// Hides the tickets.
impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issued = self.inner.state.lock().tickets.len();
        f.debug_struct("Tickets")
            .field("config", &self.inner.config)
            .field("issued", &issued)
            .finish()
    }
}

/// The limits of [`Tickets`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TicketsConfig {
    /// Tickets that may be issued within [`Self::ttl`]. Default 10,000.
    pub max_tickets: usize,
    /// Time within which a ticket can be taken. Default 30 s.
    pub ttl: Duration,
    time: TimeOfDay,
}

impl TicketsConfig {
    /// Creates the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self {
            max_tickets: 10_000,
            ttl: Duration::from_secs(30),
            time: TimeOfDay::default(),
        }
    }

    /// Sets [`Self::max_tickets`].
    #[must_use]
    pub fn max_tickets(mut self, tickets: usize) -> Self {
        self.max_tickets = tickets;
        self
    }

    /// Sets [`Self::ttl`].
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets the clock. Default: that of the operating system.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.time = TimeOfDay::new(Arc::new(clock));
        self
    }
}

impl Default for TicketsConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// The error of a ticket that is not issued.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TicketError {
    /// As many tickets were issued within their time as may be.
    Full(usize),
    /// The system has no randomness.
    NoRandomness,
}

impl TicketError {
    /// Returns the code by which a client is told.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Full(_) | Self::NoRandomness => ErrorCode::Overloaded,
        }
    }
}

impl fmt::Display for TicketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(max) => write!(f, "ticket limit reached ({max}); try again later"),
            Self::NoRandomness => f.write_str("the system has no randomness"),
        }
    }
}

impl Error for TicketError {}
