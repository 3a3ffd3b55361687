//! How many sessions of a project there are, and how long what concerns them may take.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLimits {
    /// Simultaneous model sessions per project, over all engines; 0 = no limit.
    pub sessions_per_project: u32,
    /// Sessions of the default key's project that borrowers leave to its own holders.
    pub reserved_for_holder: u32,
    /// How long a slot stays with this engine after its call, for the next one.
    pub idle_max: Duration,
}

/// So long a call that begins waits for the store to say yes or no to its slot.
pub const STORE_PATIENCE: Duration = Duration::from_secs(1);

impl Default for KeyLimits {
    fn default() -> Self {
        Self { sessions_per_project: 10, reserved_for_holder: 1, idle_max: Duration::from_secs(10) }
    }
}

impl KeyLimits {
    pub(super) fn is_without_limit(&self) -> bool {
        self.sessions_per_project == 0
    }

    /// The highest slot number such a call may have. A project's last slots are its holders' alone.
    pub(super) fn last_slot(&self, borrowed: bool) -> u32 {
        let reserved = if borrowed { self.reserved_for_holder } else { 0 };
        self.sessions_per_project.saturating_sub(reserved)
    }
}
