//! The boards of this node: that of all orders, and one for each category. A board that was opened stays: categories are hidden and
//! never deleted.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::board::Board;
use crate::domain::category::Category;

pub(super) const ALL: &str = "all";

type ByName = HashMap<String, Arc<Board>>;

/// Read at every change of an order, replaced when a category is new.
pub(super) struct Boards(ArcSwap<ByName>);

impl Boards {
    pub(super) fn new(categories: &[Category]) -> Self {
        let names = std::iter::once(ALL.to_owned()).chain(categories.iter().map(name));
        let boards = names.map(|name| (name.clone(), Arc::new(Board::new(&name)))).collect();
        Self(ArcSwap::from_pointee(boards))
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<Board>> {
        self.0.load().get(name).cloned()
    }

    /// Those that an order of this category is on.
    pub(super) fn of(&self, category: Option<&str>) -> impl Iterator<Item = Arc<Board>> {
        let boards = self.0.load();
        let own = category.and_then(|slug| boards.get(&format!("category:{slug}")).cloned());
        boards.get(ALL).cloned().into_iter().chain(own)
    }

    /// Those that an order of this category is not on, and may have been on before it was edited.
    pub(super) fn besides(&self, category: Option<&str>) -> Vec<Arc<Board>> {
        let own = category.map(|slug| format!("category:{slug}"));
        let is_other = |name: &str| name != ALL && Some(name) != own.as_deref();
        self.0.load().iter().filter(|(name, _)| is_other(name)).map(|(_, board)| board.clone()).collect()
    }

    pub(super) fn all(&self) -> Arc<ByName> {
        self.0.load_full()
    }

    /// Boards, empty as yet, for categories that have none.
    pub(super) fn missing(&self, categories: &[Category]) -> Vec<Board> {
        let boards = self.0.load();
        categories.iter().map(name).filter(|name| !boards.contains_key(name)).map(|name| Board::new(&name)).collect()
    }

    /// From now on the board can be watched, and news reaches it. Only the task that follows the news calls this.
    pub(super) fn open(&self, board: Board) {
        let mut boards = ByName::clone(&self.0.load());
        boards.insert(board.name().to_owned(), Arc::new(board));
        self.0.store(Arc::new(boards));
    }
}

fn name(category: &Category) -> String {
    format!("category:{}", category.slug)
}
