//! Editing an order: what is different afterwards, told field by field as `{"price":{"from":…,"to":…}}`.

use serde_json::{Value, json};

use super::commission::Split;
use super::event::Facts;
use super::order::FullOrder;

/// What an edited order says.
#[derive(Clone, Debug)]
pub struct Edited {
    pub title: String,
    pub description: String,
    pub category: Option<String>,
    pub split: Split,
}

impl Edited {
    /// Nothing is different yet.
    pub fn of(order: &FullOrder) -> Self {
        let FullOrder { order, description, .. } = order;
        Self {
            title: order.title.clone(),
            description: description.clone(),
            category: order.category.clone(),
            split: Split { price: order.price, payout: order.payout, commission: order.commission },
        }
    }

    pub fn changes(&self, before: &FullOrder) -> Facts {
        let order = &before.order;
        let fields: [(&str, Value, Value); 6] = [
            ("title", json!(order.title), json!(self.title)),
            ("description", json!(before.description), json!(self.description)),
            ("category", json!(order.category), json!(self.category)),
            ("price", json!(order.price), json!(self.split.price)),
            ("payout", json!(order.payout), json!(self.split.payout)),
            ("commission", json!(order.commission), json!(self.split.commission)),
        ];
        let different = fields.into_iter().filter(|(_, from, to)| from != to);
        different.map(|(name, from, to)| (name.to_owned(), json!({"from": from, "to": to}))).collect()
    }
}

/// Several edits as one: from what the first of them found to what the last one left; what came back to what it was is not told.
pub fn merged(edits: impl IntoIterator<Item = Facts>) -> Facts {
    let mut all = Facts::new();
    for (name, change) in edits.into_iter().flatten() {
        match all.get_mut(&name) {
            Some(known) => known["to"] = change["to"].clone(),
            None => drop(all.insert(name, change)),
        }
    }
    all.retain(|_, change| change["from"] != change["to"]);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, from: i64, to: i64) -> Facts {
        Facts::from_iter([(name.to_owned(), json!({"from": from, "to": to}))])
    }

    #[test]
    fn several_edits_are_told_as_one() {
        let edits = [change("price", 100, 200), change("payout", 90, 180), change("price", 200, 300), change("payout", 180, 90)];
        assert_eq!(Value::Object(merged(edits)), json!({"price": {"from": 100, "to": 300}}));
        assert!(merged([]).is_empty());
    }
}
