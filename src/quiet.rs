//! Foreign code that runs in the middle of ours: wakers, destructors, callbacks.
//!
//! A waker runs inside a fan-out, the destructor of a payload wherever the last owner lets go of
//! it. If one of them panics, the work around it must not end halfway: other clients would lose
//! messages without being told. So every such call goes through [`quietly`], which ends the panic
//! and counts it; the hub that the thread works for next takes the count up and reports it.
//!
//! The panic hook of the program has run by then, as for every panic.

use std::any::Any;
use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

/// Runs foreign code. `None` if it panicked, which is counted.
///
/// `foreign` touches nothing of ours that a panic could leave half done.
#[inline]
pub(crate) fn quietly<R>(foreign: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(foreign)) {
        Ok(done) => Some(done),
        Err(panic) => {
            caught(panic);
            None
        }
    }
}

/// Takes up how many panics were caught on this thread since the last call.
#[inline]
pub(crate) fn take_caught() -> u32 {
    // An error: the thread ends, and with it the count.
    CAUGHT.try_with(|caught| caught.replace(0)).unwrap_or(0)
}

/// Takes the last panic of this thread out of the count.
pub(crate) fn uncount() {
    // An error: as above.
    let _uncounted = CAUGHT.try_with(|caught| caught.set(caught.get().saturating_sub(1)));
}

thread_local! {
    static CAUGHT: Cell<u32> = const { Cell::new(0) };
}

#[cold]
fn caught(panic: Box<dyn Any + Send>) {
    // An error: as above.
    let _counted = CAUGHT.try_with(|caught| caught.set(caught.get().saturating_add(1)));
    // What a panic carries may panic as well when it is dropped.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        let _leaked = Box::leak(again);
    }
}

/// A value with a foreign destructor: dropped quietly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Quiet<T>(Option<T>);

impl<T> Quiet<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Some(value))
    }

    pub(crate) fn get(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => unreachable!("only the drop takes the value out"),
        }
    }
}

impl<T: Default> Default for Quiet<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Drop for Quiet<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            let _dropped = quietly(|| drop(value));
        }
    }
}

#[cfg(all(test, not(throng_loom)))]
mod tests {
    use std::panic::panic_any;

    use super::Quiet;
    use super::quietly;
    use super::take_caught;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(Nested);
        }
    }

    struct Nested;

    impl Drop for Nested {
        fn drop(&mut self) {
            panic_any("the panic's own payload panics");
        }
    }

    #[test]
    fn a_panic_ends_here_and_is_counted_once() {
        assert_eq!(take_caught(), 0);
        assert_eq!(quietly(|| 7), Some(7));
        assert_eq!(quietly(|| panic_any("on purpose")), None::<()>);
        drop(Quiet::new(Bomb));
        assert_eq!(take_caught(), 2);
        assert_eq!(take_caught(), 0, "the count was taken up");
    }
}
