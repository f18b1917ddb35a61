//! A system that has lived: an order of each fate, top-ups, and every kind of billing operation.

use orderboard::domain::billing;
use orderboard::flow::Scope;
use serde_json::{Value, json};

use crate::support::{TestApp, User};

pub(super) struct Lived {
    pub(super) customer: User,
    pub(super) executor: User,
    /// Orders, by what became of them.
    pub(super) open: u64,
    pub(super) in_work: u64,
    pub(super) submitted: u64,
    pub(super) done: u64,
    pub(super) cancelled: u64,
    /// Its price was moved up, and then down a little.
    pub(super) edited: u64,
    /// Top-ups.
    pub(super) received: u64,
    pub(super) created: u64,
    /// Payouts, by what became of them.
    pub(super) asked: u64,
    pub(super) paid: u64,
    /// A hold with a time, made by another system.
    pub(super) hold: u64,
}

impl Lived {
    pub(super) async fn set(app: &TestApp) -> Self {
        let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
        let mut orders = Vec::new();
        for steps in [&[][..], &["accept"], &["accept", "submit"], &["accept", "submit", "confirm"], &["cancel"]] {
            let order = app.order(&customer, 10_000).await;
            for step in steps {
                let who = if ["accept", "submit"].contains(step) { &executor } else { &customer };
                app.act(who, order, step).await.expect(200);
            }
            orders.push(order);
        }
        let edited = app.order(&customer, 10_000).await;
        for (version, price) in [(1, 20_000), (2, 15_000)] {
            let path = format!("/api/orders/{edited}");
            app.call("PATCH", &path, Some(&customer.token), &json!({"version": version, "price": price})).await.expect(200);
        }
        let mut topups = Vec::new();
        for _ in 0..2 {
            topups.push(app.post("/api/topups", &customer, &json!({"amount": 5_000})).await.expect(201)["id"].as_u64().unwrap());
        }
        let paid = json!({"result": "paid"});
        app.post(&format!("/api/sandbox/topups/{}", topups[0]), &customer, &paid).await.expect(200);
        let mut payouts = Vec::new();
        for amount in [1_000, 2_000, 3_000] {
            let wish = json!({"amount": amount, "account": "earnings", "method": "card", "destination": "4111 1111 1111 1111"});
            payouts.push(app.post("/api/payouts", &executor, &wish).await.expect(201)["id"].as_u64().unwrap());
        }
        let admin = app.admin().await;
        app.post(&format!("/api/admin/payouts/{}/approve", payouts[1]), &admin, &Value::Null).await.expect(200);
        app.post(&format!("/api/payouts/{}/cancel", payouts[2]), &executor, &Value::Null).await.expect(200);
        let hold = billing(app, &customer, &executor).await;
        let [open, in_work, submitted, done, cancelled] = orders[..] else { panic!("five orders") };
        Self {
            customer,
            executor,
            open,
            in_work,
            submitted,
            done,
            cancelled,
            edited,
            received: topups[0],
            created: topups[1],
            asked: payouts[0],
            paid: payouts[1],
            hold,
        }
    }
}

/// Every kind of operation that other systems command, a refusal, and a second currency; the hold that is still active.
async fn billing(app: &TestApp, customer: &User, executor: &User) -> u64 {
    let on = |user: &User, currency: &str, what: &str, id: &str, amount: i64| json!({"operation_id": id, "type": what, "user_id": user.id, "account": "wallet", "currency": currency, "amount": amount});
    carry_out(app, &on(customer, "RUB", "credit", "credit", 9_000)).await;
    carry_out(app, &on(customer, "USD", "credit", "dollars", 700)).await;
    carry_out(app, &on(customer, "RUB", "debit", "debit", 1_000)).await;
    let mut transfer = on(customer, "RUB", "transfer", "transfer", 500);
    transfer["to_user_id"] = executor.id.into();
    carry_out(app, &transfer).await;
    let mut holds = Vec::new();
    for id in ["to the house", "to a user", "back", "stays"] {
        let mut hold = on(customer, "RUB", "hold", &id.replace(' ', "-"), 300);
        hold["expires_s"] = 3_600.into();
        holds.push(carry_out(app, &hold).await["result"]["hold_id"].as_u64().unwrap());
    }
    let end =
        |what: &str, hold: u64| json!({"operation_id": format!("{what}-{hold}"), "type": what, "user_id": customer.id, "hold_id": hold});
    carry_out(app, &end("capture", holds[0])).await;
    let mut to_user = end("capture", holds[1]);
    to_user["to_user_id"] = executor.id.into();
    carry_out(app, &to_user).await;
    carry_out(app, &end("release", holds[2])).await;
    let refused = answer(app, &on(customer, "RUB", "debit", "too-much", 900_000_000)).await;
    assert_eq!(refused["status"], "refused", "{refused}");
    holds[3]
}

async fn carry_out(app: &TestApp, operation: &Value) -> Value {
    let answer = answer(app, operation).await;
    assert_eq!(answer["status"], "done", "{operation}: {answer}");
    answer
}

async fn answer(app: &TestApp, operation: &Value) -> Value {
    let request = billing::read(&operation.to_string()).unwrap_or_else(|unreadable| panic!("{operation}: {unreadable:?}"));
    let flow = app.app().flow.clone();
    let answers = app.run(async move { flow.carry_out(Scope::Services, &[request], false).await.unwrap() }).await;
    serde_json::from_str(&answers[0].text).unwrap()
}
