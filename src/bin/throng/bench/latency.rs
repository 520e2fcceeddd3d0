//! Latencies, gathered in histograms.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Latencies in nanoseconds, exact to three digits, up to a day.
#[derive(Clone)]
pub(super) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(super) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, DAY, 3);
        // The bounds are constants, and good.
        Self(histogram.expect("good bounds"))
    }

    pub(super) fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    pub(super) fn add(&mut self, other: &Self) {
        let added = self.0.add(&other.0);
        // Both were made by `new`.
        added.expect("the same bounds");
    }

    /// None when nothing was recorded.
    pub(super) fn percentiles(&self) -> Option<Percentiles> {
        let micros = |quantile| nanos_to_micros(self.0.value_at_quantile(quantile));
        (!self.0.is_empty()).then(|| Percentiles {
            samples: self.0.len(),
            p50_us: micros(0.5),
            p90_us: micros(0.9),
            p99_us: micros(0.99),
            p999_us: micros(0.999),
            max_us: nanos_to_micros(self.0.max()),
        })
    }
}

/// What is reported of [`Latencies`]: microseconds.
#[derive(Serialize)]
pub(super) struct Percentiles {
    samples: u64,
    pub(super) p50_us: f64,
    p90_us: f64,
    pub(super) p99_us: f64,
    p999_us: f64,
    max_us: f64,
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            samples,
            p50_us,
            p90_us,
            p99_us,
            p999_us,
            max_us,
        } = self;
        write!(
            f,
            "p50 {p50_us:.1} us, p90 {p90_us:.1} us, p99 {p99_us:.1} us, p99.9 {p999_us:.1} us, \
             max {max_us:.1} us ({samples} samples)"
        )
    }
}

/// Whole nanoseconds; a duration of centuries is cut.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn nanos_to_micros(nanos: u64) -> f64 {
    nanos as f64 / 1_000.0
}

const DAY: u64 = 86_400_000_000_000;
