//! Subscriptions: being told of new orders, and telling those who want to be, a few at a time and off everybody's way.

use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::domain::money::Amount;
use crate::domain::notice::Notice;
use crate::domain::order::Order;
use crate::domain::user::Actor;
use crate::store::subscriptions::Subscription;

/// The subscription to orders of every category, and of none.
pub(super) const ALL: &str = "all";
/// People told in one transaction.
const TOGETHER_MAX: u32 = 128;

/// How far the telling of a new order has come.
#[derive(Clone, Debug)]
pub struct Round {
    pub order: Order,
    /// Told those who follow the category first, then those who follow all.
    category: String,
    after: u64,
}

impl Round {
    pub fn new(order: Order) -> Self {
        let category = order.category.clone().unwrap_or_else(|| ALL.to_owned());
        Self { order, category, after: 0 }
    }
}

impl Flow {
    /// Subscribes the actor, or changes the subscription they have.
    pub async fn subscribe(
        &self,
        actor: &Actor,
        category: &str,
        price_min: Option<i64>,
        sound: Option<bool>,
    ) -> Result<Subscription, FlowError> {
        if category != ALL
            && let Some(unusable) = self.unusable_category(category).await?
        {
            return Err(unusable.into());
        }
        let price_min = price_min.map(|price| Amount::parse("price_min", price)).transpose()?.map(Amount::minor);
        let new = Subscription { category: category.to_owned(), price_min, sound: sound.unwrap_or(false), created_at: now() };
        self.store.put_subscription(actor.user.id, &new).await?;
        Ok(new)
    }

    pub async fn unsubscribe(&self, actor: &Actor, category: &str) -> Result<(), FlowError> {
        // What is not ASCII names no category, and the column would not even be compared with it.
        if category.is_ascii() {
            self.store.end_subscription(actor.user.id, category).await?;
        }
        Ok(())
    }

    /// Tells the next subscribers of a new order, each once, whoever else does the same; how many, and whether there may be more.
    pub async fn tell_of_order(&self, round: &mut Round) -> Result<(usize, bool), FlowError> {
        let order = &round.order;
        let next = self.store.subscribers(&round.category, order.price, round.after, TOGETHER_MAX).await?;
        let others = next.iter().filter(|user_id| **user_id != order.customer.id);
        let told: Vec<Notice> = others.map(|user_id| Notice::order_new(*user_id, order)).collect();
        let mut count = 0;
        if !told.is_empty() {
            let users = transaction!(self.store, |connection| self.tell(connection, &told).await)?;
            count = users.len();
            self.announce_inboxes(users);
        }
        match next.last().filter(|_| next.len() == TOGETHER_MAX as usize) {
            Some(last) => round.after = *last,
            None if round.category != ALL => (round.category, round.after) = (ALL.to_owned(), 0),
            None => return Ok((count, false)),
        }
        Ok((count, true))
    }
}
