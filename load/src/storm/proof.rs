//! Do all copies, the server's board and the database's open orders come to the same?

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::mysql::MySqlPool;

use super::copies::Copy;
use crate::check::Check;
use crate::error::Error;
use crate::http::Client;
use crate::races::locked;
use crate::replica::{Applied, Frame, Replica};
use crate::verdict::open_orders;

/// A watcher's copy, as others may look at it.
pub(crate) type Shown = Arc<Mutex<Arc<Copy>>>;

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Once nothing changes any more: they may take `within` to meet.
pub(crate) async fn boards(client: &mut Client, copies: &[Shown], database: &MySqlPool, within: Duration) -> Result<[Check; 2], Error> {
    let give_up = Instant::now() + within;
    loop {
        let answer = client.get("/api/board?board=all").await?;
        let text = String::from_utf8_lossy(answer.body);
        let frame: Frame<'_> = serde_json::from_str(&text)?;
        let mut board = Replica::default();
        let own_sum_is_true = board.snapshot(&frame, |_| ()) == Applied::Proved;
        let sum = board.checksum();
        let stored = open_orders(database).await?;
        let mut same = Check::new("each watcher's copy equals the server's board");
        same.seen = copies.len() as u64;
        for (n, copy) in copies.iter().enumerate() {
            let copy = locked(copy).clone();
            if !copy.replica.stands_at(&frame) {
                same.problems.add(|| format!("watcher {n} stands at seq {}, the board at {}", copy.replica.seq, board.seq));
            } else if copy.checksum() != sum {
                same.problems.add(|| format!("watcher {n} differs: {} orders of {}", copy.replica.len(), board.len()));
            }
        }
        if (same.problems.count > 0 || stored != sum) && Instant::now() < give_up {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        let mut of_database = Check::new("the server's board equals the database's open orders");
        of_database.seen = 1;
        if !own_sum_is_true {
            of_database.problems.add(|| "its checksum is not that of its own orders".into());
        }
        if stored != sum {
            of_database.problems.add(|| format!("{} orders on the board, others in the database", board.len()));
        }
        return Ok([same, of_database]);
    }
}
