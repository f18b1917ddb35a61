//! The shape of the source: who imports whom, and what is done in one place only. Read from the text of `src`, without
//! its tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each module and what it may import. `app` and `cli` put everything together and may import all.
const MAY_IMPORT: [(&str, &[&str]); 10] = [
    ("domain", &[]),
    ("store", &["domain"]),
    ("bus", &["domain"]),
    ("flow", &["domain", "store", "bus"]),
    ("live", &["domain", "store", "bus"]),
    ("http", &["domain", "flow", "live", "store"]),
    ("jobs", &["domain", "flow", "store", "bus"]),
    ("config", &["http", "flow", "jobs", "embedded"]),
    ("embedded", &[]),
    ("telemetry", &[]),
];
const MAY_IMPORT_ALL: [&str; 4] = ["app", "cli", "main", "lib"];
const LINES_MAX: usize = 400;

struct Source {
    /// Relative to `src`.
    path: String,
    /// The first part of the path.
    module: String,
    /// Without comments and tests.
    code: String,
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let is_test = |path: &str| path.ends_with("_tests.rs") || path.ends_with("/tests.rs");
    let mut sources: Vec<Source> = found
        .iter()
        .map(|path| (path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap()))
        .filter(|(path, _)| !is_test(path))
        .map(|(path, text)| {
            let module = path.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
            Source { module, lines: text.lines().count(), code: code(&text), path }
        })
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 50, "{} files", sources.len());
    sources
}

/// The text up to its test module, without comments.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let opens_tests = lines.peek().is_some_and(|next| next.trim_start().starts_with("mod ") && next.trim_end().ends_with('{'));
        if line.trim() == "#[cfg(test)]" && opens_tests {
            break;
        }
        let is_comment = line.trim_start().starts_with("//");
        code.push_str(if is_comment { "" } else { line.split(" // ").next().unwrap_or(line) });
        code.push('\n');
    }
    code
}

/// The modules named after `crate::`, alone or in a group in braces.
fn imports(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut members = vec![String::new()];
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => members.push(String::new()),
                    c => members.last_mut().unwrap().push(c),
                }
            }
            names.extend(members.iter().map(|member| first_name(member.trim())));
        } else {
            names.insert(first_name(rest));
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn first_name(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Lines, with their places, in which `pattern` occurs outside of the places where it belongs.
fn strays(pattern: &str, belongs: impl Fn(&Source) -> bool) -> Vec<String> {
    let all = sources();
    let strays = all.iter().filter(|source| !belongs(source)).flat_map(|source| {
        let lines = source.code.lines().zip(1..).filter(|(line, _)| line.contains(pattern));
        lines.map(|(line, number)| format!("src/{}:{number}: {}", source.path, line.trim()))
    });
    strays.collect()
}

#[track_caller]
fn assert_none(rule: &str, strays: &[String]) {
    assert!(strays.is_empty(), "{rule}:\n{}", strays.join("\n"));
}

#[test]
fn modules_import_only_what_their_layer_may() {
    let mut wrong = Vec::new();
    for source in sources() {
        if MAY_IMPORT_ALL.contains(&source.module.as_str()) {
            continue;
        }
        let allowed = MAY_IMPORT.iter().find(|(module, _)| *module == source.module);
        let (module, allowed) = allowed.unwrap_or_else(|| panic!("say in MAY_IMPORT what `{}` may import", source.module));
        let found = imports(&source.code);
        wrong.extend(
            found
                .iter()
                .filter(|name| name != module && !allowed.contains(&name.as_str()))
                .map(|name| format!("src/{}: {module} imports {name}", source.path)),
        );
    }
    assert_none("each edge is one that DESIGN allows", &wrong);
}

#[test]
fn imports_are_found_in_groups_and_in_paths() {
    let found = imports("use crate::{config, flow::{self, Flow}, store::Store};\nlet a = crate::domain::money::Amount;");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["config", "domain", "flow", "store"]);
    let without = code("use crate::a::A; // crate::b\n/// crate::c\n#[cfg(test)]\nmod tests {\n    use crate::d::D;\n}\n");
    assert_eq!(imports(&without).into_iter().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn sql_is_written_in_the_store_only() {
    assert_none("`sqlx::` belongs to store/", &strays("sqlx::", |source| source.module == "store"));
}

#[test]
fn redis_is_spoken_in_the_bus_only() {
    assert_none("`fred::` belongs to bus/", &strays("fred::", |source| source.module == "bus"));
}

#[test]
fn statuses_are_decided_in_one_place() {
    assert_none("`StatusCode` belongs to http/error.rs", &strays("StatusCode", |source| source.path == "http/error.rs"));
}

#[test]
fn transactions_begin_in_use_cases_only() {
    let belongs = |source: &Source| source.module == "flow" || source.path == "store/mod.rs";
    assert_none("`.begin()` belongs to flow/", &strays(".begin()", belongs));
}

#[test]
fn money_is_never_floating() {
    for float in ["f32", "f64"] {
        assert_none(
            "rules, tables and use cases know integers only",
            &strays(float, |source| !["domain", "store", "flow"].contains(&source.module.as_str())),
        );
        let near_money = strays(float, |_| false).into_iter().filter(|line| {
            ["price", "payout", "commission", "amount", "available", "held", "balance"].iter().any(|word| line.contains(word))
        });
        assert_none("no float in a line about money", &near_money.collect::<Vec<_>>());
    }
}

#[test]
fn nothing_is_unwrapped() {
    assert_none("`unwrap()` belongs to tests", &strays(".unwrap()", |_| false));
}

#[test]
fn no_file_is_too_long_to_read() {
    let long: Vec<String> =
        sources().iter().filter(|source| source.lines > LINES_MAX).map(|source| format!("src/{}: {}", source.path, source.lines)).collect();
    assert_none("over 400 lines wants a reason", &long);
}
