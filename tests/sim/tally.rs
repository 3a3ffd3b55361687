//! What a world had, so that a suite can tell that it tried what it says.

use std::collections::BTreeMap;
use std::fmt;

use clearline::domain::Outcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    Worlds,
    Calls,
    Datagrams,
    PacketsLost,
    SignalsLost,
    Doubled,
    /// One that was sent later on the same way came sooner.
    Overtaken,
    DelayedByAFrame,
    /// Longer under way than the way is long.
    Jittered,
    CallersWhoHeardTheModel,
    ModelsWhoHeardTheCaller,
    FramesDueToCallers,
    FramesDueToModels,
    SessionCrashes,
    CrashesOverMail,
    CrashesInMidWork,
    Rebuilds,
    /// Rebuilt while the model owed the caller something, and heard again in time.
    HeardAgainAfterRebuild,
    ForgedPackets,
    StolenSsrcs,
    MisdirectedPackets,
    ForgedReports,
    WrongPortPackets,
    Rebindings,
    SsrcChanges,
    SequenceJumps,
    StepsBack,
    MovesUnderAnotherSsrc,
    SharedSsrcs,
    SharedAddresses,
    PrivateAddresses,
    WrongAddresses,
    EarlyMedia,
    PacketsBeforeTheAnswer,
    PacketsAfterTheEnd,
    Reports,
    ModelRefusals,
    ModelLosses,
    ModelGoAways,
    HandlesForgotten,
    KeysReported,
    DefaultKeysUsed,
    PortsReused,
    UnclearFrames,
}

impl Seen {
    /// What the network does to more than one datagram in a thousand, taken over all worlds.
    pub(crate) const WEATHER: [Self; 5] =
        [Self::PacketsLost, Self::Doubled, Self::Overtaken, Self::DelayedByAFrame, Self::Jittered];
    /// What every suite must have met.
    pub(crate) const TROUBLES: [Self; 31] = [
        Self::SignalsLost,
        Self::SessionCrashes,
        Self::CrashesOverMail,
        Self::CrashesInMidWork,
        Self::Rebuilds,
        Self::HeardAgainAfterRebuild,
        Self::ForgedPackets,
        Self::StolenSsrcs,
        Self::MisdirectedPackets,
        Self::ForgedReports,
        Self::WrongPortPackets,
        Self::Rebindings,
        Self::SsrcChanges,
        Self::SequenceJumps,
        Self::StepsBack,
        Self::MovesUnderAnotherSsrc,
        Self::SharedSsrcs,
        Self::SharedAddresses,
        Self::PrivateAddresses,
        Self::WrongAddresses,
        Self::EarlyMedia,
        Self::PacketsBeforeTheAnswer,
        Self::PacketsAfterTheEnd,
        Self::Reports,
        Self::ModelRefusals,
        Self::ModelLosses,
        Self::ModelGoAways,
        Self::HandlesForgotten,
        Self::KeysReported,
        Self::DefaultKeysUsed,
        Self::PortsReused,
    ];
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    seen: BTreeMap<Seen, u64>,
    outcomes: BTreeMap<&'static str, u64>,
    /// Of all that was sent, in every world.
    pub(crate) digest: u64,
    /// The most calls that were live together in one world.
    pub(crate) most_live: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, seen: Seen, times: u64) {
        *self.seen.entry(seen).or_default() += times;
    }

    pub(crate) fn note_live(&mut self, calls: u64) {
        self.most_live = self.most_live.max(calls);
    }

    pub(crate) fn end(&mut self, outcome: Outcome) {
        *self.outcomes.entry(outcome.as_str()).or_default() += 1;
    }

    pub(crate) fn of(&self, seen: Seen) -> u64 {
        self.seen.get(&seen).copied().unwrap_or(0)
    }

    pub(crate) fn outcomes(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(outcome.as_str()).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (seen, times) in &other.seen {
            self.count(*seen, *times);
        }
        for (outcome, times) in &other.outcomes {
            *self.outcomes.entry(outcome).or_default() += times;
        }
        self.digest = self.digest.wrapping_add(other.digest);
        self.note_live(other.most_live);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (seen, times) in &self.seen {
            writeln!(f, "{seen:?}: {times}")?;
        }
        for (outcome, times) in &self.outcomes {
            writeln!(f, "ended as {outcome}: {times}")?;
        }
        writeln!(f, "live together: {}", self.most_live)
    }
}
