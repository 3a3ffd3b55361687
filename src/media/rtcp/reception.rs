//! The statistics of one stream we hear (RFC 3550, appendix A.1, A.3 and A.8).

use std::time::Instant;

use crate::media::rtp::RtpPacket;

/// A step ahead of this many packets is a restart of the numbering, not loss.
const MAX_DROPOUT: u16 = 3_000;
/// A packet older than this many is a restart as well, not reordering.
const MAX_MISORDER: u16 = 100;
const SEQUENCE_CYCLE: u32 = 1 << 16;
/// Noise estimate and jitter are kept in sixteenths of a tick, as the appendix does.
const JITTER_SHIFT: u32 = 4;

#[derive(Debug)]
pub struct Reception {
    ssrc: u32,
    clock_rate_hz: u32,
    base_sequence: u32,
    max_sequence: u16,
    cycles: u32,
    received: u32,
    /// Packets expected and received before the numbering restarted.
    finished: Totals,
    reported: Totals,
    /// The number that would confirm a restart, after one packet far out of line.
    restart_candidate: Option<u16>,
    jitter_sixteenths: u32,
    last_arrival: Option<(Instant, u32)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    expected: u32,
    received: u32,
}

impl Reception {
    pub fn new(packet: &RtpPacket<'_>, clock_rate_hz: u32, now: Instant) -> Self {
        Self {
            ssrc: packet.ssrc,
            clock_rate_hz,
            base_sequence: packet.sequence.into(),
            max_sequence: packet.sequence,
            cycles: 0,
            received: 1,
            finished: Totals::default(),
            reported: Totals::default(),
            restart_candidate: None,
            jitter_sixteenths: 0,
            last_arrival: Some((now, packet.timestamp)),
        }
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub fn on_packet(&mut self, packet: &RtpPacket<'_>, now: Instant) {
        if self.count(packet.sequence) {
            self.measure_jitter(packet.timestamp, now);
        }
    }

    /// Packets that should have come, since the stream began.
    pub fn expected(&self) -> u32 {
        self.totals().expected
    }

    /// Negative when duplicates outnumber losses.
    pub fn lost(&self) -> i32 {
        let totals = self.totals();
        totals.expected.wrapping_sub(totals.received) as i32
    }

    pub fn highest_sequence(&self) -> u32 {
        self.cycles.wrapping_add(self.max_sequence.into())
    }

    /// In ticks of the RTP clock.
    pub fn jitter(&self) -> u32 {
        self.jitter_sixteenths >> JITTER_SHIFT
    }

    /// The share lost since this was last asked, in 256ths.
    pub fn take_fraction_lost(&mut self) -> u8 {
        let totals = self.totals();
        let expected = totals.expected.wrapping_sub(self.reported.expected);
        let received = totals.received.wrapping_sub(self.reported.received);
        self.reported = totals;
        let lost = expected.saturating_sub(received);
        if expected == 0 { 0 } else { (u64::from(lost) * 256 / u64::from(expected)).min(255) as u8 }
    }

    fn totals(&self) -> Totals {
        let expected = self.highest_sequence().wrapping_sub(self.base_sequence).wrapping_add(1);
        Totals {
            expected: self.finished.expected.wrapping_add(expected),
            received: self.finished.received.wrapping_add(self.received),
        }
    }

    /// Whether the packet belongs to the numbering.
    fn count(&mut self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.max_sequence);
        if ahead < MAX_DROPOUT {
            if sequence < self.max_sequence {
                self.cycles = self.cycles.wrapping_add(SEQUENCE_CYCLE);
            }
            self.max_sequence = sequence;
        } else if ahead <= u16::MAX - MAX_MISORDER {
            if self.restart_candidate != Some(sequence) {
                self.restart_candidate = Some(sequence.wrapping_add(1));
                return false;
            }
            self.restart(sequence);
            return true;
        }
        self.restart_candidate = None;
        self.received = self.received.wrapping_add(1);
        true
    }

    /// Two packets in a row far out of line: the far end began a new numbering (a jump, not a loss of thousands).
    fn restart(&mut self, sequence: u16) {
        self.finished = self.totals();
        // The packet that announced the restart was heard as well.
        self.base_sequence = sequence.wrapping_sub(1).into();
        self.cycles = if sequence == 0 { SEQUENCE_CYCLE } else { 0 };
        self.max_sequence = sequence;
        self.received = 2;
        self.restart_candidate = None;
        self.last_arrival = None;
    }

    fn measure_jitter(&mut self, timestamp: u32, now: Instant) {
        if let Some((before, earlier)) = self.last_arrival {
            let elapsed = now.saturating_duration_since(before).as_nanos() * u128::from(self.clock_rate_hz);
            let ticks = (elapsed / 1_000_000_000) as u32;
            let difference = ticks.wrapping_sub(timestamp.wrapping_sub(earlier)) as i32;
            // A time-stamp jump is no jitter: beyond a second the clock was set anew.
            if difference.unsigned_abs() < self.clock_rate_hz {
                let decay = (self.jitter_sixteenths + 8) >> JITTER_SHIFT;
                self.jitter_sixteenths = self.jitter_sixteenths + difference.unsigned_abs() - decay;
            }
        }
        self.last_arrival = Some((now, timestamp));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RATE_HZ: u32 = 8_000;

    fn packet(sequence: u16, timestamp: u32) -> RtpPacket<'static> {
        RtpPacket { ssrc: 5, sequence, timestamp, payload_type: 0, marker: false, payload: &[] }
    }

    fn heard(sequences: impl IntoIterator<Item = u16>) -> Reception {
        let now = test_now();
        let mut sequences = sequences.into_iter();
        let mut reception = Reception::new(&packet(sequences.next().unwrap(), 0), RATE_HZ, now);
        sequences.for_each(|sequence| reception.on_packet(&packet(sequence, 0), now));
        reception
    }

    #[expect(clippy::disallowed_methods, reason = "any instant will do as the origin of a test")]
    fn test_now() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_gap_is_loss_and_a_late_packet_fills_it() {
        let mut reception = heard([10, 11, 13, 14]);
        assert_eq!((reception.expected(), reception.lost(), reception.take_fraction_lost()), (5, 1, 51));
        reception.on_packet(&packet(12, 0), test_now());
        assert_eq!((reception.lost(), reception.take_fraction_lost()), (0, 0));
    }

    #[test]
    fn duplicates_count_as_negative_loss() {
        assert_eq!(heard([10, 11, 11, 11]).lost(), -2);
    }

    #[test]
    fn numbers_that_wrap_go_on_counting() {
        let reception = heard([65_534, 65_535, 0, 1]);
        assert_eq!((reception.expected(), reception.lost()), (4, 0));
        assert_eq!(reception.highest_sequence(), 65_537);
    }

    #[test]
    fn a_jump_in_the_numbering_is_no_loss() {
        let reception = heard([10, 11, 30_000, 30_001, 30_002]);
        assert_eq!((reception.expected(), reception.lost()), (5, 0));
    }

    #[test]
    fn a_jump_to_the_wrap_is_no_loss_either() {
        let reception = heard([1_000, 1_001, 65_535, 0, 1]);
        assert_eq!((reception.expected(), reception.lost()), (5, 0));
    }

    #[test]
    fn one_stray_packet_does_not_restart_the_numbering() {
        let reception = heard([10, 11, 30_000, 12]);
        assert_eq!((reception.expected(), reception.lost()), (3, 0));
    }

    #[test]
    fn even_arrivals_have_no_jitter_and_uneven_ones_have() {
        let start = test_now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut even = Reception::new(&packet(0, 0), RATE_HZ, start);
        let mut uneven = Reception::new(&packet(0, 0), RATE_HZ, start);
        for count in 1..200_u16 {
            let packet = packet(count, u32::from(count) * 160);
            even.on_packet(&packet, at(u64::from(count) * 20));
            uneven.on_packet(&packet, at(u64::from(count) * 20 + u64::from(count % 2) * 10));
        }
        assert_eq!(even.jitter(), 0);
        assert!((75..=85).contains(&uneven.jitter()), "{} ticks, 80 are 10 ms", uneven.jitter());
    }

    #[test]
    fn a_jump_of_the_timestamp_is_no_jitter() {
        let start = test_now();
        let mut reception = Reception::new(&packet(0, 0), RATE_HZ, start);
        reception.on_packet(&packet(1, 3_000_000_000), start + Duration::from_millis(20));
        assert_eq!(reception.jitter(), 0);
    }
}
