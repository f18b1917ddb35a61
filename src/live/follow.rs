//! Following the news: the one task that applies what the bus delivers to boards, users' channels and sessions, loads
//! what it has to, and hands what is new to the fan-out: at once when that is idle, and otherwise when it has ended a round,
//! so that what has arrived meanwhile goes as one frame.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use super::board::{AHEAD_FOR, Board};
use super::frame::Frame;
use super::protocol::{Removal, ServerMessage};
use super::replica::{LOAD, Row};
use super::{Live, Result, TICK_EVERY};
use crate::bus::{Feed, FeedEvent};
use crate::domain::category::Category;
use crate::domain::ledger::AccountNews;
use crate::domain::news::{Item, NewsKind, Position, Subject};
use crate::domain::order::{BoardOrder, Order, Status};
use crate::store::changes::EndedSession;
use crate::store::orders::Listed;

/// How long a change may wait for the end of the round that is under way.
const GATHER_FOR: Duration = Duration::from_millis(20);
/// Events applied before anything is written, when many wait.
const EVENTS_AT_ONCE: usize = 256;
/// After a gap, users' channels are told what changed in this time and a little more.
const USERS_LOOK_BACK: Duration = Duration::from_secs(30);
const USERS_ROWS_MAX: u32 = 20_000;

/// The categories as they are now, and word of their changes.
type Categories = watch::Receiver<Arc<Vec<Category>>>;

pub(super) async fn run(live: Live, mut feed: Feed, mut categories: Categories, observe: impl Fn(&Item, Option<&Order>, Option<u64>)) {
    let mut ticks = tokio::time::interval(TICK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let fanout = &live.shared.fanout;
    let mut behind_since = OffsetDateTime::now_utc();
    // Since when something has been applied and not been sent.
    let mut unsent_since: Option<Instant> = None;
    // When what has been applied and not been sent was committed.
    let mut committed = Vec::new();
    // Where the feed stands; nowhere before the boards were first loaded.
    let mut position: Option<Position> = None;
    loop {
        let due = unsent_since.unwrap_or_else(Instant::now) + GATHER_FOR;
        tokio::select! {
            event = feed.next() => {
                let Some(first) = event else { break };
                let mut next = Some(first);
                for _ in 0..EVENTS_AT_ONCE {
                    let Some(event) = next else { break };
                    match event {
                        FeedEvent::Items { at, items } => {
                            committed.extend(items.iter().filter(|item| item.kind == NewsKind::Order).filter_map(|item| item.committed_us));
                            apply(&live, Some(at.seq), &items, &observe);
                            behind_since = OffsetDateTime::now_utc();
                            position = Some(at);
                        }
                        FeedEvent::Direct(items) | FeedEvent::Private(items) => apply(&live, None, &items, &observe),
                        FeedEvent::Reload(at) => {
                            reload(&live, &at).await;
                            position = Some(at);
                            resync_users(&live, behind_since).await;
                            live.shared.is_synced.store(true, Ordering::Release);
                        }
                    }
                    next = feed.ready();
                }
                unsent_since.get_or_insert_with(Instant::now);
            }
            () = fanout.round_ended() => {}
            () = tokio::time::sleep_until(due), if unsent_since.is_some() => {}
            Ok(()) = categories.changed() => open_boards(&live, &mut categories, position.as_ref()).await,
            _ = ticks.tick() => {
                open_boards(&live, &mut categories, position.as_ref()).await;
                live.shared.boards.all().values().for_each(|board| board.tick(OffsetDateTime::now_utc()));
                fanout.wake();
            }
        }
        if unsent_since.is_some_and(|since| fanout.has_idle() || since.elapsed() >= GATHER_FOR) {
            unsent_since = None;
            for board in live.shared.boards.all().values() {
                board.flush();
                refill(&live, board).await;
            }
            fanout.wake();
            told_after(committed.drain(..));
        }
    }
    fanout.end();
}

/// How long changes took from their commit, maybe on another node, until their frames were handed to the fan-out. The nodes'
/// clocks have to be in step for that.
fn told_after(committed: impl Iterator<Item = i64>) {
    let now = (OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000) as i64;
    let told = metrics::histogram!("orderboard_commit_to_frame_seconds");
    committed.for_each(|at| told.record((now - at).max(0) as f64 / 1e6));
}

fn apply(live: &Live, seq: Option<u64>, items: &[Item], observe: &impl Fn(&Item, Option<&Order>, Option<u64>)) {
    for item in items {
        match item.kind {
            NewsKind::Order => match serde_json::from_str::<Order>(item.row.get()) {
                Ok(order) => {
                    observe(item, Some(&order), seq);
                    apply_order(live, seq, &order);
                }
                Err(error) => unreadable(item, &error),
            },
            NewsKind::Account => {
                observe(item, None, seq);
                match serde_json::from_str::<AccountNews>(item.row.get()) {
                    Ok(news) => tell_balance(live, item.id, &news),
                    Err(error) => unreadable(item, &error),
                }
            }
            NewsKind::Session => {
                observe(item, None, seq);
                match serde_json::from_str::<EndedSession>(item.row.get()) {
                    Ok(ended) => end_session(live, &ended),
                    Err(error) => unreadable(item, &error),
                }
            }
        }
    }
}

/// A node of another release may send what this one cannot read; the rows themselves are in MySQL.
fn unreadable(item: &Item, error: &serde_json::Error) {
    metrics::counter!("orderboard_news_unreadable_total").increment(1);
    tracing::warn!(kind = item.kind.as_str(), id = item.id, %error, "news could not be read");
}

fn apply_order(live: &Live, seq: Option<u64>, order: &Order) {
    let open = (order.status == Status::Open).then(|| Arc::new(row(order)));
    for board in live.shared.boards.of(order.category.as_deref()) {
        board.apply(seq, |replica| match (&open, order.status) {
            (Some(row), _) => replica.put(row.clone()),
            (None, status) => replica.remove(order.id, order.version, Removal::from(status)),
        });
    }
    if order.edited_version > 1 {
        // It may have been of another category. A board that never had it only remembers that it has gone.
        for board in live.shared.boards.besides(order.category.as_deref()) {
            board.apply(seq, |replica| replica.remove(order.id, order.version, Removal::from(order.status)));
        }
    }
    tell_order(live, order);
}

fn tell_order(live: &Live, order: &Order) {
    let executor = order.executor.as_ref().map(|executor| executor.id);
    let parties = [Some(order.customer.id), executor.or_else(|| gave_up(live, order))];
    if let Some(executor) = executor {
        live.shared.executors.lock().unwrap_or_else(PoisonError::into_inner).remember(order.id, executor);
    }
    for user_id in parties.into_iter().flatten() {
        let frame = || Frame::json(&ServerMessage::Order { order });
        live.shared.users.send(user_id, Subject::order(order.id), order.version, frame);
    }
}

/// Who had this order before it was open again: its row does not name them any more, and their other pages still show it
/// as theirs. Asked for open orders alone, which everybody may see.
fn gave_up(live: &Live, order: &Order) -> Option<u64> {
    if order.status != Status::Open {
        return None;
    }
    live.shared.executors.lock().unwrap_or_else(PoisonError::into_inner).forget(order.id)
}

fn tell_balance(live: &Live, account_id: u64, news: &AccountNews) {
    let frame = || Frame::json(&ServerMessage::Balance(&news.account));
    live.shared.users.send(news.user_id, Subject::account(account_id), news.account.version, frame);
}

fn end_session(live: &Live, ended: &EndedSession) {
    live.shared.sessions.forget(ended.session_id);
    live.shared.users.send(ended.user_id, Subject::session(ended.session_id), 1, || Frame::text(""));
}

/// Loads every board anew, trying until MySQL answers: nothing else can tell what the boards are.
async fn reload(live: &Live, position: &Position) {
    let begun = live.store().now().await;
    for board in live.shared.boards.all().values() {
        loop {
            match open_orders(live, board, u64::MAX, LOAD as u32).await {
                Ok(rows) => {
                    let is_ahead = match &begun {
                        Ok(begun) => has_changed_since(live, *begun - AHEAD_FOR).await,
                        Err(_) => true,
                    };
                    break board.reloaded(position.clone(), rows, is_ahead);
                }
                Err(error) => {
                    tracing::warn!(board = board.name(), %error, "a board could not be loaded, trying again");
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
            }
        }
    }
    metrics::counter!("orderboard_boards_reloaded_total").increment(1);
}

/// Opens the boards of categories that are new: loaded first, where the others are. What the feed brings afterwards reaches them,
/// too; what was committed and is still to come makes them ahead for a while. When MySQL does not answer, the next tick tries
/// again.
async fn open_boards(live: &Live, categories: &mut Categories, position: Option<&Position>) {
    let known = categories.borrow_and_update().clone();
    for board in live.shared.boards.missing(&known) {
        if let Some(position) = position {
            match open_orders(live, &board, u64::MAX, LOAD as u32).await {
                Ok(rows) => board.reloaded(position.clone(), rows, true),
                Err(error) => {
                    tracing::warn!(board = board.name(), %error, "a new board could not be loaded, trying again");
                    return;
                }
            }
        }
        live.shared.boards.open(board);
    }
}

/// Whether an order has changed since: its news may still be on its way.
async fn has_changed_since(live: &Live, since: OffsetDateTime) -> bool {
    let changed = live.store().changed_since(since, USERS_ROWS_MAX).await;
    changed.map_or(true, |changed| changed.iter().any(|(subject, _)| subject.kind == NewsKind::Order))
}

/// Tells connected users what they may have missed while the bus could not.
async fn resync_users(live: &Live, since: OffsetDateTime) {
    let here = live.shared.users.ids();
    if here.is_empty() {
        return;
    }
    let result: Result<()> = async {
        let changed = live.store().changed_since(since - USERS_LOOK_BACK, USERS_ROWS_MAX).await?;
        let ids = |kind: NewsKind| changed.iter().filter(|(s, _)| s.kind == kind).map(|(s, _)| s.id).collect::<Vec<_>>();
        for some in ids(NewsKind::Order).chunks(500) {
            live.store().orders_by_id(some).await?.iter().for_each(|order| tell_order(live, order));
        }
        for some in ids(NewsKind::Account).chunks(500) {
            let accounts = live.store().accounts_by_id(some).await?;
            accounts
                .iter()
                .filter(|news| live.shared.users.is_here(news.user_id))
                .for_each(|news| tell_balance(live, news.account.id, news));
        }
        for some in ids(NewsKind::Session).chunks(500) {
            live.store().ended_sessions(some).await?.iter().for_each(|ended| end_session(live, ended));
        }
        Ok(())
    }
    .await;
    if let Err(error) = result {
        tracing::warn!(%error, "users could not be told what they missed");
    }
}

/// Reads more of the board from below while it runs short. A failure is tried again with the next flush.
async fn refill(live: &Live, board: &Board) {
    let Some((below, limit)) = board.look(|replica| replica.wants()) else { return };
    match open_orders(live, board, below, limit).await {
        Ok(rows) => {
            board.look(|replica| replica.refill(rows));
            board.flush();
        }
        Err(error) => tracing::warn!(board = board.name(), %error, "a board could not be refilled"),
    }
}

async fn open_orders(live: &Live, board: &Board, below: u64, limit: u32) -> Result<Vec<Row>> {
    let category = board.name().strip_prefix("category:").map(str::to_owned);
    metrics::counter!("orderboard_board_loads_total").increment(1);
    let orders = live.store().orders(&Listed::Open { category }, below, limit).await?;
    Ok(orders.iter().map(row).collect())
}

fn row(order: &Order) -> Row {
    let json = serde_json::to_string(&BoardOrder::from(order)).unwrap_or_default().into();
    Row { id: order.id, version: order.version, json }
}
