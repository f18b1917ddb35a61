//! The auditor: looks at all tables as they are and names everything that money in good order cannot look like.

use sqlx::mysql::MySqlPool;

use super::TestApp;

/// Each query selects what must not exist, as one text a row.
const WRONG: &[(&str, &str)] = &[
    (
        "an account differs from its last entry",
        "select concat('account ', a.id) from accounts a left join entries e on e.account_id = a.id and e.seq = a.version \
         where (a.version > 0 and (e.seq is null or e.available_after <> a.available or e.held_after <> a.held)) \
            or (a.version = 0 and (a.available <> 0 or a.held <> 0))",
    ),
    (
        "an account's entries have gaps",
        "select concat('account ', a.id) from accounts a left join entries e on e.account_id = a.id \
         group by a.id, a.version having count(e.seq) <> a.version or coalesce(min(e.seq), 1) <> 1 or coalesce(max(e.seq), 0) <> a.version",
    ),
    (
        "an entry does not follow from the one before",
        "select concat('account ', account_id, ' entry ', seq) from (select account_id, seq, available_after, held_after, \
             available_delta + coalesce(lag(available_after) over w, 0) as available_due, held_delta + coalesce(lag(held_after) over w, 0) as held_due \
             from entries window w as (partition by account_id order by seq)) as told \
         where available_after <> available_due or held_after <> held_due",
    ),
    (
        "an operation does not sum to zero",
        "select concat(operation_id, ' ', currency, ' ', sum(amount)) from ( \
             select e.operation_id, a.currency, e.available_delta + e.held_delta as amount from entries e join accounts a on a.id = e.account_id \
             union all select operation_id, currency, amount from system_entries) as moved \
         group by operation_id, currency having sum(amount) <> 0",
    ),
    (
        "people's money is not what the system accounts say",
        "select concat(currency, ' ', sum(amount)) from (select currency, available + held as amount from accounts \
             union all select currency, amount from system_entries) as everything group by currency having sum(amount) <> 0",
    ),
    (
        "an account's held money is not the sum of its active holds",
        "select concat('account ', a.id, ' holds ', a.held, ', not ', coalesce(sum(h.amount), 0)) from accounts a \
         left join holds h on h.account_id = a.id and h.state = 'active' group by a.id, a.held having a.held <> coalesce(sum(h.amount), 0)",
    ),
    (
        "an order's hold is not what the order's state asks for",
        "select concat('order ', o.id, ' is ', o.status, ', its hold ', coalesce(h.state, 'missing')) from orders o \
         left join holds h on h.order_id = o.id left join accounts a on a.id = h.account_id \
         where h.id is null or h.amount <> o.price or a.user_id <> o.customer_id or a.kind <> 'wallet' or a.currency <> o.currency \
            or h.state <> case when o.status = 'done' then 'captured' when o.status in ('cancelled', 'failed') then 'released' else 'active' end",
    ),
    (
        "a done order was not paid exactly once and exactly so",
        "select concat('order ', o.id) from orders o where o.status = 'done' and ( \
             1 <> (select count(*) from entries e where e.order_id = o.id and e.kind = 'capture' and e.held_delta = -o.price) \
          or 1 <> (select count(*) from entries e join accounts a on a.id = e.account_id where e.order_id = o.id and e.kind = 'payout' \
                    and e.available_delta = o.payout and a.user_id = o.executor_id and a.kind = 'earnings') \
          or 1 <> (select count(*) from system_entries s where s.order_id = o.id and s.account = 'commission' and s.amount = o.commission))",
    ),
    (
        "an order that is not done was paid for",
        "select concat('order ', o.id, ' ', e.kind) from orders o join entries e on e.order_id = o.id \
         where o.status <> 'done' and e.kind in ('capture', 'payout')",
    ),
    ("an order's parts are not its price", "select concat('order ', id) from orders where price <> payout + commission"),
    ("an operation was left half-way", "select id from operations where outcome = 'pending' or result is null"),
    (
        "a received top-up was not credited exactly once",
        "select concat('top-up ', t.id, ' is ', t.status) from topups t \
         where (select count(*) from entries e where e.topup_id = t.id and e.available_delta = t.amount) <> (t.status = 'received')",
    ),
    (
        "a payout's money is not where its state says",
        "select concat('payout ', p.id, ' is ', p.status, ', its hold ', coalesce(h.state, 'missing')) from payouts p \
         left join holds h on h.id = p.hold_id left join accounts a on a.id = p.account_id \
         where h.id is null or h.account_id <> p.account_id or h.amount <> p.amount or a.user_id <> p.user_id or a.kind <> p.account \
            or a.currency <> p.currency \
            or h.state <> case p.status when 'created' then 'active' when 'received' then 'captured' else 'released' end \
            or 1 <> (select count(*) from entries e where e.payout_id = p.id and e.kind = 'hold' and e.held_delta = p.amount \
                      and e.account_id = p.account_id and e.seq = p.hold_seq and e.hold_id = p.hold_id) \
            or (p.status = 'received') <> (select count(*) from entries e where e.payout_id = p.id and e.kind = 'withdrawal' \
                      and e.held_delta = -p.amount and e.available_delta = 0) \
            or (p.status in ('rejected', 'cancelled')) <> (select count(*) from entries e where e.payout_id = p.id \
                      and e.kind = 'release' and e.available_delta = p.amount)",
    ),
    (
        "what was paid out is not the sum of the received payouts",
        "select concat(currency, ' ', sum(amount)) from (select currency, amount from payouts where status = 'received' \
             union all select currency, -amount from system_entries where account = 'payouts') as paid \
         group by currency having sum(amount) <> 0",
    ),
];

/// Every kopeck is where the operations say, and every order has the hold that its state asks for.
#[track_caller]
pub(crate) fn assert_balance(sql: &MySqlPool) -> impl Future<Output = ()> + '_ {
    let caller = std::panic::Location::caller();
    async move {
        let mut faults = Vec::new();
        for &(what, query) in WRONG {
            let found: Vec<String> = sqlx::query_scalar(query).fetch_all(sql).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            faults.extend(found.into_iter().take(5).map(|row| format!("{what}: {row}")));
        }
        assert!(faults.is_empty(), "the books do not balance at {caller}:\n{}", faults.join("\n"));
    }
}

impl TestApp {
    /// See [`assert_balance`].
    #[track_caller]
    pub(crate) fn assert_books_balance(&self) -> impl Future<Output = ()> + '_ {
        assert_balance(&self.sql)
    }

    /// Everything that tells of orders and money, as text: equal before and after is "nothing changed", to the byte.
    /// Operations are left out: a refusal may be kept as one.
    pub(crate) async fn fingerprint(&self) -> String {
        const TABLES: [&str; 9] =
            ["user_statistics", "orders", "order_texts", "accounts", "entries", "system_entries", "holds", "topups", "payouts"];
        let mut text = String::new();
        for table in TABLES {
            let row: (String, i64) =
                sqlx::query_as(sqlx::AssertSqlSafe(format!("checksum table {table}"))).fetch_one(&self.sql).await.unwrap();
            let count: i64 =
                sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}"))).fetch_one(&self.sql).await.unwrap();
            text.push_str(&format!("{table}: {count} rows, {}\n", row.1));
        }
        text
    }
}
