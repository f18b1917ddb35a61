//! The postbox: letters are put into words and handed to a mail server, by SMTP.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::{self, PoolConfig};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::deliver::{Outcome, Settings};
use crate::domain::letters::Words;
use crate::flow::{Delivery, Flow, FlowError, Put};

/// Letters that a node sends at the same time.
pub(super) const AT_ONCE: u32 = 8;
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// The server that takes our mail, and whom it is from.
#[derive(Clone)]
pub struct Postbox {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
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

    /// Sends the letter, unless there is nothing to be sent any more.
    pub(super) async fn carry(&self, flow: &Flow, letter: &Delivery, within: Duration) -> Result<Outcome, FlowError> {
        let words = match flow.put_into_words(letter).await? {
            Put::Words(words) => words,
            Put::Void(why) => return Ok(Outcome::Dead(why.to_owned())),
        };
        let message = match self.message(letter, &words) {
            Ok(message) => message,
            Err(why) => return Ok(Outcome::Dead(why)),
        };
        Ok(match tokio::time::timeout(within, self.transport.send(message)).await {
            Ok(Ok(_)) => Outcome::Sent,
            Ok(Err(error)) if error.is_permanent() || error.is_client() => Outcome::Dead(told(&error)),
            Ok(Err(error)) => Outcome::later(told(&error)),
            Err(_) => Outcome::later("the server took too long"),
        })
    }

    fn message(&self, letter: &Delivery, words: &Words) -> Result<Message, String> {
        let address = letter.address.as_deref().unwrap_or_default();
        let address: Address = address.parse().map_err(|error| format!("the address cannot be written to: {error}"))?;
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
    told
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
}
