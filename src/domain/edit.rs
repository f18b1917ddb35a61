//! Editing an order: what is different afterwards, told field by field as `{"price":{"from":…,"to":…}}`.

use serde_json::{Value, json};

use super::commission::Split;
use super::event::Facts;
use super::order::{FullOrder, Order};
use super::refusal::{Invalid, Reason};

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

/// Refuses a version that the order, as the database has it, has not come to: whoever names it cannot have seen it.
pub fn has_had(order: &Order, version: u64) -> Result<(), Invalid> {
    if version <= order.version {
        return Ok(());
    }
    let told = format!("the order has never had version {version}; it is at {}. Look at it again", order.version);
    Err(Invalid::new("version", Reason::Unknown, told))
}

/// Several edits as one: from what the first of them found to what the last one left; what came back to what it was is not told.
pub fn merged(edits: impl IntoIterator<Item = Facts>) -> Facts {
    let mut all = Facts::new();
    // An event may tell more than what was changed.
    let is_change = |(_, fact): &(String, Value)| fact.get("from").is_some() && fact.get("to").is_some();
    for (name, change) in edits.into_iter().flatten().filter(is_change) {
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
