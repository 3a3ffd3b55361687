//! The queue of one subscriber's notifications.
//!
//! [`DeliveryOutput::Post`] names a call; its shell claims it, posts the earliest notification that is due, and tells the
//! answer. What the answer changes is noted ([`DeliveryOutput::Settle`]) before the call's next one begins. A failure
//! that may pass closes the subscriber's door for all calls but one at a time, the probe; the first that is taken opens
//! it again. A call that fails again and again while others are taken waits longer and longer by itself.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::super::door::{Door, Failure, pause};
use super::super::looks::Looks;
use super::super::{Answer, Verdict};
use super::Settlement;
use crate::domain::{CallId, Entropy, NotificationId};

/// What could not be noted, or not even begun, is tried again this much later.
const STORE_AGAIN: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
pub struct DeliveryLimits {
    /// Posts under way at the same time.
    pub parallel: usize,
    /// Calls in the queue; what is due beyond them waits in the outbox.
    pub held_max: usize,
    /// The outbox is looked at this often.
    pub look_every: Duration,
}

/// The notification that was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub id: NotificationId,
    /// What it is known to have failed of before.
    pub trouble: Option<String>,
    /// The call has none behind it, as far as is known.
    pub is_last: bool,
}

#[derive(Debug)]
pub enum DeliveryInput {
    /// Calls that have something due.
    Found(Vec<CallId>),
    /// The look at the outbox is over; `more`: it has more than was told.
    Looked {
        more: bool,
    },
    Answered {
        call: CallId,
        sent: Sent,
        answer: Answer,
    },
    /// Somebody else is at it, or nothing of it is due (any more).
    NotOurs {
        call: CallId,
    },
    /// The store did not let it begin.
    NotBegun {
        call: CallId,
    },
    /// What was to be noted is.
    Noted {
        call: CallId,
    },
    NotNoted {
        call: CallId,
    },
    /// Something has become due: there is no need to wait for the next look.
    Rung,
    /// Nothing new is begun any more.
    Stop,
    Tick,
}

#[derive(Debug, Clone, PartialEq)]
pub enum DeliveryOutput {
    Look,
    /// Claim the call and post the earliest of its notifications that is due.
    Post {
        call: CallId,
    },
    /// Note it in the outbox and give the claim up.
    Settle {
        call: CallId,
        id: NotificationId,
        settlement: Settlement,
    },
    /// Nothing came of it that would have to be noted: give the claim up.
    Release {
        call: CallId,
    },
}

pub struct Deliveries {
    limits: DeliveryLimits,
    door: Door,
    jobs: BTreeMap<CallId, Job>,
    posting: usize,
    attempts: u64,
    looks: Looks,
    is_stopping: bool,
    outputs: VecDeque<DeliveryOutput>,
    entropy: Entropy,
}

struct Job {
    phase: Phase,
    /// It was found while something of it was under way: there may be more behind that.
    found_again: bool,
    not_before: Instant,
    /// In a row, while the door was open.
    failures: u32,
    /// The number of its last attempt: the one that has waited longest is the next probe.
    tried: u64,
}

enum Phase {
    Waiting,
    Posting {
        is_probe: bool,
    },
    /// Until the outbox has it; `None` while it is on its way.
    Noting {
        sent: Sent,
        settlement: Settlement,
        again_at: Option<Instant>,
    },
}

impl Deliveries {
    pub fn new(limits: DeliveryLimits, entropy: Entropy, now: Instant) -> Self {
        Self {
            limits,
            door: Door::default(),
            jobs: BTreeMap::new(),
            posting: 0,
            attempts: 0,
            looks: Looks::new(limits.look_every, now),
            is_stopping: false,
            outputs: VecDeque::new(),
            entropy,
        }
    }

    /// What the subscriber fails of, while it does.
    pub fn trouble(&self) -> Option<&str> {
        self.door.why_down()
    }

    /// Calls in the queue.
    pub fn held(&self) -> usize {
        self.jobs.len()
    }

    /// Calls of which something is being posted or noted right now.
    pub fn under_way(&self) -> usize {
        self.jobs.values().filter(|job| !matches!(job.phase, Phase::Waiting)).count()
    }

    pub fn handle(&mut self, input: DeliveryInput, now: Instant) {
        match input {
            DeliveryInput::Found(calls) => calls.into_iter().for_each(|call| self.take(call, now)),
            DeliveryInput::Looked { more } => self.looks.is_over(more),
            DeliveryInput::Answered { call, sent, answer } => self.answered(&call, sent, &answer, now),
            DeliveryInput::NotOurs { call } => {
                self.not_sent(&call, now);
                self.forget_unless_found_again(&call);
            }
            DeliveryInput::NotBegun { call } => {
                self.not_sent(&call, now);
                if let Some(job) = self.jobs.get_mut(&call) {
                    job.not_before = now + STORE_AGAIN;
                }
            }
            DeliveryInput::Noted { call } => self.noted(&call),
            DeliveryInput::NotNoted { call } => self.note_again(&call, now + STORE_AGAIN),
            DeliveryInput::Rung => self.looks.ring(),
            DeliveryInput::Tick => {}
            DeliveryInput::Stop => self.is_stopping = true,
        }
        self.note_what_waited(now);
        self.start_what_may(now);
        if !self.is_stopping && self.looks.begins(self.is_half_empty(), now) {
            self.outputs.push_back(DeliveryOutput::Look);
        }
    }

    pub fn poll_output(&mut self) -> Option<DeliveryOutput> {
        self.outputs.pop_front()
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        let look = self.looks.next(self.is_half_empty()).filter(|_| !self.is_stopping);
        let jobs = self.jobs.values().filter_map(|job| match &job.phase {
            Phase::Waiting if self.has_room() => self.may_start_at(job),
            Phase::Noting { again_at, .. } => *again_at,
            Phase::Waiting | Phase::Posting { .. } => None,
        });
        jobs.chain(look).min()
    }

    fn may_start_at(&self, job: &Job) -> Option<Instant> {
        if self.door.is_up() {
            return Some(job.not_before);
        }
        self.door.next_probe().map(|probe| probe.max(job.not_before))
    }

    fn has_room(&self) -> bool {
        self.posting < self.limits.parallel && !self.is_stopping
    }

    fn is_half_empty(&self) -> bool {
        self.jobs.len() * 2 <= self.limits.held_max
    }

    fn take(&mut self, call: CallId, now: Instant) {
        if let Some(job) = self.jobs.get_mut(&call) {
            job.found_again = true;
        } else if self.jobs.len() >= self.limits.held_max {
            self.looks.there_is_more();
        } else {
            let phase = Phase::Waiting;
            let job = Job { phase, found_again: false, not_before: now, failures: 0, tried: 0 };
            self.jobs.insert(call, job);
        }
    }
}

// What is next.
impl Deliveries {
    fn start_what_may(&mut self, now: Instant) {
        while self.has_room() {
            let Some(call) = self.next_to_start(now) else { return };
            let Some(job) = self.jobs.get_mut(&call) else { return };
            let is_probe = !self.door.is_up();
            self.door.probe_begins();
            self.attempts += 1;
            self.posting += 1;
            (job.phase, job.tried, job.found_again) = (Phase::Posting { is_probe }, self.attempts, false);
            self.outputs.push_back(DeliveryOutput::Post { call });
        }
    }

    /// The oldest call, or, as a probe, the one that has waited longest.
    fn next_to_start(&self, now: Instant) -> Option<CallId> {
        let is_ready = |job: &Job| matches!(job.phase, Phase::Waiting) && job.not_before <= now;
        let mut ready = self.jobs.iter().filter(|(_, job)| is_ready(job));
        let next = if self.door.is_up() {
            ready.next()
        } else if self.door.may_be_probed(now) {
            ready.min_by_key(|(_, job)| job.tried)
        } else {
            None
        };
        next.map(|(call, _)| call.clone())
    }
}

// What came of it.
impl Deliveries {
    fn answered(&mut self, call: &CallId, sent: Sent, answer: &Answer, now: Instant) {
        let Some(was_probe) = self.stop_posting(call) else { return };
        let settlement = match Verdict::of_subscriber(answer) {
            Verdict::Taken { .. } => {
                self.door.served(now);
                Settlement::Delivered
            }
            Verdict::Refused { why } => {
                self.door.refused(answer, was_probe, now);
                Settlement::Refused { why }
            }
            Verdict::Later { why, after, everywhere } => {
                let failure = Failure { why: &why, after, was_reached: !everywhere, was_probe };
                self.door.failed(failure, &mut self.entropy, now);
                self.blame(call, was_probe, now);
                Settlement::Trouble { why }
            }
        };
        self.note(call, sent, settlement);
    }

    /// What a probe fails of is the subscriber's; else it may be this call's own.
    fn blame(&mut self, call: &CallId, was_probe: bool, now: Instant) {
        let Self { jobs, entropy, .. } = self;
        let Some(job) = jobs.get_mut(call).filter(|_| !was_probe) else { return };
        job.failures = job.failures.saturating_add(1);
        job.not_before = now + pause(job.failures, entropy);
    }

    /// Trouble once for the same words: an outage of hours is not written down with every attempt.
    fn note(&mut self, call: &CallId, sent: Sent, settlement: Settlement) {
        let Some(job) = self.jobs.get_mut(call) else { return };
        let is_known =
            matches!(&settlement, Settlement::Trouble { why } if sent.trouble.as_ref() == Some(why));
        let call = call.clone();
        if is_known {
            return self.outputs.push_back(DeliveryOutput::Release { call });
        }
        let id = sent.id.clone();
        job.phase = Phase::Noting { sent, settlement: settlement.clone(), again_at: None };
        self.outputs.push_back(DeliveryOutput::Settle { call, id, settlement });
    }

    fn noted(&mut self, call: &CallId) {
        let Some(job) = self.jobs.get_mut(call) else { return };
        let Phase::Noting { sent, settlement, .. } = std::mem::replace(&mut job.phase, Phase::Waiting) else {
            return;
        };
        match settlement {
            Settlement::Trouble { .. } => {}
            Settlement::Delivered | Settlement::Refused { .. } => {
                job.failures = 0;
                if sent.is_last {
                    self.forget_unless_found_again(call);
                }
            }
        }
    }

    fn forget_unless_found_again(&mut self, call: &CallId) {
        if self.jobs.get(call).is_some_and(|job| !job.found_again) {
            self.jobs.remove(call);
        }
    }

    fn note_again(&mut self, call: &CallId, at: Instant) {
        let Some(job) = self.jobs.get_mut(call) else { return };
        if let Phase::Noting { again_at, .. } = &mut job.phase {
            *again_at = Some(at);
        }
    }

    fn note_what_waited(&mut self, now: Instant) {
        for (call, job) in &mut self.jobs {
            if let Phase::Noting { sent, settlement, again_at } = &mut job.phase
                && again_at.is_some_and(|at| at <= now)
            {
                *again_at = None;
                let (call, id, settlement) = (call.clone(), sent.id.clone(), settlement.clone());
                self.outputs.push_back(DeliveryOutput::Settle { call, id, settlement });
            }
        }
    }

    fn not_sent(&mut self, call: &CallId, now: Instant) {
        if self.stop_posting(call) == Some(true) {
            self.door.probe_came_to_nothing(now);
        }
    }

    /// Gives whether it was a probe.
    fn stop_posting(&mut self, call: &CallId) -> Option<bool> {
        let job = self.jobs.get_mut(call)?;
        let Phase::Posting { is_probe } = job.phase else { return None };
        job.phase = Phase::Waiting;
        self.posting = self.posting.saturating_sub(1);
        Some(is_probe)
    }
}
