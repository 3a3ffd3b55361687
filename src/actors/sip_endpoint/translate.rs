//! Between SIP's words and the call's.

use std::time::Duration;

use crate::call::signal::Refusal;
use crate::call::{Ending, Signal, SignalCommand};
use crate::domain::CallId;
use crate::sip::endpoint::{Command, EndCause, Event, PlaceCall};

use super::DialTarget;

/// A caller refused for want of the model may try again this soon.
const RETRY_AFTER_MODEL_FAILURE: Duration = Duration::from_secs(10);
const NOT_ACCEPTABLE_HERE: u16 = 488;
const SERVICE_UNAVAILABLE: u16 = 503;

/// Where to dial comes from the pending INVITE; a call without one cannot be placed.
pub(super) fn sip_command(call: CallId, command: SignalCommand, target: Option<&DialTarget>) -> Command {
    match command {
        SignalCommand::Place { offer } => match target {
            Some(target) => Command::Place(PlaceCall {
                call,
                gateway: target.gateway.clone(),
                target: target.target.clone(),
                from_user: target.from.clone(),
                from_display: None,
                offer: Some(offer),
            }),
            None => Command::HangUp { call },
        },
        SignalCommand::Ring => Command::Ring { call },
        SignalCommand::Answer { sdp } => Command::Answer { call, sdp },
        SignalCommand::Refuse(Refusal::MediaNotAcceptable) => {
            Command::Reject { call, status: NOT_ACCEPTABLE_HERE, retry_after: None }
        }
        SignalCommand::Refuse(Refusal::ModelUnavailable) => Command::Reject {
            call,
            status: SERVICE_UNAVAILABLE,
            retry_after: Some(RETRY_AFTER_MODEL_FAILURE),
        },
        SignalCommand::AcceptChange { sdp } => Command::AnswerOffer { call, sdp },
        SignalCommand::RejectChange => Command::RejectOffer { call, status: NOT_ACCEPTABLE_HERE },
        SignalCommand::HangUp => Command::HangUp { call },
    }
}

/// `None` for events that concern no single call.
pub fn signal_of(event: Event) -> Option<(CallId, Signal)> {
    Some(match event {
        Event::Incoming(_) | Event::Registration { .. } => return None,
        Event::Ringing { call, .. } => (call, Signal::Ringing),
        Event::EarlyMedia { call, sdp } => (call, Signal::EarlyMedia { sdp }),
        Event::Answered { call, sdp, .. } => (call, Signal::Answered { sdp }),
        Event::Confirmed { call, sdp, .. } => (call, Signal::Confirmed { sdp }),
        Event::Offer { call, sdp } => (call, Signal::Changed { sdp }),
        Event::Dtmf { call, digit, .. } => (call, Signal::Digit { digit }),
        Event::Ended { call, cause } => (call, Signal::Ended(ending_of(cause))),
    })
}

fn ending_of(cause: EndCause) -> Ending {
    match cause {
        EndCause::RemoteBye => Ending::FarEndHungUp,
        EndCause::LocalBye => Ending::WeHungUp,
        EndCause::RemoteCancel => Ending::FarEndCanceled,
        EndCause::LocalCancel => Ending::WeCanceled,
        EndCause::NoAnswer => Ending::NoAnswer,
        EndCause::Rejected { status, reason } => Ending::Rejected { status, reason },
        EndCause::Unreachable => Ending::Unreachable,
        EndCause::AuthenticationFailed => Ending::AuthenticationFailed,
        EndCause::AckNeverCame => Ending::NeverConfirmed,
        EndCause::DialogLost => Ending::DialogLost,
        EndCause::Refused { status } => Ending::WeRefused { status },
        EndCause::Fault => Ending::Fault,
    }
}
