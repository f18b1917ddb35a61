//! The listening socket: bound early, so that a taken port is said before anything is touched, and closed so that nobody
//! who has reached it is turned away.
//!
//! The kernel finishes handshakes by itself and queues the connections; closing the socket resets what is queued, and
//! whoever is between the two halves of a handshake. So a socket that is to close first stops taking new handshakes (a
//! filter drops their first packet, which the client's kernel sends again a second later, to whoever listens then), and
//! is closed when the queue is empty.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockFilter, SockRef};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;

/// Connections that the kernel holds until they are accepted; it may be told to hold fewer (`net.core.somaxconn`).
const BACKLOG: u32 = 4_096;
/// Handshakes under way have this long for their last packet.
const HANDSHAKE_WITHIN: Duration = Duration::from_millis(200);
/// The longest that the queue is worked off, where the filter is not to be had.
const QUEUE_WITHIN: Duration = Duration::from_secs(2);

/// Whether other processes may listen on the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    Own,
    /// The kernel spreads new connections over all processes that share it (SO_REUSEPORT).
    Shared,
}

/// An address that is taken. A port of one's own is listened on at once; of a shared one nothing is taken from the
/// others before this process can serve it.
pub struct Bound(Socket);

enum Socket {
    Listening(TcpListener),
    Waiting(TcpSocket),
}

impl Bound {
    pub fn new(address: SocketAddr, port: Port) -> std::io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A restarted node need not wait for its old connections to be forgotten.
        socket.set_reuseaddr(true)?;
        if port == Port::Shared {
            socket.set_reuseport(true)?;
        }
        socket.bind(address)?;
        Ok(Self(match port {
            Port::Own => Socket::Listening(socket.listen(BACKLOG)?),
            Port::Shared => Socket::Waiting(socket),
        }))
    }

    pub fn address(&self) -> std::io::Result<SocketAddr> {
        match &self.0 {
            Socket::Listening(listener) => listener.local_addr(),
            Socket::Waiting(socket) => socket.local_addr(),
        }
    }

    pub(super) fn listen(self) -> std::io::Result<TcpListener> {
        match self.0 {
            Socket::Listening(listener) => Ok(listener),
            Socket::Waiting(socket) => socket.listen(BACKLOG),
        }
    }
}

/// Takes no new handshakes, hands on every connection that has come so far, and closes the socket.
pub(super) async fn close(listener: TcpListener, mut serve: impl FnMut(TcpStream, SocketAddr)) {
    if let Err(error) = refuse_handshakes(&listener) {
        tracing::debug!(%error, "new handshakes cannot be kept away from the closing socket");
    }
    let give_up = Instant::now() + QUEUE_WITHIN;
    while Instant::now() < give_up {
        match tokio::time::timeout(HANDSHAKE_WITHIN, listener.accept()).await {
            Ok(Ok((stream, peer))) => serve(stream, peer),
            Ok(Err(error)) => tracing::warn!(%error, "a connection could not be accepted"),
            Err(_) => break,
        }
    }
}

/// Drops packets that have SYN and not ACK: those that begin a handshake. The filter sees the TCP header first, whose byte 13
/// holds the flags; accepted sockets inherit it, and never see such a packet.
fn refuse_handshakes(listener: &TcpListener) -> std::io::Result<()> {
    const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
    const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
    const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    let filter = [
        SockFilter::new(LOAD_BYTE, 0, 0, 13),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ];
    SockRef::from(listener).attach_filter(&filter)
}
