//! Were the promises kept? Checks over the answers, the watchers' copies and the database.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::mysql::MySqlPool;

use crate::check::Check;
use crate::error::Error;
use crate::http::Client;
use crate::races::{Created, Tally, locked};
use crate::replica::{Applied, Frame, Replica};
use crate::socket::Watched;

/// How long copies and board may take to meet once nothing changes any more.
const MEET_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Over the answers alone.
pub(crate) fn answers(created: &[Created], tally: &Tally) -> Vec<Check> {
    let mut winners: HashMap<u64, Vec<u64>> = HashMap::new();
    for &(order, taker) in &tally.wins {
        winners.entry(order).or_default().push(taker);
    }
    let mut one_winner = Check::new("each order has exactly one winner");
    for order in created {
        one_winner.seen += 1;
        match winners.get(&order.id).map_or(&[][..], Vec::as_slice) {
            [_] => {}
            [] => one_winner.problems.add(|| format!("order {} was taken by nobody", order.id)),
            many => one_winner.problems.add(|| format!("order {} was won by {many:?}", order.id)),
        }
    }
    let mut definitive = Check::new("each taker got a definitive answer to each call");
    definitive.seen = tally.calls();
    definitive.problems.count = tally.unanswered.count;
    definitive.problems.examples.clone_from(&tally.unanswered.examples);
    vec![one_winner, definitive]
}

/// Only where takers really met: refusals, and whom they name.
pub(crate) fn refusals(tally: &Tally) -> Check {
    let winners: HashMap<u64, u64> = tally.wins.iter().copied().collect();
    let mut check = Check::new("takers met over an order, and each refusal names its winner");
    for (order, by) in &tally.named {
        check.seen += 1;
        if winners.get(order) != Some(by) {
            check.problems.add(|| format!("order {order}: refused in favour of {by}, who did not win"));
        }
    }
    check
}

/// The database's executor of each order is the taker who was told so.
pub(crate) async fn contracts(database: &MySqlPool, created: &[Created], tally: &Tally) -> Result<Check, Error> {
    let mut check = Check::new("the database names the same winners, at the same prices");
    let (Some(first), Some(last)) = (created.first(), created.last()) else { return Ok(check) };
    let rows: Vec<(i64, String, Option<i64>, i64)> = sqlx::query_as(
        "select cast(id as signed), cast(status as char), cast(executor_id as signed), price
           from orders where id between ? and ?",
    )
    .bind(first.id)
    .bind(last.id)
    .fetch_all(database)
    .await?;
    let stored: HashMap<i64, _> = rows.into_iter().map(|row| (row.0, (row.1, row.2, row.3))).collect();
    let winners: HashMap<u64, u64> = tally.wins.iter().copied().collect();
    for order in created {
        check.seen += 1;
        let told = winners.get(&order.id).and_then(|&taker| i64::try_from(taker).ok());
        match i64::try_from(order.id).ok().and_then(|id| stored.get(&id)) {
            None => check.problems.add(|| format!("order {} is not in the database", order.id)),
            Some((status, executor, price)) => {
                let fits = *executor == told && *price == order.price;
                if !fits || (told.is_some() && status == "open") {
                    let database = format!("{status}, executor {executor:?}, price {price}");
                    check.problems.add(|| {
                        let price = order.price;
                        format!("order {}: {database}; told: {told:?}, price {price}", order.id)
                    });
                }
            }
        }
    }
    Ok(check)
}

/// Every watcher's copy, the server's board and the database's open orders come to the same.
pub(crate) async fn boards(client: &mut Client, watchers: &[Arc<Watched>], database: &MySqlPool) -> Result<Vec<Check>, Error> {
    let mut copies = Check::new("each watcher's copy equals the server's board");
    let mut board_check = Check::new("the server's board equals the database's open orders");
    let give_up = Instant::now() + MEET_WITHIN;
    loop {
        let answer = client.get("/api/board?board=all").await?;
        let text = String::from_utf8_lossy(answer.body);
        let frame: Frame<'_> = serde_json::from_str(&text)?;
        let mut board = Replica::default();
        let own_sum_is_true = board.snapshot(&frame, |_| ()) == Applied::Proved;
        let elsewhere = watchers.iter().filter(|w| !locked(&w.replica).stands_at(&frame)).count();
        let stored = open_orders(database).await?;
        let met = elsewhere == 0 && stored == board.checksum();
        if !met && Instant::now() < give_up {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        copies.seen = watchers.len() as u64;
        for (n, watched) in watchers.iter().enumerate() {
            let copy = locked(&watched.replica);
            if copy.seq != board.seq || copy.epoch != board.epoch {
                let (at, there) = (copy.seq, board.seq);
                copies.problems.add(|| format!("watcher {n} stands at seq {at}, the board at {there}"));
            } else if copy.checksum() != board.checksum() {
                let (own, of) = (copy.len(), board.len());
                copies.problems.add(|| format!("watcher {n} differs: {own} orders of {of}"));
            }
        }
        board_check.seen = 1;
        if !own_sum_is_true {
            board_check.problems.add(|| "its checksum is not that of its own orders".into());
        }
        if stored != board.checksum() {
            board_check.problems.add(|| format!("{} orders on the board, others in the database", board.len()));
        }
        return Ok(vec![copies, board_check]);
    }
}

/// Proofs and disproofs while the race went on.
pub(crate) fn proofs(watchers: &[Arc<Watched>]) -> Check {
    let mut check = Check::new("each checksum sent during the run proved the watcher's copy");
    for watched in watchers {
        check.seen += watched.proofs.load(std::sync::atomic::Ordering::Relaxed);
        let found = locked(&watched.mismatches);
        found.examples.iter().for_each(|words| check.problems.add(|| words.clone()));
        check.problems.count += found.count - found.examples.len() as u64;
    }
    check
}

pub(crate) async fn open_orders(database: &MySqlPool) -> Result<u32, Error> {
    let rows: Vec<(u64, u64)> = sqlx::query_as(
        "select cast(id as unsigned), cast(version as unsigned)
           from orders where status = 'open' order by id desc limit 1000",
    )
    .fetch_all(database)
    .await?;
    Ok(crate::replica::checksum(rows.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::races::Outcome;

    fn order(id: u64) -> Created {
        Created { id, price: 100 }
    }

    fn passed(checks: &[Check]) -> Vec<bool> {
        checks.iter().map(Check::passed).collect()
    }

    #[test]
    fn one_win_and_one_refusal_naming_the_winner_keep_the_promise() {
        let mut tally = Tally::new();
        tally.add(7, 1, &Outcome::Won, Duration::ZERO);
        tally.add(8, 1, &Outcome::Taken { by: 7 }, Duration::ZERO);
        assert_eq!(passed(&answers(&[order(1)], &tally)), [true, true]);
        assert!(refusals(&tally).passed());
    }

    #[test]
    fn two_winners_nobody_or_a_wrong_name_are_violations() {
        let mut tally = Tally::new();
        tally.add(7, 1, &Outcome::Won, Duration::ZERO);
        tally.add(8, 1, &Outcome::Won, Duration::ZERO);
        tally.add(9, 1, &Outcome::Taken { by: 3 }, Duration::ZERO);
        let checks = answers(&[order(1), order(2)], &tally);
        assert_eq!(checks[0].problems.count, 2);
        assert_eq!(refusals(&tally).problems.count, 1);
    }

    #[test]
    fn an_unanswered_call_is_a_violation() {
        let mut tally = Tally::new();
        let outcome = Outcome::Refused { name: "no answer".into(), words: "timeout".into() };
        tally.add(7, 1, &outcome, Duration::ZERO);
        assert_eq!(answers(&[order(1)], &tally)[1].problems.count, 1);
    }

    #[test]
    fn a_check_that_saw_nothing_fails() {
        assert_eq!(passed(&answers(&[], &Tally::new())), [false, false]);
        assert!(!refusals(&Tally::new()).passed());
    }
}
