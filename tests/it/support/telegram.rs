//! What stands in for Telegram's Bot API: a real HTTP server on loopback that takes messages, tells what was written to the bot,
//! and does to the next messages what a test wants.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use super::{TestApp, until};

pub(crate) const TOKEN: &str = "123:Secret-token_1";

/// A message that the bot was made to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) chat_id: i64,
    pub(crate) text: String,
}

pub(crate) struct Telegram {
    address: SocketAddr,
    desk: Arc<Desk>,
    task: tokio::task::JoinHandle<()>,
}

struct Desk {
    sent: Mutex<Vec<Sent>>,
    /// Answers instead of taking the next messages.
    refusals: Mutex<VecDeque<Value>>,
    updates: Mutex<Vec<Value>>,
    written: Notify,
    /// While true messages are read and neither taken nor answered.
    is_held: watch::Sender<bool>,
    held: Mutex<usize>,
}

impl Telegram {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let desk = Arc::new(Desk {
            sent: Mutex::default(),
            refusals: Mutex::default(),
            updates: Mutex::default(),
            written: Notify::new(),
            is_held: watch::Sender::new(false),
            held: Mutex::default(),
        });
        let (address, at) = (listener.local_addr().unwrap(), desk.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let desk = at.clone();
                tokio::spawn(async move { drop(desk.serve(stream).await) });
            }
        });
        Self { address, desk, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ORDERBOARD_TELEGRAM_API", self.url()),
            ("ORDERBOARD_TELEGRAM_TOKEN", TOKEN.to_owned()),
            ("ORDERBOARD_TELEGRAM_BOT", "board_test_bot".to_owned()),
        ]
    }

    /// Somebody writes to the bot.
    pub(crate) fn write(&self, chat_id: i64, language: &str, text: &str) {
        let mut updates = self.desk.updates.lock().unwrap();
        let number = 1_000 + updates.len();
        updates.push(json!({"update_id": number, "message": {"message_id": number, "date": 0, "chat": {"id": chat_id, "type": "private"},
            "from": {"id": chat_id, "is_bot": false, "first_name": "Ann", "language_code": language}, "text": text}}));
        self.desk.written.notify_waiters();
    }

    /// What is answered to the next messages; later ones are taken.
    pub(crate) fn refuse(&self, answers: impl IntoIterator<Item = Value>) {
        self.desk.refusals.lock().unwrap().extend(answers);
    }

    /// From now on messages are left without an answer, and are not taken; or are taken again.
    pub(crate) fn hold(&self, is_held: bool) {
        self.desk.is_held.send_replace(is_held);
    }

    /// Messages that were held; not those whose sender has not waited.
    pub(crate) fn held(&self) -> usize {
        *self.desk.held.lock().unwrap()
    }

    pub(crate) fn to(&self, chat_id: i64) -> Vec<String> {
        self.desk.sent.lock().unwrap().iter().filter(|sent| sent.chat_id == chat_id).map(|sent| sent.text.clone()).collect()
    }

    /// Waits for so many messages to this chat; the last of them.
    pub(crate) async fn nth_to(&self, chat_id: i64, count: usize) -> String {
        until(&format!("{count} messages to {chat_id}"), async || self.to(chat_id).len() >= count).await;
        self.to(chat_id).swap_remove(count - 1)
    }
}

impl Drop for Telegram {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Desk {
    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let mut line = String::new();
        reader.read_line(&mut line).await?;
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            line.clear();
            reader.read_line(&mut line).await?;
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).await?;
        let ask: Value = serde_json::from_slice(&body).unwrap();
        let answer = match path.strip_prefix(&format!("/bot{TOKEN}/")) {
            Some("sendMessage") => self.take(&ask, &mut reader).await,
            Some("getUpdates") => Some(self.tell(&ask).await),
            _ => Some(json!({"ok": false, "error_code": 401, "description": "Unauthorized"})),
        };
        let Some(answer) = answer else { return Ok(()) };
        let (status, body) = (answer["error_code"].as_u64().unwrap_or(200), answer.to_string());
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        writer.write_all(format!("{head}{body}").as_bytes()).await
    }

    /// The answer; nothing when the sender has gone while the message was held.
    async fn take(&self, ask: &Value, reader: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Value> {
        let mut is_held = self.is_held.subscribe();
        if *is_held.borrow() {
            *self.held.lock().unwrap() += 1;
            let mut byte = [0];
            tokio::select! {
                biased;
                _ = reader.read(&mut byte) => {
                    *self.held.lock().unwrap() -= 1;
                    return None;
                }
                _ = is_held.wait_for(|held| !held) => {}
            }
        }
        if let Some(refusal) = self.refusals.lock().unwrap().pop_front() {
            return Some(refusal);
        }
        let sent = Sent { chat_id: ask["chat_id"].as_i64().unwrap(), text: ask["text"].as_str().unwrap().to_owned() };
        self.sent.lock().unwrap().push(sent);
        Some(json!({"ok": true, "result": {"message_id": 1}}))
    }

    /// What was written from the offset on; waits for it as the real one does.
    async fn tell(&self, ask: &Value) -> Value {
        let (offset, wait) = (ask["offset"].as_i64().unwrap(), Duration::from_secs(ask["timeout"].as_u64().unwrap()));
        let new = || {
            let updates = self.updates.lock().unwrap();
            updates.iter().filter(|update| update["update_id"].as_i64().unwrap() >= offset).cloned().collect::<Vec<_>>()
        };
        let written = self.written.notified();
        tokio::pin!(written);
        written.as_mut().enable();
        if new().is_empty() {
            let _ = tokio::time::timeout(wait, written).await;
        }
        json!({"ok": true, "result": new()})
    }
}

/// A node whose bot speaks to this server.
pub(crate) async fn node_with(telegram: &Telegram, claim_ms: u64) -> TestApp {
    let url = telegram.url();
    TestApp::start_with(|config| {
        config.telegram.telegram_api = url;
        config.telegram.telegram_token = Some(TOKEN.to_owned());
        config.telegram.telegram_bot = Some("board_test_bot".to_owned());
        config.mail.public_url = Some("http://board.example/".to_owned());
        config.mail.mail_retry_ms = 100;
        config.mail.mail_claim_ms = claim_ms;
    })
    .await
}
