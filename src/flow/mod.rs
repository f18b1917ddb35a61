//! Use cases: one file, one story, told top to bottom. The only place where transactions begin. Callers are `http`,
//! `jobs` and the command line; nothing here knows of requests, statuses or sockets.
//!
//! Lock order inside a transaction: operation → order or payout → accounts by ascending id → inboxes by ascending user. A refusal that an idempotency id may
//! ask for again is committed as that operation's result; it is never expressed by a rollback.
//!
//! Callers run these functions in tasks that a vanished client cannot cancel (see `store`).

mod accept_order;
mod apply;
mod archive;
mod attempts;
mod audit;
mod audit_desk;
mod billing;
mod caches;
mod cancel_order;
mod categories;
mod choose_applicant;
mod close_user;
mod commission_policy;
mod create_order;
mod credentials;
mod debug_switch;
mod deliveries;
mod dispute;
mod edit_order;
mod grant;
mod kept;
mod letters;
mod limits;
mod move_money;
mod move_order;
mod notices;
mod outbox;
mod payouts;
mod profile;
mod read_at;
mod recent;
mod repair;
mod services;
mod settings;
mod settle_order;
mod sign_in;
mod statistics;
mod subscriptions;
mod sweep_earnings;
mod telegram;
mod timeline;
mod top_up;
mod transaction;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use arc_swap::ArcSwap;
use time::OffsetDateTime;
use tokio::sync::watch;

use self::read_at::ReadAt;
use crate::bus::Queue;
use crate::domain::commission::Policy;
use crate::domain::refusal::{Invalid, Refusal};
use crate::store::take_lane::{LaneError, TakeLane};
use crate::store::{Store, StoreError};

pub use self::accept_order::Accepted;
pub use self::apply::Offer;
pub use self::archive::Archived;
pub use self::attempts::{Attempt, Attempts};
pub use self::audit::Finding;
pub use self::audit_desk::{Audited, Progress};
pub use self::billing::{Answered, Scope};
pub use self::categories::Categories;
pub use self::choose_applicant::Choice;
pub use self::create_order::{Ask, OrderDraft};
pub use self::credentials::Ended;
pub use self::debug_switch::DEBUG_MINUTES_MAX;
pub use self::dispute::Verdict;
pub use self::edit_order::OrderEdit;
pub use self::grant::Granted;
pub use self::letters::Put;
pub use self::outbox::{Burst, Outbox, Unsent};
pub use self::payouts::OwnPayout;
pub use self::profile::ProfileDraft;
pub use self::recent::Recent;
pub use self::repair::{Left, Mended, Repaired};
pub use self::sign_in::{Registration, SignedIn, hash_token};
pub use self::subscriptions::Round;
pub use self::sweep_earnings::Swept;
pub use self::telegram::{TelegramConfig, TelegramLink};
pub use self::top_up::{Arrival, Fault, Payment, Topup, TopupConfig};
pub use crate::domain::application::CounterLimits;
pub use crate::domain::limits::Limits;
pub use crate::domain::robokassa::{Hash, Merchant, Password, SANDBOX_LOGIN, Stage};
pub use crate::store::deliveries::{Channel, Delivery, Fate};
pub use crate::store::take_lane::LaneSize;

/// Times and sizes that operators may set.
#[derive(Clone, Debug)]
pub struct FlowConfig {
    /// Connections that do nothing but take orders, and how many takers may share one statement.
    pub take_lane: LaneSize,
    /// Submitted work counts as confirmed after this time.
    pub auto_confirm_after: Duration,
    pub counter_limits: CounterLimits,
    /// What one caller may ask, unless an admin sets it otherwise.
    pub limits: Limits,
    pub session_lifetime: Duration,
    pub topups: TopupConfig,
    /// Where people reach the board, for the links in letters; nothing where no mail is sent.
    pub public_url: Option<String>,
    /// Nothing where no messages are sent.
    pub telegram: Option<TelegramConfig>,
}

/// Everything the use cases need. Cheap to clone.
#[derive(Clone)]
pub struct Flow {
    store: Store,
    lane: TakeLane,
    takes: accept_order::Takes,
    outbox: Outbox,
    /// Nothing on the command line, which has no Redis.
    queue: Option<Queue>,
    policy: Arc<ArcSwap<Policy>>,
    limits: Arc<ArcSwap<Limits>>,
    /// Unix time; 0 where the debug mode is off.
    debugs_until_ms: Arc<AtomicI64>,
    categories: Arc<watch::Sender<Categories>>,
    categories_read: ReadAt,
    settings_read: ReadAt,
    swept: ReadAt,
    caches_cleared: Arc<watch::Sender<u64>>,
    hashing: Arc<tokio::sync::Semaphore>,
    forgetting: Arc<tokio::sync::Semaphore>,
    config: Arc<FlowConfig>,
    audits: audit_desk::AuditDesk,
}

impl Flow {
    /// Prepares the use cases over a migrated database; what changes is announced to `outbox`.
    pub async fn start(store: Store, outbox: Outbox, queue: Option<Queue>, config: FlowConfig) -> Result<Self, FlowError> {
        let categories = store.categories().await?;
        let flow = Self {
            lane: TakeLane::start(&store, config.take_lane),
            takes: accept_order::Takes::default(),
            policy: Arc::new(ArcSwap::from_pointee(Policy::default())),
            limits: Arc::new(ArcSwap::from_pointee(config.limits)),
            debugs_until_ms: Arc::default(),
            categories: Arc::new(watch::Sender::new(Arc::new(categories))),
            categories_read: ReadAt::now(),
            settings_read: ReadAt::now(),
            swept: ReadAt::now(),
            caches_cleared: Arc::new(watch::Sender::new(0)),
            hashing: Arc::new(tokio::sync::Semaphore::new(sign_in::HASHES_AT_ONCE)),
            forgetting: Arc::new(tokio::sync::Semaphore::new(credentials::FORGETTING_MAX)),
            config: Arc::new(config),
            audits: audit_desk::AuditDesk::default(),
            store,
            outbox,
            queue,
        };
        flow.refresh_settings().await?;
        Ok(flow)
    }

    /// UPDATE statements that takings have cost this node.
    pub fn take_statements(&self) -> u64 {
        self.lane.statements()
    }

    /// Takers whose tries the database has decided.
    pub fn takers_decided(&self) -> u64 {
        self.lane.decided()
    }

    /// Takers who wait for a free connection.
    pub fn takers_waiting(&self) -> usize {
        self.lane.waiting()
    }
}

/// Why a use case gave no result: the rules said no, or something broke.
#[derive(Debug)]
pub enum FlowError {
    Refused(Refusal),
    Store(StoreError),
    /// A bug or a corrupt value; the detail is for the log.
    Internal(String),
}

impl From<StoreError> for FlowError {
    fn from(error: StoreError) -> Self {
        FlowError::Store(error)
    }
}

impl From<Refusal> for FlowError {
    fn from(refusal: Refusal) -> Self {
        FlowError::Refused(refusal)
    }
}

impl From<Invalid> for FlowError {
    fn from(invalid: Invalid) -> Self {
        FlowError::Refused(Refusal::Invalid(invalid))
    }
}

impl From<LaneError> for FlowError {
    fn from(error: LaneError) -> Self {
        match error {
            LaneError::Full => Refusal::Limit { what: "takers waiting on this node", retry_after_s: 1 }.into(),
            LaneError::Store(error) => FlowError::Store(error),
        }
    }
}

impl From<serde_json::Error> for FlowError {
    fn from(error: serde_json::Error) -> Self {
        FlowError::Internal(error.to_string())
    }
}

/// This node's clock in the database's precision, so that a value reads back as it was written.
pub fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(now.nanosecond() / 1_000 * 1_000).unwrap_or(now)
}

/// 32 random bytes as URL-safe text; used for tokens and for operations that no caller named.
pub(crate) fn random_token() -> String {
    use base64::Engine as _;
    let mut bytes = [0_u8; 32];
    // Without randomness from the kernel no token is safe; there is nothing better to do than to stop.
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// A number that nothing else has drawn.
pub(crate) fn random_number() -> u64 {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    u64::from_le_bytes(bytes)
}

/// A short random name by which clients and logs tell this node from others.
pub fn node_name() -> String {
    random_token().chars().filter(char::is_ascii_alphanumeric).take(8).collect::<String>().to_lowercase()
}
