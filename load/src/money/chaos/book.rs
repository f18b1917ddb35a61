//! What the outside knows: every operation that was asked for, how often, and what was answered. The money is judged
//! against this book, never against the service's own words about itself.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::check::Problems;
use crate::money::dice::Dice;
use crate::money::queue::{Answer, Kind, Operation, Status};

/// Each message must be delivered, and answered, as often.
pub(super) const DELIVERIES_MIN: u64 = 3;

/// Doublings of the patience with which an answer is waited for.
const REPEATS_MAX: u32 = 3;

pub(super) struct Book {
    /// Begins each operation id; the number follows.
    prefix: String,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) entries: Vec<Entry>,
    /// Holds that were answered as done, for captures and releases to pick from.
    pub(super) holds: Vec<u64>,
    /// Entries without any answer.
    pub(super) unanswered: u64,
    /// Numbers of what was answered, for mismatches to pick from.
    pub(super) answered: Vec<u64>,
    pub(super) answers: u64,
    /// Answers to messages that are no operations.
    pub(super) poison_answers: u64,
    pub(super) differing: Problems,
    pub(super) strange: Problems,
}

/// One operation.
pub(super) struct Entry {
    pub(super) operation: Operation,
    pub(super) body: Arc<str>,
    pub(super) sent: Sent,
    /// Another body under the same id, sent once the first was answered.
    pub(super) other: Option<(Arc<str>, Sent)>,
    pub(super) first: Option<First>,
}

/// How a body fared.
pub(super) struct Sent {
    /// How often Redis said that it has it.
    pub(super) deliveries: u64,
    pub(super) answers: u64,
    pub(super) last: Instant,
    /// How often it was published again for want of an answer.
    repeats: u32,
    hash: Option<u64>,
}

/// The first answer. Every later one has the same hash.
pub(super) struct First {
    pub(super) hash: u64,
    pub(super) status: Status,
    pub(super) code: Option<String>,
    pub(super) hold_id: Option<u64>,
}

/// Which of an operation's bodies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Which {
    Body,
    Other,
}

impl Sent {
    fn new() -> Self {
        Self { deliveries: 0, answers: 0, last: Instant::now(), repeats: 0, hash: None }
    }

    fn lacks(&self, answers: u64) -> bool {
        self.answers < answers
    }

    /// Whether to publish it again. The more often it was, the longer it may take: a queue that is behind must not be
    /// given more of the same.
    fn is_overdue(&mut self, answers: u64, patience: Duration) -> bool {
        let is_overdue = self.lacks(answers) && self.last.elapsed() > patience * (1 << self.repeats.min(REPEATS_MAX));
        self.repeats += u32::from(is_overdue);
        is_overdue
    }
}

impl Book {
    pub(super) fn new(prefix: String) -> Self {
        Self { prefix, state: Mutex::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn id(&self, number: u64) -> String {
        format!("{}{number}", self.prefix)
    }

    /// The number in one of our ids.
    pub(super) fn number(&self, id: &str) -> Option<u64> {
        id.strip_prefix(&self.prefix)?.parse().ok()
    }

    /// Enters what `make` makes of the next id and the holds that are known.
    pub(super) fn ask(&self, make: impl FnOnce(String, &State) -> Operation) -> Option<u64> {
        let mut state = self.state();
        let number = state.entries.len() as u64;
        let operation = make(self.id(number), &state);
        let body = operation.body().ok()?.into();
        state.entries.push(Entry { operation, body, sent: Sent::new(), other: None, first: None });
        state.unanswered += 1;
        Some(number)
    }

    /// Enters another body for an operation that was answered and has none yet: what is in MySQL by then cannot be
    /// undone, so the other body must hear of the mismatch.
    pub(super) fn contradict(&self, dice: &mut Dice) -> Option<u64> {
        let mut state = self.state();
        let number = *dice.pick(&state.answered)?;
        let entry = state.entries.get_mut(number as usize).filter(|entry| entry.other.is_none())?;
        let mut operation = entry.operation.clone();
        operation.amount = operation.amount.checked_add(1)?;
        entry.other = Some((operation.body().ok()?.into(), Sent::new()));
        Some(number)
    }

    pub(super) fn body(&self, number: u64, which: Which) -> Option<Arc<str>> {
        let state = self.state();
        let entry = state.entries.get(number as usize)?;
        match which {
            Which::Body => Some(entry.body.clone()),
            Which::Other => entry.other.as_ref().map(|(body, _)| body.clone()),
        }
    }

    pub(super) fn delivered(&self, number: u64, which: Which) {
        let mut state = self.state();
        if let Some(sent) = state.sent(number, which) {
            sent.deliveries += 1;
            sent.last = Instant::now();
        }
    }

    /// What must be sent once more: not answered as often as it must be, although it was sent `patience` or more ago.
    /// A producer looks after its own numbers.
    pub(super) fn overdue(&self, answers: u64, patience: Duration, is_own: impl Fn(u64) -> bool) -> Vec<(u64, Which)> {
        let mut state = self.state();
        let mut overdue = Vec::new();
        for (number, entry) in (0..).zip(&mut state.entries).filter(|(number, _)| is_own(*number)) {
            if entry.sent.is_overdue(answers, patience) {
                overdue.push((number, Which::Body));
            }
            if entry.other.as_mut().is_some_and(|(_, sent)| sent.is_overdue(1, patience)) {
                overdue.push((number, Which::Other));
            }
        }
        overdue
    }

    /// How many bodies have not been answered as often as they must be.
    pub(super) fn lacking(&self) -> u64 {
        let state = self.state();
        let lacks = |entry: &Entry| entry.sent.lacks(DELIVERIES_MIN) || entry.other.as_ref().is_some_and(|(_, sent)| sent.lacks(1));
        state.entries.iter().filter(|entry| lacks(entry)).count() as u64
    }

    pub(super) fn answered(&self, text: &str) {
        let parsed = serde_json::from_str::<Answer>(text);
        let mut state = self.state();
        state.answers += 1;
        let answer = match parsed {
            Ok(answer) => answer,
            Err(error) => return state.strange.add(|| format!("{error}: {text}")),
        };
        let Some(number) = answer.operation_id.as_deref().and_then(|id| self.number(id)) else {
            if answer.status == Status::Refused {
                state.poison_answers += 1;
            } else {
                state.strange.add(|| format!("an answer to nothing that was asked: {text}"));
            }
            return;
        };
        state.enter(number, answer, text);
    }
}

impl State {
    fn sent(&mut self, number: u64, which: Which) -> Option<&mut Sent> {
        let entry = self.entries.get_mut(number as usize)?;
        match which {
            Which::Body => Some(&mut entry.sent),
            Which::Other => entry.other.as_mut().map(|(_, sent)| sent),
        }
    }

    fn enter(&mut self, number: u64, answer: Answer, text: &str) {
        let Some(entry) = self.entries.get_mut(number as usize) else {
            return self.strange.add(|| format!("an answer to nothing that was asked: {text}"));
        };
        let is_mismatch = answer.code.as_deref() == Some("mismatch");
        let sent = match (&mut entry.other, is_mismatch) {
            (Some((_, sent)), true) => sent,
            (None, true) => return self.strange.add(|| format!("a mismatch where there was one body only: {text}")),
            (_, false) => &mut entry.sent,
        };
        sent.answers += 1;
        let hash = hash(text);
        if *sent.hash.get_or_insert(hash) != hash {
            self.differing.add(|| format!("differs from the first answer: {text}"));
        }
        if is_mismatch || entry.first.is_some() {
            return;
        }
        let hold_id = answer.result.unwrap_or_default().hold_id;
        if answer.status == Status::Done && entry.operation.kind == Kind::Hold {
            match hold_id {
                Some(_) => self.holds.push(number),
                None => self.strange.add(|| format!("a hold without its number: {text}")),
            }
        }
        entry.first = Some(First { hash, status: answer.status, code: answer.code, hold_id });
        self.unanswered -= 1;
        self.answered.push(number);
    }
}

pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> Book {
        let book = Book::new("t-".into());
        book.ask(|id, _| Operation::new(id, Kind::Hold, 1, 5)).unwrap();
        book
    }

    const DONE: &str = r#"{"operation_id":"t-0","status":"done","result":{"hold_id":9}}"#;
    const MISMATCH: &str = r#"{"operation_id":"t-0","status":"refused","code":"mismatch"}"#;

    #[test]
    fn repeated_answers_count_and_the_first_one_stands() {
        let book = book();
        (0..DELIVERIES_MIN).for_each(|_| book.answered(DONE));
        assert_eq!(book.lacking(), 0);
        let state = book.state();
        assert_eq!((state.unanswered, state.holds.as_slice(), state.answers), (0, &[0][..], 3));
        assert_eq!(state.differing.count + state.strange.count, 0);
    }

    #[test]
    fn another_answer_to_the_same_operation_is_a_finding() {
        let book = book();
        book.answered(DONE);
        book.answered(&DONE.replace('9', "8"));
        assert_eq!(book.state().differing.count, 1);
    }

    #[test]
    fn a_mismatch_belongs_to_the_other_body_and_to_nothing_else() {
        let book = book();
        book.answered(MISMATCH);
        assert_eq!(book.state().strange.count, 1);
        book.answered(DONE);
        assert_eq!(book.contradict(&mut Dice::new(1)), Some(0));
        assert!(book.body(0, Which::Other).unwrap().contains(r#""amount":6"#));
        assert!(book.overdue(1, Duration::ZERO, |_| true).contains(&(0, Which::Other)));
        book.answered(MISMATCH);
        assert_eq!(book.overdue(1, Duration::ZERO, |_| true), []);
        assert_eq!(book.state().differing.count, 0);
    }

    #[test]
    fn answers_that_nobody_asked_for_are_strange() {
        let book = book();
        book.answered(r#"{"operation_id":"t-7","status":"done"}"#);
        book.answered("no JSON");
        book.answered(r#"{"operation_id":null,"status":"refused"}"#);
        let state = book.state();
        assert_eq!((state.strange.count, state.poison_answers), (2, 1));
    }
}
