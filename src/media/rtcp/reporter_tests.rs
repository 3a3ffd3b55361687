use std::time::{Duration, Instant};

use super::packets::{ReportBlock, write_report};
use super::*;
use crate::domain::Entropy;
use crate::media::rtp::RtpPacket;

const RATE_HZ: u32 = 8_000;

#[expect(clippy::disallowed_methods, reason = "any instant will do as the origin of a test")]
fn start() -> Instant {
    Instant::now()
}

fn reporter(ssrc: u32, now: Instant) -> RtcpReporter {
    RtcpReporter::new(ssrc, format!("{ssrc}@test"), RATE_HZ, Entropy::from_number(ssrc.into()), now)
}

fn packet(ssrc: u32, sequence: u16) -> RtpPacket<'static> {
    let timestamp = u32::from(sequence) * 160;
    RtpPacket { ssrc, sequence, timestamp, payload_type: 0, marker: false, payload: &[0; 160] }
}

#[test]
fn a_silent_side_reports_by_rr_and_a_sending_one_by_sr() {
    let now = start();
    let mut reporter = reporter(1, now);
    assert_eq!(reporter.bye(now)[1], 201);
    reporter.on_sent(0, 160, now);
    assert_eq!(reporter.bye(now)[1], 200);
    assert_eq!(reporter.bye(now + Duration::from_secs(11))[1], 201);
}

#[test]
fn reports_come_every_five_seconds_or_so_and_not_in_step() {
    let now = start();
    let mut reporter = reporter(1, now);
    let mut gaps = Vec::new();
    for _ in 0..50 {
        let due = reporter.next_due();
        assert_eq!(reporter.due(due - Duration::from_millis(1)), None);
        assert!(reporter.due(due).is_some());
        gaps.push(reporter.next_due() - due);
    }
    let (shortest, longest) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
    assert!(*shortest >= Duration::from_millis(2_500) && *longest <= Duration::from_millis(7_500));
    assert!(*longest - *shortest > Duration::from_secs(3));
}

#[test]
fn two_reporters_measure_the_round_trip_between_them() {
    let now = start();
    let ms = |milliseconds| now + Duration::from_millis(milliseconds);
    let (mut here, mut there) = (reporter(1, now), reporter(2, now));
    here.on_sent(0, 160, now);
    there.on_received(&packet(1, 0), ms(40));
    let report = here.bye(ms(1_000));
    there.on_packet(&report, ms(1_040));
    let feedback = here.on_packet(&there.bye(ms(3_000)), ms(3_040));
    let round_trip = feedback.round_trip.unwrap().as_millis();
    assert!((79..=81).contains(&round_trip), "{round_trip}");
    assert!(feedback.is_bye);
}

#[test]
fn what_the_far_end_lost_of_our_stream_is_known() {
    let now = start();
    let (mut here, mut there) = (reporter(1, now), reporter(2, now));
    for sequence in [0, 1, 3] {
        there.on_received(&packet(1, sequence), now);
    }
    here.on_packet(&there.bye(now), now);
    assert_eq!((here.quality().remote_lost, here.quality().remote_fraction_lost), (Some(1), Some(0.25)));
    assert_eq!((there.quality().lost, there.quality().expected), (1, 4));
}

#[test]
fn a_report_about_somebody_else_says_nothing_about_us() {
    let now = start();
    let (mut here, mut there) = (reporter(1, now), reporter(2, now));
    there.on_received(&packet(99, 0), now);
    here.on_packet(&there.bye(now), now);
    assert_eq!(here.quality().remote_lost, None);
}

#[test]
fn a_new_ssrc_begins_new_statistics() {
    let now = start();
    let mut reporter = reporter(1, now);
    reporter.on_received(&packet(7, 10), now);
    reporter.on_received(&packet(8, 60_000), now);
    assert_eq!((reporter.quality().expected, reporter.quality().lost), (1, 0));
}

#[test]
fn a_round_trip_of_a_broken_clock_is_not_believed() {
    let now = start();
    let block = ReportBlock {
        ssrc: 1,
        fraction_lost: 0,
        cumulative_lost: 0,
        highest_sequence: 0,
        jitter: 0,
        last_report: 0x8000_0000,
        delay_since_last_report: 0,
    };
    let mut out = Vec::new();
    write_report(2, None, Some(&block), &mut out);
    assert_eq!(reporter(1, now).on_packet(&out, now).round_trip, None);
}
