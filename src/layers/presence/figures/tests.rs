//! The figures against a list of all that has happened.

use std::time::Duration;
use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::*;

use super::Figures;

const HOUR: u64 = 3600;

proptest! {
    #[test]
    fn peak_and_average_are_those_of_the_last_day(
        steps in vec((prop_oneof![0..5_000_u64, 0..40 * HOUR], any::<bool>()), 1..60),
    ) {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut figures = Figures::new(start);
        let (mut now, mut present) = (0, 0_usize);
        // How many were there from when to when.
        let mut spans = Vec::new();
        for (after, has_come) in steps {
            spans.push((now, now + after, present));
            now += after;
            figures.count(at(now), has_come);
            present = if has_come { present + 1 } else { present.saturating_sub(1) };
        }
        spans.push((now, now, present));
        let from = (now / HOUR + 1).saturating_sub(24) * HOUR;
        let kept = || spans.iter().filter(|(_, end, _)| *end >= from);
        prop_assert_eq!(figures.present(), present);
        prop_assert_eq!(figures.peak(at(now)), kept().map(|(.., there)| *there).max().unwrap());
        if now > from {
            let area: u64 = kept()
                .map(|(begin, end, there)| (end - (*begin).max(from)) * *there as u64)
                .sum();
            let average = area as f64 / (now - from) as f64;
            prop_assert!((figures.average(at(now)) - average).abs() < 1e-6);
        }
    }
}
