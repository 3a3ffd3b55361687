//! Which runs of engines that are named in the outbox are over, and which engines are away: for whoever goes on with what
//! they have left.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock;
use crate::domain::{NodeId, StartId};
use crate::keys::{NodeSign, NodeWatch};
use crate::store::{Nodes, StoreError};

pub(super) type Run = (NodeId, StartId);

/// Runs of engines that have left something; more than these are looked for anew.
const RUNS_MAX: usize = 1_000;

pub(super) struct OtherEngines {
    nodes: Nodes,
    watch: NodeWatch,
    /// Runs that are named in the outbox: the watch must see them at every look to judge them.
    runs: BTreeSet<Run>,
}

impl OtherEngines {
    pub(super) fn new(nodes: Nodes, watch: NodeWatch) -> Self {
        Self { nodes, watch, runs: BTreeSet::new() }
    }

    /// After so long without a sign of life an engine is gone.
    pub(super) fn dead_after(&self) -> Duration {
        self.watch.dead_after()
    }

    /// `named` are runs that stand in the outbox now, and `claiming` those that are at something at this moment. Both were
    /// read before the signs of life, as the watch wants it.
    pub(super) async fn look(
        &mut self,
        named: impl Iterator<Item = Run>,
        claiming: impl Iterator<Item = Run>,
    ) -> Result<Seen, StoreError> {
        if self.runs.len() > RUNS_MAX {
            self.runs.clear();
        }
        self.runs.extend(named);
        let signs = self.nodes.all().await?;
        let known = self.runs.iter().cloned().chain(claiming);
        let holders = known.chain(signs.iter().map(|sign| (sign.node.clone(), sign.start.clone()))).collect();
        let over = self.watch.look(&holders, &signs, clock::now()).over;
        let living = |sign: &&NodeSign| !over.contains(&(sign.node.clone(), sign.start.clone()));
        let living = signs.iter().filter(living).map(|sign| sign.node.clone()).collect();
        Ok(Seen { named: self.runs.clone(), over, living })
    }
}

/// What is known of other engines at this look.
pub(super) struct Seen {
    named: BTreeSet<Run>,
    pub(super) over: BTreeSet<Run>,
    living: BTreeSet<NodeId>,
}

impl Seen {
    /// All its runs are over, and no new one has begun.
    pub(super) fn is_away(&self, node: &NodeId) -> bool {
        let mut runs_of_node = self.named.iter().filter(|(of, _)| of == node);
        !self.living.contains(node) && runs_of_node.all(|run| self.over.contains(run))
    }
}
