//! The outbox: addresses of rows that have just changed, on their way to being read back and published. Bounded and
//! never waited for: what does not fit is found by the sweep.

use tokio::sync::mpsc;

use crate::domain::news::Subject;

/// More than a second of full load.
const WAITING_MAX: usize = 65_536;

#[derive(Clone)]
pub struct Outbox(mpsc::Sender<Subject>);

/// The receiving end, for the publishing job.
pub struct Unsent(mpsc::Receiver<Subject>);

impl Outbox {
    pub fn new() -> (Outbox, Unsent) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Outbox(sender), Unsent(receiver))
    }

    pub(crate) fn announce(&self, subject: Subject) {
        if self.0.try_send(subject).is_err() {
            metrics::counter!("orderboard_outbox_dropped_total").increment(1);
        }
    }
}

impl Unsent {
    /// Waits for a change, then takes what else has gathered, at most `max`. Empty when every sender is gone.
    pub async fn burst(&mut self, max: usize) -> Vec<Subject> {
        let mut burst = Vec::new();
        self.0.recv_many(&mut burst, max).await;
        burst.sort_unstable();
        burst.dedup();
        burst
    }
}
