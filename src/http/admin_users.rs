//! People as admins see them: looked for, looked at, closed and opened again.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Api;
use super::caller::Caller;
use super::error::{Answer, ok};
use super::extract::{Id, Query};
use super::lists::{LIMIT_MAX, Listed, page};
use super::people::{AsCustomer, AsExecutor, statistics};
use crate::domain::ledger::Account;
use crate::domain::refusal::Refusal;
use crate::domain::schema::Moment;
use crate::domain::user::{Actor, Language, Role};
use crate::store::people::Person;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    q: Option<String>,
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Person")]
pub(super) struct Item {
    id: u64,
    name: String,
    email: String,
    is_admin: bool,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<Moment>")]
    closed_at: Option<OffsetDateTime>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PersonInFull")]
pub(super) struct Details {
    #[serde(flatten)]
    item: Item,
    about: String,
    #[schemars(with = "Language")]
    language: String,
    /// Sessions that live now, and when one of them was last used.
    sessions: usize,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<Moment>")]
    last_seen_at: Option<OffsetDateTime>,
    accounts: Vec<Account>,
    customer: AsCustomer,
    executor: AsExecutor,
}

impl From<Person> for Item {
    fn from(person: Person) -> Self {
        let Person { id, name, email, is_admin, created_at, closed_at, .. } = person;
        Self { id, name, email, is_admin, created_at, closed_at }
    }
}

fn admins_only(actor: &Actor) -> Result<(), Refusal> {
    match actor.role {
        Role::Admin => Ok(()),
        _ => Err(Refusal::Forbidden("only admins see people's accounts; sign in as an admin")),
    }
}

/// Newest first. `q` is a number, or how a name or an address begins.
pub(super) async fn list(State(api): State<Api>, Caller(session): Caller, Query(query): Query<ListQuery>) -> Answer {
    admins_only(&session.actor)?;
    let page = page(query.limit, query.cursor.as_deref())?;
    let people = match query.q.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => api.store.people_like(text, page.below, page.limit).await?,
        None => api.store.people(page.below, page.limit).await?,
    };
    ok(&Listed::new(people.into_iter().map(Item::from).collect(), page, |item: &Item| item.id))
}

pub(super) async fn show(State(api): State<Api>, Caller(session): Caller, Id(id): Id) -> Answer {
    admins_only(&session.actor)?;
    details(&api, id).await
}

pub(super) async fn close(State(api): State<Api>, Caller(session): Caller, Id(id): Id) -> Answer {
    let ended = api.flow.close_user_for(&session.actor, id).await?;
    ended.iter().for_each(|session_id| api.live.sessions().forget(*session_id));
    details(&api, id).await
}

pub(super) async fn reopen(State(api): State<Api>, Caller(session): Caller, Id(id): Id) -> Answer {
    api.flow.reopen_user(&session.actor, id).await?;
    details(&api, id).await
}

async fn details(api: &Api, id: u64) -> Answer {
    let person = api.store.person(id).await?.ok_or(Refusal::NotFound("user"))?;
    let sessions = api.store.sessions_of(id, OffsetDateTime::now_utc()).await?;
    let (customer, executor) = statistics(&api.store.statistics_of(&[id]).await?);
    ok(&Details {
        about: person.about.clone(),
        language: person.language.clone(),
        sessions: sessions.len(),
        last_seen_at: sessions.iter().map(|session| session.last_seen_at).max(),
        accounts: api.store.accounts_of(id).await?,
        customer,
        executor,
        item: person.into(),
    })
}
