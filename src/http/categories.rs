//! Categories: what everybody may order, and what admins make of that.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::caller::Caller;
use super::error::{Answer, created, ok};
use super::extract::{Json, Segment};
use super::lists::Listed;
use super::source::of_memory;
use crate::domain::category::{self, Category, CategoryChange, CategoryDraft, PLACE_MAX};
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::schema::Slug;
use crate::domain::text;
use crate::domain::user::Role;

/// A category as everybody sees it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OfferedCategory")]
pub(super) struct Offered<'a> {
    slug: &'a str,
    name_ru: &'a str,
    name_en: &'a str,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCategory {
    #[schemars(with = "Slug")]
    slug: String,
    #[schemars(length(min = 1, max = text::NAME_CHARS_MAX))]
    name_ru: String,
    #[schemars(length(min = 1, max = text::NAME_CHARS_MAX))]
    name_en: String,
    #[schemars(range(min = 0, max = PLACE_MAX))]
    place: Option<i16>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedCategory {
    #[schemars(length(min = 1, max = text::NAME_CHARS_MAX))]
    name_ru: Option<String>,
    #[schemars(length(min = 1, max = text::NAME_CHARS_MAX))]
    name_en: Option<String>,
    #[schemars(range(min = 0, max = PLACE_MAX))]
    place: Option<i16>,
    hidden: Option<bool>,
}

pub(super) async fn offered(State(api): State<Api>) -> Answer {
    let all = api.flow.categories();
    let visible = all.iter().filter(|category| !category.hidden);
    let listed = Listed::whole(visible.map(|Category { slug, name_ru, name_en, .. }| Offered { slug, name_ru, name_en }).collect());
    Ok(of_memory(ok(&listed)?, api.flow.categories_age()))
}

pub(super) async fn list(State(api): State<Api>, Caller(session): Caller) -> Answer {
    if session.actor.role != Role::Admin {
        return Err(Refusal::Forbidden("only admins manage categories").into());
    }
    ok(&Listed::whole(api.store.categories().await?))
}

pub(super) async fn create(State(api): State<Api>, Caller(session): Caller, Json(body): Json<NewCategory>) -> Answer {
    let draft = CategoryDraft {
        slug: category::slug(&body.slug)?,
        name_ru: category::name("name_ru", &body.name_ru)?,
        name_en: category::name("name_en", &body.name_en)?,
        place: body.place.map(category::place).transpose()?,
    };
    created(&api.flow.create_category(&session.actor, &draft).await?)
}

pub(super) async fn change(
    State(api): State<Api>,
    Caller(session): Caller,
    Segment(slug): Segment,
    Json(body): Json<ChangedCategory>,
) -> Answer {
    let name = |field, text: Option<String>| -> Result<_, Invalid> { text.map(|text| category::name(field, &text)).transpose() };
    let change = CategoryChange {
        name_ru: name("name_ru", body.name_ru)?,
        name_en: name("name_en", body.name_en)?,
        place: body.place.map(category::place).transpose()?,
        hidden: body.hidden,
    };
    ok(&api.flow.change_category(&session.actor, &slug, &change).await?)
}
