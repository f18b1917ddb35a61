//! The catalogue: the open orders of the whole board in this node's memory, with their words, for those who search and filter them.
//! There are as many open orders as people can look at, thousands where the table holds millions, so that reading past all of
//! them takes about a millisecond, and the table needs no index for it, which every taking would have to pay for.
//!
//! It follows the same news as the boards. It only names orders: whoever answers reads their rows from MySQL, so what is not open any
//! more is never shown, however late the news.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use memchr::memmem::Finder;
use tokio::sync::{Notify, watch};

use super::Result;
use crate::domain::order::{Assignment, Order, Status};
use crate::domain::search::{Place, Search, Sort, searched};
use crate::store::Store;
use crate::store::orders::Listed;

/// The newest are kept, some 500 bytes each.
const ORDERS_MAX: usize = 100_000;
/// Rows read at once.
const ROWS_MAX: usize = 1_000;
const TEXTS_MAX: usize = 500;
/// Orders looked at under one lock: news waits no longer than that.
const LOOKED_AT: usize = 256;
/// However well it followed, everything is read again so often.
const READ_AGAIN_EVERY: Duration = Duration::from_secs(120);
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How long a search waits for the first reading.
const READ_WITHIN: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    store: Store,
    entries: Mutex<BTreeMap<u64, Entry>>,
    /// Orders whose descriptions are not read yet.
    unread: Mutex<BTreeSet<u64>>,
    work: Notify,
    last_seq: AtomicU64,
    /// News may have been missed.
    has_gap: AtomicBool,
    is_read: watch::Sender<bool>,
}

struct Entry {
    version: u64,
    edited_version: u64,
    customer_id: u64,
    category: Option<Box<str>>,
    assignment: Assignment,
    price: i64,
    payout: i64,
    text: Box<str>,
}

/// Orders that a search names, and where it goes on.
pub struct Found {
    pub ids: Vec<u64>,
    pub next: Option<Place>,
}

impl Catalog {
    /// Reads the open orders, and follows what [`Catalog::note`] is told.
    pub fn start(store: Store) -> Self {
        let catalog = Self(Arc::new(Inner {
            store,
            entries: Mutex::default(),
            unread: Mutex::default(),
            work: Notify::new(),
            last_seq: AtomicU64::new(0),
            has_gap: AtomicBool::new(true),
            is_read: watch::Sender::new(false),
        }));
        tokio::spawn(run(catalog.clone()));
        catalog
    }

    /// Has everything read again, as if news had been missed.
    pub fn read_again(&self) {
        self.0.has_gap.store(true, Ordering::Relaxed);
        self.0.work.notify_one();
    }

    pub fn remembered(&self) -> u64 {
        self.entries().len() as u64
    }

    /// News, of an order or of something else; `seq` is its place on the bus, where it came by the bus.
    pub fn note(&self, order: Option<&Order>, seq: Option<u64>) {
        if let Some(seq) = seq {
            let last = self.0.last_seq.swap(seq, Ordering::Relaxed);
            if last != 0 && seq != last && seq != last + 1 {
                self.read_again();
            }
        }
        if let Some(order) = order {
            self.put(order);
        }
    }

    /// What was created a moment ago is found, too: orders newer than all that are known are read now.
    pub async fn catch_up(&self) -> Result<()> {
        let read = tokio::time::timeout(READ_WITHIN, async { self.0.is_read.subscribe().wait_for(|read| *read).await.is_ok() });
        if !read.await.unwrap_or(false) {
            return Err(crate::store::StoreError::Unreachable("the open orders are still being read".into()));
        }
        let newest = self.entries().last_key_value().map_or(0, |(id, _)| *id);
        for order in self.0.store.open_above(newest, ROWS_MAX as u32).await? {
            self.put(&order);
        }
        self.read_texts().await
    }

    /// One page, at most `limit`.
    pub fn search(&self, search: &Search, after: Option<Place>, limit: usize) -> Found {
        let words: Vec<Finder<'static>> = search.words.iter().map(|word| Finder::new(&format!(" {word}")).into_owned()).collect();
        let fits = |entry: &Entry| entry.fits(search) && words.iter().all(|word| word.find(entry.text.as_bytes()).is_some());
        let mut places = match search.sort {
            Sort::Newest => self.newest(fits, after.map_or(u64::MAX, |after| after.id), limit + 1),
            sort => self.greatest(fits, sort, after.unwrap_or(Place { value: i64::MAX, id: u64::MAX }), limit + 1),
        };
        let has_more = places.len() > limit;
        places.truncate(limit);
        Found { next: places.last().copied().filter(|_| has_more), ids: places.into_iter().map(|place| place.id).collect() }
    }

    fn newest(&self, fits: impl Fn(&Entry) -> bool, mut below: u64, limit: usize) -> Vec<Place> {
        let mut places = Vec::new();
        loop {
            let entries = self.entries();
            let mut looked_at = 0;
            for (id, entry) in entries.range(..below).rev().take(LOOKED_AT) {
                (below, looked_at) = (*id, looked_at + 1);
                if fits(entry) {
                    places.push(Place { value: 0, id: *id });
                    if places.len() == limit {
                        return places;
                    }
                }
            }
            if looked_at < LOOKED_AT {
                return places;
            }
        }
    }

    fn greatest(&self, fits: impl Fn(&Entry) -> bool, sort: Sort, after: Place, limit: usize) -> Vec<Place> {
        // The smallest of the greatest on top.
        let mut places: BinaryHeap<Reverse<Place>> = BinaryHeap::with_capacity(limit + 1);
        let mut below = u64::MAX;
        loop {
            let entries = self.entries();
            let mut looked_at = 0;
            for (id, entry) in entries.range(..below).rev().take(LOOKED_AT) {
                (below, looked_at) = (*id, looked_at + 1);
                let place = Place { value: sort.value(entry.price, entry.payout), id: *id };
                let is_wanted = place < after && (places.len() < limit || places.peek().is_some_and(|least| place > least.0));
                if is_wanted && fits(entry) {
                    places.push(Reverse(place));
                    if places.len() > limit {
                        places.pop();
                    }
                }
            }
            if looked_at < LOOKED_AT {
                return places.into_sorted_vec().into_iter().map(|Reverse(place)| place).collect();
            }
        }
    }

    fn put(&self, order: &Order) {
        let mut entries = self.entries();
        let known = entries.get(&order.id);
        if known.is_some_and(|known| known.version >= order.version) {
            return;
        }
        if order.status != Status::Open {
            entries.remove(&order.id);
            return;
        }
        let has_text = known.is_some_and(|known| known.edited_version == order.edited_version);
        let text = if has_text { entries.remove(&order.id).map(|known| known.text) } else { None };
        if text.is_none() {
            lock(&self.0.unread).insert(order.id);
            self.0.work.notify_one();
        }
        entries.insert(order.id, Entry::new(order, text.unwrap_or_else(|| searched(&order.title, ""))));
        if entries.len() > ORDERS_MAX {
            entries.pop_first();
            metrics::counter!("orderboard_catalog_dropped_total").increment(1);
        }
    }

    /// Reads what waits to be read of descriptions.
    async fn read_texts(&self) -> Result<()> {
        loop {
            let ids: Vec<u64> = {
                let mut unread = lock(&self.0.unread);
                let ids: Vec<u64> = unread.iter().copied().take(TEXTS_MAX).collect();
                unread.retain(|id| ids.last().is_some_and(|last| id > last));
                ids
            };
            if ids.is_empty() {
                return Ok(());
            }
            let texts = match self.0.store.order_texts(&ids).await {
                Ok(texts) => texts,
                Err(error) => {
                    lock(&self.0.unread).extend(ids);
                    return Err(error);
                }
            };
            for text in texts {
                let words = searched(&text.title, &text.description);
                if let Some(entry) = self.entries().get_mut(&text.order_id) {
                    entry.text = words;
                }
            }
        }
    }

    /// Reads everything anew; what news brings meanwhile is newer and stays.
    async fn read_all(&self) -> Result<()> {
        let before: BTreeMap<u64, u64> = self.entries().iter().map(|(id, entry)| (*id, entry.version)).collect();
        let (mut below, mut open) = (u64::MAX, BTreeSet::new());
        while open.len() < ORDERS_MAX {
            let orders = self.0.store.orders(&Listed::Open { category: None }, below, ROWS_MAX as u32).await?;
            for order in &orders {
                below = order.id;
                open.insert(order.id);
                self.put(order);
            }
            if orders.len() < ROWS_MAX {
                break;
            }
        }
        self.forget_closed(&before, &open);
        self.read_texts().await
    }

    fn forget_closed(&self, before: &BTreeMap<u64, u64>, open: &BTreeSet<u64>) {
        let mut entries = self.entries();
        for (id, version) in before {
            if !open.contains(id) && entries.get(id).is_some_and(|entry| entry.version == *version) {
                entries.remove(id);
            }
        }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        lock(&self.0.entries)
    }
}

impl Entry {
    fn new(order: &Order, text: Box<str>) -> Self {
        Self {
            version: order.version,
            edited_version: order.edited_version,
            customer_id: order.customer.id,
            category: order.category.as_deref().map(Box::from),
            assignment: order.assignment,
            price: order.price,
            payout: order.payout,
            text,
        }
    }

    fn fits(&self, search: &Search) -> bool {
        search.category.as_deref().is_none_or(|category| self.category.as_deref() == Some(category))
            && search.customer_id.is_none_or(|id| self.customer_id == id)
            && search.assignment.is_none_or(|assignment| self.assignment == assignment)
            && search.price.has(self.price)
            && search.payout.has(self.payout)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends with the node's runtime: it holds nothing that has to be put down.
async fn run(catalog: Catalog) {
    let mut read_at: Option<tokio::time::Instant> = None;
    loop {
        let is_due = read_at.is_none_or(|at| at.elapsed() >= READ_AGAIN_EVERY);
        let result = match catalog.0.has_gap.swap(false, Ordering::Relaxed) || is_due {
            true => {
                let result = catalog.read_all().await;
                match &result {
                    Ok(()) => {
                        read_at = Some(tokio::time::Instant::now());
                        catalog.0.is_read.send_replace(true);
                    }
                    Err(_) => catalog.0.has_gap.store(true, Ordering::Relaxed),
                }
                result
            }
            false => catalog.read_texts().await,
        };
        metrics::gauge!("orderboard_catalog_orders").set(catalog.entries().len() as f64);
        if let Err(error) = result {
            tracing::debug!(%error, "the catalogue could not be read, trying again");
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
            continue;
        }
        // A timeout is the turn to read everything again.
        let _ = tokio::time::timeout(READ_AGAIN_EVERY, catalog.0.work.notified()).await;
    }
}
