//! Texts that people type. A value that exists is valid: trimmed, within its length, free of control characters
//! and of the invisible characters that turn text around or hide in it.

use super::refusal::{Invalid, Reason};

pub const TITLE_CHARS_MAX: usize = 160;
pub const DESCRIPTION_CHARS_MAX: usize = 8_000;
pub const ABOUT_CHARS_MAX: usize = 2_000;
pub const NAME_CHARS_MAX: usize = 64;
pub const EMAIL_CHARS_MAX: usize = 254;
pub const PASSWORD_CHARS_MIN: usize = 8;
pub const PASSWORD_CHARS_MAX: usize = 128;

/// One line: an order's title or a person's name.
pub fn line(field: &'static str, text: &str, chars_max: usize) -> Result<String, Invalid> {
    let text = checked(field, text, chars_max, |c| c.is_control() || is_deceptive(c))?;
    if text.is_empty() {
        return Err(Invalid::new(field, Reason::Required, format!("`{field}` must not be empty")));
    }
    Ok(text)
}

/// Running text, possibly empty: line feeds and tabs are welcome, other control characters are not.
pub fn prose(field: &'static str, text: &str) -> Result<String, Invalid> {
    running(field, text, DESCRIPTION_CHARS_MAX)
}

/// What people say of themselves: the same, and shorter.
pub fn about(text: &str) -> Result<String, Invalid> {
    running("about", text, ABOUT_CHARS_MAX)
}

fn running(field: &'static str, text: &str, chars_max: usize) -> Result<String, Invalid> {
    fits(field, text, chars_max)?;
    checked(field, &text.replace("\r\n", "\n"), chars_max, |c| (c.is_control() && c != '\n' && c != '\t') || is_deceptive(c))
}

/// Running text that must say something.
pub fn statement(field: &'static str, text: &str) -> Result<String, Invalid> {
    let text = prose(field, text)?;
    if text.is_empty() {
        return Err(Invalid::new(field, Reason::Required, format!("`{field}` must not be empty")));
    }
    Ok(text)
}

/// An e-mail address, in lower case so that one person cannot register twice by accident.
pub fn email(text: &str) -> Result<String, Invalid> {
    let text = line("email", text, EMAIL_CHARS_MAX)?.to_lowercase();
    let wrong = || Invalid::new("email", Reason::Email, "`email` must look like name@example.org");
    let (local, host) = text.rsplit_once('@').ok_or_else(wrong)?;
    let host_ok = host.contains('.')
        && host
            .split('.')
            .all(|label| !label.is_empty() && !label.starts_with('-') && label.chars().all(|c| c.is_alphanumeric() || c == '-'));
    if local.is_empty() || local.chars().count() > 64 || local.contains(['@', ' ', '"', '<', '>', ',']) || !host_ok {
        return Err(wrong());
    }
    Ok(text)
}

/// A new password: only its length is judged.
pub fn password(field: &'static str, text: &str) -> Result<(), Invalid> {
    let chars = text.chars().count();
    if chars < PASSWORD_CHARS_MIN {
        return Err(Invalid::new(field, Reason::TooShort, format!("`{field}` must have at least {PASSWORD_CHARS_MIN} characters")));
    }
    if chars > PASSWORD_CHARS_MAX {
        return Err(Invalid::new(field, Reason::TooLong, format!("`{field}` must have at most {PASSWORD_CHARS_MAX} characters")));
    }
    Ok(())
}

fn checked(field: &'static str, text: &str, chars_max: usize, refused: impl Fn(char) -> bool) -> Result<String, Invalid> {
    fits(field, text, chars_max)?;
    let text = text.trim();
    if text.chars().any(refused) {
        return Err(Invalid::new(
            field,
            Reason::ControlCharacters,
            format!("`{field}` contains control or invisible formatting characters"),
        ));
    }
    Ok(text.to_owned())
}

/// Counted as it was sent, spaces around it and all: whoever checks by the description of the API counts so.
fn fits(field: &'static str, text: &str, chars_max: usize) -> Result<(), Invalid> {
    if text.chars().count() > chars_max {
        return Err(Invalid::new(field, Reason::TooLong, format!("`{field}` must have at most {chars_max} characters")));
    }
    Ok(())
}

/// Bidirectional overrides and isolates, and the byte order mark: they make a text read as something it is not
/// (Unicode TR 36, "Bidirectional Text Spoofing").
fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_trimmed_and_bounded_in_characters_not_bytes() {
        assert_eq!(line("title", "  Привет  ", 160).expect("valid"), "Привет");
        assert!(line("title", &"ы".repeat(160), 160).is_ok());
        assert_eq!(line("title", &"ы".repeat(161), 160).expect_err("long").reason, Reason::TooLong);
        assert_eq!(line("title", &format!(" {}", "ы".repeat(160)), 160).expect_err("long as it was sent").reason, Reason::TooLong);
        assert_eq!(line("title", " \u{3000} ", 160).expect_err("blank").reason, Reason::Required);
    }

    #[test]
    fn control_and_deceptive_characters_are_refused() {
        for bad in ["a\0b", "a\u{7}b", "a\nb", "a\u{202E}b", "a\u{85}b"] {
            assert_eq!(line("title", bad, 160).expect_err(bad).reason, Reason::ControlCharacters);
        }
        assert!(prose("description", "one\r\ntwo\tthree").is_ok());
        assert!(prose("description", "a\0b").is_err());
    }

    #[test]
    fn addresses_without_a_name_or_a_host_are_refused() {
        for bad in ["", "a", "a@", "@b.c", "a@b", "a b@c.d", "a@b..c", "a@-b.c"] {
            assert!(email(bad).is_err(), "{bad}");
        }
        assert_eq!(email(" Ann@Example.ORG ").expect("valid"), "ann@example.org");
    }
}
