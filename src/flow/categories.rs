//! Categories: admins manage them while nodes run. Each node keeps them in memory and reads them again as often as it sweeps, so
//! that a new one has its board on every node within two seconds, and a hidden one is refused everywhere.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::{Flow, FlowError};
use crate::domain::category::{self, CATEGORIES_MAX, Category, CategoryChange, CategoryDraft};
use crate::domain::refusal::{Invalid, Reason, Refusal};
use crate::domain::user::{Actor, Role};
use crate::store::categories::Inserted;

/// What a node knows of them, in the order in which they are shown.
pub type Categories = Arc<Vec<Category>>;

impl Flow {
    /// All categories, hidden ones too.
    pub fn categories(&self) -> Categories {
        self.categories.borrow().clone()
    }

    /// All of them, for whoever has to know when they change.
    pub fn watch_categories(&self) -> watch::Receiver<Categories> {
        self.categories.subscribe()
    }

    /// Reads them again; other nodes' admins may have changed them.
    pub async fn refresh_categories(&self) -> Result<(), FlowError> {
        let asked = Instant::now();
        let read = self.store.categories().await?;
        self.categories_read.note(asked);
        self.categories.send_if_modified(|known| {
            let is_new = **known != read;
            if is_new {
                *known = Arc::new(read);
            }
            is_new
        });
        Ok(())
    }

    pub async fn create_category(&self, actor: &Actor, draft: &CategoryDraft) -> Result<Category, FlowError> {
        only_admins(actor)?;
        match self.store.insert_category(draft).await? {
            Inserted::Done => {}
            Inserted::Exists => return Err(Refusal::CategoryExists.into()),
            Inserted::Full => {
                metrics::counter!("orderboard_categories_refused_total").increment(1);
                let told = format!("there are {CATEGORIES_MAX} categories already, and each costs every node a board; rename one of them");
                return Err(Invalid::new("slug", Reason::TooLarge, told).into());
            }
        }
        self.category(&draft.slug).await
    }

    pub async fn change_category(&self, actor: &Actor, slug: &str, change: &CategoryChange) -> Result<Category, FlowError> {
        only_admins(actor)?;
        // The column holds slugs, and would not even be compared with anything else.
        if category::slug(slug).is_err() || !self.store.change_category(slug, change).await? {
            return Err(Refusal::NotFound("category").into());
        }
        self.category(slug).await
    }

    /// Why an order cannot be in this category; nothing when it can. One that is not known here may be another node's news.
    pub(super) async fn unusable_category(&self, slug: &str) -> Result<Option<Invalid>, FlowError> {
        if self.known_category(slug).is_none() {
            self.refresh_categories().await?;
        }
        let detail = match self.known_category(slug) {
            Some(Category { hidden: false, .. }) => return Ok(None),
            Some(_) => format!("the category `{slug}` takes no new orders any more; see /api/categories"),
            None => format!("there is no category `{slug}`; see /api/categories"),
        };
        Ok(Some(Invalid::new("category", Reason::Unknown, detail)))
    }

    async fn category(&self, slug: &str) -> Result<Category, FlowError> {
        self.refresh_categories().await?;
        self.known_category(slug).ok_or_else(|| Refusal::NotFound("category").into())
    }

    fn known_category(&self, slug: &str) -> Option<Category> {
        self.categories.borrow().iter().find(|known| known.slug == slug).cloned()
    }
}

fn only_admins(actor: &Actor) -> Result<(), Refusal> {
    match actor.role {
        Role::Admin => Ok(()),
        _ => Err(Refusal::Forbidden("only admins manage categories")),
    }
}
