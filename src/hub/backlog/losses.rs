//! The losses that a client is still to be told of.

use crate::hub::frame::Frame;
use crate::hub::frame::Gap;
use crate::hub::lost_keys::LostKeys;
use crate::hub::queue::Notices;

/// Lost publications that the client is still to be told of.
#[derive(Debug, Default)]
pub(in crate::hub) struct Losses(Vec<Loss>);

/// What one life of a channel has lost.
#[derive(Debug)]
pub(in crate::hub) struct Loss {
    epoch: u64,
    gap: Gap,
    pub(in crate::hub) keys: LostKeys,
}

impl Losses {
    #[inline(always)]
    pub(in crate::hub) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes that `frame` was evicted. Beyond the number of channels the oldest record goes.
    pub(in crate::hub) fn note(&mut self, frame: &Frame, notices: Notices) {
        if let Some(loss) = self.add(frame, frame.of(), notices.channels as usize) {
            loss.keys.note(frame, notices.keys);
        }
    }

    /// Counts `frame` as lost of the life `epoch` of its channel, and returns the record of that.
    /// Beyond so many `channels` the oldest record goes.
    pub(in crate::hub) fn add(
        &mut self,
        frame: &Frame,
        epoch: u64,
        channels: usize,
    ) -> Option<&mut Loss> {
        let (channel, offset) = (frame.channel()?, frame.offset());
        // Offsets of two lives of a channel make no range.
        let is_known = |it: &Loss| it.epoch == epoch && it.gap.channel == *channel;
        if let Some(at) = self.0.iter().position(is_known) {
            let loss = &mut self.0[at];
            loss.gap.last = offset;
            loss.gap.missed += 1;
            return Some(loss);
        }
        if self.0.len() >= channels {
            self.0.remove(0);
        }
        let gap = Gap {
            channel: channel.clone(),
            first: offset,
            last: offset,
            missed: 1,
            keys: Vec::new(),
            more: false,
        };
        let keys = LostKeys::default();
        self.0.push(Loss { epoch, gap, keys });
        self.0.last_mut()
    }

    /// Removes what was lost of one life of a channel, or by it.
    pub(in crate::hub) fn forget(&mut self, epoch: u64) {
        self.0.retain(|loss| loss.epoch != epoch);
    }

    #[inline(always)]
    pub(in crate::hub) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes a loss to tell the client of.
    pub(in crate::hub) fn take(&mut self) -> Option<Loss> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }
}

impl Loss {
    pub(in crate::hub) fn new(gap: Gap, keys: LostKeys) -> Self {
        let epoch = 0;
        Self { epoch, gap, keys }
    }

    /// The gap, with its keys.
    pub(in crate::hub) fn into_gap(self) -> Gap {
        let (keys, more) = self.keys.into_parts();
        Gap {
            keys,
            more,
            ..self.gap
        }
    }
}
