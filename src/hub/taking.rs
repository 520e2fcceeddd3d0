//! Taking what is queued for a client, in one turn of its receiver.

use crate::hub::backlog::Loss;
use crate::hub::backlog::weight;
use crate::hub::batch::Batch;
use crate::hub::common::Common;
use crate::hub::cuts::forget_backlog;
use crate::hub::cuts::has_any;
use crate::hub::cuts::pop;
use crate::hub::cuts::retire;
use crate::hub::expiry::Fresh;
use crate::hub::frame::Body;
use crate::hub::frame::Frame;
use crate::hub::frame::Gap;
use crate::hub::frame::StreamPosition;
use crate::hub::frame::What;
use crate::hub::queue::Counters;
use crate::hub::queue::Side;
use crate::raw::ring::Consume;
use crate::raw::ring::Seen;

/// What one look into the queue gave.
pub(super) enum Taken {
    /// So many frames.
    Frames(usize),
    /// Nothing; this is what was seen.
    Nothing(Seen),
    /// Nothing, and nothing will come.
    Ended,
    /// A publisher is making room at this moment.
    Busy,
}

/// Takes at most `max` frames of data.
pub(super) fn take_data<T: Sink>(
    mut turn: Consume<'_, Body, Side>,
    mut fresh: Fresh<'_>,
    into: &mut T,
    max: usize,
) -> Taken {
    let notices = fresh.tell(into, max);
    let mut put = Put {
        notices,
        frames: notices,
    };
    let mut is_uncut = true;
    if turn.is_beside() {
        let losses = take_losses(&mut turn, &fresh, into, max - put.frames);
        put.notices += losses;
        put.frames += losses;
        take_kept(&mut turn, &mut fresh, into, &mut put, max);
        is_uncut = take_uncut(&mut turn, &mut fresh, into, &mut put, max);
    }
    while is_uncut
        && put.goes_on(&mut fresh, into, max)
        && let Some(item) = turn.pop()
    {
        put.frames += fresh.put(into, Frame(item));
    }
    let back = give_back(&mut turn, &mut fresh, into, &put);
    turn.forget_overflow();
    put.tell_rest(&mut fresh, into, max);
    if put.frames > 0 {
        return Taken::Frames(put.frames - back);
    }
    if turn.is_closed() && turn.is_drained() {
        return Taken::Ended;
    }
    Taken::Nothing(turn.finish())
}

/// What was put into a sink in one turn.
struct Put {
    /// All frames.
    frames: usize,
    /// Those before the first message.
    notices: usize,
}

impl Put {
    /// Whether the next message is to be taken. A sink that may not want it gets no notice behind a
    /// message, for only messages can be put back: the notice begins the next turn.
    #[inline(always)]
    fn goes_on<T: Sink>(&mut self, fresh: &mut Fresh<'_>, into: &mut T, max: usize) -> bool {
        if !T::IS_FINAL && fresh.pending() > 0 {
            if self.frames > self.notices {
                return false;
            }
            let told = fresh.tell(into, max - self.frames);
            self.notices += told;
            self.frames += told;
        }
        self.frames + fresh.pending() < max
    }

    /// Puts the notices of what has expired behind the last message.
    #[inline(always)]
    fn tell_rest<T: Sink>(&mut self, fresh: &mut Fresh<'_>, into: &mut T, max: usize) {
        if T::IS_FINAL || self.frames == 0 {
            let told = fresh.tell(into, max - self.frames);
            self.frames += told;
            if told > 0 {
                into.settle(told);
            }
        }
    }
}

/// Takes what is in the ring while some of it may be of memberships that have ended. Returns
/// whether none of the rest may be.
#[cold]
fn take_uncut<T: Sink>(
    turn: &mut Consume<'_, Body, Side>,
    fresh: &mut Fresh<'_>,
    into: &mut T,
    put: &mut Put,
    max: usize,
) -> bool {
    if !has_any(turn) {
        return true;
    }
    while has_any(turn) && put.goes_on(fresh, into, max) {
        let Some(frame) = pop(turn, fresh.counters()) else {
            retire(turn);
            break;
        };
        put.frames += fresh.put(into, frame);
        retire(turn);
    }
    forget_backlog(turn);
    !has_any(turn)
}

/// Takes the notices of what an evicting policy has thrown away.
#[cold]
fn take_losses(
    turn: &mut Consume<'_, Body, Side>,
    fresh: &Fresh<'_>,
    into: &mut impl Sink,
    max: usize,
) -> usize {
    let mut notices = 0;
    while notices < max {
        let loss = turn.state(|side| side.as_mut().and_then(|side| side.losses.take()));
        let Some(mut loss) = loss else { break };
        if !loss.keys.is_empty() {
            remove_queued(turn, fresh.counters(), &mut loss);
        }
        into.put(notice(loss.into_gap(), fresh.common()));
        notices += 1;
    }
    notices
}

/// Takes what an evicting policy has put beside the ring.
#[cold]
fn take_kept<T: Sink>(
    turn: &mut Consume<'_, Body, Side>,
    fresh: &mut Fresh<'_>,
    into: &mut T,
    put: &mut Put,
    max: usize,
) {
    while put.goes_on(fresh, into, max) {
        let kept = turn.state(|side| side.as_mut().and_then(|side| side.next()));
        let Some(frame) = kept else { break };
        turn.settle(weight(&frame));
        put.frames += fresh.put(into, frame);
    }
}

/// Puts back what the sink does not want, in front of all that is queued. Returns how many frames.
#[inline(always)]
fn give_back<T: Sink>(
    turn: &mut Consume<'_, Body, Side>,
    fresh: &mut Fresh<'_>,
    into: &mut T,
    put: &Put,
) -> usize {
    if T::IS_FINAL || put.frames == 0 {
        return 0;
    }
    into.settle(put.notices);
    let mut back = 0;
    while let Some(frame) = into.take_back() {
        fresh.give_back(&frame);
        turn.keep(weight(&frame));
        turn.state(|side| side.get_or_insert_default().give_back(frame));
        back += 1;
    }
    back
}

/// Removes the keys of which a newer value is queued. What is in the ring is moved beside it, where
/// it can be looked at.
pub(super) fn remove_queued(
    turn: &mut Consume<'_, Body, Side>,
    counters: &Counters,
    loss: &mut Loss,
) {
    while let Some(frame) = pop(turn, counters) {
        turn.keep(weight(&frame));
        turn.state(|side| side.get_or_insert_default().set_aside(frame));
    }
    turn.state(|side| {
        let mut frames = side.iter().flat_map(|side| side.frames());
        loss.keys.remove_queued(&mut frames);
    });
}

/// Creates the notice of a gap, which is published as it is received.
pub(super) fn notice(gap: Gap, common: &Common) -> Frame {
    let channel = gap.channel.clone();
    let (position, at) = (StreamPosition::default(), common.unix_millis());
    Frame::new(What::Gap(gap), Some(&channel), position, at)
}

/// Where taken frames go.
pub(super) trait Sink {
    /// Whether it wants all that is put into it.
    const IS_FINAL: bool = true;

    fn put(&mut self, frame: Frame);

    /// Nothing more is put in; the first `control` frames cannot be taken back.
    fn settle(&mut self, _control: usize) {}

    /// The last frame that it does not want.
    fn take_back(&mut self) -> Option<Frame> {
        None
    }
}

impl Sink for Option<Frame> {
    #[inline(always)]
    fn put(&mut self, frame: Frame) {
        *self = Some(frame);
    }
}

impl Sink for Batch {
    #[inline(always)]
    fn put(&mut self, frame: Frame) {
        self.push(frame);
    }
}
