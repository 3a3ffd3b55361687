//! What became of the packets, by reason.

use super::route::Verdict;

/// Why a packet was not given to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// From a host or port that is not the call's.
    Foreign,
    /// It matches another call's stream and source exactly: its sender has the wrong port.
    Misdirected,
    /// It bears the SSRC of another call but comes from elsewhere.
    Forged,
    /// To a port without a call.
    Unknown,
    /// To a port that rests from a call.
    Late,
    /// The stream of the port's last call, come late to the next one.
    PreviousTenant,
    /// Before any SDP said where audio may come from.
    NotYet,
    /// The first packet of a source that has yet to prove itself by a second one.
    Unproven,
    WrongPayload,
    Malformed,
    /// STUN, DTLS and other things no call of ours has asked for.
    NotMedia,
}

impl DropReason {
    pub const ALL: [Self; 11] = [
        Self::Foreign,
        Self::Misdirected,
        Self::Forged,
        Self::Unknown,
        Self::Late,
        Self::PreviousTenant,
        Self::NotYet,
        Self::Unproven,
        Self::WrongPayload,
        Self::Malformed,
        Self::NotMedia,
    ];

    /// The label in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Misdirected => "misdirected",
            Self::Forged => "forged",
            Self::Unknown => "unknown",
            Self::Late => "late",
            Self::PreviousTenant => "previous_tenant",
            Self::NotYet => "not_yet",
            Self::Unproven => "unproven",
            Self::WrongPayload => "wrong_payload",
            Self::Malformed => "malformed",
            Self::NotMedia => "not_media",
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    pub accepted: u64,
    pub rtcp: u64,
    dropped: [u64; DropReason::ALL.len()],
}

impl Counters {
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    pub fn dropped_in_all(&self) -> u64 {
        self.dropped.iter().sum()
    }

    pub(super) fn count(&mut self, verdict: &Verdict<'_>) {
        match verdict {
            Verdict::Accepted { .. } => self.accepted += 1,
            Verdict::Rtcp(_) => self.rtcp += 1,
            Verdict::Dropped(reason) => self.dropped[*reason as usize] += 1,
        }
    }
}
