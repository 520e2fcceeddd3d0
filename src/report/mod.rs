//! Self-contained pages with tables and charts: what `throng tune` and `throng bench` write.
//!
//! A [`Page`] becomes one HTML file that loads nothing from elsewhere: its style, its script and
//! its charts are in it. It is light or dark as the reader's system is. Without the script
//! everything is still to be read; the script adds a cross-hair to charts and a button that copies
//! code.
//!
//! ```
//! use throng::report::{Axis, Card, Chart, Page, Series, Shade};
//!
//! let lost = [(0.0, 0.2), (1.0, 0.05), (2.0, 0.0)];
//! let chart = Chart::new("Loss", Axis::steps("outbox", ["16", "64", "256"]), Axis::percent("lost"))
//!     .series(Series::new("drop oldest", Shade::Blue, lost));
//! let html = Page::new("Which outbox?").card(Card::half("Loss against outbox").chart(&chart)).to_html();
//! assert!(html.starts_with("<!doctype html>") && !html.contains("https://"));
//! ```
//!
//! # Accessibility
//!
//! Each chart has a text alternative and its figures as a table behind it; colours are never alone,
//! and every text has a contrast of 4.5 to 1.

mod axis;
mod chart;
mod page;
mod table;

use std::fmt::Write;

pub use self::axis::Axis;
pub use self::chart::Chart;
pub use self::chart::Series;
pub use self::chart::Shade;
pub use self::page::Card;
pub use self::page::Page;
pub use self::page::Tone;
pub use self::table::Cell;
pub use self::table::Table;

/// Returns `text` as it may stand in HTML, in attributes too.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

/// Appends formatted text.
fn put(html: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = html.write_fmt(text);
}
