//! Many watchers at the price of few, and what is done to them. In reading order: `line` one websocket, `copies` what is
//! shared between them, `seat` one watcher, `proof` whether all copies are exact.

pub(crate) mod copies;
mod line;
pub(crate) mod proof;
pub(crate) mod seat;
