//! Billing operations by queue and by HTTP: each once, whatever comes twice, and each answered in the same bytes.

mod operations;
mod queue;

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, User};

fn op(id: &str, kind: &str, user: &User, amount: i64) -> Value {
    json!({"operation_id": id, "type": kind, "user_id": user.id, "account": "wallet", "currency": "RUB", "amount": amount})
}

fn with(mut op: Value, more: &Value) -> Value {
    op.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    op
}

async fn with_workers(workers: u16) -> TestApp {
    TestApp::start_with(|config| config.limits.billing_workers = workers).await
}

/// A service's call.
struct Door<'a> {
    app: &'a TestApp,
    token: String,
}

impl<'a> Door<'a> {
    async fn open(app: &'a TestApp) -> Self {
        let flow = app.app().flow.clone();
        let token = app.run(async move { flow.make_service_token("shop").await.unwrap() }).await;
        Self { app, token }
    }

    async fn command(&self, op: &Value) -> Answer {
        self.app.call("POST", "/api/billing/operations?wait=5", Some(&self.token), op).await
    }

    async fn done(&self, op: &Value) -> Value {
        let answer = self.command(op).await.expect(200);
        assert_eq!(answer["status"], "done");
        answer["result"].clone()
    }

    async fn hold(&self, id: &str, user: &User, amount: i64, more: &Value) -> u64 {
        self.done(&with(op(id, "hold", user, amount), more)).await["hold_id"].as_u64().unwrap()
    }
}

async fn count(app: &TestApp, table: &'static str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}"))).fetch_one(&app.sql).await.unwrap()
}
