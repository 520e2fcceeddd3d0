//! How many are there, and how many have been, over the last day.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// How many users are there, now and over the last 24 hours, in buckets of an hour each. Pure: it
/// is told the time.
///
/// # Memory
///
/// 24 buckets of 32 bytes, however many users there are.
#[derive(Debug)]
pub(super) struct Figures {
    start: Instant,
    /// How far the buckets are filled.
    filled: Instant,
    present: usize,
    /// Invariant: at most [`HOURS`], oldest first, none left out between the first and the last.
    hours: VecDeque<Hour>,
}

#[derive(Debug, Default)]
struct Hour {
    peak: usize,
    /// Users times nanoseconds.
    area: u128,
}

impl Figures {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            filled: start,
            present: 0,
            hours: VecDeque::from([Hour::default()]),
        }
    }

    /// A user has come, or one has gone.
    pub(super) fn count(&mut self, now: Instant, has_come: bool) {
        self.fill(now);
        if has_come {
            self.present += 1;
        } else {
            self.present = self.present.saturating_sub(1);
        }
        if let Some(hour) = self.hours.back_mut() {
            hour.peak = hour.peak.max(self.present);
        }
    }

    /// How many are there.
    pub(super) fn present(&self) -> usize {
        self.present
    }

    /// The most that have been there at a time.
    pub(super) fn peak(&mut self, now: Instant) -> usize {
        self.fill(now);
        let peaks = self.hours.iter().map(|hour| hour.peak);
        peaks.max().unwrap_or_default()
    }

    /// How many have been there on average.
    pub(super) fn average(&mut self, now: Instant) -> f64 {
        self.fill(now);
        let area: u128 = self.hours.iter().map(|hour| hour.area).sum();
        let full = u32::try_from(self.hours.len() - 1).unwrap_or(u32::MAX);
        let covered = HOUR * full + since_the_hour(self.start, self.filled);
        if covered.is_zero() {
            return to_float(self.present as u128);
        }
        to_float(area) / to_float(covered.as_nanos())
    }

    /// Brings the buckets up to now, over at most a day.
    fn fill(&mut self, now: Instant) {
        if now.saturating_duration_since(self.filled) > DAY {
            let peak = self.present;
            let area = HOUR.as_nanos() * peak as u128;
            self.hours = (1..HOURS).map(|_| Hour { peak, area }).collect();
            let into = since_the_hour(self.start, now);
            self.hours.push_back(Hour {
                peak,
                area: into.as_nanos() * peak as u128,
            });
            self.filled = now;
        }
        while self.filled < now {
            let into = since_the_hour(self.start, self.filled);
            let step = now.duration_since(self.filled).min(HOUR - into);
            if let Some(hour) = self.hours.back_mut() {
                hour.area += step.as_nanos() * self.present as u128;
            }
            self.filled += step;
            if into + step == HOUR {
                self.hours.push_back(Hour {
                    peak: self.present,
                    area: 0,
                });
            }
            if self.hours.len() > HOURS {
                self.hours.pop_front();
            }
        }
    }
}

/// What has passed of the hour, counted from `start`.
fn since_the_hour(start: Instant, now: Instant) -> Duration {
    let nanos = now.saturating_duration_since(start).as_nanos() % HOUR.as_nanos();
    Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an average for people, of which three digits are looked at"
)]
fn to_float(number: u128) -> f64 {
    number as f64
}

const HOURS: usize = 24;

const HOUR: Duration = Duration::from_secs(3600);

const DAY: Duration = Duration::from_secs(24 * 3600);
