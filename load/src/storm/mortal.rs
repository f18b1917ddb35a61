//! The node that all sockets are at when it dies: one beside the load test's own server, which keeps MariaDB and Redis and
//! lives on. It comes back at the same address with nothing but what these two remember.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::BOARD_LOADS;
use super::pressure::{Phase, Pressing, Pressure};
use super::seat::Hall;
use crate::check::Check;
use crate::error::Error;
use crate::nodes::Nodes;
use crate::procfs;
use crate::server::Server;

pub(super) struct Mortal {
    nodes: Nodes,
    /// As clients reach it.
    pub(super) node: Server,
    /// Who works at it once it is back: for each death.
    workers: Vec<Pressure>,
}

/// It is there again, and people work at it.
pub(super) struct Returned {
    /// From before the kill until it was ready.
    pub(super) ready_after: Duration,
    /// What its start cost the database, before it had anybody to serve but the first of those who come back.
    pub(super) start_loads: Option<f64>,
    pressing: Pressing,
}

impl Mortal {
    pub(super) async fn beside(server: &Server) -> Result<Self, Error> {
        if !server.is_own() {
            return Err(Error::Usage("--restart-node kills a server of the load test's own: leave --url out".into()));
        }
        let nodes = Nodes::beside(server, 2).await?;
        let node = server.node_at(nodes.last.clone());
        Ok(Self { nodes, node, workers: Vec::new() })
    }

    /// Made beforehand: what dies is to be measured, not the making of users.
    pub(super) async fn hire(&mut self, hall: &Arc<Hall>, per_s: f64, (deaths, phases): (usize, usize)) -> Result<(), Error> {
        for death in 0..deaths {
            // Not the tag of the others' orders, whose numbers they share.
            let tag = format!("{} again {death}", hall.tag());
            self.workers.push(Pressure::new(&self.node, hall, &tag, per_s, phases).await?);
        }
        Ok(())
    }

    /// kill -9 and a new start at once.
    pub(super) async fn die_and_return(&mut self) -> Result<Returned, Error> {
        let begun = Instant::now();
        self.nodes.restart_last(&self.node).await?;
        let ready_after = begun.elapsed();
        let start_loads = self.node.metric_if_known(BOARD_LOADS).await?;
        let workers = self.workers.pop().ok_or_else(|| Error::Server("nobody is left to work at the node".into()))?;
        Ok(Returned { ready_after, start_loads, pressing: workers.begin()? })
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.nodes.pids().last()
    }

    /// Since its return.
    pub(super) fn cpu_s(&self) -> f64 {
        self.pid().and_then(procfs::cpu_seconds).unwrap_or(0.0)
    }

    pub(super) async fn stop(self) -> Result<(), Error> {
        self.nodes.stop().await
    }
}

impl Returned {
    /// What those who worked at it noticed, from its return on.
    pub(super) async fn end(self) -> Result<(Phase, Check), Error> {
        let (phases, orders) = self.pressing.end().await?;
        let mut all = Phase::empty();
        phases.into_iter().for_each(|phase| all.merge(phase));
        Ok((all, orders))
    }
}
