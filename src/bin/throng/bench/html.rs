//! Reports as pages: the figures in a table, and how long deliveries took as a histogram.

use std::path::Path;

use throng::report::Axis;
use throng::report::Card;
use throng::report::Cell;
use throng::report::Chart;
use throng::report::Page;
use throng::report::Series;
use throng::report::Shade;
use throng::report::Table;

use super::environment::Environment;
use super::failed::Failed;
use super::latency::Percentiles;

/// What can be shown on a page.
pub(super) trait Sheet {
    /// What it is called among others on the page.
    fn name(&self) -> String;

    /// Its figures, each with a name.
    fn figures(&self) -> Vec<(&'static str, String)>;

    /// How long deliveries took; `None` when nothing was sampled.
    fn latency(&self) -> Option<&Percentiles>;

    /// What clients see that are slow, and how old that is; `None` without such clients.
    fn freshness(&self) -> Option<&Percentiles> {
        None
    }
}

/// Writes a page of these sheets.
pub(super) fn write<S: Sheet>(
    file: &Path,
    title: &str,
    sheets: &[S],
    environment: &Environment,
) -> Result<(), Failed> {
    let mut page = Page::new(title).kicker(&format!("measured on {environment}"));
    page = page.card(table(sheets));
    let latencies: Vec<_> = sheets
        .iter()
        .map(|sheet| (sheet.name(), sheet.latency()))
        .collect();
    for card in charts("Latency", "from publish to read", &latencies) {
        page = page.card(card);
    }
    let fresh: Vec<_> = sheets
        .iter()
        .map(|sheet| (sheet.name(), sheet.freshness()))
        .collect();
    if fresh.iter().any(|(_, it)| it.is_some()) {
        let aside = "age of the newest message that a client has, slow clients included";
        for card in charts("Freshness", aside, &fresh) {
            page = page.card(card);
        }
    }
    let failed = |error| Failed::io(format!("cannot write {}", file.display()), error);
    std::fs::write(file, page.to_html()).map_err(failed)
}

fn table<S: Sheet>(sheets: &[S]) -> Card {
    let names = sheets.iter().map(|sheet| Cell::number(&sheet.name()));
    let mut table = Table::new([Cell::text("Figure")].into_iter().chain(names));
    let all: Vec<_> = sheets.iter().map(Sheet::figures).collect();
    let Some(first) = all.first() else {
        return Card::whole("Figures");
    };
    for (at, (name, _)) in first.iter().enumerate() {
        let values = all.iter().map(|figures| {
            let value = figures.get(at).map_or("", |(_, value)| value.as_str());
            Cell::number(value)
        });
        table = table.row([Cell::text(name)].into_iter().chain(values));
    }
    Card::whole("Figures").table(&table)
}

/// A histogram, and the percentiles.
fn charts(what: &str, aside: &str, all: &[(String, Option<&Percentiles>)]) -> Vec<Card> {
    let known = || all.iter().filter_map(|(name, it)| Some((name, (*it)?)));
    let seconds = known().flat_map(|(_, it)| it.histogram.iter().map(|(at, _)| *at));
    let (least, most) = seconds.fold((1.0_f64, 1e-6_f64), |(least, most), at| {
        (least.min(at), most.max(at))
    });
    // Whole powers of ten.
    let least = 10.0_f64.powf(least.log10().floor());
    let most = 10.0_f64.powf(most.log10().ceil()).max(least * 10.0);
    let title = format!("{what}: histogram");
    let x = Axis::log_seconds("time", least, most);
    let mut histogram = Chart::new(&title, x, Axis::percent("share of the samples"));
    let steps = ["p50", "p90", "p99", "p99.9", "max"];
    let percentile_title = format!("{what}: percentiles");
    let x = Axis::steps("percentile", steps);
    let mut percentiles = Chart::new(&percentile_title, x, Axis::seconds("time"));
    for ((name, it), shade) in known().zip(SHADES.into_iter().cycle()) {
        let points = it.histogram.iter().copied();
        histogram = histogram.series(Series::new(name, shade, points).filled());
        let points = it
            .seconds()
            .into_iter()
            .enumerate()
            .map(|(at, value)| (at as f64, value));
        percentiles = percentiles.series(Series::new(name, shade, points).dots());
    }
    vec![
        Card::half(&title).aside(aside).chart(&histogram),
        Card::half(&percentile_title)
            .aside("lower is better")
            .chart(&percentiles),
    ]
}

const SHADES: [Shade; 6] = [
    Shade::Blue,
    Shade::Green,
    Shade::Amber,
    Shade::Violet,
    Shade::Red,
    Shade::Grey,
];
