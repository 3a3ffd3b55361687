//! One answer per call: which key, on whose account, or why not (SPEC K6, K7).

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Instant;

use thiserror::Error;

use super::fingerprint::Fingerprints;
use super::health::{Failure, Health, KeyTrouble};
use super::limits::KeyLimits;
use super::pool::{KeyPool, PoolKey};
use super::slots::{Decision, SlotNews, SlotOrder, SlotOutput, Slots};
use crate::domain::{CallId, LeaseId, Outcome, ProjectId, Secret, Timestamp};

pub struct KeyRing {
    pool: KeyPool,
    limits: KeyLimits,
    slots: Slots,
    health: Health,
    /// The keys chosen for calls that wait for their slot.
    chosen: HashMap<CallId, Chosen>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
pub enum Input {
    /// `owner_key` is what the owner's record holds *now* (SPEC K4).
    Ask {
        call: CallId,
        owner_key: Option<Secret>,
    },
    /// The call is over.
    Return(LeaseId),
    Slot(SlotNews),
}

#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    Answer {
        call: CallId,
        answer: Result<Granted, Refusal>,
    },
    Slot(SlotOrder),
    /// Others took this engine for dead. The call runs on.
    LeaseLost {
        call: CallId,
        project: ProjectId,
    },
}

/// A key a call may open its model session with; the lease comes back by [`Input::Return`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    pub key: Secret,
    pub project: ProjectId,
    pub lease: LeaseId,
    pub source: KeySource,
    /// False: the store did not answer, and the other engines do not know of this session yet.
    pub in_store: bool,
}

struct Chosen {
    key: Secret,
    project: ProjectId,
    source: KeySource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    Own,
    Default { why: WhyDefault },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyDefault {
    NoOwnKey,
    OwnKey(Failure),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error(
        "all {limit} model sessions of project {project} are in use; wait for a call to end, or raise \
             keys.sessions_per_project if Google allows more"
    )]
    ProjectFull { project: ProjectId, limit: u32 },
    #[error(
        "{why}, and the default key's project has no session to lend; wait for a call to end, or give the \
             owner a key"
    )]
    DefaultFull { why: WhyDefault },
    #[error("{why}, and there is no default key; set GOOGLE_API_KEY or give the owner a key")]
    NoDefault { why: WhyDefault },
    #[error("{why}, and the default key cannot stand in: {}", describe(*default))]
    DefaultUnhealthy { why: WhyDefault, default: Failure },
}

impl Refusal {
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::ProjectFull { .. } | Self::DefaultFull { .. } => Outcome::RefusedCapacity,
            Self::NoDefault { .. } | Self::DefaultUnhealthy { .. } => Outcome::RefusedNoKey,
        }
    }
}

impl KeyRing {
    pub fn new(pool: KeyPool, limits: KeyLimits, fingerprints: Fingerprints) -> Self {
        Self {
            pool,
            limits,
            slots: Slots::new(limits),
            health: Health::new(fingerprints),
            chosen: HashMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// SIGHUP or REST re-read the pool; leases and cool-downs stay.
    pub fn replace_pool(&mut self, pool: KeyPool) {
        self.pool = pool;
    }

    /// Sessions that are there stay, also past a lower limit.
    pub fn replace_limits(&mut self, limits: KeyLimits) {
        self.limits = limits;
        self.slots.replace_limits(limits);
    }

    pub fn pool(&self) -> &KeyPool {
        &self.pool
    }

    pub fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Ask { call, owner_key } => self.ask(&call, owner_key.as_ref(), now),
            Input::Return(lease) => self.give_back(&CallId::new(lease.as_str()), now),
            Input::Slot(news) => self.slots.hear(news, now),
        }
        self.drain_slots();
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        self.slots.next_timeout()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.slots.handle_timeout(now);
        self.drain_slots();
    }

    /// The shell is about to read all slots that are taken; [`SlotNews::Looked`] must name this look.
    pub fn begin_look(&mut self) -> u64 {
        self.slots.begin_look()
    }

    /// The model refused the key, or its project.
    pub fn report_failure(&mut self, key: &Secret, failure: Failure, now: Instant, wall: Timestamp) {
        self.health.report(key, &self.pool.project_of(key), failure, now, wall);
    }

    /// What was reported here and the store does not know yet.
    pub fn unsaved_troubles(&self) -> Vec<KeyTrouble> {
        self.health.unsaved()
    }

    pub fn trouble_saved(&mut self, trouble: &KeyTrouble) {
        self.health.saved(trouble);
    }

    /// The shell is about to read the troubles that the store holds.
    pub fn begin_reading_troubles(&mut self) -> u64 {
        self.health.begin_reading()
    }

    pub fn learn_troubles(&mut self, reading: u64, stored: Vec<KeyTrouble>, now: Instant, wall: Timestamp) {
        self.health.learn(reading, stored, now, wall);
    }

    pub fn failure_of(&self, key: &Secret, now: Instant) -> Option<Failure> {
        self.health.failure_of(key, &self.pool.project_of(key), now)
    }

    /// Calls that have a session.
    pub fn leases(&self) -> usize {
        self.slots.in_use()
    }

    fn ask(&mut self, call: &CallId, owner_key: Option<&Secret>, now: Instant) {
        match self.choose(owner_key, now) {
            Ok(chosen) => {
                let borrowed = chosen.source != KeySource::Own;
                let project = chosen.project.clone();
                self.chosen.insert(call.clone(), chosen);
                self.slots.ask(call, &project, borrowed, now);
            }
            Err(refusal) => self.answer(call, Err(refusal)),
        }
    }

    fn give_back(&mut self, call: &CallId, now: Instant) {
        self.chosen.remove(call);
        self.slots.release(call, now);
    }

    fn choose(&self, owner_key: Option<&Secret>, now: Instant) -> Result<Chosen, Refusal> {
        let Some(key) = owner_key.filter(|key| !key.is_empty()) else {
            return self.borrow_default(WhyDefault::NoOwnKey, now);
        };
        match self.failure_of(key, now) {
            Some(failure) => self.borrow_default(WhyDefault::OwnKey(failure), now),
            None => {
                Ok(Chosen { key: key.clone(), project: self.pool.project_of(key), source: KeySource::Own })
            }
        }
    }

    fn borrow_default(&self, why: WhyDefault, now: Instant) -> Result<Chosen, Refusal> {
        let PoolKey { key, project } = self.pool.default_key().cloned().ok_or(Refusal::NoDefault { why })?;
        match self.failure_of(&key, now) {
            Some(default) => Err(Refusal::DefaultUnhealthy { why, default }),
            None => Ok(Chosen { key, project, source: KeySource::Default { why } }),
        }
    }

    fn drain_slots(&mut self) {
        while let Some(output) = self.slots.poll_output() {
            match output {
                SlotOutput::Decided { call, decision } => self.decided(&call, decision),
                SlotOutput::Order(order) => self.outputs.push_back(Output::Slot(order)),
                SlotOutput::LeaseLost { call, slot } => {
                    self.outputs.push_back(Output::LeaseLost { call, project: slot.project });
                }
            }
        }
    }

    fn decided(&mut self, call: &CallId, decision: Decision) {
        let Some(Chosen { key, project, source }) = self.chosen.remove(call) else { return };
        let limit = self.limits.sessions_per_project;
        let answer = match (decision, source) {
            (Decision::Granted { in_store }, source) => {
                Ok(Granted { key, project, lease: LeaseId::new(call.as_str()), source, in_store })
            }
            (Decision::Full, KeySource::Own) => Err(Refusal::ProjectFull { project, limit }),
            (Decision::Full, KeySource::Default { why }) => Err(Refusal::DefaultFull { why }),
        };
        self.answer(call, answer);
    }

    fn answer(&mut self, call: &CallId, answer: Result<Granted, Refusal>) {
        self.outputs.push_back(Output::Answer { call: call.clone(), answer });
    }
}

impl fmt::Display for WhyDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOwnKey => f.write_str("the owner has no Google key"),
            Self::OwnKey(failure) => write!(f, "the owner's key cannot be used ({})", describe(*failure)),
        }
    }
}

fn describe(failure: Failure) -> &'static str {
    match failure {
        Failure::KeyBad => "the model refused it as invalid",
        Failure::Quota => "its project's quota is spent and cooling down",
    }
}

#[cfg(test)]
mod tests;
