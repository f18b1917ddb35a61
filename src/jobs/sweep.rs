//! The safety net of news: rows changed lately whose version the bus did not carry (a node died between commit and
//! publish, Redis was away, somebody edited the table by hand) are found and sent within two seconds.
//!
//! News of an account or an inbox goes only to nodes where its user has a socket, so each node looks after its own: such a row
//! that did not reach this node, and whose user is here, is delivered here and not sent again.
//!
//! Each round looks back further than it must: `changed_at` is written when the statement runs, and the row becomes
//! visible only at its commit. A cursor that moved on with the clock would skip rows that commit late.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::publish::{BURST_MAX, Sent, read_back, send};
use super::{Stopping, next_round};
use crate::bus::Bus;
use crate::domain::news::{Item, NewsKind, Subject};
use crate::flow::{Flow, Recent};
use crate::store::changes::Changed;
use crate::store::{Rereader, Store, StoreError};

const PAUSE: Duration = Duration::from_millis(700);
/// While Redis is away the boards live on the sweep alone.
const PAUSE_WHILE_DOWN: Duration = Duration::from_millis(300);
/// Most rows are visible as soon as they are changed: each round looks at what came since the last one, and at a second more.
const LOOK_BACK: Duration = Duration::from_secs(1);
/// Every so many rounds further, for transactions that took their time.
const FURTHER_EVERY: u32 = 3;
const LOOK_BACK_FURTHER: Duration = Duration::from_secs(5);
/// Now and then further still, for those that took unusually long.
const LOOK_BACK_LONG: Duration = Duration::from_secs(90);
const LONG_EVERY: Duration = Duration::from_secs(15);
/// More than one statement by hand is likely to change: what lies beyond is not found, however often the sweep looks.
const ROWS_MAX: u32 = 200_000;
/// In the long look back nearly everything was carried, and is more than the memory of it holds under full load.
const ROWS_LONG_MAX: u32 = 20_000;

/// Which versions this node knows to have been carried, by the bus or directly. Bounded and short-lived: forgetting
/// costs one needless publish, which the bus suppresses.
pub struct Carried {
    by_bus: Recent<Subject, u64>,
    directly: Recent<Subject, u64>,
    /// Whose an account is, which never changes. An owner that was forgotten is read again.
    owners: moka::sync::Cache<u64, u64>,
}

/// Accounts' owners that are remembered.
const OWNERS_MAX: u64 = 500_000;

impl Default for Carried {
    fn default() -> Self {
        let memory = || Recent::new(LOOK_BACK_LONG, 400_000);
        Self { by_bus: memory(), directly: memory(), owners: moka::sync::Cache::new(OWNERS_MAX) }
    }
}

impl Carried {
    /// The bus delivered this version to this node.
    pub fn note(&self, subject: Subject, version: u64) {
        self.by_bus.insert(subject, version);
    }

    fn missing(&self, changed: Vec<Changed>, bus: &Bus) -> Vec<Changed> {
        let bus_is_up = bus.is_up();
        let has =
            |memory: &Recent<Subject, u64>, (subject, version): &Changed| memory.get(subject).is_some_and(|carried| carried >= *version);
        let is_missing = |row: &Changed| match row.0.kind {
            NewsKind::Account | NewsKind::Inbox => {
                let owner = if row.0.kind == NewsKind::Inbox { Some(row.0.id) } else { self.owners.get(&row.0.id) };
                let is_elsewhere = owner.is_some_and(|owner| !bus.users().is_here(owner));
                !is_elsewhere && !has(&self.by_bus, row) && !has(&self.directly, row)
            }
            _ => !has(&self.by_bus, row) && (bus_is_up || !has(&self.directly, row)),
        };
        changed.into_iter().filter(is_missing).collect()
    }
}

/// Sweeps until told to stop.
pub async fn run(store: Store, bus: Bus, flow: Flow, carried: Arc<Carried>, mut stopping: Stopping) {
    let rereader = Rereader::new(store.clone());
    let mut last_long = Instant::now();
    let mut last_whole: Option<Instant> = None;
    for round in 1_u32.. {
        let started = Instant::now();
        let is_long = last_long.elapsed() > LONG_EVERY;
        let (look_back, rows_max) = match last_whole {
            // What died with another node, or while none ran, is found at once.
            None => (LOOK_BACK_LONG, ROWS_MAX),
            Some(_) if is_long => (LOOK_BACK_LONG, ROWS_LONG_MAX),
            Some(whole) if round % FURTHER_EVERY == 0 => (whole.elapsed() + LOOK_BACK_FURTHER, ROWS_MAX),
            // While MySQL was away nothing was swept: what was committed just before must be found, too.
            Some(whole) => (whole.elapsed() + LOOK_BACK, ROWS_MAX),
        };
        match sweep(&rereader, &bus, &carried, look_back, rows_max).await {
            Ok(()) => {
                last_whole = Some(started);
                flow.note_swept(started);
                if is_long {
                    last_long = started;
                }
            }
            Err(error) => tracing::warn!(%error, "the sweep could not read what changed"),
        }
        if let Err(error) = flow.refresh_settings().await {
            tracing::warn!(?error, "the settings could not be read");
        }
        if let Err(error) = flow.refresh_categories().await {
            tracing::warn!(?error, "the categories could not be read");
        }
        let pause = if bus.is_up() { PAUSE } else { PAUSE_WHILE_DOWN };
        if !next_round(&mut stopping, pause).await {
            return;
        }
    }
}

async fn sweep(rereader: &Rereader, bus: &Bus, carried: &Carried, look_back: Duration, rows_max: u32) -> Result<(), StoreError> {
    let store = rereader.store();
    let since = store.now().await? - look_back;
    let changed = store.changed_since(since, rows_max).await?;
    let missing = carried.missing(changed, bus);
    for some in missing.chunks(BURST_MAX) {
        let subjects: Vec<Subject> = some.iter().map(|(subject, _)| *subject).collect();
        let (own, shared): (Vec<Item>, Vec<Item>) =
            read_back(rereader, &subjects).await?.into_iter().partition(|item| item.audience.is_some());
        let accounts = own.iter().filter(|item| item.kind == NewsKind::Account);
        accounts.for_each(|item| item.audience.into_iter().for_each(|owner| carried.owners.insert(item.id, owner)));
        let own: Vec<Item> = own.into_iter().filter(|item| item.audience.is_some_and(|owner| bus.users().is_here(owner))).collect();
        metrics::counter!("orderboard_sweep_found_total").increment((own.len() + shared.len()) as u64);
        let versions = |items: &[Item]| items.iter().map(|item| (item.subject(), item.version)).collect::<Vec<Changed>>();
        let (own_versions, shared_versions) = (versions(&own), versions(&shared));
        let mut delivered = Vec::new();
        if !own.is_empty() && bus.deliver_directly(own) {
            delivered = own_versions;
        }
        if !shared.is_empty() && send(bus, shared).await == Sent::Directly {
            delivered.extend(shared_versions);
        }
        delivered.into_iter().for_each(|(subject, version)| carried.directly.insert(subject, version));
    }
    Ok(())
}
