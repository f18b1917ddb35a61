//! An account's row follows its entries; its flag follows its user.

use serde_json::json;

use super::{Change, Step, claim, conclude};
use crate::domain::news::Subject;
use crate::flow::transaction::transaction;
use crate::flow::{Flow, FlowError, now};
use crate::store::audit::repairs::{self, History, Parts};
use crate::store::{MySqlConnection, books};

impl Flow {
    /// Safe, because the row is derived: where the history is whole and ends with what the active holds come to, three
    /// witnesses agree against the row. The version stays (it is the last entry's number), so nobody's news is overtaken.
    pub(super) async fn mend_account(&self, id: u64) -> Result<Step, FlowError> {
        // The whole history first and without a lock: it only ever grows, and that is seen under the lock.
        let history = transaction!(self.store, |connection| repairs::history(connection, id).await.map_err(FlowError::from))?;
        transaction!(self.store, |connection| rewrite(connection, id, history).await)
    }

    /// Safe, because the user's row is where a closing is decided, and no money moves.
    pub(super) async fn mend_closed(&self, id: u64) -> Result<Step, FlowError> {
        transaction!(self.store, |connection| flag(connection, id).await)
    }
}

async fn rewrite(connection: &mut MySqlConnection, id: u64, history: Option<History>) -> Result<Step, FlowError> {
    let Some(account) = books::lock(connection, [id]).await?.pop() else { return Ok(Step::Fine) };
    let history = history.unwrap_or(History { seq: 0, after: Parts { available: 0, held: 0 }, is_whole: true });
    if !history.is_whole {
        return Ok(Step::Left("its history is not whole, so nothing says what the account should be".into()));
    }
    if history.seq != account.version {
        return Ok(Step::Left(format!(
            "its version is {} and its last entry {}: an entry is missing, or it is at work",
            account.version, history.seq
        )));
    }
    let before = Parts { available: account.available, held: account.held };
    let active = repairs::active_holds(connection, id).await?;
    if active != history.after.held {
        return Ok(Step::Left(format!(
            "its last entry holds {}, its active holds come to {active}: look at the holds first",
            history.after.held
        )));
    }
    if before == history.after {
        return Ok(Step::Fine);
    }
    if history.after.available < 0 || history.after.held < 0 {
        return Ok(Step::Left("its last entry is negative".into()));
    }
    // The damage is part of the id: the same account may be damaged another time.
    let operation_id = format!("repair:account_entry:{id}:{}:{}:{}", account.version, before.available, before.held);
    if let Some(left) = claim(connection, &operation_id, "repair", now()).await? {
        return Ok(left);
    }
    if !repairs::rewrite_account(connection, id, account.version, before, history.after).await? {
        return Err(FlowError::Internal(format!("account {id} changed under its lock")));
    }
    let change = Change { operation_id, before: json!(before), after: json!(history.after), touched: vec![Subject::account(id)] };
    conclude(connection, change).await
}

async fn flag(connection: &mut MySqlConnection, id: u64) -> Result<Step, FlowError> {
    let Some(is_closed) = repairs::lock_user_closed(connection, id).await? else {
        return Ok(Step::Left("its user is missing".into()));
    };
    let Some(account) = books::lock(connection, [id]).await?.pop() else { return Ok(Step::Fine) };
    if account.is_closed == is_closed {
        return Ok(Step::Fine);
    }
    let operation_id = format!("repair:account_closed:{id}:{}:{is_closed}", account.version);
    if let Some(left) = claim(connection, &operation_id, "repair", now()).await? {
        return Ok(left);
    }
    repairs::flag_closed(connection, id, is_closed).await?;
    let (before, after) = (json!({"is_closed": account.is_closed}), json!({"is_closed": is_closed}));
    conclude(connection, Change { operation_id, before, after, touched: Vec::new() }).await
}
