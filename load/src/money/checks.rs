//! Is the money still all there, to the kopeck? Read from the database in one consistent snapshot,
//! over everybody's accounts and not only this run's.

use sqlx::mysql::{MySqlConnection, MySqlPool};

use crate::check::Check;
use crate::error::Error;

struct Rule {
    name: &'static str,
    /// How many things the rule is about.
    seen: &'static str,
    /// One text for each thing that breaks it.
    broken: &'static str,
}

const RULES: [Rule; 6] = [
    Rule {
        name: "money: each account equals its last entry",
        seen: "select count(*) from accounts",
        broken: "
            select cast(concat('account ', a.id, ' has ', a.available, ' + ', a.held, ' at version ', a.version,
                   ', its last entry says ', coalesce(concat(e.available_after, ' + ', e.held_after), 'nothing'),
                   ' at ', coalesce(l.seq, 0)) as char)
              from accounts a
              left join (select account_id, max(seq) as seq from entries group by account_id) l on l.account_id = a.id
              left join entries e on e.account_id = l.account_id and e.seq = l.seq
             where a.available <> coalesce(e.available_after, 0) or a.held <> coalesce(e.held_after, 0)
                or a.version <> coalesce(l.seq, 0)
             limit 1000",
    },
    Rule {
        name: "money: each account's history is gapless and adds up",
        seen: "select count(distinct account_id) from entries",
        broken: "
            select cast(concat('account ', a.id, ': ', e.entries, ' entries up to ', e.last_seq, ', adding up to ',
                   e.available, ' + ', e.held) as char)
              from (select account_id, count(*) as entries, max(seq) as last_seq,
                           sum(available_delta) as available, sum(held_delta) as held
                      from entries group by account_id) e
              left join accounts a on a.id = e.account_id
             where a.id is null or e.entries <> e.last_seq or e.available <> a.available or e.held <> a.held
             limit 1000",
    },
    Rule {
        name: "money: the entries of each operation sum to zero",
        seen: "select count(distinct operation_id) from entries",
        broken: "
            select cast(concat('operation ', operation_id, ' sums to ', sum(amount)) as char)
              from (select operation_id, available_delta + held_delta as amount from entries
                     union all
                    select operation_id, amount from system_entries) lines_of_all
             group by operation_id having sum(amount) <> 0
             limit 1000",
    },
    Rule {
        name: "money: what users own is what the system accounts gave",
        seen: "select count(distinct currency) from system_entries",
        broken: "
            select cast(concat(currency, ': ', sum(amount), ' too much') as char)
              from (select currency, available + held as amount from accounts
                     union all
                    select currency, amount from system_entries) all_money
             group by currency having sum(amount) <> 0
             limit 1000",
    },
    Rule {
        name: "money: what is held on an account is the sum of its active holds",
        seen: "select count(*) from holds",
        broken: "
            select cast(concat('account ', a.id, ' holds ', a.held, ', its active holds sum to ',
                   coalesce(h.amount, 0)) as char)
              from accounts a
              left join (select account_id, sum(amount) as amount from holds where state = 'active'
                          group by account_id) h on h.account_id = a.id
             where a.held <> coalesce(h.amount, 0)
             limit 1000",
    },
    Rule {
        name: "money: each living order has one active hold of its price, each ended one none",
        seen: "select count(*) from orders",
        broken: "
            select cast(concat('order ', o.id, ' (', o.status, ', price ', o.price, ') has ', coalesce(h.holds, 0),
                   ' active holds of ', coalesce(h.amount, 0)) as char)
              from orders o
              left join (select order_id, count(*) as holds, sum(amount) as amount from holds
                          where state = 'active' and order_id is not null group by order_id) h on h.order_id = o.id
             where case when o.status in ('open', 'frozen', 'in_work', 'submitted')
                        then coalesce(h.holds, 0) <> 1 or h.amount <> o.price
                        else coalesce(h.holds, 0) <> 0 end
             limit 1000",
    },
];

/// All rules.
pub(crate) async fn checks(database: &MySqlPool) -> Result<Vec<Check>, Error> {
    snapshot(database, &RULES).await
}

/// All but the last, for a database in which nobody orders anything.
pub(crate) async fn checks_without_orders(database: &MySqlPool) -> Result<Vec<Check>, Error> {
    snapshot(database, &RULES[..RULES.len() - 1]).await
}

async fn snapshot(database: &MySqlPool, rules: &[Rule]) -> Result<Vec<Check>, Error> {
    let mut connection = database.acquire().await?;
    // One snapshot for all rules: money that moves between two queries is not missing.
    sqlx::raw_sql("set transaction isolation level repeatable read").execute(&mut *connection).await?;
    sqlx::raw_sql("start transaction with consistent snapshot, read only").execute(&mut *connection).await?;
    let checks = all(&mut connection, rules).await;
    sqlx::raw_sql("rollback").execute(&mut *connection).await?;
    checks
}

async fn all(connection: &mut MySqlConnection, rules: &[Rule]) -> Result<Vec<Check>, Error> {
    let mut checks = Vec::with_capacity(rules.len());
    for rule in rules {
        let mut check = Check::new(rule.name);
        let seen: i64 = sqlx::query_scalar(rule.seen).fetch_one(&mut *connection).await?;
        check.seen = u64::try_from(seen).unwrap_or(0);
        let broken: Vec<String> = sqlx::query_scalar(rule.broken).fetch_all(&mut *connection).await?;
        for words in broken {
            check.problems.add(|| words);
        }
        checks.push(check);
    }
    Ok(checks)
}
