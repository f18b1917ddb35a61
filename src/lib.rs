//! **orderboard**: a real-time order board with its own money. Customers post orders and their money is held; executors
//! watch the newest thousand live and race to take them; one conditional UPDATE decides each race; every balance moves on
//! the screen the moment it moves in the database.
//!
//! The tour, from the rules outwards. A module imports only from those above it that its own header names, and a test
//! keeps that (`tests/it/shape.rs`).

// The rules: money, commission, the states of an order, double entry. No async, no I/O.
pub mod domain;

// The two stores: MySQL is the truth, Redis carries the news.
pub mod bus;
pub mod store;

// What people do: one file a use case. The only place where transactions begin.
pub mod flow;

// What people watch: boards, private channels, sockets.
pub mod live;

// The door, and the work nobody waits for.
pub mod http;
pub mod jobs;

// Putting it together and running it.
pub mod app;
pub mod cli;
pub mod config;
pub mod embedded;
pub mod telemetry;
