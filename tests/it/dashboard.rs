//! The dashboard asks for nothing that a node does not tell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::TestApp;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn dashboard() -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join("load/grafana/orderboard.json")).unwrap()).unwrap()
}

/// The panels that show something.
fn panels(dashboard: &Value) -> Vec<&Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row").collect()
}

fn expressions(panel: &Value) -> Vec<&str> {
    panel["targets"].as_array().unwrap().iter().map(|target| target["expr"].as_str().unwrap()).collect()
}

/// What an expression asks for: the series by name, and the labels that it groups them by.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    series: BTreeSet<String>,
    labels: BTreeSet<String>,
}

fn asked(expression: &str) -> Asked {
    let mut asked = Asked::default();
    let tokens = tokens(expression);
    let is = |place: usize, token: &str| tokens.get(place).is_some_and(|found| found == token);
    let mut place = 0;
    while place < tokens.len() {
        let token = &tokens[place];
        let is_grouping = |place: usize| is(place, "by") || is(place, "without");
        if is_grouping(place) {
            // Its list of labels, up to the parenthesis that closes it.
            let end = place + tokens[place..].iter().position(|token| token == ")").expect("a list that ends");
            asked.labels.extend(tokens[place + 2..end].iter().filter(|token| *token != ",").cloned());
            place = end;
        } else if token.starts_with(|first: char| first.is_ascii_alphabetic()) && !is(place + 1, "(") && !is_grouping(place + 1) {
            asked.series.insert(token.clone());
        }
        place += 1;
    }
    asked
}

/// Names, numbers and signs; without selectors, ranges and strings, which name no series.
fn tokens(expression: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || "_:.".contains(letter);
        let length = match first {
            '{' => 1 + rest.find('}').expect("a selector that ends"),
            '[' => 1 + rest.find(']').expect("a range that ends"),
            '"' => 2 + rest[1..].find('"').expect("a string that ends"),
            letter if is_word(letter) => rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()),
            other => other.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if !first.is_whitespace() && !"{[\"".contains(first) {
            tokens.push(token.to_owned());
        }
        rest = after;
    }
    let depth = |sign: &str| tokens.iter().filter(|token| *token == sign).count();
    assert_eq!(depth("("), depth(")"), "{expression}");
    tokens
}

#[test]
fn what_an_expression_asks_for_is_found() {
    let expression = r#"histogram_quantile(0.99, sum by (le, route) (rate(a_bucket{instance=~"$instance", x="b(c"}[$__rate_interval]))) / clamp_min(d:e{}, 1)"#;
    let (series, labels) = (["a_bucket", "d:e"], ["le", "route"]);
    let due = Asked { series: series.map(str::to_owned).into(), labels: labels.map(str::to_owned).into() };
    assert_eq!(asked(expression), due);
}

/// Every series of a node by name, with the labels it has.
fn told(metrics: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut told: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in metrics.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let names = labels.trim_end_matches('}').split("\",").filter_map(|label| Some(label.split_once('=')?.0));
        told.entry(name).or_default().extend(names);
    }
    told
}

#[tokio::test]
async fn every_series_of_the_dashboard_is_told_by_a_node() {
    let app = TestApp::start().await;
    let (customer, executor) = (app.customer(100_000).await, app.executor().await);
    let mut guest = app.watcher(None).await;
    guest.watch("all").await;
    let order = app.order(&customer, 1_000).await;
    guest.until("the order", |state| state.board("all").has(order)).await;
    app.accept(&executor, order).await.expect(200);
    guest.until("it was taken", |state| !state.board("all").has(order)).await;
    let metrics = app.call("GET", "/metrics", None, &Value::Null).await.text();
    let told = told(&metrics);
    let dashboard = dashboard();
    let mut expressions_seen = 0;
    for panel in panels(&dashboard) {
        for expression in expressions(panel) {
            let asked = asked(expression);
            assert!(!asked.series.is_empty(), "{expression}");
            for series in &asked.series {
                assert!(told.contains_key(series.as_str()), "{}: no node tells {series}", panel["title"]);
            }
            for label in &asked.labels {
                // Prometheus adds the node itself.
                let has_label = label == "instance" || asked.series.iter().any(|series| told[series.as_str()].contains(label.as_str()));
                assert!(has_label, "{}: no series of `{expression}` has {label}", panel["title"]);
            }
            expressions_seen += 1;
        }
    }
    assert!(expressions_seen > 50, "{expressions_seen}");
}

#[test]
fn every_panel_says_what_it_measures_and_when_it_is_bad() {
    let dashboard = dashboard();
    let mut ids = BTreeSet::new();
    let mut cells = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(!title.is_empty() && ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is taken");
        let [x, y, width, height] = ["x", "y", "w", "h"].map(|name| panel["gridPos"][name].as_u64().unwrap());
        assert!(x + width <= 24, "{title} is too wide");
        for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{title} covers another panel");
        }
    }
    let source = json!({"type": "prometheus", "uid": "${datasource}"});
    for panel in panels(&dashboard) {
        let (title, defaults) = (&panel["title"], &panel["fieldConfig"]["defaults"]);
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 5), "{title} says nothing");
        assert!(defaults["unit"].as_str().is_some_and(|unit| !unit.is_empty()), "{title} has no unit");
        assert!(defaults["thresholds"]["steps"].as_array().is_some_and(|steps| steps.len() > 1), "{title} has no thresholds");
        assert_eq!(panel["datasource"], source, "{title}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], source, "{title}");
            let expression = target["expr"].as_str().unwrap();
            let series = asked(expression).series.len();
            assert!(expression.matches(r#"{instance=~"$instance"}"#).count() >= series, "{title} ignores the chosen node");
        }
    }
    let variables: Vec<&str> =
        dashboard["templating"]["list"].as_array().unwrap().iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(variables, ["datasource", "instance"]);
}

/// A name that begins at zero and is counted nowhere would be a panel that is always well.
#[test]
fn what_begins_at_zero_is_counted_somewhere() {
    let mut code = String::new();
    let mut directories = vec![root().join("src")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("telemetry") {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                code.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let names = std::fs::read_to_string(root().join("src/telemetry/names.rs")).unwrap();
    let registered: BTreeSet<&str> = names.split('"').filter(|text| text.starts_with("orderboard_")).collect();
    assert!(registered.len() > 40, "{}", registered.len());
    let forgotten: Vec<&&str> = registered.iter().filter(|name| !code.contains(&format!("\"{name}\""))).collect();
    assert!(forgotten.is_empty(), "counted nowhere: {forgotten:?}");
}
