//! Writing shared frames past tungstenite. The common case is one system call that takes everything; a reader that is
//! slow is waited for without holding more than the references to what is being written.

use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::{FutureExt, SinkExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;

use super::End;
use crate::live::protocol::close;
use crate::live::users::Subscription;

/// Frames handed to the kernel in one call.
const SLICES_MAX: usize = 32;
/// A peer whose buffers have not taken a single byte for this long is as good as dead.
const STALLED_FOR: Duration = Duration::from_secs(75);

/// Writes whole frames. `user` and `session_id` end a wait for a slow reader when its session ends.
pub(super) async fn write_frames<S: AsyncRead + AsyncWrite + Unpin>(
    ws: &mut WebSocketStream<S>,
    mut frames: Vec<Bytes>,
    user: Option<&Subscription>,
    session_id: u64,
) -> Result<(), End> {
    if frames.is_empty() {
        return Ok(());
    }
    // What tungstenite still has (an answer to a ping) goes first and completely.
    ws.flush().await.map_err(|_| End::Gone)?;
    let stream = ws.get_mut();
    let mut first = 0;
    while first < frames.len() {
        let some = &frames[first..frames.len().min(first + SLICES_MAX)];
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        for (slice, frame) in slices.iter_mut().zip(some) {
            *slice = IoSlice::new(frame);
        }
        let slices = &slices[..some.len()];
        // Dropping a pending write loses nothing: no byte has been taken.
        let written = match stream.write_vectored(slices).now_or_never() {
            Some(written) => written?,
            None => wait(stream, slices, user, session_id).await?,
        };
        first = advance(&mut frames, first, written)?;
    }
    Ok(())
}

async fn wait<S: AsyncWrite + Unpin>(
    stream: &mut S,
    slices: &[IoSlice<'_>],
    user: Option<&Subscription>,
    session_id: u64,
) -> Result<usize, End> {
    metrics::counter!("orderboard_socket_writes_waited_total").increment(1);
    tokio::select! {
        written = tokio::time::timeout(STALLED_FOR, stream.write_vectored(slices)) => match written {
            Ok(written) => Ok(written?),
            Err(_) => Err(End::Gone),
        },
        () = session_over(user, session_id) => Err(End::Close(close::SESSION_ENDED, "session ended")),
    }
}

/// Resolves when the session ends; never for a guest.
async fn session_over(user: Option<&Subscription>, session_id: u64) {
    let Some(user) = user else { return std::future::pending().await };
    let mut moved = user.moved.clone();
    while !user.channel.since(user.cursor, session_id).is_over {
        if moved.changed().await.is_err() {
            return;
        }
    }
}

/// Takes `written` bytes off the frames from `first` on; tells which is the first that still has some.
fn advance(frames: &mut [Bytes], mut first: usize, mut written: usize) -> Result<usize, io::Error> {
    if written == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    while written > 0 {
        let taken = written.min(frames[first].len());
        frames[first].advance(taken);
        written -= taken;
        if frames[first].is_empty() {
            // What has been sent is let go at once, not when the slowest part of the batch is done.
            frames[first] = Bytes::new();
            first += 1;
        }
    }
    Ok(first)
}
