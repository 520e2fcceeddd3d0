//! One setting of everything that can be tuned.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::Serializer;

use crate::limits::SlowConsumer;

/// One setting of everything that can be tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Setting {
    /// What happens to a message that finds the outbox full.
    #[serde(serialize_with = "serialize_policy")]
    pub policy: SlowConsumer,
    /// Messages in an outbox; its limit in bytes is the default of 1 MiB.
    pub outbox: usize,
    /// Bytes that the kernel holds unsent; 0 for what the kernel takes, which is megabytes.
    pub unsent_mark: u32,
    /// Messages of each channel that are kept for clients that come back.
    pub history: usize,
    /// How long what is queued may wait for more.
    #[serde(serialize_with = "serialize_millis", rename = "flush_delay_ms")]
    pub flush_delay: Duration,
    /// How long a socket may take nothing, and how long a client may take to answer a ping.
    #[serde(serialize_with = "serialize_millis", rename = "timeout_ms")]
    pub timeout: Duration,
}

impl Setting {
    /// The defaults of `throng serve`.
    #[must_use]
    pub const fn shipped() -> Self {
        Self::new(SlowConsumer::DropNewest, 64)
    }

    /// This policy with an outbox of so many messages, and an unsent mark of 16 KiB, no history, no
    /// flush delay and timeouts of 10 s.
    #[must_use]
    pub const fn new(policy: SlowConsumer, outbox: usize) -> Self {
        Self {
            policy,
            outbox,
            unsent_mark: 16 << 10,
            history: 0,
            flush_delay: Duration::ZERO,
            timeout: Duration::from_secs(10),
        }
    }

    /// How many of its parts are there for clients that come back, and are not the defaults.
    pub(super) fn extras(&self) -> usize {
        let shipped = Self::shipped();
        usize::from(self.history != shipped.history) + usize::from(self.timeout != shipped.timeout)
    }

    /// Returns the options of `throng serve` for this setting.
    #[must_use]
    pub fn flags(&self) -> Vec<(&'static str, String)> {
        let mut flags = vec![
            ("--outbox-messages", self.outbox.to_string()),
            ("--slow-consumer", policy_text(self.policy)),
            ("--unsent-mark", self.unsent_mark.to_string()),
        ];
        if self.history > 0 {
            flags.push(("--history", format!(">:messages={}", self.history)));
        }
        if !self.flush_delay.is_zero() {
            flags.push(("--flush-delay", self.flush_delay.as_millis().to_string()));
        }
        if self.timeout != Self::shipped().timeout {
            let millis = self.timeout.as_millis().to_string();
            flags.push(("--write-timeout", millis.clone()));
            flags.push(("--pong-timeout", millis));
        }
        flags
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", policy_text(self.policy), self.outbox)?;
        match self.unsent_mark {
            0 => write!(f, ", no mark")?,
            mark => write!(f, ", mark {mark}")?,
        }
        if self.history > 0 {
            write!(f, ", history {}", self.history)?;
        }
        if !self.flush_delay.is_zero() {
            write!(f, ", flush delay {:?}", self.flush_delay)?;
        }
        if self.timeout != Self::shipped().timeout {
            write!(f, ", timeouts {:?}", self.timeout)?;
        }
        Ok(())
    }
}

/// Writes a policy as `--slow-consumer` has it.
#[must_use]
pub fn policy_text(policy: SlowConsumer) -> String {
    match policy {
        SlowConsumer::DropNewest => "drop-newest".to_owned(),
        SlowConsumer::DropOldest => "drop-oldest".to_owned(),
        SlowConsumer::KeepLatest => "keep-latest".to_owned(),
        SlowConsumer::DISCONNECT => "disconnect".to_owned(),
        SlowConsumer::Disconnect { grace } => format!("disconnect:{}", grace.as_millis()),
    }
}

/// Reads a policy as `--slow-consumer` has it.
///
/// # Errors
///
/// Text that says what is allowed.
pub fn parse_policy(text: &str) -> Result<SlowConsumer, String> {
    let wrong =
        || "use drop-newest, drop-oldest, keep-latest, disconnect or disconnect:MS".to_owned();
    match text.split_once(':') {
        Some(("disconnect", millis)) => {
            let millis: u32 = millis.parse().map_err(|_| wrong())?;
            let grace = Duration::from_millis(millis.into());
            Ok(SlowConsumer::Disconnect { grace })
        }
        None if text == "disconnect" => Ok(SlowConsumer::DISCONNECT),
        None if text == "drop-newest" => Ok(SlowConsumer::DropNewest),
        None if text == "drop-oldest" => Ok(SlowConsumer::DropOldest),
        None if text == "keep-latest" => Ok(SlowConsumer::KeepLatest),
        _ => Err(wrong()),
    }
}

fn serialize_policy<S: Serializer>(
    policy: &SlowConsumer,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&policy_text(*policy))
}

fn serialize_millis<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64() * 1e3)
}
