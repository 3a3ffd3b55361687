//! The caller's way to the model: each 20 ms what the route accepted goes through the jitter buffer, up to 16 kHz, and
//! into the websocket's outbox; and both directions go into the recording.

use std::time::{Duration, Instant};

use actix::prelude::*;

use crate::call::{Input, Signal};
use crate::clock;
use crate::domain::{CallQuality, RecordingState};
use crate::media::codec::Codec;
use crate::media::path::{CallerFrame, CallerPacket, CallerPath};
use crate::media::rtp::RtpPacket;
use crate::media::sdp::Negotiated;
use crate::media::spool::{RecordingBlock, Spool};
use crate::store::RecordingSink;
use crate::telemetry::{self, Counter, count};
use crate::voice::{VoiceSession, uplink_audio_message};

use super::super::udp_router::{FRAME_BYTES, MediaStep, PacketBatch};
use super::CallSession;

/// The person's "hello?" right after picking up would interrupt the greeting: the model hears silence so long.
const GREETING_GUARD: Duration = Duration::from_millis(700);

/// The jitter buffer's figures change slowly: one look a second.
const FRAMES_BETWEEN_LOOKS: u64 = 50;

pub(super) struct MediaPath {
    caller: CallerPath,
    frame: CallerFrame,
    media: Option<Negotiated>,
    greeting_guard_ends: Option<Instant>,
    recording: Option<Recording>,
    playing: bool,
}

struct Recording {
    spool: Spool,
    sink: RecordingSink,
    state: RecordingState,
    /// The newest frame of a pause, as long as nothing was recorded after it.
    paused_until: Option<u64>,
}

impl MediaPath {
    pub(super) fn new(recording: Option<(RecordingSink, RecordingState)>) -> Self {
        let recording = recording.map(|(sink, state)| {
            let spool = Spool::default();
            Recording { spool, sink, state, paused_until: None }
        });
        Self {
            caller: CallerPath::default(),
            frame: CallerFrame::SILENT,
            media: None,
            greeting_guard_ends: None,
            recording,
            playing: false,
        }
    }

    pub(super) fn expect(&mut self, media: &Negotiated) {
        self.media = Some(media.clone());
    }

    pub(super) fn connected(&mut self, now: Instant) {
        self.greeting_guard_ends = Some(now + GREETING_GUARD);
    }

    pub(super) fn quality(&self) -> CallQuality {
        let quality = self.caller.quality();
        CallQuality {
            packets_received: quality.received,
            packets_lost: quality.lost,
            packets_late: quality.late,
            jitter_ms: quality.jitter_ms.into(),
            ..CallQuality::default()
        }
    }

    /// What was gathered before a pause is written at its beginning.
    pub(super) fn set_recording(&mut self, state: RecordingState) {
        let Some(recording) = &mut self.recording else { return };
        recording.state = state;
        if state != RecordingState::Recording {
            recording.write_gathered();
        }
    }

    /// What is left of the last second.
    pub(super) fn close_recording(&mut self) {
        self.recording = None;
    }

    fn receive(&mut self, packets: &PacketBatch, now: Instant) {
        let Some(media) = &self.media else { return };
        let heard_before = self.caller.quality().received;
        for datagram in packets.iter() {
            let packet = RtpPacket::parse(datagram);
            if let Some(packet) = packet.and_then(|packet| CallerPacket::new(&packet, media, now)) {
                self.caller.receive(packet);
            }
        }
        // Here and not at the router: what a step that was dropped carried was not heard.
        telemetry::metrics().add(Counter::RtpHeard, self.caller.quality().received - heard_before);
    }

    /// Before a frame is taken: behind it, what waits looks a frame shorter.
    fn tell_jitter_buffer(&self, now: Instant) {
        let metrics = telemetry::metrics();
        metrics.count(Counter::JitterBufferLooks);
        metrics.add(Counter::JitterBufferTargetMs, self.caller.quality().jitter_target_ms.into());
        metrics.add(Counter::JitterBufferDepthMs, self.caller.jitter_depth_ms(now).into());
    }

    fn record(&mut self, frame_number: u64, played: &[u8; FRAME_BYTES]) {
        let Some(recording) = &mut self.recording else { return };
        let is_paused = recording.state == RecordingState::Paused;
        recording.paused_until = is_paused.then_some(frame_number);
        if recording.state != RecordingState::Recording {
            return;
        }
        let codec = self.media.as_ref().map_or(Codec::Pcmu, |media| media.codec);
        let heard = &self.frame.pcm_8k;
        if let Some(block) = recording.spool.push(frame_number, heard, (codec, played), clock::unix_time) {
            recording.append(block);
        }
    }

    /// The model hears the caller without gaps; during the guard it hears silence.
    fn uplink_frame(&self, now: Instant) -> &[i16] {
        let guarded = self.greeting_guard_ends.is_some_and(|end| now < end);
        if guarded { &CallerFrame::SILENT.pcm_16k } else { &self.frame.pcm_16k }
    }
}

impl Recording {
    fn write_gathered(&mut self) {
        if let Some(block) = self.spool.finish() {
            self.append(block);
        }
    }

    /// A pause that lasts until the end is silence to the end.
    fn write_pause(&mut self) {
        let Some(frame) = self.paused_until.take() else { return };
        let played = [Codec::Pcmu.silence(); FRAME_BYTES];
        let silent = &CallerFrame::SILENT.pcm_8k;
        if let Some(block) = self.spool.push(frame, silent, (Codec::Pcmu, &played), clock::unix_time) {
            self.append(block);
        }
    }

    fn append(&self, block: RecordingBlock) {
        if self.sink.append(block).is_err() {
            count(Counter::RecordingBlocksDropped);
        }
    }
}

/// However the session ends, what it has gathered is not lost.
impl Drop for Recording {
    fn drop(&mut self) {
        self.write_pause();
        self.write_gathered();
        telemetry::metrics().add(Counter::RecordingFramesLate, self.spool.late_frames());
    }
}

impl Handler<MediaStep> for CallSession {
    type Result = ();

    fn handle(&mut self, step: MediaStep, ctx: &mut Context<Self>) {
        let now = clock::now();
        self.media.receive(&step.packets, now);
        if step.frame_number.is_multiple_of(FRAMES_BETWEEN_LOOKS) {
            self.media.tell_jitter_buffer(now);
        }
        let report = self.media.caller.step(now, &mut self.media.frame);
        self.media.record(step.frame_number, &step.played);
        self.send_uplink(now);
        if !step.packets.is_empty() {
            self.machine.handle(Input::PacketHeard, now);
        }
        if let Some(digit) = report.dtmf {
            self.machine.handle(Input::Signal(Signal::Digit { digit }), now);
        }
        let playing = self.speaker.borrow().is_playing();
        if playing != self.media.playing {
            self.media.playing = playing;
            self.machine.handle(Input::Playing(playing), now);
        }
        if report.dtmf.is_some() || self.machine.has_output() {
            self.pump(ctx);
        }
    }
}

impl CallSession {
    fn send_uplink(&mut self, now: Instant) {
        let open = self.voice.as_ref().is_some_and(VoiceSession::uplink_open);
        if !open || !self.machine.model_listens() {
            return;
        }
        let frame = self.media.uplink_frame(now);
        let dropped = {
            let mut outbox = self.mailbag.outbox.borrow_mut();
            outbox.push_audio(|message| uplink_audio_message(frame, message))
        };
        if dropped {
            count(Counter::UplinkFramesDropped);
        }
        self.mailbag.ring();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::ops::Range;

    use tempfile::TempDir;

    use super::*;
    use crate::clock::new_call_id;
    use crate::domain::{CallId, NodeId};
    use crate::media::level::rms;
    use crate::media::opus_file::Listened;
    use crate::store::{RecordingSettings, Recordings};

    struct Bench {
        media: MediaPath,
        recordings: Recordings,
        call: CallId,
        _folder: TempDir,
    }

    fn bench(state: RecordingState) -> Bench {
        let (folder, call) = (tempfile::tempdir().unwrap(), new_call_id());
        let (recordings, _) = Recordings::start(&RecordingSettings {
            folder: folder.path().to_owned(),
            node: NodeId::new("node"),
            encoder_core_percent: 100,
        })
        .unwrap();
        let media = MediaPath::new(Some((recordings.sink(&call), state)));
        Bench { media, recordings, call, _folder: folder }
    }

    impl Bench {
        fn hear(&mut self, frames: Range<u64>) {
            let tone = std::array::from_fn(|n| if n % 16 < 8 { 0x20 } else { 0xA0 });
            frames.for_each(|number| self.media.record(number, &tone));
        }

        /// How loud the model's side is, frame by frame.
        async fn end(self) -> Option<Vec<f32>> {
            drop(self.media);
            let made = self.recordings.finish(&self.call).await?;
            let heard = Listened::to(File::open(&made.filename).unwrap()).unwrap();
            Some(heard.model.chunks(FRAME_BYTES).map(rms).collect())
        }
    }

    #[tokio::test]
    async fn however_a_session_ends_what_it_has_gathered_is_not_lost() {
        let mut bench = bench(RecordingState::Recording);
        bench.hear(0..30);
        assert_eq!(bench.end().await.expect("a recording").len(), 30);
    }

    #[tokio::test]
    async fn u2_a_pause_is_silence_of_its_length() {
        let mut bench = bench(RecordingState::Recording);
        bench.hear(0..70);
        bench.media.set_recording(RecordingState::Paused);
        bench.hear(70..130);
        bench.media.set_recording(RecordingState::Recording);
        bench.hear(130..200);
        let loudness = bench.end().await.expect("a recording");
        assert_eq!(loudness.len(), 200);
        let is_loud: Vec<bool> = loudness.iter().map(|rms| *rms > 1_000.0).collect();
        assert!(is_loud[2..69].iter().chain(&is_loud[132..199]).all(|loud| *loud), "{loudness:?}");
        assert!(is_loud[72..129].iter().all(|loud| !loud), "{loudness:?}");
    }

    #[tokio::test]
    async fn u2_a_pause_that_nobody_ends_is_silence_until_the_end() {
        let mut bench = bench(RecordingState::Recording);
        bench.hear(0..70);
        bench.media.set_recording(RecordingState::Paused);
        bench.hear(70..330);
        let loudness = bench.end().await.expect("a recording");
        assert_eq!(loudness.len(), 330);
        assert!(loudness[72..].iter().all(|rms| *rms < 1_000.0), "{loudness:?}");
    }

    #[tokio::test]
    async fn u2_what_waits_for_consent_begins_with_it_and_what_was_recorded_before_a_stop_stays() {
        let mut bench = bench(RecordingState::Off);
        bench.hear(0..1_000);
        bench.media.set_recording(RecordingState::Recording);
        bench.hear(1_000..1_040);
        bench.media.set_recording(RecordingState::Off);
        bench.hear(1_040..2_000);
        assert_eq!(bench.end().await.expect("a recording").len(), 40);
    }

    #[tokio::test]
    async fn u2_nothing_is_left_of_a_call_to_which_nobody_consented() {
        let mut bench = bench(RecordingState::Off);
        bench.hear(0..100);
        assert_eq!(bench.end().await, None);
    }
}
