//! Limits as text: `NAME=KEYS:ACTIONS:RATE[:OPTION]...`.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::session::Actions;

use super::InvalidLimit;
use super::Limit;
use super::LimitAlgorithm;
use super::LimitKey;

/// The names of the kinds of requests.
const ACTIONS: [(&str, Actions); 10] = [
    ("all", Actions::ALL),
    ("publish", Actions::PUBLISH),
    ("send", Actions::SEND),
    ("subscribe", Actions::SUBSCRIBE),
    ("unsubscribe", Actions::UNSUBSCRIBE),
    ("join", Actions::JOIN),
    ("change", Actions::CHANGE),
    ("read", Actions::READ),
    ("ping", Actions::PING),
    ("unknown", Actions::UNKNOWN),
];

/// The reference system's names, for what is called otherwise here.
const ALIASES: [(&str, &[&str]); 3] = [
    ("message", &["publish", "send"]),
    ("message.send", &["publish", "send"]),
    ("presence.update", &["presence.set"]),
];

/// Periods by their units, the shortest last.
const UNITS: [(&str, Duration); 5] = [
    ("d", Duration::from_secs(24 * 3600)),
    ("h", Duration::from_secs(3600)),
    ("min", Duration::from_secs(60)),
    ("s", Duration::from_secs(1)),
    ("ms", Duration::from_millis(1)),
];

impl Limit {
    /// Counts an action: a kind of requests such as `publish`, or an operation such as `room.join`.
    pub(super) fn counting(self, name: &str) -> Self {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
        if let Some((_, names)) = alias {
            return names.iter().fold(self, |limit, name| limit.counting(name));
        }
        match ACTIONS.iter().find(|(known, _)| *known == name) {
            Some((_, actions)) => self.changed(|limit| limit.actions = limit.actions.or(*actions)),
            None => self.operation(name),
        }
    }

    /// Returns the name of a limit that was given none.
    pub(super) fn usual_name(&self) -> Box<str> {
        let actions: Vec<_> = self.action_names().collect();
        let name = format!("{}.{}", self.keys_text(), actions.join("_"));
        let name = name.replace('+', "-");
        name.chars().take(Self::MAX_NAME).collect()
    }

    /// Returns the names of the kinds of requests and of the operations that it counts.
    pub(crate) fn action_names(&self) -> impl Iterator<Item = &str> {
        let (all, kinds) = ACTIONS.split_at(1);
        let counted = if self.actions == Actions::ALL {
            all
        } else {
            kinds
        };
        let counted = counted
            .iter()
            .filter(|(_, actions)| self.actions.meets(*actions));
        counted.map(|(name, _)| *name).chain(self.operations())
    }

    /// Returns the requests and the period, such as `100/s`.
    pub(super) fn rate_text(&self) -> String {
        let (requests, period) = (self.requests, self.period.as_millis());
        let fits = |unit: Duration| period.is_multiple_of(unit.as_millis());
        let unit = UNITS.iter().find(|(_, unit)| fits(*unit));
        let (name, unit) = unit.copied().unwrap_or(("ms", Duration::from_millis(1)));
        match period / unit.as_millis() {
            1 => format!("{requests}/{name}"),
            number => format!("{requests}/{number}{name}"),
        }
    }

    fn keys_text(&self) -> String {
        let names: Vec<_> = self.keys().map(LimitKey::as_str).collect();
        match names.is_empty() {
            true => "overall".to_owned(),
            false => format!("per-{}", names.join("+")),
        }
    }
}

/// Reads `NAME=KEYS:ACTIONS:RATE` with options after it:
///
/// | part | examples |
/// |---|---|
/// | `NAME` | `chat`: letters, digits, `.`, `_` and `-` |
/// | `KEYS` | `overall`, `per-user`, or another [key](LimitKey); products such as `per-user+room` |
/// | `ACTIONS` | `publish`, `room.join`: kinds and operations, with commas between them |
/// | `RATE` | `100/s`, `5/min`, `1000/h`, `20/10s` |
/// | options | `burst=20`, `sliding-window`, `keys=100000`, `server` |
impl FromStr for Limit {
    type Err = InvalidLimitText;

    fn from_str(text: &str) -> Result<Self, InvalidLimitText> {
        let (name, rest) = text.split_once('=').ok_or(InvalidLimitText::Form)?;
        let mut parts = rest.split(':');
        let (Some(keys), Some(actions), Some(rate)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidLimitText::Form);
        };
        let (requests, period) = read_rate(rate).ok_or_else(|| InvalidLimitText::rate(rate))?;
        let mut limit = Self::overall(Actions::NONE, requests, period);
        for key in read_keys(keys)? {
            limit = limit.and(key);
        }
        for action in actions.split(',') {
            limit = limit.counting(action.trim());
        }
        let mut limit = parts.try_fold(limit, read_option)?.named(name);
        limit.operations.sort_unstable();
        limit.validate()?;
        Ok(limit)
    }
}

fn read_keys(text: &str) -> Result<Vec<LimitKey>, InvalidLimitText> {
    if text == "overall" {
        return Ok(Vec::new());
    }
    let unknown = |name: &str| InvalidLimitText::Key(name.into());
    let names = text.strip_prefix("per-").ok_or_else(|| unknown(text))?;
    let keys = names.split('+');
    keys.map(|name| LimitKey::parse(name).ok_or_else(|| unknown(name)))
        .collect()
}

/// Reads `100/s` or `20/10s`.
fn read_rate(text: &str) -> Option<(u32, Duration)> {
    let (requests, period) = text.split_once('/')?;
    let digits = period.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = period.split_at(digits);
    let (_, unit) = UNITS.iter().find(|(known, _)| *known == unit)?;
    let number: u32 = match number {
        "" => 1,
        number => number.parse().ok()?,
    };
    Some((requests.parse().ok()?, unit.checked_mul(number)?))
}

fn read_option(limit: Limit, option: &str) -> Result<Limit, InvalidLimitText> {
    let unknown = || InvalidLimitText::Option(option.into());
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    Ok(match (name, value) {
        ("sliding-window" | "sliding_window", "") => limit.sliding_window(),
        ("algorithm", "sliding_window") => limit.sliding_window(),
        ("algorithm", "token_bucket") => limit,
        ("server", "") => limit.including_server(),
        ("burst", _) if limit.algorithm == LimitAlgorithm::SlidingWindow => {
            return Err(InvalidLimitText::Burst);
        }
        ("burst", burst) => limit.burst(burst.parse().map_err(|_| unknown())?),
        ("keys", keys) => limit.max_keys(keys.parse().map_err(|_| unknown())?),
        _ => return Err(unknown()),
    })
}

/// Writes what [`Limit::from_str`] reads.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actions: Vec<_> = self.action_names().collect();
        let (keys, actions) = (self.keys_text(), actions.join(","));
        write!(f, "{}={keys}:{actions}:{}", self.name, self.rate_text())?;
        match self.algorithm {
            LimitAlgorithm::SlidingWindow => f.write_str(":sliding-window")?,
            LimitAlgorithm::TokenBucket { burst } if burst != self.requests => {
                write!(f, ":burst={burst}")?;
            }
            LimitAlgorithm::TokenBucket { .. } => {}
        }
        if self.max_keys != Self::MAX_KEYS {
            write!(f, ":keys={}", self.max_keys)?;
        }
        if self.server {
            f.write_str(":server")?;
        }
        Ok(())
    }
}

/// The error returned for a text that is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidLimitText {
    /// A sliding window has a burst.
    Burst,
    /// It has not the form `NAME=KEYS:ACTIONS:RATE`.
    Form,
    /// This is no key.
    Key(Box<str>),
    /// The parts are fine, and the limit is not.
    Limit(InvalidLimit),
    /// This is no option.
    Option(Box<str>),
    /// This is no rate.
    Rate(Box<str>),
}

impl InvalidLimitText {
    fn rate(text: &str) -> Self {
        Self::Rate(text.into())
    }
}

impl From<InvalidLimit> for InvalidLimitText {
    fn from(error: InvalidLimit) -> Self {
        Self::Limit(error)
    }
}

impl fmt::Display for InvalidLimitText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Burst => f.write_str("a sliding window has no burst: leave out one of both"),
            Self::Form => f.write_str(
                "use NAME=KEYS:ACTIONS:RATE, such as chat=per-user:publish,send:10/s:burst=20",
            ),
            Self::Key(key) => {
                let keys = LimitKey::ALL.map(LimitKey::as_str).join(", ");
                write!(
                    f,
                    "`{key}` is no key: use overall, or per- with some of {keys}, joined by +"
                )
            }
            Self::Limit(error) => error.fmt(f),
            Self::Option(option) => write!(
                f,
                "`{option}` is no option: use burst=N, sliding-window, keys=N or server"
            ),
            Self::Rate(rate) => write!(
                f,
                "`{rate}` is no rate: use a number, a slash and a period, such as 100/s, 5/min or 20/10s"
            ),
        }
    }
}

impl Error for InvalidLimitText {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Limit(error) => Some(error),
            _ => None,
        }
    }
}
