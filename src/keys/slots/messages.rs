//! What the slots ask of the store and are told, and what they tell the key ring.

use crate::domain::{CallId, ProjectId};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotId {
    pub project: ProjectId,
    /// From 1.
    pub number: u32,
}

/// A slot that the store says is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenSlot {
    pub slot: SlotId,
    /// By this run of this engine.
    pub ours: bool,
}

/// What the shell must ask of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotOrder {
    Claim {
        slot: SlotId,
        call: CallId,
    },
    /// Which slots of the project are taken?
    See {
        project: ProjectId,
    },
    GiveBack {
        slot: SlotId,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotNews {
    Claimed(SlotId),
    /// Somebody else has it.
    Lost(SlotId),
    ClaimFailed(SlotId),
    Seen {
        project: ProjectId,
        taken: Vec<TakenSlot>,
    },
    SeeFailed(ProjectId),
    GivenBack(SlotId),
    GiveBackFailed(SlotId),
    /// All projects at once, as asked for by [`super::Slots::begin_look`].
    Looked {
        look: u64,
        taken: Vec<TakenSlot>,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(in crate::keys) enum Decision {
    Granted { in_store: bool },
    Full,
}

#[derive(Debug, PartialEq, Eq)]
pub(in crate::keys) enum SlotOutput {
    Decided {
        call: CallId,
        decision: Decision,
    },
    Order(SlotOrder),
    /// The call runs on, but the store does not know of its session any more.
    LeaseLost {
        call: CallId,
        slot: SlotId,
    },
}
