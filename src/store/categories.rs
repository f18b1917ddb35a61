//! Categories of orders.

use super::{Store, StoreError};
use crate::domain::category::{CATEGORIES_MAX, Category, CategoryChange, CategoryDraft, PLACE_MAX};

#[derive(sqlx::FromRow)]
struct CategoryRow {
    slug: String,
    name_ru: String,
    name_en: String,
    place: i16,
    is_hidden: bool,
}

/// What became of a new category.
pub enum Inserted {
    Done,
    /// The slug is another's.
    Exists,
    /// There are as many as there may be.
    Full,
}

impl Store {
    /// All of them, in the order in which they are shown.
    pub async fn categories(&self) -> Result<Vec<Category>, StoreError> {
        let rows: Vec<CategoryRow> = sqlx::query_as("select slug, name_ru, name_en, place, is_hidden from categories order by place, slug")
            .fetch_all(&self.pool)
            .await?;
        let category = |row: CategoryRow| Category {
            slug: row.slug,
            name_ru: row.name_ru,
            name_en: row.name_en,
            place: row.place,
            hidden: row.is_hidden,
        };
        Ok(rows.into_iter().map(category).collect())
    }

    pub async fn insert_category(&self, draft: &CategoryDraft) -> Result<Inserted, StoreError> {
        let inserted = sqlx::query(
            "insert into categories (slug, name_ru, name_en, place) \
             select ?, ?, ?, coalesce(?, least(coalesce(max(place), 0) + 1, ?)) from categories having count(*) < ?",
        )
        .bind(&draft.slug)
        .bind(&draft.name_ru)
        .bind(&draft.name_en)
        .bind(draft.place)
        .bind(PLACE_MAX)
        .bind(CATEGORIES_MAX)
        .execute(&self.pool)
        .await
        .map_err(StoreError::from);
        match inserted {
            Ok(done) if done.rows_affected() == 1 => Ok(Inserted::Done),
            Ok(_) => Ok(Inserted::Full),
            Err(error) if error.is_duplicate() => Ok(Inserted::Exists),
            Err(error) => Err(error),
        }
    }

    /// False when there is no such category.
    pub async fn change_category(&self, slug: &str, change: &CategoryChange) -> Result<bool, StoreError> {
        let changed = sqlx::query(
            "update categories set name_ru = coalesce(?, name_ru), name_en = coalesce(?, name_en), place = coalesce(?, place), \
             is_hidden = coalesce(?, is_hidden) where slug = ?",
        )
        .bind(&change.name_ru)
        .bind(&change.name_en)
        .bind(change.place)
        .bind(change.hidden)
        .bind(slug)
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected() == 1)
    }
}
