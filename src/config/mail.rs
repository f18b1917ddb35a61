//! The mail server's settings, and what they mean together.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use crate::http::Mode;
use crate::jobs::deliver::Settings;
use crate::jobs::mail::Postbox;

/// How letters go out.
#[derive(Args, Clone, Debug)]
pub struct MailArgs {
    /// The server that takes our mail: smtps://user:password@host, or smtp://host:port (STARTTLS, unless on this machine or with
    /// ?tls=opportunistic). Without it no mail is sent. Say the same on every node
    #[arg(long, env = "ORDERBOARD_SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<String>,
    /// Whom letters are from, as Orderboard <board@example.org>
    #[arg(long, env = "ORDERBOARD_MAIL_FROM")]
    pub mail_from: Option<String>,
    /// Where people reach the board, for links in letters. Default in development: the address this node serves on
    #[arg(long, env = "ORDERBOARD_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Milliseconds before a letter that could not be sent is tried again; twice as long each further time
    #[arg(long, env = "ORDERBOARD_MAIL_RETRY_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    pub mail_retry_ms: u64,
    /// Milliseconds after which a letter is taken over from a worker that has died; an attempt may take half as long
    #[arg(long, env = "ORDERBOARD_MAIL_CLAIM_MS", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(1_000..=600_000))]
    pub mail_claim_ms: u64,
}

impl Default for MailArgs {
    /// Nothing set: no mail.
    fn default() -> Self {
        Self { smtp_url: None, mail_from: None, public_url: None, mail_retry_ms: 10_000, mail_claim_ms: 60_000 }
    }
}

impl MailArgs {
    pub fn settings(&self) -> Settings {
        Settings { retry_after: Duration::from_millis(self.mail_retry_ms), held_for: Duration::from_millis(self.mail_claim_ms) }
    }

    /// The postbox and the address for links, where mail is sent; or, in one line, what is wrong.
    pub fn postbox(&self, mode: Mode, listen: SocketAddr) -> Result<Option<(Postbox, String)>, String> {
        let Some(url) = &self.smtp_url else { return Ok(None) };
        let from = self.mail_from.as_deref().ok_or("ORDERBOARD_MAIL_FROM is missing: whom are letters from?")?;
        let postbox = Postbox::new(url, from, self.settings())?;
        let public_url = match (&self.public_url, mode) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Mode::Development) => format!("http://{listen}"),
            (None, Mode::Production) => return Err("ORDERBOARD_PUBLIC_URL is missing: letters have links to the board".to_owned()),
        };
        let is_safe = public_url.starts_with("https://") || mode == Mode::Development && public_url.starts_with("http://");
        match is_safe && !public_url.contains(['?', '#', ' ']) {
            true => Ok(Some((postbox, public_url))),
            false => {
                Err("ORDERBOARD_PUBLIC_URL must be the board's address, such as https://board.example, and https in production".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn settings_that_cannot_be_meant_are_refused_in_one_line() {
        let text = |text: &str| Some(text.to_owned());
        let good = MailArgs {
            smtp_url: text("smtps://user:secret@mail.example"),
            mail_from: text("Board <board@example.org>"),
            public_url: text("https://board.example/"),
            ..MailArgs::default()
        };
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        let link = |args: &MailArgs, mode| args.postbox(mode, listen).map(|found| found.map(|(_, url)| url));
        assert_eq!(link(&good, Mode::Production), Ok(text("https://board.example")));
        assert_eq!(link(&MailArgs::default(), Mode::Production), Ok(None));
        assert_eq!(link(&MailArgs { public_url: None, ..good.clone() }, Mode::Development), Ok(text("http://127.0.0.1:8080")));
        for wrong in [
            MailArgs { smtp_url: text("imap://user:secret@mail.example"), ..good.clone() },
            MailArgs { mail_from: None, ..good.clone() },
            MailArgs { mail_from: text("board"), ..good.clone() },
            MailArgs { public_url: None, ..good.clone() },
            MailArgs { public_url: text("http://board.example"), ..good },
        ] {
            let line = link(&wrong, Mode::Production).unwrap_err();
            assert!(line.contains("ORDERBOARD_") && !line.contains('\n') && !line.contains("secret"), "{line}");
        }
    }
}
