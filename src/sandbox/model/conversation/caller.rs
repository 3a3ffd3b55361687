//! What the caller does: speaks, types, adds to the history, and takes the floor with it.

use std::time::Instant;

use serde_json::Value;

use super::super::ear::Heard;
use super::super::prompts::Prompt;
use super::super::refusal::Refusal;
use super::super::replies::Reply;
use super::super::report::HistoryLine;
use super::super::timing::Happened;
use super::super::wire;
use super::{Conversation, Stage};

impl Conversation {
    pub(super) fn hear(&mut self, samples: &[i16], rate: u32, now: Instant) {
        // Outside the client's own brackets audio is discarded.
        if self.ear.is_manual() && !self.ear.is_in_speech() {
            return;
        }
        let recognised = self.signatures.as_mut().and_then(|reader| reader.hear(samples, now));
        if let Some(recognised) = recognised {
            self.journal.note(Happened::Heard(recognised.signature), recognised.onset);
        }
        self.usage.heard(samples.len() as u64 * 1_000 / u64::from(rate));
        for heard in self.ear.hear(samples, rate) {
            self.on_heard(heard, now);
        }
    }

    pub(super) fn end_utterance(&mut self, now: Instant) {
        if let Some(heard) = self.ear.close() {
            self.on_heard(heard, now);
        }
    }

    pub(super) fn on_heard(&mut self, heard: Heard, now: Instant) {
        match heard {
            Heard::Started => {
                self.signal_activity("ACTIVITY_START");
                self.take_floor(now);
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

    pub(super) fn read_text(&mut self, text: &str, now: Instant) {
        self.usage.read(text);
        self.take_floor(now);
        self.answer_caller(text, now);
    }

    pub(super) fn read_content(
        &mut self,
        lines: Vec<HistoryLine>,
        complete: bool,
        now: Instant,
    ) -> Result<(), Refusal> {
        let is_history = std::mem::take(&mut self.awaits_history);
        if self.setup.model.content_only_before_speech && self.model_turns > 0 {
            return Err(Refusal::invalid_argument());
        }
        // Without turns it asks the model to stop talking.
        let stops = complete || lines.is_empty();
        if stops && !is_history && !matches!(self.stage, Stage::Idle) {
            self.interrupt(now);
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
    fn take_floor(&mut self, now: Instant) {
        let may_be_interrupted = self.setup.may_be_interrupted && self.settings.voicing.yields;
        let yields = match self.stage {
            Stage::Idle => false,
            Stage::Waiting => may_be_interrupted && self.setup.model.speech_cancels_calls,
            Stage::Speaking(_) | Stage::PlayingOut { .. } => may_be_interrupted,
        };
        if yields {
            self.interrupt(now);
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
}
