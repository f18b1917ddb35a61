//! Besides orders and money: people, what they were told, letters and messages, applications, and one order that much has
//! happened to.

use sqlx::mysql::{MySqlConnection, MySqlPool};

use super::fill::{Market, People};
use crate::bulk::{self, CHUNK, NUMBERS, run_sql};
use crate::error::Error;

/// Users, applications of the executor with half of all orders, letters, messages: so many each.
pub(super) const ROWS: u64 = 200_000;
/// What is kept of one user's notifications.
pub(super) const NOTICES: u64 = 1_000;
/// As many applicants as an order may have, and about as many events as are told of it.
const APPLICANTS: u64 = 500;
const EVENTS: u64 = 600;

/// What stands for a name in the lists' paths.
pub(super) struct Places {
    /// The customer with half of all orders.
    pub(super) customer: u64,
    /// An order of theirs that much has happened to.
    pub(super) order: u64,
}

pub(super) async fn fill(database: &MySqlPool, market: Market, [customers, executors]: [People; 2]) -> Result<Places, Error> {
    bulk::make_numbers(database).await?;
    let mut connection = database.acquire().await?;
    for from in (0..ROWS).step_by(CHUNK as usize) {
        people(&mut connection, from).await?;
        letters(&mut connection, from, customers.first).await?;
        applications(&mut connection, from, market, executors.first).await?;
    }
    notices(&mut connection, customers.first).await?;
    let find = "select cast(max(id) as unsigned) from orders where customer_id = ? and status = 'open' and assignment = 'chosen'";
    let order: u64 = sqlx::query_scalar(find).bind(customers.first).fetch_one(&mut *connection).await?;
    busy(&mut connection, order, customers.first).await?;
    run_sql(
        &mut connection,
        "update orders set disputed_at = accepted_at + interval 1 hour where status in ('in_work', 'submitted') and id % 3 = 0".into(),
    )
    .await?;
    drop(connection);
    let tables = ["users", "notifications", "inboxes", "mail_outbox", "telegram_outbox", "applications", "order_events", "orders"];
    bulk::done(database, &tables).await?;
    Ok(Places { customer: customers.first, order })
}

async fn people(connection: &mut MySqlConnection, from: u64) -> Result<(), Error> {
    let users = format!(
        "insert into users (email, name, password_hash, created_at)
         select concat(elt(1 + n % 5, 'ann', 'boris', 'vera', 'gleb', 'dina'), '-', n + {from}, '@lists.invalid'),
                concat(elt(1 + n % 8, 'Ann', 'Boris', 'Vera', 'Gleb', 'Dina', 'Egor', 'Zoya', 'Ilya'), ' ', n + {from}), '', utc_timestamp()
           from {NUMBERS} order by n"
    );
    run_sql(connection, users).await
}

/// One in a hundred could not be sent.
async fn letters(connection: &mut MySqlConnection, from: u64, user: u64) -> Result<(), Error> {
    let end =
        "if(n % 100 = 0, 'dead', 'sent'), 5, utc_timestamp(), utc_timestamp() + interval 1 day, if(n % 100 = 0, 'no such mailbox', null),
         utc_timestamp(), utc_timestamp()";
    let columns = "priority, state, attempts, due_at, deadline, last_error, created_at, done_at";
    let mail = format!(
        "insert into mail_outbox (reason, user_id, address, language, letter, facts, {columns})
         select concat('lists:', n + {from}), {user}, 'nobody@lists.invalid', 'ru', 'notice', '{{}}', 5, {end} from {NUMBERS} order by n"
    );
    run_sql(connection, mail).await?;
    let telegram = format!(
        "insert into telegram_outbox (user_id, seq, event, facts, {columns})
         select {user}, 1000000 + n + {from}, 'taken', '{{}}', 5, {end} from {NUMBERS} order by n"
    );
    run_sql(connection, telegram).await
}

async fn applications(connection: &mut MySqlConnection, from: u64, market: Market, executor: u64) -> Result<(), Error> {
    let every = market.orders / ROWS;
    let sql = format!(
        "insert into applications (order_id, executor_id, version, message, price, payout, commission, status, created_at)
         select 1 + (n + {from}) * {every}, {executor}, 2, 'I have done this often.', 1000, 900, 100,
                elt(1 + crc32(n) % 10, 'chosen', 'withdrawn', 'declined', 'declined', 'declined', 'declined', 'declined', 'declined',
                    'declined', 'declined'), utc_timestamp() from {NUMBERS} order by n"
    );
    run_sql(connection, sql).await
}

async fn notices(connection: &mut MySqlConnection, user: u64) -> Result<(), Error> {
    let inbox = format!(
        "insert into inboxes (user_id, version, newest, read_up_to, unread) values ({user}, {NOTICES}, {NOTICES}, {NOTICES} - 300, 300)
         on duplicate key update version = {NOTICES}, newest = {NOTICES}, read_up_to = {NOTICES} - 300, unread = 300"
    );
    run_sql(connection, inbox).await?;
    let notices = format!(
        "insert into notifications (user_id, seq, event, subject, facts, created_at)
         select {user}, n + 1, 'taken', concat('lists:', n),
                concat('{{\"order\":{{\"id\":', n, ',\"title\":\"Hang a lamp\"}},\"by\":{{\"id\":1,\"name\":\"Ann\"}}}}'), utc_timestamp()
           from {NUMBERS} where n < {NOTICES} order by n"
    );
    run_sql(connection, notices).await
}

async fn busy(connection: &mut MySqlConnection, order: u64, customer: u64) -> Result<(), Error> {
    let first = "(select id from (select min(id) as id from users where email like 'ann-%@lists.invalid') as found)";
    let applications = format!(
        "insert ignore into applications (order_id, executor_id, version, message, price, payout, commission, status, created_at)
         select {order}, {first} + n, n + 5, repeat('I have done this often. ', 40), 1000, 900, 100, 'waiting', utc_timestamp()
           from {NUMBERS} where n < {APPLICANTS} order by n"
    );
    run_sql(connection, applications).await?;
    let events = format!(
        "insert into order_events (order_id, version, event, actor_id, at)
         select {order}, n + 1000, if(n % 2 = 0, 'frozen', 'unfrozen'), {customer}, utc_timestamp() from {NUMBERS} where n < {EVENTS} order by n"
    );
    run_sql(connection, events).await
}
