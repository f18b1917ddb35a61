//! Subscriptions: who wants to be told of new orders, in which category and from which price.

use schemars::JsonSchema;
use time::OffsetDateTime;

use super::{Store, StoreError};
use crate::domain::schema::Moment;

/// A subscription as its owner reads it.
#[derive(Clone, Debug, serde::Serialize, sqlx::FromRow, JsonSchema)]
pub struct Subscription {
    /// A category's slug, or `all`.
    pub category: String,
    pub price_min: Option<i64>,
    pub sound: bool,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    pub created_at: OffsetDateTime,
}

impl Store {
    pub async fn subscriptions_of(&self, user_id: u64) -> Result<Vec<Subscription>, StoreError> {
        Ok(sqlx::query_as("select category, price_min, sound, created_at from subscriptions where user_id = ? order by category")
            .bind(user_id)
            .fetch_all(&self.pool)
            .await?)
    }

    /// Subscribes, or changes the subscription that is there.
    pub async fn put_subscription(&self, user_id: u64, new: &Subscription) -> Result<(), StoreError> {
        sqlx::query(
            "insert into subscriptions (user_id, category, price_min, sound, created_at) values (?, ?, ?, ?, ?) \
             on duplicate key update price_min = ?, sound = ?",
        )
        .bind(user_id)
        .bind(&new.category)
        .bind(new.price_min)
        .bind(new.sound)
        .bind(new.created_at)
        .bind(new.price_min)
        .bind(new.sound)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub async fn end_subscription(&self, user_id: u64, category: &str) -> Result<(), StoreError> {
        sqlx::query("delete from subscriptions where user_id = ? and category = ?")
            .bind(user_id)
            .bind(category)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Subscribers of this category (or of `all`) who want to hear of this price, beyond `after`, at most `limit`.
    pub async fn subscribers(&self, category: &str, price: i64, after: u64, limit: u32) -> Result<Vec<u64>, StoreError> {
        Ok(sqlx::query_scalar(
            "select user_id from subscriptions where category = ? and user_id > ? and (price_min is null or price_min <= ?) \
             order by user_id limit ?",
        )
        .bind(category)
        .bind(after)
        .bind(price)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }
}
