//! What has been planned for a world, in the order of time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::plan::{End, Plan};
use crate::trouble::Deed;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    WeDial,
    CallerDials,
    WeHangUp,
    CallerHangsUp,
    Do(Deed),
}

/// Times run from the world's beginning.
#[derive(Default)]
pub(crate) struct Agenda {
    tasks: BTreeMap<(Duration, u64), (usize, Task)>,
    numbered: u64,
}

impl Agenda {
    pub(crate) fn new(plans: &[Plan]) -> Self {
        let mut agenda = Self::default();
        for (number, plan) in plans.iter().enumerate() {
            let start = plan.starts_at;
            agenda.add(start, number, if plan.we_dial { Task::WeDial } else { Task::CallerDials });
            match plan.end {
                End::CallerHangsUp(after) => agenda.add(start + after, number, Task::CallerHangsUp),
                End::WeHangUp(after) => agenda.add(start + after, number, Task::WeHangUp),
                End::ModelEnds(_) => {}
            }
            for (after, deed) in plan.deeds() {
                agenda.add(start + *after, number, Task::Do(*deed));
            }
        }
        agenda
    }

    pub(crate) fn add(&mut self, at: Duration, number: usize, task: Task) {
        self.numbered += 1;
        self.tasks.insert((at, self.numbered), (number, task));
    }

    pub(crate) fn take_due(&mut self, now: Duration) -> Option<(usize, Task)> {
        let entry = self.tasks.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    pub(crate) fn next(&self) -> Option<Duration> {
        self.tasks.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn last(&self) -> Duration {
        self.tasks.keys().next_back().map_or(Duration::ZERO, |(at, _)| *at)
    }
}
