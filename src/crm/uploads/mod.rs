//! The queue of calls that are on their way to the CRM.
//!
//! A step is started by [`Output::Post`]; its shell claims it, sends it, and tells the answer. What the answer changes is
//! noted in the outbox ([`Output::Settle`]) before the call's next step begins. A step that fails in a way that may pass
//! closes its endpoint for all calls but one at a time, the probe; the first that is served opens it again for all. A
//! call that fails again and again while others are served waits longer and longer by itself.
//!
//! A recording comes before the call data that tells its URL. It does not hold it back for ever: where it fails by
//! itself, where only its endpoint is down while the other serves, or where it lies with an engine that is gone, the call
//! data goes without it and is amended later. A CRM that cannot be reached is no reason: call data would not reach it
//! either.
//!
//! Call data without a recording is marked in the outbox before it is sent, because a crash may come before its answer.
//! The mark is taken back if the attempt has certainly not reached the CRM. Where it stands, call data tells no URL under
//! its key, now or later, and the amendment does.

mod answered;
mod next;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::door::{Door, Health};
use super::looks::Looks;
use super::{Answer, Progress, Settled, Step};
use crate::domain::{CallId, Entropy};

/// What could not be noted, or not even begun, is tried again this much later.
const STORE_AGAIN: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Steps under way at the same time.
    pub parallel: usize,
    /// Call data that went without its recording is sent again with it.
    pub amend: bool,
    /// Calls in the queue; what is due beyond them waits in the outbox.
    pub held_max: usize,
    /// The outbox is looked at this often.
    pub look_every: Duration,
}

/// An entry of the outbox that this engine is to work on.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub call: CallId,
    pub progress: Progress,
    /// Whether this engine has the recording, if there is one.
    pub holds_recording: bool,
}

#[derive(Debug)]
pub enum Input {
    /// From the outbox, or because a call has just ended.
    Found(Vec<Found>),
    /// The look at the outbox is over; `more`: it has more than was told.
    Looked {
        more: bool,
    },
    Answered {
        call: CallId,
        answer: Answer,
    },
    /// Somebody else is at it, or the entry is not there (any more). It is found again if there is anything left to do.
    NotOurs {
        call: CallId,
    },
    /// The store did not let the step begin.
    NotBegun {
        call: CallId,
    },
    /// The entry was not as we knew it; nothing was sent.
    Changed {
        call: CallId,
        progress: Progress,
    },
    /// What was to be noted is, and this is what the entry is now.
    Noted {
        call: CallId,
        progress: Progress,
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
pub enum Output {
    Look,
    /// Claim the step, compare the entry with `progress`, send it.
    Post {
        call: CallId,
        step: Step,
        progress: Progress,
    },
    /// Note it in the outbox and give the step's claim up, if there is one.
    Settle {
        call: CallId,
        settled: Settled,
    },
    /// Nothing came of it that would have to be noted: give the claim up.
    Release {
        call: CallId,
        step: Step,
    },
}

pub struct Uploads {
    limits: Limits,
    recordings: Door,
    call_data: Door,
    jobs: BTreeMap<CallId, Job>,
    posting: usize,
    attempts: u64,
    looks: Looks,
    is_stopping: bool,
    outputs: VecDeque<Output>,
    entropy: Entropy,
}

struct Job {
    progress: Progress,
    holds_recording: bool,
    phase: Phase,
    not_before: Instant,
    /// In a row, while its endpoint was up.
    failures: u32,
    recording_failures: u32,
    /// What may stand in the outbox of call data without the recording that has not reached the CRM.
    mark: Option<u64>,
    /// The number of its last attempt: the one that has waited longest is the next probe.
    tried: u64,
}

enum Phase {
    Waiting,
    /// Until the outbox has it that call data goes without the recording.
    Marking {
        step: Step,
        is_probe: bool,
    },
    Posting {
        step: Step,
        is_probe: bool,
    },
    /// Until the outbox has it; `None` while it is on its way.
    Noting {
        settled: Settled,
        again_at: Option<Instant>,
    },
}

impl Uploads {
    pub fn new(limits: Limits, entropy: Entropy, now: Instant) -> Self {
        Self {
            limits,
            recordings: Door::default(),
            call_data: Door::default(),
            jobs: BTreeMap::new(),
            posting: 0,
            attempts: 0,
            looks: Looks::new(limits.look_every, now),
            is_stopping: false,
            outputs: VecDeque::new(),
            entropy,
        }
    }

    pub fn health(&self) -> Health {
        Health {
            recordings: self.recordings.why_down().map(str::to_owned),
            call_data: self.call_data.why_down().map(str::to_owned),
        }
    }

    /// Calls in the queue.
    pub fn held(&self) -> usize {
        self.jobs.len()
    }

    /// Calls of which something is being sent or noted right now.
    pub fn under_way(&self) -> usize {
        self.jobs.values().filter(|job| !matches!(job.phase, Phase::Waiting)).count()
    }

    pub fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Found(found) => found.into_iter().for_each(|found| self.take(found, now)),
            Input::Looked { more } => self.looks.is_over(more),
            Input::Answered { call, answer } => self.answered(&call, &answer, now),
            Input::NotOurs { call } => self.not_ours(&call, now),
            Input::NotBegun { call } => self.not_begun(&call, now),
            Input::Changed { call, progress } => self.changed(&call, progress, now),
            Input::Noted { call, progress } => self.noted(&call, progress, now),
            Input::NotNoted { call } => self.not_noted(&call, now),
            Input::Rung => self.looks.ring(),
            Input::Stop => self.is_stopping = true,
            Input::Tick => {}
        }
        self.note_what_waited(now);
        self.start_what_may(now);
        self.look_when_it_is_time(now);
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        let look = self.looks.next(self.is_half_empty()).filter(|_| !self.is_stopping);
        let without_from = self.goes_without_from();
        let jobs = self.jobs.values().filter_map(|job| match &job.phase {
            Phase::Waiting if self.has_room() => self.may_start_at(job, without_from),
            Phase::Noting { again_at, .. } => *again_at,
            Phase::Waiting | Phase::Marking { .. } | Phase::Posting { .. } => None,
        });
        jobs.chain(look).min()
    }

    fn has_room(&self) -> bool {
        self.posting < self.limits.parallel && !self.is_stopping
    }

    fn take(&mut self, found: Found, now: Instant) {
        if self.jobs.contains_key(&found.call) {
            return;
        }
        if self.jobs.len() >= self.limits.held_max {
            self.looks.there_is_more();
            return;
        }
        let job = Job {
            progress: found.progress,
            holds_recording: found.holds_recording,
            phase: Phase::Waiting,
            not_before: now,
            failures: 0,
            recording_failures: 0,
            mark: None,
            tried: 0,
        };
        if job.has_work(self.limits.amend) {
            self.jobs.insert(found.call, job);
        }
    }

    fn is_half_empty(&self) -> bool {
        self.jobs.len() * 2 <= self.limits.held_max
    }

    fn look_when_it_is_time(&mut self, now: Instant) {
        if !self.is_stopping && self.looks.begins(self.is_half_empty(), now) {
            self.outputs.push_back(Output::Look);
        }
    }

    fn door(&self, step: Step) -> &Door {
        match step {
            Step::Recording => &self.recordings,
            Step::CallData | Step::Amendment => &self.call_data,
        }
    }

    fn door_of(&mut self, step: Step) -> &mut Door {
        match step {
            Step::Recording => &mut self.recordings,
            Step::CallData | Step::Amendment => &mut self.call_data,
        }
    }
}
