//! How a dialog's end becomes the call's one named outcome (SPEC T2).

use crate::domain::Outcome;

use super::signal::Ending;

/// The last word about a call.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Finish {
    pub outcome: Outcome,
    /// For people: what happened, in words. Free of secrets and numbers.
    pub reason: String,
}

impl Finish {
    pub fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: reason.into() }
    }

    /// The outcome that the dialog's end alone tells; `talked` when the two sides were connected before.
    pub(super) fn from_ending(ending: &Ending, talked: bool) -> Self {
        match ending {
            Ending::FarEndHungUp if !talked => {
                Self::new(Outcome::Canceled, "the far end hung up before it was connected")
            }
            Ending::FarEndHungUp => Self::new(Outcome::Completed, "the far end hung up"),
            Ending::WeHungUp => Self::new(Outcome::Completed, "we hung up"),
            Ending::FarEndCanceled => Self::new(Outcome::Canceled, "the caller gave up before the answer"),
            Ending::WeCanceled => Self::new(Outcome::Canceled, "we gave up before the answer"),
            Ending::WeRefused { status: ADDRESS_INCOMPLETE } => {
                Self::new(Outcome::InvalidNumber, "the number is none that can be dialled")
            }
            Ending::WeRefused { status: SERVICE_UNAVAILABLE } => {
                Self::new(Outcome::RefusedCapacity, "signalling takes no more calls for now")
            }
            Ending::WeRefused { .. } => Self::new(Outcome::Rejected, "we refused the call"),
            Ending::NoAnswer => Self::new(Outcome::NoAnswer, "nobody answered in time"),
            // Its own words may name the number; the status says enough.
            Ending::Rejected { status, .. } => {
                Self::new(outcome_of_status(*status), format!("the far end answered {status}"))
            }
            Ending::Unreachable => Self::new(Outcome::Unreachable, "the gateway did not answer"),
            Ending::AuthenticationFailed => {
                Self::new(Outcome::TrunkAuth, "the gateway refused our user name or password")
            }
            Ending::NeverConfirmed => {
                Self::new(Outcome::TrunkFailed, "our answer was never acknowledged by the far end")
            }
            Ending::DialogLost if talked => {
                Self::new(Outcome::TrunkFailed, "the far end no longer knew the call")
            }
            Ending::DialogLost => Self::new(Outcome::TrunkFailed, "the far end lost the call during set-up"),
            Ending::Fault => {
                Self::new(Outcome::EngineLost, "a fault of ours ended the signalling of this call")
            }
        }
    }
}

const ADDRESS_INCOMPLETE: u16 = 484;
const SERVICE_UNAVAILABLE: u16 = 503;

fn outcome_of_status(status: u16) -> Outcome {
    match status {
        401 | 407 => Outcome::TrunkAuth,
        404 | 410 | 484 | 485 | 604 => Outcome::InvalidNumber,
        408 | 480 => Outcome::NoAnswer,
        486 | 600 => Outcome::Busy,
        487 => Outcome::Canceled,
        415 | 488 | 606 => Outcome::MediaFailed,
        500..=599 => Outcome::TrunkFailed,
        _ => Outcome::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_we_refuse_ourselves_says_whether_the_number_or_our_room_was_the_reason() {
        let outcome = |status| Finish::from_ending(&Ending::WeRefused { status }, false).outcome;
        assert_eq!(outcome(484), Outcome::InvalidNumber);
        assert_eq!(outcome(503), Outcome::RefusedCapacity);
        assert_eq!(outcome(480), Outcome::Rejected);
    }

    #[test]
    fn each_refusal_of_the_far_end_has_its_own_name() {
        let outcome =
            |status| Finish::from_ending(&Ending::Rejected { status, reason: String::new() }, false).outcome;
        assert_eq!(outcome(486), Outcome::Busy);
        assert_eq!(outcome(600), Outcome::Busy);
        assert_eq!(outcome(603), Outcome::Rejected);
        assert_eq!(outcome(404), Outcome::InvalidNumber);
        assert_eq!(outcome(480), Outcome::NoAnswer);
        assert_eq!(outcome(488), Outcome::MediaFailed);
        assert_eq!(outcome(503), Outcome::TrunkFailed);
        assert_eq!(outcome(407), Outcome::TrunkAuth);
    }
}
