//! Arguments and answers that come in pages.

use super::Argument;
use super::Kind;

/// How many entries.
pub(crate) const LIMIT: Argument = Argument::optional(
    "limit",
    Kind::Number,
    "How many entries at most: 1 to 1,000, default 50.",
);

/// After which.
pub(crate) const AFTER: Argument = Argument::optional(
    "after",
    Kind::Text,
    "Where to go on: `next` of the page before.",
);
