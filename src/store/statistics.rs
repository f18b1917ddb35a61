//! What people have done here, a row for each user and currency: added to inside the transactions that do it, the users in
//! ascending id and after the accounts, so that two transactions never wait for each other.

use sqlx::{MySql, MySqlConnection, QueryBuilder};

use super::{Store, StoreError, padded};

/// Figures of a user in one currency; or what is added to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
pub struct Figures {
    pub orders_created: i64,
    pub money_in_orders: i64,
    pub orders_done: i64,
    pub orders_completed: i64,
    pub money_received: i64,
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UserFigures {
    pub user_id: u64,
    pub currency: String,
    #[sqlx(flatten)]
    pub figures: Figures,
}

/// What orders say of a user, what the money says, and what is kept. The first two are counted anew.
#[derive(Clone, Debug)]
pub struct Witnesses {
    pub currency: String,
    pub orders: Figures,
    pub books: Figures,
    pub kept: Figures,
}

#[derive(sqlx::FromRow)]
struct Counted {
    currency: String,
    witness: String,
    #[sqlx(flatten)]
    figures: Figures,
}

impl Store {
    /// The figures of these users, in every currency in which they have any.
    pub async fn statistics_of(&self, user_ids: &[u64]) -> Result<Vec<UserFigures>, StoreError> {
        if user_ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = QueryBuilder::<MySql>::new(
            "select user_id, currency, orders_created, money_in_orders, orders_done, orders_completed, money_received \
             from user_statistics where user_id in (",
        );
        let mut list = query.separated(", ");
        for id in padded(user_ids.to_vec()) {
            list.push_bind(id);
        }
        query.push(") order by user_id, currency");
        Ok(query.build_query_as().fetch_all(&self.pool).await?)
    }
}

/// Adds to a user's figures.
pub async fn add(connection: &mut MySqlConnection, user_id: u64, currency: &str, more: &Figures) -> Result<(), StoreError> {
    // The row is there nearly always, and a plain UPDATE locks nothing else.
    let added = sqlx::query(
        "update user_statistics set orders_created = orders_created + ?, money_in_orders = money_in_orders + ?, \
         orders_done = orders_done + ?, orders_completed = orders_completed + ?, money_received = money_received + ? \
         where user_id = ? and currency = ?",
    )
    .bind(more.orders_created)
    .bind(more.money_in_orders)
    .bind(more.orders_done)
    .bind(more.orders_completed)
    .bind(more.money_received)
    .bind(user_id)
    .bind(currency)
    .execute(&mut *connection)
    .await?;
    if added.rows_affected() == 1 {
        return Ok(());
    }
    sqlx::query(
        "insert into user_statistics (user_id, currency, orders_created, money_in_orders, orders_done, orders_completed, money_received) \
         values (?, ?, ?, ?, ?, ?, ?) on duplicate key update orders_created = orders_created + ?, money_in_orders = money_in_orders + ?, \
         orders_done = orders_done + ?, orders_completed = orders_completed + ?, money_received = money_received + ?",
    )
    .bind(user_id)
    .bind(currency)
    .bind(more.orders_created)
    .bind(more.money_in_orders)
    .bind(more.orders_done)
    .bind(more.orders_completed)
    .bind(more.money_received)
    .bind(more.orders_created)
    .bind(more.money_in_orders)
    .bind(more.orders_done)
    .bind(more.orders_completed)
    .bind(more.money_received)
    .execute(connection)
    .await?;
    Ok(())
}

/// Counts a user's figures anew, with the kept ones locked: whoever is about to add to them has changed nothing yet that is
/// seen here, and adds afterwards.
pub async fn count_anew(connection: &mut MySqlConnection, user_id: u64) -> Result<Vec<Witnesses>, StoreError> {
    sqlx::query("select user_id from user_statistics where user_id = ? order by currency for update")
        .bind(user_id)
        .fetch_all(&mut *connection)
        .await?;
    let rows: Vec<Counted> = sqlx::query_as(
        "select currency, witness, cast(sum(created) as signed) orders_created, cast(sum(money) as signed) money_in_orders, \
                cast(sum(done) as signed) orders_done, cast(sum(completed) as signed) orders_completed, \
                cast(sum(received) as signed) money_received from \
         (select 'orders' witness, currency, 1 created, if(status in ('cancelled', 'failed'), 0, price) money, status = 'done' done, \
                 0 completed, 0 received from orders where customer_id = ? \
          union all select 'orders', currency, 0, 0, 0, 1, payout from orders where executor_id = ? and status = 'done' \
          union all select 'books', a.currency, 1, if(h.state in ('active', 'captured'), h.amount, 0), h.state = 'captured', 0, 0 \
                    from accounts a join holds h on h.account_id = a.id where a.user_id = ? and h.order_id is not null \
          union all select 'books', a.currency, 0, 0, 0, 1, e.available_delta from accounts a join entries e on e.account_id = a.id \
                    where a.user_id = ? and e.kind = 'payout' and e.order_id is not null \
          union all select 'kept', currency, orders_created, money_in_orders, orders_done, orders_completed, money_received \
                    from user_statistics where user_id = ?) counted group by currency, witness",
    )
    .bind(user_id)
    .bind(user_id)
    .bind(user_id)
    .bind(user_id)
    .bind(user_id)
    .fetch_all(connection)
    .await?;
    let mut found: Vec<Witnesses> = Vec::new();
    for Counted { currency, witness, figures } in rows {
        let place = found.iter().position(|witnesses| witnesses.currency == currency).unwrap_or_else(|| {
            let none = Figures::default();
            found.push(Witnesses { currency, orders: none, books: none, kept: none });
            found.len() - 1
        });
        match witness.as_str() {
            "orders" => found[place].orders = figures,
            "books" => found[place].books = figures,
            _ => found[place].kept = figures,
        }
    }
    Ok(found)
}
