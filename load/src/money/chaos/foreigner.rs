//! A foreign consumer of the workers' group: it takes messages over from workers that are at work on them, and new
//! ones before they get them, and then does nothing with any. Each must be claimed back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::producers::Market;
use crate::error::Error;
use crate::money::dice::Dice;
use crate::money::queue::GROUP;
use crate::money::redis::{Redis, Reply};

const NAME: &str = "foreigner";
/// A message that is taken again and again would never be done.
const DELIVERIES_MAX: i64 = 2;

#[derive(Default)]
pub(super) struct Claims {
    /// Taken from a worker.
    pub(super) from_workers: AtomicU64,
    /// Read as new and left.
    pub(super) swallowed: AtomicU64,
}

pub(super) async fn interfere(market: Arc<Market>, claims: Arc<Claims>, seed: u64, stop: CancellationToken) {
    let mut dice = Dice::new(seed);
    while !stop.is_cancelled() {
        let Ok(mut redis) = Redis::connect(&market.redis_url).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        while !stop.is_cancelled() {
            // The group may not be there yet, or not any more.
            if claim(&mut redis, &market.streams.requests, &claims).await.is_err() {
                break;
            }
            if dice.permille(300) && swallow(&mut redis, &market.streams.requests, &claims, dice.between(1, 12)).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(dice.between(20, 200))).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn claim(redis: &mut Redis, stream: &str, claims: &Claims) -> Result<(), Error> {
    let pending = redis.ask(&["XPENDING", stream, GROUP, "-", "+", "50"]).await?;
    let theirs = pending.list().iter().filter_map(|entry| match entry.list() {
        [id, consumer, _idle, deliveries] if consumer.text() != NAME && deliveries.number() <= DELIVERIES_MAX => Some(id.text()),
        _ => None,
    });
    let mut command = vec!["XCLAIM", stream, GROUP, NAME, "0"];
    command.extend(theirs);
    if command.len() > 5 {
        let taken = redis.ask(&command).await?;
        claims.from_workers.fetch_add(taken.list().len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

async fn swallow(redis: &mut Redis, stream: &str, claims: &Claims, count: u64) -> Result<(), Error> {
    let count = count.to_string();
    let read = redis.ask(&["XREADGROUP", "GROUP", GROUP, NAME, "COUNT", &count, "STREAMS", stream, ">"]).await?;
    let entries = read.list().first().and_then(|stream| stream.list().get(1)).map_or(0, |entries| entries.list().len());
    claims.swallowed.fetch_add(entries as u64, Ordering::Relaxed);
    Ok(())
}

/// Messages of the group that nobody has finished, those that nobody was given included.
pub(super) async fn unfinished(redis: &mut Redis, stream: &str) -> Result<u64, Error> {
    let pending = redis.ask(&["XPENDING", stream, GROUP]).await?;
    let pending = pending.list().first().map_or(0, Reply::number);
    let groups = redis.ask(&["XINFO", "GROUPS", stream]).await?;
    let fields = groups.list().iter().map(Reply::list).find(|group| group.get(1).is_some_and(|name| name.text() == GROUP));
    let delivered = fields.and_then(|fields| fields.chunks(2).find(|pair| pair[0].text() == "last-delivered-id"));
    let delivered = delivered.and_then(|pair| pair.get(1)).map_or("0-0", Reply::text);
    let beyond = redis.ask(&["XRANGE", stream, &format!("({delivered}"), "+", "COUNT", "1000"]).await?;
    Ok(u64::try_from(pending).unwrap_or(0) + beyond.list().len() as u64)
}
