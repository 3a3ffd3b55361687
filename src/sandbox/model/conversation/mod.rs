//! The conversation itself, pure: checked messages and time in, server messages out.
//!
//! The caller's side runs on samples received (`ear`), the model's side on `now`. A turn of the model goes
//! Speaking → (Waiting for blocking tools → Speaking) → PlayingOut → Idle; the caller's speech, text or content
//! breaks into any of these with `interrupted`, `turnComplete` and the cancellation of pending calls, in this order.

mod caller;
mod results;
mod turns;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use self::turns::Turn;
use super::ear::Ear;
use super::faults::{Fault, Faults};
use super::handles::Memory;
use super::marker::Marker;
use super::message::Message;
use super::refusal::Refusal;
use super::replies::Reply;
use super::report::{HistoryLine, SessionReport};
use super::settings::{Listening, ModelSettings};
use super::setup::Setup;
use super::speech::samples_to_ms;
use super::timing::{Journal, SessionTiming};
use super::tools::Calls;
use super::usage::Usage;
use crate::domain::Entropy;
use crate::sandbox::signature::SignatureReader;

pub(super) struct Conversation {
    settings: Arc<ModelSettings>,
    setup: Setup,
    project: String,
    marker: Marker,
    faults: Faults,
    entropy: Entropy,
    ear: Ear,
    /// `None`: no load test is on.
    signatures: Option<SignatureReader>,
    journal: Journal,
    calls: Calls,
    usage: Usage,
    history: Vec<HistoryLine>,
    stage: Stage,
    queue: VecDeque<Reply>,
    late_transcript: Vec<Value>,
    awaits_history: bool,
    utterances: usize,
    caller_turns: u32,
    model_turns: u32,
    interruptions: u32,
    said_samples: usize,
    ordering_errors: Vec<String>,
    effects: VecDeque<Effect>,
}

#[derive(Debug)]
pub(super) enum Effect {
    Say(Value),
    Keep {
        name: String,
        memory: Memory,
    },
    Refuse(Refusal),
    /// The middle of the model's turn of this number, where faults strike.
    HalfSpoken(u32),
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    Speaking(Box<Turn>),
    /// Silent until every blocking call is answered.
    Waiting,
    PlayingOut {
        until: Instant,
    },
}

/// Who takes part: everything a conversation is made from.
pub(super) struct Opening {
    pub(super) settings: Arc<ModelSettings>,
    pub(super) setup: Setup,
    pub(super) project: String,
    pub(super) marker: Marker,
    pub(super) faults: Faults,
    pub(super) entropy: Entropy,
    pub(super) history: Vec<HistoryLine>,
}

const MAX_QUEUED_REPLIES: usize = 4;
const MAX_HISTORY_LINES: usize = 200;
const MAX_LINE_CHARACTERS: usize = 2_000;
const MAX_ORDERING_ERRORS: usize = 64;

impl Conversation {
    pub(super) fn new(opening: Opening) -> Self {
        let mut usage = Usage::default();
        usage.read(&opening.setup.instruction);
        for line in &opening.history {
            usage.read(&line.text);
        }
        Self {
            ear: Ear::new(opening.setup.detection, opening.settings.listening, opening.settings.keep_audio_s),
            signatures: (opening.settings.listening == Listening::Lightly).then(SignatureReader::default),
            journal: Journal::default(),
            awaits_history: opening.setup.first_content_is_history,
            settings: opening.settings,
            setup: opening.setup,
            project: opening.project,
            marker: opening.marker,
            faults: opening.faults,
            entropy: opening.entropy,
            history: opening.history,
            usage,
            calls: Calls::default(),
            stage: Stage::Idle,
            queue: VecDeque::new(),
            late_transcript: Vec::new(),
            utterances: 0,
            caller_turns: 0,
            model_turns: 0,
            interruptions: 0,
            said_samples: 0,
            ordering_errors: Vec::new(),
            effects: VecDeque::new(),
        }
    }

    pub(super) fn handle(&mut self, message: Message, now: Instant) -> Result<(), Refusal> {
        match message {
            Message::Setup(_) => return Err(Refusal::invalid_argument()),
            Message::Audio { samples, rate } => self.hear(&samples, rate, now),
            Message::Video => {}
            Message::Text(text) => self.read_text(&text, now),
            Message::ActivityStart if self.ear.is_manual() => {
                let heard = self.ear.open_bracket();
                self.on_heard(heard, now);
            }
            Message::ActivityEnd if self.ear.is_manual() => self.end_utterance(now),
            Message::AudioStreamEnd if !self.ear.is_manual() => self.end_utterance(now),
            Message::ActivityStart | Message::ActivityEnd | Message::AudioStreamEnd => {
                return Err(Refusal::invalid_argument());
            }
            Message::Content { lines, turn_complete } => self.read_content(lines, turn_complete, now)?,
            Message::ToolResponses(answers) => {
                answers.iter().for_each(|answer| self.take_answer(answer, now));
            }
        }
        Ok(())
    }

    pub(super) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Idle | Stage::Waiting => None,
            Stage::Speaking(turn) => Some(turn.next_due()),
            Stage::PlayingOut { until } => Some(*until),
        }
    }

    pub(super) fn add_fault(&mut self, fault: Fault) {
        self.faults.0.push(fault);
    }

    pub(super) fn describe(&self, report: &mut SessionReport) {
        report.heard_ms = self.ear.heard_ms();
        report.heard_tones = self.ear.tones().to_vec();
        report.said_ms = samples_to_ms(self.said_samples);
        report.caller_turns = self.caller_turns;
        report.model_turns = self.model_turns;
        report.interruptions = self.interruptions;
        report.history = self.history.clone();
        report.tool_calls = self.calls.reports();
        report.ordering_errors.extend(self.ordering_errors.iter().cloned());
    }

    pub(super) fn add_timing(&self, timing: &mut SessionTiming) {
        timing.heard_ms = self.ear.heard_ms();
        timing.said_ms = samples_to_ms(self.said_samples);
        self.journal.add_to(timing);
    }

    pub(super) fn recording(&self) -> &[i16] {
        self.ear.recording()
    }

    pub(super) fn take_recording(&mut self) -> Vec<i16> {
        self.ear.take_recording()
    }

    fn remember(&mut self, line: HistoryLine) {
        if self.history.len() >= MAX_HISTORY_LINES {
            self.history.remove(0);
        }
        let text = line.text.chars().take(MAX_LINE_CHARACTERS).collect();
        self.history.push(HistoryLine { text, ..line });
    }

    fn note(&mut self, error: String) {
        if self.ordering_errors.len() < MAX_ORDERING_ERRORS {
            self.ordering_errors.push(error);
        }
    }

    fn say(&mut self, message: Value) {
        self.effects.push_back(Effect::Say(message));
    }
}
