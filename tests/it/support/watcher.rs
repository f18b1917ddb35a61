//! A websocket client that believes nothing: it keeps replicas by the rules of `orderboard.v1` alone, and proves them by
//! each tick's checksum. It reads only while a test waits, so a test can also be a slow client.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::DEADLINE;

/// What a client knows.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) hello: Value,
    pub(crate) boards: HashMap<String, BoardState>,
    /// By `account:currency`; only newer versions replace.
    pub(crate) balances: HashMap<String, Value>,
    /// One's own orders by id; only newer versions replace.
    pub(crate) orders: HashMap<u64, Value>,
    /// Notices by number; none ever comes twice.
    pub(crate) notices: BTreeMap<u64, Value>,
    /// The last count.
    count: Option<Value>,
    pub(crate) errors: Vec<Value>,
    pub(crate) drains: Vec<Value>,
    pub(crate) pongs: Vec<Value>,
    /// All frames' types in the order of arrival.
    pub(crate) frames: Vec<String>,
    /// Code and reason, once the server has closed.
    pub(crate) closed: Option<(u16, String)>,
}

/// A replica of one board.
#[derive(Default)]
pub(crate) struct BoardState {
    pub(crate) epoch: String,
    pub(crate) seq: u64,
    pub(crate) orders: BTreeMap<u64, Value>,
    /// Why orders left, by id.
    pub(crate) removed: HashMap<u64, String>,
    pub(crate) snapshots: u32,
    pub(crate) diffs: u32,
    /// Ticks whose position and checksum were this replica's.
    pub(crate) proofs: u32,
    /// How often it had to ask again because a diff or a tick did not continue what it had.
    pub(crate) resyncs: u32,
}

impl State {
    pub(crate) fn board(&self, name: &str) -> &BoardState {
        self.boards.get(name).unwrap_or_else(|| panic!("`{name}` is not watched"))
    }

    /// (available, held) as last told.
    pub(crate) fn balance(&self, account: &str) -> Option<(i64, i64)> {
        let told = self.balances.get(&format!("{account}:RUB"))?;
        Some((told["available"].as_i64()?, told["held"].as_i64()?))
    }

    /// (unread, read up to) as last told.
    pub(crate) fn notice_count(&self) -> Option<(u64, u64)> {
        let told = self.count.as_ref()?;
        Some((told["unread"].as_u64()?, told["read_up_to"].as_u64()?))
    }

    /// The last told status of one's own order.
    pub(crate) fn status(&self, order_id: u64) -> Option<&str> {
        self.orders.get(&order_id)?["status"].as_str()
    }
}

impl BoardState {
    pub(crate) fn has(&self, order_id: u64) -> bool {
        self.orders.contains_key(&order_id)
    }

    /// Ids, newest first.
    pub(crate) fn ids(&self) -> Vec<u64> {
        self.orders.keys().rev().copied().collect()
    }

    /// CRC-32 of `id:version,` over the board, newest first.
    pub(crate) fn checksum(&self) -> u32 {
        let text: String = self.orders.iter().rev().map(|(id, order)| format!("{id}:{},", order["version"])).collect();
        crc32fast::hash(text.as_bytes())
    }
}

pub(crate) struct Watcher {
    pub(crate) state: State,
    socket: WebSocketStream<TcpStream>,
}

impl Watcher {
    /// Connects and waits for hello.
    pub(crate) async fn connect(address: SocketAddr, token: Option<&str>) -> Self {
        let authorization = token.map(|token| ("authorization", format!("Bearer {token}")));
        Self::connect_with(address, &authorization.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>()).await
    }

    /// Connects with these headers and waits for hello.
    pub(crate) async fn connect_with(address: SocketAddr, headers: &[(&'static str, &str)]) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap(), address, headers).await
    }

    /// The same over a connection that the test has made.
    pub(crate) async fn over(stream: TcpStream, address: SocketAddr, headers: &[(&'static str, &str)]) -> Self {
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "orderboard.v1".parse().unwrap());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, response) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "orderboard.v1");
        let mut watcher = Self { state: State::default(), socket };
        watcher.until("hello", |state| !state.hello.is_null()).await;
        assert_eq!(watcher.state.frames, ["hello"], "hello comes first");
        watcher
    }

    /// Connects again and asks for what has happened since, as a client does whose connection ended. An error when this is
    /// refused.
    pub(crate) async fn come_back(&mut self, address: SocketAddr, token: Option<&str>) -> Result<(), Error> {
        let mut request = format!("ws://{address}/ws").into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", "orderboard.v1".parse().unwrap());
        if let Some(token) = token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let stream = TcpStream::connect(address).await?;
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        self.socket = socket;
        (self.state.closed, self.state.hello) = (None, Value::Null);
        self.state.drains.clear();
        self.until("hello", |state| !state.hello.is_null()).await;
        let boards: Vec<String> = self.state.boards.keys().cloned().collect();
        for board in boards {
            self.ask(&board).await;
        }
        Ok(())
    }

    /// Watches a board and waits for its snapshot (or for the diffs since the position that was had).
    pub(crate) async fn watch(&mut self, board: &str) {
        let had = self.state.boards.get(board).map(|had| (had.snapshots, had.diffs));
        self.ask(board).await;
        self.until("the board", |state| state.boards.get(board).is_some_and(|board| Some((board.snapshots, board.diffs)) != had)).await;
    }

    /// Sends the `watch` message with the position it has, without waiting.
    pub(crate) async fn ask(&mut self, board: &str) {
        let had = self.state.boards.get(board).filter(|had| had.snapshots > 0);
        let message = match had {
            Some(had) => json!({"type": "watch", "board": board, "epoch": had.epoch, "seq": had.seq}),
            None => json!({"type": "watch", "board": board}),
        };
        self.send(&message).await;
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_message(Message::text(message.to_string())).await;
    }

    pub(crate) async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// False when the connection is closed.
    pub(crate) async fn try_send_message(&mut self, message: Message) -> bool {
        self.socket.send(message).await.is_ok()
    }

    /// Reads until it is so; panics at the deadline, or when the server closes first.
    pub(crate) async fn until(&mut self, what: &str, condition: impl FnMut(&State) -> bool) {
        self.until_within(what, DEADLINE, condition).await;
    }

    pub(crate) async fn until_within(&mut self, what: &str, limit: Duration, mut condition: impl FnMut(&State) -> bool) {
        let deadline = Instant::now() + limit;
        while !condition(&self.state) {
            if let Some(closed) = &self.state.closed {
                panic!("the server closed ({closed:?}) before: {what}");
            }
            let Ok(next) = tokio::time::timeout_at(deadline, self.socket.next()).await else {
                panic!("not within {limit:?}: {what}; frames so far: {:?}", self.state.frames);
            };
            self.hear(next).await;
        }
    }

    /// Reads until a tick proves that the replica is exact, twice over: by position and by checksum.
    pub(crate) async fn until_proven(&mut self, board: &str) {
        let before = self.state.board(board).proofs;
        self.until("a tick that proves the board", |state| state.board(board).proofs > before).await;
    }

    /// The code with which the server closes, within `limit`.
    pub(crate) async fn closed_within(&mut self, limit: Duration) -> u16 {
        self.until_within("the server closes", limit, |state| state.closed.is_some()).await;
        self.state.closed.as_ref().unwrap().0
    }

    /// Reads what comes within a time; for tests that say what must *not* come.
    pub(crate) async fn listen_for(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while self.state.closed.is_none() {
            let Ok(next) = tokio::time::timeout_at(deadline, self.socket.next()).await else { return };
            self.hear(next).await;
        }
    }

    async fn hear(&mut self, next: Option<Result<Message, Error>>) {
        match next {
            Some(Ok(Message::Text(text))) => {
                let frame: Value = serde_json::from_str(&text).unwrap();
                let ask_again = self.state.take(&frame);
                if ask_again {
                    self.ask(frame["board"].as_str().unwrap()).await;
                }
            }
            Some(Ok(Message::Close(close))) => {
                self.state.closed = Some(close.map_or((1005, String::new()), |close| (close.code.into(), close.reason.to_string())));
            }
            Some(Ok(Message::Binary(_))) => panic!("the protocol has text frames only"),
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                self.state.closed.get_or_insert((1006, error.to_string()));
            }
            None => {
                self.state.closed.get_or_insert((1006, "the connection broke".to_owned()));
            }
        }
    }
}

impl State {
    /// Applies a frame; true when the board has to be asked for again.
    fn take(&mut self, frame: &Value) -> bool {
        let kind = frame["type"].as_str().expect("a frame has a type").to_owned();
        self.frames.push(kind.clone());
        match kind.as_str() {
            "hello" => self.hello = frame.clone(),
            "snapshot" | "diff" | "tick" => {
                let board = self.boards.entry(frame["board"].as_str().unwrap().to_owned()).or_default();
                return match kind.as_str() {
                    "snapshot" => board.replace(frame),
                    "diff" => board.change(frame),
                    _ => board.prove(frame),
                };
            }
            "balance" => {
                let key = format!("{}:{}", frame["account"].as_str().unwrap(), frame["currency"].as_str().unwrap());
                newer_wins(&mut self.balances, key, frame.clone());
            }
            "order" => {
                let order = frame["order"].clone();
                newer_wins(&mut self.orders, order["id"].as_u64().unwrap(), order);
            }
            "notice" => {
                let number = frame["id"].as_u64().unwrap();
                assert!(self.notices.insert(number, frame.clone()).is_none(), "told twice: {frame}");
            }
            "notice_count" => self.count = Some(frame.clone()),
            "error" => self.errors.push(frame.clone()),
            "drain" => self.drains.push(frame.clone()),
            "pong" => self.pongs.push(frame.clone()),
            other => panic!("an unknown frame, `{other}`"),
        }
        false
    }
}

fn newer_wins<K: std::hash::Hash + Eq>(known: &mut HashMap<K, Value>, key: K, told: Value) {
    let version = |value: &Value| value["version"].as_u64().unwrap();
    if known.get(&key).is_none_or(|had| version(had) < version(&told)) {
        known.insert(key, told);
    }
}

impl BoardState {
    fn replace(&mut self, frame: &Value) -> bool {
        let orders = frame["orders"].as_array().unwrap();
        let ids: Vec<u64> = orders.iter().map(|order| order["id"].as_u64().unwrap()).collect();
        assert!(ids.is_sorted_by(|newer, older| newer > older), "newest first, each once");
        assert!(ids.len() <= 1_000, "{} orders in a snapshot", ids.len());
        self.orders = ids.into_iter().zip(orders.iter().cloned()).collect();
        self.epoch = frame["epoch"].as_str().unwrap().to_owned();
        self.seq = frame["seq"].as_u64().unwrap();
        self.snapshots += 1;
        assert_eq!(frame["checksum"], self.checksum(), "a snapshot is what it says it is");
        false
    }

    fn change(&mut self, frame: &Value) -> bool {
        if frame["epoch"] != self.epoch.as_str() || frame["prev"] != self.seq {
            self.resyncs += 1;
            return true;
        }
        for removed in frame["rm"].as_array().unwrap() {
            let (id, why) = (removed[0].as_u64().unwrap(), removed[1].as_str().unwrap());
            assert!(["taken", "cancelled", "frozen", "window"].contains(&why), "{why}");
            self.orders.remove(&id);
            self.removed.insert(id, why.to_owned());
        }
        for order in frame["up"].as_array().unwrap() {
            self.orders.insert(order["id"].as_u64().unwrap(), order.clone());
        }
        self.seq = frame["seq"].as_u64().unwrap();
        self.diffs += 1;
        assert!(self.orders.len() <= 1_000, "{} orders on a board", self.orders.len());
        false
    }

    fn prove(&mut self, frame: &Value) -> bool {
        if frame["epoch"] != self.epoch.as_str() || frame["seq"] != self.seq {
            self.resyncs += 1;
            return true;
        }
        assert_eq!(frame["checksum"], self.checksum(), "the replica at {} has {} orders", self.seq, self.orders.len());
        self.proofs += 1;
        false
    }
}
