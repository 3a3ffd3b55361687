//! What happens in one call, drawn from the seed before it begins.

use std::time::Duration;

use clearline::domain::Entropy;
use clearline::media::codec::Codec;
use serde::{Deserialize, Serialize};

use crate::climate::{Climate, OWNERS};
use crate::trouble::{Crash, Deed, Trouble};

/// How long a phone rings that is called.
pub(crate) const RING_TIME: Duration = Duration::from_millis(300);

const STARTS_WITHIN_MS: u64 = 1_000;
/// Ports rest ten seconds: a call of the second wave may get one that a call of the first has used.
const SECOND_WAVE_MS: u64 = 17_000;
/// Early enough to fall into ringing, late enough for two questions and their answers.
const ENDS_AFTER_MS: (u64, u64) = (100, 8_000);
const SPEECH_MS: u64 = 600;
const SPEAKS_AFTER_MS: [u64; 2] = [1_800, 4_500];
const PREPARED_WITHIN_MS: u64 = 40;
const LINGERS_MS: u64 = 4_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Plan {
    pub(crate) we_dial: bool,
    pub(crate) codec: Codec,
    pub(crate) starts_at: Duration,
    pub(crate) end: End,
    pub(crate) claim: Claim,
    /// Says its caller's tone while it still rings, and where from.
    pub(crate) early_media: bool,
    /// Its answer then does not say again what the early media said.
    pub(crate) bare_answer: bool,
    /// Sends comfort noise now and then where the others send silent frames.
    pub(crate) comfort_noise: bool,
    /// Goes on sending after the call is over.
    pub(crate) lingers_for: Duration,
    /// What admission takes: the owner is looked up, the key leased, the route opened.
    pub(crate) prepared_after: Duration,
    pub(crate) owner: usize,
    pub(crate) trouble: Trouble,
    /// When the caller speaks, from the answer on.
    speaks_at: [Duration; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// From the call's start on: a CANCEL where the call is not answered yet.
    CallerHangsUp(Duration),
    WeHangUp(Duration),
    /// Instead of giving this answer.
    ModelEnds(u32),
}

/// What a phone's SDP says about the address it sends from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Claim {
    True,
    /// An address behind its NAT.
    Private,
    /// The address of another phone on its host.
    Wrong,
}

impl Plan {
    /// In a crowd all come at once; where phones lie, one's SDP may name a private or a wrong address.
    pub(crate) fn drawn(climate: &Climate, (is_crowded, lies): (bool, bool), entropy: &mut Entropy) -> Self {
        let end_at = Duration::from_millis(ENDS_AFTER_MS.0 + entropy.below(ENDS_AFTER_MS.1));
        let end = match entropy.below(5) {
            0 => End::ModelEnds(1 + entropy.below(2) as u32),
            1 => End::WeHangUp(end_at),
            _ => End::CallerHangsUp(end_at),
        };
        let claim = match entropy.below(3) {
            0 if lies => Claim::Private,
            1 if lies => Claim::Wrong,
            _ => Claim::True,
        };
        let is_late = !is_crowded && entropy.below(4) == 0;
        let wave = if is_late { SECOND_WAVE_MS } else { 0 };
        Self {
            we_dial: entropy.below(2) == 0,
            codec: Codec::ALL[entropy.below(Codec::ALL.len() as u64) as usize],
            starts_at: Duration::from_millis(wave + entropy.below(STARTS_WITHIN_MS)),
            end,
            claim,
            early_media: entropy.below(3) == 0,
            // Early media is not acknowledged: where it may be lost the answer must repeat it.
            bare_answer: entropy.below(2) == 0 && climate.weather.is_calm(),
            comfort_noise: entropy.below(5) == 0,
            lingers_for: Duration::from_millis(entropy.below(2) * entropy.below(LINGERS_MS)),
            prepared_after: Duration::from_millis(entropy.below(PREPARED_WITHIN_MS)),
            owner: entropy.below(OWNERS as u64) as usize,
            trouble: Trouble::drawn(entropy),
            speaks_at: SPEAKS_AFTER_MS.map(|ms| Duration::from_millis(ms + entropy.below(1_200))),
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

    pub(crate) fn deeds(&self) -> &[(Duration, Deed)] {
        &self.trouble.deeds
    }

    pub(crate) fn crashes(&self) -> &[Crash] {
        &self.trouble.crashes
    }
}

/// A caller who tells the truth, asks two questions and hangs up.
impl Default for Plan {
    fn default() -> Self {
        Self {
            we_dial: false,
            codec: Codec::Pcmu,
            starts_at: Duration::ZERO,
            end: End::CallerHangsUp(Duration::from_millis(ENDS_AFTER_MS.1)),
            claim: Claim::True,
            early_media: false,
            bare_answer: false,
            comfort_noise: false,
            lingers_for: Duration::ZERO,
            prepared_after: Duration::ZERO,
            owner: 0,
            trouble: Trouble::default(),
            speaks_at: SPEAKS_AFTER_MS.map(Duration::from_millis),
        }
    }
}
