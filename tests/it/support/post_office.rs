//! A mail server: takes letters by SMTP (RFC 5321, as much as a sender of letters meets), keeps them to be read, and does to
//! the next ones what a test wants: refuses them for now or for good, takes them and breaks off before saying so, or falls
//! silent.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::until;

/// What becomes of a letter.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    Take,
    /// Answered with this line instead of being taken.
    Refuse(&'static str),
    /// Taken, and the connection cut before the sender hears of it.
    TakeAndCut,
    /// Read, and never answered.
    Silence,
}

/// A letter as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) subject: String,
    pub(crate) text: String,
}

impl Letter {
    /// What follows `/reset#` in the text.
    pub(crate) fn token(&self) -> String {
        let (_, rest) = self.text.split_once("/reset#").unwrap_or_else(|| panic!("no link in {}", self.text));
        rest.split_whitespace().next().unwrap().to_owned()
    }
}

pub(crate) struct PostOffice {
    address: SocketAddr,
    desk: Arc<Desk>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Desk {
    letters: Mutex<Vec<Letter>>,
    moods: Mutex<VecDeque<Mood>>,
    /// Letters that were read, whatever became of them.
    read: Mutex<usize>,
}

impl PostOffice {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, desk) = (listener.local_addr().unwrap(), Arc::new(Desk::default()));
        let at = desk.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let desk = at.clone();
                tokio::spawn(async move { drop(desk.serve(stream).await) });
            }
        });
        Self { address, desk, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// What becomes of the next letters; later ones are taken.
    pub(crate) fn then(&self, moods: impl IntoIterator<Item = Mood>) {
        self.desk.moods.lock().unwrap().extend(moods);
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.desk.letters.lock().unwrap().clone()
    }

    pub(crate) fn to(&self, address: &str) -> Vec<Letter> {
        self.letters().into_iter().filter(|letter| letter.to == address).collect()
    }

    /// Letters that were read, also those that were not taken.
    pub(crate) fn read(&self) -> usize {
        *self.desk.read.lock().unwrap()
    }

    /// Waits for so many letters to this address; the last of them.
    pub(crate) async fn nth_to(&self, address: &str, count: usize) -> Letter {
        until(&format!("{count} letters to {address}"), async || self.to(address).len() >= count).await;
        self.to(address).swap_remove(count - 1)
    }
}

impl Drop for PostOffice {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Desk {
    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        writer.write_all(b"220 post.test ready\r\n").await?;
        let (mut from, mut to) = (String::new(), String::new());
        while let Some(line) = lines.next_line().await? {
            let upper = line.to_ascii_uppercase();
            let answer = match upper.as_str() {
                line if line.starts_with("EHLO") || line.starts_with("HELO") => "250-post.test\r\n250-8BITMIME\r\n250 SMTPUTF8",
                line if line.starts_with("QUIT") => {
                    writer.write_all(b"221 bye\r\n").await?;
                    return Ok(());
                }
                "DATA" => {
                    writer.write_all(b"354 go on\r\n").await?;
                    let mut data = String::new();
                    while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                        data.push_str(line.strip_prefix('.').unwrap_or(&line));
                        data.push('\n');
                    }
                    *self.read.lock().unwrap() += 1;
                    let mood = self.moods.lock().unwrap().pop_front().unwrap_or(Mood::Take);
                    if matches!(mood, Mood::Take | Mood::TakeAndCut) {
                        self.letters.lock().unwrap().push(letter(&from, &to, &data));
                    }
                    match mood {
                        Mood::Take => "250 taken",
                        Mood::Refuse(line) => line,
                        Mood::TakeAndCut => return Ok(()),
                        Mood::Silence => std::future::pending().await,
                    }
                }
                _ if upper.starts_with("MAIL FROM:") => {
                    from = in_brackets(&line);
                    "250 ok"
                }
                _ if upper.starts_with("RCPT TO:") => {
                    to = in_brackets(&line);
                    "250 ok"
                }
                _ => "250 ok",
            };
            writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }
}

fn in_brackets(line: &str) -> String {
    let (_, rest) = line.split_once('<').unwrap();
    rest.split_once('>').unwrap().0.to_owned()
}

fn letter(from: &str, to: &str, data: &str) -> Letter {
    let (head, body) = data.split_once("\n\n").unwrap();
    let headers: BTreeMap<String, String> = head
        .replace("\n ", " ")
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let text = match headers.get("content-transfer-encoding").map(String::as_str) {
        Some("base64") => base64_text(body),
        Some("quoted-printable") => quoted_printable(body),
        _ => body.to_owned(),
    };
    let subject = headers.get("subject").map(|subject| words(subject)).unwrap_or_default();
    Letter { from: from.to_owned(), to: to.to_owned(), headers, subject, text: text.replace("\r\n", "\n") }
}

fn base64_text(text: &str) -> String {
    let text: String = text.split_whitespace().collect();
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap()
}

fn quoted_printable(text: &str) -> String {
    let text = text.replace("=\n", "");
    let (mut bytes, mut rest) = (Vec::new(), text.as_str());
    while let Some((before, after)) = rest.split_once('=') {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap()
}

/// RFC 2047's `=?utf-8?b?…?=`, one after the other.
fn words(header: &str) -> String {
    let mut text = String::new();
    for word in header.split_inclusive(' ') {
        match word.trim().strip_prefix("=?utf-8?b?").and_then(|word| word.strip_suffix("?=")) {
            Some(encoded) => text.push_str(&base64_text(encoded)),
            None => text.push_str(word),
        }
    }
    text
}
