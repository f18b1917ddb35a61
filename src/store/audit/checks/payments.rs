//! Money that comes in and goes out.

use super::{BOOKS, Check, Repair, Source};

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "topup_credited",
        name: "each received top-up was credited once",
        advice: "compare it with the gateway's list of payments; a repair credits what was received and never credited",
        repair: Some(Repair::Topup),
        noun: "top-up",
        // `force index` is not needed: few entries name a top-up, and one pass finds them.
        source: Source::Sql(
            "select cast(t.id as char), concat(t.status, ', amount ', t.amount, ', credited ', coalesce(c.credited, 0)) \
         from topups t left join (select topup_id, sum(available_delta) credited from entries where topup_id is not null group by topup_id) c \
         on c.topup_id = t.id \
         where (t.status = 'received' and coalesce(c.credited, 0) <> t.amount) or (t.status <> 'received' and c.credited is not null)",
        ),
    },
    Check {
        slug: "payout_once",
        name: "an approved payout left the house exactly once, and no other did",
        advice: "compare it with the bank's list of payments; what was sent twice is asked back, what was never sent is sent by hand",
        repair: None,
        noun: "payout",
        source: Source::Sql(
            "select cast(p.id as char), concat(p.status, ', amount ', p.amount, ', left ', coalesce(w.times, 0), ' times: ', coalesce(w.gone, 0)) \
             from payouts p left join (select payout_id, count(*) times, -sum(available_delta + held_delta) gone from entries \
                                       where payout_id is not null and kind = 'withdrawal' group by payout_id) w on w.payout_id = p.id \
             where (p.status = 'received' and (coalesce(w.times, 0) <> 1 or w.gone <> p.amount)) or (p.status <> 'received' and w.times is not null)",
        ),
    },
    Check {
        slug: "payout_hold",
        name: "a payout's hold is of its amount, and stands as the payout does",
        advice: "see from the entries whether the money is still held, came back or left, and whether the payout says so, too",
        repair: None,
        noun: "payout",
        source: Source::Sql(
            "select cast(p.id as char), concat(p.status, ', amount ', p.amount, ', hold ', coalesce(concat(h.amount, ' ', h.state), 'none')) \
             from payouts p left join holds h on h.id = p.hold_id \
             where h.id is null or h.account_id <> p.account_id or h.amount <> p.amount or h.order_id is not null \
                or h.state <> case p.status when 'created' then 'active' when 'received' then 'captured' else 'released' end",
        ),
    },
    Check {
        slug: "payout_account",
        name: "a payout is from an account of whoever asked for it",
        advice: BOOKS,
        repair: None,
        noun: "payout",
        source: Source::Sql(
            "select cast(p.id as char), concat('user ', p.user_id, ', account ', p.account_id) from payouts p \
             left join accounts a on a.id = p.account_id \
             where a.id is null or a.user_id <> p.user_id or (a.kind = 'wallet') <> (p.account = 'wallet') or a.currency <> p.currency",
        ),
    },
    Check {
        slug: "payouts_total",
        name: "what was paid out is the sum of the approved payouts",
        advice: BOOKS,
        repair: None,
        noun: "currency",
        source: Source::Sql(
            "select currency, concat('paid out ', sum(gone), ', approved ', sum(due)) from \
             (select currency, amount gone, 0 due from system_entries where account = 'payouts' \
              union all select currency, 0, amount from payouts where status = 'received') everything \
             group by currency having sum(gone) <> sum(due)",
        ),
    },
];
