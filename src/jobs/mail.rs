//! The postman: takes letters that are due, speaks SMTP, and ends each one. Any number of nodes may run it; a letter is with
//! one of them at a time. What the server refuses for good is dead at once; everything else is tried again, after a pause that
//! doubles, until nobody wants to read it any more.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::{self, PoolConfig};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use tokio::task::JoinSet;

use super::{Stopping, next_round};
use crate::flow::{Fate, Flow, FlowError, LetterRow, Put};

const PAUSE: Duration = Duration::from_millis(500);
/// Letters that a node sends at the same time.
const AT_ONCE: u32 = 8;
const ATTEMPTS_MAX: u16 = 12;
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// The server that takes our mail, and whom it is from.
#[derive(Clone)]
pub struct Postbox {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// How a postman works.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Before the second attempt; twice as long before each further one.
    pub retry_after: Duration,
    /// For how long a letter is held. A worker that dies loses its letters after this; twice as long as an attempt may take.
    pub held_for: Duration,
}

impl Postbox {
    /// A postbox at `url`, `smtp://` or `smtps://`. In clear only on this machine: elsewhere `smtp://` begins with STARTTLS, or
    /// does what its parameter `tls` says.
    pub fn new(url: &str, from: &str, settings: Settings) -> Result<Self, String> {
        let from: Mailbox = from.parse().map_err(|_| "ORDERBOARD_MAIL_FROM must look like `Orderboard <board@example.org>`".to_owned())?;
        // The error would show the password.
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&with_tls(url));
        let transport =
            transport.map_err(|_| "ORDERBOARD_SMTP_URL must look like smtps://user:password@host or smtp://host:port".to_owned())?;
        let transport = transport.timeout(Some(settings.attempt_within())).pool_config(PoolConfig::new().max_size(AT_ONCE)).build();
        Ok(Self { transport, from })
    }

    async fn send(&self, letter: &LetterRow, words: &crate::domain::letters::Words) -> Result<(), Failure> {
        let message = self.message(letter, words).map_err(Failure::Permanent)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() || error.is_client() => Err(Failure::Permanent(told(&error))),
            Err(error) => Err(Failure::Passing(told(&error))),
        }
    }

    fn message(&self, letter: &LetterRow, words: &crate::domain::letters::Words) -> Result<Message, String> {
        let address: Address = letter.address.parse().map_err(|error| format!("the address cannot be written to: {error}"))?;
        // The same with each attempt, so that the receiving side knows a double.
        let id = format!("<{}.{}@{}>", letter.id, letter.created_at.unix_timestamp(), self.from.email.domain());
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(words.subject.clone())
            .message_id(Some(id))
            .date(SystemTime::from(letter.created_at))
            .header(ContentType::TEXT_PLAIN)
            .body(words.text.clone());
        let mut message = message.map_err(|error| format!("the letter cannot be written: {error}"))?;
        // RFC 3834: holiday notices do not answer it.
        message.headers_mut().insert_raw(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
        Ok(message)
    }
}

impl Settings {
    /// Shorter than the hold, so that a letter is never with two workers.
    fn attempt_within(self) -> Duration {
        self.held_for / 2
    }

    /// The pause after this many attempts, longer by up to a quarter at random: what failed together is not tried together.
    fn pause_after(self, attempts: u16, chance: u64) -> Duration {
        let doubled = self.retry_after.saturating_mul(1_u32.checked_shl(u32::from(attempts.max(1) - 1)).unwrap_or(u32::MAX));
        let pause = doubled.min(RETRY_AFTER_MAX);
        pause + pause * (chance % 256) as u32 / 1_024
    }
}

/// Why a letter was not sent.
enum Failure {
    /// It will never be taken.
    Permanent(String),
    Passing(String),
}

/// The error with its causes, which say what the server said.
fn told(error: &smtp::Error) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        cause = error.source();
    }
    told.chars().take(500).collect()
}

fn with_tls(url: &str) -> String {
    let Some(rest) = url.strip_prefix("smtp://") else { return url.to_owned() };
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let is_here = ["127.", "localhost", "[::1]"].iter().any(|here| place.starts_with(here));
    match (is_here || url.contains("tls="), url.contains('?')) {
        (true, _) => url.to_owned(),
        (false, true) => format!("{url}&tls=required"),
        (false, false) => format!("{url}?tls=required"),
    }
}

/// Sends until told to stop; then what is in hand.
pub async fn run(flow: Flow, postbox: Postbox, settings: Settings, mut stopping: Stopping) {
    let mut sending = JoinSet::new();
    let mut forgot_at: Option<tokio::time::Instant> = None;
    loop {
        let room = AT_ONCE.saturating_sub(sending.len() as u32);
        let taken = match room {
            0 => Vec::new(),
            room => flow.take_letters(room, settings.held_for).await.unwrap_or_else(|error| {
                tracing::warn!(?error, "letters could not be taken from the outbox");
                Vec::new()
            }),
        };
        for letter in taken {
            sending.spawn(deliver(flow.clone(), postbox.clone(), settings, letter));
        }
        if forgot_at.is_none_or(|at| at.elapsed() > FORGET_EVERY) {
            forgot_at = Some(tokio::time::Instant::now());
            if let Err(error) = flow.forget_letters().await {
                tracing::warn!(?error, "old letters could not be forgotten");
            }
        }
        let goes_on = tokio::select! {
            // A free hand: there may be more.
            _ = sending.join_next(), if !sending.is_empty() => true,
            goes_on = next_round(&mut stopping, PAUSE) => goes_on,
        };
        if !goes_on || *stopping.borrow() {
            break;
        }
    }
    while sending.join_next().await.is_some() {}
}

async fn deliver(flow: Flow, postbox: Postbox, settings: Settings, letter: LetterRow) {
    if let Err(error) = attempt(&flow, &postbox, settings, &letter).await {
        // It stays with this worker until its time is over, and is taken again.
        tracing::warn!(?error, letter = letter.id, "a letter could not be looked after");
    }
}

async fn attempt(flow: &Flow, postbox: &Postbox, settings: Settings, letter: &LetterRow) -> Result<(), FlowError> {
    let words = match flow.put_into_words(letter).await? {
        Put::Words(words) => words,
        Put::Void(why) => return flow.end_letter(letter, &Fate::Dead(why.to_owned())).await,
    };
    let sent = tokio::time::timeout(settings.attempt_within(), postbox.send(letter, &words)).await;
    let fate = match sent {
        Ok(Ok(())) => Fate::Sent,
        Ok(Err(Failure::Permanent(error))) => Fate::Dead(error),
        Ok(Err(Failure::Passing(error))) => again(letter, settings, error),
        Err(_) => again(letter, settings, "the server took too long".to_owned()),
    };
    flow.end_letter(letter, &fate).await
}

/// When to try again, if there is a point in it.
fn again(letter: &LetterRow, settings: Settings, error: String) -> Fate {
    let due_at = crate::flow::now() + settings.pause_after(letter.attempts, letter.claim);
    match letter.attempts >= ATTEMPTS_MAX || due_at > letter.deadline {
        true => Fate::Dead(format!("given up after {} attempts: {error}", letter.attempts)),
        false => Fate::Again(due_at, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_travels_in_clear_on_this_machine_only() {
        for (url, with) in [
            ("smtp://127.0.0.1:25", "smtp://127.0.0.1:25"),
            ("smtp://localhost", "smtp://localhost"),
            ("smtp://a:b@mail.example:587", "smtp://a:b@mail.example:587?tls=required"),
            ("smtp://mail.example?tls=opportunistic", "smtp://mail.example?tls=opportunistic"),
            ("smtp://127.0.0.1@mail.example", "smtp://127.0.0.1@mail.example?tls=required"),
            ("smtps://mail.example", "smtps://mail.example"),
        ] {
            assert_eq!(with_tls(url), with);
        }
    }

    #[test]
    fn each_pause_is_twice_as_long_up_to_an_hour() {
        let settings = Settings { retry_after: Duration::from_secs(10), held_for: Duration::from_secs(60) };
        let seconds = |attempts| settings.pause_after(attempts, 0).as_secs();
        assert_eq!([seconds(1), seconds(2), seconds(3), seconds(9), seconds(60)], [10, 20, 40, 2_560, 3_600]);
        assert!(settings.pause_after(1, 255) < Duration::from_millis(12_500));
    }
}
