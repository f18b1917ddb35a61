//! The orders whose states are injected: those on the board, each as the publishing job would send it, with another
//! title and a higher version. What MySQL holds stays as it is.

use orderboard::domain::order::{Acceptance, Assignment, Order, Status};
use orderboard::domain::user::Party;
use serde::Deserialize;
use time::OffsetDateTime;

use super::marker::Marker;
use crate::error::Error;
use crate::server::Server;

/// What the board's row of an order takes, about: the title is filled up to it.
const ROW_BYTES: usize = 300;

#[derive(Deserialize)]
struct Board {
    orders: Vec<BoardRow>,
}

#[derive(Deserialize)]
struct BoardRow {
    id: u64,
    version: u64,
    title: String,
    category: Option<String>,
    price: i64,
    payout: i64,
    currency: String,
    customer: Party,
    assignment: Assignment,
    acceptance: Acceptance,
    applicants: u32,
    created_ms: i64,
}

/// One order, ready for its next state: what surrounds the version and the marker.
pub(crate) struct Row {
    pub(super) id: u64,
    pub(super) version: u64,
    between: String,
    after: String,
}

impl Row {
    /// The next state as the bus carries it.
    pub(super) fn next(&mut self, marker: Marker) -> String {
        self.version += 1;
        let (id, version, between, after) = (self.id, self.version, &self.between, &self.after);
        let marker = marker.text();
        format!(r#"{{"kind":"order","id":{id},"version":{version},"row":{{"id":{id},"version":{version}{between}{marker}{after}}}"#)
    }
}

/// The orders on the board, as they are now.
pub(super) async fn on_board(server: &Server) -> Result<Vec<Row>, Error> {
    let mut client = server.client(None);
    let answer = client.get("/api/board?board=all").await?;
    let rows: Vec<serde_json::Value> = {
        let whole: serde_json::Value = serde_json::from_slice(answer.body)?;
        whole["orders"].as_array().cloned().unwrap_or_default()
    };
    let board: Board = serde_json::from_slice(answer.body)?;
    if board.orders.is_empty() {
        return Err(Error::Server("there is nothing on the board whose state could change".into()));
    }
    board.orders.into_iter().zip(rows).map(|(row, json)| ready(row, json.to_string().len())).collect()
}

fn ready(row: BoardRow, bytes: usize) -> Result<Row, Error> {
    const HERE: &str = "@here@";
    // The version and the marker grow by themselves; what is left is filled.
    let title_bytes = row.title.len() + ROW_BYTES.saturating_sub(bytes);
    let filling = " moving two boxes of documents".repeat(20);
    let filling = &filling[..title_bytes.saturating_sub(super::marker::LENGTH).clamp(1, filling.len())];
    let created_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(row.created_ms) * 1_000_000);
    let order = Order {
        id: row.id,
        version: row.version,
        status: Status::Open,
        title: format!("{HERE}{filling}"),
        category: row.category,
        price: row.price,
        payout: row.payout,
        commission: row.price - row.payout,
        rate_bp: 0,
        currency: row.currency,
        customer: row.customer,
        executor: None,
        assignment: row.assignment,
        acceptance: row.acceptance,
        applicants: row.applicants,
        created_ms: row.created_ms,
        accepted_ms: None,
        submitted_ms: None,
        finished_ms: None,
        confirm_by_ms: None,
        created_at: created_at.map_err(|error| Error::Server(error.to_string()))?,
        accepted_at: None,
        edited_version: 1,
    };
    let text = serde_json::to_string(&order)?;
    let head = format!(r#"{{"id":{},"version":{}"#, row.id, row.version);
    let split = text.strip_prefix(&head).and_then(|rest| rest.split_once(HERE));
    let (between, after) = split.ok_or_else(|| Error::Server("an order's JSON does not begin with id and version".into()))?;
    Ok(Row { id: row.id, version: row.version, between: between.into(), after: after.into() })
}
