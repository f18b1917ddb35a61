//! Every refusal that there is: its stable `code`, the status it is answered with, and what it means. What is not in this
//! list cannot be answered, and the description of the API is made of it.

/// A refusal as programs know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    pub name: &'static str,
    pub status: u16,
    /// What it means, as a sentence for whoever reads the description.
    pub means: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $status:literal $name:literal $means:literal;)+) => {
        $(pub(in crate::http) const $constant: Code = Code { name: $name, status: $status, means: $means };)+
        /// All of them. One name may stand with several statuses.
        pub const ALL: &[Code] = &[$($constant),+];
    };
}

codes! {
    BROKEN = 400 "invalid" "The body is not JSON, or broke off.";
    UNAUTHENTICATED = 401 "unauthenticated" "Nobody is signed in, or the session has ended.";
    WRONG_CREDENTIALS = 401 "wrong_credentials" "This e-mail address and password do not belong together.";
    FORBIDDEN = 403 "forbidden" "The caller's role may not do this, or the request comes from another site's page.";
    WRONG_PASSWORD = 403 "wrong_password" "This is not the caller's present password.";
    NOT_FOUND = 404 "not_found" "There is no such thing, or it is not the caller's to see.";
    UNKNOWN_USER = 404 "unknown_user" "There is no such user.";
    UNKNOWN_HOLD = 404 "unknown_hold" "There is no such hold on this account.";
    METHOD_NOT_ALLOWED = 405 "method_not_allowed" "This address does not take that method.";
    TOO_SLOW = 408 "invalid" "The body did not arrive in time.";
    TAKEN = 409 "taken" "Somebody was faster; `by` and `at` say who and when.";
    FROZEN = 409 "frozen" "The customer has frozen this order; it may come back.";
    CANCELLED = 409 "cancelled" "The customer has cancelled this order.";
    OWN_ORDER = 409 "own_order" "Nobody takes their own order.";
    STALE = 409 "stale" "The state of the thing does not allow this any more; look at it again.";
    FIRST_TAKER = 409 "first_taker" "The first who takes this order gets it; nobody applies for it.";
    NOT_DISPUTED = 409 "not_disputed" "Nobody asks for a verdict on this order.";
    DISPUTED = 409 "disputed" "This contract waits for an admin's verdict.";
    CHANGED = 409 "changed" "The order was edited since the caller saw it; `changes` says what is different.";
    INSUFFICIENT_FUNDS = 409 "insufficient_funds" "Less is free than is needed.";
    MISMATCH = 409 "mismatch" "This Idempotency-Key or operation_id was used with another body.";
    EMAIL_TAKEN = 409 "email_taken" "Somebody has registered with this e-mail address.";
    EXISTS = 409 "exists" "There is a category with this slug already.";
    NO_MAIL = 409 "no_mail" "No mail is sent from here.";
    USER_CLOSED = 409 "user_closed" "This user is closed: their money stands still.";
    NOTHING_TO_SWEEP = 409 "nothing_to_sweep" "Nothing is free among the earnings.";
    HOLD_EXPIRED = 409 "hold_expired" "This hold's time is over.";
    HOLD_RESOLVED = 409 "hold_resolved" "This hold was captured or released already.";
    CURRENCY_MISMATCH = 409 "currency_mismatch" "An operation never mixes currencies.";
    AMOUNT_MISMATCH = 409 "amount_mismatch" "A hold is captured or released as a whole.";
    BALANCE_LIMIT = 409 "balance_limit" "The balance would be larger than any may be.";
    SET_ASIDE = 409 "internal" "This operation met a fault on our side and changed nothing; it was set aside for a person to look at.";
    LINK_OVER = 410 "link_over" "This link was used, is too old, or was overtaken by another change.";
    TOO_LARGE = 413 "invalid" "The body is too large.";
    MEDIA_TYPE = 415 "invalid" "The body must be sent as JSON.";
    INVALID = 422 "invalid" "Something in the request cannot be used; `field` and `reason` say what, and why.";
    UNKNOWN_TYPE = 422 "unknown_type" "There is no operation of this type.";
    SELF_TRANSFER = 422 "self_transfer" "The money would go to where it comes from.";
    UPGRADE_REQUIRED = 426 "invalid" "This address speaks websocket only.";
    LIMIT = 429 "limit" "Too much at once; `Retry-After` says when to try again.";
    INTERNAL = 500 "internal" "Something broke on our side; nothing was half-done, and it has been logged.";
    UNAVAILABLE = 503 "unavailable" "This cannot be answered at the moment; try again after `Retry-After`.";
}

/// What a billing operation is refused with; nothing for a name that is none of theirs.
pub(in crate::http) fn of_billing(name: &str) -> Option<&'static Code> {
    ALL.iter().find(|code| code.name == name && matches!(code.status, 404 | 409 | 422))
}

#[cfg(test)]
mod tests {
    use super::{ALL, of_billing};

    #[test]
    fn each_is_told_once_and_explained() {
        for (place, code) in ALL.iter().enumerate() {
            assert!(ALL[..place].iter().all(|other| (other.name, other.status) != (code.name, code.status)), "{code:?}");
            assert!((400..600).contains(&code.status) && code.means.ends_with('.'), "{code:?}");
            assert!(code.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code:?}");
        }
        assert!(ALL.is_sorted_by_key(|code| code.status));
    }

    #[test]
    fn an_operation_that_met_a_fault_of_ours_is_told_as_its_result() {
        assert_eq!(of_billing("internal").map(|code| code.status), Some(409));
        assert_eq!(of_billing("invalid").map(|code| code.status), Some(422));
        assert_eq!(of_billing("unavailable"), None);
    }
}
