//! People: users with a token, made without hashing passwords.

use orderboard::domain::money::Amount;
use orderboard::domain::user::Role;
use orderboard::flow;

use super::TestApp;
use super::services::random_name;

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) token: String,
}

impl TestApp {
    /// A customer with so many kopecks in the wallet.
    pub(crate) async fn customer(&self, credit: i64) -> User {
        self.granted(Role::Customer, credit).await
    }

    pub(crate) async fn executor(&self) -> User {
        self.granted(Role::Executor, 0).await
    }

    pub(crate) async fn admin(&self) -> User {
        self.granted(Role::Admin, 0).await
    }

    async fn granted(&self, role: Role, credit: i64) -> User {
        let flow = self.app().flow.clone();
        let credit = (credit > 0).then(|| Amount::parse("credit", credit).unwrap());
        let granted = self.run(async move { flow.grant_user(role, None, credit).await }).await.unwrap();
        User { id: granted.user_id, token: granted.token }
    }

    /// Many executors in three statements; their names are `Taker 1`, `Taker 2`, …
    pub(crate) async fn executors(&self, count: u64) -> Vec<User> {
        let mut users = sqlx::QueryBuilder::new("insert into users (email, name, password_hash, created_at) ");
        let batch = format!("taker-{}", random_name());
        users.push_values(1..=count, |mut row, number| {
            row.push_bind(format!("{batch}-{number}@users.invalid")).push_bind(format!("Taker {number}")).push("'', utc_timestamp(6)");
        });
        users.build().execute(&self.sql).await.unwrap();
        let ids: Vec<u64> = sqlx::query_scalar("select id from users where email like ? order by id")
            .bind(format!("{batch}-%"))
            .fetch_all(&self.sql)
            .await
            .unwrap();
        let mut accounts = sqlx::QueryBuilder::new("insert into accounts (user_id, kind, currency) ");
        accounts.push_values(ids.iter().flat_map(|id| [(*id, "wallet"), (*id, "earnings")]), |mut row, (id, kind)| {
            row.push_bind(id).push_bind(kind).push("'RUB'");
        });
        accounts.build().execute(&self.sql).await.unwrap();
        let people: Vec<User> = ids.into_iter().map(|id| User { id, token: random_name() + &random_name() }).collect();
        self.open_sessions(&people, "executor").await;
        people
    }

    /// The same person in another session, in this role.
    pub(crate) async fn also(&self, user: &User, role: &str) -> User {
        let other = User { id: user.id, token: random_name() + &random_name() };
        self.open_sessions(std::slice::from_ref(&other), role).await;
        other
    }

    async fn open_sessions(&self, people: &[User], role: &str) {
        let mut sessions = sqlx::QueryBuilder::new(
            "insert into sessions (token_hash, user_id, role, device, address, created_at, last_seen_at, expires_at) ",
        );
        sessions.push_values(people, |mut row, user| {
            row.push_bind(flow::hash_token(&user.token).to_vec()).push_bind(user.id).push_bind(role.to_owned());
            row.push("'test', '', utc_timestamp(6), utc_timestamp(6), utc_timestamp(6) + interval 1 day");
        });
        sessions.build().execute(&self.sql).await.unwrap();
    }
}
