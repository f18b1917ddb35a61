//! Rows under heads: several things, side by side.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::{readable, slug};

/// A head may have two lines; the first column is the rows' names.
pub(crate) struct Table {
    pub(crate) heads: Vec<&'static str>,
    pub(crate) rows: Vec<(String, Vec<Value>)>,
}

impl Table {
    pub(super) fn json(&self) -> Value {
        let row = |(name, cells): &(String, Vec<Value>)| {
            let cells = self.heads.iter().zip(cells).map(|(head, cell)| (slug(head), cell.clone()));
            [("name".to_owned(), name.clone().into())].into_iter().chain(cells).collect::<Map<_, _>>()
        };
        self.rows.iter().map(row).collect()
    }

    /// For a terminal: names to the left, everything else to the right.
    pub(super) fn text(&self) -> String {
        let name_width = self.rows.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
        let widths: Vec<usize> =
            self.heads.iter().enumerate().map(|(n, head)| self.cells(n).chain(head.lines().map(width)).max().unwrap_or(0)).collect();
        let mut text = String::new();
        // Throughout: writing to a String cannot fail.
        for line in 0..self.heads.iter().map(|head| head.lines().count()).max().unwrap_or(0) {
            let _ = write!(text, "{:name_width$}", "");
            for (head, width) in self.heads.iter().zip(&widths) {
                let _ = write!(text, "  {:>width$}", head.lines().nth(line).unwrap_or_default());
            }
            text.push('\n');
        }
        for (name, cells) in &self.rows {
            let _ = write!(text, "{name:<name_width$}");
            for (cell, width) in cells.iter().zip(&widths) {
                let _ = write!(text, "  {:>width$}", shown(cell));
            }
            text.push('\n');
        }
        text
    }

    fn cells(&self, column: usize) -> impl Iterator<Item = usize> {
        self.rows.iter().filter_map(move |(_, cells)| cells.get(column)).map(|cell| width(&shown(cell)))
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// What there is nothing to say about is a dash.
pub(super) fn shown(cell: &Value) -> String {
    if cell.is_null() { "–".into() } else { readable(cell) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table() -> Table {
        Table {
            heads: vec!["highest\nrate", "p99 ms"],
            rows: vec![("a".into(), vec![json!(50), Value::Null]), ("bcd".into(), vec![json!(3200), json!(1.5)])],
        }
    }

    #[test]
    fn columns_stand_under_their_heads() {
        assert_eq!(table().text(), "     highest  p99 ms\n        rate        \na         50       –\nbcd     3200     1.5\n");
    }

    #[test]
    fn as_json_each_row_is_an_object() {
        assert_eq!(table().json()[1], json!({"name": "bcd", "highest_rate": 3200, "p99_ms": 1.5}));
    }
}
