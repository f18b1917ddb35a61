//! A private MariaDB and Redis for a machine that has none configured.
//!
//! Who may call it: `app`, `cli` and tests. [`Embedded::start`] runs both as child processes over one data
//! directory; [`MariaDb`] and [`Redis`] can also be started one by one (tests kill and restart Redis alone).
//!
//! ```text
//! data/mariadb/   tables            data/log/   what both print, the one before as *.log.1
//! data/redis/     append-only file  data/run/   locks with the urls, sockets, start-up SQL
//! data/tmp/       temporary tables
//! ```
//!
//! What holds:
//! - One owner a data directory: a file lock says so, not a pid.
//! - Data survives a restart, a crash and an interrupted first start.
//! - The children die with this process, even on `kill -9` (see `child`), and what is left all the same is
//!   stopped by the next start (see `claim`).
//! - Every wait has a bound, and every failure is one sentence that says what to do.
//!
//! What never happens here: a TCP port (unix sockets in a private directory only), a configuration file of the
//! machine's, a signal to a server that does not run on our own data directory.

mod child;
mod claim;
mod error;
mod mariadb;
mod place;
mod redis;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use error::EmbeddedError;
pub use mariadb::MariaDb;
pub use redis::Redis;

use claim::Claim;
use place::Place;

/// Where to reach an embedded pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    /// For sqlx: `mysql://root@localhost/orderboard?socket=PATH`.
    pub database_url: String,
    /// For fred: `redis+unix://PATH`.
    pub redis_url: String,
}

/// Both servers, ready for connections. Dropping it asks both to end without waiting; [`stop`](Self::stop) waits.
#[derive(Debug)]
pub struct Embedded {
    pub database_url: String,
    pub redis_url: String,
    mariadb: MariaDb,
    redis: Redis,
}

impl Embedded {
    /// Starts both over `data`, which is made if missing. Returns when both answer.
    ///
    /// # Errors
    /// [`EmbeddedError`]; nothing is left running then but what is already ending.
    pub async fn start(data: &Path) -> Result<Self, EmbeddedError> {
        let place = Place::open(data)?;
        // Both locks before either server, and always in this order: of two starts at once exactly one gets both.
        let mariadb_claim = Claim::take(&place, mariadb::NAME).await?;
        let redis_claim = Claim::take(&place, redis::NAME).await?;
        let (mariadb, redis) = tokio::join!(MariaDb::start_claimed(&place, mariadb_claim), Redis::start_claimed(&place, redis_claim),);
        match (mariadb, redis) {
            (Ok(mariadb), Ok(redis)) => {
                Ok(Self { database_url: mariadb.url().to_owned(), redis_url: redis.url().to_owned(), mariadb, redis })
            }
            (Err(error), Ok(redis)) => {
                redis.stop().await;
                Err(error)
            }
            (Ok(mariadb), Err(error)) => {
                mariadb.stop().await;
                Err(error)
            }
            (Err(error), Err(_)) => Err(error),
        }
    }

    /// Ends both in good order and returns when neither process is left: at most 25 s.
    pub async fn stop(self) {
        tokio::join!(self.mariadb.stop(), self.redis.stop());
    }

    /// Resolves when a server ends that nobody asked to end; the sentence names it, its status and its log.
    /// Safe to drop and call again (`select!`).
    pub async fn child_died(&mut self) -> String {
        tokio::select! {
            sentence = self.mariadb.died() => sentence,
            sentence = self.redis.died() => sentence,
        }
    }
}

/// The urls of the pair that another process runs over `data`, or `None` when none is running and ready.
/// Starts nothing, changes nothing.
#[must_use]
pub fn running(data: &Path) -> Option<Urls> {
    Some(Urls { database_url: claim::url_in_use(data, mariadb::NAME)?, redis_url: claim::url_in_use(data, redis::NAME)? })
}
