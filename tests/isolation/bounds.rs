//! What an end of a call may hear beside its own voice. Zero foreign samples would also be counted in a call that hears
//! noise, or nothing: so each share of a talk is bounded, from the first word on.

use clearline::sandbox::network::Impairment;

use crate::hall::{PAUSE_MS, SPEECH_MS, TURN_MS};
use crate::judge::Tally;

pub(crate) struct Bounds {
    silent_percent: u64,
    unclear_percent: u64,
}

/// A machine that is late with its frames makes pauses longer. They may be twice as long as they are meant to be.
const STARVED: u64 = 2;
/// Where a far end's word begins and ends: half a percent of it. It has no jitter buffer: what is lost is left out.
const EDGES_PERCENT: u64 = 3;
/// What comes late is as good as lost for the model's end, which conceals it; 0.2 % on a quiet machine.
const CONCEALED_PERCENT: u64 = 10;
/// 2 % of all frames are lost, each spoils one and a half by its edges, and the jitter buffer stretches others: 5 % in
/// the worst call of fifty.
const CONCEALED_IN_A_BAD_NETWORK_PERCENT: u64 = 15;

impl Bounds {
    /// Of far ends and of models. A model's turn is over before its caller's speech is, and the next one begins after it:
    /// both have the rhythm of the callers.
    pub(crate) fn over(network: Option<Impairment>) -> [Self; 2] {
        let round_ms = (SPEECH_MS + PAUSE_MS) as u64;
        let silent_percent = |speech_ms: u64| STARVED * 100 * (round_ms - speech_ms) / round_ms;
        let concealed = network.map_or(CONCEALED_PERCENT, |_| CONCEALED_IN_A_BAD_NETWORK_PERCENT);
        [
            Self { silent_percent: silent_percent(TURN_MS), unclear_percent: EDGES_PERCENT },
            Self { silent_percent: silent_percent(SPEECH_MS as u64), unclear_percent: concealed },
        ]
    }

    /// What is wrong, if anything is.
    pub(crate) fn complaint(&self, tally: &Tally) -> Option<String> {
        let Self { silent_percent, unclear_percent } = self;
        let is_too_much = |part: u64, percent: u64| part * 100 > tally.talk() * percent;
        if is_too_much(tally.silent, *silent_percent) {
            return Some(format!("silence for more than {silent_percent} % of the talk"));
        }
        let is_unclear = is_too_much(tally.unclear, *unclear_percent);
        is_unclear.then(|| format!("nobody's voice for more than {unclear_percent} % of the talk"))
    }
}
