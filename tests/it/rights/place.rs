//! The place where the questions are asked: people, and something fresh of the kind that a question is about.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::{TestApp, User, random_name};

/// Who asks: `customer` and `executor` are those whose order, contract, payout or session it is.
pub(super) const PEOPLE: [&str; 6] = ["guest", "customer", "executor", "other customer", "other executor", "admin"];

pub(super) struct Place {
    pub(super) app: TestApp,
    people: HashMap<&'static str, User>,
    /// What nobody may read whom it does not concern: a contract's title, where a payout goes, an applicant's words, an address.
    pub(super) secrets: Vec<String>,
    destination: String,
    offer: String,
}

/// What stands for the words in braces of a row.
pub(super) struct Thing(Vec<(&'static str, String)>);

impl Thing {
    pub(super) fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }
}

impl Place {
    pub(super) async fn open() -> Self {
        let app = TestApp::start().await;
        let people = HashMap::from([
            ("customer", app.customer(100_000_000).await),
            ("executor", app.executor().await),
            ("other customer", app.customer(100_000_000).await),
            ("other executor", app.executor().await),
            ("admin", app.admin().await),
        ]);
        let (destination, offer) = (format!("account {}", random_name()), format!("offer {}", random_name()));
        let mut place = Self { app, people, secrets: Vec::new(), destination, offer };
        place.keep_secrets().await;
        place
    }

    /// There is one of each from the start.
    async fn keep_secrets(&mut self) {
        let contract = format!("contract {}", random_name());
        let (customer, executor) = (self.person("customer"), self.person("executor"));
        let id = self.app.create_order(customer, 10_000, &json!({"title": contract})).await["id"].as_u64().unwrap();
        self.app.accept(executor, id).await.expect(200);
        self.app.act(executor, id, "submit").await.expect(200);
        self.make("payout").await;
        self.make("applied").await;
        let me = self.app.get("/api/me", customer).await.expect(200);
        let email = me["user"]["email"].as_str().unwrap().to_owned();
        self.secrets = vec![contract, self.destination.clone(), self.offer.clone(), email];
    }

    fn person(&self, name: &str) -> &User {
        &self.people[name]
    }

    /// A session of its own for each question: some of them end it.
    pub(super) async fn session(&self, person: &str) -> Option<String> {
        let role = person.rsplit(' ').next().unwrap();
        let user = self.people.get(person)?;
        Some(self.app.also(user, role).await.token)
    }

    /// What a row is about, made anew.
    pub(super) async fn make(&self, thing: &str) -> Thing {
        let (customer, executor, other) = (self.person("customer"), self.person("executor"), self.person("other customer"));
        let mut words = vec![
            ("kind", "wallet".to_owned()),
            ("slug", "repair".to_owned()),
            ("category", "repair".to_owned()),
            ("fresh", random_name()),
            ("customer", customer.id.to_string()),
            ("executor", executor.id.to_string()),
            ("other", other.id.to_string()),
        ];
        let id = match thing {
            "" => String::new(),
            "customer" => customer.id.to_string(),
            "somebody" => self.app.customer(0).await.id.to_string(),
            "session" => self.other_session(customer).await,
            "payout" => {
                let wish = json!({"amount": 100, "method": "card", "account": "wallet", "destination": self.destination});
                id_of(&self.app.post("/api/payouts", customer, &wish).await.expect(201))
            }
            "topup" => id_of(&self.app.post("/api/topups", customer, &json!({"amount": 100})).await.expect(201)),
            "operation" => {
                let id = random_name();
                let give = json!({"operation_id": id, "type": "transfer", "to_user_id": other.id, "amount": 1});
                self.app.post("/api/billing/operations?wait=1", customer, &give).await.expect(200);
                id
            }
            "delivery" => self.dead_letter().await,
            "person" => {
                let email = format!("{}@example.org", random_name());
                let person = json!({"email": email, "password": "a long password", "name": "Ann"});
                self.app.call("POST", "/api/register", None, &person).await.expect(201);
                words.push(("email", email));
                String::new()
            }
            state => self.order(state).await.to_string(),
        };
        words.push(("id", id));
        Thing(words)
    }

    async fn other_session(&self, user: &User) -> String {
        let other = self.app.also(user, "customer").await;
        let listed = self.app.get("/api/sessions", &other).await.expect(200);
        let current = listed["items"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
        id_of(current)
    }

    async fn dead_letter(&self) -> String {
        let written = "insert into mail_outbox (reason, user_id, address, language, letter, facts, priority, state, due_at, deadline, created_at) \
             values (?, ?, 'ann@example.org', 'en', 'password_changed', '{}', 0, 'dead', utc_timestamp(6), utc_timestamp(6), utc_timestamp(6))";
        let done = sqlx::query(written).bind(random_name()).bind(self.person("customer").id).execute(&self.app.sql).await.unwrap();
        format!("mail-{}", done.last_insert_id())
    }

    async fn order(&self, state: &str) -> u64 {
        let (customer, executor) = (self.person("customer"), self.person("executor"));
        let assignment = if ["wanted", "applied"].contains(&state) { "chosen" } else { "first" };
        let id = self.app.create_order(customer, 1_000, &json!({"assignment": assignment})).await["id"].as_u64().unwrap();
        let steps: &[(&User, &str)] = match state {
            "open" | "wanted" => &[],
            "frozen" => &[(customer, "freeze")],
            "in_work" => &[(executor, "accept")],
            "submitted" => &[(executor, "accept"), (executor, "submit")],
            "done" => &[(executor, "accept"), (executor, "submit"), (customer, "confirm")],
            "applied" => &[(executor, "apply")],
            "disputed" => &[(executor, "accept"), (customer, "dispute")],
            other => panic!("nothing is called {other}"),
        };
        for (who, act) in steps {
            let body = match *act {
                "apply" => json!({"message": self.offer}),
                "dispute" => json!({"reason": "nobody comes"}),
                _ => Value::Null,
            };
            self.app.post(&format!("/api/orders/{id}/{act}"), who, &body).await.expect(200);
        }
        id
    }
}

fn id_of(made: &Value) -> String {
    made["id"].as_u64().unwrap().to_string()
}
