//! One call's RTCP: what to report and when, and what the far end reported.

use std::time::{Duration, Instant};

use crate::domain::Entropy;
use crate::media::rtp::RtpPacket;

use super::packets::{Part, ReportBlock, SenderInfo, parts, write_bye, write_cname, write_report};
use super::reception::Reception;

/// RFC 3550, section 6.2: five seconds, and half as much again either way so that calls do not report in step.
const INTERVAL: Duration = Duration::from_secs(5);
/// A stream paused for longer than this is reported by RR, not by SR (RFC 3550, section 6.4: two intervals).
const SENDER_FOR: Duration = Duration::from_secs(10);
/// A longer round trip than this is a wrong clock.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(10);

pub struct RtcpReporter {
    ssrc: u32,
    cname: String,
    clock_rate_hz: u32,
    /// NTP times count from here: RFC 3550 allows elapsed time to those who report no wall clock.
    started: Instant,
    entropy: Entropy,
    next_report: Instant,
    sent: Option<Sent>,
    reception: Option<Reception>,
    last_sender_report: Option<(u32, Instant)>,
    remote: Remote,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    packets: u32,
    octets: u32,
    timestamp: u32,
    at: Instant,
}

#[derive(Debug, Clone, Copy, Default)]
struct Remote {
    block: Option<ReportBlock>,
    round_trip: Option<Duration>,
}

/// What one packet from the far end said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Feedback {
    pub round_trip: Option<Duration>,
    pub is_bye: bool,
}

/// The call's quality so far, for its record.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quality {
    pub expected: u32,
    pub lost: i32,
    pub jitter_ms: f32,
    pub round_trip: Option<Duration>,
    /// As the far end reports our stream.
    pub remote_lost: Option<i32>,
    /// Of its last interval, 0 to 1.
    pub remote_fraction_lost: Option<f32>,
    pub remote_jitter_ms: Option<f32>,
}

impl RtcpReporter {
    pub fn new(ssrc: u32, cname: String, clock_rate_hz: u32, mut entropy: Entropy, now: Instant) -> Self {
        // The first report comes early (RFC 3550 halves the first interval): short calls get one too.
        let next_report = now + randomised(INTERVAL / 2, &mut entropy);
        Self {
            ssrc,
            cname,
            clock_rate_hz: clock_rate_hz.max(1),
            started: now,
            entropy,
            next_report,
            sent: None,
            reception: None,
            last_sender_report: None,
            remote: Remote::default(),
        }
    }

    pub fn on_sent(&mut self, timestamp: u32, payload_bytes: usize, now: Instant) {
        let (packets, octets) = self.sent.map_or((0, 0), |sent| (sent.packets, sent.octets));
        self.sent = Some(Sent {
            packets: packets.wrapping_add(1),
            octets: octets.wrapping_add(payload_bytes as u32),
            timestamp,
            at: now,
        });
    }

    /// A new SSRC begins new statistics.
    pub fn on_received(&mut self, packet: &RtpPacket<'_>, now: Instant) {
        match &mut self.reception {
            Some(reception) if reception.ssrc() == packet.ssrc => reception.on_packet(packet, now),
            other => *other = Some(Reception::new(packet, self.clock_rate_hz, now)),
        }
    }

    pub fn on_packet(&mut self, datagram: &[u8], now: Instant) -> Feedback {
        let mut feedback = Feedback::default();
        for part in parts(datagram) {
            match part {
                Part::SenderReport { ssrc, info, blocks } => {
                    self.on_sender_report(ssrc, &info, now);
                    self.on_blocks(blocks.iter(), now, &mut feedback);
                }
                Part::ReceiverReport { blocks } => self.on_blocks(blocks.iter(), now, &mut feedback),
                Part::Bye => feedback.is_bye = true,
                Part::Other => {}
            }
        }
        feedback
    }

    pub fn next_due(&self) -> Instant {
        self.next_report
    }

    /// A report when one is due, else `None`. Late calls of this do not make up for missed reports.
    pub fn due(&mut self, now: Instant) -> Option<Vec<u8>> {
        if now < self.next_report {
            return None;
        }
        self.next_report = now + randomised(INTERVAL, &mut self.entropy);
        Some(self.report(now))
    }

    /// A last report with a goodbye.
    pub fn bye(&mut self, now: Instant) -> Vec<u8> {
        let mut out = self.report(now);
        write_bye(self.ssrc, &mut out);
        out
    }

    pub fn quality(&self) -> Quality {
        let in_ms = |ticks: u32| ticks as f32 * 1_000.0 / self.clock_rate_hz as f32;
        let reception = self.reception.as_ref();
        let remote = self.remote.block;
        Quality {
            expected: reception.map_or(0, Reception::expected),
            lost: reception.map_or(0, Reception::lost),
            jitter_ms: reception.map_or(0.0, |reception| in_ms(reception.jitter())),
            round_trip: self.remote.round_trip,
            remote_lost: remote.map(|block| block.cumulative_lost),
            remote_fraction_lost: remote.map(|block| f32::from(block.fraction_lost) / 256.0),
            remote_jitter_ms: remote.map(|block| in_ms(block.jitter)),
        }
    }

    fn report(&mut self, now: Instant) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        let (info, block) = (self.sender_info(now), self.report_block(now));
        write_report(self.ssrc, info.as_ref(), block.as_ref(), &mut out);
        write_cname(self.ssrc, &self.cname, &mut out);
        out
    }

    fn sender_info(&self, now: Instant) -> Option<SenderInfo> {
        let sent = self.sent?;
        let since = now.saturating_duration_since(sent.at);
        let ticks = since.as_micros() * u128::from(self.clock_rate_hz) / 1_000_000;
        (since < SENDER_FOR).then(|| SenderInfo {
            ntp: self.ntp(now),
            rtp_timestamp: sent.timestamp.wrapping_add(ticks as u32),
            packets: sent.packets,
            octets: sent.octets,
        })
    }

    fn report_block(&mut self, now: Instant) -> Option<ReportBlock> {
        let reception = self.reception.as_mut()?;
        let last = self.last_sender_report;
        Some(ReportBlock {
            ssrc: reception.ssrc(),
            fraction_lost: reception.take_fraction_lost(),
            cumulative_lost: reception.lost(),
            highest_sequence: reception.highest_sequence(),
            jitter: reception.jitter(),
            last_report: last.map_or(0, |(stamp, _)| stamp),
            delay_since_last_report: last.map_or(0, |(_, at)| short_ntp(now.saturating_duration_since(at))),
        })
    }

    fn on_sender_report(&mut self, ssrc: u32, info: &SenderInfo, now: Instant) {
        // Another source's report would make our answer name a time its sender never wrote.
        if self.reception.as_ref().is_none_or(|reception| reception.ssrc() == ssrc) {
            self.last_sender_report = Some(((info.ntp >> 16) as u32, now));
        }
    }

    fn on_blocks(
        &mut self,
        blocks: impl Iterator<Item = ReportBlock>,
        now: Instant,
        feedback: &mut Feedback,
    ) {
        for block in blocks.filter(|block| block.ssrc == self.ssrc) {
            self.remote.block = Some(block);
            if let Some(round_trip) = self.round_trip(&block, now) {
                self.remote.round_trip = Some(round_trip);
                feedback.round_trip = Some(round_trip);
            }
        }
    }

    /// RFC 3550, section 6.4.1: now, less when we wrote, less how long it waited there.
    fn round_trip(&self, block: &ReportBlock, now: Instant) -> Option<Duration> {
        if block.last_report == 0 {
            return None;
        }
        let arrival = (self.ntp(now) >> 16) as u32;
        let ticks = arrival.wrapping_sub(block.last_report).wrapping_sub(block.delay_since_last_report);
        let round_trip = Duration::from_nanos((u64::from(ticks) * 1_000_000_000) >> 16);
        (round_trip <= MAX_ROUND_TRIP).then_some(round_trip)
    }

    fn ntp(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.started);
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        (elapsed.as_secs() << 32) | fraction
    }
}

/// In 1/65536 s.
fn short_ntp(duration: Duration) -> u32 {
    (duration.as_nanos() * 65_536 / 1_000_000_000).min(u32::MAX.into()) as u32
}

/// Between half and one and a half of `interval`.
fn randomised(interval: Duration, entropy: &mut Entropy) -> Duration {
    interval / 2 + Duration::from_micros(entropy.below(interval.as_micros() as u64))
}
