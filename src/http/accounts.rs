//! One's own money: balances, now and at any moment, and their history, page by page and as a file.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Api;
use super::caller::Caller;
use super::csv::{self, Cell, Lang, Lines, Part};
use super::error::{Answer, Problem, ok};
use super::extract::{Query, Segment};
use super::lists::{LIMIT_MAX, Listed, Page, page};
use super::period::{Boundary, Period, moment};
use crate::domain::ledger::AccountKind;
use crate::domain::money::Currency;
use crate::domain::order::unix_ms;
use crate::domain::refusal::{Invalid, Reason, Refusal};
use crate::domain::schema::Moment;
use crate::domain::user::Party;
use crate::store::history::{Line, Span};

/// Kinds that one list may name.
const KINDS_MAX: usize = 12;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EntriesQuery {
    currency: Option<Currency>,
    /// Kinds of entries, separated by commas.
    kind: Option<String>,
    #[schemars(with = "Option<Boundary>")]
    from: Option<String>,
    #[schemars(with = "Option<Boundary>")]
    to: Option<String>,
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FileQuery {
    currency: Option<Currency>,
    kind: Option<String>,
    #[schemars(with = "Option<Boundary>")]
    from: Option<String>,
    #[schemars(with = "Option<Boundary>")]
    to: Option<String>,
    #[serde(default)]
    lang: Lang,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BalanceQuery {
    currency: Option<Currency>,
    #[schemars(with = "Option<Moment>")]
    at: Option<String>,
}

/// A line of the history: what changed, what was there afterwards, what it was for.
#[derive(Serialize, JsonSchema)]
pub(super) struct Entry {
    seq: u64,
    kind: String,
    available_delta: i64,
    held_delta: i64,
    available_after: i64,
    held_after: i64,
    currency: &'static str,
    order_id: Option<u64>,
    order_title: Option<String>,
    topup_id: Option<u64>,
    payout_id: Option<u64>,
    hold_id: Option<u64>,
    /// The other side of a transfer.
    peer: Option<Party>,
    operation_id: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    created_at: OffsetDateTime,
    created_ms: i64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Balance")]
pub(super) struct BalanceThen {
    account: AccountKind,
    currency: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    at: OffsetDateTime,
    available: i64,
    held: i64,
    /// The number of the last entry until then; 0 before the first.
    seq: u64,
}

/// Which entries of whose account.
struct Asked {
    user_id: u64,
    account: AccountKind,
    currency: &'static str,
    kinds: Vec<String>,
    period: Period,
}

impl Asked {
    fn parse(
        user_id: u64,
        account: &str,
        currency: Option<Currency>,
        kinds: Option<&str>,
        (from, to): (Option<&str>, Option<&str>),
    ) -> Result<Self, Problem> {
        let account = AccountKind::parse(account).ok_or(Refusal::NotFound("account"))?;
        let currency = currency.unwrap_or(Currency::RUB).code();
        Ok(Self { user_id, account, currency, kinds: parse_kinds(kinds)?, period: Period::parse(from, to)? })
    }

    /// The account and the numbers of the entries; nothing where the user has no such account.
    async fn span(&self, api: &Api) -> Result<Option<(u64, Span)>, Problem> {
        let Some(account_id) = api.store.find_account(self.user_id, self.account, self.currency).await? else { return Ok(None) };
        let span = api.store.span(account_id, self.period.from, self.period.to).await?;
        Ok(Some((account_id, span)))
    }

    async fn lines(&self, api: &Api, account_id: u64, span: Span, limit: u32) -> Result<Vec<Line>, Problem> {
        let kinds: Vec<&str> = self.kinds.iter().map(String::as_str).collect();
        let entries = api.store.entries(account_id, &kinds, span, limit).await?;
        Ok(api.store.lines(entries).await?)
    }
}

pub(super) async fn list(State(api): State<Api>, Caller(session): Caller) -> Answer {
    ok(&Listed::whole(api.store.accounts_of(session.actor.user.id).await?))
}

pub(super) async fn entries(
    State(api): State<Api>,
    Caller(session): Caller,
    Segment(account): Segment,
    Query(query): Query<EntriesQuery>,
) -> Answer {
    let dates = (query.from.as_deref(), query.to.as_deref());
    let asked = Asked::parse(session.actor.user.id, &account, query.currency, query.kind.as_deref(), dates)?;
    let page: Page = page(query.limit, query.cursor.as_deref())?;
    let lines = match asked.span(&api).await? {
        Some((account_id, span)) => {
            let span = Span { below: span.below.min(page.below), ..span };
            asked.lines(&api, account_id, span, page.limit).await?
        }
        None => Vec::new(),
    };
    let item = |line: Line| Entry {
        seq: line.entry.seq,
        kind: line.entry.kind,
        available_delta: line.entry.available_delta,
        held_delta: line.entry.held_delta,
        available_after: line.entry.available_after,
        held_after: line.entry.held_after,
        currency: asked.currency,
        order_id: line.entry.order_id,
        order_title: line.order_title,
        topup_id: line.entry.topup_id,
        payout_id: line.entry.payout_id,
        hold_id: line.entry.hold_id,
        peer: line.peer,
        operation_id: line.entry.operation_id,
        created_at: line.entry.created_at,
        created_ms: unix_ms(line.entry.created_at),
    };
    ok(&Listed::new(lines.into_iter().map(item).collect(), page, |entry: &Entry| entry.seq))
}

/// The balance at a moment, or now. A moment to come has the balance of now.
pub(super) async fn balance(
    State(api): State<Api>,
    Caller(session): Caller,
    Segment(account): Segment,
    Query(query): Query<BalanceQuery>,
) -> Answer {
    let account = AccountKind::parse(&account).ok_or(Refusal::NotFound("account"))?;
    let currency = query.currency.unwrap_or(Currency::RUB).code();
    let at = query.at.as_deref().map_or_else(|| Ok(crate::flow::now()), |text| moment("at", text))?;
    let then = match api.store.find_account(session.actor.user.id, account, currency).await? {
        Some(account_id) => api.store.balance_at(account_id, at).await?,
        None => None,
    };
    let (available, held, seq) = then.map_or((0, 0, 0), |then| (then.available, then.held, then.seq));
    ok(&BalanceThen { account, currency, at, available, held, seq })
}

/// Every entry of the list as a file, newest first.
pub(super) async fn entries_csv(
    State(api): State<Api>,
    Caller(session): Caller,
    Segment(account): Segment,
    Query(query): Query<FileQuery>,
) -> Answer {
    let dates = (query.from.as_deref(), query.to.as_deref());
    let asked = Asked::parse(session.actor.user.id, &account, query.currency, query.kind.as_deref(), dates)?;
    let lang = query.lang;
    let name = csv::file_name(&["orderboard", asked.account.as_str(), asked.currency]);
    let mut heading = Some(Lines::with_heading(lang, &lang.pick(HEADING_RU, HEADING_EN))?);
    let asked = std::sync::Arc::new(asked);
    let start = asked.span(&api).await?;
    let reader = api.clone();
    csv::download(&api, session.actor.user.id, &name, start, move |at| {
        let (api, asked) = (reader.clone(), asked.clone());
        let lines = heading.take().unwrap_or_else(|| Lines::new(lang));
        async move { read_part(&api, &asked, lang, at, lines).await }
    })
    .await
}

type At = Option<(u64, Span)>;

async fn read_part(api: &Api, asked: &Asked, lang: Lang, at: At, mut lines: Lines) -> Result<Part<At>, Problem> {
    let Some((account_id, span)) = at else { return Ok(Part { lines, next: None }) };
    let rows = asked.lines(api, account_id, span, csv::PAGE).await?;
    for row in &rows {
        push(&mut lines, row, asked.currency, lang)?;
    }
    let is_full = rows.len() == csv::PAGE as usize;
    let next = rows.last().filter(|_| is_full).map(|last| Some((account_id, Span { below: last.entry.seq, ..span })));
    Ok(Part { lines, next })
}

const HEADING_EN: [&str; 15] = [
    "Number",
    "Time (UTC)",
    "Kind",
    "Available, change",
    "Held, change",
    "Available after",
    "Held after",
    "Currency",
    "Order",
    "Order title",
    "Top-up",
    "Payout",
    "Other side",
    "Hold",
    "Operation",
];
const HEADING_RU: [&str; 15] = [
    "Номер",
    "Время (UTC)",
    "Вид",
    "Доступно, изменение",
    "Удержано, изменение",
    "Доступно после",
    "Удержано после",
    "Валюта",
    "Заказ",
    "Название заказа",
    "Пополнение",
    "Вывод",
    "Вторая сторона",
    "Удержание",
    "Операция",
];

fn push(lines: &mut Lines, line: &Line, currency: &str, lang: Lang) -> Result<(), Problem> {
    let entry = &line.entry;
    let money = |minor: i64| Cell::Plain(lang.decimal(minor, currency));
    lines.push(&[
        Cell::number(Some(entry.seq)),
        Cell::Plain(csv::moment(entry.created_at)),
        Cell::Plain(entry.kind.clone()),
        money(entry.available_delta),
        money(entry.held_delta),
        money(entry.available_after),
        money(entry.held_after),
        Cell::Plain(currency.to_owned()),
        Cell::number(entry.order_id),
        Cell::typed(line.order_title.as_deref()),
        Cell::number(entry.topup_id),
        Cell::number(entry.payout_id),
        Cell::typed(line.peer.as_ref().map(|peer| peer.name.as_str())),
        Cell::number(entry.hold_id),
        Cell::typed(Some(&entry.operation_id)),
    ])
}

/// `a,b` as distinct kinds. A kind that nobody has yet simply has no entries.
fn parse_kinds(text: Option<&str>) -> Result<Vec<String>, Invalid> {
    let mut kinds: Vec<String> = text.unwrap_or_default().split(',').filter(|kind| !kind.is_empty()).map(str::to_owned).collect();
    kinds.sort();
    kinds.dedup();
    let is_slug = |kind: &String| kind.len() <= 20 && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if kinds.len() > KINDS_MAX || !kinds.iter().all(is_slug) {
        return Err(Invalid::new("kind", Reason::Malformed, format!("`kind` is up to {KINDS_MAX} kinds of entries, separated by commas")));
    }
    Ok(kinds)
}
