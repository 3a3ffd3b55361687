//! One session on a virtual clock.

use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::sandbox::model::admission::{Identity, Welcome};
use crate::sandbox::model::connection::now;
use crate::sandbox::model::faults::{Fault, Faults};
use crate::sandbox::model::handles::{Handles, Resumption};
use crate::sandbox::model::marker::Marker;
use crate::sandbox::model::refusal::Refusal;
use crate::sandbox::model::report::SessionReport;
use crate::sandbox::model::session::{Frame, Input, Output, Session};
use crate::sandbox::model::settings::{ModelSettings, SpeechStyle, Timing, Voicing};

pub(super) const MODEL: &str = "models/gemini-3.8-live";

pub(super) fn settings() -> ModelSettings {
    ModelSettings {
        timing: Timing { first_audio_jitter_ms: 0, setup_delay_ms: [150, 150], ..Timing::default() },
        voicing: Voicing { style: SpeechStyle::MarkerOnly, marker_ms: 1_000, ..Voicing::default() },
        ..ModelSettings::default()
    }
}

pub(super) fn setup() -> Value {
    let detection = json!({"silenceDurationMs": 500, "prefixPaddingMs": 60});
    json!({"model": MODEL, "generationConfig": {"responseModalities": ["AUDIO"]},
        "realtimeInputConfig": {"automaticActivityDetection": detection},
        "inputAudioTranscription": {}, "outputAudioTranscription": {},
        "sessionResumption": {}, "contextWindowCompression": {"slidingWindow": {}}})
}

/// `{"setup": …}` with one member added or replaced.
pub(super) fn setup_with(name: &str, value: Value) -> Value {
    let mut setup = setup();
    setup[name] = value;
    setup
}

/// A message and when it was sent, after the start.
pub(super) struct Sent {
    pub(super) at: Duration,
    pub(super) message: Value,
}

pub(super) struct Bench {
    session: Session,
    start: Instant,
    pub(super) now: Instant,
    pub(super) handles: Handles,
    pub(super) sent: Vec<Sent>,
    pub(super) frames: Vec<Frame>,
    pub(super) closed: Option<Refusal>,
    pub(super) cut: bool,
    id: String,
}

impl Bench {
    pub(super) fn new(settings: ModelSettings, faults: Vec<Fault>) -> Self {
        Self::following(Handles::new(Duration::from_secs(60)), 1, now(), settings, faults)
    }

    fn following(
        handles: Handles,
        number: u64,
        now: Instant,
        settings: ModelSettings,
        faults: Vec<Fault>,
    ) -> Self {
        let identity = Identity {
            session: format!("s-{number}"),
            connection: number,
            key_hint: "…ey".into(),
            key_fingerprint: "f".into(),
            project: "p".into(),
        };
        let id = identity.session.clone();
        let session = Session::new(Arc::new(settings), identity, Welcome::Accepted, Faults(faults));
        let mut bench = Self {
            session,
            start: now,
            now,
            handles,
            sent: Vec::new(),
            frames: Vec::new(),
            closed: None,
            cut: false,
            id,
        };
        bench.feed(Input::Connected);
        bench
    }

    /// A session that has answered the usual setup.
    pub(super) fn ready() -> Self {
        Self::ready_with(settings(), &setup(), Vec::new())
    }

    pub(super) fn ready_with(settings: ModelSettings, setup: &Value, faults: Vec<Fault>) -> Self {
        let mut bench = Self::new(settings, faults);
        bench.send(&json!({"setup": setup}));
        bench.run_for(300);
        bench
    }

    /// Ends this connection and opens the next one with a handle.
    pub(super) fn resume(mut self, setup: &Value, faults: Vec<Fault>) -> Self {
        self.feed(Input::Gone { code: Some(1000), reason: String::new() });
        self.handles.connection_ended(&self.id, self.now);
        let mut next = Self::following(self.handles, 2, self.now, settings(), faults);
        next.send(&json!({"setup": setup}));
        next.run_for(300);
        next
    }

    pub(super) fn send(&mut self, message: &Value) {
        self.send_raw(message.to_string().as_bytes());
    }

    pub(super) fn send_raw(&mut self, frame: &[u8]) {
        self.feed(Input::Frame(frame));
    }

    pub(super) fn say_text(&mut self, text: &str) {
        self.send(&json!({"realtimeInput": {"text": text}}));
    }

    /// A user turn that asks for the greeting, heard to its end.
    pub(super) fn greet(&mut self) {
        let turn = json!({"role": "user", "parts": [{"text": "Greet the caller."}]});
        self.send(&json!({"clientContent": {"turns": [turn], "turnComplete": true}}));
        self.run_for(3_000);
    }

    /// Streams a tone (0 Hz is silence) in 20 ms messages, as a phone call does.
    pub(super) fn stream(&mut self, hz: f64, ms: u64) {
        for frame in 0..ms / 20 {
            self.send(&audio_message(hz, frame as usize * 320, 320));
            self.run_for(20);
        }
    }

    pub(super) fn run_for(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some(due) = self.session.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.feed(Input::Timer);
        }
        self.now = end;
    }

    pub(super) fn report(&self) -> SessionReport {
        self.session.report()
    }

    /// The kinds of what was sent since the mark, in order and without repetition.
    pub(super) fn kinds(&self, from: usize) -> Vec<&'static str> {
        let mut kinds: Vec<_> = self.sent[from..].iter().map(|sent| kind(&sent.message)).collect();
        kinds.dedup();
        kinds
    }

    pub(super) fn texts(&self, member: &str) -> String {
        let texts =
            self.sent.iter().filter_map(|sent| sent.message["serverContent"][member]["text"].as_str());
        texts.collect()
    }

    pub(super) fn newest_handle(&self) -> String {
        let mut handles =
            self.sent.iter().filter_map(|s| s.message["sessionResumptionUpdate"]["newHandle"].as_str());
        handles.next_back().unwrap().to_owned()
    }

    pub(super) fn feed(&mut self, input: Input<'_>) {
        self.session.handle(input, self.now);
        while let Some(output) = self.session.poll_output() {
            self.apply(output);
        }
    }

    fn apply(&mut self, output: Output) {
        match output {
            Output::Send(frame) => {
                let bytes = match &frame {
                    Frame::Binary(bytes) => bytes.as_slice(),
                    Frame::Text(text) => text.as_bytes(),
                };
                if let Ok(message) = serde_json::from_slice(bytes) {
                    self.sent.push(Sent { at: self.now - self.start, message });
                }
                self.frames.push(frame);
            }
            Output::Open { wanted, handle, model } => {
                let resumption = handle.map(|handle| self.handles.resume(&handle, "p", model, self.now));
                let former = match &resumption {
                    Some(Resumption::Restored(memory)) => Some(memory.marker),
                    _ => None,
                };
                let marker = wanted.or(former).unwrap_or(Marker::number(1));
                self.feed(Input::Opened { marker, resumption });
            }
            Output::Keep { name, memory } => self.handles.keep(&self.id, name, memory),
            Output::Close(refusal) => self.closed = Some(refusal),
            Output::Cut => self.cut = true,
        }
    }
}

pub(super) fn audio_message(hz: f64, from: usize, count: usize) -> Value {
    let sample = |at: usize| (6_000.0 * (TAU * hz * at as f64 / 16_000.0).sin()) as i16;
    let bytes: Vec<u8> = (from..from + count).flat_map(|at| sample(at).to_le_bytes()).collect();
    json!({"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": STANDARD.encode(bytes)}}})
}

/// The samples in a server message.
pub(super) fn samples_in(message: &Value) -> Vec<i16> {
    let data = message.pointer("/serverContent/modelTurn/parts/0/inlineData/data").and_then(Value::as_str);
    let bytes = STANDARD.decode(data.unwrap_or_default()).unwrap_or_default();
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

pub(super) fn kind(message: &Value) -> &'static str {
    let content = &message["serverContent"];
    let members = [
        "modelTurn",
        "interrupted",
        "generationComplete",
        "turnComplete",
        "inputTranscription",
        "outputTranscription",
    ];
    let in_content = members.into_iter().find(|member| content.get(member).is_some());
    let top = ["setupComplete", "toolCall", "toolCallCancellation", "goAway", "voiceActivity"];
    let on_top = || top.into_iter().find(|member| message.get(member).is_some());
    let update = || message.pointer("/sessionResumptionUpdate/resumable").and_then(Value::as_bool);
    let handle = || update().map(|resumable| if resumable { "handle" } else { "no handle" });
    in_content.or_else(on_top).or_else(handle).unwrap_or("other")
}
