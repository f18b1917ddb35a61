//! Orders, and the money that follows them.

use super::{BOOKS, CODE, Check, Repair, Source};

const HOLDS: &str = "compare the order's state with its hold and its entries; a repair follows the entries where they tell one plain story";

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "order_hold",
        name: "a living order has an active hold of its price",
        advice: HOLDS,
        repair: Some(Repair::OrderHold),
        noun: "order",
        source: Source::Sql(
            "select cast(o.id as char), concat(o.status, ', price ', o.price, ', hold ', coalesce(concat(h.amount, ' ', h.state), 'none')) \
             from orders o left join holds h on h.order_id = o.id \
             where o.status in ('open', 'frozen', 'in_work', 'submitted') and (h.id is null or h.state <> 'active' or h.amount <> o.price)",
        ),
    },
    Check {
        slug: "order_captured",
        name: "a finished order's hold was captured",
        advice: HOLDS,
        repair: Some(Repair::OrderHold),
        noun: "order",
        source: Source::Sql(
            "select cast(o.id as char), concat('price ', o.price, ', hold ', coalesce(concat(h.amount, ' ', h.state), 'none')) \
             from orders o left join holds h on h.order_id = o.id \
             where o.status = 'done' and (h.id is null or h.state <> 'captured' or h.amount <> o.price)",
        ),
    },
    Check {
        slug: "order_released",
        name: "a cancelled or failed order's hold was released",
        advice: HOLDS,
        repair: Some(Repair::OrderHold),
        noun: "order",
        source: Source::Sql(
            "select cast(o.id as char), concat(o.status, ', hold ', coalesce(concat(h.amount, ' ', h.state), 'none')) \
             from orders o left join holds h on h.order_id = o.id \
             where o.status in ('cancelled', 'failed') and (h.id is null or h.state <> 'released' or h.amount <> o.price)",
        ),
    },
    Check {
        slug: "order_wallet",
        name: "an order's hold is on its customer's wallet in its currency",
        advice: CODE,
        repair: None,
        noun: "order",
        source: Source::Sql(
            "select cast(h.order_id as char), concat('hold ', h.id, ' on account ', h.account_id) \
             from holds h left join orders o on o.id = h.order_id left join accounts a on a.id = h.account_id \
             where h.order_id is not null and (o.id is null or a.id is null or a.user_id <> o.customer_id \
                   or a.kind <> 'wallet' or a.currency <> o.currency)",
        ),
    },
    Check {
        slug: "order_moves",
        name: "an order's money is held once and captured or released once",
        advice: BOOKS,
        repair: None,
        noun: "order",
        source: Source::Walk,
    },
    Check {
        slug: "order_amount",
        name: "what was held for an order, and moved when it was edited, is its price, and so is what was captured or released",
        advice: BOOKS,
        repair: None,
        noun: "order",
        source: Source::Walk,
    },
    Check {
        slug: "executor_paid",
        name: "each executor was paid what the order says",
        advice: BOOKS,
        repair: None,
        noun: "order",
        source: Source::Walk,
    },
    Check {
        slug: "commission_kept",
        name: "each finished order's commission was kept",
        advice: BOOKS,
        repair: None,
        noun: "order",
        source: Source::Sql(
            "select cast(o.id as char), concat(o.status, ', commission ', o.commission, ', kept ', coalesce(k.kept, 0)) from orders o \
             left join (select order_id, sum(amount) kept from system_entries where account = 'commission' group by order_id) k \
             on k.order_id = o.id \
             where (o.status = 'done' and coalesce(k.kept, 0) <> o.commission) or (o.status <> 'done' and k.kept is not null)",
        ),
    },
    Check {
        slug: "order_executor",
        name: "an order has an executor exactly while it is taken",
        advice: "ask both sides who works on it, then set state and executor together and add 1 to the version",
        repair: None,
        noun: "order",
        source: Source::Sql(
            "select cast(id as char), concat(status, ', executor ', coalesce(executor_id, 'none'), ', accepted ', coalesce(accepted_at, 'never')) \
             from orders where (status in ('in_work', 'submitted', 'done') and (executor_id is null or accepted_at is null)) \
                or (status in ('open', 'frozen', 'cancelled') and (executor_id is not null or accepted_at is not null))",
        ),
    },
    Check {
        slug: "order_people",
        name: "an order's customer and executor are two users",
        advice: CODE,
        repair: None,
        noun: "order",
        source: Source::Sql(
            "select cast(o.id as char), concat('customer ', o.customer_id, ', executor ', coalesce(o.executor_id, 'none')) from orders o \
             left join users c on c.id = o.customer_id left join users e on e.id = o.executor_id \
             where c.id is null or (o.executor_id is not null and (e.id is null or o.executor_id = o.customer_id))",
        ),
    },
    Check {
        slug: "order_split",
        name: "each order's price is payout and commission",
        advice: CODE,
        repair: None,
        noun: "order",
        source: Source::Sql(
            "select cast(id as char), concat(price, ' <> ', payout, ' + ', commission) from orders \
             where price <> payout + commission or payout < 1 or commission < 1",
        ),
    },
    Check {
        slug: "order_times",
        name: "an order's times are those of its state",
        advice: "set the missing time from the order's entries, or take the extra one away, and add 1 to the version",
        repair: None,
        noun: "order",
        source: Source::Sql(
            "select cast(id as char), concat(status, ', submitted ', coalesce(submitted_at, 'never'), ', finished ', \
                    coalesce(finished_at, 'never'), ', confirmed by ', coalesce(confirm_by, 'nothing')) from orders \
             where (status in ('done', 'failed', 'cancelled')) <> (finished_at is not null) or (status = 'submitted' and disputed_at is null) <> (confirm_by is not null) \
                or (status in ('open', 'frozen', 'cancelled') and disputed_at is not null) \
                or (status in ('submitted', 'done') and submitted_at is null)",
        ),
    },
    Check {
        slug: "order_applicants",
        name: "an order tells as many applicants as wait for it, and nobody waits for one that is not to be had",
        advice: "count the applications that wait, write the number into the order and add 1 to its version",
        repair: None,
        noun: "order",
        source: Source::Sql(
            "select cast(o.id as char), concat(o.status, ', tells ', o.applicants, ' applicants, of whom ', coalesce(w.waiting, 0), ' wait') \
             from orders o left join (select order_id, count(*) waiting from applications where status = 'waiting' group by order_id) w \
             on w.order_id = o.id where o.applicants <> coalesce(w.waiting, 0) \
                or (o.status not in ('open', 'frozen') and coalesce(w.waiting, 0) > 0)",
        ),
    },
    Check {
        slug: "order_chosen",
        name: "whoever was chosen for an order works on it at the price that was offered",
        advice: "ask both sides what was agreed; the applications tell what was offered, the entries what is held",
        repair: None,
        noun: "order",
        source: Source::Sql(
            "select cast(o.id as char), concat(o.status, ', executor ', coalesce(o.executor_id, 'none'), ' at ', o.price, '; chosen: ', \
                    coalesce(concat(a.executor_id, ' at ', a.price), 'nobody')) \
             from orders o left join applications a on a.order_id = o.id and a.status = 'chosen' \
             where (o.assignment = 'chosen' and o.status in ('in_work', 'submitted', 'done', 'failed') \
                    and (a.executor_id is null or a.executor_id <> o.executor_id or a.price <> o.price or a.payout <> o.payout)) \
                or (a.executor_id is not null and o.status in ('open', 'frozen', 'cancelled'))",
        ),
    },
    Check {
        slug: "order_overdue",
        name: "submitted work is settled within a minute after the time to object",
        advice: "start a node with the worker role, or see why its job does not confirm; a repair settles the order",
        repair: Some(Repair::Settle),
        noun: "order",
        source: Source::Sql(
            "select cast(id as char), concat('to be confirmed by ', confirm_by) from orders \
             where status = 'submitted' and confirm_by < utc_timestamp(6) - interval 60 second",
        ),
    },
    Check {
        slug: "order_texts",
        name: "an order's texts are in one place: among the living ones, or in the archive",
        advice: CODE,
        repair: None,
        noun: "order",
        source: Source::Sql(
            "select cast(o.id as char), if(t.order_id is null, 'its texts are nowhere', 'its texts are in both') \
             from orders o left join order_texts t on t.order_id = o.id left join order_texts_archive a on a.order_id = o.id \
             where (t.order_id is null) = (a.order_id is null)",
        ),
    },
];
