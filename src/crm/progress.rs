//! How far a call has come on its way to the CRM.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{CallUpload, UploadState};

/// What is sent, each under a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    Recording,
    CallData,
    /// The call data once more, with the recording that was missing.
    Amendment,
}

impl Step {
    /// As it stands in the `Idempotency-Key`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::CallData => "call-data",
            Self::Amendment => "amendment",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum RecordingStep {
    /// The call has none, as far as is known.
    Missing,
    Due,
    Uploaded {
        url: String,
    },
    Parked {
        reason: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum CallDataStep {
    Due,
    Acknowledged { with_recording: bool },
    Parked { reason: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub state: UploadState,
    pub recording: RecordingStep,
    pub call_data: CallDataStep,
    /// Call data without a recording has been sent, or may have been: the CRM keeps what it took first under the step's
    /// name, so nothing else is ever sent under it, and the recording is told under another.
    #[serde(default, skip_serializing_if = "is_false")]
    pub went_without: bool,
    /// The one attempt of which that is said. `None`: it is said for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_mark: Option<u64>,
    /// The amendment was refused, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amendment_refused: Option<String>,
    /// What the last attempt failed of, while it is still tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What one attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub step: Step,
    /// The URL of the recording that the call data told.
    pub sent_url: Option<String>,
    /// Call data without a recording that was marked and has not reached the CRM.
    pub unsent: Option<u64>,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Taken {
        url: Option<String>,
    },
    Refused {
        why: String,
    },
    /// It is tried again.
    Trouble {
        why: String,
    },
    /// Noted before it is sent, because the answer may be lost: the call data goes without a recording.
    GoesWithout {
        mark: u64,
    },
    NotSent,
}

impl Progress {
    pub fn open() -> Self {
        Self {
            state: UploadState::Open,
            recording: RecordingStep::Missing,
            call_data: CallDataStep::Due,
            went_without: false,
            without_mark: None,
            amendment_refused: None,
            trouble: None,
        }
    }

    /// The call is over.
    pub fn due(has_recording: bool) -> Self {
        let recording = if has_recording { RecordingStep::Due } else { RecordingStep::Missing };
        Self { state: UploadState::Due, recording, ..Self::open() }
    }

    /// A recording turned up that nobody knew of when the call ended.
    pub fn with_late_recording(mut self) -> Self {
        if self.recording == RecordingStep::Missing && self.state != UploadState::Open {
            self.recording = RecordingStep::Due;
            self.judge();
        }
        self
    }

    /// A person wants what was parked to be tried again.
    pub fn retried(mut self) -> Self {
        if matches!(self.recording, RecordingStep::Parked { .. }) {
            self.recording = RecordingStep::Due;
        }
        if matches!(self.call_data, CallDataStep::Parked { .. }) {
            self.call_data = CallDataStep::Due;
        }
        self.amendment_refused = None;
        self.trouble = None;
        self.judge();
        self
    }

    /// The only way an answer changes anything. It may come late, or twice: what is further on stays.
    pub fn settle(mut self, settled: &Settled) -> Self {
        self.take_back(settled.unsent);
        match (&settled.outcome, settled.step) {
            (Outcome::NotSent, _) => return self,
            (Outcome::Trouble { why }, _) => {
                self.trouble = Some(why.clone());
                return self;
            }
            (Outcome::GoesWithout { mark }, _) => {
                self.goes_without(*mark);
                return self;
            }
            (Outcome::Taken { url }, Step::Recording) => self.recording_taken(url.as_deref()),
            (Outcome::Taken { .. }, Step::CallData) => self.call_data_taken(settled.sent_url.is_some()),
            (Outcome::Taken { .. }, Step::Amendment) => {
                self.call_data = CallDataStep::Acknowledged { with_recording: true };
            }
            (Outcome::Refused { why }, step) => self.refused(step, why),
        }
        self.trouble = None;
        self.judge();
        self
    }

    /// A second attempt without the recording makes it true for good: whoever began the first takes its own mark back only.
    fn goes_without(&mut self, mark: u64) {
        if self.call_data != CallDataStep::Due {
            return;
        }
        if self.went_without {
            self.without_mark = self.without_mark.filter(|other| *other == mark);
        } else if self.recording_url().is_none() {
            (self.went_without, self.without_mark) = (true, Some(mark));
        }
    }

    fn take_back(&mut self, unsent: Option<u64>) {
        if unsent.is_some() && self.without_mark == unsent {
            (self.went_without, self.without_mark) = (false, None);
        }
    }

    fn recording_taken(&mut self, url: Option<&str>) {
        if matches!(self.recording, RecordingStep::Uploaded { .. }) {
            return;
        }
        self.recording = match url {
            Some(url) => RecordingStep::Uploaded { url: url.to_owned() },
            None => RecordingStep::Parked { reason: "the CRM does not say where it is".into() },
        };
    }

    fn call_data_taken(&mut self, with_url: bool) {
        if !matches!(self.call_data, CallDataStep::Acknowledged { .. }) {
            let with_recording = with_url && !self.went_without;
            self.call_data = CallDataStep::Acknowledged { with_recording };
        }
    }

    fn refused(&mut self, step: Step, why: &str) {
        let reason = why.to_owned();
        match step {
            Step::Recording if !matches!(self.recording, RecordingStep::Uploaded { .. }) => {
                self.recording = RecordingStep::Parked { reason };
            }
            Step::CallData if !matches!(self.call_data, CallDataStep::Acknowledged { .. }) => {
                self.call_data = CallDataStep::Parked { reason };
            }
            Step::Amendment => self.amendment_refused = Some(reason),
            Step::Recording | Step::CallData => {}
        }
    }

    fn judge(&mut self) {
        let is_parked = matches!(self.recording, RecordingStep::Parked { .. });
        self.state = match (&self.call_data, &self.recording) {
            (CallDataStep::Due, _) => UploadState::Due,
            (CallDataStep::Parked { .. }, _) => UploadState::Parked,
            (CallDataStep::Acknowledged { .. }, _) if is_parked || self.amendment_refused.is_some() => {
                UploadState::Parked
            }
            (CallDataStep::Acknowledged { .. }, RecordingStep::Due)
            | (CallDataStep::Acknowledged { with_recording: false }, RecordingStep::Uploaded { .. }) => {
                UploadState::Amendable
            }
            (CallDataStep::Acknowledged { .. }, _) => UploadState::Done,
        };
    }

    /// Whether the other one has come as far, whatever either has failed of meanwhile.
    pub fn is_at(&self, other: &Self) -> bool {
        let steps = |it: &Self| (it.recording.clone(), it.call_data.clone(), it.went_without);
        steps(self) == steps(other) && self.amendment_refused == other.amendment_refused
    }

    /// What this step says of where the recording is. The same each time it is sent, because what was said without it
    /// first is never said with it under the same key.
    pub fn url_told_with(&self, step: Step) -> Option<&str> {
        match step {
            Step::CallData if self.went_without => None,
            Step::Recording | Step::CallData | Step::Amendment => self.recording_url(),
        }
    }

    pub fn must_be_marked_before(&self, step: Step) -> bool {
        let is_for_good = self.went_without && self.without_mark.is_none();
        step == Step::CallData && self.url_told_with(step).is_none() && !is_for_good
    }

    pub fn told(&self) -> CallUpload {
        CallUpload {
            state: self.state,
            recording_url: self.recording_url().map(str::to_owned),
            reason: self.reason().map(str::to_owned),
        }
    }

    /// Something is to be sent.
    pub fn is_due(&self) -> bool {
        match self.state {
            UploadState::Due | UploadState::Amendable => true,
            UploadState::Open | UploadState::Done | UploadState::Parked => false,
        }
    }

    pub fn recording_url(&self) -> Option<&str> {
        match &self.recording {
            RecordingStep::Uploaded { url } => Some(url),
            RecordingStep::Missing | RecordingStep::Due | RecordingStep::Parked { .. } => None,
        }
    }

    /// Why a person must look at it, or what the last attempt failed of.
    pub fn reason(&self) -> Option<&str> {
        let of_call_data = match &self.call_data {
            CallDataStep::Parked { reason } => Some(reason),
            CallDataStep::Due | CallDataStep::Acknowledged { .. } => None,
        };
        let of_recording = match &self.recording {
            RecordingStep::Parked { reason } => Some(reason),
            RecordingStep::Missing | RecordingStep::Due | RecordingStep::Uploaded { .. } => None,
        };
        let all = [of_call_data, self.amendment_refused.as_ref(), of_recording, self.trouble.as_ref()];
        all.into_iter().flatten().next().map(String::as_str)
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}
