//! Accounts and their histories.

use super::{BOOKS, CODE, Check, Repair, Source};

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "balance_negative",
        name: "no part of a balance is negative",
        advice: BOOKS,
        repair: None,
        noun: "account",
        source: Source::Sql(
            "select cast(id as char), concat('available ', available, ', held ', held) from accounts where available < 0 or held < 0",
        ),
    },
    Check {
        slug: "entry_negative",
        name: "no entry leaves a part of a balance negative",
        advice: BOOKS,
        repair: None,
        noun: "account",
        source: Source::Walk,
    },
    Check {
        slug: "entry_gap",
        name: "entries are numbered without gaps",
        advice: "an entry is missing: take it from a backup by its account and number before anything else is mended",
        repair: None,
        noun: "account",
        source: Source::Walk,
    },
    Check {
        slug: "entry_chain",
        name: "each entry's balances follow from the one before",
        advice: BOOKS,
        repair: None,
        noun: "account",
        source: Source::Walk,
    },
    Check {
        slug: "entry_time",
        name: "an account's times never go back",
        advice: "balances at a moment may be read wrong around it; look at the clocks of the nodes",
        repair: None,
        noun: "account",
        source: Source::Walk,
    },
    Check {
        slug: "account_entry",
        name: "each account is what its last entry says",
        advice: "find who changed the row; where the history is whole and fits the holds, a repair writes the row again from it",
        repair: Some(Repair::Account),
        noun: "account",
        source: Source::Sql(
            "select cast(a.id as char), concat('available ', a.available, ', held ', a.held, ', version ', a.version, '; entry: ', \
                    coalesce(concat('available ', e.available_after, ', held ', e.held_after), 'none')) \
             from accounts a left join entries e on e.account_id = a.id and e.seq = a.version \
             where (a.version > 0 and (e.seq is null or e.available_after <> a.available or e.held_after <> a.held)) \
                or (a.version = 0 and (a.available <> 0 or a.held <> 0))",
        ),
    },
    Check {
        slug: "entry_beyond",
        name: "no entry is beyond its account",
        advice: CODE,
        repair: None,
        noun: "account",
        // Each account's last entry is one look at the end of its part of the primary key.
        source: Source::Sql(
            "select cast(last.account_id as char), concat('entry ', last.seq, ', account ', coalesce(concat('at ', a.version), 'missing')) \
             from (select account_id, max(seq) seq from entries group by account_id) last left join accounts a on a.id = last.account_id \
             where a.id is null or last.seq > a.version",
        ),
    },
    Check {
        slug: "held_sum",
        name: "what is held on an account is the sum of its active holds",
        advice: "see whether the account or a hold was changed: a repair mends the one that its entries contradict",
        repair: Some(Repair::Account),
        noun: "account",
        source: Source::Sql(
            "select cast(a.id as char), concat('held ', a.held, ', active holds ', coalesce(h.amount, 0)) \
             from accounts a left join (select account_id, sum(amount) amount from holds where state = 'active' group by account_id) h \
             on h.account_id = a.id where a.held <> coalesce(h.amount, 0)",
        ),
    },
    Check {
        slug: "account_user",
        name: "each account belongs to a user",
        advice: "find out from the entries whose money it is, and bring the user's row back from a backup",
        repair: None,
        noun: "account",
        source: Source::Sql(
            "select cast(a.id as char), concat('user ', a.user_id, ', available ', a.available, ', held ', a.held) \
             from accounts a left join users u on u.id = a.user_id where u.id is null",
        ),
    },
    Check {
        slug: "account_closed",
        name: "an account is closed exactly while its user is",
        advice: "the user's row decides; a repair sets the account's flag to it",
        repair: Some(Repair::Closed),
        noun: "account",
        source: Source::Sql(
            "select cast(a.id as char), concat('user ', u.id, if(u.closed_at is null, ' is not closed', ' is closed')) \
             from accounts a join users u on u.id = a.user_id where a.is_closed <> (u.closed_at is not null)",
        ),
    },
    Check {
        slug: "closed_moved",
        name: "after a user's closing money only leaves holds",
        advice: "see who moved it after the closing, and whether the closing or the move should be taken back",
        repair: None,
        noun: "account",
        // A minute for the clocks of nodes: times are theirs, and an operation may have begun before the closing. Work that was
        // done is paid, out of a customer's hold; and a payment that arrives is credited.
        source: Source::Sql(
            "select cast(a.id as char), concat('entry ', e.seq, ' ', e.kind, ' at ', e.created_at) from users u \
             join accounts a on a.user_id = u.id join entries e on e.account_id = a.id and e.created_at > u.closed_at + interval 60 second \
             where u.closed_at is not null and e.kind not in ('payout', 'sweep', 'topup') \
               and not (e.held_delta < 0 and e.available_delta in (0, -e.held_delta))",
        ),
    },
];
