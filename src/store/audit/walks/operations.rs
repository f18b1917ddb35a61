//! Operations with their entries and system lines, all three read in the order of the operation's id, a step at a time: no
//! server groups a million long ids in memory.

use sqlx::MySqlConnection;

use super::Gathered;
use crate::store::StoreError;

const OPERATIONS_A_STEP: u64 = 10_000;

#[derive(sqlx::FromRow)]
struct OperationRow {
    id: String,
    kind: String,
    outcome: String,
}

/// An entry, or a system line: `kind` is the line's account then.
#[derive(sqlx::FromRow)]
struct PartRow {
    operation_id: String,
    is_line: i64,
    kind: String,
    amount: i64,
    /// Missing when the account is.
    currency: Option<String>,
}

pub(in crate::store::audit) async fn operations(snapshot: &mut MySqlConnection, gathered: &mut Gathered) -> Result<(), StoreError> {
    let mut after = String::new();
    loop {
        let operations: Vec<OperationRow> = sqlx::query_as("select id, kind, outcome from operations where id > ? order by id limit ?")
            .bind(&after)
            .bind(OPERATIONS_A_STEP)
            .fetch_all(&mut *snapshot)
            .await?;
        // The last step takes whatever names no operation up to the end.
        let is_last = (operations.len() as u64) < OPERATIONS_A_STEP;
        let until = if is_last { None } else { operations.last().map(|operation| operation.id.clone()) };
        let parts = parts(snapshot, &after, until.as_deref()).await?;
        judge_step(&operations, &parts, gathered);
        match until {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

/// Entries and system lines of the operations after one and up to another, by operation.
async fn parts(snapshot: &mut MySqlConnection, after: &str, until: Option<&str>) -> Result<Vec<PartRow>, StoreError> {
    // The greatest id there can be: ids are ASCII.
    let until = until.unwrap_or("\u{7f}");
    let entries = "select e.operation_id, 0 is_line, e.kind, e.available_delta + e.held_delta amount, a.currency \
                   from entries e force index (of_operation) left join accounts a on a.id = e.account_id \
                   where e.operation_id > ? and e.operation_id <= ? order by e.operation_id";
    let lines = "select operation_id, 1 is_line, cast(account as char) kind, amount, currency from system_entries \
                 where operation_id > ? and operation_id <= ? order by operation_id";
    let mut parts: Vec<PartRow> = sqlx::query_as(entries).bind(after).bind(until).fetch_all(&mut *snapshot).await?;
    parts.extend(sqlx::query_as::<_, PartRow>(lines).bind(after).bind(until).fetch_all(snapshot).await?);
    // Two runs that are in order already; the sort only merges them, and keeps entries before lines.
    parts.sort_by(|a, b| a.operation_id.cmp(&b.operation_id));
    Ok(parts)
}

fn judge_step(operations: &[OperationRow], parts: &[PartRow], gathered: &mut Gathered) {
    let mut known = operations.iter().peekable();
    let mut rest = parts;
    loop {
        let id = match (known.peek(), rest.first()) {
            (None, None) => return,
            (Some(operation), None) => operation.id.as_str(),
            (None, Some(part)) => part.operation_id.as_str(),
            (Some(operation), Some(part)) => operation.id.as_str().min(part.operation_id.as_str()),
        };
        let count = rest.iter().take_while(|part| part.operation_id == id).count();
        let (mine, later) = rest.split_at(count);
        judge(id, known.next_if(|operation| operation.id == id), mine, gathered);
        rest = later;
    }
}

fn judge(id: &str, operation: Option<&OperationRow>, parts: &[PartRow], gathered: &mut Gathered) {
    let mut add = |slug, detail: String| gathered.add(slug, id.to_owned(), || detail);
    for (currency, sum) in sums(parts) {
        if sum != 0 {
            add("operation_sum", format!("off by {sum} {currency}"));
        }
    }
    let first = parts.first().map(|part| &part.currency);
    if let Some(other) = parts.iter().find(|part| Some(&part.currency) != first) {
        let name = |currency: Option<&String>| currency.map_or("an account that is missing", String::as_str).to_owned();
        add("operation_currency", format!("{} and {}", name(first.and_then(Option::as_ref)), name(other.currency.as_ref())));
    }
    let is_done = operation.is_some_and(|operation| operation.outcome == "done");
    if !parts.is_empty() && !is_done {
        let outcome = operation.map_or("unknown", |operation| operation.outcome.as_str());
        add("entry_orphan", format!("{outcome}, with {} entries and lines", parts.len()));
    }
    let Some(operation) = operation.filter(|_| is_done) else { return };
    match shape(&operation.kind) {
        Some(shape) if !shape.may_be_empty && !parts.iter().any(|part| part.is_line == 0) => add("operation_empty", operation.kind.clone()),
        Some(Shape { entries, lines, .. }) => {
            let odd = parts.iter().find(|part| !if part.is_line == 0 { entries } else { lines }.contains(&part.kind.as_str()));
            if let Some(odd) = odd {
                let what = if odd.is_line == 0 { "an entry" } else { "a line" };
                add("operation_shape", format!("{} with {what} `{}`", operation.kind, odd.kind));
            }
        }
        None if !parts.is_empty() && MOVES_NOTHING.contains(&operation.kind.as_str()) => {
            add("operation_shape", format!("{} with {} entries and lines", operation.kind, parts.len()));
        }
        None => {}
    }
}

fn sums(parts: &[PartRow]) -> Vec<(&str, i128)> {
    let mut sums: Vec<(&str, i128)> = Vec::with_capacity(1);
    for part in parts {
        let currency = part.currency.as_deref().unwrap_or("of an account that is missing");
        match sums.iter_mut().find(|(known, _)| *known == currency) {
            Some((_, sum)) => *sum += i128::from(part.amount),
            None => sums.push((currency, i128::from(part.amount))),
        }
    }
    sums
}

/// What an operation that moves money may write.
struct Shape {
    /// It may have moved nothing.
    may_be_empty: bool,
    entries: &'static [&'static str],
    lines: &'static [&'static str],
}

/// By the operation's kind; nothing for the kinds that move no money, and for those that are not known here.
fn shape(kind: &str) -> Option<Shape> {
    let (entries, lines): (&[&str], &[&str]) = match kind {
        "create_order" | "payout_request" | "hold" => (&["hold"], &[]),
        "capture" => (&["capture", "payout", "sweep", "transfer"], &["commission"]),
        "release" | "expire" => (&["release"], &[]),
        "credit" => (&["credit", "topup"], &["gateway"]),
        "debit" => (&["debit"], &["gateway"]),
        "transfer" => (&["transfer"], &[]),
        "sweep" => (&["sweep"], &[]),
        "edit_order" => (&["adjust"], &[]),
        "withdrawal" => (&["withdrawal"], &["payouts"]),
        _ => return None,
    };
    Some(Shape { may_be_empty: kind == "edit_order", entries, lines })
}

/// Kinds that must not move money.
const MOVES_NOTHING: [&str; 3] = ["topup_request", "repair", "refused"];
