//! Billing by queue under test. In reading order: `queue` the protocol, `redis` one connection, `services` and `workers`
//! what is under test, `proxy` what stands between them; `chaos` whether the books are kept; `speed` how fast they are; `checks` the money rules that
//! every other command asks for, too.

use crate::Run;
use crate::cli::{Common, Money, Speed};
use crate::error::Error;
use crate::report::Report;

mod chaos;
mod checks;
mod dice;
mod proxy;
mod queue;
pub(crate) mod redis;
pub(crate) mod services;
mod speed;
mod strikes;
pub(crate) mod workers;

pub(crate) use checks::checks;
pub(crate) use dice::Dice;
pub(crate) use strikes::Strikes;

pub(crate) async fn run(common: &Common, options: &Money, run: &Run) -> Result<Report, Error> {
    if options.chaos {
        return chaos::run(common, options, run).await;
    }
    speed(common, options.redis_url.as_deref(), options.speed, run).await
}

/// On servers of its own, unless both are given.
pub(crate) async fn speed(common: &Common, redis_url: Option<&str>, options: Speed, run: &Run) -> Result<Report, Error> {
    speed::run(common, redis_url, options, run).await
}
