//! What a promise's check found, and the verdict over all of them. A check that saw nothing proves nothing and fails.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Something went wrong: counted always, told in words for the first few.
#[derive(Default, Clone, Serialize, Deserialize)]
pub(crate) struct Problems {
    pub(crate) count: u64,
    pub(crate) examples: Vec<String>,
}

impl Problems {
    const EXAMPLES_MAX: usize = 5;

    pub(crate) fn add(&mut self, words: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < Self::EXAMPLES_MAX {
            self.examples.push(words());
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        let before = self.count;
        other.examples.into_iter().for_each(|words| self.add(|| words));
        self.count = before + other.count;
    }
}

pub(crate) struct Check {
    pub(crate) name: &'static str,
    /// How many things were looked at.
    pub(crate) seen: u64,
    pub(crate) problems: Problems,
}

impl Check {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, seen: 0, problems: Problems::default() }
    }

    pub(crate) fn passed(&self) -> bool {
        self.seen > 0 && self.problems.count == 0
    }

    /// How much was looked at, and how much of it was wrong.
    pub(crate) fn found(&self) -> String {
        match (self.seen, self.problems.count) {
            (0, 0) => "saw nothing, so it proves nothing".to_owned(),
            (seen, 0) => format!("{seen} checked"),
            (seen, bad) => format!("{bad} violations in {seen} checked"),
        }
    }
}

#[derive(Default)]
pub(crate) struct Verdict {
    checks: Vec<Check>,
}

impl Verdict {
    pub(crate) fn add(&mut self, checks: impl IntoIterator<Item = Check>) {
        self.checks.extend(checks);
    }

    pub(crate) fn checks(&self) -> &[Check] {
        &self.checks
    }

    pub(crate) fn passed(&self) -> bool {
        self.checks.iter().all(Check::passed)
    }

    /// How many checks passed, and how many failed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let passed = self.checks.iter().filter(|check| check.passed()).count() as u64;
        (passed, self.checks.len() as u64 - passed)
    }

    pub(crate) fn json(&self) -> Value {
        let checks = self.checks.iter().map(|check| {
            json!({
                "name": check.name, "passed": check.passed(), "seen": check.seen,
                "violations": check.problems.count, "examples": check.problems.examples,
            })
        });
        checks.collect()
    }

    pub(crate) fn print(&self) {
        if self.checks.is_empty() {
            return;
        }
        println!("\nVERDICT: {}", if self.passed() { "passed" } else { "VIOLATED" });
        for check in &self.checks {
            let mark = if check.passed() { "ok  " } else { "FAIL" };
            println!("  {mark} {}: {}", check.name, check.found());
            for example in &check.problems.examples {
                println!("         {example}");
            }
        }
    }
}
