//! Latencies, gathered in histograms.

use std::collections::BTreeMap;
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
            histogram: self.histogram(),
        })
    }

    /// The share of the samples by time in seconds, ten steps for each power of ten.
    fn histogram(&self) -> Vec<(f64, f64)> {
        let mut counts = BTreeMap::new();
        for recorded in self.0.iter_recorded() {
            let nanos = recorded.value_iterated_to().max(1);
            let step = (nanos as f64).log10() * 10.0;
            // At most 140, for a day.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from 0 to 140"
            )]
            let step = step as u32;
            *counts.entry(step).or_insert(0) += recorded.count_since_last_iteration();
        }
        let all = self.0.len().max(1) as f64;
        let point = |(step, count): (u32, u64)| {
            let middle = 10.0_f64.powf((f64::from(step) + 0.5) / 10.0) / 1e9;
            (middle, count as f64 / all)
        };
        counts.into_iter().map(point).collect()
    }
}

/// What is reported of [`Latencies`]: microseconds in the fields, and milliseconds in the text
/// where the median is at least one.
#[derive(Serialize)]
pub(super) struct Percentiles {
    samples: u64,
    pub(super) p50_us: f64,
    p90_us: f64,
    pub(super) p99_us: f64,
    p999_us: f64,
    max_us: f64,
    /// The share of the samples by time in seconds, for pictures.
    #[serde(skip)]
    pub(super) histogram: Vec<(f64, f64)>,
}

impl Percentiles {
    /// The median, p90, p99, p99.9 and the greatest, in seconds.
    pub(super) fn seconds(&self) -> [f64; 5] {
        let all = [
            self.p50_us,
            self.p90_us,
            self.p99_us,
            self.p999_us,
            self.max_us,
        ];
        all.map(|micros| micros / 1e6)
    }
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
            ..
        } = self;
        // One unit for all, so that they can be compared at a glance.
        let (unit, micros) = match *p50_us {
            1_000.0.. => ("ms", 1_000.0),
            _ => ("us", 1.0),
        };
        for (name, value) in [
            ("p50", p50_us),
            ("p90", p90_us),
            ("p99", p99_us),
            ("p99.9", p999_us),
            ("max", max_us),
        ] {
            write!(f, "{name} {:.1} {unit}, ", value / micros)?;
        }
        write!(f, "{samples} samples")
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
