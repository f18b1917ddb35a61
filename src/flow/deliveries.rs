//! Sending, whatever the channel: what was kept in its reason's transaction is taken by a worker for a while, and ended once by
//! whoever has it.

use std::time::Duration;

use super::transaction::transaction;
use super::{Flow, FlowError, now, random_number};
use crate::store::MySqlConnection;
use crate::store::deliveries::{self, Channel, Delivery, Fate, Taking};

/// What has ended is kept for so long, for whoever asks what became of it.
const KEPT_FOR: Duration = Duration::from_secs(30 * 86_400);
const FORGET_AT_ONCE: u32 = 1_000;

impl Flow {
    /// Takes what is due, for so long, the most urgent first; what nobody wants any more is ended instead.
    pub async fn take_deliveries(&self, channel: Channel, limit: u32, held_for: Duration) -> Result<Vec<Delivery>, FlowError> {
        let at = now();
        let taking = Taking { claim: random_number(), at, until: at + held_for, limit };
        let taken = transaction!(self.store, |connection| take(connection, channel, &taking).await)?;
        let (wanted, late): (Vec<_>, Vec<_>) = taken.into_iter().partition(|delivery| delivery.deadline > at);
        for delivery in late {
            self.end_delivery(channel, &delivery, &Fate::Dead("its deadline passed".to_owned())).await?;
        }
        Ok(wanted)
    }

    /// Ends the hold on a delivery.
    pub async fn end_delivery(&self, channel: Channel, delivery: &Delivery, fate: &Fate) -> Result<(), FlowError> {
        count(channel, fate);
        if let Fate::Dead(error) = fate {
            tracing::warn!(?channel, delivery = delivery.id, attempts = delivery.attempts, error, "a delivery was given up");
        }
        if !transaction!(self.store, |connection| end(connection, channel, delivery, fate).await)? {
            tracing::warn!(?channel, delivery = delivery.id, "a delivery took longer than it was held, and another worker has it");
        }
        Ok(())
    }

    /// Forgets what ended long ago, and the secrets that linked it to somebody.
    pub async fn forget_deliveries(&self, channel: Channel) -> Result<(), FlowError> {
        let before = now() - KEPT_FOR;
        self.store.forget_deliveries(channel, before, FORGET_AT_ONCE).await?;
        match channel {
            Channel::Mail => self.store.forget_resets(before, FORGET_AT_ONCE).await?,
            Channel::Telegram => self.store.forget_telegram_codes(before, FORGET_AT_ONCE).await?,
        }
        Ok(())
    }
}

async fn take(connection: &mut MySqlConnection, channel: Channel, taking: &Taking) -> Result<Vec<Delivery>, FlowError> {
    Ok(deliveries::take(connection, channel, taking).await?)
}

async fn end(connection: &mut MySqlConnection, channel: Channel, delivery: &Delivery, fate: &Fate) -> Result<bool, FlowError> {
    Ok(deliveries::end(connection, channel, delivery, fate, now()).await?)
}

fn count(channel: Channel, fate: &Fate) {
    match (channel, fate) {
        (Channel::Mail, Fate::Sent) => metrics::counter!("orderboard_mail_sent_total").increment(1),
        (Channel::Mail, Fate::Again(..)) => metrics::counter!("orderboard_mail_retries_total").increment(1),
        (Channel::Mail, Fate::Dead(_)) => metrics::counter!("orderboard_mail_dead_total").increment(1),
        (Channel::Telegram, Fate::Sent) => metrics::counter!("orderboard_telegram_sent_total").increment(1),
        (Channel::Telegram, Fate::Again(..)) => metrics::counter!("orderboard_telegram_retries_total").increment(1),
        (Channel::Telegram, Fate::Dead(_)) => metrics::counter!("orderboard_telegram_dead_total").increment(1),
    }
}
