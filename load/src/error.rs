//! What can stop a run. A refusal by the server under test is never one of these: it is a finding
//! and goes into the tally or the verdict.

use crate::http::CallError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The person at the keyboard can put it right.
    #[error("{0}")]
    Usage(String),
    /// The server under test did not start, or answered something that no run can go on from.
    #[error("{0}")]
    Server(String),
    #[error("calling the server: {0}")]
    Call(#[from] CallError),
    #[error("websocket: {0}")]
    Socket(#[source] Box<tokio_tungstenite::tungstenite::Error>),
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("Redis: {0}")]
    Redis(String),
    #[error(transparent)]
    Embedded(#[from] orderboard::embedded::EmbeddedError),
    #[error("not the JSON that was expected: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("a task of the load test panicked: {0}")]
    Task(#[from] tokio::task::JoinError),
}

// Boxed by hand: tungstenite's error is large, and every `Result` here would carry its size.
impl From<tokio_tungstenite::tungstenite::Error> for Error {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::Socket(Box::new(error))
    }
}
