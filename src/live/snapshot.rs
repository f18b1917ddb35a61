//! The board at one moment, for everybody who asks: encoded once, compressed at most once.

use bytes::Bytes;
use tokio::sync::OnceCell;

use super::compress::gzip;
use super::frame::Frame;

pub struct Snapshot {
    message: Frame,
    /// Made when the first one asks for it.
    compressed: OnceCell<Frame>,
    etag: String,
}

impl Snapshot {
    pub(super) fn new(json: &str, etag: String) -> Self {
        Self { message: Frame::text(json), compressed: OnceCell::new(), etag }
    }

    pub fn json(&self) -> Bytes {
        self.message.payload()
    }

    /// The same, compressed. Whoever comes while that is being done waits for it.
    pub async fn gzip(&self) -> Bytes {
        self.compressed().await.payload()
    }

    /// What tells this state from every other, the same on every node; the coding it is sent in is not part of it.
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// As a websocket message.
    pub(super) fn message(&self) -> Bytes {
        self.message.wire()
    }

    /// As a websocket message whose bytes are compressed.
    pub(super) async fn compressed_message(&self) -> Bytes {
        self.compressed().await.wire()
    }

    /// A millisecond or two of work for the first who asks; the others wait without holding a thread.
    async fn compressed(&self) -> &Frame {
        self.compressed.get_or_init(async || Frame::binary(&gzip(&self.message.payload()))).await
    }
}
