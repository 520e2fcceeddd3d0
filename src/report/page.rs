//! Pages of cards.

use crate::report::Chart;
use crate::report::Table;
use crate::report::escaped;
use crate::report::put;

/// A page of cards: one HTML file.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Page {
    title: String,
    kicker: String,
    chips: Vec<(Tone, String)>,
    cards: Vec<Card>,
}

/// A card of a page.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Card {
    title: String,
    aside: String,
    class: &'static str,
    body: String,
}

/// How something is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tone {
    /// Neither good nor bad.
    Plain,
    /// Good.
    Good,
    /// To be looked at.
    Warn,
    /// Bad.
    Bad,
}

impl Tone {
    /// The class in the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

impl Page {
    /// Creates a page.
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            ..Self::default()
        }
    }

    /// Sets the line above the title: how the page was made.
    pub fn kicker(mut self, kicker: &str) -> Self {
        kicker.clone_into(&mut self.kicker);
        self
    }

    /// Adds a chip beside the title.
    pub fn chip(mut self, tone: Tone, text: &str) -> Self {
        self.chips.push((tone, text.to_owned()));
        self
    }

    /// Adds a card.
    pub fn card(mut self, card: Card) -> Self {
        self.cards.push(card);
        self
    }

    /// Returns the page as one HTML file.
    #[must_use]
    pub fn to_html(&self) -> String {
        let title = escaped(&self.title);
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\
             <title>{title}</title><style>{STYLE}</style></head><body><main><header><div>"
        );
        if !self.kicker.is_empty() {
            put(
                &mut html,
                format_args!("<p class=\"muted\">{}</p>", escaped(&self.kicker)),
            );
        }
        put(
            &mut html,
            format_args!("<h1>{}</h1></div>", with_code(&self.title)),
        );
        for (tone, text) in &self.chips {
            put(
                &mut html,
                format_args!(
                    "<span class=\"chip {}\"><i class=\"dot\"></i>{}</span>",
                    tone.class(),
                    escaped(text)
                ),
            );
        }
        html.push_str("</header><div class=\"grid\">");
        for card in &self.cards {
            put(
                &mut html,
                format_args!("<section class=\"card {}\">", card.class),
            );
            if !card.title.is_empty() {
                put(
                    &mut html,
                    format_args!(
                        "<h2>{} <small>{}</small></h2>",
                        escaped(&card.title),
                        escaped(&card.aside)
                    ),
                );
            }
            html.push_str(&card.body);
            html.push_str("</section>");
        }
        put(
            &mut html,
            format_args!("</div></main><script>{SCRIPT}</script></body></html>\n"),
        );
        html
    }
}

impl Card {
    /// Creates a card as wide as the page.
    pub fn whole(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            aside: String::new(),
            class: "c12",
            body: String::new(),
        }
    }

    /// Creates a card half as wide as the page.
    pub fn half(title: &str) -> Self {
        Self {
            class: "c6",
            ..Self::whole(title)
        }
    }

    /// Sets what stands beside the title, less strong.
    pub fn aside(mut self, aside: &str) -> Self {
        aside.clone_into(&mut self.aside);
        self
    }

    /// Adds a chart.
    pub fn chart(mut self, chart: &Chart) -> Self {
        self.body.push_str(&chart.to_html());
        self
    }

    /// Adds a table from edge to edge.
    pub fn table(mut self, table: &Table) -> Self {
        self.class = if self.class == "c6" {
            "c6 flush"
        } else {
            "c12 flush"
        };
        let label = escaped(&self.title);
        put(
            &mut self.body,
            format_args!(
                "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{label}\">"
            ),
        );
        self.body.push_str(&table.to_html());
        self.body.push_str("</div>");
        self
    }

    /// Adds a paragraph; what stands between backquotes is code.
    pub fn paragraph(mut self, text: &str) -> Self {
        put(&mut self.body, format_args!("<p>{}</p>", with_code(text)));
        self
    }

    /// Makes it a verdict: what is recommended in large letters, points with a strong beginning,
    /// and code to copy beside them.
    pub fn verdict(
        mut self,
        kicker: &str,
        verdict: &str,
        points: &[(String, String)],
        code: &[(&str, String)],
    ) -> Self {
        self.class = "c12 rec";
        put(
            &mut self.body,
            format_args!(
                "<div><p class=\"muted\">{}</p><h2>{}</h2><ul>",
                escaped(kicker),
                escaped(verdict)
            ),
        );
        for (strong, text) in points {
            put(
                &mut self.body,
                format_args!("<li><b>{}</b> {}</li>", escaped(strong), escaped(text)),
            );
        }
        self.body.push_str("</ul></div>");
        if !code.is_empty() {
            self.body.push_str("<div class=\"code\">");
            for (label, text) in code {
                let (label, text) = (escaped(label), escaped(text));
                put(
                    &mut self.body,
                    format_args!(
                        "<div class=\"codehead\"><span class=\"muted\">{label}</span><button type=\"button\" class=\"copy\">copy</button></div><pre tabindex=\"0\" role=\"group\" aria-label=\"{label}\">{text}</pre>"
                    ),
                );
            }
            self.body.push_str("</div>");
        }
        self
    }
}

/// What stands between backquotes as code.
fn with_code(text: &str) -> String {
    let mut html = String::new();
    for (at, part) in text.split('`').enumerate() {
        let part = escaped(part);
        if at % 2 == 1 {
            put(
                &mut html,
                format_args!("<span class=\"mono\">{part}</span>"),
            );
        } else {
            html.push_str(&part);
        }
    }
    html
}

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
