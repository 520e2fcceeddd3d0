//! The charts of the page.

use crate::limits::SlowConsumer;
use crate::report::Axis;
use crate::report::Card;
use crate::report::Chart;
use crate::report::Series;
use crate::report::Shade;
use crate::tune::Tuning;
use crate::tune::figures::Figures;
use crate::tune::figures::POINTS;
use crate::tune::figures::stale_at;
use crate::tune::setting::Setting;
use crate::tune::words::policy;

impl Tuning {
    pub(super) fn charts(&self) -> Vec<Card> {
        let mut cards = vec![self.loss_card(), self.staleness_card(), self.memory_card()];
        cards.extend(self.client_card());
        cards
    }

    /// The mark that charts are about: that of the sweep which is most like the best.
    fn chart_mark(&self) -> u32 {
        let best = self
            .ranked
            .first()
            .map_or(0, |it| it.figures.setting.unsent_mark);
        let marks = self.scenario.sweep.unsent_mark.iter().copied();
        marks.min_by_key(|mark| mark.abs_diff(best)).unwrap_or(best)
    }

    /// The outbox that charts are about: that of the sweep which is most like the best.
    fn chart_outbox(&self) -> usize {
        let best = self
            .ranked
            .first()
            .map_or(64, |it| it.figures.setting.outbox);
        let outboxes = self.scenario.sweep.outbox.iter().copied();
        outboxes
            .min_by_key(|outbox| outbox.abs_diff(best))
            .unwrap_or(best)
    }

    fn at(&self, policy: SlowConsumer, outbox: usize, unsent_mark: u32) -> Option<&Figures> {
        let is = |it: &Setting| {
            it.policy == policy
                && it.outbox == outbox
                && it.unsent_mark == unsent_mark
                && it.extras() == 0
        };
        let found = self.ranked.iter().find(|it| is(&it.figures.setting));
        found.map(|it| &it.figures)
    }

    fn loss_card(&self) -> Card {
        let mark = self.chart_mark();
        let mut outboxes = self.scenario.sweep.outbox.clone();
        outboxes.sort_unstable();
        outboxes.dedup();
        let shares = self.scenario.shares();
        let carrying: Vec<_> = (0..shares.len())
            .filter(|at| self.scenario.can_carry(*at))
            .collect();
        let counted = if carrying.is_empty() {
            (0..shares.len()).collect()
        } else {
            carrying
        };
        let all: f64 = counted.iter().map(|at| shares[*at]).sum();
        let lost = |figures: &Figures| {
            let parts = counted
                .iter()
                .map(|at| figures.classes[*at].lost.mid * shares[*at]);
            parts.sum::<f64>() / all.max(1e-9)
        };
        let names: Vec<_> = counted
            .iter()
            .map(|at| self.scenario.clients[*at].name.as_str())
            .collect();
        let x = Axis::steps("outbox", outboxes.iter().map(ToString::to_string));
        let mut chart = Chart::new("Loss against outbox", x, Axis::percent("share lost"));
        for slow in &self.scenario.sweep.policy {
            let points = outboxes
                .iter()
                .enumerate()
                .filter_map(|(at, outbox)| Some((at as f64, lost(self.at(*slow, *outbox, mark)?))));
            let series = Series::new(&policy(*slow), shade(*slow), points).dots();
            chart = chart.series(series.bold(self.is_best(*slow)));
        }
        if let Some(best) = self.best() {
            let outbox = best.figures.setting.outbox;
            let at = outboxes.partition_point(|it| *it < outbox);
            let exact = outboxes.get(at) == Some(&outbox);
            let at = if exact { at as f64 } else { at as f64 - 0.5 };
            chart = chart.line(at.max(0.0), "recommended");
        }
        let aside = format!("{}, superseded not counted", names.join(" and "));
        Card::half("Loss against outbox")
            .aside(&aside)
            .chart(&chart)
    }

    fn staleness_card(&self) -> Card {
        let (mark, outbox, slow) = (self.chart_mark(), self.chart_outbox(), self.slowest());
        let name = &self.scenario.clients[slow].name;
        let x = Axis::log_seconds(
            "out of date for longer than",
            stale_at(0),
            stale_at(POINTS - 1),
        );
        let y = Axis::percent("share of the time").most(1.0);
        let title = format!("How stale is what {name} clients see?");
        let mut chart = Chart::new(&title, x, y);
        let curve = |figures: &Figures| {
            let curve = figures.curves.beyond[slow].clone();
            curve
                .into_iter()
                .enumerate()
                .map(|(at, share)| (stale_at(at), share))
        };
        for policy in &self.scenario.sweep.policy {
            if let Some(figures) = self.at(*policy, outbox, mark) {
                let series = Series::new(&self::policy(*policy), shade(*policy), curve(figures));
                chart = chart.series(series.bold(self.is_best(*policy)));
            }
        }
        let best = self.ranked.first().map(|it| it.figures.setting.policy);
        let bare = best
            .filter(|_| mark > 0)
            .and_then(|best| Some((best, self.at(best, outbox, 0)?)));
        let mut caption = format!("Lower left is better. Outbox {outbox}.");
        if let Some((best, figures)) = bare {
            let series = Series::new(
                &format!("{}, no mark", policy(best)),
                shade(best),
                curve(figures),
            );
            chart = chart.series(series.dashed());
            caption.push_str(" Dashed: the same policy with the kernel’s own buffer.");
        }
        Card::half(&title)
            .aside("share of time that is staler than …")
            .chart(&chart.caption(&caption))
    }

    fn memory_card(&self) -> Card {
        let (mark, outbox) = (self.chart_mark(), self.chart_outbox());
        let mut chart = Chart::new(
            "Memory",
            Axis::seconds("time"),
            Axis::count("messages waiting"),
        );
        for slow in &self.scenario.sweep.policy {
            let is_shown = !matches!(*slow, SlowConsumer::DropOldest | SlowConsumer::DISCONNECT);
            let Some(figures) = self.at(*slow, outbox, mark).filter(|_| is_shown) else {
                continue;
            };
            let points = peaks(&figures.curves.waiting);
            let series = Series::new(&policy(*slow), shade(*slow), points);
            chart = chart.series(series.bold(self.is_best(*slow)));
        }
        let aside = format!("messages waiting, all clients · outbox {outbox}");
        Card::half("Memory").aside(&aside).chart(&chart)
    }

    fn client_card(&self) -> Option<Card> {
        let best = self.ranked.first()?;
        let moments = &best.figures.curves.watched;
        let first = moments.first()?.at;
        let minute: Vec<_> = moments
            .iter()
            .filter(|it| it.at - first < 60_000_000_000)
            .collect();
        let at = |nanos: u64| (nanos - first) as f64 / 1e9;
        let message = self.scenario.bytes_per_second() / self.scenario.rate().max(1e-9);
        let waiting = minute.iter().map(|it| (at(it.at), it.waiting as f64));
        let held = minute
            .iter()
            .map(|it| (at(it.at), it.held as f64 / message));
        let mut bands: Vec<(f64, f64)> = Vec::new();
        for moment in minute.iter().filter(|it| !it.is_up) {
            let (from, to) = (at(moment.at), at(moment.at) + 0.1);
            match bands.last_mut() {
                Some(last) if from - last.1 < 0.05 => last.1 = to,
                _ => bands.push((from, to)),
            }
        }
        let name = &self.scenario.clients[self.watched_class()].name;
        let title = format!("One {name} client, one minute");
        let socket = format!("in its socket (÷ {message:.0} B)");
        let chart = Chart::new(
            &title,
            Axis::seconds("time").most(minute.len() as f64 / 10.0),
            Axis::count("messages"),
        )
        .bands("link down", bands)
        .series(Series::new("waiting in its outbox", Shade::Blue, waiting).filled())
        .series(Series::new(&socket, Shade::Green, held));
        let setting = best.figures.setting;
        let aside = format!("{}, outbox {}", policy(setting.policy), setting.outbox);
        Some(Card::half(&title).aside(&aside).chart(&chart))
    }

    /// The class of the client that is watched: that whose links carry least.
    fn watched_class(&self) -> usize {
        let classes = self.scenario.clients.iter().enumerate();
        let slowest =
            classes.min_by(|(_, one), (_, other)| one.carries().total_cmp(&other.carries()));
        slowest.map_or(0, |(at, _)| at)
    }

    fn is_best(&self, policy: SlowConsumer) -> bool {
        self.ranked
            .first()
            .is_some_and(|it| it.figures.setting.policy == policy)
    }
}

/// The most of each of some 240 stretches of a series of tenths of a second.
fn peaks(waiting: &[u64]) -> Vec<(f64, f64)> {
    let step = waiting.len().div_ceil(240).max(1);
    let chunks = waiting.chunks(step).enumerate();
    let peak = |(at, chunk): (usize, &[u64])| {
        let most = chunk.iter().copied().max().unwrap_or(0);
        ((at * step) as f64 / 10.0, most as f64)
    };
    chunks.map(peak).collect()
}

fn shade(policy: SlowConsumer) -> Shade {
    match policy {
        SlowConsumer::DropNewest => Shade::Amber,
        SlowConsumer::DropOldest => Shade::Blue,
        SlowConsumer::KeepLatest => Shade::Green,
        SlowConsumer::DISCONNECT => Shade::Grey,
        SlowConsumer::Disconnect { .. } => Shade::Red,
    }
}
