//! What a storm was like, for those who came back and for those who worked meanwhile.

use super::mortal::Returned;
use super::pressure::Phase;
use super::seat::Hall;
use super::{BOARD_LOADS, CALM_PHASE, RETURNED, STORMS};
use crate::check::Check;
use crate::cli;
use crate::error::Error;
use crate::races::locked;
use crate::report::{Latency, Report, rounded};

const ACCEPT_P99_MS_MAX: f64 = 100.0;
const BOARD_LOADS_MAX: f64 = 1.0;

/// One storm, measured.
pub(super) struct Storm {
    pub(super) name: &'static str,
    pub(super) proved: Latency,
    /// Of each node.
    pub(super) loads: Vec<(&'static str, Option<f64>)>,
    pub(super) snapshots: u64,
    pub(super) cpu_s: [f64; 3],
}

impl Storm {
    pub(super) fn tell(self, report: &mut Report, hall: &Hall, options: &cli::Storm) {
        let name = self.name;
        let (proved_s, count) = (self.proved.max_ms() / 1e3, self.proved.count());
        report.figure(&format!("{name}: all back and proved after s"), rounded(proved_s));
        report.figure(&format!("{name}: snapshots read"), self.snapshots);
        report.figure(&format!("{name}: CPU s of the sockets' server, load test, whole machine"), self.cpu_s.map(rounded).to_vec());
        let mut back = Check::new(if name == "cold" {
            "cold: every socket is back in time, its copy proved by checksum"
        } else {
            "resuming: every socket is back in time, its copy proved by checksum"
        });
        back.seen = options.sockets;
        if count < options.sockets {
            back.problems.add(|| format!("only {count} of {}", options.sockets));
        }
        if proved_s > options.within_s {
            back.problems.add(|| format!("the last after {proved_s:.2} s, {} s are allowed", options.within_s));
        }
        report.verdict.add([back]);
        for (node, loads) in self.loads {
            let figure = format!("{name}: board loads{node}");
            let Some(loads) = loads else {
                report.figure(&figure, format!("unknown: the server has no {BOARD_LOADS}"));
                continue;
            };
            report.figure(&figure, loads);
            let mut few = Check::new("a storm costs the database at most one query of the board a node");
            few.seen = 1;
            if loads > BOARD_LOADS_MAX {
                few.problems.add(|| format!("{name}{node}: {loads}"));
            }
            report.verdict.add([few]);
        }
        report.latency(&format!("{name}: frames again"), locked(&hall.back).take());
        report.latency(&format!("{name}: proved again"), self.proved);
    }
}

/// What those noticed who worked all the time.
pub(super) fn phases(report: &mut Report, phases: &[Phase], node: &str) {
    for (n, phase) in phases.iter().enumerate() {
        let name = n.checked_sub(1).and_then(|n| STORMS.get(n)).map_or("calm", |storm| storm.0);
        work(report, &format!("{name}{node}"), phase, n != CALM_PHASE);
    }
}

/// What those noticed who worked at the node since it was there again.
pub(super) async fn returned(report: &mut Report, name: &str, returned: Returned) -> Result<(), Error> {
    report.figure(&format!("{name}: the node is ready again after s"), rounded(returned.ready_after.as_secs_f64()));
    report.figure(&format!("{name}: board loads of the node's start"), returned.start_loads);
    let (phase, orders) = returned.end().await?;
    work(report, &format!("{name}{RETURNED}"), &phase, true);
    report.verdict.add([orders]);
    Ok(())
}

fn work(report: &mut Report, when: &str, phase: &Phase, is_storm: bool) {
    let accept = phase.accept();
    if is_storm && accept.count() > 0 {
        let mut fast = Check::new("accepts are answered within 100 ms at the 99th percentile while all come back");
        fast.seen = accept.count();
        let p99 = accept.quantile_ms(0.99);
        if p99 >= ACCEPT_P99_MS_MAX {
            fast.problems.add(|| format!("{when}: p99 {p99:.1} ms"));
        }
        report.verdict.add([fast]);
    }
    report.latency(&format!("{when}: accept"), accept);
    let mut create = Latency::new();
    create.merge(&phase.create);
    report.latency(&format!("{when}: create"), create);
}
