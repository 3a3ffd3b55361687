//! What goes wrong in one call: its session dies, its far end moves, forgers try their luck, the model fails.

use std::time::Duration;

use clearline::domain::Entropy;
use serde::{Deserialize, Serialize};

/// All times but those of the model run from the call's start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Trouble {
    pub(crate) crashes: Vec<Crash>,
    pub(crate) deeds: Vec<(Duration, Deed)>,
    pub(crate) model: Vec<ModelTrouble>,
}

/// When the session dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Crash {
    At(Duration),
    /// With so many signals taken before: this one dies with it.
    OverSignal(u32),
    /// After it has done so much of what its machines wanted done; the rest is lost.
    AfterOutputs(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Deed {
    Move(Move),
    Forge(Forgery),
}

/// What becomes of the far end's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Move {
    /// Its NAT gives it another port.
    Rebind,
    ChangeSsrc,
    /// Another number and another time, under the same SSRC.
    JumpInSequence,
    /// Another time under the same SSRC, and a number that was used so many packets ago.
    StepBack(u16),
    /// Another port and another SSRC at once, after a pause.
    RebindUnderAnotherSsrc,
}

/// What is sent by those who have no part in the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Forgery {
    /// From a host that has nothing to do with the call, under an SSRC of its own.
    Stranger,
    /// From such a host, going on with the stream of the far end.
    Thief,
    /// Another phone of the same host sends to the wrong port.
    Misdirected,
    /// The far end's audio to the port of the reports.
    WrongPort,
    /// A goodbye in the far end's name, from another host.
    Goodbye,
    Garbage,
}

/// How the model fails the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ModelTrouble {
    /// So many connections are refused with 503.
    Unavailable(u32),
    /// The first setup is never answered.
    NoAnswerToSetup,
    /// Restored sessions are not found.
    ForgetsHandles,
    /// Closes a connection that has been live so long.
    Closes {
        code: u16,
        after: Duration,
    },
    Cut {
        after: Duration,
    },
    GoesAway {
        after: Duration,
        left: Duration,
    },
}

const CRASH_WITHIN_MS: u64 = 7_000;
const DEED_WITHIN_MS: u64 = 8_000;
const SIGNALS: u64 = 4;
const OUTPUTS: u64 = 40;
/// Past the numbers that a receiver takes for packets that come late or twice.
const STEPS: u64 = 100;

impl Trouble {
    pub(crate) fn drawn(entropy: &mut Entropy) -> Self {
        let crashes = match entropy.below(16) {
            0 => 3,
            1..=2 => 2,
            3..=5 => 1,
            _ => 0,
        };
        let deeds = entropy.below(4);
        let model = entropy.below(6) / 4;
        Self {
            crashes: (0..crashes).map(|_| Crash::drawn(entropy)).collect(),
            deeds: (0..deeds).map(|_| (drawn_ms(entropy, DEED_WITHIN_MS), Deed::drawn(entropy))).collect(),
            model: (0..model).map(|_| ModelTrouble::drawn(entropy)).collect(),
        }
    }

    pub(crate) fn has_move(&self, wanted: Move) -> bool {
        self.deeds.iter().any(|(_, deed)| *deed == Deed::Move(wanted))
    }
}

impl Crash {
    fn drawn(entropy: &mut Entropy) -> Self {
        match entropy.below(4) {
            0 => Self::OverSignal(entropy.below(SIGNALS) as u32),
            1 => Self::AfterOutputs(entropy.below(OUTPUTS) as u32),
            _ => Self::At(drawn_ms(entropy, CRASH_WITHIN_MS)),
        }
    }
}

impl Deed {
    fn drawn(entropy: &mut Entropy) -> Self {
        match entropy.below(10) {
            0 => Self::Move(Move::Rebind),
            1 => Self::Move(Move::ChangeSsrc),
            2 if entropy.below(2) == 0 => Self::Move(Move::StepBack(entropy.below(STEPS) as u16)),
            2 => Self::Move(Move::JumpInSequence),
            3 => Self::Move(Move::RebindUnderAnotherSsrc),
            4 => Self::Forge(Forgery::Stranger),
            5 => Self::Forge(Forgery::Thief),
            6 => Self::Forge(Forgery::Misdirected),
            7 => Self::Forge(Forgery::WrongPort),
            8 => Self::Forge(Forgery::Goodbye),
            _ => Self::Forge(Forgery::Garbage),
        }
    }
}

impl ModelTrouble {
    fn drawn(entropy: &mut Entropy) -> Self {
        let after = drawn_ms(entropy, 5_000);
        match entropy.below(8) {
            0 => Self::Unavailable(1 + entropy.below(2) as u32),
            1 => Self::NoAnswerToSetup,
            2 => Self::ForgetsHandles,
            3 => Self::Closes { code: 1_011, after },
            4 => Self::Closes { code: 1_007, after },
            5 => Self::GoesAway { after, left: drawn_ms(entropy, 6_000) },
            _ => Self::Cut { after },
        }
    }
}

fn drawn_ms(entropy: &mut Entropy, bound: u64) -> Duration {
    Duration::from_millis(entropy.below(bound))
}
