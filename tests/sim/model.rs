//! The voice model of one call: a small scripted server that speaks the wire's JSON on virtual time. It greets when
//! asked, answers a while after the caller has spoken, stops when the caller speaks over it, and ends some calls.
//! It outlives its connections, as the real server does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::tones::{is_loud, model_tone_hz, tone};

const HANDSHAKE: Duration = Duration::from_millis(30);
const SETUP: Duration = Duration::from_millis(50);
const FIRST_AUDIO: Duration = Duration::from_millis(200);
/// A chunk holds a tenth of a second and follows the last one five times faster than it plays.
const CHUNK: Duration = Duration::from_millis(100);
const BETWEEN_CHUNKS: Duration = Duration::from_millis(20);
const RATE_HZ: usize = 24_000;
const TURN_CHUNKS: u32 = 15;
const FAREWELL_CHUNKS: u32 = 6;
/// The caller's turn is over after this much silence, in frames.
const QUIET_FRAMES: u32 = 25;
const LOUD_FRAMES: u32 = 3;

/// What comes to the session over its connection.
pub(crate) enum News {
    Connected,
    Message(Vec<u8>),
}

pub(crate) struct Model {
    call: usize,
    /// Asks to end the call instead of giving this answer.
    ends_at_answer: Option<u32>,
    outgoing: BTreeMap<(Instant, u64), Outgoing>,
    numbered: u64,
    connections: u32,
    answers: u32,
    loud_frames: u32,
    quiet_frames: u32,
    caller_spoke: bool,
    pub(crate) greetings: usize,
    /// All that was heard of the caller, at 16 kHz.
    pub(crate) heard: Vec<i16>,
}

struct Outgoing {
    news: News,
    part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Control,
    /// Taken back when the caller speaks over it, as is the turn's end.
    Speech,
    TurnEnd,
}

impl Model {
    pub(crate) fn new(call: usize, ends_at_answer: Option<u32>) -> Self {
        Self {
            call,
            ends_at_answer,
            outgoing: BTreeMap::new(),
            numbered: 0,
            connections: 0,
            answers: 0,
            loud_frames: 0,
            quiet_frames: 0,
            caller_spoke: false,
            greetings: 0,
            heard: Vec::new(),
        }
    }

    pub(crate) fn connect(&mut self, now: Instant) {
        self.disconnect();
        self.connections += 1;
        self.post(now + HANDSHAKE, News::Connected, Part::Control);
    }

    /// Whatever was under way on the connection dies with it.
    pub(crate) fn disconnect(&mut self) {
        self.outgoing.clear();
        self.caller_spoke = false;
    }

    pub(crate) fn next_news(&mut self, now: Instant) -> Option<News> {
        let entry = self.outgoing.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove().news)
    }

    /// It was asked to speak, and not all of that has been sent.
    pub(crate) fn has_more_to_say(&self) -> bool {
        self.outgoing.values().any(|outgoing| outgoing.part == Part::Speech)
    }

    pub(crate) fn receive(&mut self, message: &str, now: Instant) {
        let message: Value = serde_json::from_str(message).expect("the client writes JSON");
        if let Some(audio) = message.pointer("/realtimeInput/audio/data").and_then(Value::as_str) {
            return self.hear(&STANDARD.decode(audio).expect("base64"), now);
        }
        let text = message.to_string();
        if message.get("setup").is_some() {
            self.say_json(now + SETUP, &json!({ "setupComplete": {} }));
            let handle = format!("handle-{}-{}", self.call, self.connections);
            let update = json!({ "newHandle": handle, "resumable": true });
            self.say_json(now + SETUP, &json!({ "sessionResumptionUpdate": update }));
        } else if text.contains("Speak first, now") {
            self.greetings += 1;
            self.speak(TURN_CHUNKS, now);
        } else if message.get("toolResponse").is_some() {
            self.speak(FAREWELL_CHUNKS, now);
        } else if text.contains("Carry on") {
            self.speak(TURN_CHUNKS, now);
        }
    }

    fn hear(&mut self, bytes: &[u8], now: Instant) {
        let samples: Vec<i16> =
            bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        if is_loud(&samples) {
            self.loud_frames += 1;
            self.quiet_frames = 0;
        } else {
            self.loud_frames = 0;
            self.quiet_frames += 1;
        }
        self.heard.extend(samples);
        if self.loud_frames == LOUD_FRAMES {
            self.caller_spoke = true;
            self.interrupt(now);
        }
        if self.caller_spoke && self.quiet_frames == QUIET_FRAMES {
            self.caller_spoke = false;
            self.answer(now);
        }
    }

    fn interrupt(&mut self, now: Instant) {
        let is_control = |outgoing: &Outgoing| outgoing.part == Part::Control;
        if !self.outgoing.values().all(is_control) {
            self.outgoing.retain(|_, outgoing| is_control(outgoing));
            self.say_json(now, &json!({ "serverContent": { "interrupted": true } }));
            self.say_json(now, &json!({ "serverContent": { "turnComplete": true } }));
        }
    }

    fn answer(&mut self, now: Instant) {
        self.answers += 1;
        let heard = json!({ "text": format!("question {}", self.answers) });
        self.say_json(now, &json!({ "serverContent": { "inputTranscription": heard } }));
        if self.ends_at_answer == Some(self.answers) {
            let call = json!({ "id": "end", "name": "end_call", "args": {} });
            return self.say_json(now, &json!({ "toolCall": { "functionCalls": [call] } }));
        }
        self.speak(TURN_CHUNKS, now);
    }

    fn speak(&mut self, chunks: u32, now: Instant) {
        let begin = now + FIRST_AUDIO;
        let samples = RATE_HZ / 10;
        for chunk in 0..chunks {
            let sound = tone(model_tone_hz(self.call), RATE_HZ, chunk as usize * samples, samples);
            let bytes: Vec<u8> = sound.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            let data = json!({ "mimeType": "audio/pcm;rate=24000", "data": STANDARD.encode(bytes) });
            let turn = json!({ "parts": [{ "inlineData": data }] });
            self.say_of_turn(begin + chunk * BETWEEN_CHUNKS, &json!({ "modelTurn": turn }), Part::Speech);
        }
        let said = json!({ "outputTranscription": { "text": "a tone" } });
        self.say_of_turn(begin, &said, Part::Speech);
        self.say_of_turn(
            begin + chunks * BETWEEN_CHUNKS,
            &json!({ "generationComplete": true }),
            Part::TurnEnd,
        );
        self.say_of_turn(begin + chunks * CHUNK, &json!({ "turnComplete": true }), Part::TurnEnd);
    }

    fn say_of_turn(&mut self, at: Instant, content: &Value, part: Part) {
        let message = json!({ "serverContent": content }).to_string().into_bytes();
        self.post(at, News::Message(message), part);
    }

    fn say_json(&mut self, at: Instant, message: &Value) {
        self.post(at, News::Message(message.to_string().into_bytes()), Part::Control);
    }

    fn post(&mut self, at: Instant, news: News, part: Part) {
        self.numbered += 1;
        self.outgoing.insert((at, self.numbered), Outgoing { news, part });
    }
}
