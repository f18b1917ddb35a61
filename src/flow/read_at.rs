//! How old it is what a node remembers: each part notes when it was last read, or held against the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::Flow;

/// When something was last read of the database.
#[derive(Clone)]
pub(super) struct ReadAt(Arc<ArcSwap<Instant>>);

impl ReadAt {
    pub(super) fn now() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Instant::now())))
    }

    /// It was read; the question was asked at this moment, so that what was told is no older.
    pub(super) fn note(&self, asked: Instant) {
        self.0.store(Arc::new(asked));
    }

    pub(super) fn age(&self) -> Duration {
        self.0.load().elapsed()
    }
}

impl Flow {
    /// How long ago the categories were read.
    pub fn categories_age(&self) -> Duration {
        self.categories_read.age()
    }

    /// How long ago the settings were read, the commission among them.
    pub fn settings_age(&self) -> Duration {
        self.settings_read.age()
    }

    /// The sweep has looked for changes that no news has told of; it began at this moment.
    pub fn note_swept(&self, began: Instant) {
        self.swept.note(began);
    }

    /// How long ago this node last looked for such changes. What its boards tell is newer as long as news comes.
    pub fn boards_age(&self) -> Duration {
        self.swept.age()
    }
}
