//! What came of a step: of the endpoint, of the call, and what is noted of it.

use std::time::Instant;

use super::super::door::{Failure, pause};
use super::super::{Answer, CallDataStep, Outcome, Progress, Settled, Step, Verdict};
use super::{Job, Output, Phase, STORE_AGAIN, Uploads};
use crate::domain::CallId;

impl Uploads {
    pub(super) fn answered(&mut self, call: &CallId, answer: &Answer, now: Instant) {
        let Some((step, was_probe)) = self.stop_posting(call) else { return };
        if let Some(job) = self.jobs.get_mut(call)
            && step == Step::CallData
            && answer.may_have_reached_it()
        {
            job.mark = None;
        }
        match Verdict::of(step, answer) {
            Verdict::Taken { url } => {
                self.door_of(step).served(now);
                self.note(call, step, Outcome::Taken { url });
            }
            Verdict::Refused { why } => {
                self.door_of(step).refused(answer, was_probe, now);
                self.note(call, step, Outcome::Refused { why });
            }
            Verdict::Later { why, after, everywhere } => {
                let failure = Failure { why: &why, after, was_reached: !everywhere, was_probe };
                self.endpoint_failed(step, failure, now);
                if everywhere {
                    let failure = Failure { after: None, was_probe: false, ..failure };
                    self.endpoint_failed(other_than(step), failure, now);
                }
                self.blame(call, step, everywhere, was_probe, now);
                self.tell_trouble(call, step, why);
            }
        }
    }

    fn endpoint_failed(&mut self, step: Step, failure: Failure<'_>, now: Instant) {
        let Self { recordings, call_data, entropy, .. } = self;
        let door = match step {
            Step::Recording => recordings,
            Step::CallData | Step::Amendment => call_data,
        };
        door.failed(failure, entropy, now);
    }

    /// What a probe fails of is the endpoint's; else it may be this call's own.
    fn blame(&mut self, call: &CallId, step: Step, everywhere: bool, was_probe: bool, now: Instant) {
        let Self { jobs, entropy, .. } = self;
        let Some(job) = jobs.get_mut(call).filter(|_| !was_probe) else { return };
        job.failures = job.failures.saturating_add(1);
        job.recording_failures += u32::from(step == Step::Recording && !everywhere);
        job.not_before = now + pause(job.failures, entropy);
    }

    /// Once for the same words: an outage of hours is not written down with every attempt.
    fn tell_trouble(&mut self, call: &CallId, step: Step, why: String) {
        let Some(job) = self.jobs.get(call) else { return };
        if job.mark.is_none() && job.progress.trouble.as_ref() == Some(&why) {
            self.outputs.push_back(Output::Release { call: call.clone(), step });
        } else {
            self.note(call, step, Outcome::Trouble { why });
        }
    }

    fn note(&mut self, call: &CallId, step: Step, outcome: Outcome) {
        let Some(job) = self.jobs.get_mut(call) else { return };
        let sent_url = job.progress.url_told_with(step).map(str::to_owned);
        let settled = Settled { step, sent_url, unsent: job.mark.take(), outcome };
        job.phase = Phase::Noting { settled: settled.clone(), again_at: None };
        self.outputs.push_back(Output::Settle { call: call.clone(), settled });
    }

    pub(super) fn noted(&mut self, call: &CallId, progress: Progress, now: Instant) {
        let Some(job) = self.jobs.get_mut(call) else { return };
        match &job.phase {
            Phase::Marking { step, is_probe } => {
                let (step, is_probe) = (*step, *is_probe);
                if progress.went_without && progress.call_data == CallDataStep::Due {
                    job.progress = progress;
                    job.phase = Phase::Posting { step, is_probe };
                    let progress = job.progress.clone();
                    return self.outputs.push_back(Output::Post { call: call.clone(), step, progress });
                }
                // Meanwhile another engine has brought it further.
                self.not_sent(call, now);
            }
            Phase::Noting { settled, .. } => {
                if matches!(settled.outcome, Outcome::Taken { .. } | Outcome::Refused { .. }) {
                    job.failures = 0;
                }
            }
            Phase::Waiting | Phase::Posting { .. } => {}
        }
        self.goes_on_with(call, progress);
    }

    fn goes_on_with(&mut self, call: &CallId, progress: Progress) {
        let amend = self.limits.amend;
        let Some(job) = self.jobs.get_mut(call) else { return };
        (job.progress, job.phase) = (progress, Phase::Waiting);
        if !job.has_work(amend) {
            self.jobs.remove(call);
        }
    }

    /// What was to be marked and could not be is not sent; what was to be noted after an answer is noted later.
    pub(super) fn not_noted(&mut self, call: &CallId, now: Instant) {
        let again = now + STORE_AGAIN;
        let Some(job) = self.jobs.get_mut(call) else { return };
        match &mut job.phase {
            Phase::Noting { again_at, .. } => *again_at = Some(again),
            Phase::Marking { .. } => {
                job.not_before = again;
                self.not_sent(call, now);
            }
            Phase::Waiting | Phase::Posting { .. } => {}
        }
    }

    pub(super) fn note_what_waited(&mut self, now: Instant) {
        for (call, job) in &mut self.jobs {
            if let Phase::Noting { settled, again_at } = &mut job.phase
                && again_at.is_some_and(|at| at <= now)
            {
                *again_at = None;
                self.outputs.push_back(Output::Settle { call: call.clone(), settled: settled.clone() });
            }
        }
    }

    /// Nothing of it has left this engine, so what was marked before it is taken back.
    pub(super) fn not_begun(&mut self, call: &CallId, now: Instant) {
        let Some(step) = self.not_sent(call, now) else { return };
        let Some(job) = self.jobs.get_mut(call) else { return };
        job.not_before = now + STORE_AGAIN;
        if job.mark.is_some() {
            self.note(call, step, Outcome::NotSent);
        }
    }

    pub(super) fn not_ours(&mut self, call: &CallId, now: Instant) {
        let was_posting = self.jobs.get(call).is_some_and(|job| matches!(job.phase, Phase::Posting { .. }));
        self.not_begun(call, now);
        let is_taken_back = |job: &Job| was_posting && matches!(job.phase, Phase::Noting { .. });
        self.jobs.retain(|it, job| it != call || is_taken_back(job));
    }

    pub(super) fn changed(&mut self, call: &CallId, progress: Progress, now: Instant) {
        let Some(step) = self.not_sent(call, now) else { return };
        match self.jobs.get(call) {
            Some(Job { mark: Some(_), .. }) => self.note(call, step, Outcome::NotSent),
            Some(_) | None => self.goes_on_with(call, progress),
        }
    }

    fn not_sent(&mut self, call: &CallId, now: Instant) -> Option<Step> {
        let (step, was_probe) = self.stop_posting(call)?;
        if was_probe {
            self.door_of(step).probe_came_to_nothing(now);
        }
        Some(step)
    }

    fn stop_posting(&mut self, call: &CallId) -> Option<(Step, bool)> {
        let job = self.jobs.get_mut(call)?;
        let (Phase::Posting { step, is_probe } | Phase::Marking { step, is_probe }) = job.phase else {
            return None;
        };
        job.phase = Phase::Waiting;
        self.posting = self.posting.saturating_sub(1);
        Some((step, is_probe))
    }
}

fn other_than(step: Step) -> Step {
    match step {
        Step::Recording => Step::CallData,
        Step::CallData | Step::Amendment => Step::Recording,
    }
}
