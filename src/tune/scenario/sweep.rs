//! The settings to try.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use serde::de::Error;

use crate::limits::SlowConsumer;
use crate::tune::setting::Setting;
use crate::tune::setting::parse_policy;
use crate::tune::setting::policy_text;
use crate::tune::units::parse_span;
use crate::tune::units::span;

/// The settings to try: every combination of what the fields list.
///
/// After these, the neighbours of the best one are tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Sweep {
    /// Messages in an outbox. Default 16 to 1,024 by powers of two.
    pub outbox: Vec<usize>,
    /// Policies. Default all, `Disconnect` at once and with a grace of 10 s.
    #[serde(with = "policies")]
    pub policy: Vec<SlowConsumer>,
    /// Unsent marks in bytes; 0 for none. Default 0 and 16 KiB.
    pub unsent_mark: Vec<u32>,
    /// Messages of each channel that are kept for clients that come back. Default 0; where
    /// clients sleep, the best setting is also tried with what is published meanwhile.
    pub history: Vec<usize>,
    /// Flush delays. Default none.
    #[serde(with = "spans")]
    pub flush_delay: Vec<Duration>,
    /// Write timeouts; a client has as long to answer a ping. Default 10 s; where
    /// clients sleep, the best setting is also tried with 60 s.
    #[serde(with = "spans")]
    pub timeout: Vec<Duration>,
}

impl Sweep {
    /// Returns every combination.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        for policy in &self.policy {
            for outbox in &self.outbox {
                for mark in &self.unsent_mark {
                    for history in &self.history {
                        for delay in &self.flush_delay {
                            for timeout in &self.timeout {
                                let mut setting = Setting::new(*policy, *outbox);
                                setting.unsent_mark = *mark;
                                setting.history = *history;
                                setting.flush_delay = *delay;
                                setting.timeout = *timeout;
                                settings.push(setting);
                            }
                        }
                    }
                }
            }
        }
        settings
    }

    /// Returns how many combinations there are.
    pub(crate) fn len(&self) -> usize {
        [
            self.policy.len(),
            self.outbox.len(),
            self.unsent_mark.len(),
            self.history.len(),
            self.flush_delay.len(),
            self.timeout.len(),
        ]
        .into_iter()
        .fold(1, usize::saturating_mul)
    }
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            outbox: vec![16, 32, 64, 128, 256, 512, 1_024],
            policy: vec![
                SlowConsumer::KeepLatest,
                SlowConsumer::DropOldest,
                SlowConsumer::DropNewest,
                SlowConsumer::Disconnect {
                    grace: Duration::from_secs(10),
                },
                SlowConsumer::DISCONNECT,
            ],
            unsent_mark: vec![16_384, 0],
            history: vec![0],
            flush_delay: vec![Duration::ZERO],
            timeout: vec![Duration::from_secs(10)],
        }
    }
}

mod policies {
    use serde::Deserializer;
    use serde::Serializer;

    use super::*;

    pub(super) fn serialize<S: Serializer>(
        policies: &[SlowConsumer],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(policies.iter().copied().map(policy_text))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<SlowConsumer>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let parse = |text: &String| parse_policy(text).map_err(D::Error::custom);
        texts.iter().map(parse).collect()
    }
}

mod spans {
    use serde::Deserializer;
    use serde::Serializer;

    use super::*;

    pub(super) fn serialize<S: Serializer>(
        spans: &[Duration],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(spans.iter().copied().map(span))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Duration>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let wrong = || D::Error::custom("use times such as 10s");
        let parse = |text: &String| parse_span(text).ok_or_else(wrong);
        texts.iter().map(parse).collect()
    }
}
