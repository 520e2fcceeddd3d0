//! Axes of charts.

/// An axis: how values become places, and what stands beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    name: String,
    scale: Scale,
    format: Format,
    /// The greatest value, if it is given.
    most: Option<f64>,
}

#[derive(Clone, Debug, PartialEq)]
enum Scale {
    /// From zero.
    Linear,
    /// By powers of ten, from the least value to the greatest.
    Log(f64, f64),
    /// A value is the number of a step, from zero.
    Steps(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Count,
    Percent,
    Seconds,
}

impl Axis {
    /// Creates an axis of counts, from zero.
    #[must_use]
    pub fn count(name: &str) -> Self {
        Self::linear(name, Format::Count)
    }

    /// Creates an axis of shares, from zero.
    #[must_use]
    pub fn percent(name: &str) -> Self {
        Self::linear(name, Format::Percent)
    }

    /// Creates an axis of seconds, from zero.
    #[must_use]
    pub fn seconds(name: &str) -> Self {
        Self::linear(name, Format::Seconds)
    }

    /// Creates an axis of seconds by powers of ten, from `least`, which is above zero, to `most`.
    #[must_use]
    pub fn log_seconds(name: &str, least: f64, most: f64) -> Self {
        let scale = Scale::Log(least, most);
        Self {
            scale,
            ..Self::seconds(name)
        }
    }

    /// Creates an axis of steps, such as the sizes that were tried; a value is the number of a
    /// step.
    #[must_use]
    pub fn steps<S: Into<String>>(name: &str, steps: impl IntoIterator<Item = S>) -> Self {
        let steps = steps.into_iter().map(Into::into).collect();
        Self {
            scale: Scale::Steps(steps),
            ..Self::count(name)
        }
    }

    /// Sets the greatest value; by default that of the series.
    #[must_use]
    pub fn most(mut self, most: f64) -> Self {
        self.most = Some(most);
        self
    }

    fn linear(name: &str, format: Format) -> Self {
        Self {
            name: name.to_owned(),
            scale: Scale::Linear,
            format,
            most: None,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The greatest value that is shown, if the greatest of the series is `most`.
    pub(super) fn end(&self, most: f64) -> f64 {
        match &self.scale {
            Scale::Linear => {
                let end = self.most.unwrap_or(most);
                if end > 0.0 { end } else { 1.0 }
            }
            Scale::Log(_, most) => *most,
            Scale::Steps(steps) => (steps.len().max(2) - 1) as f64,
        }
    }

    /// Where a value is, from 0 to 1.
    pub(super) fn place(&self, value: f64, end: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear | Scale::Steps(_) => value / end,
            Scale::Log(least, most) => (value.max(least) / least).ln() / (most / least).ln(),
        };
        place.clamp(0.0, 1.0)
    }

    /// The values that are named on the axis.
    pub(super) fn ticks(&self, end: f64) -> Vec<f64> {
        match &self.scale {
            Scale::Linear => even(end),
            Scale::Log(least, most) => {
                let mut ticks = Vec::new();
                let mut tick = 10.0_f64.powf(least.log10().ceil());
                while tick <= most * 1.0001 {
                    ticks.push(tick);
                    tick *= 10.0;
                }
                ticks
            }
            Scale::Steps(steps) => (0..steps.len()).map(|step| step as f64).collect(),
        }
    }

    /// A value as people read it.
    pub(super) fn text(&self, value: f64) -> String {
        if let Scale::Steps(steps) = &self.scale {
            let step = steps
                .iter()
                .enumerate()
                .find(|(at, _)| *at as f64 >= value - 1e-9);
            return step.map_or_else(String::new, |(_, step)| step.clone());
        }
        match self.format {
            Format::Count => count(value),
            Format::Percent => format!("{} %", rounded(value * 100.0)),
            Format::Seconds => seconds(value),
        }
    }
}

/// Four or five even steps to about `end`.
fn even(end: f64) -> Vec<f64> {
    let raw = end / 4.0;
    let power = 10.0_f64.powf(raw.log10().floor());
    let factors = [1.0, 2.0, 2.5, 5.0, 10.0];
    let step = factors
        .iter()
        .map(|factor| factor * power)
        .find(|step| *step >= raw * 0.999);
    let step = step.unwrap_or(raw);
    (0..8)
        .map(|n| f64::from(n) * step)
        .take_while(|tick| *tick <= end * 1.0001)
        .collect()
}

fn count(value: f64) -> String {
    match value.abs() {
        1e6.. => format!("{} M", rounded(value / 1e6)),
        1e4.. => format!("{} k", rounded(value / 1e3)),
        _ => rounded(value),
    }
}

/// A span of seconds in the unit that fits.
fn seconds(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        120.0.. => format!("{} min", rounded(value / 60.0)),
        1.0.. => format!("{} s", rounded(value)),
        1e-3.. => format!("{} ms", rounded(value * 1e3)),
        _ => format!("{} us", rounded(value * 1e6)),
    }
}

/// With one decimal where that says something; small values with two.
fn rounded(value: f64) -> String {
    let text = match value.abs() {
        0.0 => return "0".to_owned(),
        ..1.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => return format!("{value:.0}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
