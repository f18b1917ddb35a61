//! Registering, signing in and out. Passwords are hashed by argon2id off the async threads, a few at a time: each costs
//! 19 MiB and some 20 ms of a core. Tokens are 32 random bytes, known to their bearer and stored as SHA-256.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::credentials::may_act_as;
use super::transaction::transaction;
use super::{Flow, FlowError, now, random_token};
use crate::domain::ledger::AccountKind;
use crate::domain::news::Subject;
use crate::domain::refusal::Refusal;
use crate::domain::text;
use crate::domain::user::{Actor, Party, Role};
use crate::store::MySqlConnection;
use crate::store::sessions::{self, NewSession, TokenHash};
use crate::store::users::{self, NewUser, UserRow};

pub(super) const HASHES_AT_ONCE: usize = 2;

/// A valid registration.
pub struct Registration {
    email: String,
    name: String,
    password: String,
    is_admin: bool,
}

impl Registration {
    pub fn parse(email: &str, name: &str, password: &str) -> Result<Self, Refusal> {
        text::password("password", password)?;
        let name = text::line("name", name, text::NAME_CHARS_MAX)?;
        Ok(Self { email: text::email(email)?, name, password: password.to_owned(), is_admin: false })
    }

    /// The same for somebody who may also act as admin; only the command line says so.
    pub fn into_admin(self) -> Self {
        Self { is_admin: true, ..self }
    }
}

/// A fresh session.
pub struct SignedIn {
    pub token: String,
    pub user: Party,
    pub email: String,
    pub role: Role,
    pub expires_at: OffsetDateTime,
}

/// How a token is stored and looked up.
pub fn hash_token(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

impl Flow {
    pub async fn register(&self, registration: Registration) -> Result<(Party, String), FlowError> {
        let Registration { email, name, password, is_admin } = registration;
        let password_hash = self.hash_password(password).await?;
        let user = NewUser { email: &email, name: &name, password_hash: &password_hash, is_admin };
        let id = transaction!(self.store, |connection| insert_user(connection, &user).await)?;
        let id = id.ok_or(Refusal::EmailTaken)?;
        self.open_accounts(id).await?;
        Ok((Party { id, name }, email))
    }

    /// Opens a session in `role`. A wrong password and an unknown address take as long and read the same.
    pub async fn sign_in(&self, email: &str, password: String, role: Role, device: &str, address: &str) -> Result<SignedIn, FlowError> {
        let email = text::email(email).map_err(|_| Refusal::WrongCredentials)?;
        let user = self.store.user_by_email(&email).await?;
        let known_hash = user.as_ref().map_or_else(String::new, |user| user.password_hash.clone());
        let matches = self.verify_password(password, known_hash).await?;
        let user = user.filter(|_| matches).ok_or(Refusal::WrongCredentials)?;
        may_act_as(&user, role)?;
        let token = random_token();
        let created_at = now();
        let expires_at = created_at + self.config.session_lifetime;
        let session = NewSession { token_hash: hash_token(&token), user_id: user.id, role, device, address, created_at, expires_at };
        transaction!(self.store, |connection| open(connection, &user, &session).await)?;
        Ok(SignedIn { token, user: Party { id: user.id, name: user.name }, email: user.email, role, expires_at })
    }

    /// Ends one of the actor's sessions, on every node within a second.
    pub async fn end_session(&self, actor: &Actor, session_id: u64) -> Result<(), FlowError> {
        if !self.store.end_session(actor.user.id, session_id, now()).await? {
            return Err(Refusal::NotFound("session").into());
        }
        self.outbox.announce(Subject::session(session_id));
        Ok(())
    }

    /// Everybody has a wallet and earnings in the house's currency from the start.
    pub(super) async fn open_accounts(&self, user_id: u64) -> Result<(), FlowError> {
        for kind in [AccountKind::Wallet, AccountKind::Earnings] {
            self.store.account_id(user_id, kind, "RUB").await?;
        }
        Ok(())
    }

    pub(super) async fn hash_password(&self, password: String) -> Result<String, FlowError> {
        self.hashing(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|error| FlowError::Internal(format!("argon2: {error}")))
        })
        .await?
    }

    pub(super) async fn verify_password(&self, password: String, known_hash: String) -> Result<bool, FlowError> {
        self.hashing(move || match PasswordHash::new(&known_hash) {
            Ok(known) => Argon2::default().verify_password(password.as_bytes(), &known).is_ok(),
            // Nobody to compare with: spend the same time, so that the answer's delay tells nothing.
            Err(_) => Argon2::default().hash_password(password.as_bytes()).is_err(),
        })
        .await
    }

    async fn hashing<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, FlowError> {
        let internal = |_| FlowError::Internal("hashing was cut short".into());
        let turn = self.hashing.clone();
        if turn.available_permits() == 0 {
            metrics::counter!("orderboard_hashing_waited_total").increment(1);
        }
        let permit = turn.acquire_owned().await.map_err(|_| FlowError::Internal("hashing is closed".into()))?;
        let done = tokio::task::spawn_blocking(work).await.map_err(internal);
        drop(permit);
        done
    }
}

/// Opens a session for somebody who has proved who they are, if what proved it still holds: a password or an address that is
/// changed at this moment must leave no session behind.
async fn open(connection: &mut MySqlConnection, proven: &UserRow, session: &NewSession<'_>) -> Result<(), FlowError> {
    let now_is = users::lock(connection, proven.id).await?;
    let holds = now_is.is_some_and(|user| user.password_hash == proven.password_hash && user.email == proven.email);
    if !holds {
        return Err(Refusal::WrongCredentials.into());
    }
    sessions::insert(connection, session).await?;
    Ok(())
}

async fn insert_user(connection: &mut MySqlConnection, user: &NewUser<'_>) -> Result<Option<u64>, FlowError> {
    Ok(users::insert(connection, user, now()).await?)
}
