//! A user's figures follow what they did.

use serde_json::json;

use super::{Change, Step, claim, conclude};
use crate::domain::order::unix_ms;
use crate::flow::transaction::transaction;
use crate::flow::{Flow, FlowError, now};
use crate::store::MySqlConnection;
use crate::store::statistics::{Figures, Witnesses, add, count_anew};

impl Flow {
    /// Safe, because the figures are derived: where the orders and the money say the same, two witnesses agree against them.
    pub(super) async fn mend_statistics(&self, user_id: u64) -> Result<Step, FlowError> {
        transaction!(self.store, |connection| recount(connection, user_id).await)
    }
}

async fn recount(connection: &mut MySqlConnection, user_id: u64) -> Result<Step, FlowError> {
    let counted = count_anew(connection, user_id).await?;
    let mut wrong: Vec<&Witnesses> = counted.iter().filter(|witnesses| witnesses.kept != witnesses.orders).collect();
    if wrong.is_empty() {
        return Ok(Step::Fine);
    }
    wrong.retain(|witnesses| witnesses.orders == witnesses.books);
    if wrong.is_empty() {
        return Ok(Step::Left("the orders and their money do not say the same: mend them first".into()));
    }
    let at = now();
    let operation_id = format!("repair:statistics:{user_id}:{}", unix_ms(at));
    if let Some(left) = claim(connection, &operation_id, "repair", at).await? {
        return Ok(left);
    }
    for Witnesses { currency, orders, kept, .. } in &wrong {
        let more = Figures {
            orders_created: orders.orders_created - kept.orders_created,
            money_in_orders: orders.money_in_orders - kept.money_in_orders,
            orders_done: orders.orders_done - kept.orders_done,
            orders_completed: orders.orders_completed - kept.orders_completed,
            money_received: orders.money_received - kept.money_received,
        };
        add(connection, user_id, currency, &more).await?;
    }
    let figures = |which: fn(&Witnesses) -> Figures| {
        json!(wrong.iter().map(|witnesses| (witnesses.currency.clone(), json!(which(witnesses)))).collect::<serde_json::Map<_, _>>())
    };
    let (before, after) = (figures(|witnesses| witnesses.kept), figures(|witnesses| witnesses.orders));
    conclude(connection, Change { operation_id, before, after, touched: Vec::new() }).await
}
