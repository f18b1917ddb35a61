//! The catalogue: one entry an invariant, by what it is about. Slugs and names are stable: people search for them.

mod accounts;
mod holds;
mod operations;
mod orders;
mod payments;
mod people;

/// An invariant, and where its violations come from.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    pub slug: &'static str,
    /// The invariant as a sentence.
    pub name: &'static str,
    /// What a person should do about a violation.
    pub advice: &'static str,
    /// How the program mends it where that is safe; it looks again under locks and leaves what is not.
    pub repair: Option<Repair>,
    /// What its subjects are.
    pub(super) noun: &'static str,
    pub(super) source: Source,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// Selects a subject's id and a detail, both as text, for each violation; the limit is appended.
    Sql(&'static str),
    /// Found on the way through a whole table.
    Walk,
}

/// What the program may do by itself. Everything else could be right in two ways, and a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// The account's row is written again from its entries: they are append-only, the row is derived.
    Account,
    /// The accounts' flags follow their user's.
    Closed,
    /// The hold's row follows its entries; then the order's money follows the order: released or paid.
    OrderHold,
    /// The hold is expired as the job would.
    Expire,
    /// The order is settled as the job would.
    Settle,
    /// The top-up is credited as the gateway's notification would.
    Topup,
    /// The figures are counted anew.
    Statistics,
}

/// Every class: the sums over everything first, then what a single row shows.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    let groups = [operations::CHECKS, accounts::CHECKS, holds::CHECKS, orders::CHECKS, payments::CHECKS, people::CHECKS];
    groups.into_iter().flatten()
}

const BOOKS: &str = "stop payouts of this account or currency, compare its entries with its operations, and correct by a new operation that an \
                     operator signs for; never by editing rows";
const CODE: &str = "use cannot cause this: look for a hand-made change or a fault in the program, and keep the rows as they are";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_slug_and_a_name_of_its_own_and_advice() {
        let all: Vec<_> = checks().collect();
        for (place, check) in all.iter().enumerate() {
            assert!(!check.advice.is_empty() && !check.noun.is_empty());
            assert!(check.slug.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", check.slug);
            assert!(all[..place].iter().all(|other| other.slug != check.slug && other.name != check.name), "{}", check.slug);
        }
    }
}
