//! What people say of themselves and how they want things to be.

use super::{Flow, FlowError};
use crate::domain::refusal::{Invalid, Reason};
use crate::domain::text;
use crate::domain::user::{Actor, Language};
use crate::store::users::ProfileChange;

/// A wish to change one's profile, as it was typed; what is not named stays.
#[derive(Debug, Default)]
pub struct ProfileDraft {
    pub name: Option<String>,
    pub about: Option<String>,
    pub language: Option<String>,
    pub sweeps_earnings: Option<bool>,
}

impl ProfileDraft {
    fn check(self) -> Result<ProfileChange, Invalid> {
        let language = |name: String| {
            let language = Language::parse(&name).map(Language::as_str);
            language.ok_or_else(|| Invalid::new("language", Reason::Language, "`language` is ru or en"))
        };
        Ok(ProfileChange {
            name: self.name.map(|name| text::line("name", &name, text::NAME_CHARS_MAX)).transpose()?,
            about: self.about.map(|about| text::about(&about)).transpose()?,
            language: self.language.map(language).transpose()?,
            sweeps_earnings: self.sweeps_earnings,
        })
    }
}

impl Flow {
    /// Changes what is named of the actor's own profile.
    pub async fn change_profile(&self, actor: &Actor, draft: ProfileDraft) -> Result<(), FlowError> {
        let change = draft.check()?;
        Ok(self.store.change_profile(actor.user.id, &change).await?)
    }
}
