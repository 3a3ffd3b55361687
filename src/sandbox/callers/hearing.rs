//! What one caller hears, packet by packet: what is missing, how evenly it comes, and from when to when the model
//! speaks.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::media::codec::FRAME_SAMPLES;
use crate::media::rtp::RtpPacket;
use crate::sandbox::histogram::Histogram;
use crate::sandbox::model::Tones;

use super::audio::is_voiced;
use super::orders::{Report, Voice, VoiceSpan};
use super::voices::VoiceEar;

const FRAME: Duration = Duration::from_millis(20);
/// Frames of a call that the two ends of a measurement may cut.
const FRAMES_CUT: u64 = 2;

/// An engine sends a frame each 20 ms, whatever happens: a call that has been without one for so long is up no more.
const GONE_AFTER: Duration = Duration::from_secs(1);

/// So many silent packets end a span: a model that pauses for less goes on with the same sentence.
const SILENT_PACKETS_END: u32 = 8;

#[derive(Debug)]
pub(super) struct Hearing {
    caller: u16,
    last: Option<Last>,
    voice: Option<Sentence>,
    ear: VoiceEar,
    /// The first voiced packet of the call.
    first_voice: Option<Duration>,
    /// The last one so far.
    last_voice: Option<Duration>,
    pub(super) counts: Counts,
}

/// What is reported of a stretch of time.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// From when on a frame was due each 20 ms; `None`: none was, nobody had answered.
    from: Option<Duration>,
    pub(super) heard: u64,
    pub(super) voiced: u64,
    missing: u64,
    reordered: u64,
    skipped: u64,
    spacing: Histogram,
    /// How often these tones were heard.
    voices: BTreeMap<Tones, u64>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    sequence: u16,
    timestamp: u32,
    at: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Sentence {
    from: Duration,
    to: Duration,
    silent_packets: u32,
}

impl Hearing {
    pub(super) fn new(caller: u16) -> Self {
        Self {
            caller,
            last: None,
            voice: None,
            ear: VoiceEar::new(),
            first_voice: None,
            last_voice: None,
            counts: Counts::default(),
        }
    }

    /// Takes a packet that came at `at` by the machine's clock; gives the model's sentence that it shows to be over.
    pub(super) fn hear(&mut self, packet: &RtpPacket<'_>, at: Duration) -> Option<VoiceSpan> {
        self.counts.heard += 1;
        self.compare_with_last(packet, at);
        if is_voiced(packet.payload) {
            self.counts.voiced += 1;
            self.first_voice.get_or_insert(at);
            self.last_voice = Some(at);
            if let Some(tones) = self.ear.hear(packet) {
                *self.counts.voices.entry(tones).or_default() += 1;
            }
            let voice = self.voice.get_or_insert(Sentence { from: at, to: at, silent_packets: 0 });
            (voice.to, voice.silent_packets) = (at, 0);
            return None;
        }
        self.ear.end_voice();
        let voice = self.voice.as_mut()?;
        voice.silent_packets += 1;
        let over = self.voice.take_if(|voice| voice.silent_packets >= SILENT_PACKETS_END)?;
        Some(self.span_of(over))
    }

    /// The call is up, and what is counted is counted from here on.
    pub(super) fn count_from(&mut self, now: Duration) {
        self.counts = Counts { from: Some(now), ..Counts::default() };
    }

    /// The model's sentence that is not over yet.
    pub(super) fn sounding(&self) -> Option<VoiceSpan> {
        self.voice.map(|voice| self.span_of(voice))
    }

    pub(super) fn model_speaks(&self) -> bool {
        self.voice.is_some()
    }

    pub(super) fn first_voice(&self) -> Option<Duration> {
        self.first_voice
    }

    pub(super) fn last_voice(&self) -> Option<Duration> {
        self.last_voice
    }

    /// Packets came, and then none. An engine that dies says nothing else.
    pub(super) fn is_cut_off(&self, now: Duration) -> bool {
        self.last.is_some_and(|last| now.saturating_sub(last.at) >= GONE_AFTER)
    }

    /// Whose voices were heard.
    pub(super) fn voices(&self) -> impl Iterator<Item = Voice> {
        let Self { caller, counts, .. } = self;
        counts.voices.iter().map(|(tones, times)| Voice { caller: *caller, tones: *tones, times: *times })
    }

    fn span_of(&self, voice: Sentence) -> VoiceSpan {
        VoiceSpan { caller: self.caller, from_us: micros(voice.from), to_us: micros(voice.to) }
    }

    fn compare_with_last(&mut self, packet: &RtpPacket<'_>, at: Duration) {
        let now = Last { sequence: packet.sequence, timestamp: packet.timestamp, at };
        let Some(last) = self.last else {
            self.last = Some(now);
            return;
        };
        let steps = packet.sequence.wrapping_sub(last.sequence) as i16;
        if steps <= 0 {
            self.counts.reordered += 1;
            self.counts.missing = self.counts.missing.saturating_sub(1);
            return;
        }
        let missing = steps.unsigned_abs() - 1;
        let frames = packet.timestamp.wrapping_sub(last.timestamp) / FRAME_SAMPLES as u32;
        self.counts.missing += u64::from(missing);
        self.counts.skipped += u64::from(frames.saturating_sub(u32::from(missing) + 1));
        self.counts.spacing.note(at.saturating_sub(last.at));
        self.last = Some(now);
    }
}

impl Counts {
    /// Up to `until`, the end of the measurement or of the call.
    pub(super) fn add_to(&self, report: &mut Report, until: Duration) {
        report.frames_absent += self.absent(until);
        report.packets_heard += self.heard;
        report.voiced_heard += self.voiced;
        report.packets_missing += self.missing;
        report.packets_reordered += self.reordered;
        report.frames_skipped += self.skipped;
        report.spacing.merge(&self.spacing);
    }

    fn absent(&self, until: Duration) -> u64 {
        let Some(from) = self.from else { return 0 };
        let due = (until.saturating_sub(from).as_micros() / FRAME.as_micros()) as u64;
        due.saturating_sub(self.heard + self.missing + self.skipped + FRAMES_CUT)
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::Codec;

    const SILENCE: u8 = 0xFF;

    fn voiced() -> u8 {
        Codec::Pcmu.encode(3_000)
    }

    /// Packets of (number, code); a frame each 20 ms of the number.
    fn heard(packets: &[(u16, u8)]) -> (Hearing, Vec<VoiceSpan>) {
        let mut hearing = Hearing::new(7);
        let take = |(sequence, code): &(u16, u8)| {
            let payload = [*code; FRAME_SAMPLES];
            let timestamp = u32::from(*sequence) * FRAME_SAMPLES as u32;
            let packet = RtpPacket {
                ssrc: 1,
                sequence: *sequence,
                timestamp,
                payload_type: 0,
                marker: false,
                payload: &payload,
            };
            hearing.hear(&packet, Duration::from_millis(20) * u32::from(*sequence))
        };
        let spans = packets.iter().filter_map(take).collect();
        (hearing, spans)
    }

    #[test]
    fn a_sentence_reaches_from_its_first_voiced_packet_to_its_last() {
        let mut packets: Vec<_> = (0..30).map(|number| (number, SILENCE)).collect();
        for number in [5, 6, 7, 9, 10] {
            packets[number].1 = voiced();
        }
        let (hearing, spans) = heard(&packets);
        assert_eq!(spans, [VoiceSpan { caller: 7, from_us: 100_000, to_us: 200_000 }]);
        assert!(!hearing.model_speaks());
        assert_eq!(hearing.first_voice(), Some(Duration::from_millis(100)));
        assert_eq!(hearing.last_voice(), Some(Duration::from_millis(200)));
    }

    #[test]
    fn gaps_and_stragglers_are_told_apart() {
        let (hearing, _) = heard(&[(1, SILENCE), (2, SILENCE), (5, SILENCE), (4, SILENCE), (6, SILENCE)]);
        let mut report = Report::default();
        hearing.counts.add_to(&mut report, Duration::ZERO);
        assert_eq!((report.packets_heard, report.packets_missing, report.packets_reordered), (5, 1, 1));
        assert_eq!((report.frames_skipped, report.spacing.count()), (0, 3));
    }

    /// Frames absent of a call that is up for ten seconds, in which the packets of these numbers come.
    fn absent(numbers: impl IntoIterator<Item = u16>) -> u64 {
        let mut hearing = Hearing::new(0);
        hearing.count_from(Duration::ZERO);
        for sequence in numbers {
            let timestamp = u32::from(sequence) * FRAME_SAMPLES as u32;
            let packet = RtpPacket {
                ssrc: 1,
                sequence,
                timestamp,
                payload_type: 0,
                marker: false,
                payload: &[SILENCE],
            };
            hearing.hear(&packet, FRAME * u32::from(sequence));
        }
        let mut report = Report::default();
        hearing.counts.add_to(&mut report, FRAME * 500);
        report.frames_absent
    }

    #[test]
    fn an_engine_that_says_nothing_or_falls_silent_owes_every_frame() {
        assert_eq!(absent([]), 498);
        assert_eq!(absent(0..200), 298);
    }

    #[test]
    fn what_the_ends_cut_and_what_gaps_account_for_is_not_owed_again() {
        assert_eq!(absent(1..499), 0);
        assert_eq!(absent((0..100).chain(200..500)), 0);
    }

    #[test]
    fn nothing_is_owed_before_the_answer() {
        let (hearing, mut report) = (Hearing::new(0), Report::default());
        hearing.counts.add_to(&mut report, FRAME * 500);
        assert_eq!(report.frames_absent, 0);
    }

    #[test]
    fn a_call_whose_packets_end_is_cut_off_and_one_that_never_had_any_is_not() {
        let (hearing, _) = heard(&[(1, SILENCE), (2, voiced())]);
        let cut_off = |ms| hearing.is_cut_off(Duration::from_millis(ms));
        assert_eq!((cut_off(40), cut_off(1_039), cut_off(1_040)), (false, false, true));
        assert!(!Hearing::new(0).is_cut_off(Duration::from_secs(60)));
    }

    #[test]
    fn a_sentence_that_is_not_over_can_be_told_all_the_same() {
        let (hearing, over) = heard(&[(1, SILENCE), (2, voiced()), (3, voiced())]);
        assert!(over.is_empty());
        assert_eq!(hearing.sounding(), Some(VoiceSpan { caller: 7, from_us: 40_000, to_us: 60_000 }));
    }

    #[test]
    fn frames_that_were_never_sent_show_in_the_time_stamps() {
        let mut hearing = Hearing::new(0);
        for (sequence, timestamp) in [(1, 0), (2, 160), (3, 160 * 5)] {
            let packet = RtpPacket {
                ssrc: 1,
                sequence,
                timestamp,
                payload_type: 0,
                marker: false,
                payload: &[SILENCE],
            };
            hearing.hear(&packet, Duration::ZERO);
        }
        assert_eq!((hearing.counts.missing, hearing.counts.skipped), (0, 3));
    }
}
