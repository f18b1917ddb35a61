//! Redis over `data/redis`. For `embedded`, and for tests that want one of their own, or kill it and start it again.
//!
//! Reachable through its socket alone, which like its directory is this user's only.
//! Never here: a key of ours (`bus/` knows them).

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use super::{
    child::{self, Child, Launch},
    claim::{self, Claim},
    error::EmbeddedError,
    place::{Place, private_dir},
};

pub(super) const NAME: &str = "Redis";
/// Valkey is Redis 7 under another name, and what some distributions have instead.
const PROGRAMS: &[&str] = &["redis-server", "valkey-server"];

/// The append-only file, flushed each second, in place of snapshots. `noeviction`: a queue must not lose a
/// message to make room. The process title stays the command line, by which a leftover is known.
const SETTINGS: &[&str] = &[
    "--port",
    "0",
    "--unixsocketperm",
    "700",
    "--appendonly",
    "yes",
    "--appendfsync",
    "everysec",
    "--save",
    "",
    "--maxmemory-policy",
    "noeviction",
    "--daemonize",
    "no",
    "--set-proc-title",
    "no",
];

/// A running server. [`stop`](Self::stop) ends it in good order, [`kill`](Self::kill) as a crash would.
#[derive(Debug)]
pub struct Redis {
    url: String,
    child: Child,
    sockets: PathBuf,
    // After `child`: fields are dropped in this order, and the directory is ours until the server was told to end.
    _claim: Claim,
}

impl Redis {
    /// Starts a server over `data/redis` with what an earlier one left there.
    ///
    /// # Errors
    /// [`EmbeddedError`]; nothing is left running then but what is already ending.
    pub async fn start(data: &Path) -> Result<Self, EmbeddedError> {
        let place = Place::open(data)?;
        let claim = Claim::take(&place, NAME).await?;
        Self::start_claimed(&place, claim).await
    }

    pub(super) async fn start_claimed(place: &Place, mut claim: Claim) -> Result<Self, EmbeddedError> {
        let program = child::find(PROGRAMS).ok_or(EmbeddedError::Missing {
            program: "redis-server",
            package: "redis-server",
            variable: "REDIS_URL",
        })?;
        let dir = private_dir(&place.data.join("redis"))?;
        claim::stop_leftovers(place, NAME, PROGRAMS, dir.as_os_str()).await?;

        let socket = place.sockets.join("redis.sock");
        let mut arguments: Vec<OsString> = SETTINGS.iter().map(OsString::from).collect();
        arguments.extend(["--unixsocket".into(), socket.clone().into(), "--dir".into(), dir.into()]);
        let log = child::log_path(place, NAME);
        let mut child = Child::spawn(Launch { name: NAME, program, arguments, stdin: None, log }).await?;
        child.ready(async || answers(&socket).await.unwrap_or(false)).await?;

        let url = format!("redis+unix://{}", socket.display());
        claim.announce(&url)?;
        Ok(Self { url, child, sockets: place.sockets.clone(), _claim: claim })
    }

    /// For fred; the same after each start over the same directory.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it and returns when the process is gone: at most 25 s.
    pub async fn stop(mut self) {
        self.child.stop().await;
        Place::forget_sockets(&self.sockets);
    }

    /// SIGKILL, as if the machine had failed under it; returns when the process is gone. It can be started again.
    pub async fn kill(mut self) {
        self.child.kill().await;
    }

    /// Resolves with a sentence when the server ends that nobody asked to end.
    pub async fn died(&mut self) -> String {
        self.child.obituary().await
    }
}

/// While it reads its file it answers `-LOADING`, not `+PONG`.
async fn answers(socket: &Path) -> io::Result<bool> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    Ok(&answer == b"+PONG")
}
