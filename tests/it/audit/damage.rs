//! Every class of damage, planted by hand in the tables of a healthy system: all of it is found, under its name, and
//! nothing else is alarmed but what the damage truly implies; what is safe is mended, and the rest left as it is.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection};

use super::scene::Lived;
use super::{assert_clean, audit, broken, repair};
use crate::support::TestApp;

/// One kind of damage.
pub(super) struct Damage {
    /// The class under which it must be found, and who must be named.
    pub(super) slug: &'static str,
    pub(super) subject: String,
    /// Other classes that the same damage breaks.
    implied: &'static [&'static str],
    /// Statements that plant it.
    pub(super) harm: Vec<String>,
    /// How the operation begins that mends it; nothing where a person must decide.
    pub(super) mended_by: Option<&'static str>,
}

fn left(slug: &'static str, subject: impl Into<String>, implied: &'static [&'static str], harm: &[&str]) -> Damage {
    let harm = harm.iter().map(|&sql| sql.to_owned()).collect();
    Damage { slug, subject: subject.into(), implied, harm, mended_by: None }
}

fn mended(slug: &'static str, subject: impl Into<String>, implied: &'static [&'static str], by: &'static str, harm: &[&str]) -> Damage {
    Damage { mended_by: Some(by), ..left(slug, subject, implied, harm) }
}

/// The catalogue of damages to a system that has lived; `wallet` and `earnings` are the customer's and the executor's.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn damages(at: &Lived, wallet: u64, earnings: u64) -> Vec<Damage> {
    let Lived { open, in_work, submitted, done, cancelled, edited, chosen, wanted, received, created, asked, paid, hold, .. } = *at;
    let (customer, executor) = (at.customer.id, at.executor.id);
    let order = |id: u64| format!("order {id}");
    let account = |id: u64| format!("account {id}");
    let past = "utc_timestamp(6) - interval 2 minute";
    let new_hold = |values: &str| {
        format!("insert into holds (id, account_id, amount, state, created_at, resolved_at, operation_id) values (9999, {values})")
    };
    let over = |id: u64, status: &str| {
        format!("update orders set status = '{status}', submitted_at = utc_timestamp(6), finished_at = utc_timestamp(6) where id = {id}")
    };
    let all: Vec<Damage> = vec![
        left(
            "money_total",
            "currency RUB",
            &["operation_sum"],
            &[&format!("update system_entries set amount = amount - 1 where operation_id = 'topup:{received}'")],
        ),
        left(
            "commission_total",
            "currency RUB",
            &[],
            &[
                "insert into operations (id, kind, body_hash, outcome, result, created_at) values ('hand', 'hand', unhex(repeat('00', 32)), 'done', '{}', utc_timestamp(6))",
                "insert into system_entries (operation_id, line, account, currency, amount, created_at) values \
             ('hand', 0, 'commission', 'RUB', 5, utc_timestamp(6)), ('hand', 1, 'gateway', 'RUB', -5, utc_timestamp(6))",
            ],
        ),
        left(
            "operation_sum",
            format!("operation b:release-{}", hold - 1),
            &["money_total"],
            &[&format!(
                "update entries e join accounts a on a.id = e.account_id and a.version = e.seq set e.available_delta = e.available_delta + 1, \
                      e.available_after = e.available_after + 1, a.available = a.available + 1 where a.id = {wallet}"
            )],
        ),
        left(
            "operation_currency",
            format!("operation topup:{received}"),
            &["operation_sum", "money_total"],
            &[&format!("update system_entries set currency = 'EUR' where operation_id = 'topup:{received}'")],
        ),
        left(
            "operation_empty",
            "operation hand",
            &[],
            &[
                "insert into operations (id, kind, body_hash, outcome, result, created_at) values ('hand', 'credit', unhex(repeat('00', 32)), 'done', '{}', utc_timestamp(6))",
            ],
        ),
        left("entry_orphan", format!("operation settle:{done}"), &[], &[&format!("delete from operations where id = 'settle:{done}'")]),
        left(
            "entry_orphan",
            format!("operation settle:{done}"),
            &[],
            &[&format!("update operations set outcome = 'refused' where id = 'settle:{done}'")],
        ),
        left(
            "operation_shape",
            format!("operation settle:{done}"),
            &[],
            &[&format!("update operations set kind = 'release' where id = 'settle:{done}'")],
        ),
        left(
            "operation_shape",
            format!("operation settle:{done}"),
            &[],
            &[&format!("update operations set kind = 'topup_request' where id = 'settle:{done}'")],
        ),
        left(
            "operation_pending",
            "operation hand",
            &[],
            &[
                "insert into operations (id, kind, body_hash, created_at) values ('hand', 'credit', unhex(repeat('00', 32)), utc_timestamp(6))",
            ],
        ),
        left(
            "outgoing_stuck",
            "operation b:credit",
            &[],
            &[&format!("insert into outgoing (operation_id, created_at) values ('b:credit', {past})")],
        ),
        mended(
            "balance_negative",
            account(wallet),
            &["account_entry", "money_total"],
            "repair:account_entry:",
            &[&format!("update accounts set available = -1 where id = {wallet}")],
        ),
        left(
            "entry_negative",
            account(wallet),
            &["operation_sum"],
            &[
                &format!(
                    "update entries set available_delta = available_delta - 2000000, available_after = available_after - 2000000 where account_id = {wallet} and seq = 3"
                ),
                &format!("update entries set available_delta = available_delta + 2000000 where account_id = {wallet} and seq = 4"),
            ],
        ),
        left(
            "entry_gap",
            account(wallet),
            &[],
            &[
                &format!("update entries set seq = seq + 1 where account_id = {wallet} and seq > 2 order by seq desc"),
                &format!("update accounts set version = version + 1 where id = {wallet}"),
            ],
        ),
        left(
            "entry_chain",
            account(wallet),
            &[],
            &[&format!("update entries set available_after = available_after + 1 where account_id = {wallet} and seq = 2")],
        ),
        left(
            "entry_time",
            account(wallet),
            &[],
            &[&format!("update entries set created_at = created_at + interval 1 day where account_id = {wallet} and seq = 2")],
        ),
        mended(
            "account_entry",
            account(wallet),
            &["money_total"],
            "repair:account_entry:",
            &[&format!("update accounts set available = available + 1 where id = {wallet}")],
        ),
        left(
            "account_entry",
            account(wallet),
            &["money_total", "entry_chain"],
            &[
                &format!("update entries set available_after = available_after + 1 where account_id = {wallet} and seq = 2"),
                &format!("update accounts set available = available + 1 where id = {wallet}"),
            ],
        ),
        left("entry_beyond", account(earnings), &["account_entry"], &[&format!("update accounts set version = 0 where id = {earnings}")]),
        mended(
            "held_sum",
            account(wallet),
            &["account_entry"],
            "repair:account_entry:",
            &[&format!("update accounts set held = held + 5, available = available - 5 where id = {wallet}")],
        ),
        left("held_sum", account(wallet), &[], &[&new_hold(&format!("{wallet}, 5, 'active', utc_timestamp(6), null, null"))]),
        left(
            "account_user",
            account(9_999),
            &[],
            &["insert into accounts (id, user_id, kind, currency) values (9999, 999999, 'wallet', 'RUB')"],
        ),
        mended(
            "account_closed",
            account(earnings),
            &[],
            "repair:account_closed:",
            &[&format!("update users set closed_at = utc_timestamp(6) where id = {executor}")],
        ),
        left(
            "closed_moved",
            account(wallet),
            &[],
            &[
                &format!("update users set closed_at = utc_timestamp(6) - interval 1 day where id = {customer}"),
                &format!("update accounts set is_closed = true where user_id = {customer}"),
            ],
        ),
        left(
            "hold_positive",
            "hold 9999",
            &[],
            &[&new_hold(&format!("{wallet}, 0, 'released', utc_timestamp(6), utc_timestamp(6), null"))],
        ),
        left("hold_account", "hold 9999", &[], &[&new_hold("999999, 5, 'released', utc_timestamp(6), utc_timestamp(6), null")]),
        left(
            "hold_operation",
            "hold 9999",
            &["hold_entry"],
            &[&new_hold(&format!("{wallet}, 5, 'released', utc_timestamp(6), utc_timestamp(6), 'nothing'"))],
        ),
        left(
            "hold_entry",
            "hold 9999",
            &[],
            &[&new_hold(&format!("{wallet}, 5, 'released', utc_timestamp(6), utc_timestamp(6), 'topup:{received}'"))],
        ),
        left(
            "hold_resolved",
            format!("hold {hold}"),
            &[],
            &[&format!("update holds set resolved_at = utc_timestamp(6) where id = {hold}")],
        ),
        mended(
            "hold_expired",
            format!("hold {hold}"),
            &[],
            "expire:",
            &[&format!("update holds set expires_at = {past} where id = {hold}")],
        ),
        left(
            "hold_expired",
            "hold 9999",
            &["held_sum"],
            &[
                &new_hold(&format!("{wallet}, 5, 'active', utc_timestamp(6), null, null")),
                &format!("update holds set expires_at = {past} where id = 9999"),
            ],
        ),
        mended(
            "order_hold",
            order(open),
            &["held_sum"],
            "repair:hold:",
            &[&format!("update holds set state = 'released', resolved_at = utc_timestamp(6) where order_id = {open}")],
        ),
        left(
            "order_hold",
            order(open),
            &["held_sum", "hold_entry"],
            &[&format!("update holds set amount = amount - 1 where order_id = {open}")],
        ),
        left("order_hold", order(open), &["held_sum"], &[&format!("delete from holds where order_id = {open}")]),
        mended(
            "order_captured",
            order(done),
            &[],
            "repair:hold:",
            &[&format!("update holds set state = 'released' where order_id = {done}")],
        ),
        mended(
            "order_captured",
            order(in_work),
            &["order_moves", "executor_paid", "commission_kept", "commission_total"],
            "settle:",
            &[&over(in_work, "done")],
        ),
        mended(
            "order_released",
            order(cancelled),
            &[],
            "repair:hold:",
            &[&format!("update holds set state = 'captured' where order_id = {cancelled}")],
        ),
        mended("order_released", order(open), &["order_moves"], "release:", &[&over(open, "cancelled")]),
        left(
            "order_released",
            order(done),
            &["order_moves", "executor_paid", "commission_kept", "commission_total", "order_executor"],
            &[&format!("update orders set status = 'cancelled' where id = {done}")],
        ),
        left("order_wallet", order(open), &[], &[&format!("update orders set customer_id = {executor} where id = {open}")]),
        left(
            "order_moves",
            order(open),
            &[],
            &[&format!("update entries set order_id = {open} where operation_id = 'release:{cancelled}'")],
        ),
        left(
            "order_amount",
            order(edited),
            &[],
            &[&format!("update entries set order_id = null where order_id = {edited} and kind = 'adjust' and held_delta < 0")],
        ),
        left(
            "order_amount",
            order(done),
            &["order_captured", "executor_paid"],
            &[&format!("update orders set price = price + 1, payout = payout + 1 where id = {done}")],
        ),
        left("order_applicants", order(wanted), &[], &[&format!("update orders set applicants = 2 where id = {wanted}")]),
        left("order_applicants", order(wanted), &[], &[&format!("update applications set status = 'declined' where order_id = {wanted}")]),
        left(
            "order_chosen",
            order(chosen),
            &[],
            &[&format!("update applications set price = price + 1, payout = payout + 1 where order_id = {chosen}")],
        ),
        left("order_chosen", order(chosen), &[], &[&format!("update applications set status = 'declined' where order_id = {chosen}")]),
        left("order_times", order(open), &[], &[&format!("update orders set disputed_at = utc_timestamp(6) where id = {open}")]),
        left(
            "executor_paid",
            order(done),
            &[],
            &[&format!("update entries set order_id = null where operation_id = 'settle:{done}' and kind = 'payout'")],
        ),
        left("executor_paid", order(done), &["order_people"], &[&format!("update orders set executor_id = {customer} where id = {done}")]),
        left(
            "commission_kept",
            order(done),
            &[],
            &[&format!("update system_entries set order_id = {cancelled} where operation_id = 'settle:{done}'")],
        ),
        left("order_executor", order(open), &[], &[&format!("update orders set executor_id = {executor} where id = {open}")]),
        left("order_executor", order(in_work), &[], &[&format!("update orders set executor_id = null where id = {in_work}")]),
        left("order_people", order(in_work), &[], &[&format!("update orders set executor_id = {customer} where id = {in_work}")]),
        left("order_split", order(open), &[], &[&format!("update orders set payout = payout - 1 where id = {open}")]),
        left("order_times", order(done), &[], &[&format!("update orders set finished_at = null where id = {done}")]),
        mended(
            "order_overdue",
            order(submitted),
            &[],
            "settle:",
            &[&format!("update orders set confirm_by = {past} where id = {submitted}")],
        ),
        left("order_texts", order(done), &[], &[&format!("delete from order_texts where order_id = {done}")]),
        mended(
            "topup_credited",
            format!("top-up {created}"),
            &[],
            "topup:",
            &[&format!("update topups set status = 'received', resolved_at = utc_timestamp(6) where id = {created}")],
        ),
        left(
            "topup_credited",
            format!("top-up {received}"),
            &[],
            &[&format!("update topups set amount = amount + 1 where id = {received}")],
        ),
        left(
            "topup_credited",
            format!("top-up {received}"),
            &[],
            &[&format!("update topups set status = 'rejected' where id = {received}")],
        ),
        left(
            "payout_once",
            format!("payout {paid}"),
            &["payouts_total"],
            &[
                &format!(
                    "insert into operations (id, kind, body_hash, outcome, result, created_at) \
                      select 'hand', kind, body_hash, outcome, result, created_at from operations where id = 'payout-approve:{paid}'"
                ),
                &format!(
                    "insert into entries (account_id, seq, operation_id, kind, available_delta, held_delta, available_after, held_after, payout_id, created_at) \
                      select a.id, a.version + 1, 'hand', 'withdrawal', -p.amount, 0, a.available - p.amount, a.held, p.id, a.changed_at \
                      from payouts p join accounts a on a.id = p.account_id where p.id = {paid}"
                ),
                &format!(
                    "insert into system_entries (operation_id, line, account, currency, amount, created_at) \
                      select 'hand', 0, 'payouts', currency, amount, utc_timestamp(6) from payouts where id = {paid}"
                ),
                &format!(
                    "update accounts a join payouts p on p.account_id = a.id set a.version = a.version + 1, a.available = a.available - p.amount \
                      where p.id = {paid}"
                ),
            ],
        ),
        left(
            "payout_once",
            format!("payout {asked}"),
            &["payout_hold", "payouts_total"],
            &[&format!("update payouts set status = 'received', decided_by = user_id, decided_at = utc_timestamp(6) where id = {asked}")],
        ),
        left(
            "payout_hold",
            format!("payout {paid}"),
            &[],
            &[&format!("update holds h join payouts p on p.hold_id = h.id set h.state = 'released' where p.id = {paid}")],
        ),
        mended(
            "statistics",
            format!("user {customer}"),
            &[],
            "repair:statistics:",
            &[&format!("update user_statistics set orders_created = orders_created + 1, money_in_orders = 7 where user_id = {customer}")],
        ),
        mended(
            "statistics",
            format!("user {executor}"),
            &[],
            "repair:statistics:",
            &[&format!("delete from user_statistics where user_id = {executor}")],
        ),
        left("payout_account", format!("payout {asked}"), &[], &[&format!("update payouts set user_id = {customer} where id = {asked}")]),
        left(
            "payouts_total",
            "currency RUB",
            &["operation_shape"],
            &[&format!("update system_entries set account = 'gateway' where operation_id = 'payout-approve:{paid}'")],
        ),
    ];
    all
}

/// Tables with their rows as they were, to be put back after each damage.
struct Kept(MySqlConnection);

impl Kept {
    async fn keep(app: &TestApp) -> Self {
        let mut connection = MySqlConnection::connect(&app.config.database_url).await.unwrap();
        // What the server itself would never let in.
        connection.execute("set check_constraint_checks = 0").await.unwrap();
        let tables: Vec<String> = sqlx::query_scalar(
            "select cast(table_name as char) from information_schema.tables \
             where table_schema = database() and table_name not in ('_sqlx_migrations', 'sessions', 'settings', 'categories')",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        for table in tables {
            connection.execute(AssertSqlSafe(format!("create table kept_{table} as select * from {table}"))).await.unwrap();
        }
        Self(connection)
    }

    async fn harm(&mut self, sql: &str) {
        let done = self.0.execute(AssertSqlSafe(sql.to_owned())).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(done.rows_affected() > 0, "damaged nothing: {sql}");
    }

    async fn put_back(&mut self) {
        let kept: Vec<String> = sqlx::query_scalar(
            r"select cast(table_name as char) from information_schema.tables where table_schema = database() and table_name like 'kept\_%'",
        )
        .fetch_all(&mut self.0)
        .await
        .unwrap();
        for kept in kept {
            let table = kept.trim_start_matches("kept_");
            self.0.execute(AssertSqlSafe(format!("delete from {table}"))).await.unwrap();
            self.0.execute(AssertSqlSafe(format!("insert into {table} select * from {kept}"))).await.unwrap();
        }
    }
}

pub(super) async fn account_id(app: &TestApp, user_id: u64, kind: &str) -> u64 {
    sqlx::query_scalar("select id from accounts where user_id = ? and kind = ? and currency = 'RUB'")
        .bind(user_id)
        .bind(kind)
        .fetch_one(&app.sql)
        .await
        .unwrap()
}

#[tokio::test]
async fn each_kind_of_damage_is_found_by_name_and_mended_where_that_is_safe() {
    // No job mends anything before the audit has seen it.
    let app = TestApp::start_with(|config| {
        config.is_worker = false;
        config.limits.billing_resend_ms = 3_600_000;
    })
    .await;
    let lived = Lived::set(&app).await;
    let (wallet, earnings) = (account_id(&app, lived.customer.id, "wallet").await, account_id(&app, lived.executor.id, "earnings").await);
    let healthy = audit(&app).await;
    assert_clean(&healthy);
    let mut kept = Kept::keep(&app).await;
    let mut planted = BTreeSet::new();
    for damage in damages(&lived, wallet, earnings) {
        let Damage { slug, subject, implied, harm, mended_by } = damage;
        for sql in &harm {
            kept.harm(sql).await;
        }
        let what = harm.join("; ");
        let findings = audit(&app).await;
        let expected: BTreeSet<&str> = implied.iter().copied().chain([slug]).collect();
        assert_eq!(broken(&findings), expected, "after {what}\n{:#?}", faults(&findings));
        let finding = findings.iter().find(|finding| finding.slug == slug).unwrap();
        assert!(finding.violations.iter().any(|violation| violation.subject == subject), "{subject} after {what}: {finding:?}");
        assert!(finding.advice.is_some());

        let before = app.fingerprint().await;
        let repaired = repair(&app).await;
        match mended_by {
            Some(by) => {
                assert!(repaired.mended.iter().any(|mended| mended.operation_id.starts_with(by)), "after {what}: {repaired:#?}");
                assert_clean(&repaired.findings);
                app.assert_books_balance().await;
                for mended in &repaired.mended {
                    let result: String = sqlx::query_scalar("select result from operations where id = ? and outcome = 'done'")
                        .bind(&mended.operation_id)
                        .fetch_one(&app.sql)
                        .await
                        .unwrap();
                    assert!(!result.is_empty());
                }
            }
            None => {
                assert!(repaired.mended.is_empty(), "after {what}: {repaired:#?}");
                assert_eq!(broken(&repaired.findings), expected, "after {what}");
                assert_eq!(app.fingerprint().await, before, "a repair that mended nothing changed something after {what}");
            }
        }
        let again = repair(&app).await;
        assert!(again.mended.is_empty(), "a second repair after {what}: {again:#?}");
        planted.insert(slug);
        kept.put_back().await;
        assert_clean(&audit(&app).await);
    }
    let missing: Vec<_> = healthy.iter().map(|finding| finding.slug).filter(|slug| !planted.contains(slug)).collect();
    assert!(missing.is_empty(), "never planted: {missing:?}");
}

fn faults(findings: &[orderboard::flow::Finding]) -> Vec<String> {
    findings.iter().flat_map(|finding| finding.violations.iter().map(|violation| format!("{}: {violation:?}", finding.slug))).collect()
}
