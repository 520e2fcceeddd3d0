//! Tables.

use crate::report::escaped;
use crate::report::page::Tone;
use crate::report::put;

/// A table with one row of heads.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Table {
    heads: Vec<Cell>,
    rows: Vec<(bool, Vec<Cell>)>,
}

/// A cell: text, or a number, which is aligned to the right.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Cell {
    text: String,
    note: String,
    is_number: bool,
    tone: Option<Tone>,
    chip: Option<(Tone, String)>,
}

impl Cell {
    /// Creates a cell of text.
    pub fn text(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            note: String::new(),
            is_number: false,
            tone: None,
            chip: None,
        }
    }

    /// Creates a cell with a number.
    pub fn number(text: &str) -> Self {
        Self {
            is_number: true,
            ..Self::text(text)
        }
    }

    /// Sets what stands behind it, less strong.
    pub fn note(mut self, note: &str) -> Self {
        note.clone_into(&mut self.note);
        self
    }

    /// Sets its colour.
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = Some(tone);
        self
    }

    /// Sets a chip behind it.
    pub fn chip(mut self, tone: Tone, text: &str) -> Self {
        self.chip = Some((tone, text.to_owned()));
        self
    }

    fn to_html(&self, tag: &str) -> String {
        let number = if self.is_number { " num" } else { "" };
        let tone = self.tone.map_or("", Tone::class);
        let class = format!("{number} {tone}");
        let class = class.trim();
        let scope = if tag == "th" { " scope=\"col\"" } else { "" };
        let mut html = format!("<{tag}{scope}");
        if !class.is_empty() {
            put(&mut html, format_args!(" class=\"{class}\""));
        }
        put(&mut html, format_args!(">{}", escaped(&self.text)));
        if !self.note.is_empty() {
            put(
                &mut html,
                format_args!(" <span class=\"muted\">{}</span>", escaped(&self.note)),
            );
        }
        if let Some((tone, text)) = &self.chip {
            put(
                &mut html,
                format_args!(
                    " <span class=\"chip {}\">{}</span>",
                    tone.class(),
                    escaped(text)
                ),
            );
        }
        put(&mut html, format_args!("</{tag}>"));
        html
    }
}

impl Table {
    /// Creates a table with these heads.
    pub fn new(heads: impl IntoIterator<Item = Cell>) -> Self {
        Self {
            heads: heads.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(mut self, cells: impl IntoIterator<Item = Cell>) -> Self {
        self.rows.push((false, cells.into_iter().collect()));
        self
    }

    /// Adds a row that stands out.
    pub fn best(mut self, cells: impl IntoIterator<Item = Cell>) -> Self {
        self.rows.push((true, cells.into_iter().collect()));
        self
    }

    /// Returns the table as HTML.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut html = String::from("<table><thead><tr>");
        for head in &self.heads {
            html.push_str(&head.to_html("th"));
        }
        html.push_str("</tr></thead><tbody>");
        for (is_best, cells) in &self.rows {
            html.push_str(if *is_best {
                "<tr class=\"best\">"
            } else {
                "<tr>"
            });
            for cell in cells {
                html.push_str(&cell.to_html("td"));
            }
            html.push_str("</tr>");
        }
        html.push_str("</tbody></table>");
        html
    }
}
