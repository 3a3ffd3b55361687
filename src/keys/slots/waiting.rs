//! A call that has no session yet.

use std::time::Instant;

use crate::domain::ProjectId;

pub(super) struct Waiting {
    pub(super) project: ProjectId,
    pub(super) borrowed: bool,
    /// The store does not answer in time: then it is decided without it.
    pub(super) deadline: Instant,
    /// A claim for it is on its way.
    pub(super) claiming: bool,
    pub(super) knowledge: Knowledge,
    pub(super) claims_lost: u32,
}

/// How well the slots of others are known for this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// From the last look: good enough to try.
    Remembered,
    /// Proven wrong.
    Wrong,
    /// Read since this call began to wait.
    Read,
}

impl Waiting {
    pub(super) fn new(project: ProjectId, borrowed: bool, deadline: Instant) -> Self {
        let knowledge = Knowledge::Remembered;
        Self { project, borrowed, deadline, claiming: false, knowledge, claims_lost: 0 }
    }

    pub(super) fn lost_a_claim(&mut self) {
        self.claims_lost += 1;
        self.knowledge = Knowledge::Wrong;
    }

    pub(super) fn knows_all(&mut self) {
        self.knowledge = Knowledge::Read;
    }
}
