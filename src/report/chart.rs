//! Charts as SVG, and their figures as a table.

use crate::report::Axis;
use crate::report::Cell;
use crate::report::Table;
use crate::report::escaped;
use crate::report::put;

/// A chart: lines over one axis.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Chart {
    title: String,
    x: Axis,
    y: Axis,
    series: Vec<Series>,
    bands: Vec<(f64, f64)>,
    band_name: String,
    line: Option<(f64, String)>,
    caption: String,
}

/// One line of a chart.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Series {
    name: String,
    shade: Shade,
    points: Vec<(f64, f64)>,
    is_bold: bool,
    is_dashed: bool,
    has_dots: bool,
    is_filled: bool,
}

/// A colour with a fixed meaning in reports; it is another one in the dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shade {
    /// Delivered, waiting; drop oldest.
    Blue,
    /// Evicted; drop newest.
    Amber,
    /// Conflated.
    Violet,
    /// Dropped; disconnect after a grace.
    Red,
    /// Freshness; keep latest.
    Green,
    /// What is compared with; disconnect at once.
    Grey,
}

impl Shade {
    /// The variable of the style sheet.
    const fn variable(self) -> &'static str {
        match self {
            Self::Blue => "--s1",
            Self::Amber => "--s2",
            Self::Violet => "--s3",
            Self::Red => "--s4",
            Self::Green => "--s5",
            Self::Grey => "--muted",
        }
    }
}

impl Series {
    /// Creates a line through these points, in the order of their first values.
    pub fn new(name: &str, shade: Shade, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self {
            name: name.to_owned(),
            shade,
            points: points.into_iter().collect(),
            is_bold: false,
            is_dashed: false,
            has_dots: false,
            is_filled: false,
        }
    }

    /// Draws a thicker line.
    pub fn bold(mut self, is_bold: bool) -> Self {
        self.is_bold = is_bold;
        self
    }

    /// Draws a dashed line.
    pub fn dashed(mut self) -> Self {
        self.is_dashed = true;
        self
    }

    /// Draws a dot at each point.
    pub fn dots(mut self) -> Self {
        self.has_dots = true;
        self
    }

    /// Fills the area below.
    pub fn filled(mut self) -> Self {
        self.is_filled = true;
        self
    }
}

impl Chart {
    /// Creates a chart with these axes; the title is its text alternative, and shown elsewhere.
    pub fn new(title: &str, x: Axis, y: Axis) -> Self {
        Self {
            title: title.to_owned(),
            x,
            y,
            series: Vec::new(),
            bands: Vec::new(),
            band_name: String::new(),
            line: None,
            caption: String::new(),
        }
    }

    /// Adds a line.
    pub fn series(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Shades stretches of the horizontal axis, such as those in which a link is down.
    pub fn bands(mut self, name: &str, bands: impl IntoIterator<Item = (f64, f64)>) -> Self {
        name.clone_into(&mut self.band_name);
        self.bands = bands.into_iter().collect();
        self
    }

    /// Draws a dashed vertical line with a name.
    pub fn line(mut self, at: f64, name: &str) -> Self {
        self.line = Some((at, name.to_owned()));
        self
    }

    /// Sets the sentence below the chart.
    pub fn caption(mut self, caption: &str) -> Self {
        caption.clone_into(&mut self.caption);
        self
    }

    /// Returns the legend, the chart, its caption and its figures, as HTML.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut html = String::from("<div class=\"legend\">");
        for series in &self.series {
            let dashed = if series.is_dashed {
                " class=\"dashed\""
            } else {
                ""
            };
            let (colour, name) = (series.shade.variable(), escaped(&series.name));
            put(
                &mut html,
                format_args!("<span><i{dashed} style=\"--c:var({colour})\"></i>{name}</span>"),
            );
        }
        if !self.band_name.is_empty() {
            let name = escaped(&self.band_name);
            put(
                &mut html,
                format_args!("<span><i style=\"--c:var(--band)\"></i>{name}</span>"),
            );
        }
        html.push_str("</div><div class=\"plot\">");
        html.push_str(&self.to_svg());
        html.push_str("</div>");
        if !self.caption.is_empty() {
            put(
                &mut html,
                format_args!("<p class=\"cap\">{}</p>", escaped(&self.caption)),
            );
        }
        let table = self.table().to_html();
        put(
            &mut html,
            format_args!(
                "<details><summary>as table</summary><div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{}\">{table}</div></details>",
                escaped(&self.title)
            ),
        );
        html
    }

    /// The figures: a row for each point of the series that has most.
    fn table(&self) -> Table {
        let names = self.series.iter().map(|series| Cell::number(&series.name));
        let heads = [Cell::text(self.x.name())].into_iter().chain(names);
        let mut table = Table::new(heads);
        let longest = self.series.iter().max_by_key(|series| series.points.len());
        let all = longest.map_or(&[][..], |series| &series.points);
        let step = all.len().div_ceil(ROWS).max(1);
        for (x, _) in all.iter().step_by(step) {
            let values = self.series.iter().map(|series| {
                let near = series.points.iter().find(|(at, _)| (at - x).abs() < 1e-9);
                Cell::number(&near.map_or_else(String::new, |(_, y)| self.y.text(*y)))
            });
            let row = [Cell::text(&self.x.text(*x))].into_iter().chain(values);
            table = table.row(row);
        }
        table
    }

    /// Returns the chart alone, as SVG.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let frame = Frame::of(self);
        let mut svg = String::new();
        put(
            &mut svg,
            format_args!(
                "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" tabindex=\"0\" data-left=\"{LEFT}\" data-right=\"{}\">",
                WIDTH - RIGHT
            ),
        );
        put(
            &mut svg,
            format_args!("<title>{}</title>", escaped(&self.alternative())),
        );
        for (from, to) in &self.bands {
            let (left, right) = (frame.x(*from), frame.x(*to));
            put(
                &mut svg,
                format_args!(
                    "<rect x=\"{left:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"var(--band)\"/>",
                    (right - left).max(1.0),
                    BOTTOM - TOP
                ),
            );
        }
        frame.axes(&mut svg);
        for series in &self.series {
            frame.series(&mut svg, series);
        }
        if let Some((at, name)) = &self.line {
            let x = frame.x(*at);
            put(
                &mut svg,
                format_args!(
                    "<path d=\"M{x:.1} {TOP}V{BOTTOM}\" stroke=\"var(--ok)\" stroke-dasharray=\"4 3\"/>\
                 <text x=\"{:.1}\" y=\"{}\" text-anchor=\"{}\" class=\"mark\">{}</text>",
                    if x > 160.0 { x - 6.0 } else { x + 6.0 },
                    TOP + 12.0,
                    if x > 160.0 { "end" } else { "start" },
                    escaped(name)
                ),
            );
        }
        svg.push_str("</svg>");
        svg
    }

    /// The chart in words.
    fn alternative(&self) -> String {
        let mut text = format!("{}: {} over {}.", self.title, self.y.name(), self.x.name());
        for series in &self.series {
            if let (Some(first), Some(last)) = (series.points.first(), series.points.last()) {
                let (from, to) = (self.y.text(first.1), self.y.text(last.1));
                put(
                    &mut text,
                    format_args!(" {} from {from} to {to}.", series.name),
                );
            }
        }
        text
    }
}

/// Where values are in the picture.
struct Frame<'a> {
    chart: &'a Chart,
    x_end: f64,
    y_end: f64,
}

impl<'a> Frame<'a> {
    fn of(chart: &'a Chart) -> Self {
        let points = || chart.series.iter().flat_map(|series| &series.points);
        let x_most = points().map(|(x, _)| *x).fold(0.0, f64::max);
        let y_most = points().map(|(_, y)| *y).fold(0.0, f64::max);
        Self {
            chart,
            x_end: chart.x.end(x_most),
            y_end: chart.y.end(y_most * 1.05),
        }
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * self.chart.x.place(value, self.x_end)
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * self.chart.y.place(value, self.y_end)
    }

    fn axes(&self, svg: &mut String) {
        for tick in self.chart.y.ticks(self.y_end) {
            let y = self.y(tick);
            put(
                svg,
                format_args!(
                    "<path d=\"M{LEFT} {y:.1}H{}\" stroke=\"var(--grid)\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                    WIDTH - RIGHT,
                    LEFT - 8.0,
                    y + 4.0,
                    escaped(&self.chart.y.text(tick))
                ),
            );
        }
        for tick in self.chart.x.ticks(self.x_end) {
            let x = self.x(tick);
            let anchor = match x {
                _ if x < LEFT + 4.0 => "start",
                _ if x > WIDTH - RIGHT - 4.0 => "end",
                _ => "middle",
            };
            put(
                svg,
                format_args!(
                    "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                    HEIGHT - 6.0,
                    escaped(&self.chart.x.text(tick))
                ),
            );
        }
    }

    fn series(&self, svg: &mut String, series: &Series) {
        let colour = series.shade.variable();
        let mut path = String::new();
        for (at, (x, y)) in series.points.iter().enumerate() {
            let step = if at == 0 { "M" } else { "L" };
            put(
                &mut path,
                format_args!("{step}{:.1} {:.1}", self.x(*x), self.y(*y)),
            );
        }
        if let (true, Some(first), Some(last)) = (
            series.is_filled,
            series.points.first(),
            series.points.last(),
        ) {
            put(
                svg,
                format_args!(
                    "<path d=\"{path}L{:.1} {BOTTOM}L{:.1} {BOTTOM}Z\" fill=\"var({colour})\" opacity=\".14\"/>",
                    self.x(last.0),
                    self.x(first.0)
                ),
            );
        }
        let width = if series.is_bold { 2.5 } else { 1.5 };
        let dashes = if series.is_dashed {
            " stroke-dasharray=\"5 4\""
        } else {
            ""
        };
        put(
            svg,
            format_args!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"var({colour})\" stroke-width=\"{width}\" stroke-linejoin=\"round\"{dashes}/>"
            ),
        );
        for (x, y) in series.points.iter().filter(|_| series.has_dots) {
            let radius = if series.is_bold { 3.5 } else { 2.5 };
            put(
                svg,
                format_args!(
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\" fill=\"var({colour})\"/>",
                    self.x(*x),
                    self.y(*y)
                ),
            );
        }
    }
}

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = HEIGHT - 24.0;

/// The most rows of a table behind a chart, give or take one.
const ROWS: usize = 60;
