//! Telling people, within the transaction of what they are told about: it happened, and they will know, or neither. Inboxes come
//! last in the lock order.
//!
//! Taking an order writes nothing but its own row; its customer is told afterwards, from the order as it then is.

use std::collections::BTreeSet;

use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::domain::news::Subject;
use crate::domain::notice::{Inbox, Notice};
use crate::domain::order::Order;
use crate::domain::user::Actor;
use crate::store::{MySqlConnection, notices};

/// Writes what these people are told; the caller announces their inboxes after the commit.
pub(super) async fn tell(connection: &mut MySqlConnection, told: &[Notice]) -> Result<BTreeSet<u64>, FlowError> {
    Ok(notices::add(connection, told, now()).await?)
}

impl Flow {
    /// The actor has read everything up to this number; how that leaves the inbox.
    pub async fn read_notices(&self, actor: &Actor, up_to: u64) -> Result<Inbox, FlowError> {
        let user_id = actor.user.id;
        transaction!(self.store, |connection| Ok::<_, FlowError>(notices::read(connection, user_id, up_to).await?))?;
        self.announce_inboxes([user_id]);
        Ok(self.store.inbox(user_id).await?)
    }

    /// Tells the customers of those of these orders that somebody has, once for each taking. Any number of nodes may do this
    /// at once; how many were told by this one.
    pub async fn tell_of_takings(&self, orders: &[Order]) -> Result<usize, FlowError> {
        let told: Vec<Notice> = orders.iter().filter_map(Notice::taken).collect();
        let users = transaction!(self.store, |connection| tell(connection, &told).await)?;
        let count = users.len();
        self.announce_inboxes(users);
        Ok(count)
    }

    pub(super) fn announce_inboxes(&self, users: impl IntoIterator<Item = u64>) {
        users.into_iter().for_each(|user_id| self.outbox.announce(Subject::inbox(user_id)));
    }
}
