//! The built-in filters.

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use regex::NoExpand;
use regex::Regex;
use regex::RegexBuilder;

use crate::policy::scope::Scope;
use crate::session::CallerInfo;
use crate::session::Draft;

use super::Action;
use super::ContentFilter;
use super::FilterConfig;
use super::FilterKind;
use super::Filtered;
use super::InvalidFilter;
use super::fold::Folded;

/// A filter that is described by a [`FilterConfig`].
pub struct BuiltIn {
    name: Box<str>,
    kind: FilterKind,
    priority: i32,
    scope: Scope,
    action: Action,
    with: Box<str>,
    check: Check,
}

/// The search of a filter.
enum Check {
    Emojis { max: usize },
    Links(Links),
    Mentions { max: usize },
    Patterns(Vec<Regex>),
    Repeats { max: usize },
    Security(Box<Security>),
    Size { max_bytes: usize },
    Trim { collapse: bool },
    Words(Words),
}

struct Words {
    words: AhoCorasick,
    whole: bool,
}

struct Links {
    allow: Vec<Box<str>>,
    deny: Option<Domains>,
    max: Option<usize>,
}

struct Security {
    scripts: bool,
    schemes: Option<Regex>,
    deny: Option<Domains>,
    keys: Vec<Box<str>>,
}

/// Domains that are found wherever they stand in a text.
struct Domains(AhoCorasick);

/// The most words of a filter, and the most bytes of each.
const MOST_WORDS: usize = 10_000;
const MAX_WORD: usize = 128;

/// The most patterns of a filter, and the most bytes of each when it is compiled.
const MOST_PATTERNS: usize = 100;
const MAX_PATTERN: usize = 1 << 20;

impl BuiltIn {
    pub(super) fn new(config: &FilterConfig, scope: Scope) -> Result<Self, InvalidFilter> {
        let needed = || config.needed("max", config.max);
        let check = match config.kind {
            FilterKind::Emojis => Check::Emojis { max: needed()? },
            FilterKind::Links => Check::Links(Links::new(config)?),
            FilterKind::Mentions => Check::Mentions { max: needed()? },
            FilterKind::Patterns => Check::Patterns(patterns(config)?),
            FilterKind::Repeats => Check::Repeats {
                max: needed()?.max(1),
            },
            FilterKind::Security => Check::Security(Box::new(Security::new(config)?)),
            FilterKind::Size => Check::Size {
                max_bytes: config.needed("max_bytes", config.max_bytes)?,
            },
            FilterKind::Trim => Check::Trim {
                collapse: config.collapse.unwrap_or(false),
            },
            FilterKind::Words => Check::Words(Words::new(config)?),
        };
        let counts = matches!(config.kind, FilterKind::Emojis | FilterKind::Mentions);
        if counts && config.action == Action::Replace {
            return Err(config.invalid("action", "must be `block` or `flag` for this kind"));
        }
        let with = match config.kind {
            FilterKind::Size => "...",
            FilterKind::Security => "",
            _ => "***",
        };
        Ok(Self {
            name: config.name.as_str().into(),
            kind: config.kind,
            priority: config.priority,
            scope,
            action: config.action,
            with: config.with.as_deref().unwrap_or(with).into(),
            check,
        })
    }

    /// Applies the action to strings in which `find` finds something; `replace` replaces it.
    fn act(
        &self,
        draft: &mut Draft,
        rule: &str,
        mut find: impl FnMut(&str) -> bool,
        mut replace: impl FnMut(&str) -> Option<String>,
    ) -> Filtered {
        // The name of an event cannot be replaced: it is blocked then.
        let mut found = draft.event().is_some_and(&mut find);
        if self.action == Action::Replace && !found {
            draft.rewrite_all(&mut replace);
            return Filtered::Pass;
        }
        draft.rewrite_all(|text| {
            found = found || find(text);
            None
        });
        self.found(found, rule)
    }

    fn found(&self, found: bool, rule: &str) -> Filtered {
        match self.action {
            _ if !found => Filtered::Pass,
            Action::Flag => Filtered::Flag,
            Action::Block | Action::Replace => Filtered::Block(rule.into()),
        }
    }

    fn secure(&self, security: &Security, draft: &mut Draft) -> Filtered {
        let is_reserved = |key: &str| security.keys.iter().any(|it| **it == *key);
        if !security.keys.is_empty() && draft.has_key(is_reserved) {
            // A key cannot be replaced: it is blocked then.
            return self.found(true, "security.key");
        }
        let mut rule = "";
        let filtered = self.act(
            draft,
            "security",
            |text| {
                rule = security.broken(text).unwrap_or(rule);
                !rule.is_empty()
            },
            |text| security.cleaned(text, &self.with),
        );
        match filtered {
            Filtered::Block(_) => Filtered::Block(rule.into()),
            filtered => filtered,
        }
    }
}

impl ContentFilter for BuiltIn {
    fn name(&self) -> &str {
        &self.name
    }

    fn priority(&self) -> i32 {
        self.priority
    }

    fn kind(&self) -> &'static str {
        self.kind.as_str()
    }

    fn filter(&self, _: &CallerInfo, draft: &mut Draft) -> Filtered {
        if !self.scope.covers(draft) {
            return Filtered::Pass;
        }
        let rule = self.kind.as_str();
        let with = &*self.with;
        match &self.check {
            Check::Emojis { max } => {
                let find = |text: &str| EMOJI.find_iter(text).nth(*max).is_some();
                self.act(draft, rule, find, |_| None)
            }
            Check::Links(links) => {
                let find = |text: &str| links.broken(text);
                self.act(draft, rule, find, |text| links.cleaned(text, with))
            }
            Check::Mentions { max } => {
                let find = |text: &str| MENTION.find_iter(text).nth(*max).is_some();
                self.act(draft, rule, find, |_| None)
            }
            Check::Patterns(patterns) => {
                let find = |text: &str| patterns.iter().any(|it| it.is_match(text));
                self.act(draft, rule, find, |text| replaced(patterns, text, with))
            }
            Check::Repeats { max } => {
                let find = |text: &str| shortened(text, *max).is_some();
                self.act(draft, rule, find, |text| shortened(text, *max))
            }
            Check::Security(security) => self.secure(security, draft),
            Check::Size { max_bytes } if self.action == Action::Replace => {
                draft.rewrite(|text| truncated(text, *max_bytes, with));
                Filtered::Pass
            }
            Check::Size { max_bytes } => self.found(draft.len() > *max_bytes, rule),
            Check::Trim { collapse } => {
                draft.rewrite(|text| trimmed(text, *collapse));
                Filtered::Pass
            }
            Check::Words(words) => {
                let find = |text: &str| words.is_in(text);
                self.act(draft, rule, find, |text| words.replaced(text, with))
            }
        }
    }
}

impl Words {
    fn new(config: &FilterConfig) -> Result<Self, InvalidFilter> {
        if config.words.is_empty() || config.words.len() > MOST_WORDS {
            return Err(config.invalid("words", "must list 1 to 10,000 words"));
        }
        let words = config.words.iter().map(|word| Folded::new(word.trim()));
        let words: Vec<_> = words.map(|word| word.text().to_owned()).collect();
        if words.iter().any(|it| it.is_empty() || it.len() > MAX_WORD) {
            return Err(config.invalid("words", "must each have 1 to 128 bytes"));
        }
        let built = AhoCorasick::new(&words);
        Ok(Self {
            words: built.map_err(|error| config.invalid("words", &error.to_string()))?,
            whole: config.whole_words.unwrap_or(true),
        })
    }

    fn find<'a>(&'a self, folded: &'a Folded) -> impl Iterator<Item = Range<usize>> + 'a {
        let found = self.words.find_overlapping_iter(folded.text());
        let found = found.map(|found| found.range());
        found.filter(|range| !self.whole || folded.is_whole(range))
    }

    fn is_in(&self, text: &str) -> bool {
        self.find(&Folded::new(text)).next().is_some()
    }

    fn replaced(&self, text: &str, with: &str) -> Option<String> {
        let folded = Folded::new(text);
        let ranges = self.find(&folded);
        let ranges = ranges.map(|range| folded.origin(text, range));
        cut(text, ranges.collect(), with)
    }
}

impl Domains {
    fn new(config: &FilterConfig) -> Result<Option<Self>, InvalidFilter> {
        if config.deny.is_empty() {
            return Ok(None);
        }
        let domains: Vec<_> = config.deny.iter().map(|it| domain(it)).collect();
        if domains.len() > MOST_WORDS || domains.iter().any(String::is_empty) {
            return Err(config.invalid("deny", "must list at most 10,000 domains, none empty"));
        }
        let built = AhoCorasick::new(&domains);
        built
            .map(|domains| Some(Self(domains)))
            .map_err(|error| config.invalid("deny", &error.to_string()))
    }

    /// Finds the domains, and their subdomains.
    fn find(&self, folded: &Folded) -> Vec<Range<usize>> {
        let text = folded.text();
        let ends = |range: &Range<usize>| {
            let before = text.get(..range.start).unwrap_or_default();
            let after = text.get(range.end..).unwrap_or_default();
            let mut after = after.chars();
            let begins = before.chars().next_back();
            let begins = begins.is_none_or(|c| !c.is_alphanumeric() && c != '-');
            let next = after.next();
            // `example.com.` is the same, `example.com.org` is another.
            let is_longer = match next {
                Some('.') => after.next().is_some_and(char::is_alphanumeric),
                Some(c) => c.is_alphanumeric() || c == '-',
                None => false,
            };
            begins && !is_longer
        };
        let found = self.0.find_overlapping_iter(text);
        found.map(|found| found.range()).filter(ends).collect()
    }
}

/// A domain as it is compared: in lower case, without the dots around it.
fn domain(text: &str) -> String {
    let folded = Folded::new(text.trim());
    folded.text().trim_matches('.').to_owned()
}

impl Links {
    fn new(config: &FilterConfig) -> Result<Self, InvalidFilter> {
        let links = Self {
            allow: config.allow.iter().map(|it| domain(it).into()).collect(),
            deny: Domains::new(config)?,
            max: config.max,
        };
        if links.allow.is_empty() && links.deny.is_none() && links.max.is_none() {
            return Err(config.invalid("max", "is needed, or `allow`, or `deny`"));
        }
        Ok(links)
    }

    fn broken(&self, text: &str) -> bool {
        let folded = Folded::new(text);
        let denied = self
            .deny
            .as_ref()
            .is_some_and(|it| !it.find(&folded).is_empty());
        let too_many = |max: &usize| LINK.find_iter(folded.text()).nth(*max).is_some();
        denied
            || self.max.as_ref().is_some_and(too_many)
            || LINK
                .find_iter(folded.text())
                .any(|link| !self.allows(link.as_str()))
    }

    fn allows(&self, link: &str) -> bool {
        let host = host(link);
        let is_of = |domain: &str| {
            let rest = host.strip_suffix(domain);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.allow.is_empty() || self.allow.iter().any(|domain| is_of(domain))
    }

    fn cleaned(&self, text: &str, with: &str) -> Option<String> {
        let folded = Folded::new(text);
        let mut ranges = self
            .deny
            .as_ref()
            .map_or_else(Vec::new, |it| it.find(&folded));
        for (index, link) in LINK.find_iter(folded.text()).enumerate() {
            let is_one_too_many = self.max.is_some_and(|max| index >= max);
            let is_denied = |range: &Range<usize>| link.range().contains(&range.start);
            if is_one_too_many || !self.allows(link.as_str()) || ranges.iter().any(is_denied) {
                ranges.push(link.range());
            }
        }
        let ranges = ranges.into_iter().map(|range| folded.origin(text, range));
        cut(text, ranges.collect(), with)
    }
}

/// The host of a link, as a browser reads it.
fn host(link: &str) -> String {
    let after_scheme = match link.split_once(':') {
        Some((scheme, rest)) if !scheme.contains('.') => rest.trim_start_matches(['/', '\\']),
        _ => link,
    };
    let authority = after_scheme.split(['/', '\\', '?', '#']).next();
    let authority = authority.unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    // Browsers take these for dots.
    let host = host.replace(['\u{3002}', '\u{ff0e}', '\u{ff61}'], ".");
    host.trim_matches('.').to_owned()
}

impl Security {
    fn new(config: &FilterConfig) -> Result<Self, InvalidFilter> {
        let list = |given: &Option<Vec<String>>, default: &[&str]| match given {
            Some(given) => given.clone(),
            None => default.iter().map(|it| (*it).to_owned()).collect(),
        };
        let schemes = list(&config.schemes, &["javascript", "vbscript", "data"]);
        let keys = list(&config.keys, &["__proto__", "constructor", "prototype"]);
        let escaped: Vec<_> = schemes
            .iter()
            .map(|scheme| match scheme.as_str() {
                // "The data: ..." is no link.
                "data" => r"data\s*:\s*[a-z]+/".to_owned(),
                scheme => format!(r"{}\s*:", regex::escape(scheme)),
            })
            .collect();
        let schemes = match escaped.is_empty() {
            true => None,
            false => Some(compile(
                config,
                "schemes",
                &format!(r"(?i)\b(?:{})", escaped.join("|")),
            )?),
        };
        Ok(Self {
            scripts: config.scripts.unwrap_or(true),
            schemes,
            deny: Domains::new(config)?,
            keys: keys.into_iter().map(Into::into).collect(),
        })
    }

    /// The rule that a text breaks.
    fn broken(&self, text: &str) -> Option<&'static str> {
        let text = without_controls(text);
        if self.scripts && SCRIPT.is_match(&text) {
            return Some("security.script");
        }
        if self.schemes.as_ref().is_some_and(|it| it.is_match(&text)) {
            return Some("security.scheme");
        }
        let denied = self.deny.as_ref()?.find(&Folded::new(&text));
        (!denied.is_empty()).then_some("security.domain")
    }

    fn cleaned(&self, text: &str, with: &str) -> Option<String> {
        self.broken(text)?;
        let mut text = without_controls(text);
        // What is left may be found again: `<scr<script>ipt>`.
        for _ in 0..MOST_PASSES {
            let mut ranges = Vec::new();
            if self.scripts {
                ranges.extend(SCRIPT.find_iter(&text).map(|found| found.range()));
            }
            if let Some(schemes) = &self.schemes {
                ranges.extend(schemes.find_iter(&text).map(|found| found.range()));
            }
            if let Some(deny) = &self.deny {
                let folded = Folded::new(&text);
                let found = deny.find(&folded).into_iter();
                ranges.extend(found.map(|range| folded.origin(&text, range)));
            }
            match cut(&text, ranges, with) {
                Some(cut) => text = cut,
                None => return Some(text),
            }
        }
        Some(String::new())
    }
}

/// How often what is left of a text is cleaned before all of it is removed.
const MOST_PASSES: usize = 8;

/// The text without control characters, which browsers skip in names and schemes.
fn without_controls(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// Replaces ranges of a text, which may overlap; `None` if there are none.
fn cut(text: &str, mut ranges: Vec<Range<usize>>, with: &str) -> Option<String> {
    if ranges.is_empty() {
        return None;
    }
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut cut = String::with_capacity(text.len());
    let mut copied = 0;
    for range in ranges {
        if range.start >= copied {
            cut.push_str(text.get(copied..range.start).unwrap_or_default());
            cut.push_str(with);
        }
        copied = copied.max(range.end);
    }
    cut.push_str(text.get(copied..).unwrap_or_default());
    Some(cut)
}

fn patterns(config: &FilterConfig) -> Result<Vec<Regex>, InvalidFilter> {
    if config.patterns.is_empty() || config.patterns.len() > MOST_PATTERNS {
        return Err(config.invalid("patterns", "must list 1 to 100 regular expressions"));
    }
    let patterns = config.patterns.iter();
    patterns
        .map(|pattern| compile(config, "patterns", pattern))
        .collect()
}

fn compile(
    config: &FilterConfig,
    field: &'static str,
    pattern: &str,
) -> Result<Regex, InvalidFilter> {
    let built = RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build();
    built.map_err(|error| config.invalid(field, &format!("cannot be compiled: {error}")))
}

fn replaced(patterns: &[Regex], text: &str, with: &str) -> Option<String> {
    let mut replaced: Option<String> = None;
    for pattern in patterns {
        let text = replaced.as_deref().unwrap_or(text);
        if pattern.is_match(text) {
            replaced = Some(pattern.replace_all(text, NoExpand(with)).into_owned());
        }
    }
    replaced
}

/// The text with no character more than `max` times in a row; `None` if it is so already.
fn shortened(text: &str, max: usize) -> Option<String> {
    let mut shortened = String::with_capacity(text.len());
    let (mut last, mut run) = (None, 0);
    for c in text.chars() {
        run = if last == Some(c) { run + 1 } else { 1 };
        last = Some(c);
        if run <= max {
            shortened.push(c);
        }
    }
    (shortened.len() < text.len()).then_some(shortened)
}

/// The text cut to `max` bytes, `with` included; `None` if it is short enough.
fn truncated(text: &str, max: usize, with: &str) -> Option<String> {
    if text.len() <= max {
        return None;
    }
    let with = if with.len() <= max { with } else { "" };
    let mut end = max - with.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let kept = text.get(..end).unwrap_or_default();
    Some(format!("{kept}{with}"))
}

/// The text without white space around it; `None` if it is so already.
fn trimmed(text: &str, collapse: bool) -> Option<String> {
    let trimmed = match collapse {
        true => text.split_whitespace().collect::<Vec<_>>().join(" "),
        false => text.trim().to_owned(),
    };
    (trimmed != *text).then_some(trimmed)
}

static EMOJI: LazyLock<Regex> = LazyLock::new(|| {
    known(
        r"\p{RI}\p{RI}|[\p{Extended_Pictographic}--[0-9#*\u{a9}\u{ae}\u{2122}]](?:[\u{fe0f}\p{Emoji_Modifier}]|\u{200d}\p{Extended_Pictographic})*",
    )
});

static LINK: LazyLock<Regex> =
    LazyLock::new(|| known(r#"(?i)\b(?:[a-z][a-z0-9+.-]*:[/\\]+|www\.)[^\s<>"'`]+"#));

static MENTION: LazyLock<Regex> =
    LazyLock::new(|| known(r"(?:^|[^\p{L}\p{N}_.@+-])@[\p{L}\p{N}_]"));

/// Elements that run or load something, and handlers of events in any element.
static SCRIPT: LazyLock<Regex> = LazyLock::new(|| {
    known(
        r"(?i)</?\s*(?:script|iframe|frame|object|embed|applet|base|meta|link|style|svg|math|form)\b[^>]*>?|<[^>]*[\s/]on[a-z]+\s*=[^>]*>?",
    )
});

/// A pattern of this file.
fn known(pattern: &str) -> Regex {
    // The tests compile each of them.
    Regex::new(pattern).expect("the pattern is right")
}

impl fmt::Debug for BuiltIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuiltIn")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}
