//! What the fuzz targets need of what is private. Not part of the crate's interface: it is there
//! under `--cfg fuzzing` only.

use crate::transport::sse::cursor::Resume;
use crate::transport::sse::query::Bounds;
use crate::transport::sse::query::Query;

/// The channels and the last event id of a query; `None` when it is refused.
#[must_use]
pub fn query(
    query: &str,
    (max_channels, max_name, max_id): (usize, usize, usize),
) -> Option<(Vec<String>, String)> {
    let bounds = Bounds {
        max_channels,
        max_name,
        max_id,
    };
    let query = Query::parse(query, bounds).ok()?;
    let channels = query.channels.iter().map(ToString::to_string);
    Some((channels.collect(), query.last_event_id))
}

/// A cursor as it is written once it has been read; `None` when it is none.
#[must_use]
pub fn cursor(text: &str) -> Option<String> {
    Some(Resume::parse(text).ok()?.to_string())
}
