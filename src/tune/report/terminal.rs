//! The report as text for a terminal: what is tuned, the table, one recommendation, and what to
//! paste.

use crate::tune::Tuning;
use crate::tune::figures::ClassFigures;
use crate::tune::rank::Ranked;
use crate::tune::scenario::ClientClass;
use crate::tune::scenario::Feed;
use crate::tune::scenario::Scenario;
use crate::tune::setting::Setting;
use crate::tune::words::bandwidth;
use crate::tune::words::count;
use crate::tune::words::memory;
use crate::tune::words::percent;
use crate::tune::words::plain;
use crate::tune::words::seconds;
use crate::tune::words::short_policy;

/// How a terminal shows text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terminal {
    /// Columns; no line is longer, but for what is to be pasted. At least 80.
    pub width: usize,
    /// Whether colours are shown, by the escape sequences of ANSI.
    pub colour: bool,
}

impl Terminal {
    /// Creates a terminal of so many columns; fewer than 80 count as 80.
    #[must_use]
    pub fn new(width: usize, colour: bool) -> Self {
        let width = width.max(LEAST);
        Self { width, colour }
    }

    pub(super) fn ink(self, ink: Ink, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Bad => "31",
            Ink::Best => "32",
            Ink::Bold => "1",
            Ink::Code => "34",
            Ink::Dim => "2",
            Ink::Warn => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

const LEAST: usize = 80;

#[derive(Clone, Copy)]
pub(super) enum Ink {
    Bad,
    Best,
    Bold,
    Code,
    Dim,
    Warn,
}

impl Scenario {
    /// Returns what is going to be tuned, as lines for a terminal: the feed and the clients, and
    /// what their links carry of it.
    #[must_use]
    pub fn to_terminal(&self, terminal: Terminal) -> String {
        let mut text = String::new();
        for (at, feed) in self.feeds.iter().enumerate() {
            let label = if at == 0 { "feed" } else { "" };
            let mut words = feed_words(self, feed);
            if at + 1 == self.feeds.len() {
                let bytes = bandwidth(self.bytes_per_second());
                words.push_str(&terminal.ink(Ink::Bold, &format!(": {bytes} a client")));
            }
            paragraph(&mut text, terminal, label, 11, &words);
        }
        let shares = self.shares();
        let classes = self.clients.iter().zip(&shares).map(|(class, share)| {
            let (words, carries) = class_words(self, class, *share);
            if carries {
                words
            } else {
                terminal.ink(Ink::Warn, &words)
            }
        });
        let classes: Vec<String> = classes.collect();
        paragraph(&mut text, terminal, "clients", 11, &classes.join(" · "));
        text
    }
}

fn feed_words(scenario: &Scenario, feed: &Feed) -> String {
    let mut words = format!("{}/s", plain(feed.rate));
    if let Some(burst) = &feed.burst {
        let every = brief(burst.every.as_secs_f64());
        words.push_str(&format!(", bursts of {} every {every}", burst.messages));
    }
    if let Some(keys) = &feed.keys {
        let skew = if keys.skew > 0.0 {
            format!(" (zipf {})", plain(keys.skew))
        } else {
            String::new()
        };
        words.push_str(&format!(", {} keys{skew}", keys.count));
    }
    let bytes = feed.size.mean + scenario.overhead;
    words.push_str(&format!(", {bytes} B on the wire"));
    words
}

fn class_words(scenario: &Scenario, class: &ClientClass, share: f64) -> (String, bool) {
    let bits = class.bandwidth as f64 * 8.0;
    let bits = match bits {
        ..1e6 => format!("{} kbit", plain(bits / 1e3)),
        _ => format!("{} Mbit", plain(bits / 1e6)),
    };
    let mut words = format!("{} % {} {bits}", plain(share * 100.0), class.name);
    let part = class.carries() / scenario.bytes_per_second();
    let carries = part >= 1.0 || class.sleep.is_some();
    if !carries {
        words.push_str(&format!(": carries {:.0} % of the feed", part * 100.0));
    }
    if let Some(stall) = &class.stall
        && carries
    {
        words.push_str(&format!(", stalls {}", brief(stall.lasts.as_secs_f64())));
    }
    if let Some(sleep) = &class.sleep {
        words.push_str(&format!(", sleeps {}", brief(sleep.lasts.as_secs_f64())));
    }
    (words, carries)
}

/// Seconds without a decimal that is zero.
fn brief(span: f64) -> String {
    seconds(span).replace(".0 ", " ")
}

impl Tuning {
    /// Returns the report as text for a terminal: what no setting can do, the table, the
    /// recommendation with its reasons, and what to paste.
    #[must_use]
    pub fn to_terminal(&self, terminal: Terminal) -> String {
        let mut text = String::new();
        let advice = self.advice();
        self.table(&mut text, terminal);
        text.push('\n');
        let verdict = match advice.setting {
            Some(_) => Ink::Bold,
            None => Ink::Bad,
        };
        text.push_str(&terminal.ink(verdict, &advice.verdict));
        text.push('\n');
        for reason in &advice.reasons {
            paragraph(&mut text, terminal, &reason.topic, REASON, &reason.text);
        }
        for beware in &advice.beware {
            let words = terminal.ink(Ink::Warn, beware);
            paragraph(&mut text, terminal, "beware", REASON, &words);
        }
        if advice.setting.is_some() {
            text.push('\n');
            let (first, rest) = advice.code.split_once('\n').unwrap_or((&advice.code, ""));
            text.push_str(&format!("{}\n{rest}\n", terminal.ink(Ink::Code, first)));
            let flags = advice.command.trim_start_matches(SERVE);
            text.push_str(&terminal.ink(Ink::Code, SERVE));
            folded(&mut text, terminal, flags);
        }
        text
    }

    /// Returns the verdict and its reasons only, as lines for a terminal.
    #[must_use]
    pub fn to_verdict(&self, terminal: Terminal) -> String {
        let advice = self.advice();
        let mut text = format!("{}\n", advice.verdict);
        if advice.setting.is_none() {
            for reason in &advice.reasons {
                paragraph(&mut text, terminal, &reason.topic, REASON, &reason.text);
            }
        }
        text
    }

    fn table(&self, text: &mut String, terminal: Terminal) {
        let columns = Columns::of(self, terminal);
        for line in columns.heads() {
            text.push_str(&terminal.ink(Ink::Dim, line.trim_end()));
            text.push('\n');
        }
        let mut last = 0;
        let mut has_gap = false;
        for (rank, ranked) in self.shown() {
            if rank > last + 1 && !has_gap {
                text.push_str("   …\n");
                has_gap = true;
            }
            last = rank;
            text.push_str(&columns.row(rank, ranked));
            text.push('\n');
        }
    }

    /// The settings that are shown: the best three, and those that the reasons speak of.
    pub(super) fn shown(&self) -> Vec<(usize, &Ranked)> {
        let Some(first) = self.best().or_else(|| self.ranked.first()) else {
            return Vec::new();
        };
        let best = first.figures.setting;
        let mut shown: Vec<usize> = (0..self.ranked.len().min(3)).collect();
        let mut show = |is: &dyn Fn(&Setting) -> bool| {
            shown.extend(self.ranked.iter().position(|it| is(&it.figures.setting)));
        };
        for other in &self.scenario.sweep.policy {
            show(&|it| it.policy == *other);
        }
        let outboxes = self.ranked.iter().map(|it| it.figures.setting);
        let smaller = outboxes.filter(|it| {
            it.outbox < best.outbox
                && Setting {
                    outbox: best.outbox,
                    ..*it
                } == best
        });
        let smaller = smaller.max_by_key(|it| it.outbox);
        show(&|it| Some(*it) == smaller);
        show(&|it| {
            *it == Setting {
                unsent_mark: 0,
                ..best
            }
        });
        show(&|it| *it == Setting::shipped());
        shown.sort_unstable();
        shown.dedup();
        shown
            .into_iter()
            .map(|at| (at + 1, &self.ranked[at]))
            .collect()
    }
}

/// The columns of the table.
struct Columns<'a> {
    tuning: &'a Tuning,
    terminal: Terminal,
    /// The slowest class that can carry the feed.
    tight: usize,
    /// The slowest class.
    slow: usize,
}

impl<'a> Columns<'a> {
    fn of(tuning: &'a Tuning, terminal: Terminal) -> Self {
        let (tight, slow) = (tuning.tightest(), tuning.slowest());
        Self {
            tuning,
            terminal,
            tight,
            slow,
        }
    }

    fn is_wide(&self) -> bool {
        self.terminal.width >= WIDE
    }

    fn heads(&self) -> [String; 3] {
        let name = |at: usize| {
            let name = &self.tuning.scenario.clients[at].name;
            name.chars().take(6).collect::<String>()
        };
        let (tight, slow) = (name(self.tight), name(self.slow));
        let first = [
            "outbox", "unsent", "lost", "super-", "stale", "stale", "closed", "peak",
        ];
        let second = ["", "mark", "", "seded", "p99", "p50", "/h", "wait-"];
        let third = ["", "", &tight, "", &tight, &slow, "", "ing"];
        let mut heads = [
            line("#", "policy", first),
            line("", "", second),
            line("", "", third),
        ];
        if self.is_wide() {
            heads[0].push_str("    publish");
            heads[1].push_str("    ns/delivery");
        }
        heads
    }

    fn row(&self, rank: usize, ranked: &Ranked) -> String {
        let figures = &ranked.figures;
        let setting = figures.setting;
        let (tight, slow) = (&figures.classes[self.tight], &figures.classes[self.slow]);
        let mark = match setting.unsent_mark {
            0 => "none".to_owned(),
            mark => memory(mark.into()),
        };
        let superseded = figures
            .classes
            .iter()
            .map(|class| class.superseded.mid)
            .fold(0.0, f64::max);
        let superseded = if superseded > 0.0 {
            percent(superseded)
        } else {
            "–".to_owned()
        };
        let plain = line(
            &rank.to_string(),
            &short_policy(setting.policy),
            [
                &setting.outbox.to_string(),
                &mark,
                &percent(tight.lost.mid),
                &superseded,
                &seconds(tight.stale_p99.mid),
                &seconds(slow.stale_p50.mid),
                &format!("{:.0}", self.closed(&figures.classes)),
                &count(figures.peak_waiting),
            ],
        );
        let mut row = self.inked(ranked, &plain);
        if self.is_wide() {
            row.push_str(&format!("    {:>7.0}", figures.publish_nanos));
        }
        if setting == Setting::shipped() {
            row.push_str(&self.terminal.ink(Ink::Dim, " ←"));
            if self.is_wide() {
                row.push_str(&self.terminal.ink(Ink::Dim, " today's defaults"));
            }
        }
        row
    }

    /// Closes of the class that is closed most, clients that sleep left out.
    fn closed(&self, classes: &[ClassFigures]) -> f64 {
        let clients = &self.tuning.scenario.clients;
        let awake = classes
            .iter()
            .zip(clients)
            .filter(|(_, class)| class.sleep.is_none());
        awake
            .map(|(class, _)| class.closed_slow.mid + class.closed_timeout.mid)
            .fold(0.0, f64::max)
    }

    fn inked(&self, ranked: &Ranked, row: &str) -> String {
        let best = self.tuning.best().map(|best| best.figures.setting);
        if best == Some(ranked.figures.setting) {
            let marked = format!("▶{}", row.chars().skip(1).collect::<String>());
            return self.terminal.ink(Ink::Best, &marked);
        }
        if ranked.broken.is_empty() {
            row.to_owned()
        } else {
            self.terminal.ink(Ink::Bad, row)
        }
    }
}

/// One line of the table: 76 columns.
fn line(rank: &str, policy: &str, cells: [&str; 8]) -> String {
    let [outbox, mark, lost, superseded, p99, p50, closed, peak] = cells;
    format!(
        "{rank:>3} {policy:<14} {outbox:>6} {mark:>6} {lost:>6} {superseded:>6} {p99:>7} {p50:>7} {closed:>6} {peak:>6}"
    )
}

/// Columns from which on there is room for one more figure.
const WIDE: usize = 100;

/// Where the text of a reason begins.
const REASON: usize = 14;

const SERVE: &str = "throng serve";

/// A label and words behind it, wrapped.
fn paragraph(text: &mut String, terminal: Terminal, label: &str, indent: usize, words: &str) {
    let label = format!("  {label}");
    let mut line = format!("{label:<indent$}");
    let mut width = indent;
    let mut is_first = true;
    for word in words.split(' ') {
        let length = visible(word);
        if !is_first && width + 1 + length > terminal.width {
            text.push_str(line.trim_end());
            text.push('\n');
            line = " ".repeat(indent);
            width = indent;
            is_first = true;
        }
        if !is_first {
            line.push(' ');
            width += 1;
        }
        line.push_str(word);
        width += length;
        is_first = false;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// Flags of a command, which goes on in the next line where it has to.
fn folded(text: &mut String, terminal: Terminal, flags: &str) {
    let mut width = SERVE.len();
    for flag in flags.split(" --").filter(|flag| !flag.is_empty()) {
        let flag = format!(" --{flag}");
        if width + flag.len() + 2 > terminal.width {
            text.push_str(" \\\n   ");
            width = 3;
        }
        width += flag.len();
        text.push_str(&flag);
    }
    text.push('\n');
}

/// The columns that a word takes, escape sequences left out.
fn visible(word: &str) -> usize {
    let mut columns = 0;
    let mut is_escape = false;
    for c in word.chars() {
        match c {
            '\x1b' => is_escape = true,
            'm' if is_escape => is_escape = false,
            _ if is_escape => {}
            _ => columns += 1,
        }
    }
    columns
}
