//! Payouts as admins see them: who asks, what the money was earned with, and the decision.

use schemars::JsonSchema;
use std::collections::HashMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::macros::datetime;

use super::Api;
use super::caller::Caller;
use super::csv::{self, Cell, Lang, Lines, Part};
use super::error::{Answer, Problem, ok};
use super::extract::{Id, Json, MaybeJson, Query};
use super::lists::{LIMIT_MAX, Listed, page};
use super::period::{Boundary, Period};
use crate::domain::order::{Order, unix_ms};
use crate::domain::payout::{self, COMMENT_CHARS_MAX, PayoutStatus};
use crate::domain::refusal::{Invalid, Reason, Refusal};
use crate::domain::user::{Party, Role};
use crate::flow::OwnPayout;
use crate::store::history::EntryRow;
use crate::store::payouts::{Income, Payout, Place, Total};
use crate::store::sessions::Session;

/// What the detail of a payout shows of where its money came from, and what a line of the list looks at: there are fifty of them.
const SOURCES_MAX: u32 = 200;
const SUMMED_MAX: u32 = 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    status: Option<PayoutStatus>,
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FileQuery {
    status: Option<PayoutStatus>,
    #[schemars(with = "Option<Boundary>")]
    from: Option<String>,
    #[schemars(with = "Option<Boundary>")]
    to: Option<String>,
    #[serde(default)]
    lang: Lang,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Approval {
    #[schemars(length(max = COMMENT_CHARS_MAX))]
    comment: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PayoutRejection")]
pub(super) struct Rejection {
    #[schemars(length(min = 1, max = COMMENT_CHARS_MAX))]
    comment: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PayoutForAdmins")]
pub(super) struct Item {
    #[serde(flatten)]
    payout: OwnPayout,
    user: Party,
    decided_by: Option<Party>,
}

/// A line of the list: the newest income that makes up the amount, summed up.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PayoutOfList")]
pub(super) struct ListItem {
    #[serde(flatten)]
    item: Item,
    earned_with: Summary,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EarnedWithSummary")]
pub(super) struct Summary {
    orders: usize,
    /// What came in; at least the payout's amount where `complete`.
    sum: i64,
    /// False when more income than is looked at makes up the amount.
    complete: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PayoutInFull")]
pub(super) struct Detail {
    #[serde(flatten)]
    item: Item,
    earned_with: Earned,
    /// The account as it is now.
    available: i64,
    held: i64,
    /// What became of this user's payouts so far, this one included.
    totals: Vec<TotalItem>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EarnedWith")]
pub(super) struct Earned {
    sum: i64,
    complete: bool,
    /// Newest first.
    sources: Vec<Source>,
}

/// Something that brought money.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "IncomeSource")]
pub(super) struct Source {
    kind: String,
    amount: i64,
    at_ms: i64,
    order: Option<OrderSource>,
    topup_id: Option<u64>,
    peer_id: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct OrderSource {
    id: u64,
    title: String,
    customer: Party,
    payout: i64,
    accepted_ms: Option<i64>,
    submitted_ms: Option<i64>,
    finished_ms: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PayoutTotal")]
pub(super) struct TotalItem {
    #[schemars(with = "PayoutStatus")]
    status: String,
    count: i64,
    amount: i64,
}

impl From<Payout> for Item {
    fn from(payout: Payout) -> Self {
        Self { user: payout.user.clone(), decided_by: payout.decided_by.clone(), payout: payout.into() }
    }
}

pub(super) async fn list(State(api): State<Api>, Caller(session): Caller, Query(query): Query<ListQuery>) -> Answer {
    admins_only(&session)?;
    let page = page(query.limit, query.cursor.as_deref())?;
    let payouts = api.store.payouts(query.status, page.below, page.limit).await?;
    let places: Vec<(u64, u64)> = payouts.iter().map(|payout| (payout.account_id, payout.hold_seq)).collect();
    let incomes = api.store.incomes_before(&places, SUMMED_MAX).await?;
    let item = |(payout, income): (Payout, Vec<Income>)| ListItem { earned_with: summary(&income, payout.amount), item: payout.into() };
    let items = payouts.into_iter().zip(incomes).map(item).collect();
    ok(&Listed::new(items, page, |item: &ListItem| item.item.payout.id))
}

/// Of the newest income that makes up the amount.
fn summary(income: &[Income], amount: i64) -> Summary {
    let (mut orders, mut sum) = (0, 0);
    for income in income {
        if sum >= amount {
            break;
        }
        sum += income.amount;
        orders += usize::from(income.order_id.is_some());
    }
    Summary { orders, sum, complete: sum >= amount }
}

pub(super) async fn show(State(api): State<Api>, Caller(session): Caller, Id(id): Id) -> Answer {
    admins_only(&session)?;
    let payout = api.store.payout(id).await?.ok_or(Refusal::NotFound("payout"))?;
    let (income, sum) = income(&api, &payout, SOURCES_MAX).await?;
    let order_ids: Vec<u64> = income.iter().filter_map(|entry| entry.order_id).collect();
    let orders: HashMap<u64, Order> = api.store.orders_by_id(&order_ids).await?.into_iter().map(|order| (order.id, order)).collect();
    let sources = income.into_iter().map(|entry| source(entry, &orders)).collect();
    let account = api.store.accounts_by_id(&[payout.account_id]).await?.pop();
    let (available, held) = account.map_or((0, 0), |news| (news.account.available, news.account.held));
    let totals = api.store.payout_totals(payout.user.id, &payout.currency).await?;
    let total = |total: Total| TotalItem { status: total.status, count: total.count, amount: total.amount };
    ok(&Detail {
        earned_with: Earned { sum, complete: sum >= payout.amount, sources },
        available,
        held,
        totals: totals.into_iter().map(total).collect(),
        item: payout.into(),
    })
}

pub(super) async fn approve(State(api): State<Api>, Caller(session): Caller, Id(id): Id, MaybeJson(body): MaybeJson<Approval>) -> Answer {
    let comment = payout::comment(body.comment.as_deref())?;
    ok(&Item::from(api.flow.approve_payout(&session.actor, id, comment.as_deref()).await?))
}

pub(super) async fn reject(State(api): State<Api>, Caller(session): Caller, Id(id): Id, Json(body): Json<Rejection>) -> Answer {
    let required = || Invalid::new("comment", Reason::Required, "say in `comment` why; the person who asked reads it");
    let reason = payout::comment(Some(&body.comment))?.ok_or_else(required)?;
    ok(&Item::from(api.flow.reject_payout(&session.actor, id, &reason).await?))
}

/// Every payout of the list as a file, newest first.
pub(super) async fn file(State(api): State<Api>, Caller(session): Caller, Query(query): Query<FileQuery>) -> Answer {
    admins_only(&session)?;
    let period = Period::parse(query.from.as_deref(), query.to.as_deref())?;
    let from = period.from.unwrap_or(datetime!(1970-01-01 00:00 UTC));
    // Of the very moment `to` none: no id is below 0.
    let start = Place { at: period.to.unwrap_or(datetime!(9999-01-01 00:00 UTC)), id: 0 };
    let (lang, status) = (query.lang, query.status);
    let mut heading = Some(Lines::with_heading(lang, &lang.pick(HEADING_RU, HEADING_EN))?);
    let name = csv::file_name(&["orderboard", "payouts", status.map_or("all", PayoutStatus::as_str)]);
    let reader = api.clone();
    csv::download(&api, session.actor.user.id, &name, start, move |place| {
        let api = reader.clone();
        let mut lines = heading.take().unwrap_or_else(|| Lines::new(lang));
        async move {
            let payouts = api.store.payouts_before(status, from, place, csv::PAGE).await?;
            for payout in &payouts {
                push(&mut lines, payout, lang)?;
            }
            let is_full = payouts.len() == csv::PAGE as usize;
            let next = payouts.last().filter(|_| is_full).map(|last| Place { at: last.created_at, id: last.id });
            Ok(Part { lines, next })
        }
    })
    .await
}

const HEADING_EN: [&str; 14] = [
    "Payout",
    "Asked (UTC)",
    "Status",
    "User",
    "Name",
    "Account",
    "Amount",
    "Currency",
    "Method",
    "Destination",
    "Comment",
    "Decided by",
    "Decider's name",
    "Decided (UTC)",
];
const HEADING_RU: [&str; 14] = [
    "Вывод",
    "Запрошен (UTC)",
    "Состояние",
    "Пользователь",
    "Имя",
    "Счёт",
    "Сумма",
    "Валюта",
    "Способ",
    "Реквизиты",
    "Комментарий",
    "Кто решил",
    "Имя решившего",
    "Решено (UTC)",
];

fn push(lines: &mut Lines, payout: &Payout, lang: Lang) -> Result<(), Problem> {
    lines.push(&[
        Cell::number(Some(payout.id)),
        Cell::Plain(csv::moment(payout.created_at)),
        Cell::Plain(payout.status.as_str().to_owned()),
        Cell::number(Some(payout.user.id)),
        Cell::Typed(&payout.user.name),
        Cell::Plain(payout.account.as_str().to_owned()),
        Cell::Plain(lang.decimal(payout.amount, &payout.currency)),
        Cell::Plain(payout.currency.clone()),
        Cell::Plain(payout.method.clone()),
        Cell::Typed(&payout.destination),
        Cell::typed(payout.comment.as_deref()),
        Cell::number(payout.decided_by.as_ref().map(|by| by.id)),
        Cell::typed(payout.decided_by.as_ref().map(|by| by.name.as_str())),
        payout.decided_at.map_or(Cell::Nothing, |at| Cell::Plain(csv::moment(at))),
    ])
}

/// The newest income before the payout that makes up its amount, and its sum.
async fn income(api: &Api, payout: &Payout, limit: u32) -> Result<(Vec<EntryRow>, i64), Problem> {
    let mut income = api.store.income_before(payout.account_id, payout.hold_seq, limit).await?;
    let mut sum = 0;
    let mut enough = 0;
    while enough < income.len() && sum < payout.amount {
        sum += income[enough].available_delta;
        enough += 1;
    }
    income.truncate(enough);
    Ok((income, sum))
}

fn source(entry: EntryRow, orders: &HashMap<u64, Order>) -> Source {
    let order = entry.order_id.and_then(|id| orders.get(&id)).map(|order| OrderSource {
        id: order.id,
        title: order.title.clone(),
        customer: order.customer.clone(),
        payout: order.payout,
        accepted_ms: order.accepted_ms,
        submitted_ms: order.submitted_ms,
        finished_ms: order.finished_ms,
    });
    Source {
        kind: entry.kind,
        amount: entry.available_delta,
        at_ms: unix_ms(entry.created_at),
        order,
        topup_id: entry.topup_id,
        peer_id: entry.peer_id,
    }
}

fn admins_only(session: &Session) -> Result<(), Refusal> {
    match session.actor.role {
        Role::Admin => Ok(()),
        _ => Err(Refusal::Forbidden("only admins see everybody's payouts")),
    }
}
