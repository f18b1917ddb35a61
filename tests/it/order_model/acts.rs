//! What each call does to the model, and how it is answered. In each, what is looked at first is refused first.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::board::{Application, CATEGORIES, Expected, Order, POLICIES, TITLES, Text, User, refused};
use super::split::{Policy, Split};
use super::steps::{Act, Ask, Seen, Step};

const AMOUNT_MAX: i64 = 1_000_000_000_000;
/// Above all that anybody has: how it is divided is never asked.
const OUT_OF_REACH: i64 = 1_000_000;

/// Somebody in a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Person {
    pub(super) user: u64,
    pub(super) role: &'static str,
}

/// A call to make.
#[derive(Debug)]
pub(super) struct Call {
    /// Among the people.
    pub(super) who: usize,
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Value,
    pub(super) key: Option<String>,
}

pub(super) struct Model {
    pub(super) people: Vec<Person>,
    pub(super) users: BTreeMap<u64, User>,
    pub(super) orders: Vec<Order>,
    policy: Policy,
    /// By what kind of call, user and key: what was asked.
    asked: BTreeMap<(&'static str, u64, String), (Option<usize>, Value)>,
}

/// Where the order is among the orders, and who asks.
type Place = (usize, Person);

impl Model {
    pub(super) fn new(people: Vec<Person>, credits: &[(u64, i64)]) -> Self {
        let mut users: BTreeMap<u64, User> = people.iter().map(|person| (person.user, User::default())).collect();
        for (user, credit) in credits {
            let wallet = &mut users.get_mut(user).unwrap().wallet;
            (wallet.available, wallet.version) = (*credit, u64::from(*credit > 0));
        }
        Self { people, users, orders: Vec::new(), policy: POLICIES[0], asked: BTreeMap::new() }
    }

    /// The call that the step stands for now, carried out on the model, and its answer.
    pub(super) fn play(&mut self, step: &Step) -> (Call, Expected) {
        let mut place = self.place(step);
        let who = step.who.unwrap_or_else(|| self.whose_turn(step, place));
        let actor = self.people[who];
        let version = place.map_or(1, |place| self.orders[place].version);
        let seen = |seen: Seen| match seen {
            Seen::Now => version,
            Seen::Ago(ago) => version.saturating_sub(ago),
            Seen::Future => version + 3,
        };
        let executor = self.people[3 + step.executor].user;
        let (verb, mut body) = match &step.act {
            Act::Create { ask, is_chosen, is_auto } => {
                let mut body = json!({"title": TITLES[0], "assignment": if *is_chosen { "chosen" } else { "first" }});
                body["acceptance"] = if *is_auto { "auto" } else { "confirm" }.into();
                ask.say(&mut body);
                ("create", body)
            }
            Act::Edit { seen: version, ask, title, category } => {
                let mut body = json!({"version": seen(*version)});
                ask.iter().for_each(|ask| ask.say(&mut body));
                title.iter().for_each(|title| body["title"] = TITLES[*title].into());
                category.iter().for_each(|category| body["category"] = json!(CATEGORIES[*category]));
                ("edit", body)
            }
            Act::Accept { seen: version } => ("accept", version.map_or(Value::Null, |version| json!({"version": seen(version)}))),
            Act::Apply { percent, seen: version } => {
                let price = place.map_or(1_000, |place| self.orders[place].text.price);
                let mut body = json!({"message": "I have a brush"});
                percent.iter().for_each(|percent| body["price"] = (price * percent / 100).into());
                version.iter().for_each(|version| body["version"] = seen(*version).into());
                ("apply", body)
            }
            Act::Choose { seen: version } => {
                let mut body = json!({"executor_id": executor});
                version.iter().for_each(|version| body["version"] = seen(*version).into());
                ("choose", body)
            }
            Act::Freeze => ("freeze", Value::Null),
            Act::Unfreeze => ("unfreeze", Value::Null),
            Act::Cancel => ("cancel", Value::Null),
            Act::Withdraw => ("withdraw", Value::Null),
            Act::Submit => ("submit", json!({"report": "Green"})),
            Act::Reject => ("reject", json!({"reason": "Not green"})),
            Act::Confirm => ("confirm", Value::Null),
            Act::Abandon => ("abandon", Value::Null),
            Act::Dispute => ("dispute", json!({"reason": "It is blue"})),
            Act::Arbitrate { pays } => {
                ("arbitrate", json!({"verdict": if *pays { "pay" } else { "refund" }, "comment": "The photographs show it"}))
            }
            Act::Due => ("due", Value::Null),
            Act::Policy(number) => {
                let Policy { rate, floor, is_round } = POLICIES[*number];
                ("policy", json!({"rate_bp": rate, "floor_bp": floor, "mode": if is_round { "round" } else { "exact" }}))
            }
        };
        let key = step.key.filter(|_| ["create", "edit", "choose"].contains(&verb)).map(|key| format!("key-{key}"));
        if let Some((again, asked)) =
            key.as_ref().filter(|_| step.is_repeat).and_then(|key| self.asked.get(&(verb, actor.user, key.clone())))
        {
            (place, body) = (*again, asked.clone());
        }
        let id = place.map_or(999_999_999, |place| self.orders[place].id);
        let expected = self.judge(verb, &body, place, actor, key.as_deref());
        let (method, path) = match verb {
            "create" => ("POST", "/api/orders".to_owned()),
            "edit" => ("PATCH", format!("/api/orders/{id}")),
            "arbitrate" => ("POST", format!("/api/admin/orders/{id}/arbitrate")),
            "policy" => ("PUT", "/api/admin/commission".to_owned()),
            "due" => ("", id.to_string()),
            verb => ("POST", format!("/api/orders/{id}/{verb}")),
        };
        (Call { who, method, path, body, key }, expected)
    }

    /// Where the order is that the step is about.
    fn place(&self, step: &Step) -> Option<usize> {
        let executor = self.people[3 + step.executor].user;
        let waits = |order: &Order| order.applications.get(&executor).is_some_and(|own| own.status == "waiting");
        let suits = |order: &Order| match step.act {
            Act::Create { .. } | Act::Policy(_) => true,
            Act::Edit { .. } | Act::Freeze | Act::Cancel => order.status == "open",
            Act::Unfreeze => order.status == "frozen",
            Act::Accept { .. } => order.status == "open" && !order.is_chosen,
            Act::Apply { .. } => order.status == "open" && order.is_chosen,
            Act::Withdraw => waits(order),
            Act::Choose { .. } => order.status == "open" && waits(order),
            Act::Submit | Act::Abandon => order.status == "in_work" && !order.was_disputed,
            Act::Reject | Act::Confirm | Act::Due => order.status == "submitted",
            Act::Dispute => ["in_work", "submitted"].contains(&order.status),
            Act::Arbitrate { .. } => order.is_disputed(),
        };
        let suitable: Vec<usize> = (0..self.orders.len()).rev().filter(|place| suits(&self.orders[*place])).collect();
        match step.is_sensible && !suitable.is_empty() {
            true => Some(suitable[step.order % suitable.len()]),
            false => self.orders.len().checked_sub(step.order + 1),
        }
    }

    /// Whoever would do it: the order's customer, its executor, one of the executors, the admin.
    fn whose_turn(&self, step: &Step, place: Option<usize>) -> usize {
        let of = |user: u64, role: &str| self.people.iter().position(|person| person.user == user && person.role == role);
        let any_executor = 3 + step.executor;
        let Some(order) = place.map(|place| &self.orders[place]) else { return step.executor };
        let customer = of(order.customer, "customer").unwrap();
        let executor = order.executor.and_then(|user| of(user, "executor")).unwrap_or(any_executor);
        match step.act {
            Act::Create { .. } => step.executor,
            Act::Accept { .. } | Act::Apply { .. } | Act::Withdraw => any_executor,
            Act::Submit | Act::Abandon => executor,
            Act::Dispute if step.executor == 0 => executor,
            Act::Arbitrate { .. } | Act::Policy(_) => self.people.iter().position(|person| person.role == "admin").unwrap(),
            _ => customer,
        }
    }

    fn judge(&mut self, verb: &'static str, body: &Value, place: Option<usize>, actor: Person, key: Option<&str>) -> Expected {
        let amount = |name: &str| body[name].as_i64().is_some_and(|amount| !(1..=AMOUNT_MAX).contains(&amount));
        if amount("price") || amount("payout") {
            return refused("invalid");
        }
        let known = key.map(|key| (verb, actor.user, key.to_owned()));
        // Which order is part of what is asked, but of none that is to be created.
        let asked = (place.filter(|_| verb != "create"), body.clone());
        if let Some(first) = known.as_ref().and_then(|known| self.asked.get(known))
            // Who may create at all is looked at before the key is.
            && (verb != "create" || actor.role == "customer" && self.split_of(body, self.policy).is_some())
        {
            return if *first == asked { Expected::Repeated } else { refused("mismatch") };
        }
        let expected = match (verb, place) {
            ("create", _) => self.create(body, actor),
            ("policy", _) => self.switch_policy(body, actor),
            ("due", place) => self.due(place),
            (verb, place) => self.of_order(verb, body, place, actor),
        };
        let is_kept = match &expected {
            Expected::Done(..) => true,
            Expected::Refused(_, code, _) => ["insufficient_funds", "stale", "changed"].contains(code),
            _ => false,
        };
        if let Some(known) = known.filter(|_| is_kept) {
            self.asked.insert(known, asked);
        }
        expected
    }

    fn of_order(&mut self, verb: &str, body: &Value, place: Option<usize>, actor: Person) -> Expected {
        if matches!(verb, "accept" | "apply") && actor.role != "executor" || verb == "arbitrate" && actor.role != "admin" {
            return refused("forbidden");
        }
        let Some(place) = place else { return refused("not_found") };
        let at = (place, actor);
        match verb {
            "accept" => self.accept(at, body["version"].as_u64()),
            "apply" => self.apply(at, body),
            "withdraw" => self.withdraw(at),
            "dispute" => self.dispute(at),
            "arbitrate" => self.arbitrate(at, body["verdict"] == "pay"),
            verb => {
                let side = if ["submit", "abandon"].contains(&verb) { "executor" } else { "customer" };
                if let Some(refusal) = self.may_not(at, side) {
                    return refusal;
                }
                match verb {
                    "edit" => self.edit(at, body),
                    "choose" => self.choose(at, body),
                    "freeze" => self.flip(place, ["open", "frozen", "frozen"]),
                    "unfreeze" => self.flip(place, ["frozen", "open", "unfrozen"]),
                    "reject" => self.reject(place),
                    "abandon" => self.abandon(place),
                    "submit" => self.submit(place),
                    "confirm" => self.confirm(place),
                    "cancel" => self.cancel(place),
                    other => panic!("no model of {other}"),
                }
            }
        }
    }

    /// Not their order, or not in this session.
    fn may_not(&self, (place, actor): Place, side: &str) -> Option<Expected> {
        let order = &self.orders[place];
        let is_side = if side == "customer" { order.customer == actor.user } else { order.executor == Some(actor.user) };
        match is_side {
            true if actor.role == side => None,
            false if order.status != "open" && !order.is_party(actor.user) => Some(refused("not_found")),
            _ => Some(refused("forbidden")),
        }
    }

    fn answer(&self, place: usize) -> Expected {
        let Order { id, status, version, edited, text, executor, applicants, .. } = &self.orders[place];
        let told = json!({
            "id": id, "status": status, "version": version, "edited_version": edited, "price": text.price, "payout": text.payout,
            "commission": text.price - text.payout, "title": text.title, "category": text.category, "executor_id": executor,
            "applicants": applicants,
        });
        Expected::Done(200, told)
    }

    fn stale(&self, place: usize) -> Expected {
        let Order { status, version, .. } = &self.orders[place];
        refused("stale").with(json!({"order_status": status, "version": version}))
    }

    fn wallet(&mut self, user: u64) -> &mut User {
        self.users.get_mut(&user).unwrap()
    }

    fn split_of(&self, body: &Value, policy: Policy) -> Split {
        match (body["price"].as_i64(), body["payout"].as_i64()) {
            (Some(price), _) if price > OUT_OF_REACH => Some((price, price / 2)),
            (Some(price), _) => policy.by_price(price),
            (_, Some(payout)) => policy.by_payout(payout),
            _ => panic!("nothing is asked: {body}"),
        }
    }

    fn create(&mut self, body: &Value, actor: Person) -> Expected {
        if actor.role != "customer" {
            return refused("forbidden");
        }
        let Some((price, payout)) = self.split_of(body, self.policy) else { return refused("invalid") };
        let user = self.wallet(actor.user);
        if user.wallet.available < price {
            return refused("insufficient_funds").with(json!({"available": user.wallet.available, "needed": price}));
        }
        user.wallet.available -= price;
        user.wallet.held += price;
        user.wallet.version += 1;
        user.figures.created += 1;
        user.figures.money += price;
        let text = Text { title: TITLES[0], category: None, price, payout };
        let is = |name: &str, value: &str| body[name] == value;
        self.orders.push(Order::new(actor.user, self.policy, text, [is("assignment", "chosen"), is("acceptance", "auto")]));
        Expected::Done(201, json!({"status": "open", "version": 1, "price": price, "payout": payout, "commission": price - payout}))
    }

    fn switch_policy(&mut self, body: &Value, actor: Person) -> Expected {
        if actor.role != "admin" {
            return refused("forbidden");
        }
        self.policy = *POLICIES
            .iter()
            .find(|policy| {
                policy.rate == body["rate_bp"] && policy.floor == body["floor_bp"] && policy.is_round == (body["mode"] == "round")
            })
            .unwrap();
        Expected::Done(200, body.clone())
    }

    fn edit(&mut self, (place, actor): Place, body: &Value) -> Expected {
        let order = &self.orders[place];
        let seen = body["version"].as_u64().unwrap();
        if seen > order.version {
            return refused("invalid");
        }
        if !["open", "frozen"].contains(&order.status) {
            return self.stale(place);
        }
        if seen < order.edited {
            return refused("changed").with(json!({"changes": order.since(seen)}));
        }
        let mut text = order.text.clone();
        if let Some(title) = body["title"].as_str() {
            text.title = TITLES.into_iter().find(|known| *known == title).unwrap();
        }
        if let Some(category) = body.get("category") {
            let known = *CATEGORIES.iter().find(|known| json!(known) == *category).unwrap();
            if known == Some("no-such-category") {
                return refused("invalid");
            }
            text.category = known;
        }
        if body.get("price").or(body.get("payout")).is_some() {
            let Some((price, payout)) = self.split_of(body, order.policy) else { return refused("invalid") };
            (text.price, text.payout) = (price, payout);
        }
        let by = text.price - order.text.price;
        let is_same = text == order.text;
        if let Some(refusal) = self.move_hold(actor.user, by) {
            return refusal;
        }
        if !is_same {
            self.orders[place].step("edited");
            self.orders[place].says(text);
        }
        self.answer(place)
    }

    /// The hold follows the price, where the money is there.
    fn move_hold(&mut self, user: u64, by: i64) -> Option<Expected> {
        let user = self.wallet(user);
        if by > user.wallet.available {
            return Some(refused("insufficient_funds").with(json!({"available": user.wallet.available, "needed": by})));
        }
        user.wallet.available -= by;
        user.wallet.held += by;
        user.wallet.version += u64::from(by != 0);
        user.figures.money += by;
        None
    }

    /// From a state to a state; what stands there already is done.
    fn flip(&mut self, place: usize, [from, to, event]: [&'static str; 3]) -> Expected {
        let order = &mut self.orders[place];
        if order.status == from {
            order.step(event);
            order.status = to;
        }
        match order.status == to {
            true => self.answer(place),
            false => self.disputed_or_stale(place),
        }
    }

    fn disputed_or_stale(&self, place: usize) -> Expected {
        if self.orders[place].is_disputed() { refused("disputed") } else { self.stale(place) }
    }

    fn accept(&mut self, (place, actor): Place, seen: Option<u64>) -> Expected {
        let order = &mut self.orders[place];
        match order.status {
            "frozen" | "cancelled" => return refused(order.status),
            "open" if order.customer == actor.user => return refused("own_order"),
            "in_work" | "submitted" | "done" if order.executor != Some(actor.user) => {
                return refused("taken").with(json!({"by": {"id": order.executor}}));
            }
            "in_work" | "submitted" | "done" => {}
            "open" if !order.is_chosen && seen.is_some_and(|seen| seen > order.version) => return refused("invalid"),
            "open" if !order.is_chosen => {
                let changes = seen.map_or(json!({}), |seen| order.since(seen));
                if changes != json!({}) {
                    return refused("changed").with(json!({"changes": changes}));
                }
                // Taking writes no event.
                order.version += 1;
                order.status = "in_work";
                order.executor = Some(actor.user);
            }
            _ => return self.stale(place),
        }
        let order = &self.orders[place];
        Expected::Done(200, json!({"id": order.id, "status": order.status, "executor_id": actor.user}))
    }

    fn apply(&mut self, (place, actor): Place, body: &Value) -> Expected {
        let order = &mut self.orders[place];
        if order.customer == actor.user {
            return refused("own_order");
        }
        match (order.status, order.executor) {
            ("open", _) if !order.is_chosen => return refused("first_taker"),
            ("open", _) => {}
            ("frozen" | "cancelled", _) => return refused(order.status),
            (_, Some(executor)) => return refused("taken").with(json!({"by": {"id": executor}})),
            (status, None) => panic!("{status} without an executor"),
        }
        let seen = body["version"].as_u64();
        if seen.is_some_and(|seen| seen > order.version) {
            return refused("invalid");
        }
        let changes = seen.map_or(json!({}), |seen| order.since(seen));
        if changes != json!({}) {
            return refused("changed").with(json!({"changes": changes}));
        }
        let split = match body["price"].as_i64() {
            None => Some((order.text.price, order.text.payout)),
            Some(price) if price * 2 < order.text.price || price > order.text.price * 2 => None,
            Some(price) => order.policy.by_price(price),
        };
        let Some((price, payout)) = split else { return refused("invalid") };
        order.step("applied");
        order.applications.insert(actor.user, Application { version: order.version, price, payout, status: "waiting" });
        order.count_applicants();
        Expected::Done(200, json!({"status": "waiting", "version": order.version, "price": price, "payout": payout}))
    }

    fn withdraw(&mut self, (place, actor): Place) -> Expected {
        let order = &mut self.orders[place];
        let Some(own) = order.applications.get_mut(&actor.user).filter(|_| actor.role == "executor") else { return refused("not_found") };
        match own.status {
            "withdrawn" => {}
            "waiting" => {
                own.status = "withdrawn";
                order.step("withdrawn");
                order.count_applicants();
            }
            _ => return self.stale(place),
        }
        Expected::Done(200, json!({"status": "withdrawn"}))
    }

    fn choose(&mut self, (place, actor): Place, body: &Value) -> Expected {
        let order = &self.orders[place];
        let executor = body["executor_id"].as_u64().unwrap();
        let Some(own) = order.applications.get(&executor).cloned() else { return refused("not_found") };
        if !order.is_chosen || order.status != "open" {
            return self.stale(place);
        }
        if own.status != "waiting" {
            return refused("not_found");
        }
        let seen = body["version"].as_u64().unwrap_or(order.version);
        if seen > order.version {
            return refused("invalid");
        }
        if seen < order.edited || seen < own.version {
            let mut changes = order.since(seen);
            if seen < own.version {
                changes["application"] = json!({"price": own.price, "version": own.version});
            }
            return refused("changed").with(json!({"changes": changes}));
        }
        let text = Text { price: own.price, payout: own.payout, ..order.text.clone() };
        let by = text.price - order.text.price;
        if let Some(refusal) = self.move_hold(actor.user, by) {
            return refusal;
        }
        let order = &mut self.orders[place];
        order.step("chosen");
        order.says(text);
        (order.status, order.executor) = ("in_work", Some(executor));
        order.applications.get_mut(&executor).unwrap().status = "chosen";
        order.decline_all();
        self.answer(place)
    }

    fn reject(&mut self, place: usize) -> Expected {
        let order = &mut self.orders[place];
        if order.status != "submitted" || order.was_disputed {
            return self.disputed_or_stale(place);
        }
        order.step("rejected");
        order.status = "in_work";
        self.answer(place)
    }

    fn abandon(&mut self, place: usize) -> Expected {
        let order = &mut self.orders[place];
        if order.status != "in_work" || order.was_disputed {
            return self.disputed_or_stale(place);
        }
        order.step("abandoned");
        order.status = "open";
        let executor = order.executor.take().unwrap();
        if let Some(own) = order.applications.get_mut(&executor) {
            own.status = "withdrawn";
        }
        self.answer(place)
    }

    fn submit(&mut self, place: usize) -> Expected {
        let order = &mut self.orders[place];
        match (order.status, order.is_auto) {
            ("in_work", _) if order.was_disputed => refused("disputed"),
            ("in_work", true) => self.settle(place, "confirmed"),
            ("in_work", false) => {
                order.step("submitted");
                order.status = "submitted";
                self.answer(place)
            }
            ("submitted", false) | ("done", true) => self.answer(place),
            _ => self.stale(place),
        }
    }

    fn confirm(&mut self, place: usize) -> Expected {
        match self.orders[place].status {
            "done" => self.answer(place),
            "submitted" => self.settle(place, "confirmed"),
            _ => self.stale(place),
        }
    }

    fn settle(&mut self, place: usize, event: &'static str) -> Expected {
        let order = &mut self.orders[place];
        order.step(event);
        order.status = "done";
        let (customer, executor, Text { price, payout, .. }) = (order.customer, order.executor.unwrap(), order.text.clone());
        let payer = self.wallet(customer);
        payer.wallet.held -= price;
        payer.wallet.version += 1;
        payer.figures.done += 1;
        let payee = self.wallet(executor);
        payee.earnings.available += payout;
        payee.earnings.version += 1;
        payee.figures.completed += 1;
        payee.figures.received += payout;
        self.answer(place)
    }

    /// The price is free again.
    fn give_back(&mut self, place: usize) {
        let (customer, price) = (self.orders[place].customer, self.orders[place].text.price);
        let user = self.wallet(customer);
        user.wallet.held -= price;
        user.wallet.available += price;
        user.wallet.version += 1;
        user.figures.money -= price;
    }

    fn cancel(&mut self, place: usize) -> Expected {
        let order = &mut self.orders[place];
        match order.status {
            "cancelled" => return self.answer(place),
            "open" | "frozen" => {}
            _ => return self.stale(place),
        }
        order.step("cancelled");
        order.status = "cancelled";
        order.decline_all();
        self.give_back(place);
        self.answer(place)
    }

    fn dispute(&mut self, (place, actor): Place) -> Expected {
        let order = &mut self.orders[place];
        let is_side = match actor.role {
            "customer" => order.customer == actor.user,
            "executor" => order.executor == Some(actor.user),
            _ => false,
        };
        if !is_side {
            let may_see = order.status == "open" || order.is_party(actor.user) || actor.role == "admin";
            return refused(if may_see { "forbidden" } else { "not_found" });
        }
        if !["in_work", "submitted"].contains(&order.status) {
            return self.stale(place);
        }
        if !order.was_disputed {
            order.step("disputed");
            order.was_disputed = true;
        }
        self.answer(place)
    }

    fn arbitrate(&mut self, (place, _): Place, pays: bool) -> Expected {
        let order = &mut self.orders[place];
        if order.was_disputed && order.status == if pays { "done" } else { "failed" } {
            return self.answer(place);
        }
        if !order.is_disputed() {
            let Order { status, version, .. } = order;
            return refused("not_disputed").with(json!({"order_status": status, "version": version}));
        }
        if pays {
            return self.settle(place, "arbitrated");
        }
        order.step("arbitrated");
        order.status = "failed";
        self.give_back(place);
        self.answer(place)
    }

    fn due(&mut self, place: Option<usize>) -> Expected {
        let is_due = |order: &Order| order.status == "submitted" && !order.was_disputed;
        let Some(place) = place.filter(|place| is_due(&self.orders[*place])) else { return Expected::Confirmed(0) };
        self.settle(place, "confirmed");
        Expected::Confirmed(1)
    }
}

impl Ask {
    fn say(self, body: &mut Value) {
        match self {
            Ask::Price(price) => body["price"] = price.into(),
            Ask::Payout(payout) => body["payout"] = payout.into(),
        }
    }
}
