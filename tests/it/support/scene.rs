//! A scene that many questions can be asked of: an order in each state, and everybody who could want something of it.

use std::collections::HashMap;

use super::{TestApp, User};

/// An order in each state, with the people around it.
pub(crate) struct Scene {
    pub(crate) orders: Vec<(&'static str, u64)>,
    pub(crate) people: HashMap<&'static str, User>,
}

impl Scene {
    pub(crate) async fn set(app: &TestApp) -> Self {
        let (customer, executor) = (app.customer(1_000_000).await, app.executor().await);
        let mut orders = Vec::new();
        for state in ["open", "frozen", "cancelled", "in_work", "submitted", "done"] {
            let id = app.order(&customer, 1_000).await;
            let steps: &[(&User, &str)] = match state {
                "frozen" => &[(&customer, "freeze")],
                "cancelled" => &[(&customer, "cancel")],
                "in_work" => &[(&executor, "accept")],
                "submitted" => &[(&executor, "accept"), (&executor, "submit")],
                "done" => &[(&executor, "accept"), (&executor, "submit"), (&customer, "confirm")],
                _ => &[],
            };
            for (who, act) in steps {
                app.act(who, id, act).await.expect(200);
            }
            orders.push((state, id));
        }
        let people = HashMap::from([
            ("the customer as executor", app.also(&customer, "executor").await),
            ("the executor as customer", app.also(&executor, "customer").await),
            ("another customer", app.customer(5_000).await),
            ("another executor", app.executor().await),
            ("an admin", app.admin().await),
            ("the customer", customer),
            ("the executor", executor),
        ]);
        Self { orders, people }
    }
}
