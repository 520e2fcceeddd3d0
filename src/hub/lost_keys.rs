//! The keys of which a client lacks the present value.

use std::collections::HashSet;

use bytes::Bytes;

use crate::hub::frame::Frame;
use crate::limits::GapNotices;

/// Keys of lost publications of one channel, each once, with what finds a newer value of it.
#[derive(Debug, Default)]
pub(super) struct LostKeys {
    keys: Vec<LostKey>,
    bytes: usize,
    more: bool,
}

#[derive(Debug)]
struct LostKey {
    key: Bytes,
    hash: u64,
    /// The last publication of it that was lost.
    offset: u64,
}

impl LostKeys {
    /// Notes that `frame` was lost. At most `most` keys are recorded.
    pub(super) fn note(&mut self, frame: &Frame, most: usize) {
        let (Some(key), Some(hash)) = (frame.key(), frame.key_hash()) else {
            return;
        };
        let offset = frame.offset();
        let same = |it: &&mut LostKey| it.hash == hash && it.key == *key;
        if let Some(known) = self.keys.iter_mut().find(same) {
            known.offset = offset;
            return;
        }
        let bytes = self.bytes + key.len();
        if self.keys.len() >= most || bytes > GapNotices::MOST_KEY_BYTES {
            self.more |= most > 0;
            return;
        }
        self.bytes = bytes;
        let key = key.clone();
        self.keys.push(LostKey { key, hash, offset });
    }

    /// Notes that publications were lost whose keys are not known.
    pub(super) fn note_unknown(&mut self) {
        self.more = true;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Removes the keys that one of `frames`, which are still to be received, has a newer value of.
    pub(super) fn remove_queued(&mut self, frames: &mut dyn Iterator<Item = &Frame>) {
        let hashes: HashSet<u64> = self.keys.iter().map(|lost| lost.hash).collect();
        for frame in frames {
            let Some(hash) = frame.key_hash().filter(|hash| hashes.contains(hash)) else {
                continue;
            };
            // The hash is that of the channel too.
            let is_newer = |lost: &LostKey| {
                lost.hash == hash && Some(&lost.key) == frame.key() && lost.offset < frame.offset()
            };
            self.keys.retain(|lost| !is_newer(lost));
        }
    }

    /// The keys, and whether there are more.
    pub(super) fn into_parts(self) -> (Vec<Bytes>, bool) {
        let keys = self.keys.into_iter().map(|lost| lost.key);
        (keys.collect(), self.more)
    }
}
