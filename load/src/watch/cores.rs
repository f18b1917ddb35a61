//! Which processor does what: the server under test has one to itself, everything else shares the rest. So a figure is
//! what one core of server does, and the load test takes nothing from it.

use std::collections::HashMap;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

#[derive(Clone)]
pub(crate) struct Cores {
    server: usize,
    rest: Vec<usize>,
}

impl Cores {
    /// Nothing on a machine with one core, or where none may be chosen.
    pub(crate) fn plan() -> Option<Self> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        let server = cores.next()?;
        let rest: Vec<usize> = cores.collect();
        (!rest.is_empty()).then_some(Self { server, rest })
    }

    pub(crate) fn words(&self) -> String {
        format!("server on core {}, everything else on {:?}", self.server, self.rest)
    }

    /// Starts what `start` starts on the server's core: a child begins where the thread is that makes it.
    pub(crate) fn on_server_core<T>(&self, start: impl FnOnce() -> T) -> T {
        let before = sched_getaffinity(None);
        // Where it is not allowed the measurement is less steady, not wrong.
        let _ = sched_setaffinity(None, &set(&[self.server]));
        let started = start();
        if let Ok(before) = before {
            let _ = sched_setaffinity(None, &before);
        }
        started
    }

    /// This process and what the server has started besides itself leave the server's core.
    pub(crate) fn clear(&self, server: u32) {
        let rest = set(&self.rest);
        move_threads(std::process::id(), &rest);
        descendants(server).into_iter().for_each(|pid| move_threads(pid, &rest));
    }
}

fn set(cores: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    set
}

fn move_threads(pid: u32, cores: &CpuSet) {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return };
    let ids = threads.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for id in ids.filter_map(Pid::from_raw) {
        // A thread that has just ended needs no place.
        let _ = sched_setaffinity(Some(id), cores);
    }
}

/// The children of a process, and theirs.
pub(crate) fn descendants(of: u32) -> Vec<u32> {
    let mut parents: HashMap<u32, Vec<u32>> = HashMap::new();
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    for pid in processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name may hold spaces; the state and the parent follow it.
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        if let Some(parent) = parent {
            parents.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut next) = (Vec::new(), vec![of]);
    while let Some(pid) = next.pop() {
        let children = parents.remove(&pid).unwrap_or_default();
        next.extend(&children);
        found.extend(children);
    }
    found
}
