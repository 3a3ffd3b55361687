//! One project's slots, as this engine knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::TakenSlot;
use super::waiting::Knowledge;
use crate::domain::CallId;

#[derive(Default)]
pub(super) struct Project {
    ours: BTreeMap<u32, Ours>,
    /// Of other engines, by the last look.
    pub(super) others: BTreeSet<u32>,
    /// Calls whose session the store does not know of.
    pub(super) unwritten: BTreeSet<CallId>,
    /// The store is being asked which slots are taken.
    pub(super) seeing: bool,
}

struct Ours {
    state: State,
    /// The last look that had begun when this slot became ours: only later ones can tell whether it still is.
    since_look: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Claiming(CallId),
    Held(CallId),
    Idle { until: Instant },
    Returning,
}

/// What a waiting call needs next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An idle slot.
    Use(u32),
    Claim(u32),
    /// A slot is on its way back to the store, and then free.
    Wait,
    See,
    Refuse,
}

impl Project {
    pub(super) fn next_step(&self, last: u32, knowledge: Knowledge, now: Instant) -> Step {
        let within = |number: &u32| *number <= last;
        if let Some(number) = self.idle_before(now).find(within) {
            return Step::Use(number);
        }
        match (knowledge, self.candidate(last)) {
            (Knowledge::Wrong, _) => Step::See,
            (_, Some(number)) => Step::Claim(number),
            (_, None) if self.returning().any(|number| within(&number)) => Step::Wait,
            (Knowledge::Remembered, None) => Step::See,
            (Knowledge::Read, None) => Step::Refuse,
        }
    }

    /// The lowest slot that seems to be nobody's.
    pub(super) fn candidate(&self, last: u32) -> Option<u32> {
        (1..=last).find(|number| !self.ours.contains_key(number) && !self.others.contains(number))
    }

    /// The slot that this makes free: always the highest, whose call moves down.
    pub(super) fn leave(&mut self, call: &CallId) -> Option<u32> {
        if self.unwritten.remove(call) {
            return None;
        }
        let held = |(number, ours): (&u32, &Ours)| match &ours.state {
            State::Held(holder) => Some((*number, holder.clone())),
            State::Claiming(_) | State::Idle { .. } | State::Returning => None,
        };
        let (left, _) = self.ours.iter().filter_map(held).find(|(_, holder)| holder == call)?;
        let (highest, its_call) = self.ours.iter().filter_map(held).next_back()?;
        self.set(left, State::Held(its_call));
        Some(highest)
    }

    pub(super) fn claiming(&mut self, number: u32, call: CallId, since_look: u64) {
        self.ours.insert(number, Ours { state: State::Claiming(call), since_look });
    }

    pub(super) fn claim_ended(&mut self, number: u32) -> Option<CallId> {
        let claims = |ours: &Ours| matches!(ours.state, State::Claiming(_));
        if !self.ours.get(&number).is_some_and(claims) {
            return None;
        }
        match self.ours.remove(&number)?.state {
            State::Claiming(call) => Some(call),
            State::Held(_) | State::Idle { .. } | State::Returning => None,
        }
    }

    pub(super) fn hold(&mut self, number: u32, call: CallId, since_look: u64) {
        let since_look = self.ours.get(&number).map_or(since_look, |ours| ours.since_look);
        self.ours.insert(number, Ours { state: State::Held(call), since_look });
    }

    /// Ours, and no call has it.
    pub(super) fn own(&mut self, number: u32, since_look: u64) {
        self.ours.insert(number, Ours { state: State::Returning, since_look });
    }

    /// This call, or if it has ended, another one that runs without a slot.
    pub(super) fn take_unwritten(&mut self, wanted: &CallId) -> Option<CallId> {
        self.unwritten.take(wanted).or_else(|| self.unwritten.pop_first())
    }

    pub(super) fn keep_until(&mut self, number: u32, until: Instant) {
        self.set(number, State::Idle { until });
    }

    pub(super) fn gone(&mut self, number: u32) {
        if self.ours.get(&number).is_some_and(|ours| ours.state == State::Returning) {
            self.ours.remove(&number);
        }
    }

    pub(super) fn set(&mut self, number: u32, state: State) {
        if let Some(ours) = self.ours.get_mut(&number) {
            ours.state = state;
        }
    }

    /// Takes over who has what; a slot of ours that this engine does not know of is as good as another's.
    pub(super) fn see<'a>(&mut self, taken: impl Iterator<Item = &'a TakenSlot>) {
        let numbers = taken.map(|taken| taken.slot.number);
        self.others = numbers.filter(|number| !self.ours.contains_key(number)).collect();
    }

    pub(super) fn ours_unknown_here(&self, taken: &[&TakenSlot]) -> Vec<u32> {
        let ours = taken.iter().filter(|taken| taken.ours).map(|taken| taken.slot.number);
        ours.filter(|number| !self.ours.contains_key(number)).collect()
    }

    /// Slots that were ours before this look and are not any more, with the calls that had them, which run on.
    pub(super) fn lose_before(&mut self, look: u64, taken: &[&TakenSlot]) -> Vec<(u32, CallId)> {
        let is_there = |number: u32| taken.iter().any(|taken| taken.ours && taken.slot.number == number);
        let settled = |state: &State| matches!(state, State::Held(_) | State::Idle { .. });
        let lost = |(number, ours): (&u32, &Ours)| {
            (ours.since_look < look && settled(&ours.state) && !is_there(*number)).then_some(*number)
        };
        let numbers: Vec<u32> = self.ours.iter().filter_map(lost).collect();
        numbers.into_iter().filter_map(|number| Some((number, self.lose(number)?))).collect()
    }

    fn lose(&mut self, number: u32) -> Option<CallId> {
        match self.ours.remove(&number)?.state {
            State::Held(call) => {
                self.unwritten.insert(call.clone());
                Some(call)
            }
            State::Claiming(_) | State::Idle { .. } | State::Returning => None,
        }
    }

    pub(super) fn unwritten_and_unclaimed(&self) -> Vec<CallId> {
        let claimed =
            |call: &CallId| self.ours.values().any(|ours| ours.state == State::Claiming(call.clone()));
        self.unwritten.iter().filter(|call| !claimed(call)).cloned().collect()
    }

    /// Sessions of calls of this engine.
    pub(super) fn in_use(&self) -> u32 {
        let held = self.ours.values().filter(|ours| matches!(ours.state, State::Held(_))).count();
        count(held + self.unwritten.len())
    }

    pub(super) fn others_known(&self) -> u32 {
        count(self.others.len())
    }

    pub(super) fn idle(&self) -> Vec<u32> {
        self.idle_until().map(|(number, _)| number).collect()
    }

    pub(super) fn is_idle(&self, number: u32) -> bool {
        self.idle_until().any(|(idle, _)| idle == number)
    }

    pub(super) fn highest_idle(&self) -> Option<u32> {
        self.idle_until().map(|(number, _)| number).max()
    }

    pub(super) fn idle_count(&self) -> u32 {
        count(self.idle_until().count())
    }

    pub(super) fn idle_past(&self, now: Instant) -> Vec<u32> {
        self.idle_until().filter(|(_, until)| *until <= now).map(|(number, _)| number).collect()
    }

    pub(super) fn next_idle_end(&self) -> Option<Instant> {
        self.idle_until().map(|(_, until)| until).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ours.is_empty() && self.others.is_empty() && self.unwritten.is_empty() && !self.seeing
    }

    /// Past their time they are not trusted: this engine may have been asleep, and taken for dead.
    fn idle_before(&self, now: Instant) -> impl Iterator<Item = u32> {
        self.idle_until().filter(move |(_, until)| now < *until).map(|(number, _)| number)
    }

    fn idle_until(&self) -> impl Iterator<Item = (u32, Instant)> {
        self.ours.iter().filter_map(|(number, ours)| match ours.state {
            State::Idle { until } => Some((*number, until)),
            State::Claiming(_) | State::Held(_) | State::Returning => None,
        })
    }

    fn returning(&self) -> impl Iterator<Item = u32> {
        let returns = |ours: &Ours| ours.state == State::Returning;
        self.ours.iter().filter(move |(_, ours)| returns(ours)).map(|(number, _)| *number)
    }
}

fn count(entries: usize) -> u32 {
    u32::try_from(entries).unwrap_or(u32::MAX)
}
