//! The report as a page.

mod charts;
mod proof;

use crate::report::Card;
use crate::report::Cell;
use crate::report::Page;
use crate::report::Table;
use crate::report::Tone;
use crate::tune::Tuning;
use crate::tune::figures::ClassFigures;
use crate::tune::proof::Proof;
use crate::tune::rank::Ranked;
use crate::tune::setting::Setting;
use crate::tune::units::span;
use crate::tune::words::capital;
use crate::tune::words::count;
use crate::tune::words::memory;
use crate::tune::words::percent;
use crate::tune::words::plain;
use crate::tune::words::policy;
use crate::tune::words::seconds;

use self::proof::proof_card;

impl Tuning {
    /// Returns the report as one HTML file that loads nothing from elsewhere, light or dark as the
    /// reader's system is. The same scenario with the same pace gives the same bytes.
    #[must_use]
    pub fn to_html(&self, proof: Option<&Proof>) -> String {
        let scenario = &self.scenario;
        let kicker = format!(
            "throng tune {} · seed {} · {} settings × {} virtual · {} clients",
            env!("CARGO_PKG_VERSION"),
            scenario.seed,
            self.ranked.len(),
            span(scenario.duration),
            scenario.population,
        );
        let title = format!("Which outbox, which policy, for `{}`?", scenario.name);
        let mut page = Page::new(&title).kicker(&kicker);
        page = match proof {
            Some(proof) => {
                let (holding, all) = (proof.holding(), proof.rows.len());
                let tone = if holding == all {
                    Tone::Good
                } else {
                    Tone::Warn
                };
                page.chip(
                    tone,
                    &format!("checked on real sockets: {holding} of {all} hold"),
                )
            }
            None => page.chip(Tone::Plain, "not checked on real sockets"),
        };
        page = page.card(self.verdict_card()).card(self.ranking_card());
        for card in self.charts() {
            page = page.card(card);
        }
        match proof {
            Some(proof) => page.card(proof_card(proof)),
            None => page,
        }
        .to_html()
    }

    fn verdict_card(&self) -> Card {
        let advice = self.advice();
        let reasons = advice.reasons.iter().map(|reason| {
            let topic = capital(&reason.topic);
            (format!("{topic}:"), reason.text.clone())
        });
        let beware = advice
            .beware
            .iter()
            .map(|text| ("Beware:".to_owned(), text.clone()));
        let points: Vec<_> = reasons.chain(beware).collect();
        let code = match advice.setting {
            Some(_) => vec![
                ("the hub", advice.code.clone()),
                ("the server", advice.command.replace(" --", " \\\n  --")),
                ("the same as YAML", advice.yaml.trim_end().to_owned()),
            ],
            None => Vec::new(),
        };
        let verdict = advice
            .setting
            .map_or_else(|| advice.verdict.clone(), |setting| name(&setting));
        Card::whole("").verdict("Recommended", &verdict, &points, &code)
    }

    fn ranking_card(&self) -> Card {
        let bounds = &self.scenario.bounds;
        let mut aside = format!(
            "bounds: lost ≤ {}, closed ≤ {} / h",
            percent(bounds.lost),
            plain(bounds.closed_per_hour)
        );
        if let Some(bytes) = bounds.memory {
            aside.push_str(&format!(", {} a client", memory(bytes)));
        }
        aside.push_str(" · then the freshest, then the smallest");
        Card::whole("Ranking").aside(&aside).table(&self.ranking())
    }

    fn ranking(&self) -> Table {
        let (tight, slow) = (self.tightest(), self.slowest());
        let class = |at: usize| capital(&self.scenario.clients[at].name);
        let mut heads = vec![
            Cell::text("#"),
            Cell::text("Policy"),
            Cell::number("Outbox"),
            Cell::number("Unsent mark"),
        ];
        let carrying: Vec<_> = (0..self.scenario.clients.len())
            .filter(|at| self.scenario.can_carry(*at))
            .collect();
        heads.extend(
            carrying
                .iter()
                .map(|at| Cell::number(&format!("{}: lost", class(*at)))),
        );
        heads.push(Cell::number("superseded"));
        heads.push(Cell::number(&format!("{}: stale p99", class(tight))));
        heads.push(Cell::number(&format!("{}: stale p50", class(slow))));
        heads.push(Cell::number("p99"));
        heads.push(Cell::number("Closed / client·h"));
        heads.push(Cell::number("Peak waiting"));
        heads.push(Cell::number("Memory"));
        let mut table = Table::new(heads);
        let best = self.best().map(|best| best.figures.setting);
        for (rank, ranked) in self.shown() {
            let cells = self.ranking_row(rank, ranked, &carrying);
            table = if best == Some(ranked.figures.setting) {
                table.best(cells)
            } else {
                table.row(cells)
            };
        }
        table
    }

    fn ranking_row(&self, rank: usize, ranked: &Ranked, carrying: &[usize]) -> Vec<Cell> {
        let figures = &ranked.figures;
        let setting = figures.setting;
        let (tight, slow) = (
            &figures.classes[self.tightest()],
            &figures.classes[self.slowest()],
        );
        let breaks = |bound: &str, class: &str| {
            let class = Some(class);
            ranked
                .broken
                .iter()
                .any(|it| it.bound == bound && it.class.as_deref() == class)
        };
        let mut name = Cell::text(&policy(setting.policy));
        if setting == Setting::shipped() {
            name = name.chip(Tone::Plain, "today’s default");
        }
        if let Some(extra) = extras(&setting) {
            name = name.note(&extra);
        }
        let mut cells = vec![
            Cell::number(&rank.to_string()),
            name,
            Cell::number(&setting.outbox.to_string()),
            Cell::number(&mark(&setting)),
        ];
        for at in carrying {
            let class = &figures.classes[*at];
            cells.push(toned(
                Cell::number(&percent(class.lost.mid)),
                breaks("lost", &class.class),
            ));
        }
        let superseded = figures
            .classes
            .iter()
            .map(|class| class.superseded.mid)
            .fold(0.0, f64::max);
        cells.push(Cell::number(&percent(superseded)));
        cells.push(Cell::number(&seconds(tight.stale_p99.mid)));
        cells.push(Cell::number(&seconds(slow.stale_p50.mid)));
        cells.push(Cell::number(&seconds(slow.stale_p99.mid)));
        let is_bad = ranked.broken.iter().any(|it| it.bound == "closed_per_hour");
        let closes = closes(tight, slow);
        cells.push(toned(Cell::number(&closes), is_bad));
        cells.push(Cell::number(&count(figures.peak_waiting)));
        let is_bad = ranked.broken.iter().any(|it| it.bound == "memory");
        cells.push(toned(Cell::number(&memory(figures.memory)), is_bad));
        cells
    }
}

fn toned(cell: Cell, is_bad: bool) -> Cell {
    if is_bad { cell.tone(Tone::Bad) } else { cell }
}

/// Closes of two classes, per client and hour.
fn closes(tight: &ClassFigures, slow: &ClassFigures) -> String {
    let closed = |class: &ClassFigures| {
        let closed = class.closed_slow.mid + class.closed_timeout.mid;
        format!("{closed:.0} {}", class.class)
    };
    if tight.class == slow.class {
        return closed(tight);
    }
    format!("{} · {}", closed(tight), closed(slow))
}

/// A setting as a headline.
fn name(setting: &Setting) -> String {
    let mark = match setting.unsent_mark {
        0 => "no unsent mark".to_owned(),
        mark => format!("unsent mark {}", memory(mark.into())),
    };
    let extra = extras(setting).map_or_else(String::new, |extra| format!(", {extra}"));
    format!(
        "{}, {} messages, {mark}{extra}",
        capital(&policy(setting.policy)),
        setting.outbox
    )
}

fn mark(setting: &Setting) -> String {
    match setting.unsent_mark {
        0 => "none".to_owned(),
        mark => memory(mark.into()),
    }
}

/// What a setting has beside policy, outbox and mark.
fn extras(setting: &Setting) -> Option<String> {
    let mut parts = Vec::new();
    if setting.history > 0 {
        parts.push(format!("history {}", count(setting.history as u64)));
    }
    if !setting.flush_delay.is_zero() {
        parts.push(format!("flush delay {}", span(setting.flush_delay)));
    }
    if setting.timeout != Setting::shipped().timeout {
        parts.push(format!("timeouts {}", span(setting.timeout)));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}
