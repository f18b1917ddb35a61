//! The outbox: addresses of rows that have just changed, on their way to being read back and published. Bounded and
//! never waited for: what does not fit is found by the sweep.

use std::collections::HashMap;

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tracing::Span;

use crate::domain::news::Subject;

/// More than a second of full load.
const WAITING_MAX: usize = 65_536;

#[derive(Clone)]
pub struct Outbox(mpsc::Sender<Change>);

/// The receiving end, for the publishing job.
pub struct Unsent(mpsc::Receiver<Change>);

/// A row that has changed, and the span of the work that changed it: the span stays open until the news is out.
struct Change {
    subject: Subject,
    committed_us: i64,
    span: Span,
}

/// Rows to be published together.
pub struct Burst {
    pub subjects: Vec<Subject>,
    /// When each was committed, for the first of several changes of a row.
    pub committed_us: HashMap<Subject, i64>,
    /// Of the work that changed them, where such spans are enabled.
    pub causes: Vec<Span>,
}

impl Outbox {
    pub fn new() -> (Outbox, Unsent) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Outbox(sender), Unsent(receiver))
    }

    pub(crate) fn announce(&self, subject: Subject) {
        if self.0.try_send(Change { subject, committed_us: now_us(), span: Span::current() }).is_err() {
            metrics::counter!("orderboard_outbox_dropped_total").increment(1);
        }
    }
}

impl Unsent {
    /// Waits for a change, then takes what else has gathered, at most `max`. Empty when every sender is gone.
    pub async fn burst(&mut self, max: usize) -> Burst {
        let mut changes = Vec::new();
        self.0.recv_many(&mut changes, max).await;
        let mut burst =
            Burst { subjects: Vec::with_capacity(changes.len()), committed_us: HashMap::with_capacity(changes.len()), causes: Vec::new() };
        for Change { subject, committed_us, span } in changes {
            burst.subjects.push(subject);
            burst.committed_us.entry(subject).or_insert(committed_us);
            if !span.is_disabled() {
                burst.causes.push(span);
            }
        }
        burst.subjects.sort_unstable();
        burst.subjects.dedup();
        burst
    }
}

fn now_us() -> i64 {
    (OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000) as i64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

    use super::{Outbox, Subject};

    struct CountEnds(Arc<AtomicUsize>);

    impl<S: tracing::Subscriber> Layer<S> for CountEnds {
        fn on_close(&self, _: tracing::Id, _: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn the_span_of_a_change_lasts_until_its_news_is_out() {
        let ended = Arc::new(AtomicUsize::new(0));
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(CountEnds(ended.clone())));
        let (outbox, mut unsent) = Outbox::new();
        for id in [7, 3, 7] {
            tracing::debug_span!("accept").in_scope(|| outbox.announce(Subject::order(id)));
        }
        let burst = unsent.burst(10).await;
        assert_eq!(burst.subjects, [Subject::order(3), Subject::order(7)]);
        assert_eq!((burst.causes.len(), ended.load(Ordering::Relaxed)), (3, 0));
        drop(burst);
        assert_eq!(ended.load(Ordering::Relaxed), 3);
    }
}
