//! Accepting connections: bounded in number, in the size and time of their headers, and ended gently: a connection
//! that is told to stop finishes the request in hand.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

/// Also how long a connection may sit idle between requests.
const HEADERS_WITHIN: Duration = Duration::from_secs(75);
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(SocketAddr);

impl Peer {
    pub(super) fn address(&self) -> String {
        self.0.ip().to_string()
    }
}

impl Connected<SocketAddr> for Peer {
    fn connect_info(address: SocketAddr) -> Self {
        Peer(address)
    }
}

#[derive(Clone, Copy, Debug)]
pub struct ServerConfig {
    pub connections_max: usize,
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    stopping: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<JoinSet<()>>,
}

impl Server {
    /// Serves `routes` on a bound listener.
    pub fn start(listener: TcpListener, routes: Router, config: ServerConfig) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (stopping, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, routes, config, stopped));
        Ok(Self { address, stopping, accepting })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting and waits for the requests in hand, at most `within`.
    pub async fn stop(self, within: Duration) {
        self.stopping.send_replace(true);
        let Ok(mut connections) = self.accepting.await else { return };
        let all = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(within, all).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }
}

async fn accept(listener: TcpListener, routes: Router, config: ServerConfig, mut stopping: watch::Receiver<bool>) -> JoinSet<()> {
    let room = Arc::new(Semaphore::new(config.connections_max));
    let told = stopping.clone();
    let mut connections = JoinSet::new();
    loop {
        let permit = match room.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                metrics::counter!("orderboard_connections_waited_total").increment(1);
                match room.clone().acquire_owned().await {
                    Ok(permit) => permit,
                    Err(_) => return connections,
                }
            }
        };
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => drop(connections.spawn(serve(stream, peer, routes.clone(), permit, told.clone()))),
                Err(error) => {
                    // Out of descriptors, or a client that left: neither is a reason to stop, nor to spin.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            },
            _ = connections.join_next(), if !connections.is_empty() => {}
            () = told_to_stop(&mut stopping) => return connections,
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, routes: Router, permit: OwnedSemaphorePermit, mut stopping: watch::Receiver<bool>) {
    // News is small and urgent: it must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(Peer(peer)));
        routes.clone().oneshot(request.map(axum::body::Body::new) as Request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_buf_size(HEADER_BYTES_MAX);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    tokio::select! {
        result = connection.as_mut() => return ended(result),
        () = told_to_stop(&mut stopping) => connection.as_mut().graceful_shutdown(),
    }
    ended(connection.await);
    drop(permit);
}

async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    // The sender being gone means the same.
    drop(stopping.wait_for(|stop| *stop).await);
}

fn ended(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}
