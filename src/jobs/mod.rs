//! Work that nobody waits for: publishing what changed, sweeping up what was not carried, confirming orders whose time
//! is over. Each is safe to run on every node at once: conditional UPDATEs and versions decide, no lock is held.
//!
//! A job ends between two rounds, never inside one: dropping a query half-way would ruin its connection.

pub mod archive;
pub mod auto_confirm;
pub mod billing;
pub mod deliver;
pub mod demo;
pub mod expire_holds;
pub mod mail;
pub mod notices;
pub mod outdate_topups;
pub mod publish;
pub mod sweep;
pub mod telegram;

use std::time::Duration;

use tokio::sync::watch;

/// Told once, to everything that runs: finish what is in hand and end.
pub type Stopping = watch::Receiver<bool>;

/// Waits for the next round; false when there is none.
pub(crate) async fn next_round(stopping: &mut Stopping, pause: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(pause) => true,
        _ = stopping.wait_for(|stop| *stop) => false,
    }
}
