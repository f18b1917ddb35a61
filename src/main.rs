//! Parse, start logging, run, and say in one line why not.

use clap::Parser as _;
use orderboard::{cli, http, telemetry};

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
