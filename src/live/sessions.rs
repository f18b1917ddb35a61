//! Who is signed in, in this node's memory: a session is read once and remembered for half a minute, or until news says
//! that it ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::Result;
use super::lookups::Lookups;
use crate::store::Store;
use crate::store::sessions::{Session, TokenHash};

const REMEMBERED_FOR: Duration = Duration::from_secs(30);
/// Longer than a look-up can take and than a socket can stall.
const ENDED_FOR: Duration = Duration::from_secs(600);
const REMEMBERED_MAX: u64 = 100_000;
/// Longer tokens are nobody's; they are not worth hashing.
const TOKEN_LEN_MAX: usize = 128;

/// How tokens are stored; the use case that makes them decides.
pub type TokenHasher = fn(&str) -> TokenHash;

#[derive(Clone)]
pub struct Sessions {
    lookups: Lookups<TokenHash, Arc<Session>>,
    hash: TokenHasher,
    by_token: moka::sync::Cache<TokenHash, Arc<Session>>,
    /// Sessions that ended lately: a look-up that was under way meanwhile must not bring one back.
    ended: moka::sync::Cache<u64, ()>,
}

impl Sessions {
    pub(super) fn start(store: Store, hash: TokenHasher) -> Self {
        let by_token = moka::sync::Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(REMEMBERED_FOR);
        let by_token = by_token.support_invalidation_closures().build();
        let ended = moka::sync::Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(ENDED_FOR).build();
        Self { lookups: Lookups::start(move |hashes| look_up(store.clone(), hashes)), hash, by_token, ended }
    }

    /// The living session of a token, or nothing.
    pub async fn find(&self, token: &str) -> Result<Option<Arc<Session>>> {
        if token.is_empty() || token.len() > TOKEN_LEN_MAX {
            return Ok(None);
        }
        let hash = (self.hash)(token);
        let session = match self.by_token.get(&hash) {
            Some(session) => session,
            None => {
                let asked = Instant::now();
                let found = self.lookups.find(hash).await;
                let elapsed_us = asked.elapsed().as_micros() as u64;
                tracing::debug!(target: "orderboard::call", statement = "sessions by token, with those of others", elapsed_us);
                let Some(session) = found? else { return Ok(None) };
                self.by_token.insert(hash, session.clone());
                session
            }
        };
        let is_living = session.expires_at > OffsetDateTime::now_utc() && !self.ended.contains_key(&session.actor.session_id);
        Ok(is_living.then_some(session))
    }

    /// Whether the session is known to have ended lately.
    pub(super) fn has_ended(&self, session_id: u64) -> bool {
        self.ended.contains_key(&session_id)
    }

    /// The user's name or address changed: this node reads their sessions anew, the others within half a minute.
    pub fn reread(&self, user_id: u64) {
        let _ = self.by_token.invalidate_entries_if(move |_, session| session.actor.user.id == user_id);
    }

    /// Every session is read anew when it is next used.
    pub fn forget_all(&self) {
        self.by_token.invalidate_all();
    }

    pub fn remembered(&self) -> u64 {
        self.by_token.entry_count()
    }

    /// The session ended: its token is worth nothing from now on.
    pub fn forget(&self, session_id: u64) {
        self.ended.insert(session_id, ());
    }
}

/// The living sessions of these tokens. That they are used is noted at most once in the time they are remembered, and nobody
/// waits for it.
async fn look_up(store: Store, hashes: Vec<TokenHash>) -> Result<HashMap<TokenHash, Arc<Session>>> {
    let now = OffsetDateTime::now_utc();
    let found = store.sessions_by_token(&hashes, now).await?;
    if !found.is_empty() {
        let ids = found.iter().map(|(_, session)| session.actor.session_id).collect();
        tokio::spawn(async move {
            if let Err(error) = store.touch_sessions(ids, now).await {
                tracing::debug!(%error, "last use of sessions was not noted");
            }
        });
    }
    Ok(found.into_iter().map(|(hash, session)| (hash, Arc::new(session))).collect())
}
