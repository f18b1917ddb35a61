//! Holds by themselves; whether they fit their orders is with the orders.

use super::{CODE, Check, Repair, Source};

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "hold_positive",
        name: "each hold holds something",
        advice: CODE,
        repair: None,
        noun: "hold",
        source: Source::Sql("select cast(id as char), concat('amount ', amount) from holds where amount <= 0"),
    },
    Check {
        slug: "hold_account",
        name: "each hold is on an account that exists",
        advice: CODE,
        repair: None,
        noun: "hold",
        source: Source::Sql(
            "select cast(h.id as char), concat('account ', h.account_id, ', ', h.state) from holds h left join accounts a on a.id = h.account_id \
             where a.id is null",
        ),
    },
    Check {
        slug: "hold_operation",
        name: "each hold was made by an operation that was done",
        advice: CODE,
        repair: None,
        noun: "hold",
        source: Source::Sql(
            "select cast(h.id as char), concat(h.operation_id, ' ', coalesce(p.outcome, 'missing')) \
             from holds h left join operations p on p.id = h.operation_id \
             where h.operation_id is not null and (p.id is null or p.outcome <> 'done')",
        ),
    },
    Check {
        slug: "hold_entry",
        name: "each hold was made with an entry of its amount, less what it was moved by since, on its account",
        advice: "compare the hold with the entries of the operation that made it: one of the two was changed",
        repair: None,
        noun: "hold",
        source: Source::Sql(
            "select cast(h.id as char), concat('amount ', h.amount, ', moved by ', h.adjusted, ', on account ', h.account_id, '; entry: ', \
                    coalesce(concat(e.held_delta, ' on account ', e.account_id), 'none')) \
             from holds h left join entries e on e.operation_id = h.operation_id and e.held_delta > 0 \
             where h.operation_id is not null and (e.seq is null or e.held_delta + h.adjusted <> h.amount or e.account_id <> h.account_id)",
        ),
    },
    Check {
        slug: "hold_resolved",
        name: "a hold has a time of its end exactly when it has ended",
        advice: CODE,
        repair: None,
        noun: "hold",
        source: Source::Sql(
            "select cast(id as char), concat(state, ', ended ', coalesce(resolved_at, 'never')) from holds \
             where (state = 'active') <> (resolved_at is null)",
        ),
    },
    Check {
        slug: "hold_expired",
        name: "no hold is active a minute after it expired",
        advice: "start a node with the worker role, or see why its job does not expire holds; a repair expires them",
        repair: Some(Repair::Expire),
        noun: "hold",
        source: Source::Sql(
            "select cast(id as char), concat('amount ', amount, ', expired ', expires_at) from holds \
             where state = 'active' and expires_at < utc_timestamp(6) - interval 60 second",
        ),
    },
];
