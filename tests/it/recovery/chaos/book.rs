//! What one client knows of one channel.

use serde_json::Value;

use super::super::Place;
use super::KEPT;

/// What one client knows of one channel, over all of its connections.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Where it is; `None` before it has joined.
    pub(super) place: Option<Place>,
    /// Where it began.
    began: u64,
    pub(super) held: u64,
    pub(super) lost: u64,
    /// Losses that were told over this connection and not yet come to.
    owed: u64,
    /// What is told next, behind a join of a stream that could not go on.
    due: Option<(u64, u64)>,
    /// Where the channel was when this connection joined.
    joined_at: Option<u64>,
}

/// How a join went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    Began,
    OnWithNothingMissed,
    On,
    Told,
}

impl Book {
    /// A connection is gone. What it told and had not come to is still to be given.
    pub(super) fn break_off(&mut self) {
        self.owed = 0;
        self.due = None;
        self.joined_at = None;
    }

    /// Whether everything up to the join of this connection is held or was told.
    pub(super) fn is_up_to_date(&self) -> bool {
        let at = self.place.as_ref().map(|place| place.offset);
        self.joined_at.is_some() && at >= self.joined_at && self.due.is_none()
    }

    /// Up to which message it has over this connection what has come, and was told of the rest;
    /// `None` before it has joined.
    pub(super) fn accounts_for(&self) -> Option<u64> {
        self.joined_at.filter(|_| self.due.is_none())?;
        let place = self.place.as_ref()?;
        Some(place.offset + self.owed)
    }

    /// It has joined. Over a stream, what was missed is told behind it.
    pub(super) fn join(&mut self, joined: &Value, is_stream: bool) -> Went {
        let start = Place::of_joined(joined);
        let offset = joined["offset"].as_u64().unwrap();
        self.joined_at = Some(offset);
        let recovered = joined["data"]["recovered"].as_bool().unwrap();
        let Some(place) = &mut self.place else {
            assert!(!recovered, "{joined}");
            self.began = start.offset;
            self.place = Some(start);
            return Went::Began;
        };
        let missed = offset - place.offset;
        assert_eq!(recovered, missed <= KEPT, "{joined} since {place:?}");
        if recovered {
            assert_eq!(start, *place);
            return if missed == 0 {
                Went::OnWithNothingMissed
            } else {
                Went::On
            };
        }
        assert_eq!(start, place.at(offset));
        if is_stream {
            self.due = Some((place.offset + 1, offset));
        } else {
            self.lost += missed;
            *place = start;
        }
        Went::Told
    }

    /// Something is gone.
    pub(super) fn gap(&mut self, gap: &Value, may_lose: bool) {
        let number = |name: &str| gap["data"][name].as_u64().unwrap();
        if let Some((first, last)) = self.due.take() {
            assert_eq!((number("first"), number("last")), (first, last), "{gap}");
            assert_eq!(number("missed"), last + 1 - first);
            self.lost += number("missed");
            self.place.as_mut().unwrap().offset = last;
            return;
        }
        assert!(may_lose, "{gap}");
        self.owed += number("missed");
    }

    /// A message: the next one, or what lies between was told.
    pub(super) fn message(&mut self, message: &Value) {
        let place = self.place.as_mut().unwrap();
        let number = message["offset"].as_u64().unwrap();
        assert_eq!(
            (&message["data"], &message["epoch"]),
            (&message["offset"], &place.epoch.as_str().into())
        );
        assert!(number > place.offset, "twice: {message}, at {place:?}");
        let skipped = number - place.offset - 1;
        assert!(
            skipped <= self.owed,
            "not told: {message}, at {place:?}, owed {}",
            self.owed
        );
        self.owed -= skipped;
        self.lost += skipped;
        self.held += 1;
        place.offset = number;
    }

    /// Everything from the beginning is held or was told.
    pub(super) fn check(&self) {
        let at = self.place.as_ref().unwrap().offset;
        assert_eq!(self.held + self.lost, at - self.began, "{self:?}");
        assert_eq!(self.owed, 0, "told, and did not happen: {self:?}");
    }
}
