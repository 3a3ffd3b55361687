//! Session slots of Google projects (SPEC K6, K7), in memory.

use std::collections::{BTreeMap, HashMap};

use crate::domain::{CallId, LeaseId, ProjectId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLimits {
    /// Simultaneous model sessions per project; 0 = no limit.
    pub sessions_per_project: u32,
    /// Sessions of the default key's project that borrowers leave to its own holders.
    pub reserved_for_holder: u32,
}

impl Default for KeyLimits {
    fn default() -> Self {
        Self { sessions_per_project: 10, reserved_for_holder: 1 }
    }
}

impl KeyLimits {
    fn slots(&self, borrowed: bool) -> u32 {
        match (self.sessions_per_project, borrowed) {
            (0, _) => u32::MAX,
            (limit, false) => limit,
            (limit, true) => limit.saturating_sub(self.reserved_for_holder),
        }
    }
}

/// One entry per call that holds a slot: bounded by the engine's number of calls.
#[derive(Default)]
pub(super) struct Leases {
    holders: HashMap<LeaseId, ProjectId>,
    in_use: BTreeMap<ProjectId, u32>,
}

impl Leases {
    /// `None`: the project is full. A call that asks again moves its slot, so that it never holds two.
    pub(super) fn take(
        &mut self,
        project: &ProjectId,
        call: &CallId,
        borrowed: bool,
        limits: &KeyLimits,
    ) -> Option<LeaseId> {
        let lease = LeaseId::new(call.as_str());
        self.release(&lease);
        let used = self.in_use.get(project).copied().unwrap_or(0);
        if used >= limits.slots(borrowed) {
            return None;
        }
        self.in_use.insert(project.clone(), used + 1);
        self.holders.insert(lease.clone(), project.clone());
        Some(lease)
    }

    /// Giving back twice is harmless: every way a call can end may do it. Tells whether there was something to give.
    pub(super) fn release(&mut self, lease: &LeaseId) -> bool {
        let Some(project) = self.holders.remove(lease) else { return false };
        let left = self.in_use.get(&project).map_or(0, |used| used.saturating_sub(1));
        if left == 0 {
            self.in_use.remove(&project);
        } else {
            self.in_use.insert(project, left);
        }
        true
    }

    pub(super) fn in_use(&self) -> &BTreeMap<ProjectId, u32> {
        &self.in_use
    }
}
