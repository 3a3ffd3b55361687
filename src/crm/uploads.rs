//! The queue of calls that are on their way to the CRM.
//!
//! A step is started by [`Output::Post`]; its shell claims it, sends it, and tells the answer. What the answer changes is
//! noted in the outbox ([`Output::Settle`]) before the call's next step begins. A step that fails in a way that may pass
//! closes its endpoint for all calls but one at a time, the probe; the first that is served opens it again for all. A
//! call that fails again and again while others are served waits longer and longer by itself.
//!
//! A recording comes before the call data that tells its URL. It does not hold it back for ever: where it fails by
//! itself, where only its endpoint is down while the other serves, or where it lies with an engine that is gone, the call
//! data goes without it and is amended later.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::door::{Door, Health, pause};
use super::looks::Looks;
use super::{Answer, CallDataStep, Outcome, Progress, RecordingStep, Settled, Step, Verdict};
use crate::domain::{CallId, Entropy};

/// What could not be noted, or not even begun, is tried again this much later.
const STORE_AGAIN: Duration = Duration::from_secs(2);
/// A recording that has failed so often while others were taken lets the call data go first.
const OWN_FAILURES_MAX: u32 = 5;
/// Recordings cannot be sent for so long, …
const RECORDINGS_DOWN: Duration = Duration::from_secs(60);
/// … while call data can: then it goes without.
const CALL_DATA_UP: Duration = Duration::from_secs(30);

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
    /// The number of its last attempt: the one that has waited longest is the next probe.
    tried: u64,
}

enum Phase {
    Waiting,
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
            Input::NotOurs { call } => {
                self.not_sent(&call, now);
                self.jobs.remove(&call);
            }
            Input::NotBegun { call } => {
                self.not_sent(&call, now);
                self.wait_until(&call, now + STORE_AGAIN);
            }
            Input::Changed { call, progress } => {
                self.not_sent(&call, now);
                self.goes_on_with(&call, progress);
            }
            Input::Noted { call, progress } => self.goes_on_with(&call, progress),
            Input::NotNoted { call } => self.note_again(&call, now + STORE_AGAIN),
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
        let jobs = self.jobs.values().filter_map(|job| match &job.phase {
            Phase::Waiting if self.has_room() => self.may_start_at(job),
            Phase::Noting { again_at, .. } => *again_at,
            Phase::Waiting | Phase::Posting { .. } => None,
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

// What is next.
impl Uploads {
    fn start_what_may(&mut self, now: Instant) {
        while self.has_room() {
            let Some((call, step)) = self.next_to_start(now) else { return };
            if self.note_that_it_goes_without(&call, step) {
                continue;
            }
            let is_probe = !self.door(step).is_up();
            if is_probe {
                self.door_of(step).probe_begins();
            }
            self.attempts += 1;
            self.posting += 1;
            let Some(job) = self.jobs.get_mut(&call) else { return };
            job.phase = Phase::Posting { step, is_probe };
            job.tried = self.attempts;
            self.outputs.push_back(Output::Post { call, step, progress: job.progress.clone() });
        }
    }

    fn note_that_it_goes_without(&mut self, call: &CallId, step: Step) -> bool {
        let goes_without = self.jobs.get(call).is_some_and(|job| {
            let Progress { recording, went_without, .. } = &job.progress;
            step == Step::CallData && *recording == RecordingStep::Due && !went_without
        });
        if goes_without {
            self.note(call, Settled { step, sent_url: None, outcome: Outcome::GoesWithout });
        }
        goes_without
    }

    /// The oldest call whose endpoint is up, else the one that has waited longest, as a probe.
    fn next_to_start(&self, now: Instant) -> Option<(CallId, Step)> {
        let mut probe: Option<(u64, &CallId, Step)> = None;
        for (call, job) in &self.jobs {
            if !matches!(job.phase, Phase::Waiting) || job.not_before > now {
                continue;
            }
            for step in self.steps(job, now).into_iter().flatten() {
                let door = self.door(step);
                if door.is_up() {
                    return Some((call.clone(), step));
                }
                if door.may_be_probed(now) && probe.is_none_or(|(tried, ..)| job.tried < tried) {
                    probe = Some((job.tried, call, step));
                }
            }
        }
        probe.map(|(_, call, step)| (call.clone(), step))
    }

    /// When something may begin for this call, as far as that is known.
    fn may_start_at(&self, job: &Job) -> Option<Instant> {
        let steps = self.steps(job, job.not_before).into_iter().flatten();
        let by_doors = steps.filter_map(|step| match self.door(step) {
            door if door.is_up() => Some(job.not_before),
            door => door.next_probe().map(|at| at.max(job.not_before)),
        });
        by_doors.chain(self.may_go_without_at(job)).min()
    }

    /// What may be sent for this call, the better first.
    fn steps(&self, job: &Job, now: Instant) -> [Option<Step>; 2] {
        let Progress { recording, call_data, .. } = &job.progress;
        match (recording, call_data) {
            (_, CallDataStep::Parked { .. }) => [None, None],
            (RecordingStep::Due, CallDataStep::Due) if !job.holds_recording => {
                [self.limits.amend.then_some(Step::CallData), None]
            }
            (RecordingStep::Due, CallDataStep::Due) if job.recording_failures >= OWN_FAILURES_MAX => {
                [self.limits.amend.then_some(Step::CallData), Some(Step::Recording)]
            }
            (RecordingStep::Due, CallDataStep::Due) => {
                let without = self.may_go_without_at(job).is_some_and(|at| at <= now);
                [Some(Step::Recording), without.then_some(Step::CallData)]
            }
            (_, CallDataStep::Due) => [Some(Step::CallData), None],
            (RecordingStep::Due, CallDataStep::Acknowledged { .. }) => {
                [job.holds_recording.then_some(Step::Recording), None]
            }
            (_, CallDataStep::Acknowledged { .. }) => {
                [job.may_be_amended(self.limits.amend).then_some(Step::Amendment), None]
            }
        }
    }

    /// From when on the call data may go without the recording, because only recordings cannot be sent.
    fn may_go_without_at(&self, job: &Job) -> Option<Instant> {
        let waits =
            (&job.progress.recording, &job.progress.call_data) == (&RecordingStep::Due, &CallDataStep::Due);
        let down_since = self.recordings.down_since().filter(|_| waits && self.limits.amend)?;
        let at = down_since + RECORDINGS_DOWN;
        match (self.call_data.is_up(), self.call_data.up_since(), self.call_data.next_probe()) {
            (true, Some(up_since), _) => Some(at.max(up_since + CALL_DATA_UP)),
            (true, None, _) => Some(at),
            (false, _, next_probe) => next_probe.map(|probe| at.max(probe)),
        }
        .map(|at| at.max(job.not_before))
    }
}

// What came of it.
impl Uploads {
    fn answered(&mut self, call: &CallId, answer: &Answer, now: Instant) {
        let Some((step, was_probe)) = self.stop_posting(call) else { return };
        let settled = |sent_url, outcome| Settled { step, sent_url, outcome };
        let sent_url = self.jobs.get(call).and_then(|job| job.progress.recording_url().map(str::to_owned));
        match Verdict::of(step, answer) {
            Verdict::Taken { url } => {
                self.door_of(step).served(now);
                self.note(call, settled(sent_url, Outcome::Taken { url }));
            }
            Verdict::Refused { why } => {
                match answer {
                    // The CRM has heard nothing of it.
                    Answer::Unsendable(_) if was_probe => self.door_of(step).probe_came_to_nothing(now),
                    Answer::Unsendable(_) => {}
                    Answer::Http { .. } | Answer::Unreachable(_) | Answer::Broken(_) => {
                        self.door_of(step).served(now);
                    }
                }
                self.note(call, settled(sent_url, Outcome::Refused { why }));
            }
            Verdict::Later { why, after, everywhere } => {
                self.endpoint_failed(step, &why, after, was_probe, now);
                if everywhere {
                    self.other_endpoint_fails_too(step, &why, now);
                }
                self.blame(call, step, was_probe, now);
                self.tell_trouble(call, settled(None, Outcome::Trouble { why }));
            }
        }
    }

    fn endpoint_failed(
        &mut self,
        step: Step,
        why: &str,
        after: Option<Duration>,
        was_probe: bool,
        now: Instant,
    ) {
        let Self { recordings, call_data, entropy, .. } = self;
        let door = match step {
            Step::Recording => recordings,
            Step::CallData | Step::Amendment => call_data,
        };
        door.failed(why, after, was_probe, entropy, now);
    }

    fn other_endpoint_fails_too(&mut self, step: Step, why: &str, now: Instant) {
        let other = match step {
            Step::Recording => Step::CallData,
            Step::CallData | Step::Amendment => Step::Recording,
        };
        self.endpoint_failed(other, why, None, false, now);
    }

    /// What a probe fails of is the endpoint's; else it may be this call's own.
    fn blame(&mut self, call: &CallId, step: Step, was_probe: bool, now: Instant) {
        let Self { jobs, entropy, .. } = self;
        let Some(job) = jobs.get_mut(call).filter(|_| !was_probe) else { return };
        job.failures = job.failures.saturating_add(1);
        job.recording_failures += u32::from(step == Step::Recording);
        job.not_before = now + pause(job.failures, entropy);
    }

    /// Once for the same words: an outage of hours is not written down with every attempt.
    fn tell_trouble(&mut self, call: &CallId, settled: Settled) {
        let Some(job) = self.jobs.get(call) else { return };
        let is_known = matches!(&settled.outcome, Outcome::Trouble { why } if job.progress.trouble.as_ref() == Some(why));
        if is_known {
            self.outputs.push_back(Output::Release { call: call.clone(), step: settled.step });
        } else {
            self.note(call, settled);
        }
    }

    fn note(&mut self, call: &CallId, settled: Settled) {
        let Some(job) = self.jobs.get_mut(call) else { return };
        job.phase = Phase::Noting { settled: settled.clone(), again_at: None };
        self.outputs.push_back(Output::Settle { call: call.clone(), settled });
    }

    fn goes_on_with(&mut self, call: &CallId, progress: Progress) {
        let amend = self.limits.amend;
        let Some(job) = self.jobs.get_mut(call) else { return };
        if let Phase::Noting { settled: Settled { outcome, .. }, .. } = &job.phase
            && matches!(outcome, Outcome::Taken { .. } | Outcome::Refused { .. })
        {
            job.failures = 0;
        }
        (job.progress, job.phase) = (progress, Phase::Waiting);
        if !job.has_work(amend) {
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
            if let Phase::Noting { settled, again_at } = &mut job.phase
                && again_at.is_some_and(|at| at <= now)
            {
                *again_at = None;
                self.outputs.push_back(Output::Settle { call: call.clone(), settled: settled.clone() });
            }
        }
    }

    fn not_sent(&mut self, call: &CallId, now: Instant) {
        if let Some((step, true)) = self.stop_posting(call) {
            self.door_of(step).probe_came_to_nothing(now);
        }
    }

    fn stop_posting(&mut self, call: &CallId) -> Option<(Step, bool)> {
        let job = self.jobs.get_mut(call)?;
        let Phase::Posting { step, is_probe } = job.phase else { return None };
        job.phase = Phase::Waiting;
        self.posting = self.posting.saturating_sub(1);
        Some((step, is_probe))
    }

    fn wait_until(&mut self, call: &CallId, at: Instant) {
        if let Some(job) = self.jobs.get_mut(call) {
            job.not_before = at;
        }
    }
}

impl Job {
    fn may_be_amended(&self, amend: bool) -> bool {
        let lacks_it = self.progress.call_data == CallDataStep::Acknowledged { with_recording: false };
        amend
            && lacks_it
            && self.progress.recording_url().is_some()
            && self.progress.amendment_refused.is_none()
    }

    /// Whether this engine can do anything for it, now or later.
    fn has_work(&self, amend: bool) -> bool {
        match (&self.progress.recording, &self.progress.call_data) {
            (_, CallDataStep::Parked { .. }) => false,
            (RecordingStep::Due, CallDataStep::Due) => self.holds_recording || amend,
            (_, CallDataStep::Due) => true,
            (RecordingStep::Due, CallDataStep::Acknowledged { .. }) => self.holds_recording,
            (_, CallDataStep::Acknowledged { .. }) => self.may_be_amended(amend),
        }
    }
}
