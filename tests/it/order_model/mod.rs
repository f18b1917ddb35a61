//! Orders against a model: random sequences of everything that customers, executors and admins do with them are played on the real
//! thing by HTTP and on a few structs in memory. Each answer must be the model's, with its code and its figures; after every few
//! calls the orders, their holds, applications and events, the accounts to the last entry and everybody's statistics must be, too;
//! and in the end the audit finds nothing.
//!
//! Seeded: `MODEL_SEED` (a number) and `MODEL_CASES` choose another run. A failing sequence is shrunk.

mod acts;
mod board;
mod compare;
mod split;
mod steps;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde_json::Value;

use self::acts::{Call, Model, Person};
use self::board::Expected;
use self::steps::{Step, sequence};
use crate::support::{Answer, Request, TestApp, User};

const CASES: u32 = 24;
const GROUPS: usize = 90;
const GROUP_MAX: usize = 4;
/// Three customers, three executors, one of each in the other role, an admin.
const PEOPLE: usize = 9;
/// What the customers have to begin with.
const CREDITS: [i64; 3] = [200_000, 30_000, 900];

/// How often what was answered.
type Seen = BTreeMap<(String, &'static str), u64>;

#[test]
fn random_sequences_of_calls_are_answered_and_leave_what_a_simple_model_does() {
    let seed: u64 = std::env::var("MODEL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_130);
    let cases = std::env::var("MODEL_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES);
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config { cases, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // Nobody but the sequence confirms what is due.
    let app = runtime.block_on(TestApp::start_with(|config| config.is_worker = false));
    let seen = RefCell::new(Seen::new());
    let ran = TestRunner::new_with_rng(config, rng)
        .run(&sequence(GROUPS, GROUP_MAX), |groups| runtime.block_on(play(&app, &groups, &mut seen.borrow_mut())));
    match ran {
        Ok(()) => {}
        Err(TestError::Fail(why, groups)) => panic!("MODEL_SEED={seed}: {why}\nafter {} groups: {groups:#?}", groups.len()),
        Err(error) => panic!("MODEL_SEED={seed}: {error}"),
    }
    runtime.block_on(app.assert_books_balance());
    let flow = app.app().flow.clone();
    let findings = runtime.block_on(app.run(async move { flow.audit().await.unwrap() }));
    let broken: Vec<_> = findings.iter().filter(|finding| !finding.violations.is_empty()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let seen = seen.into_inner();
    let calls: u64 = seen.values().sum();
    println!("model: seed {seed}, {calls} calls");
    assert!(cases < CASES || calls >= 4_000, "{calls}");
    if cases >= CASES {
        assert_everything_was_met(&seen);
    }
    app.kill();
}

/// A run that never met a case proves nothing about it.
fn assert_everything_was_met(seen: &Seen) {
    let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
    let mut acts: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for ((act, code), count) in seen {
        *codes.entry(code).or_default() += count;
        acts.entry(act).or_default()[usize::from(*code != "done")] += count;
    }
    println!("{codes:?}\n{acts:?}");
    for code in [
        "done",
        "repeated",
        "mismatch",
        "invalid",
        "forbidden",
        "not_found",
        "insufficient_funds",
        "changed",
        "stale",
        "taken",
        "frozen",
        "cancelled",
        "own_order",
        "first_taker",
        "disputed",
        "not_disputed",
    ] {
        assert!(codes.contains_key(code), "no {code}");
    }
    for (act, [done, refused]) in &acts {
        assert!(*done > 0, "no {act} was done");
        assert!(*refused > 0 || *act == "due", "no {act} was refused");
    }
    assert_eq!(acts.len(), 17, "{acts:?}");
}

/// The real thing, with what a sequence needs of it.
struct Real<'a> {
    app: &'a TestApp,
    sessions: Vec<User>,
    /// Answers by what kind of call, user and key.
    answers: HashMap<(String, u64, String), Answer>,
}

async fn play(app: &TestApp, groups: &[Vec<Step>], seen: &mut Seen) -> Result<(), TestCaseError> {
    let mut sessions = Vec::new();
    for credit in CREDITS {
        sessions.push(app.customer(credit).await);
    }
    sessions.extend(app.executors(3).await);
    sessions.push(app.also(&sessions[0], "executor").await);
    sessions.push(app.also(&sessions[3], "customer").await);
    sessions.push(app.admin().await);
    const ROLES: [&str; PEOPLE] = ["customer", "customer", "customer", "executor", "executor", "executor", "executor", "customer", "admin"];
    let people = sessions.iter().zip(ROLES).map(|(session, role)| Person { user: session.id, role }).collect();
    let credits: Vec<(u64, i64)> = sessions.iter().zip(CREDITS).map(|(session, credit)| (session.id, credit)).collect();
    let mut model = Model::new(people, &credits);
    let mut real = Real { app, sessions, answers: HashMap::new() };
    // As the model begins.
    let policy = serde_json::json!({"rate_bp": 1_000, "floor_bp": 800, "mode": "round"});
    app.call("PUT", "/api/admin/commission", Some(&real.sessions[8].token), &policy).await.expect(200);
    for group in groups {
        for step in group {
            let (call, expected) = model.play(step);
            let act = call.path.rsplit('/').next().unwrap_or_default();
            let act = match call.method {
                "" => "due",
                "PATCH" => "edit",
                _ => act,
            };
            *seen.entry((act.to_owned(), expected.name())).or_default() += 1;
            real.make(&mut model, &call, &expected).await.map_err(TestCaseError::fail)?;
        }
        compare::same(&app.sql, &model).await.map_err(TestCaseError::fail)?;
    }
    Ok(())
}

impl Real<'_> {
    /// Makes the call and compares its answer with what it must be.
    async fn make(&mut self, model: &mut Model, call: &Call, expected: &Expected) -> Result<(), String> {
        if let Expected::Confirmed(count) = expected {
            return self.confirm_due(&call.path, *count).await;
        }
        let session = &self.sessions[call.who];
        let mut request = Request::new(call.method, &call.path).bearer(Some(&session.token));
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        let answer = self.app.send(&request.json(&call.body)).await;
        let told = answer.json();
        let complain = || Err(format!("{call:?}\nexpected {expected:?}\nanswered {} {}", answer.status, answer.text()));
        let key = call.key.clone().map(|key| (call.path.rsplit('/').next().unwrap_or_default().to_owned(), session.id, key));
        // Edits are kept apart by their method, choices by their path's end; of one key there is one order.
        let key = key.map(|(end, user, key)| (if call.method == "PATCH" { "edit".to_owned() } else { end }, user, key));
        match expected {
            Expected::Done(status, members) => {
                if answer.status != *status || !says(&told, members) {
                    return complain();
                }
                if call.path == "/api/orders" {
                    model.orders.last_mut().unwrap().id = told["id"].as_u64().unwrap();
                }
            }
            Expected::Refused(status, code, members) => {
                if answer.status != *status || told["code"] != *code || !says(&told, members) {
                    return complain();
                }
            }
            Expected::Repeated => {
                let first = key.as_ref().and_then(|key| self.answers.get(key));
                let is_same = first.is_some_and(|first| first.status == answer.status && first.json() == told);
                return if is_same { Ok(()) } else { complain() };
            }
            Expected::Confirmed(_) => {}
        }
        if let Some(key) = key.filter(|_| told["code"] != "mismatch") {
            self.answers.insert(key, answer);
        }
        Ok(())
    }

    /// The time to object is over, and the job that looks for that comes by.
    async fn confirm_due(&self, id: &str, count: usize) -> Result<(), String> {
        sqlx::query("update orders set confirm_by = utc_timestamp(6) - interval 1 hour where id = ? and confirm_by is not null")
            .bind(id)
            .execute(&self.app.sql)
            .await
            .unwrap();
        let flow = self.app.app().flow.clone();
        let confirmed = self.app.run(async move { flow.confirm_overdue(100).await.unwrap() }).await;
        if confirmed == count { Ok(()) } else { Err(format!("{confirmed} confirmed instead of {count}, order {id}")) }
    }
}

/// Whether an answer has these members, and those that are objects at least these.
fn says(told: &Value, members: &Value) -> bool {
    match (told, members) {
        (Value::Object(told), Value::Object(members)) => members.iter().all(|(name, value)| {
            told.get(name).is_some_and(|told| if name == "changes" { same_changes(told, value) } else { says(told, value) })
        }),
        (told, members) => told == members,
    }
}

/// All that has changed and nothing else; of an application, at least what the model knows of it.
fn same_changes(told: &Value, changes: &Value) -> bool {
    let (Some(told), Some(changes)) = (told.as_object(), changes.as_object()) else { return false };
    told.len() == changes.len() && changes.iter().all(|(name, change)| told.get(name).is_some_and(|told| says(told, change)))
}
