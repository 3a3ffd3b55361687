//! Whether the CRM has heard of a call.

use serde::{Deserialize, Serialize};

/// What an upload waits for; uploads are found by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// The end of its call.
    Open,
    /// The CRM knows nothing of the call yet.
    Due,
    /// The CRM has the call data, but not the recording, which only the engine that holds it can send.
    Amendable,
    Done,
    /// A person.
    Parked,
}

impl UploadState {
    pub const ALL: [Self; 5] = [Self::Open, Self::Due, Self::Amendable, Self::Done, Self::Parked];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Due => "due",
            Self::Amendable => "amendable",
            Self::Done => "done",
            Self::Parked => "parked",
        }
    }
}

/// As the call's record tells it (SPEC U1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallUpload {
    pub state: UploadState,
    /// Where the CRM keeps the recording.
    #[serde(default)]
    pub recording_url: Option<String>,
    /// Why it is parked, or what the last attempt failed of.
    #[serde(default)]
    pub reason: Option<String>,
}
