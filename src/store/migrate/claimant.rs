//! Who runs a migration, and whether that somebody can still be at work.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::clock;

/// One process's run. Beside its name stands what tells another process of the same machine whether it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimant {
    run: String,
    /// The start of the machine and the space of process ids; ids can only be compared within both.
    #[serde(default)]
    place: Option<String>,
    pid: u32,
    /// When the process began, as the kernel counts: an id is used again one day.
    #[serde(default)]
    pid_since: Option<String>,
}

impl Claimant {
    /// A new run in this process.
    pub fn new() -> Self {
        let pid = std::process::id();
        Self { run: clock::new_id(), place: place(), pid, pid_since: since(pid) }
    }

    /// Known for certain: of a process elsewhere nothing is.
    pub(super) fn is_gone(&self) -> bool {
        let same_place = self.place.is_some() && self.place == place();
        same_place && self.pid_since.is_some() && since(self.pid) != self.pid_since
    }

    pub(super) fn shown(&self) -> String {
        format!("process {} (run {})", self.pid, self.run)
    }
}

impl Default for Claimant {
    fn default() -> Self {
        Self::new()
    }
}

/// `None` where there is no /proc: then no process is known to be gone.
fn place() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), space.display()))
}

/// The 22nd field of proc(5); the second one, a name in parentheses, may hold anything.
fn since(pid: u32) -> Option<String> {
    const FIELDS_AFTER_THE_NAME: usize = 19;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind_the_name) = stat.rsplit_once(')')?;
    behind_the_name.split_whitespace().nth(FIELDS_AFTER_THE_NAME).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_runs_is_not_gone_and_one_that_has_ended_is() {
        let here = Claimant::new();
        assert!(!here.is_gone());
        assert!(!Claimant { pid: 1, pid_since: since(1), ..here.clone() }.is_gone());
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        let (pid, pid_since) = (ended.id(), since(ended.id()));
        ended.wait().unwrap();
        assert!(Claimant { pid, pid_since, ..here.clone() }.is_gone());
        let used_again = Claimant { pid_since: Some("0".into()), ..here.clone() };
        assert!(used_again.is_gone());
        let elsewhere = Claimant { place: Some("another machine".into()), ..used_again };
        assert!(!elsewhere.is_gone(), "nobody can know");
    }
}
