//! How a call learns who it talks to, and when it stops believing anybody else.
//!
//! The rules, in the order they are asked (DESIGN, Latching):
//! 1. The source the call has taken (same SSRC, same address) is heard.
//! 2. Nobody else is heard before two packets in sequence.
//! 3. Without a source any ranked one is taken.
//! 4. While learning, a better rank replaces a worse one. Learning ends 3 s after the first packet that follows the
//!    answer; a changed expectation opens it again, and what was taken before is kept until the new is proven.
//! 5. On the taken host, the same SSRC from another port (NAT rebinding) or another SSRC from the same address is
//!    taken at any time; both new at once only after 500 ms without the old.
//! 6. Another host is never taken otherwise.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::media::rtp::RtpPacket;

use super::candidates::{Candidate, Candidates};
use super::counters::DropReason;
use super::expectation::{Expectation, Rank};
use super::ports::Tenant;

const LEARNING_WINDOW: Duration = Duration::from_secs(3);
const SILENCE_BEFORE_STRANGER: Duration = Duration::from_millis(500);
/// What a sender can add in the minute its stream is remembered: a hundred packets a second …
const MAX_CONTINUATION: u16 = 6_000;
/// … and the ticks of the fastest clock there is for voice (48 kHz).
const MAX_CONTINUATION_TICKS: u32 = 60 * 48_000;

/// What the call's log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatchEvent {
    /// The first source was taken: `Locked RTP session {call} to SSRC {ssrc}`. Once in a call.
    Locked { ssrc: u32, source: SocketAddr },
    /// Another address was taken: `RTP source moved`.
    Moved { from: SocketAddr, to: SocketAddr, ssrc: u32 },
    /// The same address goes on under another SSRC.
    SsrcChanged { from: u32, to: u32, source: SocketAddr },
}

#[derive(Debug)]
pub(super) struct Latch {
    expectation: Option<Expectation>,
    peer: Option<Peer>,
    candidates: Candidates,
    is_answered: bool,
    learning_ends: Option<Instant>,
    sending_to: Option<SocketAddr>,
    /// The stream of the port's last call, and until when it is refused.
    last_tenant: Option<(Tenant, Instant)>,
}

/// The source the call has taken.
#[derive(Debug, Clone, Copy)]
struct Peer {
    ssrc: u32,
    source: SocketAddr,
    rank: Rank,
    last_sequence: u16,
    last_timestamp: u32,
    last_heard: Instant,
    /// Taken under an older expectation.
    is_kept: bool,
}

impl Latch {
    pub(super) fn new(last_tenant: Option<(Tenant, Instant)>) -> Self {
        Self {
            expectation: None,
            peer: None,
            candidates: Candidates::new(),
            is_answered: false,
            learning_ends: None,
            sending_to: None,
            last_tenant,
        }
    }

    pub(super) fn expect(&mut self, mut expectation: Expectation) {
        if let Some(former) = &self.expectation {
            if expectation.is_hold() {
                expectation.keep_addresses_of(former);
            }
            if former.has_same_sources(&expectation) {
                self.expectation = Some(expectation);
                return;
            }
        }
        self.learn_anew(&expectation);
        self.expectation = Some(expectation);
    }

    /// From the next packet on the learning window runs.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
    }

    /// Whether the call hears this packet; if its source was taken by it, what there is to tell.
    pub(super) fn judge(
        &mut self,
        packet: &RtpPacket<'_>,
        source: SocketAddr,
        now: Instant,
    ) -> Result<Option<LatchEvent>, DropReason> {
        let expectation = self.expectation.as_ref().ok_or(DropReason::NotYet)?;
        let is_taken = self.peer.is_some_and(|peer| peer.ssrc == packet.ssrc && peer.source == source);
        let newcomer = if is_taken { None } else { Some(self.consider(expectation, packet, source, now)?) };
        if !expectation.accepts(packet.payload_type) {
            return Err(DropReason::WrongPayload);
        }
        match newcomer {
            None => {
                self.hear(packet.sequence, packet.timestamp, now);
                Ok(None)
            }
            Some(candidate) if self.candidates.is_proof(candidate) && self.may_take(&candidate, now) => {
                Ok(Some(self.take(&candidate, packet.timestamp, now)))
            }
            Some(_) => Err(DropReason::Unproven),
        }
    }

    /// Where our audio goes: the address in the SDP at once, then the source that was taken.
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        self.sending_to
    }

    /// Reports go where the SDP says while audio does; to a source that moved, next to its audio. Never to a host that
    /// does not get the audio: an SDP is no reason to send to third parties.
    pub(super) fn rtcp_destination(&self) -> Option<SocketAddr> {
        let (expectation, audio) = (self.expectation.as_ref()?, self.sending_to?);
        match expectation.remote_rtcp() {
            None => Some(audio),
            Some(said) if audio == expectation.remote() && said.ip() == audio.ip() => Some(said),
            Some(_) => Some(SocketAddr::new(audio.ip(), audio.port().checked_add(1)?)),
        }
    }

    /// RTCP is read from the hosts the call knows, and teaches it none.
    pub(super) fn knows_host(&self, host: IpAddr) -> bool {
        let said = self.expectation.as_ref();
        self.peer.is_some_and(|peer| peer.source.ip() == host)
            || said.is_some_and(|said| said.remote().ip() == host)
            || said.and_then(Expectation::remote_rtcp).is_some_and(|rtcp| rtcp.ip() == host)
    }

    pub(super) fn tenant(&self) -> Option<Tenant> {
        let Peer { ssrc, source, last_sequence, last_timestamp, .. } = self.peer?;
        Some(Tenant { ssrc, source, last_sequence, last_timestamp })
    }

    pub(super) fn last_heard(&self) -> Option<Instant> {
        self.peer.map(|peer| peer.last_heard)
    }

    fn learn_anew(&mut self, expectation: &Expectation) {
        self.learning_ends = None;
        self.candidates.clear();
        let Some(peer) = &mut self.peer else {
            self.sending_to = expectation.address_to_try();
            return;
        };
        peer.rank = expectation.rank(peer.source).unwrap_or(Rank::Former);
        peer.is_kept = true;
        self.sending_to = expectation.believable_address().or(self.sending_to);
    }

    fn is_learning(&self, now: Instant) -> bool {
        self.learning_ends.is_none_or(|end| now < end)
    }

    /// Whether a source other than the taken one could become the call's.
    fn consider(
        &self,
        expectation: &Expectation,
        packet: &RtpPacket<'_>,
        source: SocketAddr,
        now: Instant,
    ) -> Result<Candidate, DropReason> {
        let rank = self.rank_newcomer(expectation, source, now).ok_or(DropReason::Foreign)?;
        if self.is_last_tenants(expectation, packet, source, now) {
            return Err(DropReason::PreviousTenant);
        }
        Ok(Candidate { ssrc: packet.ssrc, source, rank, sequence: packet.sequence })
    }

    /// How good a source other than the taken one is; `None` if it cannot become the call's, whatever it proves.
    fn rank_newcomer(&self, expectation: &Expectation, source: SocketAddr, now: Instant) -> Option<Rank> {
        let rank = expectation.rank(source);
        match &self.peer {
            None => rank,
            Some(peer) if peer.source.ip() == source.ip() => rank.or(Some(Rank::Former)),
            Some(peer) => rank.filter(|&rank| self.is_learning(now) && peer.may_yield_to(rank)),
        }
    }

    fn may_take(&self, candidate: &Candidate, now: Instant) -> bool {
        let Some(peer) = &self.peer else { return true };
        let is_better = self.is_learning(now) && candidate.rank < peer.rank;
        let is_rebinding = peer.source.ip() == candidate.source.ip()
            && (peer.ssrc == candidate.ssrc || peer.source == candidate.source);
        let is_silent = now.saturating_duration_since(peer.last_heard) >= SILENCE_BEFORE_STRANGER;
        is_better || is_rebinding || is_silent
    }

    fn take(&mut self, candidate: &Candidate, timestamp: u32, now: Instant) -> LatchEvent {
        let &Candidate { ssrc, source, rank, sequence } = candidate;
        let former = self.peer.replace(Peer {
            ssrc,
            source,
            rank,
            last_sequence: sequence,
            last_timestamp: timestamp,
            last_heard: now,
            is_kept: false,
        });
        self.candidates.clear();
        // An old host that rebinds does not draw our audio away from the address the new SDP names.
        if rank != Rank::Former || self.sending_to == former.map(|former| former.source) {
            self.sending_to = Some(source);
        }
        self.hear(sequence, timestamp, now);
        match former {
            None => LatchEvent::Locked { ssrc, source },
            Some(former) if former.source != source => {
                LatchEvent::Moved { from: former.source, to: source, ssrc }
            }
            Some(former) => LatchEvent::SsrcChanged { from: former.ssrc, to: ssrc, source },
        }
    }

    fn hear(&mut self, sequence: u16, timestamp: u32, now: Instant) {
        let is_learning = self.is_learning(now);
        let Some(peer) = &mut self.peer else { return };
        peer.last_sequence = sequence;
        peer.last_timestamp = timestamp;
        peer.last_heard = now;
        if self.is_answered && self.learning_ends.is_none() && peer.rank != Rank::Former {
            self.learning_ends = Some(now + LEARNING_WINDOW);
        }
        if !is_learning {
            // A kept source outlived the window: the new SDP address never spoke.
            self.sending_to = Some(peer.source);
        }
    }

    /// A gateway may use one address and one SSRC for call after call. Where the new SDP names the very address of the
    /// last tenant, only what continues the old numbers and the old clock is taken for a late packet: by its numbers
    /// alone one new stream in eleven would be.
    fn is_last_tenants(
        &self,
        expectation: &Expectation,
        packet: &RtpPacket<'_>,
        source: SocketAddr,
        now: Instant,
    ) -> bool {
        let Some((tenant, until)) = self.last_tenant else { return false };
        let is_theirs = now < until && tenant.ssrc == packet.ssrc && tenant.source == source;
        let ahead = packet.sequence.wrapping_sub(tenant.last_sequence);
        let ticks = packet.timestamp.wrapping_sub(tenant.last_timestamp);
        let goes_on = ahead <= MAX_CONTINUATION && ticks <= MAX_CONTINUATION_TICKS;
        is_theirs && (expectation.remote() != source || goes_on)
    }
}

impl Peer {
    /// A kept source yields to its equals as well: the far end has moved, and both may be strangers to the SDP.
    fn may_yield_to(&self, rank: Rank) -> bool {
        rank < self.rank || (self.is_kept && rank == self.rank)
    }
}
