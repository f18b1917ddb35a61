//! Accepting connections: bounded in number, in the size and time of their headers, and ended so that every request
//! that was sent is answered. The order of the end is [`Stage`].

mod connection;
mod listener;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use self::listener::{Bound, Port};
use crate::live::Live;

/// How often a full server looks whether it has room again.
const FULL_FOR: Duration = Duration::from_millis(5);

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(SocketAddr);

impl Peer {
    pub(super) fn ip(self) -> IpAddr {
        self.0.ip()
    }

    /// Whoever calls by way of this peer.
    pub(super) fn at(self, address: IpAddr) -> Self {
        Self(SocketAddr::new(address, self.0.port()))
    }

    pub(super) fn address(&self) -> String {
        self.0.ip().to_string()
    }

    /// Whether the request was made on this machine.
    pub(super) fn is_here(&self) -> bool {
        self.0.ip().to_canonical().is_loopback()
    }
}

impl Connected<SocketAddr> for Peer {
    fn connect_info(address: SocketAddr) -> Self {
        Peer(address)
    }
}

/// How far the server has come with its end; it never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Serving,
    /// Connections are still accepted, and each answer is its connection's last.
    Parting,
    /// Nobody listens any more; what has come so far is served, each answer its connection's last.
    Unreachable,
    /// Connections on which nothing comes are ended, too.
    Leaving,
}

#[derive(Clone, Copy, Debug)]
pub struct ServerConfig {
    /// Websockets included.
    pub connections_max: usize,
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    stage: watch::Sender<Stage>,
    plain: Arc<AtomicUsize>,
    accepting: tokio::task::JoinHandle<JoinSet<()>>,
}

impl Server {
    /// Listens, and serves `routes`.
    pub fn start(bound: Bound, routes: Router, live: Live, config: ServerConfig) -> std::io::Result<Self> {
        let listener = bound.listen()?;
        let address = listener.local_addr()?;
        let stage = watch::Sender::new(Stage::Serving);
        let plain = Arc::new(AtomicUsize::new(0));
        let room = Room { connections_max: config.connections_max, plain: plain.clone(), live };
        let accepting = tokio::spawn(accept(listener, routes, room, stage.subscribe()));
        Ok(Self { address, stage, plain, accepting })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections open now that are no websockets.
    pub fn connections(&self) -> usize {
        self.plain.load(Ordering::Relaxed)
    }

    /// Goes on to this stage and does not wait.
    pub fn enter(&self, next: Stage) {
        self.stage.send_if_modified(|stage| {
            let goes_on = *stage < next;
            *stage = next.max(*stage);
            goes_on
        });
    }

    /// Enters the last stage and waits for the requests in hand and the connections' ends, at most `within`.
    pub async fn stop(self, within: Duration) {
        self.enter(Stage::Leaving);
        let all = async {
            let Ok(mut connections) = self.accepting.await else { return };
            while connections.join_next().await.is_some() {}
        };
        if tokio::time::timeout(within, all).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }
}

/// What may still come.
struct Room {
    connections_max: usize,
    plain: Arc<AtomicUsize>,
    live: Live,
}

impl Room {
    fn is_full(&self) -> bool {
        self.plain.load(Ordering::Relaxed) + self.live.sockets() >= self.connections_max
    }

    fn counted(&self) -> Counted {
        self.plain.fetch_add(1, Ordering::Relaxed);
        Counted(self.plain.clone())
    }
}

/// Counts a connection until it ends, or becomes a websocket, which `live` counts.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn accept(listener: TcpListener, routes: Router, room: Room, stage: watch::Receiver<Stage>) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    let serve = |connections: &mut JoinSet<()>, stream: TcpStream, peer: SocketAddr| {
        let (routes, stage, counted) = (routes.clone(), stage.clone(), room.counted());
        connections.spawn(async move {
            let _counted = counted;
            connection::serve(stream, peer, routes, stage).await;
        });
    };
    let mut told = stage.clone();
    let unreachable = async { drop(told.wait_for(|stage| *stage >= Stage::Unreachable).await) };
    tokio::pin!(unreachable);
    loop {
        if room.is_full() {
            metrics::counter!("orderboard_connections_waited_total").increment(1);
            tokio::select! {
                () = tokio::time::sleep(FULL_FOR) => {}
                () = &mut unreachable => break,
            }
            while connections.try_join_next().is_some() {}
            continue;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => serve(&mut connections, stream, peer),
                Err(error) => {
                    // Out of descriptors, or a client that left: neither is a reason to stop, nor to spin.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            },
            _ = connections.join_next(), if !connections.is_empty() => {}
            () = &mut unreachable => break,
        }
    }
    listener::close(listener, |stream, peer| serve(&mut connections, stream, peer)).await;
    tracing::info!(connections = connections.len(), "not listening any more; what was sent so far is answered");
    connections
}
