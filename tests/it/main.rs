//! Everything that needs a real MariaDB and a real Redis. One binary and one pair of servers; a database and a Redis
//! prefix for each test. `support` is the whole kit: nodes, people, an HTTP client, a websocket client that keeps an
//! exact replica, and the auditor of the books.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

mod archive;
mod audit;
mod bad_input;
mod billing;
mod board_http;
mod bus_feed;
mod caches;
mod cancellation;
mod categories;
mod choosing;
mod cluster;
mod credentials;
mod dashboard;
mod debug;
mod deploy;
mod desk_people;
mod disputes;
mod editing;
mod faults;
mod fuzz;
mod history;
mod limits;
mod lists;
mod live;
mod mail;
mod model;
mod money;
mod news;
mod notifications;
mod openapi;
mod operation;
mod order_model;
mod orders;
mod payouts;
mod private_channels;
mod processes;
mod profiles;
mod rights;
mod search;
mod sentinel;
mod several_processes;
mod shape;
mod sockets;
mod taking;
mod topups;
mod users;
