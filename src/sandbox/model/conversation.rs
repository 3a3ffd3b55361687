//! The conversation itself, pure: checked messages and time in, server messages out.
//!
//! The caller's side runs on samples received (`ear`), the model's side on `now`. A turn of the model goes
//! Speaking → (Waiting for blocking tools → Speaking) → PlayingOut → Idle; the caller's speech, text or content
//! breaks into any of these with `interrupted`, `turnComplete` and the cancellation of pending calls, in this order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::ear::{Ear, Heard};
use super::faults::Faults;
use super::handles::Memory;
use super::marker::Marker;
use super::message::{Message, Scheduling, ToolResponse};
use super::prompts::Prompt;
use super::refusal::Refusal;
use super::replies::Reply;
use super::report::{HistoryLine, SessionReport};
use super::settings::{ModelSettings, bounded_ms};
use super::setup::Setup;
use super::speech::{Line, Pace, Speech, samples_to_ms};
use super::tools::{Answer, Calls, PlannedCall};
use super::usage::Usage;
use super::wire;
use crate::domain::Entropy;

pub(super) struct Conversation {
    settings: Arc<ModelSettings>,
    setup: Setup,
    project: String,
    marker: Marker,
    faults: Faults,
    entropy: Entropy,
    ear: Ear,
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

#[derive(Debug)]
struct Turn {
    speech: Option<Speech>,
    begins_at: Instant,
    calls_first: Vec<PlannedCall>,
    calls_after: Vec<PlannedCall>,
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
const HANDLE_LENGTH: usize = 24;

impl Conversation {
    pub(super) fn new(opening: Opening) -> Self {
        let mut usage = Usage::default();
        usage.read(&opening.setup.instruction);
        for line in &opening.history {
            usage.read(&line.text);
        }
        Self {
            ear: Ear::new(opening.setup.detection, opening.settings.keep_audio_s),
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

    pub(super) fn add_fault(&mut self, fault: super::faults::Fault) {
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

    pub(super) fn recording(&self) -> &[i16] {
        self.ear.recording()
    }

    // What the caller does.

    fn hear(&mut self, samples: &[i16], rate: u32, now: Instant) {
        // Outside the client's own brackets audio is discarded.
        if self.ear.is_manual() && !self.ear.is_in_speech() {
            return;
        }
        self.usage.heard(samples.len() as u64 * 1_000 / u64::from(rate));
        for heard in self.ear.hear(samples, rate) {
            self.on_heard(heard, now);
        }
    }

    fn end_utterance(&mut self, now: Instant) {
        if let Some(heard) = self.ear.close() {
            self.on_heard(heard, now);
        }
    }

    fn on_heard(&mut self, heard: Heard, now: Instant) {
        match heard {
            Heard::Started => {
                self.signal_activity("ACTIVITY_START");
                self.take_floor();
            }
            Heard::Ended { words, ms } => {
                self.signal_activity("ACTIVITY_END");
                let words = words.unwrap_or_else(|| self.scripted_words(ms));
                self.utterances += 1;
                self.transcribe_caller(&words);
                self.answer_caller(&words, now);
            }
        }
    }

    fn signal_activity(&mut self, kind: &str) {
        if self.setup.wants_activity {
            self.say(wire::voice_activity(kind, self.ear.heard_ms()));
        }
    }

    fn scripted_words(&self, ms: u64) -> String {
        let scripted = self.settings.script.caller_lines.get(self.utterances).cloned();
        scripted.unwrap_or_else(|| format!("speech of {}.{} seconds", ms / 1_000, ms % 1_000 / 100))
    }

    /// The transcript comes in fragments, and one time in four only after the answer has begun.
    fn transcribe_caller(&mut self, words: &str) {
        if !self.setup.input_transcript {
            return;
        }
        let fragments: Vec<Value> = wire::fragments(words).iter().map(|part| wire::heard(part)).collect();
        if self.entropy.below(4) == 0 {
            self.late_transcript.extend(fragments);
        } else {
            fragments.into_iter().for_each(|fragment| self.say(fragment));
        }
    }

    fn read_text(&mut self, text: &str, now: Instant) {
        self.usage.read(text);
        self.take_floor();
        self.answer_caller(text, now);
    }

    fn read_content(&mut self, lines: Vec<HistoryLine>, complete: bool, now: Instant) -> Result<(), Refusal> {
        let is_history = std::mem::take(&mut self.awaits_history);
        if self.setup.model.content_only_before_speech && self.model_turns > 0 {
            return Err(Refusal::invalid_argument());
        }
        // Without turns it asks the model to stop talking.
        let stops = complete || lines.is_empty();
        if stops && !is_history && !matches!(self.stage, Stage::Idle) {
            self.interrupt();
        }
        let mut lines = lines;
        let last = if complete && !is_history { lines.pop_if(|line| !line.is_models()) } else { None };
        for line in lines {
            self.usage.read(&line.text);
            self.remember(line);
        }
        if complete && !is_history {
            let text = last.map(|line| line.text).unwrap_or_default();
            self.usage.read(&text);
            self.answer_caller(&text, now);
        }
        Ok(())
    }

    /// Somebody who acts while the model has the floor takes it, unless the setup or the model forbids it.
    fn take_floor(&mut self) {
        let yields = match self.stage {
            Stage::Idle => false,
            Stage::Waiting => self.setup.may_be_interrupted && self.setup.model.speech_cancels_calls,
            Stage::Speaking(_) | Stage::PlayingOut { .. } => self.setup.may_be_interrupted,
        };
        if yields {
            self.interrupt();
        }
    }

    fn answer_caller(&mut self, words: &str, now: Instant) {
        let is_first = !self.history.iter().any(HistoryLine::is_models);
        self.remember(HistoryLine::user(words));
        let reply = if let Some(demanded) = Reply::demanded_by(words, &self.setup) {
            demanded
        } else if is_first {
            Reply::say(Prompt::Greeting)
        } else {
            self.caller_turns += 1;
            Reply::planned_for(self.caller_turns, &self.settings.script, &self.setup)
        };
        self.begin_or_queue(reply, now);
    }

    // What the model does.

    fn begin_or_queue(&mut self, reply: Reply, now: Instant) {
        if matches!(self.stage, Stage::Idle) {
            self.begin(reply, now);
        } else if self.queue.len() < MAX_QUEUED_REPLIES {
            self.queue.push_back(reply);
        }
    }

    fn begin(&mut self, reply: Reply, now: Instant) {
        if !reply.continues_turn {
            self.model_turns += 1;
        }
        if self.setup.wants_handles {
            self.say(wire::not_resumable());
        }
        let pace = self.pace(now);
        let is_empty = self.faults.turn_is_empty(self.model_turns);
        let line = reply.line.filter(|_| !is_empty);
        let calls = if is_empty { Vec::new() } else { reply.calls };
        let (calls_first, calls_after) =
            if reply.calls_first { (calls, Vec::new()) } else { (Vec::new(), calls) };
        let speech = line.map(|line: Line| Speech::new(line, &self.settings.voicing, self.marker, pace));
        let turn = Turn { speech, begins_at: pace.first_audio_at, calls_first, calls_after };
        self.stage = Stage::Speaking(Box::new(turn));
    }

    fn pace(&mut self, now: Instant) -> Pace {
        let timing = &self.settings.timing;
        let jitter = timing.first_audio_jitter_ms;
        let swing = self.entropy.below(jitter.saturating_mul(2).saturating_add(1));
        let latency = timing.first_audio_ms.saturating_add(swing).saturating_sub(jitter);
        let latency = self.faults.first_audio_delay().unwrap_or(bounded_ms(latency));
        let burst_factor = self.faults.burst_factor().unwrap_or(timing.burst_factor);
        Pace { first_audio_at: now + latency, burst_factor }
    }

    /// Does everything that is due.
    pub(super) fn advance(&mut self, now: Instant) {
        while self.next_timeout().is_some_and(|due| due <= now) {
            match std::mem::take(&mut self.stage) {
                Stage::Speaking(turn) => self.speak_on(turn, now),
                Stage::PlayingOut { .. } => self.complete_turn(now),
                Stage::Idle | Stage::Waiting => {}
            }
        }
    }

    fn speak_on(&mut self, mut turn: Box<Turn>, now: Instant) {
        self.call(std::mem::take(&mut turn.calls_first));
        match &mut turn.speech {
            Some(speech) if !speech.is_sent() => {
                self.send_chunk(speech);
                self.stage = Stage::Speaking(turn);
            }
            _ => self.finish_speaking(*turn, now),
        }
    }

    fn send_chunk(&mut self, speech: &mut Speech) {
        if speech.is_at_half() {
            self.effects.push_back(Effect::HalfSpoken(self.model_turns));
        }
        let chunk = speech.next_chunk();
        self.said_samples += chunk.samples.len();
        self.usage.said(samples_to_ms(chunk.samples.len()));
        self.say(wire::audio(&chunk.samples));
        if let Some(words) = chunk.words.filter(|_| self.setup.output_transcript) {
            self.say(wire::spoken(&words));
        }
        self.send_late_transcript();
    }

    fn send_late_transcript(&mut self) {
        for fragment in std::mem::take(&mut self.late_transcript) {
            self.say(fragment);
        }
    }

    fn call(&mut self, calls: Vec<PlannedCall>) {
        if let Some(message) = self.calls.place(calls) {
            self.say(message);
        }
    }

    fn finish_speaking(&mut self, turn: Turn, now: Instant) {
        self.call(turn.calls_after);
        if let Some(speech) = &turn.speech {
            self.remember(HistoryLine::model(speech.text_sent()));
        }
        if self.calls.is_blocked() {
            self.stage = Stage::Waiting;
            return;
        }
        let Some(speech) = turn.speech else { return self.complete_turn(now) };
        self.say(wire::generation_complete());
        let held = self.settings.timing.hold_turn_complete;
        self.stage = Stage::PlayingOut { until: if held { speech.played_at() } else { now } };
    }

    fn complete_turn(&mut self, now: Instant) {
        self.stage = Stage::Idle;
        self.send_late_transcript();
        self.say_turn_complete();
        self.offer_handle();
        if !self.ear.is_in_speech()
            && let Some(reply) = self.queue.pop_front()
        {
            self.begin(reply, now);
        }
    }

    fn interrupt(&mut self) {
        self.interruptions += 1;
        if let Stage::Speaking(turn) = std::mem::take(&mut self.stage)
            && let Some(speech) = turn.speech.filter(Speech::has_begun)
        {
            self.remember(HistoryLine::model(speech.text_sent()));
        }
        self.say(wire::interrupted());
        self.send_late_transcript();
        self.say_turn_complete();
        let dropped = self.calls.cancel(self.setup.model.reports_interaction);
        if !dropped.is_empty() {
            self.say(wire::cancelled(&dropped));
        }
        self.offer_handle();
    }

    fn say_turn_complete(&mut self) {
        let status = self
            .setup
            .model
            .reports_interaction
            .then(|| if self.calls.is_any_pending() { "IN_PROGRESS" } else { "IDLE" });
        let usage = self.usage.end_turn();
        self.say(wire::turn_complete(status, &usage));
        if !self.setup.compresses && self.usage.context_tokens() > self.settings.limits.context_tokens {
            let reason = "The input token count exceeds the maximum number of tokens allowed.";
            self.effects.push_back(Effect::Refuse(Refusal::invalid(reason)));
        }
    }

    fn offer_handle(&mut self) {
        if !self.setup.wants_handles {
            return;
        }
        if self.calls.is_any_pending() {
            return self.say(wire::not_resumable());
        }
        let name = self.entropy.token(HANDLE_LENGTH);
        self.say(wire::resumable(&name));
        let memory = Memory {
            project: self.project.clone(),
            model: self.setup.model.name.to_owned(),
            marker: self.marker,
            history: self.history.clone().into(),
        };
        self.effects.push_back(Effect::Keep { name, memory });
    }

    fn take_answer(&mut self, given: &ToolResponse, now: Instant) {
        let answer = self.calls.answer(given);
        self.usage.read(&given.response.to_string());
        match answer {
            Answer::Unknown => self.note(format!("answer to an unknown call {}", given.id)),
            Answer::Late => self.note(format!("answer to a closed call {}", given.id)),
            Answer::Taken { .. } if given.more_follow => {}
            Answer::Taken { blocking: true, failed, ends_call } => self.go_on(failed, ends_call, now),
            Answer::Taken { blocking: false, failed, .. } => {
                self.tell_result(failed, given.scheduling, now);
            }
        }
    }

    /// The last blocking answer lets the turn go on.
    fn go_on(&mut self, failed: bool, ends_call: bool, now: Instant) {
        if !matches!(self.stage, Stage::Waiting) || self.calls.is_blocked() {
            return;
        }
        if ends_call {
            return self.complete_turn(now);
        }
        self.begin(Reply { continues_turn: true, ..result(failed) }, now);
    }

    fn tell_result(&mut self, failed: bool, scheduling: Scheduling, now: Instant) {
        match scheduling {
            Scheduling::Silent => return,
            // While the caller speaks, even this waits until they have finished.
            Scheduling::Interrupt if !matches!(self.stage, Stage::Idle) => self.interrupt(),
            Scheduling::Interrupt | Scheduling::WhenIdle => {}
        }
        if self.ear.is_in_speech() && self.queue.len() < MAX_QUEUED_REPLIES {
            return self.queue.push_back(result(failed));
        }
        self.begin_or_queue(result(failed), now);
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

impl Turn {
    fn next_due(&self) -> Instant {
        let speech = self.speech.as_ref().filter(|speech| !speech.is_sent());
        speech.map_or(self.begins_at, Speech::next_due)
    }
}

fn result(failed: bool) -> Reply {
    Reply::say(if failed { Prompt::Apology } else { Prompt::Result })
}
