//! Many watchers of one board, cheap enough that the server is the limit: thousands of sockets and millions of changes a
//! second on one core. In reading order: `wire` and `protocol` what goes over a socket, `open` opening many, `marker` when a change
//! was due, `book` what all sockets saw, `engine` the thread that reads, `seen` what that proves; `rows` and `inject`
//! the changes; `cores` who runs where, `part` sockets in another process; `crowd` all of it for one phase; `command`
//! the command `watchers`, `customers` changes made over HTTP.

mod book;
pub(crate) mod command;
pub(crate) mod cores;
pub(crate) mod crowd;
mod customers;
mod engine;
pub(crate) mod inject;
mod marker;
pub(crate) mod open;
pub(crate) mod part;
pub(crate) mod protocol;
mod rows;
mod seen;
pub(crate) mod wire;
