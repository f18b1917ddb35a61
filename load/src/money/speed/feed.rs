//! The closed loop: never more than a window of requests without an answer, published in one breath as room is made, and
//! timed from just before the XADD is written until the answer is read.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::plan::Plan;
use crate::check::Problems;
use crate::error::Error;
use crate::money::queue::{Answer, Reader, Status, Streams};
use crate::money::redis::Redis;
use crate::report::Latency;

const BLOCK_MS: u64 = 1_000;
/// Without any answer for so long, nobody is at work.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// One connection to publish, one to read answers.
pub(super) struct Feed {
    streams: Streams,
    publish: Redis,
    read: Redis,
    reader: Reader,
    /// Makes the ids of each drive others than those of the one before.
    tag: String,
    drives: u64,
}

pub(super) struct Measured {
    pub(super) answers: u64,
    pub(super) took: Duration,
    pub(super) latency: Latency,
    /// Answers other than done, and requests without one.
    pub(super) problems: Problems,
}

impl Measured {
    pub(super) fn per_s(&self) -> f64 {
        self.answers as f64 / self.took.as_secs_f64().max(1e-6)
    }
}

impl Feed {
    pub(super) async fn new(redis_url: &str, streams: Streams, tag: String) -> Result<Self, Error> {
        let publish = Redis::connect(redis_url).await?;
        let mut read = Redis::connect(redis_url).await?;
        let reader = Reader::from_now(&streams.responses, &mut read).await?;
        Ok(Self { streams, publish, read, reader, tag, drives: 0 })
    }

    pub(super) fn redis_pid(&self) -> Option<u32> {
        self.publish.pid()
    }

    /// Publishes what the plan thinks of, for at most `limit`, until everything is answered.
    pub(super) async fn drive(
        &mut self,
        plan: &mut Plan,
        window: u64,
        limit: Duration,
        stop: &CancellationToken,
    ) -> Result<Measured, Error> {
        self.drives += 1;
        let prefix = format!("{}-{}-", self.tag, self.drives);
        let mut sent: Vec<Option<Instant>> = Vec::new();
        let (mut latency, mut problems, mut outstanding) = (Latency::new(), Problems::default(), 0);
        let begun = Instant::now();
        let (mut last, mut is_over) = (begun, false);
        loop {
            is_over = is_over || begun.elapsed() > limit || stop.is_cancelled();
            let now = Instant::now();
            let before = sent.len();
            while outstanding < window && !is_over {
                let number = sent.len() as u64;
                let Some(operation) = plan.next(number, format!("{prefix}{number}")) else { break };
                self.streams.push(&mut self.publish, &operation.body()?);
                sent.push(Some(now));
                outstanding += 1;
            }
            if sent.len() > before {
                self.publish.flush().await?;
            }
            if outstanding == 0 {
                break;
            }
            let heard = |text: &str| match serde_json::from_str::<Answer>(text) {
                Ok(answer) => {
                    let number = answer.operation_id.as_deref().and_then(|id| id.strip_prefix(&prefix)?.parse::<u64>().ok());
                    // A late answer of another drive, or one that was sent twice.
                    let Some(at) = number.and_then(|number| sent.get_mut(number as usize)?.take()) else { return };
                    latency.record(at.elapsed());
                    outstanding -= 1;
                    last = Instant::now();
                    if answer.status != Status::Done {
                        problems.add(|| text.to_owned());
                    }
                    plan.heard(number.unwrap_or(0), answer.result.and_then(|result| result.hold_id));
                }
                Err(error) => problems.add(|| format!("{error}: {text}")),
            };
            self.reader.page(&mut self.read, BLOCK_MS, heard).await?;
            self.publish.settle().await?;
            if last.elapsed() > SILENCE_MAX {
                problems.count += outstanding;
                problems.examples.push(format!("{outstanding} requests without an answer after {SILENCE_MAX:?}"));
                break;
            }
        }
        Ok(Measured { answers: latency.count(), took: last - begun, latency, problems })
    }
}
