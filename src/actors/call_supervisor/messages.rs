//! What the rest of the engine asks of the supervisor.

use actix::prelude::*;

use crate::domain::{CallId, GatewayId};
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
    /// Name or id of the user whose call this is.
    pub owner: String,
    /// The number to show; the gateway's user otherwise.
    pub from: Option<String>,
    /// The only gateway may be left out.
    pub gateway: Option<GatewayId>,
    pub voice_agent: Option<String>,
}

/// Hang up; false when there is no such call.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct EndCall {
    pub call: CallId,
    pub reason: String,
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

#[derive(Message)]
#[rtype(result = "Vec<CallId>")]
pub struct AskLiveCalls;
