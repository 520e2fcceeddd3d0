//! Figures as people read them.

use crate::limits::SlowConsumer;
use crate::tune::setting::policy_text;
use crate::tune::units::span;

/// A share: `0.3 %`.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0 %".to_owned(),
        ..0.05 => "<0.1 %".to_owned(),
        _ => format!("{percent:.1} %"),
    }
}

/// A span in seconds: `1.7 s`, `40 ms`, `0 s`.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        ..0.001 => "0 s".to_owned(),
        ..0.9995 => format!("{:.0} ms", seconds * 1e3),
        ..99.95 => format!("{seconds:.1} s"),
        _ => format!("{seconds:.0} s"),
    }
}

/// A count with groups of three digits: `21,749`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Bytes by powers of 1,024: `16 KiB`; whole above ten.
pub(super) fn memory(bytes: u64) -> String {
    let value = bytes as f64;
    let (value, unit) = match bytes {
        0..1_024 => return format!("{bytes} B"),
        1_024..1_048_576 => (value / 1_024.0, "KiB"),
        _ => (value / 1_048_576.0, "MiB"),
    };
    if value >= 10.0 || value.fract() == 0.0 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// Bytes a second by powers of 1,000: `42 kB/s`.
pub(super) fn bandwidth(bytes: f64) -> String {
    match bytes {
        ..1e3 => format!("{bytes:.0} B/s"),
        ..1e6 => format!("{:.0} kB/s", bytes / 1e3),
        _ => format!("{:.1} MB/s", bytes / 1e6),
    }
}

/// A number without decimals that say nothing: `120`, `2.5`.
pub(super) fn plain(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A policy in words: `keep latest`, `disconnect after 10 s`.
pub(super) fn policy(policy: SlowConsumer) -> String {
    match policy {
        SlowConsumer::DISCONNECT => "disconnect at once".to_owned(),
        SlowConsumer::Disconnect { grace } => {
            format!(
                "disconnect after {}",
                seconds(grace.as_secs_f64()).replace(".0", "")
            )
        }
        other => policy_text(other).replace('-', " "),
    }
}

/// A policy in short, for narrow tables: `disconnect 10s`.
pub(super) fn short_policy(policy: SlowConsumer) -> String {
    match policy {
        SlowConsumer::DISCONNECT => "disconnect".to_owned(),
        SlowConsumer::Disconnect { grace } => format!("disconnect {}", span(grace)),
        other => policy_text(other),
    }
}

/// With a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::bandwidth;
    use super::capital;
    use super::count;
    use super::memory;
    use super::percent;
    use super::plain;
    use super::policy;
    use super::seconds;
    use crate::limits::SlowConsumer;

    #[test]
    fn figures_are_short() {
        assert_eq!(
            [0.0, 0.0002, 0.003, 0.24].map(percent),
            ["0 %", "<0.1 %", "0.3 %", "24.0 %"]
        );
        assert_eq!(
            [0.0, 0.04, 1.66, 120.0].map(seconds),
            ["0 s", "40 ms", "1.7 s", "120 s"]
        );
        assert_eq!(
            [0, 999, 1_000, 21_749, 1_234_567].map(count),
            ["0", "999", "1,000", "21,749", "1,234,567"]
        );
        assert_eq!(
            [100, 16_384, 1_536, 3 << 20].map(memory),
            ["100 B", "16 KiB", "1.5 KiB", "3 MiB"]
        );
        assert_eq!(
            [500.0, 41_666.0, 2.5e6].map(bandwidth),
            ["500 B/s", "42 kB/s", "2.5 MB/s"]
        );
        assert_eq!([120.0, 1.05, 2.5].map(plain), ["120", "1.05", "2.5"]);
        let grace = Duration::from_secs(10);
        assert_eq!(
            policy(SlowConsumer::Disconnect { grace }),
            "disconnect after 10 s"
        );
        assert_eq!(policy(SlowConsumer::KeepLatest), "keep latest");
        assert_eq!(capital("keep latest"), "Keep latest");
    }
}
