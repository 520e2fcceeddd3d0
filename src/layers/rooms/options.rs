//! What a room is to be.

use std::time::Duration;

use serde_json::Map;
use serde_json::Value;

use crate::id;
use crate::id::InvalidName;
use crate::layers::metadata::is_deeper;
use crate::layers::name::RoomId;
use crate::layers::rooms::config::RoomsConfig;
use crate::layers::rooms::error::RoomError;

/// What a room is to be.
///
/// ```
/// use throng::rooms::RoomOptions;
///
/// let options = RoomOptions::new("Project Alpha").private(true).max_members(100);
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RoomOptions {
    pub(super) id: Option<RoomId>,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) category: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) metadata: Map<String, Value>,
    pub(super) private: bool,
    pub(super) max_members: usize,
    pub(super) slow_mode: Duration,
}

impl RoomOptions {
    /// A public room of this name: 1 to 128 bytes.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Its id; made at random if not given.
    pub fn id(mut self, id: RoomId) -> Self {
        self.id = Some(id);
        self
    }

    /// What it is about; at most 1,024 bytes.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// What kind of room it is; at most 64 bytes.
    pub fn category(mut self, category: impl Into<String>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Words to find it by: at most 16 of at most 64 bytes.
    pub fn tags(mut self, tags: impl IntoIterator<Item: Into<String>>) -> Self {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// What the application notes about it: at most [`RoomsConfig::max_metadata`] bytes, nested at
    /// most 100 deep.
    pub fn metadata(mut self, metadata: Map<String, Value>) -> Self {
        self.metadata = metadata;
        self
    }

    /// Whether only those come in who were invited or added. Default: it is public.
    pub fn private(mut self, private: bool) -> Self {
        self.private = private;
        self
    }

    /// How many members it may have; 0, the default, for no limit.
    pub fn max_members(mut self, members: usize) -> Self {
        self.max_members = members;
        self
    }

    /// How long each member has to wait between two messages; zero, the default, for not at all.
    /// Moderators and those above them need not wait.
    pub fn slow_mode(mut self, wait: Duration) -> Self {
        self.slow_mode = wait;
        self
    }

    pub(super) fn check(&self, config: &RoomsConfig) -> Result<(), RoomError> {
        check_name(&self.name)?;
        check_len("description", &self.description, MAX_DESCRIPTION)?;
        check_prose("description", &self.description)?;
        check_category(self.category.as_deref())?;
        check_tags(&self.tags)?;
        check_metadata(&self.metadata, config)
    }
}

/// What kind of room it is to be from now on, or that it is to be of no kind.
#[derive(Clone, Debug)]
pub(super) struct Category(pub(super) Option<String>);

/// What is to be changed about a room; what is not said stays as it is.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RoomPatch {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) category: Option<Category>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) metadata: Option<Map<String, Value>>,
    pub(super) private: Option<bool>,
    pub(super) max_members: Option<usize>,
}

impl RoomPatch {
    /// Nothing is to be changed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What it is about.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// What kind of room it is; `None` for no kind.
    pub fn category(mut self, category: Option<String>) -> Self {
        self.category = Some(Category(category));
        self
    }

    /// Words to find it by.
    pub fn tags(mut self, tags: Vec<String>) -> Self {
        self.tags = Some(tags);
        self
    }

    /// What the application notes about it.
    pub fn metadata(mut self, metadata: Map<String, Value>) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Whether only those come in who were invited or added.
    pub fn private(mut self, private: bool) -> Self {
        self.private = Some(private);
        self
    }

    /// How many members it may have; 0 for no limit. Those who are in stay in.
    pub fn max_members(mut self, members: usize) -> Self {
        self.max_members = Some(members);
        self
    }

    pub(super) fn check(&self, config: &RoomsConfig) -> Result<(), RoomError> {
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        if let Some(description) = &self.description {
            check_len("description", description, MAX_DESCRIPTION)?;
            check_prose("description", description)?;
        }
        if let Some(Category(category)) = &self.category {
            check_category(category.as_deref())?;
        }
        check_tags(self.tags.as_deref().unwrap_or_default())?;
        match &self.metadata {
            Some(metadata) => check_metadata(metadata, config),
            None => Ok(()),
        }
    }
}

/// How an invite can be used.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct InviteOptions {
    pub(super) max_uses: u32,
    pub(super) expires_in: Option<Duration>,
}

impl InviteOptions {
    /// By anyone, any number of times, for good.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often; 0 for no limit.
    pub fn max_uses(mut self, uses: u32) -> Self {
        self.max_uses = uses;
        self
    }

    /// For how long.
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.expires_in = Some(time);
        self
    }
}

const MAX_NAME: usize = 128;
const MAX_DESCRIPTION: usize = 1024;
const MAX_CATEGORY: usize = 64;
const MAX_TAGS: usize = 16;
const MAX_TAG: usize = 64;
/// Deeper than that, JSON is not read back.
const MAX_DEPTH: usize = 100;

fn check_name(name: &str) -> Result<(), RoomError> {
    if name.is_empty() {
        return Err(RoomError::InvalidField {
            field: "name",
            allowed: "a text that is not empty",
        });
    }
    check_len("name", name, MAX_NAME)?;
    check_characters("name", name)
}

/// A text that names something must not look like another.
fn check_characters(field: &'static str, text: &str) -> Result<(), RoomError> {
    id::check_characters(text).map_err(|error| RoomError::InvalidName { field, error })
}

/// A text that is only read has no control characters but ends of lines and tabs.
fn check_prose(field: &'static str, text: &str) -> Result<(), RoomError> {
    let mut characters = text.char_indices();
    match characters.find(|(_, c)| c.is_control() && !matches!(c, '\n' | '\t')) {
        Some((at, character)) => Err(RoomError::InvalidName {
            field,
            error: InvalidName::ControlCharacter { at, character },
        }),
        None => Ok(()),
    }
}

fn check_category(category: Option<&str>) -> Result<(), RoomError> {
    match category {
        Some("") => Err(RoomError::InvalidField {
            field: "category",
            allowed: "null or not empty",
        }),
        Some(category) => {
            check_len("category", category, MAX_CATEGORY)?;
            check_characters("category", category)
        }
        None => Ok(()),
    }
}

fn check_tags(tags: &[String]) -> Result<(), RoomError> {
    if tags.len() > MAX_TAGS {
        return Err(RoomError::TooLarge {
            field: "tags",
            limit: MAX_TAGS,
        });
    }
    if tags.iter().any(String::is_empty) {
        return Err(RoomError::InvalidField {
            field: "tags",
            allowed: "texts that are not empty",
        });
    }
    tags.iter().try_for_each(|tag| {
        check_len("tags", tag, MAX_TAG)?;
        check_characters("tags", tag)
    })
}

fn check_metadata(metadata: &Map<String, Value>, config: &RoomsConfig) -> Result<(), RoomError> {
    let bytes = serde_json::to_string(metadata).map_or(usize::MAX, |text| text.len());
    let limit = config.max_metadata;
    if bytes > limit && !metadata.is_empty() {
        return Err(RoomError::TooLarge {
            field: "metadata",
            limit,
        });
    }
    if metadata.values().any(|it| is_deeper(it, MAX_DEPTH)) {
        return Err(RoomError::InvalidField {
            field: "metadata",
            allowed: "nested at most 100 deep",
        });
    }
    Ok(())
}

fn check_len(field: &'static str, text: &str, limit: usize) -> Result<(), RoomError> {
    if text.len() > limit {
        return Err(RoomError::TooLarge { field, limit });
    }
    Ok(())
}
