//! Two years of a market, made by the database itself. What an order is follows from a hash of its number: one customer and
//! one executor (the *whales*) have half of all, a failed order is one in a thousand, and one category is as rare. Most orders
//! that live are the newest; every tenth lies somewhere in the past.

use sqlx::AssertSqlSafe;
use sqlx::mysql::{MySqlConnection, MySqlPool};

use crate::Run;
use crate::bulk::{self, CHUNK, NUMBERS, run_sql};
use crate::cli;
use crate::error::Error;
use crate::progress::Progress;

/// Payouts, top-ups and entries of the whales, one each.
pub(super) const MONEY_ROWS: u64 = 200_000;
const SPAN_S: u64 = 2 * 365 * 86_400;
/// The newest order was made so long ago: whatever follows from it is in the past, too.
const SETTLED_S: u64 = 86_400;

/// Who has what: users with consecutive ids, the first of which is the whale.
#[derive(Clone, Copy)]
pub(super) struct People {
    pub(super) first: u64,
    pub(super) count: u64,
}

/// How the orders lie, by number: those above `recent` live, and below each one that `step` divides.
#[derive(Clone, Copy)]
pub(super) struct Market {
    pub(super) orders: u64,
    recent: u64,
    step: u64,
    customers: People,
    executors: People,
}

impl Market {
    pub(super) fn new(options: &cli::Lists, [customers, executors]: [People; 2]) -> Self {
        let alive = options.open + options.open / 5;
        let scattered = alive / 10;
        let orders = options.finished + alive;
        let recent = orders - (alive - scattered);
        Self { orders, recent, step: (recent / scattered).max(2), customers, executors }
    }
}

pub(super) async fn fill(database: &MySqlPool, market: Market, run: &Run) -> Result<(), Error> {
    bulk::make_numbers(database).await?;
    let mut connection = database.acquire().await?;
    let chunks = market.orders.div_ceil(CHUNK) + MONEY_ROWS.div_ceil(CHUNK);
    let progress = Progress::new("lists: chunks", chunks);
    let go_on = || match run.stop.is_cancelled() {
        true => Err(Error::Usage("interrupted while the market was being made".into())),
        false => Ok(()),
    };
    for from in (0..market.orders).step_by(CHUNK as usize) {
        go_on()?;
        orders(&mut connection, from, CHUNK.min(market.orders - from), market).await?;
        progress.step();
    }
    let wallet = account(database, market.customers.first, "wallet").await?;
    let earnings = account(database, market.executors.first, "earnings").await?;
    for from in (0..MONEY_ROWS).step_by(CHUNK as usize) {
        go_on()?;
        money(&mut connection, from, market, [wallet, earnings]).await?;
        progress.step();
    }
    for id in [wallet, earnings] {
        run_sql(&mut connection, format!("update accounts set available = {MONEY_ROWS}, version = {MONEY_ROWS} where id = {id}")).await?;
    }
    drop(connection);
    bulk::done(database, &["accounts", "entries", "orders", "order_texts", "payouts", "topups"]).await
}

/// The account's id; made where the user has none.
async fn account(database: &MySqlPool, user_id: u64, kind: &str) -> Result<u64, Error> {
    let make = format!("insert ignore into accounts (user_id, kind, currency) values ({user_id}, '{kind}', 'RUB')");
    sqlx::query(AssertSqlSafe(make)).execute(database).await?;
    let find = "select cast(id as unsigned) from accounts where user_id = ? and kind = ? and currency = 'RUB'";
    Ok(sqlx::query_scalar(find).bind(user_id).bind(kind).fetch_one(database).await?)
}

/// One of these people by a hash: the first one half of the time.
fn one_of(people: People, hash: &str) -> String {
    let People { first, count } = people;
    format!("if({hash} % 2 = 0, {first}, {first} + ({hash} div 2) % {count})")
}

async fn orders(connection: &mut MySqlConnection, from: u64, count: u64, market: Market) -> Result<(), Error> {
    let Market { orders, recent, step, customers, executors } = market;
    let id = format!("(n + {from} + 1)");
    let alive = format!("(id > {recent} or id % {step} = 0)");
    let status = format!(
        "case when {alive} and h % 12 < 10 then 'open' when {alive} and h div 12 % 10 = 0 then 'frozen'
              when {alive} and h div 12 % 10 < 6 then 'in_work' when {alive} then 'submitted'
              when h % 1000 = 0 then 'failed' when h % 1000 < 40 then 'cancelled' else 'done' end"
    );
    let created = format!("utc_timestamp() - interval floor({SETTLED_S} + ({orders} - id) * {SPAN_S} / {orders}) second");
    let customer = one_of(customers, "(h div 12000)");
    let executor = one_of(executors, "crc32(h)");
    let rows = format!("from (select {id} as id, crc32({id}) as h from {NUMBERS} where n < {count}) as made");
    let facts = format!(
        "select id, h, {status} as status, {customer} as customer_id, {executor} as executor_id, {created} as created_at, 1 + h % 4000 as price {rows}"
    );
    let works = "status in ('in_work', 'submitted', 'done', 'failed')";
    let sql = format!(
        "insert into orders (id, version, changed_at, status, assignment, acceptance, customer_id, executor_id, category, title, currency,
                price, payout, commission, rate_bp, floor_bp, commission_mode, created_at, accepted_at, submitted_at, finished_at, confirm_by)
         select id, 4, created_at + interval 3 hour, status, if(status = 'open' and h % 7 = 0, 'chosen', 'first'), 'confirm', customer_id,
                if({works}, executor_id, null),
                if(h % 997 = 0, 'photo', elt(1 + h % 9, null, 'delivery', 'cleaning', 'repair', 'moving', 'it', 'design', 'texts', 'tutoring')),
                concat(elt(1 + h % 8, 'Hang a lamp', 'Deliver a parcel', 'Wash the windows', 'Move a piano', 'Translate a letter',
                                      'Draw a logo', 'Repair a tap', 'Teach a chord'), ', number ', id),
                'RUB', price * 1000, price * 900, price * 100, 1000, 800, 'round', created_at,
                if({works}, created_at + interval 1 hour, null),
                if(status in ('submitted', 'done', 'failed'), created_at + interval 2 hour, null),
                if(status in ('done', 'failed', 'cancelled'), created_at + interval 3 hour, null),
                if(status = 'submitted', utc_timestamp() + interval 30 day, null)
           from ({facts}) as facts order by id"
    );
    run_sql(connection, sql).await?;
    let texts = format!(
        "insert into order_texts (order_id, description, report)
         select {id}, repeat('What is to be done, where, and until when. ', 12), 'Done.' from {NUMBERS} where n < {count} order by n"
    );
    run_sql(connection, texts).await
}

async fn money(connection: &mut MySqlConnection, from: u64, market: Market, [wallet, earnings]: [u64; 2]) -> Result<(), Error> {
    let (payer, earner) = (market.customers.first, market.executors.first);
    let seq = format!("n + {from} + 1");
    let every = market.orders / MONEY_ROWS;
    let at = format!("utc_timestamp() - interval floor({SETTLED_S} + ({MONEY_ROWS} - ({seq})) * {SPAN_S} / {MONEY_ROWS}) second");
    let rows = format!("from {NUMBERS} order by n");
    let status = "case when crc32(n) % 100 = 0 then 'rejected' when crc32(n) % 100 < 5 then 'cancelled' else 'received' end";
    for (account, kinds) in [(wallet, "elt(1 + n % 3, 'hold', 'capture', 'topup')"), (earnings, "elt(1 + n % 2, 'payout', 'withdrawal')")] {
        let entries = format!(
            "insert into entries (account_id, seq, operation_id, kind, available_delta, held_delta, available_after, held_after, order_id, created_at)
             select {account}, {seq}, concat('lists-{account}-', {seq}), {kinds}, 1, 0, {seq}, 0, 1 + ({seq}) * {every}, {at} {rows}"
        );
        run_sql(connection, entries).await?;
    }
    let payouts = format!(
        "insert into payouts (user_id, account_id, account, currency, amount, method, destination, status, comment, decided_by, hold_id, hold_seq,
                created_at, decided_at)
         select {earner}, {earnings}, 'earnings', 'RUB', 100 + n, 'card', '4100 0000 0000 0000', {status}, 'ok', {payer}, {seq}, {seq}, {at}, {at} {rows}"
    );
    run_sql(connection, payouts).await?;
    let topups = format!(
        "insert into topups (user_id, currency, amount, status, created_at, resolved_at)
         select {payer}, 'RUB', 100 + n, if(crc32(n) % 100 = 0, 'rejected', 'received'), {at}, {at} {rows}"
    );
    run_sql(connection, topups).await
}
