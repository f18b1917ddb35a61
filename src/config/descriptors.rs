//! Each websocket, connection and database session is a descriptor, and a process may have only so many.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Limits;

/// Connections beyond the websockets: requests, and websockets that are being opened.
pub const PLAIN_CONNECTIONS: usize = 900;
/// Logs, the event queue, Redis, the private databases, files being read.
const OTHERS: usize = 64;
/// The most sessions with the database that can be asked for.
const DATABASE_MAX: usize = 500 + 128;
/// More sockets than this on one process are an operator's decision.
const DEFAULT_MAX: usize = 100_000;

/// The soft limit is often 1,024, whatever the hard one is.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

/// Websockets where nothing else is asked for: as many as there will be descriptors for, whatever other settings take.
pub(super) fn sockets_default() -> usize {
    let maximum = getrlimit(Resource::Nofile).maximum.map_or(usize::MAX, |maximum| usize::try_from(maximum).unwrap_or(usize::MAX));
    let round = maximum.saturating_sub(PLAIN_CONNECTIONS + OTHERS + DATABASE_MAX) / 100 * 100;
    round.clamp(1, DEFAULT_MAX)
}

/// Whether the websockets that are allowed can be had; else why not, in one line.
pub fn check(limits: &Limits) -> Result<(), String> {
    let Some(current) = getrlimit(Resource::Nofile).current else { return Ok(()) };
    let taken = PLAIN_CONNECTIONS + OTHERS + limits.database_connections as usize + usize::from(limits.take_connections);
    let room = usize::try_from(current).unwrap_or(usize::MAX).saturating_sub(taken);
    if limits.sockets_max <= room {
        return Ok(());
    }
    Err(format!(
        "ORDERBOARD_SOCKETS_MAX is {}, but this process may open {current} descriptors (ulimit -n), which leaves room for {room} websockets; \
         raise the limit, or start several processes on one port with --reuse-port",
        limits.sockets_max
    ))
}
