//! Quantities as people write them: `1.2s`, `190kbit`, `1%`.

use std::time::Duration;

/// Reads a span of time: a number with `ns`, `us`, `ms`, `s`, `m` or `h`.
pub(crate) fn parse_span(text: &str) -> Option<Duration> {
    let nanos = scaled(text, &SPANS)?;
    (nanos <= MOST_NANOS).then(|| Duration::from_nanos(whole(nanos)))
}

/// Reads the rate of a link: bits with `kbit`, `Mbit` or `Gbit`, bytes with `kB/s` or `MB/s`.
/// Returns bytes in a second.
pub(crate) fn parse_rate(text: &str) -> Option<u64> {
    scaled(text, &RATES).map(whole)
}

/// Reads a share: a percentage such as `9%`, or a number from 0 to 1.
pub(crate) fn parse_share(text: &str) -> Option<f64> {
    scaled(text, &SHARES)
}

/// Writes a span so that [`parse_span`] reads it again.
pub(crate) fn span(duration: Duration) -> String {
    exact(
        duration.as_nanos(),
        &[
            ("h", 3_600_000_000_000),
            ("m", 60_000_000_000),
            ("s", 1_000_000_000),
            ("ms", 1_000_000),
            ("us", 1_000),
            ("ns", 1),
        ],
    )
}

/// Writes a rate so that [`parse_rate`] reads it again.
pub(crate) fn rate(bytes: u64) -> String {
    exact(
        u128::from(bytes) * 8,
        &[
            ("Gbit", 1_000_000_000),
            ("Mbit", 1_000_000),
            ("kbit", 1_000),
            ("bit", 1),
        ],
    )
}

/// The largest unit that needs at most three decimals.
fn exact(value: u128, units: &[(&str, u128)]) -> String {
    for (unit, factor) in units {
        if value >= *factor && (value * 1_000).is_multiple_of(*factor) {
            let (integer, rest) = (value / factor, value % factor * 1_000 / factor);
            let decimals = format!("{rest:03}");
            let decimals = decimals.trim_end_matches('0');
            let point = if decimals.is_empty() { "" } else { "." };
            return format!("{integer}{point}{decimals}{unit}");
        }
    }
    format!("0{}", units.last().map_or("", |(unit, _)| unit))
}

fn scaled(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let number: f64 = number.replace('_', "").parse().ok()?;
    let unit = unit.trim();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    Some(number * factor).filter(|value| value.is_finite())
}

/// The nearest whole number; what is too large is cut.
pub(crate) fn whole(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates"
    )]
    let whole = value.round() as u64;
    whole
}

const SPANS: [(&str, f64); 7] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("min", 60e9),
    ("h", 3_600e9),
];

const RATES: [(&str, f64); 7] = [
    ("bit", 0.125),
    ("kbit", 125.0),
    ("Mbit", 125e3),
    ("Gbit", 125e6),
    ("B/s", 1.0),
    ("kB/s", 1e3),
    ("MB/s", 1e6),
];

const SHARES: [(&str, f64); 2] = [("", 1.0), ("%", 0.01)];

/// A year: more than that is a mistake.
const MOST_NANOS: f64 = 366.0 * 86_400e9;

/// Fields of a file that are quantities.
macro_rules! quantity {
    ($name:ident, $type:ty, $parse:ident, $write:ident, $what:literal) => {
        pub(crate) mod $name {
            use serde::Deserialize;
            use serde::Deserializer;
            use serde::Serialize;
            use serde::Serializer;
            use serde::de::Error;

            use super::Quantity;

            pub(crate) fn serialize<S: Serializer>(
                value: &$type,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                super::$write(*value).serialize(serializer)
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<$type, D::Error> {
                let text = Quantity::deserialize(deserializer)?.text();
                super::$parse(&text).ok_or_else(|| Error::custom(concat!("use ", $what)))
            }
        }
    };
}

quantity!(
    as_span,
    std::time::Duration,
    parse_span,
    span,
    "a time such as 1.2s or 50us"
);
quantity!(
    as_rate,
    u64,
    parse_rate,
    rate,
    "a rate such as 190kbit or 24kB/s"
);

/// A number, or text with a unit.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Quantity {
    Float(f64),
    Text(String),
}

impl Quantity {
    fn text(self) -> String {
        match self {
            Self::Float(number) => number.to_string(),
            Self::Text(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse_rate;
    use super::parse_share;
    use super::parse_span;
    use super::rate;
    use super::span;

    #[test]
    fn quantities_are_read_as_people_write_them() {
        assert_eq!(parse_span("1.2s"), Some(Duration::from_millis(1_200)));
        assert_eq!(parse_span("50 us"), Some(Duration::from_micros(50)));
        assert_eq!(parse_rate("190kbit"), Some(23_750));
        assert_eq!(parse_rate("24kB/s"), Some(24_000));
        assert_eq!(parse_share("9%"), Some(0.09));
        for wrong in ["", "s", "1.2", "1.2x", "-1s", "1e3s", "999999999h"] {
            assert_eq!(parse_span(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for nanos in [0, 1, 999, 1_200_000_000, 180_000_000_000, 5_400_000_000_000] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(parse_span(&span(duration)), Some(duration), "{duration:?}");
        }
        for number in [0, 1, 1_000, 16_384, 1 << 20, 3_900_000] {
            assert_eq!(parse_rate(&rate(number)), Some(number));
        }
        assert_eq!(span(Duration::from_millis(1_200)), "1.2s");
        assert_eq!(span(Duration::from_secs(180)), "3m");
        assert_eq!(rate(23_750), "190kbit");
    }
}
