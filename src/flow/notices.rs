//! Telling people, within the transaction of what they are told about: it happened, and they will know, or neither. Inboxes come
//! last in the lock order. Letters and messages that a user has chosen to get are kept in the same transaction.
//!
//! Taking an order writes nothing but its own row; its customer is told afterwards, from the order as it then is.

use std::collections::{BTreeMap, BTreeSet};

use super::letters::{self, Reader};
use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::domain::letters::Letter;
use crate::domain::news::Subject;
use crate::domain::notice::{Event, Inbox, Notice, Ways};
use crate::domain::order::Order;
use crate::domain::user::Actor;
use crate::store::notices::Added;
use crate::store::telegram::NewMessage;
use crate::store::{MySqlConnection, notices, telegram, users};

impl Flow {
    /// Writes what these people are told, each of it once; whose inboxes have changed, to be announced after the commit.
    pub(super) async fn tell(&self, connection: &mut MySqlConnection, told: &[Notice]) -> Result<BTreeSet<u64>, FlowError> {
        let added = notices::add(connection, told, now()).await?;
        if self.sends_mail() {
            keep_letters(connection, &added).await?;
        }
        if self.has_telegram() {
            let messages: Result<Vec<NewMessage>, FlowError> = added.iter().filter(|one| one.ways.telegram).map(message).collect();
            telegram::insert(connection, &messages?).await?;
        }
        Ok(added.into_iter().map(|one| one.notice.user_id).collect())
    }

    /// After a step that was done, tells of it; what was not done, or failed, is handed on.
    pub(super) async fn tell_if(
        &self,
        connection: &mut MySqlConnection,
        done: Result<bool, FlowError>,
        told: &[Notice],
    ) -> Result<bool, FlowError> {
        match done {
            Ok(true) => self.tell(connection, told).await.map(|_| true),
            other => other,
        }
    }

    /// The actor has read everything up to this number; how that leaves the inbox.
    pub async fn read_notices(&self, actor: &Actor, up_to: u64) -> Result<Inbox, FlowError> {
        let user_id = actor.user.id;
        transaction!(self.store, |connection| notices::read(connection, user_id, up_to).await.map_err(FlowError::from))?;
        self.announce_inboxes([user_id]);
        Ok(self.store.inbox(user_id).await?)
    }

    /// By which ways the actor wants to be told of these events.
    pub async fn choose_ways(&self, actor: &Actor, changes: BTreeMap<Event, Ways>) -> Result<(), FlowError> {
        let user_id = actor.user.id;
        transaction!(self.store, |connection| notices::choose(connection, user_id, changes.clone()).await.map_err(FlowError::from))
    }

    /// Tells the customers of those of these orders that somebody has, once for each taking. Any number of nodes may do this
    /// at once; how many were told by this one.
    pub async fn tell_of_takings(&self, orders: &[Order]) -> Result<usize, FlowError> {
        let told: Vec<Notice> = orders.iter().filter_map(Notice::taken).collect();
        if told.is_empty() {
            return Ok(0);
        }
        let users = transaction!(self.store, |connection| self.tell(connection, &told).await)?;
        let count = users.len();
        self.announce_inboxes(users);
        Ok(count)
    }

    pub(super) fn announce_inboxes(&self, users: impl IntoIterator<Item = u64>) {
        users.into_iter().for_each(|user_id| self.outbox.announce(Subject::inbox(user_id)));
    }
}

/// Letters to those who chose them. A changed password is always written about, by whoever changes it.
async fn keep_letters(connection: &mut MySqlConnection, added: &[Added<'_>]) -> Result<(), FlowError> {
    let written: Vec<&Added<'_>> = added.iter().filter(|one| one.ways.mail && one.notice.event != Event::PasswordChanged).collect();
    let ids: BTreeSet<u64> = written.iter().map(|one| one.notice.user_id).collect();
    let addresses = users::addresses(connection, &ids.into_iter().collect::<Vec<_>>()).await?;
    for one in written {
        let Some((address, language)) = addresses.get(&one.notice.user_id) else { continue };
        let reader = Reader { user_id: one.notice.user_id, address, language };
        let letter = Letter::Notice { event: one.notice.event, facts: Box::new(one.notice.facts.clone()) };
        letters::keep(connection, &reader, &letter, &format!("notice:{}:{}", one.notice.user_id, one.seq), now()).await?;
    }
    Ok(())
}

fn message(one: &Added<'_>) -> Result<NewMessage, FlowError> {
    let (event, at) = (one.notice.event, now());
    Ok(NewMessage {
        user_id: one.notice.user_id,
        seq: one.seq,
        event: event.as_str(),
        facts: serde_json::to_string(&one.notice.facts)?,
        priority: event.priority(),
        at,
        deadline: at + std::time::Duration::from_secs(event.wanted_for_s()),
    })
}
