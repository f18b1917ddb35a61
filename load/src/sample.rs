//! Memory and processor time over the whole run, of the load test, of the processes that it started and theirs (the server,
//! its MariaDB, its Redis), of a server that it was told of, and of the machine. Looked at once a second, less often in a
//! long run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::procfs;
use crate::races::locked;
use crate::report::{Chart, Line, seconds_now};

const EVERY: Duration = Duration::from_secs(1);
const SAMPLES_MAX: usize = 2_000;
/// A command that makes tokens lives shorter than this many looks, and is nobody's server.
const LOOKS_MIN: usize = 3;

pub(crate) struct Sampler {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    samples: Vec<Sample>,
    /// By process id.
    names: BTreeMap<u32, String>,
}

struct Sample {
    at_s: f64,
    /// Processor seconds of the machine so far.
    machine_s: f64,
    /// By process id: kB, and processor seconds so far.
    processes: BTreeMap<u32, (u64, f64)>,
}

impl Sampler {
    /// `server_pid` is that of a server which was not started from here.
    pub(crate) fn begin(server_pid: Option<u32>) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let into = seen.clone();
        let task = tokio::spawn(async move {
            let mut every = EVERY;
            loop {
                let full = {
                    let mut seen = locked(&into);
                    seen.look(server_pid);
                    seen.samples.len() >= SAMPLES_MAX
                };
                if full {
                    every *= 2;
                    let mut n = 0_u32;
                    locked(&into).samples.retain(|_| {
                        n += 1;
                        n % 2 == 1
                    });
                }
                tokio::time::sleep(every).await;
            }
        });
        Self { seen, task }
    }

    /// Processor time and memory, drawn.
    pub(crate) fn end(self) -> Vec<Chart> {
        self.task.abort();
        locked(&self.seen).charts()
    }
}

impl Seen {
    fn look(&mut self, server_pid: Option<u32>) {
        let mut processes = BTreeMap::new();
        for pid in family(server_pid) {
            // Whatever ends between two looks is just not there.
            let (Ok(kb), Some(cpu_s)) = (procfs::rss_kb(pid), procfs::cpu_seconds(pid)) else { continue };
            processes.insert(pid, (kb, cpu_s));
            // At first it may still have its parent's.
            self.names.insert(pid, name(pid));
        }
        let machine_s = procfs::machine_seconds().unwrap_or(0.0);
        self.samples.push(Sample { at_s: seconds_now(), machine_s, processes });
    }

    fn charts(&self) -> Vec<Chart> {
        let (mut memory, mut cpu): (BTreeMap<&str, Vec<_>>, BTreeMap<&str, Vec<_>>) = Default::default();
        let lasting = |pid: &u32| self.samples.iter().filter(|sample| sample.processes.contains_key(pid)).count() >= LOOKS_MIN;
        let lasting: Vec<(u32, &str)> =
            self.names.iter().filter(|(pid, _)| lasting(pid)).map(|(pid, name)| (*pid, name.as_str())).collect();
        let mut machine = Vec::new();
        for (n, sample) in self.samples.iter().enumerate() {
            let before = n.checked_sub(1).and_then(|n| self.samples.get(n));
            // Processes of one name are one line: nodes of a service, workers that follow each other.
            let mut kb_of: BTreeMap<&str, u64> = BTreeMap::new();
            let mut cpu_of: BTreeMap<&str, f64> = BTreeMap::new();
            for (pid, name) in &lasting {
                let Some((kb, cpu_s)) = sample.processes.get(pid) else { continue };
                *kb_of.entry(name).or_default() += kb;
                if let Some((_, earlier_s)) = before.and_then(|before| before.processes.get(pid)) {
                    *cpu_of.entry(name).or_default() += cpu_s - earlier_s;
                }
            }
            kb_of.into_iter().for_each(|(name, kb)| memory.entry(name).or_default().push((sample.at_s, kb as f64 / 1024.0)));
            if let Some(before) = before {
                let percent = |seconds: f64| (sample.at_s, 100.0 * seconds / (sample.at_s - before.at_s).max(1e-3));
                cpu_of.into_iter().for_each(|(name, s)| cpu.entry(name).or_default().push(percent(s)));
                machine.push(percent(sample.machine_s - before.machine_s));
            }
        }
        cpu.insert("the whole machine", machine);
        let lines = |by_name: BTreeMap<&str, Vec<(f64, f64)>>| -> Vec<Line> {
            by_name.into_iter().map(|(name, points)| Line { name: name.to_owned(), points }).collect()
        };
        vec![Chart::over_time("processor, % of a core", lines(cpu)), Chart::over_time("resident memory, MiB", lines(memory))]
    }
}

/// This process, the named one, and all that descend from either.
fn family(server_pid: Option<u32>) -> BTreeSet<u32> {
    let mut waiting: Vec<u32> = server_pid.into_iter().chain([std::process::id()]).collect();
    let mut family = BTreeSet::new();
    while let Some(pid) = waiting.pop() {
        if family.insert(pid) {
            waiting.extend(children(pid));
        }
    }
    family
}

/// A kernel without CONFIG_PROC_CHILDREN tells of none.
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let of_thread = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
    let lists = threads.filter_map(Result::ok).map(of_thread);
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()).collect()
}

fn name(pid: u32) -> String {
    if pid == std::process::id() {
        return "load test".into();
    }
    std::fs::read_to_string(format!("/proc/{pid}/comm")).map_or_else(|_| pid.to_string(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_process_and_its_children_are_seen() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
        let mut seen = Seen::default();
        (0..LOOKS_MIN).for_each(|_| seen.look(None));
        child.kill().expect("kill");
        child.wait().expect("wait");
        let names: Vec<String> = seen.charts()[1].lines.iter().map(|line| line.name.clone()).collect();
        assert!(names.contains(&"load test".to_owned()) && names.contains(&"sleep".to_owned()), "{names:?}");
    }
}
