//! What is observed: how long what a client shows has been out of date, and what became of its
//! messages.

use crate::tune::units::whole;

/// A histogram of staleness: exact to 2 %, from a millisecond up.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Staleness {
    samples: u64,
    /// Samples that were up to date, or for less than a millisecond not.
    fresh: u64,
    buckets: Vec<u64>,
    /// Nanoseconds.
    sum: f64,
}

/// Buckets for each factor of *e*: their borders are 2 % apart.
const STEPS: f64 = 50.0;
/// Nanoseconds below which a value counts as fresh.
const LEAST: f64 = 1e6;

impl Staleness {
    pub(super) fn record(&mut self, nanos: u64) {
        self.samples += 1;
        let value = nanos as f64;
        self.sum += value;
        if value < LEAST {
            self.fresh += 1;
            return;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at least 0, and at most 2,200 for 580 years"
        )]
        let bucket = ((value / LEAST).ln() * STEPS) as usize;
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.fresh += other.fresh;
        self.sum += other.sum;
        if other.buckets.len() > self.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (count, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *count += more;
        }
    }

    /// Returns the mean in seconds.
    pub(super) fn mean(&self) -> f64 {
        self.sum / self.samples.max(1) as f64 / 1e9
    }

    /// Returns the staleness in seconds that a part `quantile` of the time does not exceed.
    pub(super) fn quantile(&self, quantile: f64) -> f64 {
        let rank = whole((quantile * self.samples as f64).ceil()).max(1);
        let mut seen = self.fresh;
        if seen >= rank || self.samples == 0 {
            return 0.0;
        }
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                // The middle of the bucket.
                return ((bucket as f64 + 0.5) / STEPS).exp() * LEAST / 1e9;
            }
        }
        unreachable!("the buckets hold every sample that is not fresh")
    }

    /// Returns the share of the time that is staler than so many seconds.
    pub(super) fn beyond(&self, seconds: f64) -> f64 {
        let border = seconds * 1e9 / LEAST;
        let beyond: u64 = if border < 1.0 {
            self.samples - self.fresh
        } else {
            let first = whole((border.ln() * STEPS).ceil());
            let first = usize::try_from(first).unwrap_or(usize::MAX);
            self.buckets.iter().skip(first).sum()
        };
        beyond as f64 / self.samples.max(1) as f64
    }
}

/// What became of the messages for the clients of one class, in one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ClassRun {
    pub(super) clients: u64,
    /// Messages that were published, for each client.
    pub(super) addressed: u64,
    pub(super) delivered: u64,
    /// Conflated by newer ones.
    pub(super) superseded: u64,
    /// Neither delivered nor superseded, nor on their way at the end.
    pub(super) lost: u64,
    /// Closed by the policy.
    pub(super) closed_slow: u64,
    /// Closed by a timeout.
    pub(super) closed_timeout: u64,
    pub(super) staleness: Staleness,
}

/// One client's state over time, every tenth of a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    /// Nanoseconds.
    pub(super) at: u64,
    /// Messages in its outbox.
    pub(super) waiting: usize,
    /// Bytes in its socket.
    pub(super) held: u64,
    pub(super) is_up: bool,
}

/// What was observed in one run: one setting, one seed.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    pub(super) classes: Vec<ClassRun>,
    /// The most messages that waited in all outboxes at a time.
    pub(super) peak_waiting: usize,
    /// The most bytes in all outboxes and in the kernel at a time.
    pub(super) peak_bytes: u64,
    /// The most bytes that the kernel held unsent for one client.
    pub(super) peak_unsent: u64,
    /// Messages that waited in all outboxes, every tenth of a second.
    pub(super) waiting: Vec<u64>,
    /// One client's state over time, if one was watched.
    pub(super) watched: Vec<Moment>,
    pub(super) deliveries: u64,
    /// Nanoseconds of real time that publishing took.
    pub(super) publish_nanos: u64,
}

#[cfg(test)]
mod tests {
    use super::Staleness;

    #[test]
    fn quantiles_are_exact_to_two_percent() {
        let mut staleness = Staleness::default();
        (0..50).for_each(|_| staleness.record(0));
        (1..=50).for_each(|n| staleness.record(n * 100_000_000));
        assert_eq!(staleness.quantile(0.5), 0.0);
        for (quantile, expected) in [(0.75, 2.5), (0.9, 4.0), (1.0, 5.0)] {
            let value = staleness.quantile(quantile);
            assert!(
                (value / expected - 1.0).abs() < 0.02,
                "{value} for {expected}"
            );
        }
        assert!((staleness.mean() - 1.275).abs() < 1e-9);
        assert!((staleness.beyond(2.51) - 0.25).abs() < 0.011);
        assert!((staleness.beyond(0.0) - 0.5).abs() < 1e-9);
        let mut twice = staleness.clone();
        twice.add(&staleness);
        assert_eq!(twice.quantile(0.9), staleness.quantile(0.9));
    }

    #[test]
    fn nothing_observed_is_fresh() {
        assert_eq!(Staleness::default().quantile(0.99), 0.0);
        assert_eq!(Staleness::default().beyond(1.0), 0.0);
        assert_eq!(Staleness::default().mean(), 0.0);
    }
}
