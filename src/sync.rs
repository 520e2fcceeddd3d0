//! The one file that names the atomics, cells and threads the lock-free floor is built on.
//!
//! Under `--cfg throng_loom` they are loom's, so that every model explores them; otherwise they
//! are the standard library's. Both sides have the same interface, and nothing in [`crate::raw`]
//! takes a primitive from anywhere else.

#[cfg(not(throng_loom))]
pub(crate) use self::standard::*;

#[cfg(throng_loom)]
pub(crate) use self::modelled::*;

#[cfg(not(throng_loom))]
mod standard {
    pub(crate) use std::hint;
    #[cfg(test)]
    pub(crate) use std::sync::Arc;
    pub(crate) use std::thread;

    pub(crate) mod atomic {
        pub(crate) use std::sync::atomic::*;
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
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::hint;
    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::thread;

    pub(crate) mod atomic {
        pub(crate) use loom::sync::atomic::*;
    }
}
