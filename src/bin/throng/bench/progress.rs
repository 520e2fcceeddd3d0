//! A bar for people; nothing for pipes.

use std::io;
use std::io::IsTerminal;

use indicatif::ProgressBar;
use indicatif::ProgressStyle;

/// How far a measurement is, on the standard error when that is a terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar of `total` steps that is called `what`.
    pub(super) fn new(what: &'static str, total: usize) -> Self {
        if !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        // The template is a constant, and good.
        let style = ProgressStyle::with_template("{msg:>12} {wide_bar} {pos}/{len}");
        let bar = ProgressBar::new(total as u64).with_message(what);
        Self(bar.with_style(style.expect("a good template")))
    }

    pub(super) fn set(&self, done: usize) {
        self.0.set_position(done as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
