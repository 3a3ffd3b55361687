//! The voice model of one call: a small scripted server that speaks the wire's JSON on virtual time, with the timing
//! of the stand-in. It greets when asked, answers a while after the caller has spoken, stops when the caller speaks
//! over it, and ends some calls. It outlives its connections, as the real server does, and it fails as planned.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clearline::domain::Entropy;
use clearline::keys::Failure;
use clearline::sandbox::model::Timing;
use clearline::voice::{ConnectFailure, uplink_audio_message};
use serde_json::{Value, json};

use crate::due::{Due, Spans};
use crate::plan::Plan;
use crate::sabotage::Sabotage;
use crate::signals::{Ear, Impression, Voice};
use crate::tally::{Seen, Tally};
use crate::trouble::ModelTrouble;

const HANDSHAKE: Duration = Duration::from_millis(30);
const CHUNK_FRAMES: usize = 2;
const CHUNK: Duration = Duration::from_millis(20 * CHUNK_FRAMES as u64);
const RATE_HZ: usize = 24_000;
const TURN_CHUNKS: u32 = 35;
const FAREWELL_CHUNKS: u32 = 15;
/// The caller's turn is over after this much silence, in frames.
const QUIET_FRAMES: u32 = 25;
const LOUD_FRAMES: u32 = 3;
const SILENT_FRAME: [i16; 320] = [0; 320];

/// What comes to the session over its connection.
pub(crate) struct News {
    pub(crate) epoch: u32,
    pub(crate) what: What,
    pub(crate) begins_greeting: bool,
}

pub(crate) enum What {
    Connected,
    Refused(ConnectFailure),
    Message(Vec<u8>),
    Closed { code: Option<u16>, reason: &'static str },
}

pub(crate) struct Model {
    call: usize,
    key_failure: Option<Failure>,
    sabotage: Option<Sabotage>,
    /// Asks to end the call instead of giving this answer.
    ends_at_answer: Option<u32>,
    troubles: Vec<ModelTrouble>,
    timing: Timing,
    entropy: Entropy,
    /// Of the connection there is.
    epoch: Option<u32>,
    outgoing: BTreeMap<(Instant, u64), Outgoing>,
    numbered: u64,
    answers: u32,
    loud_frames: u32,
    quiet_frames: u32,
    caller_spoke: bool,
    frames_sent: u64,
    chunk: Vec<u8>,
    silence: String,
    /// From when on the connection there is can be talked on.
    ready_at: Option<Instant>,
    /// What the session has been sent to play.
    pub(crate) due: Due,
    /// When it would have heard the caller.
    pub(crate) listens: Spans,
    pub(crate) connections: usize,
    pub(crate) ear: Ear,
    pub(crate) tally: Tally,
}

struct Outgoing {
    what: What,
    part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Control,
    /// Taken back when the caller speaks over it, as is the turn's end.
    Speech,
    GreetingBegins,
    TurnEnd,
}

impl Model {
    pub(crate) fn new(
        call: usize,
        plan: &Plan,
        key_failure: Option<Failure>,
        sabotage: Option<Sabotage>,
        entropy: Entropy,
    ) -> Self {
        let piles_up = sabotage == Some(Sabotage::PlayoutPilesUp);
        let chunk_frames = if piles_up { 5 * CHUNK_FRAMES } else { CHUNK_FRAMES };
        let mut silence = String::new();
        uplink_audio_message(&SILENT_FRAME, &mut silence);
        Self {
            call,
            key_failure,
            sabotage,
            ends_at_answer: plan.model_ends_at_answer(),
            troubles: plan.trouble.model.clone(),
            timing: Timing::default(),
            entropy,
            epoch: None,
            outgoing: BTreeMap::new(),
            numbered: 0,
            answers: 0,
            loud_frames: 0,
            quiet_frames: 0,
            caller_spoke: false,
            frames_sent: 0,
            chunk: chunk_of(Voice::Model(call), chunk_frames),
            silence,
            ready_at: None,
            due: Due::default(),
            listens: Spans::default(),
            connections: 0,
            ear: Ear::new(Voice::Caller(call)),
            tally: Tally::default(),
        }
    }

    pub(crate) fn connect(&mut self, epoch: u32, now: Instant) {
        self.disconnect();
        self.connections += 1;
        self.epoch = Some(epoch);
        let refusal = self.key_refusal().or_else(|| self.unavailability());
        self.post(now + HANDSHAKE, refusal.map_or(What::Connected, What::Refused), Part::Control);
    }

    /// The session says goodbye: the server goes on until it hears of that, and then confirms it.
    pub(crate) fn hang_up(&mut self, now: Instant) {
        self.hears_no_more();
        if self.epoch.is_some() {
            let closed_at = now + HANDSHAKE;
            self.outgoing.retain(|(at, _), _| *at < closed_at);
            self.post(closed_at, What::Closed { code: Some(1_000), reason: "" }, Part::Control);
        }
    }

    /// Whatever was under way on the connection dies with it.
    pub(crate) fn disconnect(&mut self) {
        self.outgoing.clear();
        self.caller_spoke = false;
        self.epoch = None;
        self.hears_no_more();
    }

    fn hears_no_more(&mut self) {
        self.ready_at = None;
        self.due.take_back();
    }

    /// One frame's time passes.
    pub(crate) fn step(&mut self, now: Instant) {
        self.due.step(now);
        if self.ready_at.is_some_and(|ready| ready <= now) {
            self.listens.extend(now);
        }
    }

    pub(crate) fn next_news(&mut self, now: Instant) -> Option<News> {
        let entry = self.outgoing.first_entry().filter(|entry| entry.key().0 <= now)?;
        let Outgoing { what, part } = entry.remove();
        let epoch = self.epoch?;
        match &what {
            What::Closed { .. } | What::Refused(_) => self.disconnect(),
            // Once the session has said goodbye it plays nothing more.
            What::Message(bytes) if self.ready_at.is_some() && *bytes == self.chunk => {
                self.due.say(CHUNK_FRAMES);
            }
            What::Message(_) | What::Connected => {}
        }
        Some(News { epoch, what, begins_greeting: part == Part::GreetingBegins })
    }

    /// It was asked to speak, and not all of that has been sent.
    pub(crate) fn has_more_to_say(&self) -> bool {
        self.outgoing.values().any(|outgoing| matches!(outgoing.part, Part::Speech | Part::GreetingBegins))
    }

    /// How much waits to be sent.
    pub(crate) fn queued(&self) -> usize {
        self.outgoing.len()
    }

    /// One frame of the caller; `is_made_up` where the session's own path had to fill a gap.
    pub(crate) fn hear(&mut self, message: &str, is_made_up: bool, now: Instant) {
        if self.epoch.is_none() {
            return;
        }
        self.frames_sent += 1;
        let is_hidden =
            self.sabotage == Some(Sabotage::HalfOfTheCallerIsSilent) && is_in_second_word(self.frames_sent);
        let is_silent = is_hidden || message == self.silence;
        let impression = if is_silent { Impression::Silence } else { self.listen(message, is_made_up) };
        if impression == Impression::Silence {
            self.loud_frames = 0;
            self.quiet_frames += 1;
        } else {
            self.loud_frames += 1;
            self.quiet_frames = 0;
        }
        if self.loud_frames == LOUD_FRAMES {
            self.caller_spoke = true;
            self.interrupt(now);
        }
        if self.caller_spoke && self.quiet_frames == QUIET_FRAMES {
            self.caller_spoke = false;
            self.answer(now);
        }
    }

    pub(crate) fn receive(&mut self, message: &str, now: Instant) {
        if self.epoch.is_none() {
            return;
        }
        let message: Value = serde_json::from_str(message).expect("the client writes JSON");
        let text = message.to_string();
        if message.get("setup").is_some() {
            self.set_up(message.pointer("/setup/sessionResumption/handle").is_some(), now);
        } else if text.contains("Speak first, now") {
            self.speak(TURN_CHUNKS, Part::GreetingBegins, now);
        } else if message.get("toolResponse").is_some() {
            self.speak(FAREWELL_CHUNKS, Part::Speech, now);
        } else if text.contains("Carry on") {
            match self.sabotage {
                Some(Sabotage::GreetsAgain) => self.speak(TURN_CHUNKS, Part::GreetingBegins, now),
                Some(Sabotage::OwesNothing) => {}
                _ => self.speak(TURN_CHUNKS, Part::Speech, now),
            }
        }
    }

    fn listen(&mut self, message: &str, is_made_up: bool) -> Impression {
        let data = message.split("\"data\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let bytes = STANDARD.decode(data.expect("an audio message has data")).expect("base64");
        let samples: Vec<i16> =
            bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        self.ear.listen(&samples, is_made_up)
    }

    fn key_refusal(&mut self) -> Option<ConnectFailure> {
        let (status, body) = match self.key_failure? {
            Failure::KeyBad => (400, "API key not valid. Please pass a valid API key."),
            Failure::Quota => (429, "You exceeded your current quota"),
        };
        self.tally.count(Seen::ModelRefusals, 1);
        Some(ConnectFailure::Http { status, body: body.into() })
    }

    fn unavailability(&mut self) -> Option<ConnectFailure> {
        let left = self.troubles.iter_mut().find_map(|trouble| {
            if let ModelTrouble::Unavailable(left) = trouble { Some(left) } else { None }
        });
        let left = left.filter(|left| **left > 0)?;
        *left -= 1;
        self.tally.count(Seen::ModelRefusals, 1);
        Some(ConnectFailure::Http { status: 503, body: String::new() })
    }

    fn set_up(&mut self, resumes: bool, now: Instant) {
        if resumes && self.has(ModelTrouble::ForgetsHandles) {
            self.tally.count(Seen::HandlesForgotten, 1);
            let reason = "BidiGenerateContent session not found";
            return self.post(now + HANDSHAKE, What::Closed { code: Some(1_008), reason }, Part::Control);
        }
        if self.take(|trouble| matches!(trouble, ModelTrouble::NoAnswerToSetup)).is_some() {
            return;
        }
        let [shortest, longest] = self.timing.setup_delay_ms;
        let ready = now + Duration::from_millis(shortest + self.entropy.below(longest - shortest + 1));
        self.ready_at = Some(ready);
        self.say_json(ready, &json!({ "setupComplete": {} }));
        let handle = format!("handle-{}-{}", self.call, self.numbered);
        let update = json!({ "newHandle": handle, "resumable": true });
        self.say_json(ready, &json!({ "sessionResumptionUpdate": update }));
        self.plan_the_end_of_the_connection(ready);
    }

    fn plan_the_end_of_the_connection(&mut self, ready: Instant) {
        let is_end = |trouble: &ModelTrouble| {
            matches!(
                trouble,
                ModelTrouble::Closes { .. } | ModelTrouble::Cut { .. } | ModelTrouble::GoesAway { .. }
            )
        };
        let aborted = What::Closed { code: Some(1_008), reason: "The operation was aborted." };
        match self.take(is_end) {
            Some(ModelTrouble::Closes { code, after }) => {
                self.tally.count(Seen::ModelLosses, 1);
                let what = What::Closed { code: Some(code), reason: "Internal error encountered." };
                self.post(ready + after, what, Part::Control);
            }
            Some(ModelTrouble::Cut { after }) => {
                self.tally.count(Seen::ModelLosses, 1);
                self.post(ready + after, What::Closed { code: None, reason: "reset" }, Part::Control);
            }
            Some(ModelTrouble::GoesAway { after, left }) => {
                self.tally.count(Seen::ModelGoAways, 1);
                let time_left = format!("{}.{:03}s", left.as_secs(), left.subsec_millis());
                self.say_json(ready + after, &json!({ "goAway": { "timeLeft": time_left } }));
                self.post(ready + after + left, aborted, Part::Control);
            }
            _ => {}
        }
    }

    fn has(&self, wanted: ModelTrouble) -> bool {
        self.troubles.contains(&wanted)
    }

    fn take(&mut self, is_wanted: impl Fn(&ModelTrouble) -> bool) -> Option<ModelTrouble> {
        let index = self.troubles.iter().position(is_wanted)?;
        Some(self.troubles.remove(index))
    }

    fn interrupt(&mut self, now: Instant) {
        let is_control = |outgoing: &Outgoing| outgoing.part == Part::Control;
        if !self.outgoing.values().all(is_control) {
            self.outgoing.retain(|_, outgoing| is_control(outgoing));
            self.due.take_back();
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
        self.speak(TURN_CHUNKS, Part::Speech, now);
    }

    fn speak(&mut self, chunks: u32, first: Part, now: Instant) {
        let begin = now + self.first_audio();
        let between = CHUNK.div_f64(self.timing.burst_factor);
        for chunk in 0..chunks {
            let part = if chunk == 0 { first } else { Part::Speech };
            self.post(begin + chunk * between, What::Message(self.chunk.clone()), part);
        }
        let said = json!({ "outputTranscription": { "text": "a tone" } });
        self.say_of_turn(begin, &said, Part::Speech);
        self.say_of_turn(begin + chunks * between, &json!({ "generationComplete": true }), Part::TurnEnd);
        let complete = begin + chunks * if self.timing.hold_turn_complete { CHUNK } else { between };
        self.say_of_turn(complete, &json!({ "turnComplete": true }), Part::TurnEnd);
    }

    fn first_audio(&mut self) -> Duration {
        let jitter = self.timing.first_audio_jitter_ms;
        Duration::from_millis(self.timing.first_audio_ms - jitter + self.entropy.below(2 * jitter + 1))
    }

    fn say_of_turn(&mut self, at: Instant, content: &Value, part: Part) {
        self.post(at, What::Message(json!({ "serverContent": content }).to_string().into_bytes()), part);
    }

    fn say_json(&mut self, at: Instant, message: &Value) {
        self.post(at, What::Message(message.to_string().into_bytes()), Part::Control);
    }

    fn post(&mut self, at: Instant, what: What, part: Part) {
        self.numbered += 1;
        self.outgoing.insert((at, self.numbered), Outgoing { what, part });
    }
}

/// Sabotage: words are five frames long.
pub(crate) fn is_in_second_word(frame: u64) -> bool {
    (frame / 5) % 2 == 1
}

/// The message that carries a chunk of a voice; all chunks are alike.
fn chunk_of(voice: Voice, frames: usize) -> Vec<u8> {
    let sound = voice.frame(RATE_HZ).repeat(frames);
    let bytes: Vec<u8> = sound.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let data = json!({ "mimeType": "audio/pcm;rate=24000", "data": STANDARD.encode(bytes) });
    let turn = json!({ "parts": [{ "inlineData": data }] });
    json!({ "serverContent": { "modelTurn": turn } }).to_string().into_bytes()
}
