//! What one signs in with, and changing it: a new password, a new address, and the way back in for whoever has forgotten
//! theirs. Each change ends the other sessions, because whoever opened them knew what is no longer true.
//!
//! A change locks the user's row before it ends the sessions, and signing in looks at the row under the same lock before it
//! opens one: so no session is ever opened by what was changed meanwhile.

use std::time::Duration;

use super::letters::{self, RESET_FOR, Reader};
use super::transaction::transaction;
use super::{Flow, FlowError, hash_token, now};
use crate::domain::letters::Letter;
use crate::domain::news::Subject;
use crate::domain::refusal::Refusal;
use crate::domain::text;
use crate::domain::user::{Actor, Role};
use crate::store::sessions::TokenHash;
use crate::store::users::{self, UserRow};
use crate::store::{MySqlConnection, resets};

/// Nobody gets more than one link in this time, however often they are asked for.
const LINK_EVERY: Duration = Duration::from_secs(60);
/// Requests for a link that are worked on; more are refused.
pub(super) const FORGETTING_MAX: usize = 64;

/// Sessions that a change has ended, for the node's own memory.
pub type Ended = Vec<u64>;

/// What is changed about how somebody signs in.
enum Change<'a> {
    Password { hash: &'a str },
    Email { email: &'a str },
}

impl Flow {
    /// Sets a new password, which ends the actor's other sessions.
    pub async fn change_password(&self, actor: &Actor, current: String, new: String) -> Result<Ended, FlowError> {
        text::password("new", &new)?;
        let user = self.proven(actor, current).await?;
        let hash = self.hash_password(new).await?;
        self.change(actor, &user, &Change::Password { hash: &hash }).await
    }

    /// Sets a new address, which ends the actor's other sessions; the old address is told.
    pub async fn change_email(&self, actor: &Actor, password: String, email: &str) -> Result<Ended, FlowError> {
        let email = text::email(email)?;
        let user = self.proven(actor, password).await?;
        if user.email == email {
            return Ok(Ended::new());
        }
        self.change(actor, &user, &Change::Email { email: &email }).await
    }

    /// Has a link sent to this address, if it is somebody's. The answer is the same either way, and comes as soon.
    pub fn forgot_password(&self, email: &str) -> Result<(), FlowError> {
        let email = text::email(email)?;
        if !self.sends_mail() {
            return Err(Refusal::NoMail.into());
        }
        let Ok(place) = self.forgetting.clone().try_acquire_owned() else {
            metrics::counter!("orderboard_links_refused_total").increment(1);
            return Err(Refusal::Limit { what: "requests for a new password", retry_after_s: 5 }.into());
        };
        let flow = self.clone();
        tokio::spawn(async move {
            if let Err(error) = flow.write_link(&email).await {
                tracing::warn!(?error, "a link to set a new password could not be kept");
            }
            drop(place);
        });
        Ok(())
    }

    async fn write_link(&self, email: &str) -> Result<(), FlowError> {
        let Some(user) = self.store.user_by_email(email).await? else { return Ok(()) };
        transaction!(self.store, |connection| keep_link(connection, user.id).await)
    }

    /// Sets a new password by a link; every session ends.
    pub async fn reset_password(&self, token: &str, new: String) -> Result<Ended, FlowError> {
        text::password("password", &new)?;
        let link = hash_token(token);
        let user_id = self.store.user_of_reset(&link, now()).await?.ok_or(Refusal::LinkOver)?;
        let hash = self.hash_password(new).await?;
        let ended = transaction!(self.store, |connection| reset(connection, self, user_id, &link, &hash).await)?;
        let ended = ended.ok_or(Refusal::LinkOver)?;
        self.tell_ended(&ended);
        Ok(ended)
    }

    /// Whether letters go out from here.
    pub fn sends_mail(&self) -> bool {
        self.config.public_url.is_some()
    }

    /// The actor, who has just given their password.
    async fn proven(&self, actor: &Actor, password: String) -> Result<UserRow, FlowError> {
        let user = self.store.user(actor.user.id).await?.ok_or(Refusal::Unauthenticated)?;
        match self.verify_password(password, user.password_hash.clone()).await? {
            true => Ok(user),
            false => Err(Refusal::WrongPassword.into()),
        }
    }

    async fn change(&self, actor: &Actor, user: &UserRow, change: &Change<'_>) -> Result<Ended, FlowError> {
        let kept = actor.session_id;
        let changed = transaction!(self.store, |connection| {
            match users::lock(connection, user.id).await? {
                Some(is) if is.password_hash == user.password_hash => apply(connection, self, &is, change, Some(kept)).await,
                _ => Err(Refusal::WrongPassword.into()),
            }
        });
        let ended = changed?;
        self.tell_ended(&ended);
        Ok(ended)
    }

    fn tell_ended(&self, ended: &[u64]) {
        ended.iter().for_each(|session_id| self.outbox.announce(Subject::session(*session_id)));
    }
}

/// Whether somebody may sign in in this role.
pub(super) fn may_act_as(user: &UserRow, role: Role) -> Result<(), Refusal> {
    match role == Role::Admin && !user.is_admin {
        true => Err(Refusal::Forbidden("this account may not act as admin")),
        false => Ok(()),
    }
}

/// Under the user's lock: two requests at the same moment keep one letter.
async fn keep_link(connection: &mut MySqlConnection, user_id: u64) -> Result<(), FlowError> {
    let Some(user) = users::lock(connection, user_id).await? else { return Ok(()) };
    let at = now();
    let letter = Letter::PasswordReset { minutes: (RESET_FOR.as_secs() / 60) as u32 };
    if crate::store::mail::was_written_since(connection, user.id, letter.as_str(), at - LINK_EVERY).await? {
        metrics::counter!("orderboard_links_refused_total").increment(1);
        return Ok(());
    }
    let reason = format!("password_reset:{}:{}", user.id, crate::domain::order::unix_ms(at));
    letters::keep(connection, &reader(&user), &letter, &reason, at).await?;
    Ok(())
}

/// `None` when the link was used meanwhile.
async fn reset(
    connection: &mut MySqlConnection,
    flow: &Flow,
    user_id: u64,
    link: &TokenHash,
    hash: &str,
) -> Result<Option<Ended>, FlowError> {
    let Some(user) = users::lock(connection, user_id).await? else { return Ok(None) };
    if !resets::spend(connection, link, now()).await? {
        return Ok(None);
    }
    apply(connection, flow, &user, &Change::Password { hash }, None).await.map(Some)
}

/// Makes the change to a user whose row is locked. Their sessions end but the one that is kept, links that are on their way
/// are over, and a letter says so.
async fn apply(
    connection: &mut MySqlConnection,
    flow: &Flow,
    user: &UserRow,
    change: &Change<'_>,
    kept: Option<u64>,
) -> Result<Ended, FlowError> {
    let at = now();
    let letter = match change {
        Change::Password { hash } => {
            users::set_password_hash(connection, user.id, hash).await?;
            Letter::PasswordChanged
        }
        Change::Email { email } => {
            if !users::set_email(connection, user.id, email).await? {
                return Err(Refusal::EmailTaken.into());
            }
            Letter::EmailChanged { to: (*email).to_owned() }
        }
    };
    let ended = users::end_sessions_but(connection, user.id, kept, at).await?;
    resets::void_all(connection, user.id, at).await?;
    if flow.sends_mail() {
        let reason = format!("{}:{}:{}", letter.as_str(), user.id, crate::domain::order::unix_ms(at));
        letters::keep(connection, &reader(user), &letter, &reason, at).await?;
    }
    Ok(ended)
}

fn reader(user: &UserRow) -> Reader<'_> {
    Reader { user_id: user.id, address: &user.email, language: &user.language }
}
