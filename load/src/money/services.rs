//! A MariaDB and a Redis of this run's own, with fresh data, which it may kill and start again at the same urls.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use orderboard::embedded::{MariaDb, Redis};

use crate::error::Error;

pub(crate) struct Services {
    mariadb: Option<MariaDb>,
    redis: Option<Redis>,
    pub(crate) database_url: String,
    pub(crate) redis_url: String,
    directory: Directory,
}

impl Services {
    pub(crate) async fn start() -> Result<Self, Error> {
        let directory = Directory::new()?;
        let (mariadb, redis) = tokio::try_join!(MariaDb::start(&directory.path), Redis::start(&directory.path))?;
        let (database_url, redis_url) = (mariadb.url().to_owned(), redis.url().to_owned());
        Ok(Self { mariadb: Some(mariadb), redis: Some(redis), database_url, redis_url, directory })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory.path
    }

    pub(crate) async fn kill_mariadb(&mut self) {
        if let Some(mariadb) = self.mariadb.take() {
            mariadb.kill().await;
        }
    }

    pub(crate) async fn kill_redis(&mut self) {
        if let Some(redis) = self.redis.take() {
            redis.kill().await;
        }
    }

    /// Starts what was killed.
    pub(crate) async fn start_again(&mut self) -> Result<(), Error> {
        if self.mariadb.is_none() {
            self.mariadb = Some(MariaDb::start(&self.directory.path).await?);
        }
        if self.redis.is_none() {
            self.redis = Some(Redis::start(&self.directory.path).await?);
        }
        Ok(())
    }

    /// Leaves the directory for a person to look at.
    pub(crate) fn keep(&mut self) {
        self.directory.is_kept = true;
    }

    /// Returns when neither is left, so that nothing is written into a directory that is being removed.
    pub(crate) async fn stop(mut self) {
        self.kill_redis().await;
        self.kill_mariadb().await;
    }
}

/// The unix socket in one of MariaDB's urls.
pub(crate) fn socket_of(database_url: &str) -> Option<PathBuf> {
    let (_, socket) = database_url.split_once("socket=")?;
    Some(PathBuf::from(socket.split('&').next().unwrap_or(socket)))
}

/// Goes with the run, with everything in it, unless it is kept.
struct Directory {
    path: PathBuf,
    is_kept: bool,
}

impl Directory {
    fn new() -> Result<Self, Error> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let n = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orderboard-load-money-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self { path, is_kept: false })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.is_kept {
            eprintln!("money: data and logs of this run are left in {}", self.path.display());
        } else if let Err(error) = std::fs::remove_dir_all(&self.path) {
            eprintln!("money: {} is left behind: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_read_out_of_a_url() {
        let socket = |url| socket_of(url).map(|path| path.display().to_string());
        assert_eq!(socket("mysql://root@localhost/orderboard?socket=/tmp/a/m.sock").as_deref(), Some("/tmp/a/m.sock"));
        assert_eq!(socket("mysql://root@localhost/orderboard?socket=/m.sock&x=y").as_deref(), Some("/m.sock"));
        assert_eq!(socket("mysql://root@localhost/orderboard"), None);
    }
}
