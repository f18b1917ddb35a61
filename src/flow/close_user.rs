//! Closing a user: they cannot sign in any more, their sessions end, and their money stands still. Orders and holds that
//! exist run to their end. And opening them again, which brings back everything but the sessions.

use super::transaction::transaction;
use super::{Ended, Flow, FlowError, now};
use crate::domain::news::Subject;
use crate::domain::refusal::Refusal;
use crate::domain::user::{Actor, Role};
use crate::store::{MySqlConnection, users};

impl Flow {
    /// Closes the user; asked again, nothing more happens. The sessions that ended.
    pub async fn close_user(&self, user_id: u64) -> Result<Ended, FlowError> {
        let ended = transaction!(self.store, |connection| close(connection, user_id).await)?;
        let ended = ended.ok_or(Refusal::NotFound("user"))?;
        ended.iter().for_each(|session_id| self.outbox.announce(Subject::session(*session_id)));
        Ok(ended)
    }

    /// The same for an admin, who cannot close themselves: nobody might be left to open them again.
    pub async fn close_user_for(&self, actor: &Actor, user_id: u64) -> Result<Ended, FlowError> {
        admins_only(actor)?;
        if actor.user.id == user_id {
            return Err(Refusal::Forbidden("this is your own account; another admin has to close it").into());
        }
        let ended = self.close_user(user_id).await?;
        tracing::info!(admin = actor.user.id, user_id, "a user was closed");
        Ok(ended)
    }

    /// Opens a closed user again; asked again, nothing more happens.
    pub async fn reopen_user(&self, actor: &Actor, user_id: u64) -> Result<(), FlowError> {
        admins_only(actor)?;
        let found = transaction!(self.store, |connection| users::reopen(connection, user_id).await.map_err(FlowError::from))?;
        match found {
            true => tracing::info!(admin = actor.user.id, user_id, "a user was opened again"),
            false => return Err(Refusal::NotFound("user").into()),
        }
        Ok(())
    }
}

fn admins_only(actor: &Actor) -> Result<(), Refusal> {
    match actor.role {
        Role::Admin => Ok(()),
        _ => Err(Refusal::Forbidden("only admins close people's accounts; sign in as an admin")),
    }
}

/// The sessions that ended; nothing when there is no such user.
async fn close(connection: &mut MySqlConnection, user_id: u64) -> Result<Option<Ended>, FlowError> {
    if !users::close(connection, user_id, now()).await? {
        return Ok(None);
    }
    Ok(Some(users::end_sessions_but(connection, user_id, None, now()).await?))
}
