//! The limits as the operations see them.

use std::time::Duration;

use crate::code::ErrorCode;
use crate::layers::Timestamp;
use crate::protocol::Fault;
use crate::protocol::invalid;
use crate::protocol::whole_millis;
use crate::session::Actions;
use crate::session::KeyValues;
use crate::session::LimitDraft;
use crate::session::LimitStatusView;
use crate::session::LimitView;
use crate::session::Limiting;
use crate::session::WasReset;
use crate::time::millis;

use super::InvalidLimit;
use super::Limit;
use super::LimitAlgorithm;
use super::LimitKey;
use super::LimitStats;
use super::LimitSubject;
use super::RateLimits;
use super::UnknownLimit;

const TOKEN_BUCKET: &str = "token_bucket";
const SLIDING_WINDOW: &str = "sliding_window";

impl Limiting for RateLimits {
    fn count_own_rates(&self) {
        self.count_own_rates();
    }

    fn list(&self) -> Vec<LimitView> {
        self.list().iter().map(view).collect()
    }

    fn add(&self, draft: &LimitDraft) -> Result<LimitView, Fault> {
        let limit = limit(draft)?;
        self.add(limit.clone()).map_err(|error| refused(&error))?;
        let known = self.list();
        let added = known.iter().find(|stats| stats.limit == limit);
        // Another caller may have removed it by now.
        let fresh = LimitStats {
            capacity: limit.max_keys,
            limit,
            evicted: 0,
            refused: 0,
        };
        Ok(view(added.unwrap_or(&fresh)))
    }

    fn remove(&self, name: &str) -> Result<(), Fault> {
        match self.remove(name) {
            Some(_) => Ok(()),
            None => Err(unknown(&UnknownLimit::Name)),
        }
    }

    fn status(&self, name: &str, values: &KeyValues) -> Result<LimitStatusView, Fault> {
        let status = self.status(name, &subject(values));
        let status = status.map_err(|error| unknown(&error))?;
        Ok(LimitStatusView {
            name: name.to_owned(),
            allowed: status.is_allowed(),
            quota: status.quota(),
            remaining: status.remaining(),
            retry_after_ms: whole_millis(status.retry_after()),
            reset_at: Timestamp::to_string(&status.reset_at()),
        })
    }

    fn reset(&self, name: &str, values: &KeyValues) -> Result<WasReset, Fault> {
        let reset = self.reset(name, &subject(values));
        let reset = reset.map_err(|error| unknown(&error))?;
        Ok(WasReset { reset })
    }
}

fn limit(draft: &LimitDraft) -> Result<Limit, Fault> {
    let number = |field, number: u64| {
        let expected = || invalid(field, "a whole number from 1 to 4294967295");
        u32::try_from(number).map_err(|_| expected())
    };
    let period = Duration::from_millis(draft.period_ms);
    let requests = number("requests", draft.requests)?;
    let mut limit = Limit::overall(Actions::NONE, requests, period);
    for name in &draft.per {
        let key = LimitKey::parse(name).ok_or_else(|| {
            let keys = LimitKey::ALL.map(LimitKey::as_str).join(", ");
            invalid("per", &format!("a list of some of {keys}"))
        })?;
        limit = limit.and(key);
    }
    for action in &draft.actions {
        limit = limit.counting(action);
    }
    limit = match draft.algorithm.as_deref() {
        None | Some(TOKEN_BUCKET) => limit,
        Some(SLIDING_WINDOW) if draft.burst.is_some() => {
            return Err(invalid("burst", "left out for a sliding window"));
        }
        Some(SLIDING_WINDOW) => limit.sliding_window(),
        Some(_) => return Err(invalid("algorithm", "token_bucket or sliding_window")),
    };
    if let Some(burst) = draft.burst {
        limit = limit.burst(number("burst", burst)?);
    }
    if let Some(keys) = draft.max_keys {
        limit = limit.max_keys(usize::try_from(keys).unwrap_or(usize::MAX));
    }
    if draft.server {
        limit = limit.including_server();
    }
    let limit = limit.named(draft.name.as_str());
    limit.validate().map_err(|error| refused(&error))?;
    Ok(limit)
}

fn view(stats: &LimitStats) -> LimitView {
    let limit = &stats.limit;
    let (algorithm, burst) = match limit.algorithm {
        LimitAlgorithm::TokenBucket { burst } => (TOKEN_BUCKET, Some(burst)),
        LimitAlgorithm::SlidingWindow => (SLIDING_WINDOW, None),
    };
    LimitView {
        name: limit.name().to_owned(),
        per: limit.keys().map(LimitKey::as_str).collect(),
        actions: limit.action_names().map(str::to_owned).collect(),
        requests: limit.requests,
        period_ms: millis(limit.period),
        algorithm,
        burst,
        max_keys: stats.capacity,
        server: limit.server,
        refused: stats.refused,
        evicted: stats.evicted,
    }
}

fn subject(values: &KeyValues) -> LimitSubject<'_> {
    let mut subject = LimitSubject::new();
    if let Some(action) = &values.action {
        subject = subject.action(action);
    }
    if let Some(address) = values.address {
        subject = subject.address(address);
    }
    if let Some(key) = &values.api_key {
        subject = subject.api_key(key);
    }
    if let Some(channel) = &values.channel {
        subject = subject.channel(channel);
    }
    if let Some(client) = values.client {
        subject = subject.client(client);
    }
    if let Some(room) = &values.room {
        subject = subject.room(room);
    }
    match &values.user {
        Some(user) => subject.user(user),
        None => subject,
    }
}

fn refused(error: &InvalidLimit) -> Fault {
    let fault = Fault::new(ErrorCode::InvalidField, error.to_string());
    match error.field() {
        Some(field) => fault.field(field),
        None => fault,
    }
}

fn unknown(error: &UnknownLimit) -> Fault {
    match error {
        UnknownLimit::Name => Fault::new(ErrorCode::UnknownLimit, error.to_string()).field("name"),
        UnknownLimit::Subject(_) => Fault::new(ErrorCode::MissingField, error.to_string()),
    }
}
