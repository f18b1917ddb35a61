//! What a board must be, worked out by the database itself, and ways to change many rows at once.

use std::time::Duration;

use orderboard::bus::{Bus, BusConfig};
use orderboard::domain::news::{Item, NewsKind};
use orderboard::store::Store;
use sqlx::Executor as _;
use sqlx::mysql::MySqlPool;
use tokio::time::Instant;

use super::Watcher;

/// The checksum of a board as the tables have it: the newest thousand open orders.
pub(crate) async fn truth(sql: &MySqlPool, board: &str) -> u32 {
    let category = board.strip_prefix("category:").unwrap_or("");
    let mut connection = sql.acquire().await.unwrap();
    connection.execute("set session group_concat_max_len = 1000000").await.unwrap();
    let checksum: u64 = sqlx::query_scalar(
        "select cast(coalesce(crc32(group_concat(id, ':', version, ',' order by id desc separator '')), 0) as unsigned) \
         from (select id, version from orders where status = 'open' and (? = '' or category = ?) order by id desc limit 1000) as newest",
    )
    .bind(category)
    .bind(category)
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    u32::try_from(checksum).unwrap()
}

/// Open orders of this customer, put straight into the tables; the sweep carries them. No money is held for them.
pub(crate) async fn insert_orders(sql: &MySqlPool, customer_id: u64, count: u64) -> Vec<u64> {
    const CATEGORIES: [Option<&str>; 4] = [None, Some("it"), Some("repair"), Some("delivery")];
    let newest: u64 = sqlx::query_scalar("select cast(coalesce(max(id), 0) as unsigned) from orders").fetch_one(sql).await.unwrap();
    let numbers: Vec<u64> = (1..=count).collect();
    for some in numbers.chunks(5_000) {
        let mut orders = sqlx::QueryBuilder::new(
            "insert into orders (id, assignment, acceptance, customer_id, category, title, currency, price, payout, commission, \
             rate_bp, floor_bp, commission_mode, created_at) ",
        );
        orders.push_values(some, |mut row, number| {
            row.push_bind(newest + number).push("'first', 'confirm'").push_bind(customer_id);
            row.push_bind(CATEGORIES[(number % 4) as usize]).push_bind(format!("Order by hand {number}"));
            row.push("'RUB', 1000, 900, 100, 1000, 500, 'round', utc_timestamp(6)");
        });
        orders.build().execute(sql).await.unwrap();
    }
    sqlx::query("insert into order_texts (order_id, description) select id, '' from orders where id > ?")
        .bind(newest)
        .execute(sql)
        .await
        .unwrap();
    numbers.iter().map(|number| newest + number).collect()
}

impl Watcher {
    /// Reads until the replica is what the tables have; panics at `deadline`.
    pub(crate) async fn until_true(&mut self, sql: &MySqlPool, board: &str, deadline: Instant) {
        loop {
            let due = truth(sql, board).await;
            if self.state.board(board).checksum() == due {
                return;
            }
            let has = self.state.board(board);
            assert!(Instant::now() < deadline, "`{board}` is not what the tables have: {} orders at {}", has.orders.len(), has.seq);
            assert_eq!(self.state.closed, None, "the server closed");
            self.listen_for(Duration::from_millis(20)).await;
        }
    }
}

/// A node that does nothing but publish: thousands of changes a second, without the HTTP in front of them.
#[derive(Clone)]
pub(crate) struct Press {
    sql: MySqlPool,
    store: Store,
    bus: Bus,
}

impl Press {
    pub(crate) async fn start(sql: &MySqlPool, database_url: &str, redis: BusConfig) -> Self {
        let store = Store::connect(database_url, 4).await.unwrap();
        let (bus, mut feed) = Bus::connect(redis).await.unwrap();
        tokio::spawn(async move { while feed.next().await.is_some() {} });
        Self { sql: sql.clone(), store, bus }
    }

    /// Gives each order a new version and publishes them as a node does, so many rows a message.
    pub(crate) async fn touch(&self, ids: &[u64], rows_at_once: usize) {
        let mut update = sqlx::QueryBuilder::new("update orders set version = version + 1, applicants = applicants + 1 where id in (");
        let mut list = update.separated(", ");
        for id in ids {
            list.push_bind(*id);
        }
        update.push(")");
        update.build().execute(&self.sql).await.unwrap();
        let orders = self.store.orders_by_id(ids).await.unwrap();
        let items: Vec<Item> = orders.iter().map(item).collect();
        for some in items.chunks(rows_at_once) {
            self.bus.publish(some).await.unwrap();
        }
    }

    /// The same for one order; returns its new version.
    pub(crate) async fn touch_one(&self, id: u64) -> u64 {
        self.touch(&[id], 1).await;
        sqlx::query_scalar("select version from orders where id = ?").bind(id).fetch_one(&self.sql).await.unwrap()
    }
}

/// An order's row as news.
pub(crate) fn item(order: &orderboard::domain::order::Order) -> Item {
    Item {
        kind: NewsKind::Order,
        id: order.id,
        version: order.version,
        audience: None,
        committed_us: None,
        row: serde_json::value::to_raw_value(order).unwrap(),
    }
}
