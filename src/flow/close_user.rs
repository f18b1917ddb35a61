//! Closing a user: they cannot sign in any more, their sessions end, and their money stands still. Orders and holds that
//! exist run to their end.

use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::domain::news::Subject;
use crate::domain::refusal::Refusal;
use crate::store::{MySqlConnection, users};

impl Flow {
    /// Closes the user; asked again, nothing more happens.
    pub async fn close_user(&self, user_id: u64) -> Result<(), FlowError> {
        let sessions = transaction!(self.store, |connection| close(connection, user_id).await)?;
        let sessions = sessions.ok_or(Refusal::NotFound("user"))?;
        sessions.into_iter().for_each(|session_id| self.outbox.announce(Subject::session(session_id)));
        Ok(())
    }
}

/// The sessions that ended; nothing when there is no such user.
async fn close(connection: &mut MySqlConnection, user_id: u64) -> Result<Option<Vec<u64>>, FlowError> {
    if !users::close(connection, user_id, now()).await? {
        return Ok(None);
    }
    Ok(Some(users::end_sessions_but(connection, user_id, None, now()).await?))
}
