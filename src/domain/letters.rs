//! Letters: what may be written to people, in their language. A letter is kept as what it is about and put into words when it
//! is sent.

use serde::{Deserialize, Serialize};

use super::user::Language;

/// What a letter is about, with the facts in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Letter {
    /// A link to set a new password, good for so many minutes.
    PasswordReset {
        minutes: u32,
    },
    PasswordChanged,
    /// To the old address.
    EmailChanged {
        to: String,
    },
}

/// A letter in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    pub subject: String,
    pub text: String,
}

impl Letter {
    pub fn as_str(&self) -> &'static str {
        match self {
            Letter::PasswordReset { .. } => "password_reset",
            Letter::PasswordChanged => "password_changed",
            Letter::EmailChanged { .. } => "email_changed",
        }
    }

    /// The letter in words; `link` is where its reader goes from it.
    pub fn words(&self, language: Language, link: &str) -> Words {
        let (subject, text) = match language {
            Language::Ru => self.in_russian(link),
            Language::En => self.in_english(link),
        };
        Words { subject: subject.to_owned(), text }
    }

    fn in_russian(&self, link: &str) -> (&'static str, String) {
        match self {
            Letter::PasswordReset { minutes } => (
                "Новый пароль",
                format!(
                    "Здравствуйте!\n\nКто-то, вероятно вы, забыл пароль. Задать новый можно по ссылке, она действует {minutes} минут и срабатывает один раз:\n\n{link}\n\n\
                     Если это были не вы, ничего делать не нужно: пароль остался прежним.\n"
                ),
            ),
            Letter::PasswordChanged => (
                "Пароль изменён",
                format!(
                    "Здравствуйте!\n\nПароль вашей учётной записи изменён, остальные сеансы завершены.\n\n\
                     Если это были не вы, задайте новый пароль: «Забыли пароль?» на странице входа.\n\n{link}\n"
                ),
            ),
            Letter::EmailChanged { to } => (
                "Адрес почты изменён",
                format!(
                    "Здравствуйте!\n\nВаша учётная запись теперь связана с адресом {to}, остальные сеансы завершены. Писем на этот адрес больше не будет.\n\n\
                     Если это были не вы, сообщите администраторам.\n\n{link}\n"
                ),
            ),
        }
    }

    fn in_english(&self, link: &str) -> (&'static str, String) {
        match self {
            Letter::PasswordReset { minutes } => (
                "A new password",
                format!(
                    "Hello,\n\nsomebody, probably you, has forgotten the password. Set a new one here; the link is good for {minutes} minutes and works once:\n\n{link}\n\n\
                     If it was not you, there is nothing to do: the password is what it was.\n"
                ),
            ),
            Letter::PasswordChanged => (
                "Your password was changed",
                format!(
                    "Hello,\n\nthe password of your account was changed, and your other sessions have ended.\n\n\
                     If it was not you, set a new one: \"Forgotten your password?\" where you sign in.\n\n{link}\n"
                ),
            ),
            Letter::EmailChanged { to } => (
                "Your e-mail address was changed",
                format!(
                    "Hello,\n\nyour account now belongs to the address {to}, and your other sessions have ended. This address gets no more letters.\n\n\
                     If it was not you, tell the admins.\n\n{link}\n"
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_read_back_as_it_was_kept_and_speaks_both_languages() {
        for letter in
            [Letter::PasswordReset { minutes: 60 }, Letter::PasswordChanged, Letter::EmailChanged { to: "new@example.org".into() }]
        {
            let kept = serde_json::to_string(&letter).unwrap();
            assert_eq!(serde_json::from_str::<Letter>(&kept).unwrap(), letter);
            assert!(kept.contains(letter.as_str()));
            let [russian, english] = [Language::Ru, Language::En].map(|language| letter.words(language, "https://board.example/"));
            assert_ne!(russian, english);
            assert!(russian.text.contains("https://board.example/") && english.text.contains("https://board.example/"));
        }
    }
}
