//! Letters to people: kept with their reason in its transaction, taken by workers, put into words, and ended once.
//!
//! SMTP cannot promise that a letter arrives exactly once: a connection may break after the server has taken the letter and
//! before it says so. Such a letter is sent again, with the same Message-ID, by which the receiving side drops doubles. Everything
//! else is told once: a reason is kept once, a letter is with one worker at a time, and only whoever has it may end it.

use std::time::Duration;

use time::OffsetDateTime;

use super::transaction::transaction;
use super::{Flow, FlowError, hash_token, now, random_number, random_token};
use crate::domain::letters::{Letter, Words};
use crate::domain::user::Language;
use crate::store::MySqlConnection;
use crate::store::mail::{self, NewLetter, Taking};
use crate::store::resets::NewReset;

pub use crate::store::mail::{Fate, LetterRow};

/// For how long a link that sets a new password is good.
pub(super) const RESET_FOR: Duration = Duration::from_secs(3_600);
/// Whoever waits for such a link is not interested in it any more.
const RESET_WITHIN: Duration = Duration::from_secs(1_800);
const TELL_WITHIN: Duration = Duration::from_secs(2 * 86_400);
/// Ended letters are kept for so long, for whoever asks what became of one.
const KEPT_FOR: Duration = Duration::from_secs(30 * 86_400);
const FORGET_AT_ONCE: u32 = 1_000;

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
        }
    }

    fn wanted_for(&self) -> Duration {
        match self {
            Letter::PasswordReset { .. } => RESET_WITHIN,
            Letter::PasswordChanged | Letter::EmailChanged { .. } => TELL_WITHIN,
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
    /// Takes letters that are due, for so long, the most urgent first; what nobody wants any more is ended instead.
    pub async fn take_letters(&self, limit: u32, held_for: Duration) -> Result<Vec<LetterRow>, FlowError> {
        let at = now();
        let taking = Taking { claim: random_number(), at, until: at + held_for, limit };
        let taken = transaction!(self.store, |connection| mail::take(connection, &taking).await.map_err(FlowError::from))?;
        let (wanted, late): (Vec<_>, Vec<_>) = taken.into_iter().partition(|letter| letter.deadline > at);
        for letter in late {
            self.end_letter(&letter, &Fate::Dead("its deadline passed".to_owned())).await?;
        }
        Ok(wanted)
    }

    /// The letter in words. A link that it carries is made now, anew with each attempt.
    pub async fn put_into_words(&self, row: &LetterRow) -> Result<Put, FlowError> {
        let letter: Letter = serde_json::from_str(&row.facts)?;
        let language = Language::parse(&row.language).unwrap_or(Language::Ru);
        let Some(board) = &self.config.public_url else { return Ok(Put::Void("this node sends no mail")) };
        if !matches!(letter, Letter::PasswordReset { .. }) {
            return Ok(Put::Words(letter.words(language, board)));
        }
        let (token, at) = (random_token(), now());
        let new = NewReset { token_hash: hash_token(&token), user_id: row.user_id, address: &row.address, at, expires_at: at + RESET_FOR };
        if !self.store.insert_reset(&new).await? {
            return Ok(Put::Void("the address is no longer this user's"));
        }
        // Behind a `#`, so that it is in no server's log and in no `Referer`.
        Ok(Put::Words(letter.words(language, &format!("{board}/reset#{token}"))))
    }

    /// Ends the hold on a letter.
    pub async fn end_letter(&self, letter: &LetterRow, fate: &Fate) -> Result<(), FlowError> {
        match fate {
            Fate::Sent => metrics::counter!("orderboard_mail_sent_total").increment(1),
            Fate::Again(..) => metrics::counter!("orderboard_mail_retries_total").increment(1),
            Fate::Dead(error) => {
                metrics::counter!("orderboard_mail_dead_total").increment(1);
                tracing::warn!(letter = letter.id, attempts = letter.attempts, error, "a letter was given up");
            }
        }
        let ended = transaction!(self.store, |connection| mail::end(connection, letter, fate, now()).await.map_err(FlowError::from))?;
        if !ended {
            tracing::warn!(letter = letter.id, "a letter took longer than it was held, and another worker has it");
        }
        Ok(())
    }

    /// Forgets letters that ended long ago.
    pub async fn forget_letters(&self) -> Result<(), FlowError> {
        Ok(self.store.forget_letters(now() - KEPT_FOR, FORGET_AT_ONCE).await?)
    }
}
