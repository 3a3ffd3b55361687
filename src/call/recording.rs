//! Whether a call is recorded: what its persona says at the start, and what people order while it goes on.
//!
//! A pause and a stop are both silence in the recording, and what was recorded before them stays. They differ in what was
//! meant: a pause is to be resumed, a recording that was stopped, or waits for the person's consent, is started.

use crate::domain::{RecordingRule, RecordingState};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingOrder {
    Start,
    Stop,
    Pause,
    Resume,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing is being recorded at the moment; start the recording first")]
pub struct NothingRecorded;

/// `None`: nothing of this call is ever recorded.
pub fn at_the_start(rule: RecordingRule) -> Option<RecordingState> {
    match rule {
        RecordingRule::On => Some(RecordingState::Recording),
        RecordingRule::Consent => Some(RecordingState::Off),
        RecordingRule::Off => None,
    }
}

/// An order that comes twice changes nothing the second time.
pub fn obeyed(state: RecordingState, order: RecordingOrder) -> Result<RecordingState, NothingRecorded> {
    match (order, state) {
        (RecordingOrder::Start, _) => Ok(RecordingState::Recording),
        (RecordingOrder::Stop, _) => Ok(RecordingState::Off),
        (RecordingOrder::Pause | RecordingOrder::Resume, RecordingState::Off) => Err(NothingRecorded),
        (
            RecordingOrder::Pause,
            RecordingState::Recording | RecordingState::Interrupted | RecordingState::Paused,
        ) => Ok(RecordingState::Paused),
        (
            RecordingOrder::Resume,
            RecordingState::Recording | RecordingState::Interrupted | RecordingState::Paused,
        ) => Ok(RecordingState::Recording),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persona_says_whether_a_call_is_recorded_from_the_start_on_demand_or_never() {
        assert_eq!(at_the_start(RecordingRule::On), Some(RecordingState::Recording));
        assert_eq!(at_the_start(RecordingRule::Consent), Some(RecordingState::Off));
        assert_eq!(at_the_start(RecordingRule::Off), None);
    }

    #[test]
    fn every_order_has_one_meaning_in_every_state() {
        use RecordingOrder::{Pause, Resume, Start, Stop};
        use RecordingState::{Interrupted, Off, Paused, Recording};
        for (state, start, stop, pause, resume) in [
            (Off, Ok(Recording), Ok(Off), Err(NothingRecorded), Err(NothingRecorded)),
            (Recording, Ok(Recording), Ok(Off), Ok(Paused), Ok(Recording)),
            (Interrupted, Ok(Recording), Ok(Off), Ok(Paused), Ok(Recording)),
            (Paused, Ok(Recording), Ok(Off), Ok(Paused), Ok(Recording)),
        ] {
            let obeyed = [Start, Stop, Pause, Resume].map(|order| obeyed(state, order));
            assert_eq!(obeyed, [start, stop, pause, resume], "{state:?}");
        }
    }
}
