//! Session slots of Google projects that engines have taken: one document per slot, whose id is the claim, because an
//! insertion has one winner on every back end (SPEC K7, S6). Which slot to take is decided by `keys`.

use serde::{Deserialize, Serialize};

use super::change::every;
use super::document::body_of;
use super::{Collection, Index, Query, Store, StoreError};
use crate::domain::{CallId, NodeId, ProjectId, StartId};
use crate::keys::{Fingerprints, SlotId};

/// Not durable: a power failure ends the calls too.
pub static LEASES: Collection =
    Collection { name: "leases", indexes: &[Index::plain("project")], durable: false };

/// A slot and who has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub project: ProjectId,
    /// From 1.
    pub slot: u32,
    /// The call it was taken for. Later calls of the same engine may use it without a word.
    pub call: CallId,
    pub node: NodeId,
    pub start: StartId,
}

impl Lease {
    pub fn slot_id(&self) -> SlotId {
        SlotId { project: self.project.clone(), number: self.slot }
    }

    pub fn run(&self) -> (NodeId, StartId) {
        (self.node.clone(), self.start.clone())
    }
}

#[derive(Clone)]
pub struct Leases {
    store: Store,
    fingerprints: Fingerprints,
}

impl Leases {
    pub fn new(store: Store, fingerprints: Fingerprints) -> Self {
        Self { store, fingerprints }
    }

    /// False: somebody has this slot already.
    pub async fn claim(&self, lease: &Lease) -> Result<bool, StoreError> {
        let body = body_of(lease)?;
        match self.store.insert(&LEASES, &self.id_of(&lease.slot_id()), body).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub async fn of_project(&self, project: &ProjectId) -> Result<Vec<Lease>, StoreError> {
        let of_project = Query::equals("project", project.as_str(), super::MAX_PAGE);
        every(&self.store, &LEASES, Some(of_project)).await
    }

    pub async fn all(&self) -> Result<Vec<Lease>, StoreError> {
        every(&self.store, &LEASES, None).await
    }

    /// Gives the slot back if this run has it; what others have taken since stays theirs. Between the look and the
    /// deletion somebody could free and take it: then that engine finds out at its next look, and takes another.
    pub async fn give_back(&self, slot: &SlotId, node: &NodeId, start: &StartId) -> Result<(), StoreError> {
        let Some(found) = self.store.get(&LEASES, &self.id_of(slot)).await? else { return Ok(()) };
        let lease: Lease = found.parse(&LEASES)?;
        if (&lease.node, &lease.start) != (node, start) {
            return Ok(());
        }
        match self.store.delete(&LEASES, &found.id, found.version).await {
            Err(StoreError::NotFound { .. } | StoreError::Lost { .. }) => Ok(()),
            decided => decided,
        }
    }

    fn id_of(&self, slot: &SlotId) -> String {
        format!("{}:{}", self.fingerprints.of_project(&slot.project), slot.number)
    }
}
