//! What is answered of messages. It holds JSON as it was sent, which may be such that none can read
//! it into numbers, maps and strings; so it is written as it is, and never read on the way.

use serde::Serialize;

use crate::layers::messages::Edition;
use crate::layers::messages::EditionView;
use crate::layers::messages::MessageView;
use crate::layers::messages::Page;

/// A page, as it is answered.
#[derive(Serialize)]
pub(super) struct PageView {
    messages: Vec<MessageView>,
    older: Option<String>,
    newer: Option<String>,
}

impl PageView {
    pub(super) fn of(page: Page) -> Self {
        Self {
            messages: page.messages.into_iter().map(MessageView::of).collect(),
            older: page.older.map(|cursor| cursor.to_string()),
            newer: page.newer.map(|cursor| cursor.to_string()),
        }
    }
}

/// What a message said, as it is answered.
#[derive(Serialize)]
pub(super) struct EditionsView {
    editions: Vec<EditionView>,
}

impl EditionsView {
    pub(super) fn of(editions: Vec<Edition>) -> Self {
        Self {
            editions: editions.into_iter().map(EditionView::of).collect(),
        }
    }
}
