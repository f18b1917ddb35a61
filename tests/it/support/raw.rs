//! A websocket on bare bytes, for what well-behaved clients never send.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::DEADLINE;

pub(crate) struct RawSocket(TcpStream);

/// A connection whose kernel takes almost nothing that its owner does not read.
pub(crate) async fn connect_narrow(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(address).await.unwrap()
}

impl RawSocket {
    /// Connects as a guest and takes the hello.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let ask = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: orderboard.v1\r\n\r\n"
        );
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert!(head.starts_with("http/1.1 101") && head.contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
        let mut socket = Self(stream);
        assert_eq!(socket.text().await["type"], "hello");
        socket
    }

    /// One frame: its first byte (FIN and opcode) and its payload, masked as a client must.
    pub(crate) async fn frame(&mut self, first: u8, payload: &[u8]) {
        const MASK: [u8; 4] = [0x5a, 0x00, 0xff, 0x13];
        let mut wire = vec![first];
        match payload.len() {
            length @ 0..126 => wire.push(0x80 | length as u8),
            length => {
                wire.push(0x80 | 126);
                wire.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        wire.extend_from_slice(&MASK);
        wire.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.bytes(&wire).await;
    }

    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next frame's opcode and payload.
    pub(crate) async fn next(&mut self) -> (u8, Vec<u8>) {
        tokio::time::timeout(DEADLINE, self.read()).await.expect("a frame in time").expect("a whole frame")
    }

    async fn read(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let first = self.0.read_u8().await?;
        assert_eq!(first & 0xf0, 0x80, "the server neither fragments nor uses reserved bits");
        let length = match self.0.read_u8().await? {
            126 => u64::from(self.0.read_u16().await?),
            127 => self.0.read_u64().await?,
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).await?;
        Ok((first & 0x0f, payload))
    }

    /// The next frame, which must be text.
    pub(crate) async fn text(&mut self) -> Value {
        let (opcode, payload) = self.next().await;
        assert_eq!(opcode, 1, "{payload:?}");
        serde_json::from_slice(&payload).unwrap()
    }

    /// The close code, which must be the next thing; after our half the server hangs up.
    pub(crate) async fn close_code(&mut self) -> u16 {
        let (opcode, payload) = self.next().await;
        assert_eq!(opcode, 8, "{:?}", String::from_utf8_lossy(&payload));
        let code = u16::from_be_bytes([payload[0], payload[1]]);
        assert!(std::str::from_utf8(&payload[2..]).is_ok_and(|reason| !reason.is_empty()), "a close has a reason");
        // The server may be quicker than our half of the handshake.
        let _ = self.0.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await;
        code
    }
}
