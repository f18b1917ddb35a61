//! Parse, start logging, run, and say in one line why not.

use clap::Parser as _;
use orderboard::{cli, http, telemetry};

/// A third of what taking costs this process is memory that one thread asks for and another gives back; glibc's allocator spends
/// three times as long on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
