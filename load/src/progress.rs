//! A bar on a terminal, a line every two seconds anywhere else. Written to stderr, so that stdout
//! holds the findings alone.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const LINE_EVERY: Duration = Duration::from_secs(2);

pub(crate) struct Progress {
    bar: ProgressBar,
    label: String,
    total: u64,
    done: AtomicU64,
    next_line: Mutex<Instant>,
}

impl Progress {
    pub(crate) fn new(label: &str, total: u64) -> Self {
        // A phase of one step is over before anybody could look at it.
        let bar = if total > 1 { ProgressBar::new(total) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{prefix:<28} {wide_bar} {pos}/{len} {per_sec} {eta}");
        // A template that does not parse leaves the default bar, which is as true.
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_prefix(label.to_owned());
        Self { bar, label: label.into(), total, done: AtomicU64::new(0), next_line: Mutex::new(Instant::now() + LINE_EVERY) }
    }

    pub(crate) fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.bar.is_hidden() {
            self.bar.inc(1);
            return;
        }
        // Whoever finds the lock taken leaves the line to its holder.
        if let Ok(mut next) = self.next_line.try_lock()
            && Instant::now() >= *next
        {
            *next = Instant::now() + LINE_EVERY;
            eprintln!("{}: {done}/{}", self.label, self.total);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let done = self.done.load(Ordering::Relaxed);
        if self.total <= 1 {
            return;
        }
        if self.bar.is_hidden() {
            eprintln!("{}: {done}/{}", self.label, self.total);
        } else {
            self.bar.abandon();
        }
    }
}
