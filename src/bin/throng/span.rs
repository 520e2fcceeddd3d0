//! Spans of time for people: `90d`, `12h`, `15m`, `30s`.

use std::time::Duration;

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// Reads a span of whole seconds, minutes, hours or days.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || "use a time such as 30s, 15m, 12h or 90d".to_owned();
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let (_, seconds) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(wrong)?;
    let number = &text[..text.len() - unit.len_utf8()];
    let number: u32 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

/// Writes a span with its two largest units.
pub(crate) fn text(span: Duration) -> String {
    let mut seconds = span.as_secs();
    let mut parts = Vec::new();
    for (name, unit) in UNITS {
        let number = seconds / unit;
        seconds %= unit;
        if number > 0 && parts.len() < 2 {
            parts.push(format!("{number}{name}"));
        }
    }
    match parts.is_empty() {
        true => "0s".to_owned(),
        false => parts.join(" "),
    }
}
