//! One connection: requests one after the other, and an end that loses none. While the node parts with its clients every
//! answer says `Connection: close`, so that a client knows before its next request. Only connections that stay silent all
//! the same are ended from this side, and not by cutting them off: what comes too late is read, so that nothing that was
//! sent before is destroyed by a reset.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::{Peer, Stage};

/// Also how long a connection may sit idle between requests.
const HEADERS_WITHIN: Duration = Duration::from_secs(75);
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// A connection without a request for so long is taken to be idle; a fresh one has this long for its first.
const SILENT_FOR: Duration = Duration::from_secs(1);
/// How long a peer that was told of the end is listened to.
const LINGER_FOR: Duration = Duration::from_secs(1);

/// When this connection last had something to do.
struct Activity {
    opened: Instant,
    is_answering: AtomicBool,
    /// Milliseconds since it was opened.
    answered_ms: AtomicU64,
}

impl Activity {
    fn asked(&self) {
        self.is_answering.store(true, Ordering::Relaxed);
    }

    fn answered(&self) {
        self.answered_ms.store(self.opened.elapsed().as_millis() as u64, Ordering::Relaxed);
        self.is_answering.store(false, Ordering::Relaxed);
    }

    /// The moment until which this connection is not idle; with each request it moves on.
    fn silent_at(&self) -> Instant {
        let since = match self.is_answering.load(Ordering::Relaxed) {
            true => Instant::now(),
            false => self.opened + Duration::from_millis(self.answered_ms.load(Ordering::Relaxed)),
        };
        since + SILENT_FOR
    }

    async fn silence(&self) {
        while self.silent_at() > Instant::now() {
            tokio::time::sleep_until(self.silent_at()).await;
        }
    }
}

pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, routes: Router, mut stage: watch::Receiver<Stage>) {
    // News is small and urgent: it must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let activity = Arc::new(Activity { opened: Instant::now(), is_answering: AtomicBool::new(false), answered_ms: AtomicU64::new(0) });
    let service = {
        let (activity, stage) = (activity.clone(), stage.clone());
        hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            activity.asked();
            request.extensions_mut().insert(ConnectInfo(Peer(peer)));
            let answer = routes.clone().oneshot(request.map(axum::body::Body::new) as Request);
            let (activity, stage) = (activity.clone(), stage.clone());
            async move {
                let mut answer = answer.await;
                if let Ok(answer) = &mut answer
                    && *stage.borrow() >= Stage::Parting
                {
                    // A switch of protocols has its own `Connection`.
                    answer.headers_mut().entry(CONNECTION).or_insert(HeaderValue::from_static("close"));
                }
                activity.answered();
                answer
            }
        })
    };
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_buf_size(HEADER_BYTES_MAX);
    let mut connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let leave = async {
        // The sender being gone means the same.
        drop(stage.wait_for(|stage| *stage == Stage::Leaving).await);
        activity.silence().await;
    };
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        () = leave => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    match ended {
        Ok(()) => {
            // Nothing is left of a connection that has become a websocket.
            if let Some(parts) = connection.into_parts() {
                linger(parts.io.into_inner()).await;
            }
        }
        Err(error) => tracing::debug!(%error, "a connection ended early"),
    }
}

/// Our half is closed. To close a socket with bytes unread, or before some arrive, is to reset it, and a reset takes back
/// answers that the peer has not read yet.
async fn linger(mut stream: TcpStream) {
    let mut late = [0_u8; 512];
    let until_closed = async { while matches!(stream.read(&mut late).await, Ok(1..)) {} };
    drop(tokio::time::timeout(LINGER_FOR, until_closed).await);
}
