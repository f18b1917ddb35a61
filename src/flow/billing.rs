//! The one function that carries out commanded operations, whoever commands them: the queue, HTTP, or a job. A group shares
//! a transaction, and with it the commit's flush; each operation of it is still judged by itself, and its refusal touches no
//! other.
//!
//! The order of things is: lock the accounts (ascending), see which ids are known, judge in memory, write everything, the
//! operations with their results last. Two deliveries of one operation name the same accounts, so the second waits for the
//! first's commit and then finds the result. What slips through (the same id on other accounts) meets the unique key, and the
//! group runs again.

use std::collections::{BTreeMap, HashMap, HashSet};

use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::transaction::transaction;
use super::{Flow, FlowError, now};
use crate::domain::billing::{self, Deed, Desk, Done, HoldEnd, HoldState, No, Place, Request, Spot};
use crate::domain::news::Subject;
use crate::domain::sheet::{Cause, Sheet};
use crate::store::operations::{self, Finished, Known};
use crate::store::{MySqlConnection, Places, books, holds, outgoing};

/// Runs of one group in which others were faster with the same new account or id.
const DUPLICATES_MAX: u32 = 8;

/// Whose ids these are. Other systems share one namespace, each user has their own, and none can meet the system's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Services,
    User(u64),
    /// The system's own ids, as they are.
    Own,
}

impl Scope {
    /// The id under which the operation is stored.
    pub fn id(self, operation_id: &str) -> String {
        match self {
            Scope::Services => format!("b:{operation_id}"),
            Scope::User(user_id) => format!("u:{user_id}:{operation_id}"),
            Scope::Own => operation_id.to_owned(),
        }
    }
}

/// An operation's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// As it is stored; nothing for an answer that is not (a mismatch).
    pub stored_as: Option<String>,
    pub text: String,
}

/// A request on its way through one transaction.
struct Item<'a> {
    request: &'a Request,
    id: String,
    hash: [u8; 32],
}

/// What the transaction made of the group.
struct Outcome {
    answers: Vec<Answered>,
    moved: Vec<u64>,
    done: u64,
    refused: u64,
    repeated: u64,
}

impl Flow {
    /// Carries out a group of requests and answers each, in their order. With `is_queued` the results are noted as outgoing
    /// until they are known to be sent.
    pub async fn carry_out(&self, scope: Scope, requests: &[Request], is_queued: bool) -> Result<Vec<Answered>, FlowError> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let items: Vec<Item<'_>> = requests
            .iter()
            .map(|request| Item { request, id: scope.id(&request.operation_id), hash: Sha256::digest(request.canonical.as_bytes()).into() })
            .collect();
        let places = self.store.places();
        let mut duplicates = 0;
        let outcome = loop {
            match transaction!(self.store, |connection| group(connection, places, &items, is_queued).await) {
                // Somebody else made the same account, or wrote the same id with other accounts: it is there to be found now.
                Err(FlowError::Store(error)) if error.is_duplicate() && duplicates < DUPLICATES_MAX => duplicates += 1,
                result => break result?,
            }
        };
        for (name, count) in [("done", outcome.done), ("refused", outcome.refused), ("repeated", outcome.repeated)] {
            metrics::counter!("orderboard_billing_operations_total", "outcome" => name).increment(count);
        }
        outcome.moved.into_iter().for_each(|account_id| self.outbox.announce(Subject::account(account_id)));
        Ok(outcome.answers)
    }

    /// Ends holds whose time is over; how many it ended. Safe on several nodes at once: each is an operation with its own id.
    pub async fn expire_holds(&self, limit: u32) -> Result<usize, FlowError> {
        let due: Vec<Request> = self.store.expired_holds(now(), limit).await?.into_iter().map(Request::expire).collect();
        let answers = self.carry_out(Scope::Own, &due, false).await?;
        // A refused one is not stored. Counted as work it would be asked for again without a pause.
        Ok(answers.iter().filter(|answer| answer.stored_as.is_some()).count())
    }

    /// The stored answer to an operation.
    pub async fn operation(&self, scope: Scope, operation_id: &str) -> Result<Option<String>, FlowError> {
        Ok(self.store.operation_result(&scope.id(operation_id)).await?)
    }
}

async fn group(connection: &mut MySqlConnection, places: &Places, items: &[Item<'_>], is_queued: bool) -> Result<Outcome, FlowError> {
    let mut desk = open(connection, places, items).await?;
    let at = now();
    let ids: Vec<&str> = items.iter().map(|item| item.id.as_str()).collect();
    let known = operations::known(connection, &ids).await?;
    let judged = judge(&mut desk, items, &known, at);

    let made = write(connection, &mut desk, at).await?;
    let mut first: HashMap<&str, (&[u8; 32], String)> = HashMap::with_capacity(items.len());
    let mut outcome = Outcome { answers: Vec::with_capacity(items.len()), moved: Vec::new(), done: 0, refused: 0, repeated: 0 };
    let mut finished: Vec<(usize, bool)> = Vec::with_capacity(items.len());
    for (index, (item, judged)) in items.iter().zip(judged).enumerate() {
        let stored_as = Some(item.id.clone());
        let answer = match judged {
            Judged::New(result) => {
                let (text, is_refused) = match result {
                    Ok(done) => (billing::done(&item.request.operation_id, &done, made.get(&item.id).copied()), false),
                    Err(no) => (billing::refused(&item.request.operation_id.clone().into(), &no), true),
                };
                if is_refused {
                    outcome.refused += 1
                } else {
                    outcome.done += 1
                }
                finished.push((index, is_refused));
                first.insert(&item.id, (&item.hash, text.clone()));
                Answered { stored_as, text }
            }
            Judged::Known(text) => {
                outcome.repeated += 1;
                Answered { stored_as, text }
            }
            Judged::Unstored(no) => Answered { stored_as: None, text: billing::refused(&item.request.operation_id.clone().into(), &no) },
            Judged::Twin => {
                outcome.repeated += 1;
                match first.get(item.id.as_str()) {
                    Some((hash, text)) if **hash == item.hash => Answered { stored_as, text: text.clone() },
                    _ => mismatch(item),
                }
            }
            Judged::Mismatch => mismatch(item),
        };
        outcome.answers.push(answer);
    }
    conclude(connection, items, &outcome.answers, &finished, is_queued, at).await?;
    outcome.moved = desk.sheet.moved().map(|standing| standing.id).collect();
    Ok(outcome)
}

/// Locks the accounts that the group names, in one go and in ascending order, and reads its holds.
async fn open<'a>(connection: &mut MySqlConnection, places: &Places, items: &[Item<'_>]) -> Result<Desk<'a>, FlowError> {
    let deeds = || items.iter().filter_map(|item| item.request.deed.as_ref().ok());
    let hold_ids: Vec<u64> = deeds().filter_map(Deed::hold_id).collect();
    let mut holds = holds::read(connection, &hold_ids).await?;
    let held_on: Vec<u64> = holds.values().filter(|hold| hold.is_of_billing).map(|hold| hold.account_id).collect();
    let mut spots: Vec<Spot> = deeds().flat_map(Deed::spots).collect();
    if deeds().any(|deed| matches!(deed, Deed::Capture { to_user_id: Some(_), .. })) {
        // Who is paid gets it on an account of the hold's kind and currency.
        let owners = places.owners(connection, &held_on).await?;
        spots.extend(deeds().filter_map(|deed| payee(deed, &holds, &owners)));
    }
    let places = places.find(connection, spots.into_iter()).await?;
    let named = places.values().filter_map(|place| match place {
        Place::Account(id) => Some(*id),
        _ => None,
    });
    let locked = books::lock(connection, held_on.iter().copied().chain(named)).await?;
    if !hold_ids.is_empty() {
        // Again, under the locks: from here on they stand still.
        holds = holds::read(connection, &hold_ids).await?;
    }
    Ok(Desk { sheet: Sheet::new(locked), places, holds, ..Desk::default() })
}

fn payee(deed: &Deed, holds: &HashMap<u64, HoldState>, owners: &HashMap<u64, Spot>) -> Option<Spot> {
    let Deed::Capture { hold, to_user_id: Some(user_id) } = *deed else { return None };
    let owner = owners.get(&holds.get(&hold.hold_id)?.account_id)?;
    Some(Spot { user_id, ..*owner })
}

/// What became of one request.
enum Judged {
    New(Result<Done, No>),
    /// Carried out before; its answer.
    Known(String),
    /// Refused, and not to be remembered.
    Unstored(No),
    /// The same id stands earlier in this group.
    Twin,
    Mismatch,
}

fn judge<'a>(desk: &mut Desk<'a>, items: &'a [Item<'_>], known: &HashMap<String, Known>, at: OffsetDateTime) -> Vec<Judged> {
    let mut seen: HashSet<&str> = HashSet::with_capacity(items.len());
    let mut judged = Vec::with_capacity(items.len());
    for item in items {
        judged.push(match known.get(&item.id) {
            Some(known) if known.body_hash == item.hash => Judged::Known(known.result.clone()),
            Some(_) => Judged::Mismatch,
            None if !seen.insert(&item.id) => Judged::Twin,
            None => match &item.request.deed {
                Ok(deed) => match desk.judge(deed, Cause::new(&item.id, at)) {
                    // Time alone will change this answer: under the one id that a hold's expiry has, it must not stay.
                    Err(no) if matches!(deed, Deed::Expire { .. }) => Judged::Unstored(no),
                    result => Judged::New(result),
                },
                Err(no) => Judged::New(Err(no.clone())),
            },
        });
    }
    judged
}

/// Writes holds and money; answers the numbers of new holds by their operations.
async fn write(connection: &mut MySqlConnection, desk: &mut Desk<'_>, at: OffsetDateTime) -> Result<BTreeMap<String, u64>, FlowError> {
    for end in [HoldEnd::Captured, HoldEnd::Released, HoldEnd::Expired] {
        let ids: Vec<u64> = desk.ended.iter().filter(|(_, ended)| **ended == end).map(|(id, _)| *id).collect();
        let ended = holds::end_all(connection, &ids, end, at).await?;
        if ended != ids.len() as u64 {
            return Err(FlowError::Internal(format!("{ended} of {} holds were active under their accounts' locks", ids.len())));
        }
    }
    let new_accounts = books::make_accounts(connection, &mut desk.sheet).await?;
    for hold in &mut desk.new_holds {
        hold.account_id = new_accounts.get(&hold.account_id).copied().unwrap_or(hold.account_id);
    }
    let made = holds::insert_all(connection, &desk.new_holds).await?;
    desk.sheet.name_holds(&made);
    books::write(connection, &mut desk.sheet).await?;
    Ok(made)
}

/// Writes the operations with their results, and that these are to be sent.
async fn conclude(
    connection: &mut MySqlConnection,
    items: &[Item<'_>],
    answers: &[Answered],
    finished: &[(usize, bool)],
    is_queued: bool,
    at: OffsetDateTime,
) -> Result<(), FlowError> {
    let mut rows: Vec<Finished<'_>> = finished
        .iter()
        .map(|&(index, is_refused)| Finished {
            id: &items[index].id,
            kind: items[index].request.deed.as_ref().map_or("refused", Deed::kind),
            body_hash: items[index].hash,
            is_refused,
            result: &answers[index].text,
            at,
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    // Whoever writes several takes them in the same order.
    rows.sort_unstable_by_key(|row| row.id);
    operations::insert_all(connection, &rows).await?;
    if is_queued {
        let ids: Vec<&str> = rows.iter().map(|row| row.id).collect();
        outgoing::insert_all(connection, &ids, at).await?;
    }
    Ok(())
}

fn mismatch(item: &Item<'_>) -> Answered {
    Answered { stored_as: None, text: billing::refused(&item.request.operation_id.clone().into(), &No::mismatch()) }
}
