//! Parts of a scenario as one word of a command line.

use std::str::FromStr;
use std::time::Duration;

use crate::tune::scenario::Burst;
use crate::tune::scenario::ClientClass;
use crate::tune::scenario::InvalidScenario;
use crate::tune::scenario::Keys;
use crate::tune::units::parse_share;
use crate::tune::units::parse_span;

impl FromStr for Burst {
    type Err = InvalidScenario;

    /// Reads `400/12s`: 400 messages every 12 s; or `400/12s/50us`, which are 50 us apart.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || InvalidScenario::new("use MESSAGES/EVERY such as 400/12s, or 400/12s/50us");
        let mut parts = text.split('/');
        let messages = parts.next().and_then(|text| text.parse().ok());
        let every = parts.next().and_then(parse_span);
        let (Some(messages), Some(every)) = (messages, every) else {
            return Err(wrong());
        };
        let burst = Self::new(messages, every);
        match (parts.next().map(parse_span), parts.next()) {
            (None, _) => Ok(burst),
            (Some(Some(spacing)), None) => Ok(Self { spacing, ..burst }),
            _ => Err(wrong()),
        }
    }
}

impl FromStr for Keys {
    type Err = InvalidScenario;

    /// Reads `400`, `400:zipf` or `400:1.05`: the number of keys, and the exponent.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || InvalidScenario::new("use COUNT, COUNT:zipf or COUNT:EXPONENT such as 400:1.05");
        let (count, skew) = text.split_once(':').unwrap_or((text, "0"));
        let count = count.parse().map_err(|_| wrong())?;
        let skew = match skew {
            "zipf" => ZIPF,
            skew => skew.parse().map_err(|_| wrong())?,
        };
        Ok(Self::new(count, skew))
    }
}

/// The exponent of keys of which a few change most.
const ZIPF: f64 = 1.05;

impl ClientClass {
    /// Reads `fixed:55%,mobile:33%,weak:9%,sleepy:3%`: classes by name with their shares.
    ///
    /// # Errors
    ///
    /// [`InvalidScenario`] names the classes that there are.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, InvalidScenario> {
        let parse = |part: &str| {
            let (name, share) = part.split_once(':').unwrap_or((part, "1"));
            let share = parse_share(share);
            match (Self::preset(name.trim()), share) {
                (Some(class), Some(share)) => Ok(Self { share, ..class }),
                _ => Err(InvalidScenario::new(format!(
                    "`{part}` is no CLASS:SHARE such as weak:9%; the classes are {}",
                    Self::PRESETS.join(", ")
                ))),
            }
        };
        text.split(',').map(parse).collect()
    }
}

/// Reads a span such as `1.2s`, `500us` or `2m`.
///
/// # Errors
///
/// [`InvalidScenario`] names the units.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidScenario> {
    parse_span(text).ok_or_else(|| InvalidScenario::new("use a time such as 1.2s, 500us or 2m"))
}

/// Reads a share such as `1%` or `0.01`.
///
/// # Errors
///
/// [`InvalidScenario`] says what is allowed.
pub fn parse_part(text: &str) -> Result<f64, InvalidScenario> {
    let share = parse_share(text).filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| InvalidScenario::new("use a share such as 1% or 0.01"))
}
