//! What people watch: this node's replica of the boards, the private channels of connected users, and the life of one
//! socket. Fed by the bus alone (while Redis is away, by the sweep through the bus's own door); reads MySQL to load and
//! to refill, and never writes anything.
//!
//! Nothing here keeps a queue for a client. A board and a user's channel each keep one short log of encoded frames,
//! shared by all; a socket only remembers how far it has read. A reader that falls behind the log is given the merged
//! latest state. So a stalled client costs what its socket costs, whatever happens meanwhile.

mod board;
mod boards;
mod catalog;
mod client;
mod compress;
mod encode;
mod end;
mod executors;
mod fanout;
mod follow;
mod frame;
mod inbound;
mod line;
mod lookups;
mod protocol;
mod replica;
mod sessions;
mod snapshot;
mod socket;
mod users;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::bus::{self, Feed};
use crate::domain::category::Category;
use crate::domain::ledger::Account;
use crate::domain::news::Item;
use crate::domain::notice::Inbox;
use crate::domain::order::Order;
use crate::store::{Store, StoreError};

pub use self::board::Board;
pub use self::catalog::Catalog;
use self::executors::Executors;
pub use self::sessions::{Sessions, TokenHasher};
pub use self::snapshot::Snapshot;
pub use self::socket::serve;

/// How often each watched board proves itself to its watchers.
pub const TICK_EVERY: Duration = Duration::from_secs(2);
/// What clients are promised: some frame arrives at least this often.
pub const HEARTBEAT: Duration = Duration::from_secs(4);

/// How long this node's clients have for going elsewhere when it stops.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    pub after: Duration,
    pub spread: Duration,
}

#[derive(Clone)]
pub struct Live {
    shared: Arc<Shared>,
}

struct Shared {
    node: String,
    store: Store,
    boards: boards::Boards,
    users: users::Users,
    fanout: fanout::Fanout,
    /// Executors of orders whose taking was told lately.
    executors: Mutex<Executors>,
    sessions: Sessions,
    /// What users have, read for sockets that begin.
    accounts: lookups::Lookups<u64, Arc<[Account]>>,
    /// How much they have not read, for the same sockets.
    inboxes: lookups::Lookups<u64, Inbox>,
    sockets: AtomicUsize,
    sockets_max: usize,
    messages_s: u32,
    is_synced: AtomicBool,
    draining: watch::Sender<Option<Drain>>,
}

/// What a node's live part is made with.
pub struct LiveConfig {
    pub node: String,
    pub sockets_max: usize,
    /// Messages a second that one socket may send.
    pub messages_s: u32,
    /// Each has a board besides the board of all.
    pub categories: watch::Receiver<Arc<Vec<Category>>>,
    pub hash_token: TokenHasher,
    /// Told who has a socket here.
    pub users: bus::Users,
}

impl Live {
    /// Starts following the news. `observe` sees each row that was delivered, decoded where it is an order, and the sequence
    /// number that the bus gave it; none for a row that came directly, which other nodes may not have.
    pub fn start(
        store: Store,
        feed: Feed,
        config: LiveConfig,
        observe: impl Fn(&Item, Option<&Order>, Option<u64>) + Send + 'static,
    ) -> Self {
        let boards = boards::Boards::new(&config.categories.borrow());
        let live = Self {
            shared: Arc::new(Shared {
                node: config.node,
                sessions: Sessions::start(store.clone(), config.hash_token),
                accounts: {
                    let store = store.clone();
                    lookups::Lookups::start(move |user_ids| accounts(store.clone(), user_ids))
                },
                inboxes: {
                    let store = store.clone();
                    lookups::Lookups::start(move |user_ids| inboxes(store.clone(), user_ids))
                },
                store,
                boards,
                users: users::Users::new(config.users),
                fanout: fanout::Fanout::start(std::thread::available_parallelism().map_or(1, usize::from)),
                executors: Mutex::default(),
                sockets: AtomicUsize::new(0),
                sockets_max: config.sockets_max,
                messages_s: config.messages_s,
                is_synced: AtomicBool::new(false),
                draining: watch::Sender::new(None),
            }),
        };
        tokio::spawn(follow::run(live.clone(), feed, config.categories, observe));
        live
    }

    /// A board by its protocol name: `all` or `category:SLUG`.
    pub fn board(&self, name: &str) -> Option<Arc<Board>> {
        self.shared.boards.get(name)
    }

    /// Who is signed in, remembered for a while.
    pub fn sessions(&self) -> &Sessions {
        &self.shared.sessions
    }

    /// Whether the boards have been loaded.
    pub fn is_synced(&self) -> bool {
        self.shared.is_synced.load(Ordering::Acquire)
    }

    /// Sockets open now.
    pub fn sockets(&self) -> usize {
        self.shared.sockets.load(Ordering::Relaxed)
    }

    /// Whether another socket may be opened.
    pub fn has_room(&self) -> bool {
        self.sockets() < self.shared.sockets_max && self.shared.draining.borrow().is_none()
    }

    /// Tells every socket to come back elsewhere, spread over a while, and refuses new ones.
    pub fn drain(&self, drain: Drain) {
        self.shared.draining.send_replace(Some(drain));
        self.shared.fanout.wake_sockets();
    }

    fn store(&self) -> &Store {
        &self.shared.store
    }
}

/// What these users have, by user.
async fn accounts(store: Store, user_ids: Vec<u64>) -> Result<HashMap<u64, Arc<[Account]>>> {
    let mut by_user: HashMap<u64, Vec<Account>> = HashMap::new();
    for news in store.accounts_of_users(&user_ids).await? {
        by_user.entry(news.user_id).or_default().push(news.account);
    }
    Ok(by_user.into_iter().map(|(user_id, accounts)| (user_id, accounts.into())).collect())
}

/// How far these users have read, by user.
async fn inboxes(store: Store, user_ids: Vec<u64>) -> Result<HashMap<u64, Inbox>> {
    Ok(store.inboxes(&user_ids).await?.into_iter().map(|inbox| (inbox.user_id, inbox)).collect())
}

/// Why live state could not be read.
type Result<T> = std::result::Result<T, StoreError>;
