//! Parse, start logging, run, and say in one line why not.

use clap::Parser as _;
use orderboard::{cli, http, telemetry};

/// Requests are futures of some kilobytes, which glibc's `malloc` does not keep at hand: a third of a busy server's time went there.
/// Its settings are in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let command = cli::Cli::parse();
    telemetry::log(http::listener());
    match cli::run(command).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("orderboard: {error}");
            std::process::ExitCode::from(error.exit_code())
        }
    }
}
