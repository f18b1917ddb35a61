//! Operations and the money as a whole.

use super::{BOOKS, CODE, Check, Source};

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "money_total",
        name: "people's money is what came in less what was paid out and kept",
        advice: BOOKS,
        repair: None,
        noun: "currency",
        source: Source::Sql(
            "select currency, concat('off by ', sum(amount)) from \
             (select currency, available + held amount from accounts union all select currency, amount from system_entries) everything \
             group by currency having sum(amount) <> 0",
        ),
    },
    Check {
        slug: "commission_total",
        name: "the commission kept is the finished orders' commissions and what other systems captured for the house",
        advice: "compare the commission lines that name no order, or one that is not finished, with the captures they belong to",
        repair: None,
        noun: "currency",
        source: Source::Sql(
            "select currency, concat('kept ', sum(kept), ', due ', sum(due)) from \
             (select currency, amount kept, 0 due from system_entries where account = 'commission' \
              union all select currency, 0, commission from orders where status = 'done' \
              union all select a.currency, 0, -e.held_delta from entries e join accounts a on a.id = e.account_id \
                        where e.kind = 'capture' and e.order_id is null and e.peer_id is null) everything \
             group by currency having sum(kept) <> sum(due)",
        ),
    },
    Check {
        slug: "operation_sum",
        name: "each operation sums to zero in each currency",
        advice: BOOKS,
        repair: None,
        noun: "operation",
        source: Source::Walk,
    },
    Check {
        slug: "operation_currency",
        name: "no operation mixes currencies",
        advice: BOOKS,
        repair: None,
        noun: "operation",
        source: Source::Walk,
    },
    Check {
        slug: "operation_empty",
        name: "each operation that moved money has entries",
        advice: CODE,
        repair: None,
        noun: "operation",
        source: Source::Walk,
    },
    Check {
        slug: "entry_orphan",
        name: "each entry belongs to an operation that was done",
        advice: CODE,
        repair: None,
        noun: "operation",
        source: Source::Walk,
    },
    Check {
        slug: "operation_shape",
        name: "an operation has only such entries and system lines as its kind writes",
        advice: CODE,
        repair: None,
        noun: "operation",
        source: Source::Walk,
    },
    Check {
        slug: "operation_pending",
        name: "no operation was committed without a result",
        advice: "the program writes an operation and its result in one transaction: look for a hand-made row, and keep its caller from \
                 repeating it until it is understood",
        repair: None,
        noun: "operation",
        source: Source::Sql("select id, kind from operations where outcome = 'pending' or result is null"),
    },
    Check {
        slug: "outgoing_stuck",
        name: "each result that waits to be sent was made within the last minute",
        advice: "start a node with the worker role, or see why its worker does not send: results are sent again by themselves; delete none, \
                 because nobody knows which have arrived",
        repair: None,
        noun: "operation",
        source: Source::Sql(
            "select operation_id, concat('waits since ', created_at) from outgoing where created_at < utc_timestamp(6) - interval 60 second",
        ),
    },
];
