//! The one file that names the atomics, cells, locks and threads the crate is built on.
//!
//! Under `--cfg throng_loom` they are loom's, so that every model explores them; otherwise they
//! are those of the standard library and of parking_lot. Both sides have the same interface, and
//! nothing in [`crate::raw`] takes a primitive from anywhere else. The hub takes from here what
//! orders memory for others; what only counts owners, or is set once, it takes from the standard
//! library.

#[cfg(not(throng_loom))]
pub(crate) use self::standard::*;

#[cfg(throng_loom)]
pub(crate) use self::modelled::*;

#[cfg(not(throng_loom))]
mod standard {
    pub(crate) use std::hint;
    use std::pin::pin;
    pub(crate) use std::sync::Arc;
    use std::task::Context;
    use std::task::Poll;
    use std::task::Wake;
    use std::task::Waker;
    pub(crate) use std::thread;
    use std::thread::Thread;

    pub(crate) use parking_lot::Mutex;
    pub(crate) use parking_lot::RwLock;

    pub(crate) mod atomic {
        pub(crate) use std::sync::atomic::*;
    }

    /// Runs a future on this thread, which is parked while there is nothing to do.
    pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut cx) {
                Poll::Ready(output) => return output,
                Poll::Pending => thread::park(),
            }
        }
    }

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    /// A cell with loom's closure interface over the standard one.
    #[derive(Debug, Default)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        /// Runs `f` on a pointer that may be read through.
        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Runs `f` on a pointer that may be written through.
        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(throng_loom)]
mod modelled {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::LockResult;
    use std::sync::PoisonError;

    pub(crate) use loom::cell::UnsafeCell;
    use loom::future;
    pub(crate) use loom::hint;
    pub(crate) use loom::sync::Arc;
    use loom::sync::MutexGuard;
    use loom::sync::RwLockReadGuard;
    use loom::sync::RwLockWriteGuard;
    pub(crate) use loom::thread;

    pub(crate) mod atomic {
        pub(crate) use loom::sync::atomic::*;
    }

    /// loom's, with the interface of parking_lot's.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            unpoisoned(self.0.lock())
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }

    /// loom's, with the interface of parking_lot's.
    #[derive(Debug, Default)]
    pub(crate) struct RwLock<T>(loom::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
            unpoisoned(self.0.read())
        }

        pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
            unpoisoned(self.0.write())
        }
    }

    fn unpoisoned<G>(locked: LockResult<G>) -> G {
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a future on this thread. A future that asks to be polled again soon lets the others
    /// run first, or the model would explore nothing but its asking.
    pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
        let mut future = pin!(future);
        future::block_on(poll_fn(|cx| {
            let polled = future.as_mut().poll(cx);
            if polled.is_pending() {
                thread::yield_now();
            }
            polled
        }))
    }
}
