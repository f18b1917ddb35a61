//! Logs to standard error, and the recorder that all metrics go to. Set up once a process.

mod names;
mod process;

use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry};

/// Bounds of whatever ends in `_seconds`.
/// For what is promised in milliseconds.
const FINE_SECONDS: [f64; 24] = [
    0.000_2, 0.000_5, 0.001, 0.001_5, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007, 0.008, 0.009, 0.01, 0.011, 0.012, 0.015, 0.02, 0.03, 0.05,
    0.1, 0.2, 0.5, 2.0, 10.0,
];
const SECONDS: [f64; 16] = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
/// Bounds of whatever counts things gathered: `_changes`, `_size`.
const COUNTS: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];
/// The exporter keeps each value that was recorded until somebody sums them up. Nobody may ever ask for /metrics.
const SUM_UP_EVERY: Duration = Duration::from_secs(1);

/// Starts logging: `RUST_LOG` decides what, JSON when `ORDERBOARD_LOG=json`. `listener` hears what it asks for besides.
pub fn log(listener: impl Layer<Registry> + Send + Sync) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,fred=error,sqlx=warn"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let is_json = std::env::var("ORDERBOARD_LOG").is_ok_and(|format| format == "json");
    let registry = tracing_subscriber::registry().with(listener);
    // A second call in one process (tests) changes nothing.
    let _ = match is_json {
        true => registry.with(lines.json().with_filter(filter)).try_init(),
        false => {
            let lines = lines.with_target(false).with_ansi(std::io::stderr().is_terminal());
            registry.with(lines.with_filter(filter)).try_init()
        }
    };
}

/// The process's metrics.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let builder = with_bounds(PrometheusBuilder::new()).unwrap_or_else(|_| PrometheusBuilder::new());
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another metrics recorder is in force; /metrics stays empty");
            }
            names::register();
            let summed_up = handle.clone();
            let thread = std::thread::Builder::new().name("metrics".to_owned());
            let spawned = thread.spawn(move || {
                loop {
                    std::thread::sleep(SUM_UP_EVERY);
                    summed_up.run_upkeep();
                }
            });
            if let Err(error) = spawned {
                tracing::warn!(%error, "metrics are summed up only when they are asked for");
            }
            handle
        })
        .clone()
}

/// Everything in Prometheus' text format, the process's own figures as they are now. Reads /proc: milliseconds.
pub fn render(handle: &PrometheusHandle) -> String {
    process::measure();
    handle.render()
}

fn with_bounds(builder: PrometheusBuilder) -> Result<PrometheusBuilder, BuildError> {
    builder
        .set_buckets_for_metric(Matcher::Full("orderboard_commit_to_frame_seconds".to_owned()), &FINE_SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_changes".to_owned()), &COUNTS)?
        .set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &COUNTS)
}
