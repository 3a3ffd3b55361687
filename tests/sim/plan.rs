//! What happens in one call, drawn from the seed before it begins.

use std::time::Duration;

use clearline::domain::Entropy;
use clearline::media::codec::Codec;

/// How long a phone rings that is called.
pub(crate) const RING_TIME: Duration = Duration::from_millis(300);
/// After this nobody waits for a call to end by itself.
pub(crate) const WORLD_TIME: Duration = Duration::from_secs(12);
/// As many as the supervisor survives.
pub(crate) const CRASHES_MAX: usize = 2;

const STARTS_WITHIN_MS: u64 = 1_000;
/// Early enough to fall into ringing, late enough for two questions and their answers.
const ENDS_AFTER_MS: (u64, u64) = (100, 9_000);
const SPEECH_MS: u64 = 600;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) we_dial: bool,
    pub(crate) codec: Codec,
    pub(crate) starts_at: Duration,
    pub(crate) end: End,
    /// When the session dies, from the call's start on.
    pub(crate) crashes: [Option<Duration>; CRASHES_MAX],
    /// When the caller speaks, from the answer on.
    speaks_at: [Duration; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// From the call's start on: a CANCEL where the call is not answered yet.
    CallerHangsUp(Duration),
    WeHangUp(Duration),
    /// Instead of giving this answer.
    ModelEnds(u32),
}

impl Plan {
    pub(crate) fn drawn(entropy: &mut Entropy) -> Self {
        let end_at = Duration::from_millis(ENDS_AFTER_MS.0 + entropy.below(ENDS_AFTER_MS.1));
        let end = match entropy.below(4) {
            0 => End::ModelEnds(1 + entropy.below(2) as u32),
            1 => End::WeHangUp(end_at),
            _ => End::CallerHangsUp(end_at),
        };
        let mut crash = || {
            let at = Duration::from_millis(entropy.below(8_000));
            (entropy.below(3) == 0).then_some(at)
        };
        let crashes = [crash(), crash()];
        Self {
            we_dial: entropy.below(2) == 0,
            codec: Codec::ALL[entropy.below(Codec::ALL.len() as u64) as usize],
            starts_at: Duration::from_millis(entropy.below(STARTS_WITHIN_MS)),
            end,
            crashes,
            speaks_at: [2_000, 5_000].map(|ms| Duration::from_millis(ms + entropy.below(1_500))),
        }
    }

    pub(crate) fn caller_speaks(&self, since_answer: Duration) -> bool {
        let speech = Duration::from_millis(SPEECH_MS);
        self.speaks_at.iter().any(|&at| (at..at + speech).contains(&since_answer))
    }

    pub(crate) fn caller_speaks_between(&self, from: Duration, to: Duration) -> bool {
        let speech = Duration::from_millis(SPEECH_MS);
        self.speaks_at.iter().any(|&at| at <= to && at + speech >= from)
    }

    pub(crate) fn model_ends_at_answer(&self) -> Option<u32> {
        if let End::ModelEnds(answer) = self.end { Some(answer) } else { None }
    }
}
