//! Which channels remember what was published to them, and how much.

use std::num::NonZeroUsize;

use clap::Args;
use throng::HistoryMode;
use throng::HistoryOptions;
use throng::RoomId;
use throng::channels::Pattern;
use throng::is_reserved;

use crate::cli::millis;

/// Which channels remember, as the arguments say it.
#[derive(Clone, Debug, Args)]
pub(crate) struct HistoryFlags {
    /// Channels that remember their last messages, for clients that come back: all that match a
    /// pattern, such as `news`, `news.*` or `news.>`. Behind a colon may stand, with commas between
    /// them, messages=N (256), bytes=BYTES (1048576), age=MS (300000), and `latest` where only the
    /// last message counts and newcomers get it. May be given several times: the first that matches
    /// counts.
    #[arg(long, value_name = "PATTERN[:SETTINGS]", value_parser = Rule::parse)]
    history: Vec<Rule>,

    /// Let rooms remember nothing; they keep 256 messages of together 1 MiB for five minutes.
    #[arg(long)]
    no_room_history: bool,

    /// Bytes that all channels may remember together: payloads, keys and metadata, and 648 for each
    /// message besides.
    #[arg(long, value_name = "BYTES", default_value = "268435456")]
    pub(crate) max_history_bytes: NonZeroUsize,
}

impl HistoryFlags {
    pub(crate) fn histories(&self) -> Histories {
        Histories {
            rules: self.history.clone(),
            rooms: (!self.no_room_history).then(HistoryOptions::new),
        }
    }
}

/// Which channels remember how much.
#[derive(Clone, Debug)]
pub(crate) struct Histories {
    rules: Vec<Rule>,
    rooms: Option<HistoryOptions>,
}

impl Histories {
    /// What the channel of this name remembers. Of the channels of the layers only rooms do.
    pub(crate) fn of(&self, channel: &str) -> Option<HistoryOptions> {
        if RoomId::of_channel(channel).is_some() {
            return self.rooms.clone();
        }
        if is_reserved(channel) {
            return None;
        }
        let mut rules = self.rules.iter();
        let rule = rules.find(|rule| rule.pattern.matches(channel))?;
        Some(rule.options.clone())
    }

    /// Whether any channel remembers anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.rooms.is_none()
    }
}

/// What channels remember that match a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    pattern: Pattern,
    options: HistoryOptions,
}

impl Rule {
    /// Reads a pattern and, behind the last colon, settings.
    fn parse(text: &str) -> Result<Self, String> {
        let (pattern, settings) = text.rsplit_once(':').unwrap_or((text, ""));
        let options = settings_of(settings)?;
        if is_reserved(pattern) {
            return Err("names with a `$` are the server's own".into());
        }
        match Pattern::parse(pattern) {
            Ok(pattern) => Ok(Self { pattern, options }),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn settings_of(text: &str) -> Result<HistoryOptions, String> {
    let mut options = HistoryOptions::new();
    let mut seen: Vec<&str> = Vec::new();
    for setting in text.split(',').filter(|_| !text.is_empty()) {
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        if seen.contains(&name) {
            return Err(format!("`{name}` is there twice"));
        }
        seen.push(name);
        match (name, value) {
            ("latest", "") => options.mode = HistoryMode::Latest,
            ("messages", _) => options.max_messages = at_least_one(name, value)?,
            ("bytes", _) => options.max_bytes = at_least_one(name, value)?,
            ("age", _) => match millis(value) {
                Ok(age) if !age.is_zero() => options.max_age = age,
                Ok(_) => return Err("`age` is at least 1".into()),
                Err(expected) => return Err(format!("`age` is {expected}")),
            },
            _ => return Err(unknown(setting)),
        }
    }
    if seen.contains(&"latest") && seen.contains(&"messages") {
        return Err("`latest` is one message: leave `messages` out".into());
    }
    Ok(options)
}

fn at_least_one(name: &str, value: &str) -> Result<usize, String> {
    match value.parse::<NonZeroUsize>() {
        Ok(number) => Ok(number.get()),
        Err(_) => Err(format!("`{name}` is a whole number, at least 1")),
    }
}

fn unknown(setting: &str) -> String {
    format!(
        "`{setting}` is none of messages=N, bytes=BYTES, age=MS and latest; a pattern with a colon \
         in it needs another one behind it"
    )
}

#[cfg(test)]
mod tests;
