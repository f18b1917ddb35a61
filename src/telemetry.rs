//! Logs to standard error, and the recorder that all metrics go to. Set up once a process.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Bounds of the latency histogram, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0];

/// Bounds of how many share a statement.
const SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Starts logging: `RUST_LOG` decides what, JSON when `ORDERBOARD_LOG=json`.
pub fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,fred=error,sqlx=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let is_json = std::env::var("ORDERBOARD_LOG").is_ok_and(|format| format == "json");
    // A second call in one process (tests) changes nothing.
    let _ =
        if is_json { builder.json().try_init() } else { builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init() };
}

/// The process's metrics.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let sizes = Matcher::Suffix("_size".to_owned());
            let builder = PrometheusBuilder::new().set_buckets(&SECONDS);
            let builder = builder.and_then(|builder| builder.set_buckets_for_metric(sizes, &SIZES));
            let builder = builder.unwrap_or_else(|_| PrometheusBuilder::new());
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another metrics recorder is in force; /metrics stays empty");
            }
            handle
        })
        .clone()
}
