//! What an idle websocket costs the server in memory, with a full board and with an empty one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use crate::check::Check;
use crate::cli::{Common, Idle};
use crate::error::Error;
use crate::market::{self, Wanted};
use crate::progress::Progress;
use crate::report::{Report, rounded};
use crate::server::{Server, Token};
use crate::socket::{PING, PING_EVERY, open};
use crate::{Run, procfs};

/// Sockets being opened at once.
const OPENING_MAX: usize = 32;
const OPEN_WITHIN: Duration = Duration::from_secs(120);
const CUSTOMERS: u64 = 16;

/// A server started here is measured anew for each board: what an earlier measurement has left in
/// the allocator would hide what the sockets of the next one cost.
pub(crate) async fn run(common: &Common, options: &Idle, run: &Run) -> Result<Report, Error> {
    let server = Server::reach(common).await?;
    let mut report = measure(&server, options, run).await?;
    let on_empty = server.is_own() && options.orders > 0;
    drop(server);
    if on_empty && !run.stop.is_cancelled() {
        let empty = Idle { orders: 0, ..options.clone() };
        let server = Server::reach(common).await?;
        report.parts.push(measure(&server, &empty, run).await?);
    }
    Ok(report)
}

#[derive(Default)]
struct Counts {
    /// Sockets that have received the board.
    watching: AtomicU64,
    lost: AtomicU64,
    frames: AtomicU64,
}

pub(crate) async fn measure(server: &Server, options: &Idle, run: &Run) -> Result<Report, Error> {
    let pid = server.pid().ok_or_else(|| Error::Usage("the memory of a server that was not started here needs --server-pid".into()))?;
    let on_board = fill_board(server, options.orders, run).await?;
    let tokens = if options.guests { Vec::new() } else { server.tokens(options.sockets, "executor", 0).await? };
    tokio::time::sleep(Duration::from_secs(2)).await;

    let before_kb = procfs::rss_kb(pid)?;
    let begun = Instant::now();
    let (counts, stop) = (Arc::new(Counts::default()), CancellationToken::new());
    let mut sockets = open_all(server, options, &tokens, &counts, &stop);
    let give_up = begun + OPEN_WITHIN;
    let settled = || counts.watching.load(Ordering::Relaxed) + counts.lost.load(Ordering::Relaxed);
    while settled() < options.sockets && Instant::now() < give_up && !run.stop.is_cancelled() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let opening = begun.elapsed();
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(options.settle_s)) => {}
        () = run.stop.cancelled() => {}
    }
    let after_kb = procfs::rss_kb(pid)?;
    let lost = counts.lost.load(Ordering::Relaxed);
    let watching = counts.watching.load(Ordering::Relaxed).saturating_sub(lost);
    stop.cancel();
    let closing = async { while sockets.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_secs(20), closing).await.is_err() {
        sockets.abort_all();
    }

    let per_socket_kb = after_kb.saturating_sub(before_kb) as f64 / watching.max(1) as f64;
    let who = if options.guests { "guests" } else { "executors" };
    let mut report = Report::new(format!("idle: {watching} {who}' websockets, {on_board} orders on the board"));
    report.figure("kB per socket", rounded(per_socket_kb));
    report.figure("RSS before kB", before_kb);
    report.figure("RSS after kB", after_kb);
    report.figure("RSS after closing kB", procfs::rss_kb(pid)?);
    report.figure("opening took s", rounded(opening.as_secs_f64()));
    report.figure("frames read", counts.frames.load(Ordering::Relaxed));
    report.verdict.add(checks(options, watching, per_socket_kb));
    Ok(report)
}

fn checks(options: &Idle, watching: u64, per_socket_kb: f64) -> [Check; 2] {
    let mut open = Check::new("each socket has received the board and stays open");
    open.seen = options.sockets;
    if watching < options.sockets {
        open.problems.add(|| format!("{watching} of {}", options.sockets));
    }
    let mut memory = Check::new("a socket costs no more than the limit");
    memory.seen = watching;
    if per_socket_kb > options.limit_kb {
        memory.problems.add(|| format!("{per_socket_kb:.2} kB, the limit is {} kB", options.limit_kb));
    }
    [open, memory]
}

/// Creates what the board lacks; returns what is on it.
pub(crate) async fn fill_board(server: &Server, orders: u64, run: &Run) -> Result<u64, Error> {
    #[derive(serde::Deserialize)]
    struct Board {
        orders: Vec<serde::de::IgnoredAny>,
    }
    let mut client = server.client(None);
    let mut on_board = async || -> Result<u64, Error> {
        let answer = client.get("/api/board?board=all").await?;
        Ok(serde_json::from_slice::<Board>(answer.body)?.orders.len() as u64)
    };
    let missing = orders.saturating_sub(on_board().await?);
    if missing == 0 {
        return on_board().await;
    }
    let customers = market::customers(server, CUSTOMERS.min(missing), missing).await?;
    let within = Duration::from_secs(300);
    let wanted = Wanted { label: "idle: orders", count: missing, per_s: None, within };
    let produced = market::produce(server, run, &customers, &wanted, None).await?;
    if produced.problems.count > 0 {
        let (count, words) = (produced.problems.count, produced.problems.examples);
        return Err(Error::Server(format!("{count} orders could not be created: {words:?}")));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    on_board().await
}

fn open_all(server: &Server, options: &Idle, tokens: &[Token], counts: &Arc<Counts>, stop: &CancellationToken) -> JoinSet<()> {
    let progress = Arc::new(Progress::new("idle: sockets", options.sockets));
    let opening = Arc::new(Semaphore::new(OPENING_MAX));
    let mut sockets = JoinSet::new();
    for n in 0..options.sockets as usize {
        let idler = Idler {
            authority: server.authority.clone(),
            token: tokens.get(n).map(|t| t.token.clone()),
            counts: counts.clone(),
            stop: stop.clone(),
        };
        let (opening, progress) = (opening.clone(), progress.clone());
        sockets.spawn(async move {
            // An error means the semaphore was closed, which nobody does.
            let permit = opening.acquire_owned().await.ok();
            let ready = || {
                progress.step();
                drop(permit);
            };
            if let Err(error) = idler.idle(ready).await
                && !idler.stop.is_cancelled()
                && idler.counts.lost.fetch_add(1, Ordering::Relaxed) == 0
            {
                eprintln!("idle: the first socket lost: {error}");
            }
        });
    }
    sockets
}

struct Idler {
    authority: Arc<str>,
    token: Option<String>,
    counts: Arc<Counts>,
    stop: CancellationToken,
}

impl Idler {
    /// Watches the board and throws away what comes. `ready` is called once the board has come.
    async fn idle(&self, ready: impl FnOnce()) -> Result<(), Error> {
        let mut socket = open(&self.authority, self.token.as_deref()).await?;
        socket.send(Message::text(r#"{"type":"watch","board":"all"}"#)).await?;
        let mut ready = Some(ready);
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.reset();
        loop {
            tokio::select! {
                () = self.stop.cancelled() => {
                    // The server may be gone already.
                    let _ = socket.close(None).await;
                    return Ok(());
                }
                _ = ping.tick() => socket.send(Message::text(PING)).await?,
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        self.counts.frames.fetch_add(1, Ordering::Relaxed);
                        if ready.is_some() && text.starts_with(r#"{"type":"snapshot""#) {
                            self.counts.watching.fetch_add(1, Ordering::Relaxed);
                            if let Some(ready) = ready.take() {
                                ready();
                            }
                        }
                    }
                    Some(Ok(Message::Close(_))) | None => return Err(Error::Server("closed".into())),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.into()),
                },
            }
        }
    }
}
