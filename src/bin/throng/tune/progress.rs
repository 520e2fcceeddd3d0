//! A bar for people; nothing for pipes.

use std::io;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use indicatif::ProgressBar;
use indicatif::ProgressStyle;
use throng::tune::Progress;

/// How far a sweep is, on the standard error when that is a terminal.
pub(super) struct Bar {
    bar: ProgressBar,
    last: Mutex<Progress>,
    begin: Instant,
}

impl Bar {
    pub(super) fn new() -> Self {
        let bar = if io::stderr().is_terminal() {
            // The template is a constant, and good.
            let style = ProgressStyle::with_template(
                "  {bar:40.green} {pos}/{len} runs · {msg} · {elapsed}",
            );
            let style = style.expect("a good template").progress_chars("██░");
            ProgressBar::new(0).with_style(style)
        } else {
            ProgressBar::hidden()
        };
        Self {
            bar,
            last: Mutex::default(),
            begin: Instant::now(),
        }
    }

    pub(super) fn show(&self, progress: Progress) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Threads report in any order.
        if progress.done > last.done {
            *last = progress;
        }
        self.bar.set_length(last.planned as u64);
        self.bar.set_position(last.done as u64);
        self.bar
            .set_message(rate(last.deliveries, self.begin.elapsed()));
    }

    /// Removes the bar, and returns what there was to see in the end.
    pub(super) fn finish(self) -> String {
        self.bar.finish_and_clear();
        let last = self
            .last
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let elapsed = self.begin.elapsed();
        let rate = rate(last.deliveries, elapsed);
        let bar = "█".repeat(24);
        format!("  {bar} {} runs · {rate} · {}", last.done, minutes(elapsed))
    }
}

fn rate(deliveries: u64, elapsed: Duration) -> String {
    let rate = deliveries as f64 / elapsed.as_secs_f64().max(1e-3);
    format!("{:.1} M deliveries/s", rate / 1e6)
}

fn minutes(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0..60 => format!("{:.1} s", elapsed.as_secs_f64()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}
