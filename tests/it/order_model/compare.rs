//! The tables against the model.

use std::collections::BTreeMap;

use sqlx::mysql::MySqlPool;

use super::acts::Model;
use super::board::{Account, Figures, Order, User};

/// An order's row with its hold, or what the model says it is.
#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Row {
    id: u64,
    status: String,
    version: u64,
    edited_version: u64,
    executor_id: Option<u64>,
    title: String,
    category: Option<String>,
    price: i64,
    payout: i64,
    commission: i64,
    applicants: u32,
    was_disputed: bool,
    hold: String,
    held: i64,
}

impl From<&Order> for Row {
    fn from(order: &Order) -> Self {
        Self {
            id: order.id,
            status: order.status.to_owned(),
            version: order.version,
            edited_version: order.edited,
            executor_id: order.executor,
            title: order.text.title.to_owned(),
            category: order.text.category.map(str::to_owned),
            price: order.text.price,
            payout: order.text.payout,
            commission: order.text.price - order.text.payout,
            applicants: u32::try_from(order.applicants).unwrap(),
            was_disputed: order.was_disputed,
            hold: order.hold().to_owned(),
            held: order.text.price,
        }
    }
}

const ORDERS: &str = "select o.id, o.status, o.version, o.edited_version, o.executor_id, o.title, o.category, o.price, o.payout, o.commission, \
     o.applicants, o.disputed_at is not null as was_disputed, h.state as hold, h.amount as held \
     from orders o left join holds h on h.order_id = o.id where o.customer_id in (USERS) order by o.id";
const ACCOUNTS: &str = "select user_id, kind, available, held, version from accounts where user_id in (USERS) and currency = 'RUB'";
const FIGURES: &str = "select user_id, orders_created, money_in_orders, orders_done, orders_completed, money_received \
     from user_statistics where user_id in (USERS)";
const APPLICATIONS: &str = "select a.order_id, a.executor_id, a.version, a.price, a.payout, a.status from applications a \
     join orders o on o.id = a.order_id where o.customer_id in (USERS) order by a.order_id, a.executor_id";
const EVENTS: &str = "select e.order_id, e.version, e.event from order_events e join orders o on o.id = e.order_id \
     where o.customer_id in (USERS) order by e.order_id, e.version";

pub(super) async fn same(sql: &MySqlPool, model: &Model) -> Result<(), String> {
    let users: Vec<String> = model.users.keys().map(u64::to_string).collect();
    let of_users = |query: &str| sqlx::AssertSqlSafe(query.replace("USERS", &users.join(",")));
    let rows: Vec<Row> = sqlx::query_as(of_users(ORDERS)).fetch_all(sql).await.unwrap();
    is(&rows, &model.orders.iter().map(Row::from).collect::<Vec<_>>())?;

    let mut real: BTreeMap<u64, User> = model.users.keys().map(|user| (*user, User::default())).collect();
    let accounts: Vec<(u64, String, i64, i64, u64)> = sqlx::query_as(of_users(ACCOUNTS)).fetch_all(sql).await.unwrap();
    for (user, kind, available, held, version) in accounts {
        let user = real.get_mut(&user).unwrap();
        *(if kind == "wallet" { &mut user.wallet } else { &mut user.earnings }) = Account { available, held, version };
    }
    let figures: Vec<(u64, i64, i64, i64, i64, i64)> = sqlx::query_as(of_users(FIGURES)).fetch_all(sql).await.unwrap();
    for (user, created, money, done, completed, received) in figures {
        real.get_mut(&user).unwrap().figures = Figures { created, money, done, completed, received };
    }
    is(&real.into_iter().collect::<Vec<_>>(), &model.users.clone().into_iter().collect::<Vec<_>>())?;

    let applications: Vec<(u64, u64, u64, i64, i64, String)> = sqlx::query_as(of_users(APPLICATIONS)).fetch_all(sql).await.unwrap();
    let due = model.orders.iter().flat_map(|order| {
        order.applications.iter().map(|(user, one)| (order.id, *user, one.version, one.price, one.payout, one.status.to_owned()))
    });
    is(&applications, &due.collect::<Vec<_>>())?;

    let events: Vec<(u64, u64, String)> = sqlx::query_as(of_users(EVENTS)).fetch_all(sql).await.unwrap();
    let due = model.orders.iter().flat_map(|order| order.events.iter().map(|(version, event)| (order.id, *version, (*event).to_owned())));
    is(&events, &due.collect::<Vec<_>>())
}

fn is<T: PartialEq + std::fmt::Debug>(real: &[T], model: &[T]) -> Result<(), String> {
    if real == model {
        return Ok(());
    }
    let differ: Vec<_> = real.iter().zip(model).filter(|(real, model)| real != model).collect();
    Err(format!("{} rows and {} in the model; (real, model): {differ:#?}", real.len(), model.len()))
}
