//! Billing against a model: random sequences of operations (duplicates, mismatches, refusals, several in one
//! transaction) are applied to the real thing and to a few maps in memory. After each step both must agree to the last
//! kopeck and version, and the books must hold.
//!
//! Seeded: `MODEL_SEED` (a number) and `MODEL_CASES` choose another run. A failing sequence is shrunk.

mod maps;
mod steps;

use std::collections::BTreeMap;

use orderboard::flow::{Flow, Scope};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde_json::Value;
use sqlx::mysql::MySqlPool;

use self::maps::{Expected, Model};
use self::steps::{Step, sequence};
use crate::support::TestApp;

const CASES: u32 = 30;
/// Together more than ten thousand operations.
const STEPS: usize = 130;
const GROUP_MAX: usize = 6;

/// The real thing, with what a sequence needs of it.
struct Real {
    app: TestApp,
    token: String,
}

#[test]
fn random_sequences_leave_what_a_simple_model_leaves() {
    let seed: u64 = std::env::var("MODEL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_250_117);
    let cases = std::env::var("MODEL_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES);
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config { cases, max_shrink_iters: 300, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let real = runtime.block_on(async {
        let app = TestApp::start().await;
        let flow = app.app().flow.clone();
        let token = app.run(async move { flow.make_service_token("model").await.unwrap() }).await;
        Real { app, token }
    });
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let counted = std::cell::RefCell::new(&mut seen);
    let ran = TestRunner::new_with_rng(config, rng)
        .run(&sequence(STEPS, GROUP_MAX), |steps| runtime.block_on(compare(&real, &steps, &mut counted.borrow_mut())));
    match ran {
        Ok(()) => {}
        Err(TestError::Fail(why, steps)) => panic!("MODEL_SEED={seed}: {why}\nafter {} groups, the last: {:#?}", steps.len(), steps.last()),
        Err(error) => panic!("MODEL_SEED={seed}: {error}"),
    }
    runtime.block_on(real.app.assert_books_balance());
    let operations: u64 = seen.values().sum();
    println!("model: seed {seed}, {operations} operations: {seen:?}");
    let told = |name: &str| seen.get(name).copied().unwrap_or(0);
    assert!(cases < CASES || operations >= 10_000, "{operations}");
    // A run that never met a case proves nothing about it.
    for name in [
        "done",
        "repeated",
        "mismatch",
        "insufficient_funds",
        "invalid",
        "unknown_user",
        "user_closed",
        "unknown_hold",
        "hold_resolved",
        "currency_mismatch",
        "amount_mismatch",
        "self_transfer",
    ] {
        assert!(told(name) > 0, "no {name} in {seen:?}");
    }
    real.app.kill();
}

async fn compare(real: &Real, steps: &[Vec<Step>], seen: &mut BTreeMap<String, u64>) -> Result<(), TestCaseError> {
    let app = &real.app;
    let mut users = Vec::new();
    for credit in [50_000, 500, 0, 700] {
        users.push(app.customer(credit).await.id);
    }
    let closed = users[3];
    let flow = app.app().flow.clone();
    app.run(async move { flow.close_user(closed).await.unwrap() }).await;
    let mut model = Model::new(&users, closed, &[50_000, 500, 0, 700]);
    // Ids of this sequence only: shrinking runs it again and again on one database.
    let tag = crate::support::random_name();
    for (number, group) in steps.iter().enumerate() {
        let ops: Vec<Value> = group.iter().map(|step| model.op(step, &tag)).collect();
        let before = state(&app.sql).await;
        let expected: Vec<Expected> = ops.iter().map(|op| model.apply(op)).collect();
        let answers = if ops.len() == 1 && number % 2 == 0 { by_http(real, &ops[0]).await } else { by_flow(app, &ops).await };
        for ((op, expected), answer) in ops.iter().zip(&expected).zip(&answers) {
            *seen.entry(expected.name().to_owned()).or_default() += 1;
            model.learn(op, expected, answer).map_err(TestCaseError::fail)?;
        }
        if !expected.iter().any(Expected::is_done) {
            let after = state(&app.sql).await;
            if after != before {
                return Err(TestCaseError::fail(format!("refusals changed something: {before:?} {after:?}")));
            }
        }
        same(&app.sql, &model).await.map_err(TestCaseError::fail)?;
    }
    Ok(())
}

async fn by_flow(app: &TestApp, ops: &[Value]) -> Vec<String> {
    let requests: Vec<_> = ops.iter().map(|op| orderboard::domain::billing::read(&op.to_string()).unwrap()).collect();
    let flow: Flow = app.app().flow.clone();
    let answers = app.run(async move { flow.carry_out(Scope::Services, &requests, false).await.unwrap() }).await;
    answers.into_iter().map(|answer| answer.text).collect()
}

/// A refusal's answer is inside the problem.
async fn by_http(real: &Real, op: &Value) -> Vec<String> {
    let answer = real.app.call("POST", "/api/billing/operations?wait=1", Some(&real.token), op).await;
    let told = answer.json();
    vec![if answer.status == 200 { answer.text() } else { told["answer"].to_string() }]
}

/// Everything that a refusal must leave alone.
async fn state(sql: &MySqlPool) -> Vec<i64> {
    let mut state = Vec::new();
    for table in ["accounts", "holds", "outgoing"] {
        let row: (String, i64) = sqlx::query_as(sqlx::AssertSqlSafe(format!("checksum table {table}"))).fetch_one(sql).await.unwrap();
        state.push(row.1);
    }
    let counts: (i64, i64) =
        sqlx::query_as("select (select count(*) from entries), (select count(*) from system_entries)").fetch_one(sql).await.unwrap();
    state.extend([counts.0, counts.1]);
    state
}

/// The database holds what the model holds, nothing is negative, held is what the active holds say, and money is conserved.
async fn same(sql: &MySqlPool, model: &Model) -> Result<(), String> {
    let users: Vec<String> = model.users().iter().map(u64::to_string).collect();
    let rows: Vec<(u64, String, String, i64, i64, u64)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select user_id, kind, currency, available, held, version from accounts where user_id in ({})",
        users.join(",")
    )))
    .fetch_all(sql)
    .await
    .unwrap();
    model.agrees(&rows)?;
    let wrong: Vec<String> = sqlx::query_scalar(
        "select concat('account ', a.id, ' held ', a.held) from accounts a left join \
         (select account_id, sum(amount) amount from holds where state = 'active' group by account_id) h on h.account_id = a.id \
         where a.held <> coalesce(h.amount, 0) or a.available < 0 or a.held < 0",
    )
    .fetch_all(sql)
    .await
    .unwrap();
    let off: Vec<String> = sqlx::query_scalar(
        "select concat(currency, ' ', sum(amount)) from (select currency, available + held as amount from accounts \
         union all select currency, amount from system_entries) as everything group by currency having sum(amount) <> 0",
    )
    .fetch_all(sql)
    .await
    .unwrap();
    if wrong.is_empty() && off.is_empty() { Ok(()) } else { Err(format!("{wrong:?} {off:?}")) }
}
