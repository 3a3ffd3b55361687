//! What the model does: a turn from its first chunk to `turnComplete`, or to the interruption.

use std::time::Instant;

use super::super::handles::Memory;
use super::super::refusal::Refusal;
use super::super::replies::Reply;
use super::super::report::HistoryLine;
use super::super::settings::bounded_ms;
use super::super::speech::{Line, Pace, Speech, samples_to_ms};
use super::super::timing::{Happened, PREBUFFER_MS};
use super::super::tools::PlannedCall;
use super::super::wire;
use super::{Conversation, Effect, MAX_QUEUED_REPLIES, Stage};

/// A turn while it is being spoken.
#[derive(Debug)]
pub(super) struct Turn {
    speech: Option<Speech>,
    begins_at: Instant,
    calls_first: Vec<PlannedCall>,
    calls_after: Vec<PlannedCall>,
}

impl Turn {
    pub(super) fn next_due(&self) -> Instant {
        let speech = self.speech.as_ref().filter(|speech| !speech.is_sent());
        speech.map_or(self.begins_at, Speech::next_due)
    }
}

const HANDLE_LENGTH: usize = 24;

impl Conversation {
    pub(super) fn begin_or_queue(&mut self, reply: Reply, now: Instant) {
        if matches!(self.stage, Stage::Idle) {
            self.begin(reply, now);
        } else if self.queue.len() < MAX_QUEUED_REPLIES {
            self.queue.push_back(reply);
        }
    }

    pub(super) fn begin(&mut self, reply: Reply, now: Instant) {
        self.journal.note(Happened::TurnBegun, now);
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
    pub(in super::super) fn advance(&mut self, now: Instant) {
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
                self.send_chunk(speech, now);
                self.stage = Stage::Speaking(turn);
            }
            _ => self.finish_speaking(*turn, now),
        }
    }

    fn send_chunk(&mut self, speech: &mut Speech, now: Instant) {
        self.journal.was_late(now.saturating_duration_since(speech.next_due()));
        let was_buffered = speech.sent_ms() >= PREBUFFER_MS;
        if speech.is_at_half() {
            self.effects.push_back(Effect::HalfSpoken(self.model_turns));
        }
        let chunk = speech.next_chunk();
        if !was_buffered && (speech.sent_ms() >= PREBUFFER_MS || speech.is_sent()) {
            self.journal.note(Happened::PrebufferSent, now);
        }
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

    pub(super) fn complete_turn(&mut self, now: Instant) {
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

    pub(super) fn interrupt(&mut self, now: Instant) {
        self.cut_short(now);
        let dropped = self.calls.cancel(self.setup.model.reports_interaction);
        if !dropped.is_empty() {
            self.say(wire::cancelled(&dropped));
        }
        self.offer_handle();
    }

    pub(super) fn cut_short(&mut self, now: Instant) {
        self.journal.note(Happened::Interrupted, now);
        self.interruptions += 1;
        if let Stage::Speaking(turn) = std::mem::take(&mut self.stage)
            && let Some(speech) = turn.speech.filter(Speech::has_begun)
        {
            self.remember(HistoryLine::model(speech.text_sent()));
        }
        self.say(wire::interrupted());
        self.send_late_transcript();
        self.say_turn_complete();
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
}
