//! What the process itself takes, under the names that every Prometheus client library gives these figures. Read when
//! the metrics are asked for; where there is no /proc they stay away.

use std::fs;

use metrics::{Unit, describe_gauge, gauge};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

const MEMORY: &str = "process_resident_memory_bytes";
const CPU: &str = "process_cpu_seconds_total";
const OPEN: &str = "process_open_fds";
const OPEN_MAX: &str = "process_max_fds";

pub(super) fn describe() {
    describe_gauge!(MEMORY, Unit::Bytes, "Memory that is in RAM");
    describe_gauge!(CPU, Unit::Seconds, "Time on a processor, of all threads, since the start");
    describe_gauge!(OPEN, "Descriptors that are open");
    describe_gauge!(OPEN_MAX, "Descriptors that may be open");
}

pub(super) fn measure() {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    gauge!(CPU).set(cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9);
    if let Some(kilobytes) = resident_kb() {
        gauge!(MEMORY).set(kilobytes as f64 * 1024.0);
    }
    if let Some(open) = open_descriptors() {
        gauge!(OPEN).set(open as f64);
    }
    gauge!(OPEN_MAX).set(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) as f64);
}

fn resident_kb() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Since Linux 6.2 the directory's size is their number; listing tens of thousands of them takes milliseconds.
fn open_descriptors() -> Option<u64> {
    match fs::metadata("/proc/self/fd").ok()?.len() {
        0 => Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64),
        size => Some(size),
    }
}

#[cfg(test)]
mod tests {
    use super::{open_descriptors, resident_kb};

    #[test]
    fn the_figures_follow_the_process() {
        assert!(resident_kb().is_some_and(|kilobytes| kilobytes > 100));
        let before = open_descriptors().expect("/proc");
        let more: Vec<_> = (0..50).map(|_| std::fs::File::open("/dev/null").expect("/dev/null")).collect();
        // Other tests of this process open and close at the same time.
        assert!(open_descriptors().expect("/proc") + 25 > before + more.len() as u64);
    }
}
