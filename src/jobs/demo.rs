//! A small market that looks alive: believable orders in every category, customers who post, executors who take, work
//! that is handed in, confirmed, sent back or given up. It acts through the same use cases as people do, so money and
//! rules hold.

mod words;

use std::time::Duration;

use super::{Stopping, next_round};
use crate::domain::money::Amount;
use crate::domain::order::{Acceptance, Assignment, Status};
use crate::domain::user::{Actor, Party, Role};
use crate::flow::{Ask, Flow, FlowError, OrderDraft};
use crate::store::Store;
use crate::store::orders::Listed;

use self::words::{CUSTOMERS, EXECUTORS, TEMPLATES, Template};

/// Open orders the market aims at.
const OPEN_TARGET: usize = 120;
/// What each customer starts with, in kopecks.
const FUNDS: i64 = 50_000_000;
/// The longest pause between two events.
const PAUSE_MS_MAX: u64 = 1_500;

struct Market {
    flow: Flow,
    store: Store,
    customers: Vec<Actor>,
    executors: Vec<Actor>,
    dice: Dice,
}

/// A small generator: the market needs variety, not secrecy.
struct Dice(u64);

impl Dice {
    fn seeded() -> Self {
        let mut seed = [0_u8; 8];
        // A fixed seed makes a duller market, not a wrong one.
        let _ = getrandom::fill(&mut seed);
        Self(u64::from_le_bytes(seed) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        // xorshift64*, Vigna 2016.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap_or(0) % limit.max(1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.below(from.len())) }
    }
}

/// Fills the board and keeps the market moving until told to stop.
pub async fn run(flow: Flow, store: Store, mut stopping: Stopping) {
    let mut market = match Market::open(flow, store).await {
        Ok(market) => market,
        Err(error) => return tracing::warn!(?error, "the demo market could not open"),
    };
    loop {
        if let Err(error) = market.event().await {
            tracing::warn!(?error, "an event of the demo market failed");
        }
        let pause = Duration::from_millis(u64::try_from(market.dice.below(PAUSE_MS_MAX as usize)).unwrap_or(PAUSE_MS_MAX));
        if !next_round(&mut stopping, pause).await {
            return;
        }
    }
}

impl Market {
    async fn open(flow: Flow, store: Store) -> Result<Self, FlowError> {
        let mut market = Self { flow, store, customers: Vec::new(), executors: Vec::new(), dice: Dice::seeded() };
        for name in CUSTOMERS {
            let customer = market.join(Role::Customer, name, Some(Amount::parse("credit", FUNDS)?)).await?;
            market.customers.push(customer);
        }
        for name in EXECUTORS {
            let executor = market.join(Role::Executor, name, None).await?;
            market.executors.push(executor);
        }
        let open = market.store.orders(&Listed::Open { category: None }, u64::MAX, OPEN_TARGET as u32).await?.len();
        for _ in open..OPEN_TARGET {
            market.post().await?;
        }
        Ok(market)
    }

    async fn join(&self, role: Role, name: &str, credit: Option<Amount>) -> Result<Actor, FlowError> {
        let granted = self.flow.grant_user(role, Some(name), credit).await?;
        Ok(Actor { user: Party { id: granted.user_id, name: name.to_owned() }, role, session_id: 0 })
    }

    /// One thing happens. What the rules refuse (an order gone meanwhile, a customer out of money) is part of the game.
    async fn event(&mut self) -> Result<(), FlowError> {
        let open = self.store.orders(&Listed::Open { category: None }, u64::MAX, 100).await?;
        let done = match self.dice.below(10) {
            0..4 if open.len() < 100 || self.dice.below(3) == 0 => self.post().await,
            0..7 => match (self.dice.pick(&open), self.dice.pick(&self.executors)) {
                (Some(order), Some(executor)) => self.flow.accept_order(executor, order.id, None).await.map(drop),
                _ => Ok(()),
            },
            7 => self.withdraw().await,
            _ => self.work().await,
        };
        match done {
            Err(FlowError::Refused(_)) => Ok(()),
            done => done,
        }
    }

    async fn post(&mut self) -> Result<(), FlowError> {
        let (Some(template), Some(customer)) = (self.dice.pick(TEMPLATES), self.dice.pick(&self.customers).cloned()) else {
            return Ok(());
        };
        let draft = self.draft(template)?;
        self.flow.create_order(&customer, &draft, None).await.map(drop)
    }

    fn draft(&mut self, template: &Template) -> Result<OrderDraft, FlowError> {
        let (low, high) = template.roubles;
        let steps = usize::try_from((high - low) / 50).unwrap_or(1);
        let roubles = low + 50 * i64::try_from(self.dice.below(steps + 1)).unwrap_or(0);
        let price = Amount::parse("price", roubles * 100)?;
        Ok(OrderDraft {
            assignment: Assignment::First,
            title: template.title.to_owned(),
            description: template.description.to_owned(),
            category: Some(template.category.to_owned()),
            currency: crate::domain::money::Currency::RUB,
            acceptance: if self.dice.below(4) == 0 { Acceptance::Auto } else { Acceptance::Confirm },
            ask: Ask::Price(price),
        })
    }

    /// A customer thinks again about an open order.
    async fn withdraw(&mut self) -> Result<(), FlowError> {
        let Some(customer) = self.dice.pick(&self.customers).cloned() else { return Ok(()) };
        let which = Listed::OfCustomer { user_id: customer.user.id, status: None };
        let orders = self.store.orders(&which, u64::MAX, 50).await?;
        let Some(order) = self.dice.pick(&orders) else { return Ok(()) };
        match order.status {
            Status::Open if self.dice.below(2) == 0 => self.flow.freeze_order(&customer, order.id).await.map(drop),
            Status::Open => self.flow.cancel_order(&customer, order.id).await.map(drop),
            Status::Frozen => self.flow.unfreeze_order(&customer, order.id).await.map(drop),
            _ => Ok(()),
        }
    }

    /// An executor goes on with a contract, or its customer judges the work.
    async fn work(&mut self) -> Result<(), FlowError> {
        let Some(executor) = self.dice.pick(&self.executors).cloned() else { return Ok(()) };
        let which = Listed::OfExecutor { user_id: executor.user.id, status: None };
        let contracts = self.store.orders(&which, u64::MAX, 50).await?;
        let alive: Vec<_> = contracts.iter().filter(|order| matches!(order.status, Status::InWork | Status::Submitted)).collect();
        let Some(order) = self.dice.pick(&alive) else { return Ok(()) };
        let customer = Actor { user: order.customer.clone(), role: Role::Customer, session_id: 0 };
        match (order.status, self.dice.below(8)) {
            (Status::InWork, 0) => self.flow.abandon_order(&executor, order.id).await.map(drop),
            (Status::InWork, _) => self.flow.submit_order(&executor, order.id, "Готово, проверьте, пожалуйста.").await.map(drop),
            (_, 0) => self.flow.reject_order(&customer, order.id, "Нужно поправить мелочи, написал в чате.").await.map(drop),
            _ => self.flow.confirm_order(&customer, order.id).await.map(drop),
        }
    }
}
