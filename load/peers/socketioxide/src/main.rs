//! Socket.IO in Rust: socketioxide on axum, as its documentation sets it up. Each message of a channel of Redis is emitted
//! to everybody.
//!
//!     socketioxide-peer PORT REDIS_PORT CHANNEL

use std::error::Error;

use axum::Router;
use futures_util::StreamExt;
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("PORT REDIS_PORT CHANNEL are wanted");
    let (port, redis_port, channel) = (next()?, next()?, next()?);
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", async |_: SocketRef| {});

    let mut news = redis::Client::open(format!("redis://127.0.0.1:{redis_port}"))?.get_async_pubsub().await?;
    news.subscribe(channel).await?;
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    tokio::spawn(async move { axum::serve(listener, Router::new().layer(layer)).await });

    let mut messages = news.on_message();
    while let Some(message) = messages.next().await {
        let order: serde_json::Value = serde_json::from_slice(message.get_payload_bytes())?;
        if let Err(error) = io.emit("order", &order).await {
            eprintln!("not everybody got an order: {error}");
        }
    }
    Ok(())
}
