//! From the claims of a token to an identity.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use crate::code::ErrorCode;
use crate::layers::Timestamp;
use crate::layers::UserId;
use crate::layers::channels::Pattern;
use crate::session::Identity;
use crate::session::Permissions;
use crate::session::Right;

use super::super::Refusal;
use super::Rules;
use super::token::Object;

/// The claims of a token whose signature was verified.
pub(super) struct Claims<'a> {
    claims: Object,
    rules: &'a Rules,
}

/// The most bytes in a claim that identifies something.
const MAX_ID: usize = 256;

/// The claim that makes a token one for a subscription.
const CHANNEL: &str = "channel";

/// The keys of `perms`.
const RIGHTS: [(&str, Right); 5] = [
    ("sub", Right::Subscribe),
    ("pub", Right::Publish),
    ("read", Right::Read),
    ("rooms", Right::Rooms),
    ("admin", Right::Admin),
];

impl<'a> Claims<'a> {
    /// Checks what every token is checked for: its times, its audience and its issuer.
    pub(super) fn check(claims: Object, rules: &'a Rules) -> Result<Self, Refusal> {
        let claims = Self { claims, rules };
        claims.check_times()?;
        claims.check_audience()?;
        claims.check_issuer()?;
        Ok(claims)
    }

    /// Returns the identity of a connection.
    pub(super) fn identity(&self) -> Result<Identity, Refusal> {
        if self.claims.contains_key(CHANNEL) {
            return Err(invalid("this is a token for a subscription"));
        }
        let mut identity = match self.user()? {
            Some(user) => Identity::of(user),
            None if self.rules.guests => Identity::guest(),
            None => return Err(invalid("the token names no user (`sub`)")),
        };
        if let Some(info) = self.claims.get("info") {
            identity = identity.info(info.to_string());
        }
        if let Some(expiry) = self.expiry()? {
            identity = identity.expires_at(expiry);
        }
        if let Some(issued) = self.time("iat")? {
            identity = identity.issued_at(Timestamp::since_unix_epoch(issued));
        }
        if let Some(id) = self.text("jti")? {
            identity = identity.token_id(id);
        }
        let mut names = Names::at_most(self.rules.max_names);
        for channel in self.subscriptions()? {
            names.count()?;
            identity = subscribed(identity, channel)?;
        }
        if let Some(permissions) = self.claims.get("perms") {
            identity = identity.permissions(permissions_of(permissions, &mut names)?);
        }
        Ok(identity)
    }

    /// Returns until when a token for a subscription is valid, if it is this user's and for this
    /// channel.
    pub(super) fn subscription(
        &self,
        user: Option<&UserId>,
        channel: &str,
    ) -> Result<Option<Timestamp>, Refusal> {
        if self.user()?.as_ref() != user {
            return Err(invalid("the token is for another user"));
        }
        match self.claims.get(CHANNEL) {
            Some(Value::String(named)) if named == channel => self.expiry(),
            Some(Value::String(_)) => Err(invalid("the token is for another channel")),
            Some(_) => Err(invalid("claim `channel` must be a string")),
            None => Err(invalid("the token names no channel")),
        }
    }

    fn check_times(&self) -> Result<(), Refusal> {
        let (now, leeway) = (self.rules.time.unix(), self.rules.leeway);
        let expires = self.time("exp")?;
        if expires.is_none() && self.rules.expiry_required {
            return Err(invalid("the token does not say when it expires (`exp`)"));
        }
        if expires.is_some_and(|at| at.saturating_add(leeway) <= now) {
            return Err(Refusal::new(
                ErrorCode::TokenExpired,
                "the token has expired",
            ));
        }
        let begins = self.time("nbf")?;
        if begins.is_some_and(|at| at > now.saturating_add(leeway)) {
            return Err(invalid("the token is not valid yet (`nbf`)"));
        }
        Ok(())
    }

    /// RFC 7519, 4.1.3: a server that is not named as the audience must refuse.
    fn check_audience(&self) -> Result<(), Refusal> {
        let ours = &self.rules.audiences;
        let is_ours = |value: &Value| {
            let name = value.as_str();
            name.is_some_and(|name| ours.iter().any(|our| **our == *name))
        };
        let found = match self.claims.get("aud") {
            None if ours.is_empty() => return Ok(()),
            None => return Err(invalid("the token names no audience (`aud`)")),
            Some(Value::Array(names)) => names.iter().any(is_ours),
            Some(name) => is_ours(name),
        };
        match found {
            true => Ok(()),
            false => Err(invalid("the token is for another audience (`aud`)")),
        }
    }

    fn check_issuer(&self) -> Result<(), Refusal> {
        let ours = &self.rules.issuers;
        let issuer = self.claims.get("iss").and_then(Value::as_str);
        let known = issuer.is_some_and(|issuer| ours.iter().any(|our| **our == *issuer));
        match known || ours.is_empty() {
            true => Ok(()),
            false => Err(invalid("the token is by another issuer (`iss`)")),
        }
    }

    fn user(&self) -> Result<Option<UserId>, Refusal> {
        let Some(user) = self.text("sub")? else {
            return Ok(None);
        };
        let user = UserId::parse(user);
        let user = user.map_err(|why| invalid(format!("claim `sub` is not a user id: {why}")))?;
        Ok(Some(user))
    }

    /// Returns the time from which the token is no longer valid.
    fn expiry(&self) -> Result<Option<Timestamp>, Refusal> {
        let expires = self.time("exp")?;
        let expires = expires.map(|at| at.saturating_add(self.rules.leeway));
        Ok(expires.map(Timestamp::since_unix_epoch))
    }

    /// Returns the names in `channels`, a list, and in `subs`, a list or the keys of an object.
    fn subscriptions(&self) -> Result<Vec<&str>, Refusal> {
        let mut all = Vec::new();
        for claim in ["channels", "subs"] {
            match self.claims.get(claim) {
                None => {}
                Some(Value::Object(options)) if claim == "subs" => {
                    all.extend(options.keys().map(String::as_str));
                }
                Some(Value::Array(names)) if names.iter().all(Value::is_string) => {
                    all.extend(names.iter().filter_map(Value::as_str));
                }
                Some(_) => {
                    return Err(invalid(format!(
                        "claim `{claim}` must be a list of strings"
                    )));
                }
            }
        }
        Ok(all)
    }

    fn text(&self, claim: &str) -> Result<Option<&str>, Refusal> {
        match self.claims.get(claim) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= MAX_ID => Ok(Some(text)),
            Some(_) => {
                let why = format!("claim `{claim}` must be a string of at most {MAX_ID} bytes");
                Err(invalid(why))
            }
        }
    }

    /// Returns a time, which is in seconds since 1970 and may have a fraction.
    fn time(&self, claim: &str) -> Result<Option<Duration>, Refusal> {
        let Some(value) = self.claims.get(claim) else {
            return Ok(None);
        };
        let seconds = value.as_f64();
        let seconds = seconds.ok_or_else(|| {
            invalid(format!(
                "claim `{claim}` must be a number of seconds since 1970"
            ))
        })?;
        Ok(Some(match value.as_u64() {
            Some(seconds) => Duration::from_secs(seconds.min(LATEST)),
            // The bounds exclude what no duration is made of.
            None => Duration::from_secs_f64(seconds.clamp(0.0, LATEST as f64)),
        }))
    }
}

/// The end of the year 9999, in seconds since 1970.
const LATEST: u64 = 253_402_300_799;

fn subscribed(identity: Identity, name: &str) -> Result<Identity, Refusal> {
    let is_pattern = name.split('.').any(|segment| matches!(segment, "*" | ">"));
    if !is_pattern {
        return Ok(identity.subscription(name));
    }
    match Pattern::parse(name) {
        Ok(pattern) => Ok(identity.pattern(pattern)),
        Err(why) => Err(invalid(format!("a pattern to subscribe to: {why}"))),
    }
}

/// A `perms` claim says everything: a right that it does not name is not given.
fn permissions_of(value: &Value, names: &mut Names) -> Result<Permissions, Refusal> {
    let Value::Object(rights) = value else {
        return Err(invalid("claim `perms` must be an object"));
    };
    let mut permissions = Permissions::none();
    for (key, value) in rights {
        let known = RIGHTS.iter().find(|(name, _)| name == key);
        let (name, right) = *known.ok_or_else(|| {
            invalid("claim `perms` has a key that is none of sub, pub, read, rooms and admin")
        })?;
        let one = [value.clone()];
        let patterns = match value {
            Value::Array(patterns) => patterns,
            _ => &one[..],
        };
        for pattern in patterns {
            names.count()?;
            let Value::String(pattern) = pattern else {
                return Err(invalid(format!(
                    "`perms.{name}` must be a list of patterns"
                )));
            };
            let allowed = match right {
                Right::Admin => permissions.allow_scope(pattern),
                _ => permissions.allow(right, pattern),
            };
            permissions =
                allowed.map_err(|why| invalid(format!("a pattern in `perms.{name}`: {why}")))?;
        }
    }
    Ok(permissions)
}

/// The number of channels and patterns that a token may still name.
struct Names {
    left: usize,
    max: usize,
}

impl Names {
    fn at_most(max: usize) -> Self {
        Self { left: max, max }
    }

    fn count(&mut self) -> Result<(), Refusal> {
        let left = self.left.checked_sub(1);
        self.left = left.ok_or_else(|| {
            let max = self.max;
            invalid(format!(
                "the token names more than {max} channels and patterns"
            ))
        })?;
        Ok(())
    }
}

pub(super) fn invalid(reason: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(ErrorCode::TokenInvalid, reason)
}
