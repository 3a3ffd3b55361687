//! What the key pool asks of the store, and what it makes of the answers.

use crate::clock;
use crate::domain::{CallId, NodeId, StartId};
use crate::keys::{KeyTrouble, NodeSign, SlotId, SlotNews, SlotOrder, TakenSlot};
use crate::store::{KeyHealth, Lease, Leases, Nodes, StoreError};
use crate::telemetry::{Counter, count};

/// One run of this engine, and the collections in which engines agree.
#[derive(Clone)]
pub struct KeyDesk {
    pub leases: Leases,
    pub nodes: Nodes,
    pub health: KeyHealth,
    pub node: NodeId,
    pub start: StartId,
}

/// The store at one moment.
pub(super) struct Sight {
    pub(super) version: u64,
    pub(super) rival: Option<StartId>,
    pub(super) leases: Vec<Lease>,
    pub(super) signs: Vec<NodeSign>,
}

impl KeyDesk {
    pub(super) async fn carry_out(&self, order: SlotOrder) -> SlotNews {
        match order {
            SlotOrder::Claim { slot, call } => match self.claim(&slot, &call).await {
                Ok(true) => SlotNews::Claimed(slot),
                Ok(false) => SlotNews::Lost(slot),
                Err(error) => failed(&error, SlotNews::ClaimFailed(slot)),
            },
            SlotOrder::See { project } => match self.leases.of_project(&project).await {
                Ok(leases) => SlotNews::Seen { project, taken: self.taken(&leases) },
                Err(error) => failed(&error, SlotNews::SeeFailed(project)),
            },
            SlotOrder::GiveBack { slot } => match self.leases.give_back(&slot, &self.node, &self.start).await
            {
                Ok(()) => SlotNews::GivenBack(slot),
                Err(error) => failed(&error, SlotNews::GiveBackFailed(slot)),
            },
        }
    }

    /// The leases before the signs: a run that begins in between is then seen with its sign.
    pub(super) async fn look(&self, beat: u64, known: Option<u64>) -> Result<Sight, StoreError> {
        let beaten = self.nodes.beat(&self.sign(beat), known).await?;
        let leases = self.leases.all().await?;
        let signs = self.nodes.all().await?;
        Ok(Sight { version: beaten.version, rival: beaten.rival, leases, signs })
    }

    pub(super) fn taken(&self, leases: &[Lease]) -> Vec<TakenSlot> {
        let ours = |lease: &Lease| (&lease.node, &lease.start) == (&self.node, &self.start);
        leases.iter().map(|lease| TakenSlot { slot: lease.slot_id(), ours: ours(lease) }).collect()
    }

    /// Gives how many slots of others are free again.
    pub(super) async fn free(&self, leases: Vec<Lease>, gone: Vec<NodeSign>) -> Result<usize, StoreError> {
        for lease in &leases {
            self.leases.give_back(&lease.slot_id(), &lease.node, &lease.start).await?;
            count(Counter::KeyLeasesFreed);
            let Lease { call, node, project, slot, .. } = lease;
            tracing::warn!(%node, %call, %project, slot, "the session of an engine that is gone is free again");
        }
        for sign in &gone {
            self.nodes.remove(sign).await?;
            tracing::warn!(node = %sign.node, "an engine is gone");
        }
        Ok(leases.len())
    }

    /// Writes down what this engine has heard, and reads what all have. Gives both.
    pub(super) async fn exchange_troubles(
        &self,
        unsaved: Vec<KeyTrouble>,
    ) -> Result<(Vec<KeyTrouble>, Vec<KeyTrouble>), StoreError> {
        let now = clock::unix_time();
        for trouble in &unsaved {
            self.health.report(trouble, now).await?;
        }
        let all = self.health.all().await?;
        for trouble in all.iter().filter(|trouble| trouble.is_forgotten(now)) {
            self.health.forget(trouble).await?;
        }
        Ok((unsaved, all))
    }

    /// This engine ends: whatever it has goes back.
    pub(super) async fn leave(&self) -> Result<(), StoreError> {
        for lease in self.leases.all().await? {
            if lease.run() == (self.node.clone(), self.start.clone()) {
                self.leases.give_back(&lease.slot_id(), &self.node, &self.start).await?;
            }
        }
        let mine = self.nodes.all().await?.into_iter();
        for sign in mine.filter(|sign| (&sign.node, &sign.start) == (&self.node, &self.start)) {
            self.nodes.remove(&sign).await?;
        }
        Ok(())
    }

    async fn claim(&self, slot: &SlotId, call: &CallId) -> Result<bool, StoreError> {
        let (project, node, start) = (slot.project.clone(), self.node.clone(), self.start.clone());
        self.leases.claim(&Lease { project, slot: slot.number, call: call.clone(), node, start }).await
    }

    fn sign(&self, beat: u64) -> NodeSign {
        NodeSign { node: self.node.clone(), start: self.start.clone(), beat }
    }
}

fn failed(error: &StoreError, news: SlotNews) -> SlotNews {
    count(Counter::StoreFailures);
    tracing::warn!(%error, "sessions of Google projects cannot be agreed upon with other engines");
    news
}
