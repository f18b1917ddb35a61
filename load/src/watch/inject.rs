//! Changes, each sent when it is due and never waiting for an answer (an open loop), by a thread of its own over one
//! connection. At the board's bus it is the call that a node makes: the publishing script, with whole orders.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::marker::{Marker, now_us};
use super::rows::{self, Row};
use crate::error::Error;
use crate::money::redis::{Reply, parse};
use crate::server::Server;

/// The script that nodes publish with. See `src/bus/mod.rs` for its keys.
const PUBLISH: &str = include_str!("../../../src/bus/publish.lua");
const NAP_MAX: Duration = Duration::from_millis(20);
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// Changes of one call, when they are gathered.
const GATHERED_MAX: u64 = 64;
const READ_BYTES: usize = 256 << 10;

/// What a change is, and how it is sent.
pub(crate) enum Way {
    /// The next state of an order through the bus; several that are due may share one call.
    Bus {
        script: String,
        prefix: String,
        rows: Vec<Row>,
        next: usize,
        is_gathered: bool,
    },
    /// A message of so many bytes on a channel of Redis.
    Redis {
        channel: String,
        bytes: usize,
    },
    Nats {
        subject: String,
        bytes: usize,
    },
    Mqtt {
        topic: String,
        bytes: usize,
    },
    Http {
        authority: String,
        path: String,
        bytes: usize,
    },
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Injected {
    pub(crate) count: u64,
    /// How long after it was due a change was sent, at most.
    pub(crate) late_max: Duration,
}

pub(crate) struct Injector {
    way: Way,
    stream: Stream,
    answers: Arc<Answers>,
    sent: u64,
}

#[derive(Default)]
struct Answers {
    count: AtomicU64,
    refused: AtomicU64,
    has_ended: AtomicBool,
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Injector {
    /// At the bus of this server, with the orders on its board.
    pub(crate) async fn at_bus(server: &Server, redis_url: &str, prefix: &str, is_gathered: bool) -> Result<Self, Error> {
        let rows = rows::on_board(server).await?;
        let mut redis = crate::money::redis::Redis::connect(redis_url).await?;
        let script = redis.ask(&["SCRIPT", "LOAD", PUBLISH]).await?.text().to_owned();
        Self::new(redis_url, Way::Bus { script, prefix: prefix.to_owned(), rows, next: 0, is_gathered })
    }

    /// `url` is `redis+unix:///PATH`, `redis://HOST:PORT` or, for the ways that are not Redis, `tcp://HOST:PORT`.
    pub(crate) fn new(url: &str, way: Way) -> Result<Self, Error> {
        let mut stream = Stream::connect(url)?;
        if matches!(way, Way::Mqtt { .. }) {
            stream.write_all(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00")?;
        }
        if matches!(way, Way::Nats { .. }) {
            stream.write_all(b"CONNECT {\"verbose\":false}\r\n")?;
        }
        let answers = Arc::new(Answers::default());
        let (other, shared, is_redis) = (stream.twin()?, answers.clone(), way.is_redis());
        std::thread::Builder::new().name("answers".into()).spawn(move || {
            read_answers(other, &shared, is_redis);
            shared.has_ended.store(true, Ordering::Release);
        })?;
        Ok(Self { way, stream, answers, sent: 0 })
    }

    /// Sends `rate` changes a second for so many seconds. Blocks; call it where that is allowed.
    pub(crate) fn inject(&mut self, rate: f64, seconds: f64, stop: &CancellationToken) -> Result<Injected, Error> {
        let total = (rate * seconds).round() as u64;
        let begun = now_us();
        let due_of = |number: u64| begun + (number as f64 * 1e6 / rate) as u64;
        let (mut injected, mut out) = (Injected::default(), Vec::with_capacity(64 << 10));
        while injected.count < total && !stop.is_cancelled() {
            let now = now_us();
            let due = due_of(injected.count);
            if due > now {
                std::thread::sleep(Duration::from_micros(due - now).min(NAP_MAX));
                continue;
            }
            injected.late_max = injected.late_max.max(Duration::from_micros(now - due));
            let due_now = (injected.count..total).take_while(|&number| due_of(number) <= now).count() as u64;
            let numbers = injected.count..injected.count + due_now;
            out.clear();
            self.sent += self.way.compose(numbers.map(|number| Marker { due_us: due_of(number), number }), &mut out);
            self.stream.write_all(&out)?;
            injected.count += due_now;
            if self.answers.has_ended.load(Ordering::Acquire) {
                return Err(Error::Redis("the connection over which changes are sent was lost".into()));
            }
        }
        self.answered()?;
        Ok(injected)
    }

    fn answered(&self) -> Result<(), Error> {
        let give_up = now_us() + ANSWERS_WITHIN.as_micros() as u64;
        while self.way.is_redis() && self.answers.count.load(Ordering::Acquire) < self.sent {
            if now_us() > give_up || self.answers.has_ended.load(Ordering::Acquire) {
                return Err(Error::Redis("did not answer what was sent to it".into()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        match self.answers.refused.load(Ordering::Acquire) {
            0 => Ok(()),
            count => Err(Error::Redis(format!("{count} changes were refused or suppressed"))),
        }
    }
}

impl Drop for Injector {
    fn drop(&mut self) {
        self.stream.shut_down();
    }
}

impl Way {
    fn is_redis(&self) -> bool {
        matches!(self, Way::Bus { .. } | Way::Redis { .. })
    }

    /// Appends what sends these changes; returns how many calls that are.
    fn compose(&mut self, markers: impl Iterator<Item = Marker>, out: &mut Vec<u8>) -> u64 {
        let mut calls = 0;
        let mut call = |out: &mut Vec<u8>, parts: &[&str]| {
            command(out, parts);
            calls += 1;
        };
        match self {
            Way::Bus { script, prefix, rows, next, is_gathered } => {
                let per_call = if *is_gathered { GATHERED_MAX.min(rows.len() as u64) } else { 1 };
                let markers: Vec<Marker> = markers.collect();
                for some in markers.chunks(per_call as usize) {
                    let keys = ["meta", "history", "carried", "carried:before"].map(|name| format!("{{{prefix}}}:news:{name}"));
                    let mut arguments = vec![format!("{{{prefix}}}:news"), "load-test-epoch".to_owned(), "PUBLISH".to_owned()];
                    for marker in some {
                        let row = &mut rows[*next];
                        let item = row.next(*marker);
                        arguments.extend([format!("order:{}", row.id), row.version.to_string(), item, String::new()]);
                        *next = (*next + 1) % rows.len();
                    }
                    let count = keys.len().to_string();
                    let parts = ["EVALSHA", script.as_str(), &count].into_iter();
                    let parts: Vec<&str> =
                        parts.chain(keys.iter().map(String::as_str)).chain(arguments.iter().map(String::as_str)).collect();
                    call(out, &parts);
                }
            }
            Way::Redis { channel, bytes } => markers.for_each(|marker| call(out, &["PUBLISH", channel, &message(marker, *bytes)])),
            Way::Nats { subject, bytes } => {
                for marker in markers {
                    out.extend(format!("PUB {subject} {bytes}\r\n{}\r\n", message(marker, *bytes)).bytes());
                }
            }
            Way::Mqtt { topic, bytes } => {
                for marker in markers {
                    mqtt_publish(out, topic, &message(marker, *bytes));
                }
            }
            Way::Http { authority, path, bytes } => {
                for marker in markers {
                    let body = message(marker, *bytes);
                    out.extend(format!("POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: {bytes}\r\n\r\n{body}").bytes());
                }
            }
        }
        calls
    }
}

fn command(out: &mut Vec<u8>, parts: &[&str]) {
    out.extend(format!("*{}\r\n", parts.len()).bytes());
    for part in parts {
        out.extend(format!("${}\r\n", part.len()).bytes());
        out.extend(part.bytes());
        out.extend(b"\r\n");
    }
}

/// An order of so many bytes, as JSON.
pub(crate) fn message(marker: Marker, bytes: usize) -> String {
    const REST: &str = r#"","category":"delivery","price":150000,"payout":135000,"currency":"RUB","customer":{"id":7,"name":"A Customer"},"assignment":"first","applicants":0,"created_ms":1790000000000,"acceptance":"confirm"}"#;
    let head = format!(r#"{{"id":100000,"version":10,"title":"{}"#, marker.text());
    let filling = bytes.saturating_sub(head.len() + REST.len());
    format!("{head}{:.<filling$}{REST}", "")
}

/// The smallest that `message` can make.
pub(crate) fn message_bytes_min() -> usize {
    message(Marker { due_us: 0, number: 0 }, 0).len()
}

fn mqtt_publish(out: &mut Vec<u8>, topic: &str, body: &str) {
    let mut left = 2 + topic.len() + body.len();
    out.push(0x30);
    loop {
        let (byte, more) = ((left % 128) as u8, left >= 128);
        out.push(if more { byte | 0x80 } else { byte });
        left /= 128;
        if !more {
            break;
        }
    }
    out.extend([0, topic.len() as u8]);
    out.extend(topic.bytes());
    out.extend(body.bytes());
}

/// Reads until the connection ends. A publishing script that sent no row was asked to repeat a version.
fn read_answers(mut stream: Stream, answers: &Answers, is_redis: bool) {
    let (mut inbox, mut chunk) = (Vec::new(), vec![0; READ_BYTES]);
    while let Ok(got @ 1..) = stream.read(&mut chunk) {
        if !is_redis {
            continue;
        }
        inbox.extend_from_slice(&chunk[..got]);
        let mut at = 0;
        loop {
            match parse(&inbox, at, 0) {
                Ok(Some((reply, end))) => {
                    at = end;
                    let is_bad = matches!(&reply, Reply::Refused(_)) || reply.list().get(2).is_some_and(|rows| rows.number() == 0);
                    answers.refused.fetch_add(u64::from(is_bad), Ordering::Release);
                    answers.count.fetch_add(1, Ordering::Release);
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
        inbox.drain(..at);
    }
}

impl Stream {
    fn connect(url: &str) -> Result<Self, Error> {
        if let Some(path) = url.strip_prefix("redis+unix://") {
            return Ok(Self::Unix(UnixStream::connect(path)?));
        }
        let rest = url.strip_prefix("redis://").or_else(|| url.strip_prefix("tcp://")).filter(|rest| !rest.contains('@'));
        let rest = rest.ok_or_else(|| Error::Usage(format!("{url}: expected redis+unix:///PATH or redis://HOST:PORT")))?;
        let address = rest.split('/').next().unwrap_or(rest);
        let stream = TcpStream::connect(if address.contains(':') { address.to_owned() } else { format!("{address}:6379") })?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    fn twin(&self) -> Result<Self, Error> {
        Ok(match self {
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Unix(stream) => stream.write_all(bytes),
            Self::Tcp(stream) => stream.write_all(bytes),
        }
    }

    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(bytes),
            Self::Tcp(stream) => stream.read(bytes),
        }
    }

    fn shut_down(&self) {
        // It may be gone already; the thread that reads the answers then is, too.
        let _ = match self {
            Self::Unix(stream) => stream.shutdown(std::net::Shutdown::Both),
            Self::Tcp(stream) => stream.shutdown(std::net::Shutdown::Both),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_long_as_asked_for_and_can_be_read() {
        let marker = Marker { due_us: 5, number: 7 };
        for bytes in [message_bytes_min(), 300, 400] {
            let text = message(marker, bytes);
            assert_eq!(text.len(), bytes);
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
            assert_eq!(crate::watch::marker::all(text.as_bytes()), [marker]);
        }
    }

    #[test]
    fn what_is_published_by_mqtt_tells_its_length_in_seven_bits_a_byte() {
        let mut out = Vec::new();
        mqtt_publish(&mut out, "orders", &"x".repeat(300));
        assert_eq!(out[..5], [0x30, 0xb4, 0x02, 0, 6]);
        assert_eq!(out.len(), 3 + 2 + 6 + 300);
    }
}
