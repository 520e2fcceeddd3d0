//! What the fuzz targets need of what is private. Not part of the crate's interface: it is there
//! under `--cfg fuzzing` only.

use crate::hub::StreamPosition;
use crate::transport::sse::cursor::Mark;
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

/// A channel, and where a stream is in it; `None` when it was left.
pub type Place = (String, Option<(u64, u64)>);

/// The places that a cursor names; `None` when it is none.
#[must_use]
pub fn read(text: &str) -> Option<Vec<Place>> {
    let entries = Resume::parse(text).ok()?.entries.into_iter();
    let places = entries.map(|(name, mark)| match mark {
        Mark::At(position) => (name, Some((position.offset, position.epoch))),
        Mark::Left => (name, None),
    });
    Some(places.collect())
}

/// The cursor that names these places.
#[must_use]
pub fn write(places: &[Place]) -> String {
    let entries = places.iter().map(|(name, place)| {
        let mark = match *place {
            Some((offset, epoch)) => Mark::At(StreamPosition { offset, epoch }),
            None => Mark::Left,
        };
        (name.clone(), mark)
    });
    let resume = Resume {
        entries: entries.collect(),
    };
    resume.to_string()
}
