//! Memory and processor time of one process, from /proc. Not of its children: a server that runs
//! its own database must not have the database's memory counted as its sockets'.

use crate::error::Error;

/// Resident memory in kB.
pub(crate) fn rss_kb(pid: u32) -> Result<u64, Error> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).map_err(|error| Error::Usage(format!("cannot read {path}: {error}")))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok());
    kb.ok_or_else(|| Error::Usage(format!("{path} has no VmRSS: is the process alive?")))
}

/// Seconds of processor time, user and system, so far. None when the process is not ours to see.
pub(crate) fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces; the fields after it begin with the state.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / rustix::param::clock_ticks_per_second() as f64)
}

/// The same of the processes that this one has started: a server's own databases.
pub(crate) fn children_cpu_seconds(pid: u32) -> f64 {
    let Ok(processes) = std::fs::read_dir("/proc") else { return 0.0 };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|&child| parent(child) == Some(pid)).filter_map(cpu_seconds).sum()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Processor time spent since it was begun, by the server, by this process and by the whole machine:
/// tells who the bottleneck was, and whether somebody else was at work too.
pub(crate) struct Spent {
    pid: Option<u32>,
    at: [f64; 3],
}

impl Spent {
    pub(crate) fn begin(pid: Option<u32>) -> Self {
        Self { pid, at: now(pid) }
    }

    /// Seconds of [server, load test, machine]; zero for a server that cannot be seen.
    pub(crate) fn seconds(&self) -> [f64; 3] {
        let (before, after) = (self.at, now(self.pid));
        std::array::from_fn(|n| after[n] - before[n])
    }
}

fn now(pid: Option<u32>) -> [f64; 3] {
    let server = pid.and_then(cpu_seconds).unwrap_or(0.0);
    [server, cpu_seconds(std::process::id()).unwrap_or(0.0), machine_seconds().unwrap_or(0.0)]
}

/// Seconds in which a processor of this machine was busy.
pub(crate) fn machine_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<f64> = stat.lines().next()?.split_whitespace().skip(1).filter_map(|t| t.parse().ok()).collect();
    // user nice system idle iowait irq softirq
    let busy: f64 = [0, 1, 2, 5, 6].iter().filter_map(|&at| ticks.get(at)).sum();
    Some(busy / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_has_used_time() {
        assert!(rss_kb(std::process::id()).is_ok_and(|kb| kb > 100));
        assert!(cpu_seconds(std::process::id()).is_some());
        assert_eq!(parent(std::process::id()), Some(std::os::unix::process::parent_id()));
    }
}
