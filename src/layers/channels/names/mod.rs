//! Which channels there are, in the order of their names.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Bound::Excluded;
use std::ops::Bound::Included;
use std::ops::Bound::Unbounded;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::id::ChannelName;
use crate::layers::channels::pattern::Pattern;
use crate::layers::channels::private::AllPrivate;
use crate::layers::meter;
use crate::layers::name::UserId;
use crate::layers::timestamp::Timestamp;

/// Which channels there are, and which are declared.
#[derive(Debug, Default)]
pub(super) struct Names {
    all: BTreeMap<Box<str>, Entry>,
    declared: usize,
}

#[derive(Debug, Default)]
struct Entry {
    /// Whether the hub has it.
    is_live: bool,
    declared: Option<Box<Declared>>,
}

/// What a declared channel says about itself.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) description: Box<str>,
    pub(super) metadata: Map<String, Value>,
    pub(super) owner: Option<UserId>,
    pub(super) private: bool,
    pub(super) created_at: Timestamp,
}

/// A channel as it is listed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct ChannelView {
    /// Its name.
    pub channel_id: String,
    /// Whether somebody is in it, or holds it.
    pub live: bool,
    /// Whether it was declared.
    pub declared: bool,
    /// Whether it was declared to be private.
    pub private: bool,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the application notes about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// Who declared it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
    /// When it was declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// Of which channels whoever asks may know.
#[derive(Debug)]
pub(crate) enum Known {
    /// Of all: the server.
    All,
    /// Of the public ones, and of its own.
    #[cfg_attr(not(feature = "ws"), allow(dead_code, reason = "for the session room"))]
    PublicAnd {
        /// Channels that are not public, and that its connections are subscribed to.
        own: BTreeSet<ChannelName>,
        /// The user, to whom channels may belong by their names.
        user: Option<Box<str>>,
    },
}

/// Which channels are wanted.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) known: &'a Known,
    pub(super) pattern: Option<&'a Pattern>,
    pub(super) declared_only: bool,
    pub(super) private: Option<&'a AllPrivate>,
}

/// Where a page goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cursor {
    /// Behind a channel of which whoever asks may know.
    After(String),
    /// At a name that need not be a channel's: for the one who puts parts together.
    At(String),
}

/// A part of a page.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) page: Vec<ChannelView>,
    /// Where to go on, unless that is the end.
    pub(super) next: Option<Cursor>,
    /// Names that were looked at and may be known.
    pub(super) looked_at: usize,
}

impl Names {
    pub(super) fn set_live(&mut self, name: &str, is_live: bool) {
        if is_live {
            self.all.entry(name.into()).or_default().is_live = true;
        } else if let Some(entry) = self.all.get_mut(name) {
            entry.is_live = false;
            if entry.declared.is_none() {
                self.all.remove(name);
            }
        }
    }

    pub(super) fn declared_count(&self) -> usize {
        self.declared
    }

    pub(super) fn declared(&self, name: &str) -> Option<&Declared> {
        self.all.get(name)?.declared.as_deref()
    }

    pub(super) fn declared_mut(&mut self, name: &str) -> Option<&mut Declared> {
        self.all.get_mut(name)?.declared.as_deref_mut()
    }

    /// Notes what a channel says about itself.
    pub(super) fn declare(&mut self, name: &str, declared: Declared) {
        let entry = self.all.entry(name.into()).or_default();
        self.declared += usize::from(entry.declared.is_none());
        entry.declared = Some(Box::new(declared));
    }

    pub(super) fn undeclare(&mut self, name: &str) -> bool {
        let Some(entry) = self.all.get_mut(name) else {
            return false;
        };
        let was = entry.declared.take().is_some();
        self.declared -= usize::from(was);
        if !entry.is_live {
            self.all.remove(name);
        }
        was
    }

    pub(super) fn view(&self, name: &str) -> Option<ChannelView> {
        let (name, entry) = self.all.get_key_value(name)?;
        Some(view(name, entry))
    }

    /// Channels in the order of their names. It ends early when `most` have been looked at.
    pub(super) fn page(
        &self,
        wanted: &Wanted<'_>,
        from: Option<&Cursor>,
        limit: usize,
        most: usize,
    ) -> Part {
        let prefix = wanted.pattern.map_or("", Pattern::literal_prefix);
        let from = match from {
            Some(Cursor::After(after)) if **after >= *prefix => Excluded(&**after),
            Some(Cursor::At(at)) if **at >= *prefix => Included(&**at),
            _ => Included(prefix),
        };
        let mut part = Part {
            page: Vec::new(),
            next: None,
            looked_at: 0,
        };
        let mut range = self.all.range::<str, _>((from, Unbounded));
        let mut jumps = 0;
        while let Some((name, entry)) = range.next() {
            if !name.starts_with(prefix) {
                break;
            }
            if let Some(next) = wanted.known.beyond(name) {
                jumps += 1;
                if jumps + part.looked_at >= most {
                    part.next = Some(Cursor::At(next.to_owned()));
                    break;
                }
                range = self.all.range::<str, _>((Included(next), Unbounded));
                continue;
            }
            if wanted.admits(name, entry) {
                part.page.push(view(name, entry));
            }
            part.looked_at += 1;
            if part.page.len() >= limit || jumps + part.looked_at >= most {
                part.next = Some(Cursor::After(name.to_string()));
                break;
            }
        }
        meter::examined(jumps + part.looked_at);
        part
    }
}

impl Wanted<'_> {
    fn admits(&self, name: &str, entry: &Entry) -> bool {
        let matches = self.pattern.is_none_or(|pattern| pattern.matches(name));
        let declared = entry.declared.as_deref();
        let is_open = match self.known {
            Known::PublicAnd { own, .. } if declared.is_some_and(|it| it.private) => {
                own.contains(name)
            }
            _ => true,
        };
        matches && is_open && (declared.is_some() || !self.declared_only) && self.may_know(name)
    }

    /// Whether the channel does not belong to another user.
    fn may_know(&self, name: &str) -> bool {
        let (Known::PublicAnd { user, .. }, Some(private)) = (self.known, self.private) else {
            return true;
        };
        let owner = private.owner(name);
        owner.is_none_or(|owner| user.as_deref() == Some(&*owner))
    }
}

impl Known {
    /// If nothing may be known of this channel, the first name behind it of which something may
    /// be. So many are jumped over at once, and no more often than there are own ones.
    fn beyond(&self, name: &str) -> Option<&str> {
        let Self::PublicAnd { own, .. } = self else {
            return None;
        };
        let mut hidden = HIDDEN.iter();
        let (kind, end) = hidden.find(|(kind, _)| name.starts_with(kind))?;
        let next = own.range::<str, _>((Included(name), Unbounded)).next();
        match next {
            Some(next) if **next == *name => None,
            Some(next) if next.starts_with(kind) => Some(next),
            _ => Some(end),
        }
    }
}

/// How the names of channels begin that are not public, and what comes behind all of them.
const HIDDEN: [(&str, &str); 2] = [("presence-", "presence."), ("private-", "private.")];

fn view(name: &str, entry: &Entry) -> ChannelView {
    let declared = entry.declared.as_deref();
    ChannelView {
        channel_id: name.to_owned(),
        live: entry.is_live,
        declared: declared.is_some(),
        private: declared.is_some_and(|it| it.private),
        description: declared.map(|it| it.description.to_string()),
        metadata: declared.map(|it| it.metadata.clone()),
        owner: declared.and_then(|it| it.owner.clone()),
        created_at: declared.map(|it| it.created_at),
    }
}
