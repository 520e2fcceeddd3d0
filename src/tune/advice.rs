//! One recommendation with its reasons, each of which is backed by what another setting would do.

use serde::Serialize;

use crate::limits::SlowConsumer;
use crate::tune::Tuning;
use crate::tune::figures::ClassFigures;
use crate::tune::figures::Figures;
use crate::tune::rank::Broken;
use crate::tune::rank::Ranked;
use crate::tune::setting::Setting;
use crate::tune::units::whole;
use crate::tune::words::memory;
use crate::tune::words::percent;
use crate::tune::words::plain;
use crate::tune::words::seconds;
use crate::tune::words::short_policy;

/// A recommendation, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Advice {
    /// The recommended setting; `None` if every setting breaks a bound.
    pub setting: Option<Setting>,
    /// One sentence.
    pub verdict: String,
    /// The reasons, each with what another setting would do.
    pub reasons: Vec<Reason>,
    /// What no setting can do.
    pub beware: Vec<String>,
    /// Rust that sets up a hub so; empty without a recommendation.
    pub code: String,
    /// The command that starts a server so; empty without a recommendation.
    pub command: String,
    /// The same as YAML, by the names of the options; empty without a recommendation.
    pub yaml: String,
}

/// A reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Reason {
    /// What it is about, such as `why 128`.
    pub topic: String,
    /// What another setting would do.
    pub text: String,
}

impl Tuning {
    /// Returns the recommendation with its reasons, or which bound cannot be kept and what would
    /// pass.
    #[must_use]
    pub fn advice(&self) -> Advice {
        let beware = self.beware();
        let Some(best) = self.best() else {
            return Advice {
                setting: None,
                verdict: "No setting keeps every bound.".to_owned(),
                reasons: self.nearest(),
                beware,
                code: String::new(),
                command: String::new(),
                yaml: String::new(),
            };
        };
        let setting = best.figures.setting;
        Advice {
            setting: Some(setting),
            verdict: verdict(&setting),
            reasons: self.reasons(&best.figures),
            beware,
            code: code(&setting),
            command: command(&setting),
            yaml: yaml(&setting),
        }
    }

    fn reasons(&self, best: &Figures) -> Vec<Reason> {
        let setting = best.setting;
        let mut reasons = Vec::new();
        let mut push = |topic: String, text: Option<String>| {
            if let Some(text) = text {
                reasons.push(Reason { topic, text });
            }
        };
        push(format!("why {}", setting.outbox), self.why_outbox(best));
        let policy = match setting.policy {
            SlowConsumer::KeepLatest => "why latest",
            SlowConsumer::DropOldest => "why oldest",
            SlowConsumer::DropNewest => "why newest",
            SlowConsumer::Disconnect { .. } => "why close",
        };
        push(policy.to_owned(), self.why_policy(best));
        let mark = if setting.unsent_mark > 0 {
            "why a mark"
        } else {
            "why no mark"
        };
        push(mark.to_owned(), self.why_mark(best));
        push("defaults".to_owned(), self.why_not_defaults(&setting));
        reasons
    }

    fn why_outbox(&self, best: &Figures) -> Option<String> {
        let setting = best.setting;
        let same = |it: &&Ranked| {
            let outbox = setting.outbox;
            Setting {
                outbox,
                ..it.figures.setting
            } == setting
                && it.figures.setting != setting
        };
        let others = || self.ranked.iter().filter(same);
        let smaller = others().filter(|it| it.figures.setting.outbox < setting.outbox);
        let smaller = smaller.max_by_key(|it| it.figures.setting.outbox);
        let larger = others().filter(|it| it.figures.setting.outbox > setting.outbox);
        let larger = larger.min_by_key(|it| it.figures.setting.outbox);
        let of = |it: &Ranked| {
            let outbox = it.figures.setting.outbox;
            format!("with {outbox}, {}", self.differs(best, it))
        };
        let parts: Vec<String> = [smaller, larger].into_iter().flatten().map(of).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn why_policy(&self, best: &Figures) -> Option<String> {
        let setting = best.setting;
        let beside = |it: &&Ranked| {
            Setting {
                policy: setting.policy,
                ..it.figures.setting
            } == setting
        };
        let is_other = |it: &&Ranked| it.figures.setting.policy != setting.policy;
        let mut others = self.ranked.iter().filter(is_other);
        let other = others.clone().find(beside).or_else(|| others.next())?;
        let opening = match setting.policy {
            SlowConsumer::KeepLatest if self.has_keys() => "keys: only the newest counts. ",
            _ => "",
        };
        let name = short_policy(other.figures.setting.policy);
        let size = match other.figures.setting.outbox {
            same if same == setting.outbox => String::new(),
            outbox => format!(" {outbox}"),
        };
        Some(format!(
            "{opening}With {name}{size}, {}",
            self.differs(best, other)
        ))
    }

    fn why_mark(&self, best: &Figures) -> Option<String> {
        let setting = best.setting;
        let without = |it: &&Ranked| {
            let bare = Setting {
                unsent_mark: 0,
                ..setting
            };
            it.figures.setting == bare && setting.unsent_mark > 0
        };
        let bare = self.ranked.iter().find(without)?;
        let (unsent, differs) = (memory(bare.figures.unsent), self.differs(best, bare));
        Some(format!(
            "without one, the kernel takes up to {unsent} before the outbox sees that a client is slow: {differs}"
        ))
    }

    fn why_not_defaults(&self, setting: &Setting) -> Option<String> {
        let shipped = Setting::shipped();
        if *setting == shipped {
            return Some("this is what `throng serve` does unless told otherwise".to_owned());
        }
        let best = &self.best()?.figures;
        let defaults = self
            .ranked
            .iter()
            .find(|it| it.figures.setting == shipped)?;
        let differs = self.differs(best, defaults);
        Some(format!(
            "{} {}: {differs}",
            short_policy(shipped.policy),
            shipped.outbox
        ))
    }

    /// The most important thing that another setting does otherwise.
    fn differs(&self, best: &Figures, other: &Ranked) -> String {
        if let Some(broken) = worst(&other.broken) {
            return broke(broken);
        }
        let figures = &other.figures;
        let slow = self.slowest();
        let (here, there) = (&best.classes[slow], &figures.classes[slow]);
        let (a, b) = (here.stale_p50.mid, there.stale_p50.mid);
        if differ(a, b) {
            return format!(
                "{} clients see values {} old (median), not {}",
                here.class,
                seconds(b),
                seconds(a)
            );
        }
        let (a, b) = (here.stale_p99.mid, there.stale_p99.mid);
        if differ(a, b) {
            return format!(
                "{} clients see values {} old 1 % of the time, not {}",
                here.class,
                seconds(b),
                seconds(a)
            );
        }
        let most = |it: &Figures| {
            let shares = it.classes.iter().map(|class| class.superseded.mid);
            shares.fold(0.0, f64::max)
        };
        let (a, b) = (most(best), most(figures));
        if (a - b).abs() > 0.01 {
            return format!("{} are superseded, not {}", percent(b), percent(a));
        }
        let (a, b) = (best.memory, figures.memory);
        format!(
            "clients see the same, with {} each, not {}",
            memory(b),
            memory(a)
        )
    }

    fn beware(&self) -> Vec<String> {
        let scenario = &self.scenario;
        let feed = scenario.bytes_per_second();
        let mut beware = Vec::new();
        for class in &scenario.clients {
            let part = class.carries() / feed;
            if part < 1.0 && class.sleep.is_none() {
                beware.push(format!(
                    "{} clients get {} of the feed whatever you set: thin it for them (filters), if they need all",
                    class.name,
                    portion(part),
                ));
            }
        }
        if let Some(best) = self.best() {
            let sleepers = scenario.clients.iter().zip(&best.figures.classes);
            for (class, figures) in sleepers.filter(|(class, _)| class.sleep.is_some()) {
                beware.push(self.asleep(&best.figures, class.name.as_str(), figures));
            }
        }
        beware
    }

    /// What clients that sleep lose, and whether a history or longer timeouts would help.
    fn asleep(&self, best: &Figures, name: &str, figures: &ClassFigures) -> String {
        let mut text = format!(
            "{name} clients lose {} while they sleep",
            percent(figures.lost.mid)
        );
        let setting = best.setting;
        for other in &self.ranked {
            let it = other.figures.setting;
            let Setting {
                history, timeout, ..
            } = it;
            let is_neighbour = it != setting
                && Setting {
                    history,
                    timeout,
                    ..setting
                } == it;
            let there = other
                .figures
                .classes
                .iter()
                .find(|class| class.class == name);
            let lost = there.map_or(1.0, |class| class.lost.mid);
            if !is_neighbour || lost > figures.lost.mid - 0.005 {
                continue;
            }
            let with = if it.history > setting.history {
                format!("a history of {} messages", it.history)
            } else {
                format!("timeouts of {}", seconds(it.timeout.as_secs_f64()))
            };
            text.push_str(&format!(", {} with {with}", percent(lost)));
        }
        text
    }

    /// Which bounds the nearest setting breaks, and what would pass.
    fn nearest(&self) -> Vec<Reason> {
        let Some(nearest) = self.ranked.iter().find(|it| !it.reference) else {
            return Vec::new();
        };
        let setting = nearest.figures.setting;
        let mut reasons = vec![Reason {
            topic: "nearest".to_owned(),
            text: format!("{setting}: {}", all_broken(&nearest.broken)),
        }];
        let passing = nearest.broken.iter().map(|broken| {
            let value = match broken.bound {
                "memory" => plain(broken.value),
                _ => plain((broken.value * 1_000.0).ceil() / 1_000.0 + 0.001),
            };
            format!("{} = {value}", broken.bound)
        });
        let passing: Vec<String> = passing.collect();
        reasons.push(Reason {
            topic: "would pass".to_owned(),
            text: format!("[bounds] {}", passing.join(", ")),
        });
        reasons
    }

    fn has_keys(&self) -> bool {
        self.scenario.feeds.iter().any(|feed| feed.keys.is_some())
    }

    /// The class whose links carry least, clients that sleep left out unless all do.
    pub(crate) fn slowest(&self) -> usize {
        let classes = &self.scenario.clients;
        let awake = classes.iter().any(|class| class.sleep.is_none());
        let counted = classes
            .iter()
            .enumerate()
            .filter(|(_, class)| !awake || class.sleep.is_none());
        let slowest =
            counted.min_by(|(_, one), (_, other)| one.carries().total_cmp(&other.carries()));
        slowest.map_or(0, |(at, _)| at)
    }

    /// The slowest class whose links can carry the feed; the fastest if none can.
    pub(crate) fn tightest(&self) -> usize {
        let classes = self.scenario.clients.iter().enumerate();
        let good = classes
            .clone()
            .filter(|(at, _)| self.scenario.can_carry(*at));
        let tightest =
            good.min_by(|(_, one), (_, other)| one.carries().total_cmp(&other.carries()));
        let fastest =
            classes.max_by(|(_, one), (_, other)| one.carries().total_cmp(&other.carries()));
        tightest.or(fastest).map_or(0, |(at, _)| at)
    }
}

fn differ(a: f64, b: f64) -> bool {
    (a - b).abs() > (0.1 * a.max(b)).max(0.005)
}

fn worst(broken: &[Broken]) -> Option<&Broken> {
    let beyond = |it: &Broken| it.value / it.limit.max(1e-6);
    broken
        .iter()
        .max_by(|one, other| beyond(one).total_cmp(&beyond(other)))
}

fn broke(broken: &Broken) -> String {
    let class = broken.class.as_deref().unwrap_or("all");
    match broken.bound {
        "lost" => format!("{class} clients lose {}", percent(broken.value)),
        "memory" => format!("a client takes {}", memory(whole(broken.value))),
        _ => format!(
            "{class} clients are closed {:.0} times an hour",
            broken.value
        ),
    }
}

fn all_broken(broken: &[Broken]) -> String {
    let of = |it: &Broken| {
        let limit = match it.bound {
            "lost" => percent(it.limit),
            "memory" => memory(whole(it.limit)),
            _ => plain(it.limit),
        };
        format!("{} (the bound is {limit})", broke(it))
    };
    broken.iter().map(of).collect::<Vec<_>>().join(", ")
}

fn portion(part: f64) -> String {
    match part {
        0.45..0.55 => "half".to_owned(),
        _ => format!("{:.0} %", part * 100.0),
    }
}

fn verdict(setting: &Setting) -> String {
    let mark = match setting.unsent_mark {
        0 => "no unsent mark".to_owned(),
        mark => format!("an unsent mark of {}", memory(mark.into())),
    };
    let mut verdict = format!(
        "Take {}, {} messages, {mark}",
        short_policy(setting.policy),
        setting.outbox
    );
    if setting.history > 0 {
        verdict.push_str(&format!(", a history of {}", setting.history));
    }
    if !setting.flush_delay.is_zero() {
        verdict.push_str(&format!(
            ", a flush delay of {}",
            seconds(setting.flush_delay.as_secs_f64())
        ));
    }
    if setting.timeout != Setting::shipped().timeout {
        verdict.push_str(&format!(
            ", timeouts of {}",
            seconds(setting.timeout.as_secs_f64())
        ));
    }
    verdict.push('.');
    verdict
}

/// Rust that sets up a hub so.
fn code(setting: &Setting) -> String {
    let policy = match setting.policy {
        SlowConsumer::DISCONNECT => "SlowConsumer::DISCONNECT".to_owned(),
        SlowConsumer::Disconnect { grace } => {
            let millis = grace.as_millis();
            format!("SlowConsumer::Disconnect {{ grace: Duration::from_millis({millis}) }}")
        }
        other => format!("SlowConsumer::{other:?}"),
    };
    let history = match setting.history {
        0 => String::new(),
        messages => format!("\n    .history(|_| Some(HistoryOptions::new().messages({messages})))"),
    };
    format!(
        "Hub::builder()\n    .outbox(OutboxLimits::new().messages({}))\n    .slow_consumer({policy}){history}\n    .build()?",
        setting.outbox
    )
}

fn command(setting: &Setting) -> String {
    let flags = setting.flags();
    let words = flags.iter().map(|(flag, value)| match value.contains('>') {
        true => format!(" {flag} '{value}'"),
        false => format!(" {flag} {value}"),
    });
    format!("throng serve{}", words.collect::<String>())
}

fn yaml(setting: &Setting) -> String {
    let flags = setting.flags();
    let lines = flags.iter().map(|(flag, value)| {
        let name = flag.trim_start_matches('-').replace('-', "_");
        match value.contains([':', '>']) {
            true => format!("{name}: \"{value}\"\n"),
            false => format!("{name}: {value}\n"),
        }
    });
    lines.collect()
}
