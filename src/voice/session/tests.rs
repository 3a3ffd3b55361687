use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::voice::config::ToolDeclaration;
use crate::voice::downlink::Downlink;
use crate::voice::origin;
use crate::voice::parse_server_message;
use crate::voice::transcript::{Heard, Speaker};

mod calls;
mod losses;
mod turns;

/// A session on a virtual clock, with the socket's side played by the test.
struct Bench {
    session: VoiceSession,
    downlink: Downlink,
    now: Instant,
    connects: Vec<u32>,
    closes: Vec<u32>,
    sent: Vec<Value>,
    events: Vec<VoiceEvent>,
}

fn config() -> SessionConfig {
    SessionConfig {
        greeting: Some("Praxis Dr. Weiss, good day!".into()),
        tools: vec![ToolDeclaration::end_call()],
        ..SessionConfig::new("gemini-3.8-live", "You are Mira.")
    }
}

fn said(speaker: Speaker, text: &str) -> TranscriptItem {
    TranscriptItem { speaker, text: text.into(), interrupted: false }
}

impl Bench {
    fn new(start: Start) -> Self {
        Self::with(config(), start)
    }

    fn with(config: SessionConfig, start: Start) -> Self {
        Self {
            session: VoiceSession::new(config, start, Timeouts::default(), Entropy::from_number(7)),
            downlink: Downlink::default(),
            now: origin(),
            connects: Vec::new(),
            closes: Vec::new(),
            sent: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Begun, connected and set up; the call is not answered yet.
    fn ready(start: Start) -> Self {
        let mut bench = Self::new(start);
        bench.input(Input::Begin);
        bench.set_up();
        bench
    }

    /// In a call whose greeting was spoken.
    fn talking() -> Self {
        let mut bench = Self::ready(Start::Fresh);
        bench.input(Input::CallAnswered);
        bench.model_says("Good day!");
        bench.server(json!({ "serverContent": { "turnComplete": true } }));
        bench.forget();
        bench
    }

    /// Talking, with a handle to resume by.
    fn resumable() -> Self {
        let mut bench = Self::talking();
        bench.server(json!({ "sessionResumptionUpdate": { "newHandle": "h-1", "resumable": true } }));
        bench.forget();
        bench
    }

    fn input(&mut self, input: Input) {
        self.session.handle(input, self.now);
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Connect { epoch } => self.connects.push(epoch),
                Output::CloseSocket { epoch } => self.closes.push(epoch),
                Output::Send(text) => self.sent.push(serde_json::from_str(&text).expect("one JSON message")),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn forget(&mut self) {
        self.connects.clear();
        self.closes.clear();
        self.sent.clear();
        self.events.clear();
    }

    fn epoch(&self) -> u32 {
        self.session.epoch()
    }

    fn connected(&mut self) {
        let epoch = self.epoch();
        self.input(Input::Connected { epoch });
    }

    fn set_up(&mut self) {
        self.connected();
        self.server(json!({ "setupComplete": {} }));
    }

    fn server(&mut self, message: Value) {
        let epoch = self.epoch();
        self.server_at(epoch, message);
    }

    fn server_at(&mut self, epoch: u32, message: Value) {
        let mut message = parse_server_message(message.to_string().as_bytes()).expect("a readable message");
        self.downlink.on_message(&mut message);
        self.input(Input::Control { epoch, message: Box::new(message) });
    }

    fn audio(&mut self) {
        let parts = json!([{ "inlineData": { "mimeType": "audio/pcm;rate=24000", "data": "AAAA" } }]);
        self.server(json!({ "serverContent": { "modelTurn": { "parts": parts } } }));
    }

    fn model_says(&mut self, text: &str) {
        self.audio();
        self.server(json!({ "serverContent": { "outputTranscription": { "text": text } } }));
    }

    fn caller_says(&mut self, text: &str) {
        self.server(json!({ "serverContent": { "inputTranscription": { "text": text } } }));
    }

    /// As the reader hands it on, which knows what was played.
    fn interrupt_after(&mut self, heard: Heard) {
        let interrupted = json!({ "serverContent": { "interrupted": true } }).to_string();
        let mut message = parse_server_message(interrupted.as_bytes()).expect("a readable message");
        self.downlink.on_message(&mut message);
        message.heard = Some(heard);
        let epoch = self.epoch();
        self.input(Input::Control { epoch, message: Box::new(message) });
    }

    fn turn_complete(&mut self) {
        self.server(json!({ "serverContent": { "generationComplete": true } }));
        self.server(json!({ "serverContent": { "turnComplete": true } }));
    }

    fn close(&mut self, code: u16, reason: &str) {
        let epoch = self.epoch();
        self.input(Input::Closed { epoch, code: Some(code), reason: reason.into() });
    }

    /// Lets time pass, firing the timer whenever it is due.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        for _ in 0..10_000 {
            let Some(at) = self.session.next_timeout().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            self.input(Input::Timeout);
        }
        panic!("the timer never stops");
    }

    fn pass_ms(&mut self, duration_ms: u64) {
        self.pass(Duration::from_millis(duration_ms));
    }

    fn failure(&self) -> Option<FailureClass> {
        self.events.iter().find_map(|event| {
            let VoiceEvent::Failed { class, .. } = event else { return None };
            Some(*class)
        })
    }

    fn ends(&self) -> Vec<TurnEnd> {
        let end = |event: &VoiceEvent| {
            let VoiceEvent::TurnEnded { reason } = event else { return None };
            Some(reason.clone())
        };
        self.events.iter().filter_map(end).collect()
    }

    fn fragments(&self) -> Vec<(Speaker, Fragment)> {
        let fragment = |event: &VoiceEvent| {
            if let VoiceEvent::CallerSaid(fragment) = event {
                return Some((Speaker::Caller, fragment.clone()));
            }
            let VoiceEvent::ModelSaid(fragment) = event else { return None };
            Some((Speaker::Model, fragment.clone()))
        };
        self.events.iter().filter_map(fragment).collect()
    }

    /// The finished utterances, in the order they were reported.
    fn utterances(&self) -> Vec<(Speaker, String)> {
        let finished = self.fragments().into_iter().filter(|(_, fragment)| fragment.finished);
        finished.map(|(speaker, fragment)| (speaker, fragment.text)).collect()
    }

    fn sent_text(&self) -> String {
        self.sent.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
    }

    fn handle_in_setup(&self) -> Option<&str> {
        let setup = self.sent.iter().rev().find_map(|message| message.get("setup"))?;
        setup["sessionResumption"]["handle"].as_str()
    }
}
