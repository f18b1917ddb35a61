//! Letters to people: kept with their reason in its transaction, and put into words when they are sent (see `deliveries`).
//!
//! SMTP cannot promise that a letter arrives exactly once: a connection may break after the server has taken the letter and
//! before it says so. Such a letter is sent again, with the same Message-ID, by which the receiving side drops doubles. Everything
//! else is told once: a reason is kept once, a letter is with one worker at a time, and only whoever has it may end it.

use std::time::Duration;

use time::OffsetDateTime;

use super::{Flow, FlowError, hash_token, now, random_token};
use crate::domain::letters::{Letter, Words};
use crate::domain::user::Language;
use crate::store::MySqlConnection;
use crate::store::deliveries::Delivery;
use crate::store::mail::{self, NewLetter};
use crate::store::resets::NewReset;

/// For how long a link that sets a new password is good.
pub(super) const RESET_FOR: Duration = Duration::from_secs(3_600);
/// Whoever waits for such a link is not interested in it any more.
const RESET_WITHIN: Duration = Duration::from_secs(1_800);
const TELL_WITHIN: Duration = Duration::from_secs(2 * 86_400);

/// Somebody to write to.
pub(super) struct Reader<'a> {
    pub(super) user_id: u64,
    pub(super) address: &'a str,
    pub(super) language: &'a str,
}

/// What becomes of a letter when it is to be sent.
pub enum Put {
    Words(Words),
    /// There is nothing to be sent any more, for this reason.
    Void(&'static str),
}

impl Letter {
    /// 0 goes first: somebody waits for it in front of a screen.
    fn priority(&self) -> u8 {
        match self {
            Letter::PasswordReset { .. } => 0,
            Letter::PasswordChanged | Letter::EmailChanged { .. } => 1,
            Letter::Notice { event, .. } => event.priority(),
        }
    }

    fn wanted_for(&self) -> Duration {
        match self {
            Letter::PasswordReset { .. } => RESET_WITHIN,
            Letter::PasswordChanged | Letter::EmailChanged { .. } => TELL_WITHIN,
            Letter::Notice { event, .. } => Duration::from_secs(event.wanted_for_s()),
        }
    }
}

/// Keeps a letter to be sent after the commit; false when the same `reason` was told before.
pub(super) async fn keep(
    connection: &mut MySqlConnection,
    reader: &Reader<'_>,
    letter: &Letter,
    reason: &str,
    at: OffsetDateTime,
) -> Result<bool, FlowError> {
    let new = NewLetter {
        reason,
        user_id: reader.user_id,
        address: reader.address,
        language: reader.language,
        letter: letter.as_str(),
        facts: &serde_json::to_string(letter)?,
        priority: letter.priority(),
        at,
        deadline: at + letter.wanted_for(),
    };
    Ok(mail::insert(connection, &new).await?)
}

impl Flow {
    /// The letter in words. A link that it carries is made now, anew with each attempt.
    pub async fn put_into_words(&self, row: &Delivery) -> Result<Put, FlowError> {
        let letter: Letter = serde_json::from_str(&row.facts)?;
        let language = row.language.as_deref().and_then(Language::parse).unwrap_or(Language::Ru);
        let Some(address) = &row.address else { return Ok(Put::Void("it has no address")) };
        let Some(board) = &self.config.public_url else { return Ok(Put::Void("this node sends no mail")) };
        if !matches!(letter, Letter::PasswordReset { .. }) {
            return Ok(Put::Words(letter.words(language, board)));
        }
        let (token, at) = (random_token(), now());
        let new = NewReset { token_hash: hash_token(&token), user_id: row.user_id, address, at, expires_at: at + RESET_FOR };
        if !self.store.insert_reset(&new).await? {
            return Ok(Put::Void("the address is no longer this user's"));
        }
        // Behind a `#`, so that it is in no server's log and in no `Referer`.
        Ok(Put::Words(letter.words(language, &format!("{board}/reset#{token}"))))
    }
}
