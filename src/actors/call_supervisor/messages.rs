//! What the rest of the engine asks of the supervisor.

use actix::prelude::*;

use crate::call::recording::{NothingRecorded, RecordingOrder};
use crate::domain::{CallId, GatewayId, RecordingState, UserId};
use crate::sip::endpoint::IncomingCall;

use super::admission::Refused;

/// Signalling has an INVITE from somebody who may send one.
#[derive(Message)]
#[rtype(result = "()")]
pub struct IncomingOffered(pub IncomingCall);

/// Dial. The answer comes at once; how the call goes is told by its events.
#[derive(Message, Debug, Clone)]
#[rtype(result = "Result<CallId, Refused>")]
pub struct PlaceCall {
    /// A number, or a whole `sip:` address.
    pub target: String,
    pub owner: CallOwner,
    /// The number to show; the gateway's user otherwise.
    pub from: Option<String>,
    /// The only gateway may be left out.
    pub gateway: Option<GatewayId>,
    pub voice_agent: Option<String>,
    /// What whoever asks for the call wants to find in its record again.
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

/// The user whose call it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOwner {
    /// Who asks has been recognised. Never by name: a user could be named like another's id.
    Id(UserId),
    /// As a person types it: name or id.
    Named(String),
}

impl From<&str> for CallOwner {
    fn from(name_or_id: &str) -> Self {
        Self::Named(name_or_id.to_owned())
    }
}

/// Dial, for somebody who wants to know that the call has all it needs: the answer comes when it begins, or is refused.
/// Where the engine has this call already, nothing is dialled.
#[derive(Message, Debug, Clone)]
#[rtype(result = "Result<(), Refused>")]
pub struct BeginCall {
    pub call: CallId,
    pub place: PlaceCall,
}

/// Hang up; false when there is no such call.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct EndCall {
    pub call: CallId,
    pub reason: String,
}

/// Starts, stops, pauses or resumes the recording of a call that goes on. The answer is what is the case from now on.
#[derive(Message)]
#[rtype(result = "Result<RecordingState, RecordingRefused>")]
pub struct ControlRecording {
    pub call: CallId,
    pub order: RecordingOrder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordingRefused {
    #[error("the call has ended already, has not begun yet, or goes on at another engine")]
    NotHere,
    #[error(
        "nothing of this call is recorded: its voice agent says so (recording), or this engine (recording.enabled)"
    )]
    Never,
    #[error(transparent)]
    Nothing(#[from] NothingRecorded),
}

/// Sends keys to the far end as telephone events.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct PressDigits {
    pub call: CallId,
    pub digits: String,
}

/// Makes the call's session panic, as a bug would; for tests and `demo --crash`.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct CrashSession {
    pub call: CallId,
}

/// The call's audio route is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RouteLost {
    pub call: CallId,
}

/// From now on nothing is admitted.
#[derive(Message)]
#[rtype(result = "()")]
pub struct DrainCalls;

/// Settings were changed; calls that run keep what they began with.
#[derive(Message)]
#[rtype(result = "()")]
pub struct TuneCalls {
    pub calls_max: usize,
    /// Name or id of the user who owns calls to numbers without a rule.
    pub default_owner: Option<String>,
}

#[derive(Message)]
#[rtype(result = "Vec<CallId>")]
pub struct AskLiveCalls;
