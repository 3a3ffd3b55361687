//! Every call ends with exactly one of these names (SPEC T2).

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Completed,
    Transferred,
    Machine,
    NoAnswer,
    Busy,
    Rejected,
    Canceled,
    InvalidNumber,
    Unreachable,
    TrunkAuth,
    TrunkFailed,
    MediaFailed,
    ModelFailed,
    RefusedNoKey,
    RefusedCapacity,
    RefusedPolicy,
    EngineLost,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Transferred => "transferred",
            Self::Machine => "machine",
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::Rejected => "rejected",
            Self::Canceled => "canceled",
            Self::InvalidNumber => "invalid_number",
            Self::Unreachable => "unreachable",
            Self::TrunkAuth => "trunk_auth",
            Self::TrunkFailed => "trunk_failed",
            Self::MediaFailed => "media_failed",
            Self::ModelFailed => "model_failed",
            Self::RefusedNoKey => "refused_no_key",
            Self::RefusedCapacity => "refused_capacity",
            Self::RefusedPolicy => "refused_policy",
            Self::EngineLost => "engine_lost",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
