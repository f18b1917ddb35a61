//! The catalogue: one entry an invariant.

/// An invariant and the query for its violations.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    pub name: &'static str,
    /// What a person should do about a violation.
    pub advice: &'static str,
    pub(super) sql: &'static str,
}

const BOOKS: &str = "stop taking money for this account, compare its entries with its operations, and correct by a new operation";
const HOLDS: &str = "compare the order's state with its hold; settle or release it by hand only after both are understood";
const CODE: &str = "this cannot come from use: look for a hand-made change or a fault in the program, and keep the rows";

/// Every class, cheap ones first.
pub const CHECKS: &[Check] = &[
    Check {
        name: "no part of a balance is negative",
        advice: BOOKS,
        sql: "select concat('account ', id) subject, concat('available ', available, ', held ', held) detail \
              from accounts where available < 0 or held < 0 limit 51",
    },
    Check {
        name: "entries are numbered without gaps",
        advice: CODE,
        sql: "select concat('account ', account_id) subject, concat('entry ', seq, ' follows ', coalesce(before_it, 0)) detail \
              from (select account_id, seq, lag(seq) over (partition by account_id order by seq) before_it from entries) numbered \
              where seq <> coalesce(before_it, 0) + 1 limit 51",
    },
    Check {
        name: "each entry's balances follow from the one before",
        advice: BOOKS,
        sql: "select concat('account ', account_id) subject, concat('entry ', seq) detail from \
              (select account_id, seq, available_delta, held_delta, available_after, held_after, \
                      lag(available_after) over (partition by account_id order by seq) available_before, \
                      lag(held_after) over (partition by account_id order by seq) held_before from entries) chained \
              where available_after <> coalesce(available_before, 0) + available_delta \
                 or held_after <> coalesce(held_before, 0) + held_delta limit 51",
    },
    Check {
        name: "each account is what its last entry says",
        advice: BOOKS,
        sql: "select concat('account ', a.id) subject, concat('available ', a.available, ', held ', a.held, ', version ', a.version) detail \
              from accounts a left join entries e on e.account_id = a.id and e.seq = a.version \
              where (a.version > 0 and (e.seq is null or e.available_after <> a.available or e.held_after <> a.held)) \
                 or (a.version = 0 and (a.available <> 0 or a.held <> 0)) limit 51",
    },
    Check {
        name: "no entry is beyond its account",
        advice: CODE,
        sql: "select concat('account ', e.account_id) subject, concat('entry ', e.seq) detail \
              from entries e left join accounts a on a.id = e.account_id where a.id is null or e.seq > a.version limit 51",
    },
    Check {
        name: "what is held on an account is the sum of its active holds",
        advice: HOLDS,
        sql: "select concat('account ', a.id) subject, concat('held ', a.held, ', active holds ', coalesce(h.amount, 0)) detail \
              from accounts a left join (select account_id, sum(amount) amount from holds where state = 'active' group by account_id) h \
              on h.account_id = a.id where a.held <> coalesce(h.amount, 0) limit 51",
    },
    Check {
        name: "a living order has an active hold of its price",
        advice: HOLDS,
        sql: "select concat('order ', o.id) subject, concat(o.status, ', price ', o.price, ', hold ', coalesce(concat(h.amount, ' ', h.state), 'none')) detail \
              from orders o left join holds h on h.order_id = o.id \
              where o.status in ('open', 'frozen', 'in_work', 'submitted') \
                and (h.id is null or h.state <> 'active' or h.amount <> o.price) limit 51",
    },
    Check {
        name: "a finished order's hold was captured",
        advice: HOLDS,
        sql: "select concat('order ', o.id) subject, concat('hold ', coalesce(h.state, 'none')) detail \
              from orders o left join holds h on h.order_id = o.id \
              where o.status = 'done' and (h.id is null or h.state <> 'captured' or h.amount <> o.price) limit 51",
    },
    Check {
        name: "a cancelled or failed order's hold was released",
        advice: HOLDS,
        sql: "select concat('order ', o.id) subject, concat('hold ', coalesce(h.state, 'none')) detail \
              from orders o left join holds h on h.order_id = o.id \
              where o.status in ('cancelled', 'failed') and (h.id is null or h.state <> 'released') limit 51",
    },
    Check {
        name: "an order's hold is on its customer's wallet",
        advice: HOLDS,
        sql: "select concat('order ', h.order_id) subject, concat('hold ', h.id, ' on account ', h.account_id) detail \
              from holds h left join orders o on o.id = h.order_id left join accounts a on a.id = h.account_id \
              where h.order_id is not null and (o.id is null or a.id is null or a.user_id <> o.customer_id \
                    or a.kind <> 'wallet' or a.currency <> o.currency) limit 51",
    },
    Check {
        name: "each operation sums to zero",
        advice: BOOKS,
        sql: "select concat('operation ', operation_id) subject, concat('off by ', sum(amount)) detail from \
              (select operation_id, available_delta + held_delta amount from entries \
               union all select operation_id, amount from system_entries) parts \
              group by operation_id having sum(amount) <> 0 limit 51",
    },
    Check {
        name: "people hold what came in and was not kept",
        advice: BOOKS,
        sql: "select concat('currency ', currency) subject, concat('off by ', sum(amount)) detail from \
              (select currency, available + held amount from accounts union all select currency, amount from system_entries) everything \
              group by currency having sum(amount) <> 0 limit 51",
    },
    Check {
        name: "each executor was paid what the order says",
        advice: BOOKS,
        sql: "select concat('order ', o.id) subject, concat('payout ', o.payout, ', paid ', coalesce(p.paid, 0)) detail from orders o \
              left join (select e.order_id, sum(e.available_delta) paid, min(a.user_id) user_id from entries e \
                         join accounts a on a.id = e.account_id where e.kind = 'payout' group by e.order_id) p on p.order_id = o.id \
              where (o.status = 'done' and (coalesce(p.paid, 0) <> o.payout or p.user_id <> o.executor_id)) \
                 or (o.status <> 'done' and p.paid is not null) limit 51",
    },
    Check {
        name: "each finished order's commission was kept",
        advice: BOOKS,
        sql: "select concat('order ', o.id) subject, concat('commission ', o.commission, ', kept ', coalesce(k.kept, 0)) detail from orders o \
              left join (select order_id, sum(amount) kept from system_entries where account = 'commission' group by order_id) k \
              on k.order_id = o.id \
              where (o.status = 'done' and coalesce(k.kept, 0) <> o.commission) or (o.status <> 'done' and k.kept is not null) limit 51",
    },
    Check {
        name: "each operation that moved money has entries",
        advice: CODE,
        sql: "select concat('operation ', p.id) subject, p.kind detail from operations p left join entries e on e.operation_id = p.id \
              where p.outcome = 'done' and p.kind in ('create_order', 'capture', 'release', 'credit') and e.operation_id is null limit 51",
    },
    Check {
        name: "each entry belongs to an operation that was done",
        advice: CODE,
        sql: "select concat('operation ', parts.operation_id) subject, coalesce(p.outcome, 'unknown') detail from \
              (select distinct operation_id from entries union select distinct operation_id from system_entries) parts \
              left join operations p on p.id = parts.operation_id where p.id is null or p.outcome <> 'done' limit 51",
    },
    Check {
        name: "no operation was committed without a result",
        advice: CODE,
        sql: "select concat('operation ', id) subject, kind detail from operations where outcome = 'pending' or result is null limit 51",
    },
    Check {
        name: "each received top-up was credited once",
        advice: BOOKS,
        sql: "select concat('top-up ', t.id) subject, concat(t.status, ', amount ', t.amount, ', credited ', coalesce(c.credited, 0)) detail \
              from topups t left join (select topup_id, sum(available_delta) credited from entries where topup_id is not null group by topup_id) c \
              on c.topup_id = t.id \
              where (t.status = 'received' and coalesce(c.credited, 0) <> t.amount) or (t.status <> 'received' and c.credited is not null) limit 51",
    },
    Check {
        name: "an order has an executor exactly while it is taken",
        advice: CODE,
        sql: "select concat('order ', id) subject, concat(status, ', executor ', coalesce(executor_id, 'none')) detail from orders \
              where (status in ('in_work', 'submitted', 'done') and (executor_id is null or accepted_at is null)) \
                 or (status in ('open', 'frozen', 'cancelled') and executor_id is not null) limit 51",
    },
    Check {
        name: "each order's price is payout and commission",
        advice: CODE,
        sql: "select concat('order ', id) subject, concat(price, ' <> ', payout, ' + ', commission) detail \
              from orders where price <> payout + commission limit 51",
    },
];
