//! How a comparison was made, in a few lines of Markdown.

use std::fmt;
use std::path::Path;

use super::Options;

/// Everything that was chosen, given or not.
pub(super) struct Settings<'a>(pub(super) &'a Options);

impl fmt::Display for Settings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options {
            start,
            size,
            rounds,
            seconds,
            warm_up,
            path,
            ..
        } = self.0;
        writeln!(
            f,
            "Settings: {size} bytes of payload, {rounds} rounds of {} s after a warm-up of {} s, one \
             publisher and one thread of clients at `{path}`. Started as:",
            seconds.as_secs_f64(),
            warm_up.as_secs_f64(),
        )?;
        for contender in start {
            let command = contender.command.split_whitespace().map(short);
            let command: Vec<_> = command.collect();
            write!(f, "\n* {}: `{}`", contender.name, command.join(" "))?;
        }
        Ok(())
    }
}

/// A word of a command; of a path, only the file: where it lies matters to nobody else.
fn short(word: &str) -> &str {
    let name = Path::new(word.trim_matches('\'')).file_name();
    match name.and_then(|name| name.to_str()) {
        Some(name) if word.trim_matches('\'').starts_with('/') || word.contains("target/") => name,
        _ => word,
    }
}
