//! Session slots of Google projects, over all engines of one store (SPEC K6, K7).
//!
//! A project has as many slots as it may have sessions, numbered from 1. Whoever inserts the document of a slot has it:
//! that has one winner on every server. This machine decides which slot to ask for and when to give one back; its shell
//! asks the store ([`SlotOrder`]) and tells what came of it ([`SlotNews`]).
//!
//! - A slot that a call leaves stays here for the next call, so that steady traffic writes nothing. An idle slot must
//!   starve nobody: it is given back after `idle_max`, and only a quarter of what was free at the last look is kept at
//!   all, so that a project with few free slots keeps none. Another engine may therefore find a project full that has a
//!   few idle slots, until the next look here; it never finds one full in which nothing is used.
//! - Calls move down: the slot that becomes free is always the highest, because the last ones are reserved for the
//!   holders of the default key. A borrower never takes one of those, and no engine has to count for that.
//! - Which slots others have is known from the last look; it is only a hint. A claim that is lost leads to a new look,
//!   and only a project that is full after a look refuses.
//! - A store that is away or slow holds up no call: the call gets a session that only this engine knows of, within what
//!   it knows of the others, and its slot is claimed when the store is back. A slot that was lost (others took this
//!   engine for dead) becomes such a session too; a running call never notices.

mod messages;
mod project;
mod waiting;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::limits::{KeyLimits, STORE_PATIENCE};
use crate::domain::{CallId, ProjectId};
use project::{Project, State, Step};
use waiting::Waiting;

pub(super) use messages::{Decision, SlotOutput};
pub use messages::{SlotId, SlotNews, SlotOrder, TakenSlot};

/// What could not be given back is tried again this much later.
const GIVE_BACK_AGAIN: Duration = Duration::from_secs(2);
/// Of the slots of a project that are free, one in so many may stay idle with this engine.
const KEPT_OF_FREE: u32 = 4;
/// Whoever loses that many claims for one call meets a project that is as good as full.
const MAX_CLAIMS: u32 = 8;

pub(super) struct Slots {
    limits: KeyLimits,
    projects: BTreeMap<ProjectId, Project>,
    /// Every call that has a session; bounded by the engine's number of calls.
    holders: HashMap<CallId, ProjectId>,
    /// Calls are asked for in the order of their ids, which are born in order.
    waiting: BTreeMap<CallId, Waiting>,
    outputs: VecDeque<SlotOutput>,
    /// False from a failure to the next answer: until then no call waits for the store.
    store_answers: bool,
    looks: u64,
}

impl Slots {
    /// Slots that are in use stay, also past a lower limit.
    pub(super) fn replace_limits(&mut self, limits: KeyLimits) {
        self.limits = limits;
    }

    pub(super) fn new(limits: KeyLimits) -> Self {
        Self {
            limits,
            projects: BTreeMap::new(),
            holders: HashMap::new(),
            waiting: BTreeMap::new(),
            outputs: VecDeque::new(),
            store_answers: true,
            looks: 0,
        }
    }

    /// A call that asks again moves its session, so that it never holds two.
    pub(super) fn ask(&mut self, call: &CallId, project: &ProjectId, borrowed: bool, now: Instant) {
        self.release(call, now);
        if self.limits.is_without_limit() {
            self.holders.insert(call.clone(), project.clone());
            return self.decide(call, Decision::Granted { in_store: true });
        }
        let waiting = Waiting::new(project.clone(), borrowed, now + STORE_PATIENCE);
        self.waiting.insert(call.clone(), waiting);
        self.serve(project, now);
    }

    /// Giving back twice is harmless: every way a call can end may do it. Tells whether there was something to give.
    pub(super) fn release(&mut self, call: &CallId, now: Instant) -> bool {
        self.waiting.remove(call);
        let Some(id) = self.holders.remove(call) else { return false };
        let freed = self.projects.get_mut(&id).and_then(|project| project.leave(call));
        if let Some(number) = freed {
            self.rest(&id, number, now);
        }
        self.serve(&id, now);
        true
    }

    pub(super) fn hear(&mut self, news: SlotNews, now: Instant) {
        match news {
            SlotNews::Claimed(slot) => self.claimed(&slot, now),
            SlotNews::Lost(slot) => self.claim_lost(&slot, now),
            SlotNews::ClaimFailed(slot) => {
                self.store_answers = false;
                self.claim_ended(&slot);
                self.serve(&slot.project, now);
            }
            SlotNews::Seen { project, taken } => self.seen(&project, &taken, now),
            SlotNews::SeeFailed(project) => {
                self.store_answers = false;
                self.project(&project).seeing = false;
                self.serve(&project, now);
            }
            SlotNews::GivenBack(slot) => {
                self.project(&slot.project).gone(slot.number);
                self.answered(&slot.project, now);
            }
            SlotNews::GiveBackFailed(slot) => {
                self.store_answers = false;
                self.project(&slot.project).keep_until(slot.number, now + GIVE_BACK_AGAIN);
                self.serve(&slot.project, now);
            }
            SlotNews::Looked { look, taken } => self.looked(look, &taken, now),
        }
    }

    /// The shell is about to ask for all slots that are taken.
    pub(super) fn begin_look(&mut self) -> u64 {
        self.looks += 1;
        self.looks
    }

    pub(super) fn poll_output(&mut self) -> Option<SlotOutput> {
        self.outputs.pop_front()
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let idle = self.projects.values().filter_map(Project::next_idle_end);
        idle.chain(self.waiting.values().map(|waiting| waiting.deadline)).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let ids: Vec<ProjectId> = self.projects.keys().cloned().collect();
        for id in &ids {
            for number in self.project(id).idle_past(now) {
                self.give_back(id, number);
            }
        }
        let late = |waiting: &Waiting| waiting.deadline <= now;
        let calls: Vec<CallId> =
            self.waiting.iter().filter(|(_, it)| late(it)).map(|(call, _)| call.clone()).collect();
        for call in calls {
            self.store_answers = false;
            self.decide_alone(&call);
        }
    }

    /// Calls that have a session, in the store or not.
    pub(super) fn in_use(&self) -> usize {
        self.holders.len()
    }

    fn project(&mut self, id: &ProjectId) -> &mut Project {
        self.projects.entry(id.clone()).or_default()
    }

    fn claimed(&mut self, slot: &SlotId, now: Instant) {
        let looks = self.looks;
        let Some(call) = self.claim_ended(slot) else { return };
        if self.waiting.contains_key(&call) {
            self.project(&slot.project).hold(slot.number, call.clone(), looks);
            self.grant(&call, true);
        } else if let Some(call) = self.project(&slot.project).take_unwritten(&call) {
            self.project(&slot.project).hold(slot.number, call, looks);
        } else {
            self.project(&slot.project).own(slot.number, looks);
            self.rest(&slot.project, slot.number, now);
        }
        self.answered(&slot.project, now);
    }

    fn claim_lost(&mut self, slot: &SlotId, now: Instant) {
        let claimer = self.claim_ended(slot);
        self.project(&slot.project).others.insert(slot.number);
        if let Some(waiting) = claimer.and_then(|call| self.waiting.get_mut(&call)) {
            waiting.lost_a_claim();
        }
        self.answered(&slot.project, now);
    }

    /// Who had asked for the slot.
    fn claim_ended(&mut self, slot: &SlotId) -> Option<CallId> {
        let call = self.project(&slot.project).claim_ended(slot.number)?;
        if let Some(waiting) = self.waiting.get_mut(&call) {
            waiting.claiming = false;
        }
        Some(call)
    }

    fn seen(&mut self, id: &ProjectId, taken: &[TakenSlot], now: Instant) {
        let project = self.project(id);
        project.seeing = false;
        project.see(taken.iter().filter(|taken| taken.slot.project == *id));
        for waiting in self.waiting.values_mut().filter(|waiting| waiting.project == *id) {
            waiting.knows_all();
        }
        self.answered(id, now);
    }

    fn looked(&mut self, look: u64, taken: &[TakenSlot], now: Instant) {
        self.store_answers = true;
        for taken in taken {
            self.projects.entry(taken.slot.project.clone()).or_default();
        }
        let ids: Vec<ProjectId> = self.projects.keys().cloned().collect();
        for id in &ids {
            let of_project: Vec<&TakenSlot> =
                taken.iter().filter(|taken| taken.slot.project == *id).collect();
            self.compare(id, look, &of_project);
            self.serve(id, now);
            for number in self.project(id).idle().into_iter().rev() {
                self.give_back_unless_kept(id, number);
            }
            self.claim_for_unwritten(id);
        }
        self.projects.retain(|_, project| !project.is_empty());
    }

    /// What the store says against what this engine believes; what changed since the look began is left out.
    fn compare(&mut self, id: &ProjectId, look: u64, taken: &[&TakenSlot]) {
        for number in self.project(id).ours_unknown_here(taken) {
            self.project(id).own(number, look);
            self.give_back(id, number);
        }
        for (number, call) in self.project(id).lose_before(look, taken) {
            let slot = SlotId { project: id.clone(), number };
            self.outputs.push_back(SlotOutput::LeaseLost { call, slot });
        }
        self.project(id).see(taken.iter().copied());
    }

    fn claim_for_unwritten(&mut self, id: &ProjectId) {
        let last = self.limits.last_slot(false);
        for call in self.project(id).unwritten_and_unclaimed() {
            let Some(number) = self.project(id).candidate(last) else { return };
            self.claim(id, number, &call);
        }
    }

    fn answered(&mut self, id: &ProjectId, now: Instant) {
        self.store_answers = true;
        self.serve(id, now);
    }

    /// Gives each waiting call the next thing it needs.
    fn serve(&mut self, id: &ProjectId, now: Instant) {
        let waits = |waiting: &Waiting| waiting.project == *id && !waiting.claiming;
        let calls: Vec<CallId> =
            self.waiting.iter().filter(|(_, it)| waits(it)).map(|(call, _)| call.clone()).collect();
        for call in calls {
            self.serve_one(id, &call, now);
        }
    }

    fn serve_one(&mut self, id: &ProjectId, call: &CallId, now: Instant) {
        let Some(waiting) = self.waiting.get(call) else { return };
        let (last, knowledge) = (self.limits.last_slot(waiting.borrowed), waiting.knowledge);
        let too_many = waiting.claims_lost >= MAX_CLAIMS;
        let looks = self.looks;
        let step = self.project(id).next_step(last, knowledge, now);
        match step {
            Step::Use(number) => {
                self.project(id).hold(number, call.clone(), looks);
                self.grant(call, true);
            }
            _ if !self.store_answers => self.decide_alone(call),
            Step::Claim(number) if !too_many => {
                if let Some(waiting) = self.waiting.get_mut(call) {
                    waiting.claiming = true;
                }
                self.claim(id, number, call);
            }
            Step::Wait => {}
            Step::See => {
                let project = self.project(id);
                if !std::mem::replace(&mut project.seeing, true) {
                    self.order(SlotOrder::See { project: id.clone() });
                }
            }
            Step::Claim(_) | Step::Refuse => {
                self.waiting.remove(call);
                self.decide(call, Decision::Full);
            }
        }
    }

    /// Without the store: by what is known of the others, which may be too few or too many.
    fn decide_alone(&mut self, call: &CallId) {
        let Some(waiting) = self.waiting.get(call) else { return };
        let (id, last) = (waiting.project.clone(), self.limits.last_slot(waiting.borrowed));
        let project = self.project(&id);
        if project.in_use() + project.others_known() < last {
            project.unwritten.insert(call.clone());
            self.grant(call, false);
        } else {
            self.waiting.remove(call);
            self.decide(call, Decision::Full);
        }
    }

    fn claim(&mut self, id: &ProjectId, number: u32, call: &CallId) {
        let looks = self.looks;
        self.project(id).claiming(number, call.clone(), looks);
        let slot = SlotId { project: id.clone(), number };
        self.order(SlotOrder::Claim { slot, call: call.clone() });
    }

    /// A slot that no call has: for a call that needs one, else kept a while, else given back.
    fn rest(&mut self, id: &ProjectId, number: u32, now: Instant) {
        let (limits, looks) = (self.limits, self.looks);
        let project = self.project(id);
        if let Some(call) = project.unwritten.pop_first() {
            return project.hold(number, call, looks);
        }
        project.keep_until(number, now + limits.idle_max);
        self.serve(id, now);
        self.give_back_unless_kept(id, number);
    }

    /// The reserved ones always; of the others the highest, so that engines leave room to each other in one place.
    fn give_back_unless_kept(&mut self, id: &ProjectId, number: u32) {
        let limits = self.limits;
        let project = self.project(id);
        if !project.is_idle(number) {
            return;
        }
        let used = project.in_use() + project.others_known();
        let kept_max = limits.sessions_per_project.saturating_sub(used) / KEPT_OF_FREE;
        let too_many = project.highest_idle().filter(|_| project.idle_count() > kept_max);
        let reserved = (number > limits.last_slot(true)).then_some(number);
        if let Some(number) = reserved.or(too_many) {
            self.give_back(id, number);
        }
    }

    fn give_back(&mut self, id: &ProjectId, number: u32) {
        self.project(id).set(number, State::Returning);
        self.order(SlotOrder::GiveBack { slot: SlotId { project: id.clone(), number } });
    }

    fn grant(&mut self, call: &CallId, in_store: bool) {
        let Some(waiting) = self.waiting.remove(call) else { return };
        self.holders.insert(call.clone(), waiting.project);
        self.decide(call, Decision::Granted { in_store });
    }

    fn decide(&mut self, call: &CallId, decision: Decision) {
        self.outputs.push_back(SlotOutput::Decided { call: call.clone(), decision });
    }

    fn order(&mut self, order: SlotOrder) {
        self.outputs.push_back(SlotOutput::Order(order));
    }
}

#[cfg(test)]
mod tests;
