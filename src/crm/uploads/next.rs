//! Who is next, and with which step.

use std::time::{Duration, Instant};

use super::super::{CallDataStep, Outcome, Progress, RecordingStep, Settled, Step};
use super::{Job, Output, Phase, Uploads};
use crate::domain::CallId;

/// A recording that has failed so often while others were taken lets the call data go first.
const OWN_FAILURES_MAX: u32 = 5;
/// The CRM could be reached and took no recordings for so long, …
const RECORDINGS_DOWN: Duration = Duration::from_secs(60);
/// … while it took call data: then they go without.
const CALL_DATA_UP: Duration = Duration::from_secs(30);
/// Numbers that every store keeps exactly.
const MARK_BOUND: u64 = 1 << 53;

impl Uploads {
    pub(super) fn start_what_may(&mut self, now: Instant) {
        while self.has_room() {
            let Some((call, step)) = self.next_to_start(now) else { return };
            self.start(call, step);
        }
    }

    fn start(&mut self, call: CallId, step: Step) {
        let is_probe = !self.door(step).is_up();
        if is_probe {
            self.door_of(step).probe_begins();
        }
        self.attempts += 1;
        self.posting += 1;
        let Self { jobs, outputs, entropy, attempts, .. } = self;
        let Some(job) = jobs.get_mut(&call) else { return };
        job.tried = *attempts;
        if job.progress.must_be_marked_before(step) {
            let mark = *job.mark.get_or_insert_with(|| entropy.below(MARK_BOUND));
            job.phase = Phase::Marking { step, is_probe };
            let settled =
                Settled { step, sent_url: None, unsent: None, outcome: Outcome::GoesWithout { mark } };
            outputs.push_back(Output::Settle { call, settled });
        } else {
            job.phase = Phase::Posting { step, is_probe };
            outputs.push_back(Output::Post { call, step, progress: job.progress.clone() });
        }
    }

    /// The oldest call whose endpoint is up, else the one that has waited longest, as a probe.
    fn next_to_start(&self, now: Instant) -> Option<(CallId, Step)> {
        let goes_without = self.goes_without_from().is_some_and(|from| from <= now);
        let mut probe: Option<(u64, &CallId, Step)> = None;
        for (call, job) in &self.jobs {
            if !matches!(job.phase, Phase::Waiting) || job.not_before > now {
                continue;
            }
            let without = (goes_without && job.waits_for_recording()).then_some(Step::CallData);
            for step in job.steps(self.limits.amend).into_iter().flatten().chain(without) {
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
    pub(super) fn may_start_at(&self, job: &Job, goes_without_from: Option<Instant>) -> Option<Instant> {
        let by_door = |step, from: Instant| match self.door(step) {
            door if door.is_up() => Some(from),
            door => door.next_probe().map(|probe| probe.max(from)),
        };
        let steps = job.steps(self.limits.amend).into_iter().flatten();
        let without = goes_without_from.filter(|_| job.waits_for_recording());
        let without = without.and_then(|from| by_door(Step::CallData, from.max(job.not_before)));
        steps.filter_map(|step| by_door(step, job.not_before)).chain(without).min()
    }

    /// From when on call data goes without the recording it waits for: the CRM can be reached, and takes anything but
    /// recordings. Where no call data has been taken since recordings are not, one call finds out for all; a CRM that
    /// takes nothing gets only that one without.
    pub(super) fn goes_without_from(&self) -> Option<Instant> {
        let in_vain_since = self.recordings.in_vain_since().filter(|_| self.limits.amend)?;
        let from = in_vain_since + RECORDINGS_DOWN;
        match self.recordings.down_since().and_then(|since| self.call_data.up_since_and_after(since)) {
            Some(up_since) => Some(from.max(up_since + CALL_DATA_UP)),
            None => (!self.jobs.values().any(|job| job.tells_call_data(self.limits.amend))).then_some(from),
        }
    }
}

impl Job {
    /// What may be sent for it whatever becomes of others, the better first.
    fn steps(&self, amend: bool) -> [Option<Step>; 2] {
        let Progress { recording, call_data, went_without, .. } = &self.progress;
        match (recording, call_data) {
            (_, CallDataStep::Parked { .. }) => [None, None],
            (RecordingStep::Due, CallDataStep::Due) if !self.holds_recording => {
                [amend.then_some(Step::CallData), None]
            }
            (RecordingStep::Due, CallDataStep::Due)
                if *went_without || self.recording_failures >= OWN_FAILURES_MAX =>
            {
                [amend.then_some(Step::CallData), Some(Step::Recording)]
            }
            (RecordingStep::Due, CallDataStep::Due) => [Some(Step::Recording), None],
            (_, CallDataStep::Due) => [Some(Step::CallData), None],
            (RecordingStep::Due, CallDataStep::Acknowledged { .. }) => {
                [self.holds_recording.then_some(Step::Recording), None]
            }
            (_, CallDataStep::Acknowledged { .. }) => {
                [self.may_be_amended(amend).then_some(Step::Amendment), None]
            }
        }
    }

    fn waits_for_recording(&self) -> bool {
        (&self.progress.recording, &self.progress.call_data) == (&RecordingStep::Due, &CallDataStep::Due)
    }

    /// By it it will be known whether the CRM takes call data.
    fn tells_call_data(&self, amend: bool) -> bool {
        let under_way = match &self.phase {
            Phase::Waiting => None,
            Phase::Marking { step, .. } | Phase::Posting { step, .. } => Some(*step),
            Phase::Noting { settled, .. } => Some(settled.step),
        };
        let steps = self.steps(amend).into_iter().chain([under_way]);
        steps.flatten().any(|step| matches!(step, Step::CallData | Step::Amendment))
    }

    fn may_be_amended(&self, amend: bool) -> bool {
        let lacks_it = self.progress.call_data == CallDataStep::Acknowledged { with_recording: false };
        amend
            && lacks_it
            && self.progress.recording_url().is_some()
            && self.progress.amendment_refused.is_none()
    }

    /// Whether this engine can do anything for it, now or later.
    pub(super) fn has_work(&self, amend: bool) -> bool {
        match (&self.progress.recording, &self.progress.call_data) {
            (_, CallDataStep::Parked { .. }) => false,
            (RecordingStep::Due, CallDataStep::Due) => self.holds_recording || amend,
            (_, CallDataStep::Due) => true,
            (RecordingStep::Due, CallDataStep::Acknowledged { .. }) => self.holds_recording,
            (_, CallDataStep::Acknowledged { .. }) => self.may_be_amended(amend),
        }
    }
}
