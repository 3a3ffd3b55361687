//! Who said what, as the server heard and said it. Fragments arrive out of step with the audio and with each other:
//! the caller's words may come after the model's answer has begun. The bounded record kept here also seeds a fresh
//! session when the old one cannot be resumed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    Caller,
    Model,
}

/// One finished utterance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptItem {
    pub speaker: Speaker,
    pub text: String,
    /// The model was cut off; what was heard may end earlier than the text.
    pub interrupted: bool,
}

/// How one utterance reads now. Later fragments of the same `item` replace it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Numbers a call's utterances of both speakers.
    pub item: u64,
    pub text: String,
    pub finished: bool,
    pub interrupted: bool,
}

/// How much of what the model said in this turn has reached the caller's ear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    pub heard_ms: u64,
    pub said_ms: u64,
}

#[derive(Debug, Default)]
pub struct Transcript {
    items: VecDeque<TranscriptItem>,
    bytes: usize,
    caller: Option<Open>,
    model: Option<Open>,
    next_item: u64,
}

#[derive(Debug)]
struct Open {
    item: u64,
    /// Verbatim, leading blanks included: fragments are parts of words too.
    text: String,
    began: Instant,
    last_news: Instant,
}

/// An utterance is closed after this long without news, once the other side speaks.
pub const QUIET_BEFORE_CLOSE: Duration = Duration::from_millis(500);
const MAX_ITEM_BYTES: usize = 8 * 1024;
const MAX_CHAR_BYTES: usize = 4;
/// What a seed may hold: an hour of talk is some 50 kB, the newest part is what matters.
const MAX_ITEMS: usize = 200;
const MAX_BYTES: usize = 32 * 1024;
/// A shorter repetition ("no no") is speech, not a server repeating itself.
const MIN_REPEATED_CHARS: usize = 4;

impl Transcript {
    /// Begins with what an earlier session of the same call has recorded.
    pub fn remember(&mut self, items: Vec<TranscriptItem>) {
        items.into_iter().for_each(|item| self.keep(item));
    }

    /// Adds what was newly transcribed; `None` when it was nothing.
    pub fn hear(&mut self, speaker: Speaker, text: &str, now: Instant) -> Option<Fragment> {
        if text.is_empty() {
            return None;
        }
        let next_item = self.next_item;
        let open = self.slot(speaker).get_or_insert_with(|| Open {
            item: next_item,
            text: String::new(),
            began: now,
            last_news: now,
        });
        open.take(text, now);
        let fragment = open.fragment();
        self.next_item = next_item.max(fragment.item + 1);
        Some(fragment)
    }

    /// Ends the speaker's utterance; `None` when there was none or it held only blanks.
    pub fn close(&mut self, speaker: Speaker, interrupted: bool) -> Option<Fragment> {
        self.close_with(speaker, interrupted, str::to_owned)
    }

    /// Ends the model's utterance with the last word the caller heard of it.
    pub fn close_where_cut(&mut self, heard: Heard) -> Option<Fragment> {
        self.close_with(Speaker::Model, !heard.is_all(), |text| heard.part_of(text).to_owned())
    }

    fn close_with(
        &mut self,
        speaker: Speaker,
        interrupted: bool,
        kept: impl FnOnce(&str) -> String,
    ) -> Option<Fragment> {
        let open = self.slot(speaker).take()?.fragment();
        let fragment = Fragment { finished: true, interrupted, text: kept(&open.text), ..open };
        if fragment.text.is_empty() {
            return None;
        }
        self.keep(TranscriptItem { speaker, text: fragment.text.clone(), interrupted });
        Some(fragment)
    }

    pub fn is_full(&self, speaker: Speaker) -> bool {
        self.open(speaker).is_some_and(|open| open.text.len() + MAX_CHAR_BYTES > MAX_ITEM_BYTES)
    }

    /// When the speaker's utterance has been without news for long enough to be closed.
    pub fn quiet_at(&self, speaker: Speaker) -> Option<Instant> {
        self.open(speaker).map(|open| open.last_news + QUIET_BEFORE_CLOSE)
    }

    /// When the first words came of what is open.
    pub fn began_at(&self, speaker: Speaker) -> Option<Instant> {
        self.open(speaker).map(|open| open.began)
    }

    /// Everything said so far, what is still open included; the caller's words before the answer to them.
    pub fn history(&self) -> Vec<TranscriptItem> {
        let open = [(Speaker::Caller, &self.caller), (Speaker::Model, &self.model)];
        let open = open.into_iter().filter_map(|(speaker, open)| {
            let text = open.as_ref()?.text.trim().to_owned();
            (!text.is_empty()).then_some(TranscriptItem { speaker, text, interrupted: false })
        });
        self.items.iter().cloned().chain(open).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.caller.is_none() && self.model.is_none()
    }

    fn open(&self, speaker: Speaker) -> Option<&Open> {
        match speaker {
            Speaker::Caller => self.caller.as_ref(),
            Speaker::Model => self.model.as_ref(),
        }
    }

    fn slot(&mut self, speaker: Speaker) -> &mut Option<Open> {
        match speaker {
            Speaker::Caller => &mut self.caller,
            Speaker::Model => &mut self.model,
        }
    }

    fn keep(&mut self, item: TranscriptItem) {
        self.bytes += item.text.len();
        self.items.push_back(item);
        while self.items.len() > MAX_ITEMS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.items.pop_front() else { return };
            self.bytes -= oldest.text.len();
        }
    }
}

impl Open {
    fn take(&mut self, text: &str, now: Instant) {
        self.last_news = now;
        let repeats = self.text.trim().chars().count() >= MIN_REPEATED_CHARS && text.starts_with(&self.text);
        if repeats {
            self.text.clear();
        }
        self.text.push_str(cut(text, MAX_ITEM_BYTES.saturating_sub(self.text.len())));
    }

    fn fragment(&self) -> Fragment {
        Fragment { item: self.item, text: self.text.trim().to_owned(), finished: false, interrupted: false }
    }
}

/// Nobody speaks faster for long. Words may be transcribed well ahead of their sound.
const CHARACTERS_PER_SECOND_MAX: u64 = 25;

impl Heard {
    pub fn is_all(self) -> bool {
        self.heard_ms >= self.said_ms
    }

    /// The words come in step with the sound, more or less: as much of the text as of the sound, to the last whole word.
    fn part_of(self, text: &str) -> &str {
        if self.is_all() {
            return text;
        }
        let characters = text.chars().count() as u64;
        let in_step = characters.saturating_mul(self.heard_ms) / self.said_ms.max(1);
        let speakable = self.heard_ms.saturating_mul(CHARACTERS_PER_SECOND_MAX) / 1_000;
        let mut rest = text.char_indices().skip(in_step.min(speakable) as usize);
        let Some((end, next)) = rest.next() else { return text };
        let (part, _) = text.split_at(end);
        let is_whole_word = next.is_whitespace() || part.ends_with(char::is_whitespace);
        // Some scripts have no blanks between words.
        let last_blank = part.rfind(char::is_whitespace).filter(|_| !is_whole_word);
        last_blank.map_or(part, |at| part.split_at(at).0).trim_end()
    }
}

/// The longest beginning of `text` that fits, on a character's boundary.
pub fn cut(text: &str, max_bytes: usize) -> &str {
    let end = (0..=max_bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Speaker::{Caller, Model};
    use super::*;
    use crate::voice::origin;

    fn text_of(transcript: &Transcript) -> Vec<String> {
        transcript.history().into_iter().map(|item| item.text).collect()
    }

    #[test]
    fn fragments_are_joined_verbatim_and_trimmed_only_at_the_end() {
        let (mut transcript, now) = (Transcript::default(), origin());
        for fragment in [" I need an", " app", "ointment. "] {
            transcript.hear(Caller, fragment, now);
        }
        let closed = transcript.close(Caller, false).expect("an utterance");
        assert_eq!(closed.text, "I need an appointment.");
    }

    #[test]
    fn a_cumulative_or_repeated_transcript_replaces_what_stood_there() {
        let (mut transcript, now) = (Transcript::default(), origin());
        for fragment in ["Of course", "Of course, sir", "Of course, sir"] {
            transcript.hear(Model, fragment, now);
        }
        assert_eq!(text_of(&transcript), ["Of course, sir"]);
        for fragment in [" no", " no", " no"] {
            transcript.hear(Caller, fragment, now);
        }
        assert_eq!(text_of(&transcript)[0], "no no no");
    }

    #[test]
    fn the_callers_late_words_stand_before_the_answer_to_them() {
        let (mut transcript, now) = (Transcript::default(), origin());
        transcript.hear(Model, "At nine.", now);
        transcript.hear(Caller, "When do you open?", now);
        assert_eq!(text_of(&transcript), ["When do you open?", "At nine."]);
    }

    #[test]
    fn the_record_keeps_the_newest_within_its_bounds() {
        let (mut transcript, now) = (Transcript::default(), origin());
        for number in 0..3 * MAX_ITEMS {
            transcript.hear(Model, &format!("{number} {}", "é".repeat(9_000)), now);
            assert!(transcript.is_full(Model));
            transcript.close(Model, false);
        }
        let history = transcript.history();
        assert!(history.iter().map(|item| item.text.len()).sum::<usize>() <= MAX_BYTES);
        assert!(history.last().expect("the newest").text.starts_with("599 "));
    }

    fn cut_after(text: &str, heard_ms: u64, said_ms: u64) -> Option<(String, bool)> {
        let mut transcript = Transcript::default();
        transcript.hear(Model, text, origin());
        let cut = transcript.close_where_cut(Heard { heard_ms, said_ms })?;
        assert_eq!(text_of(&transcript), std::slice::from_ref(&cut.text), "a seed tells what was heard too");
        Some((cut.text, cut.interrupted))
    }

    #[test]
    fn an_interrupted_answer_ends_with_the_last_word_that_was_heard() {
        let text = " We open at nine and close at five.";
        let cut = |heard_ms| cut_after(text, heard_ms, 2_000).map(|(text, _)| text);
        assert_eq!(cut(900).as_deref(), Some("We open at nine"));
        assert_eq!(cut(880).as_deref(), Some("We open at"), "half a word was not heard");
        assert_eq!(cut(2_000).as_deref(), Some("We open at nine and close at five."));
        assert_eq!(cut(0), None);
    }

    #[test]
    fn what_was_heard_to_its_end_is_not_interrupted_and_the_rest_is() {
        assert_eq!(cut_after("Yes.", 400, 400), Some(("Yes.".into(), false)));
        assert_eq!(cut_after("Yes. No.", 600, 1_000), Some(("Yes.".into(), true)));
    }

    #[test]
    fn words_that_are_ahead_of_their_sound_are_not_taken_for_heard() {
        let (whole, early) = ("word ".repeat(100), 400);
        let (text, interrupted) = cut_after(&whole, early, early + 100).expect("some of it");
        assert!(interrupted && text.chars().count() <= 10, "{text}");
    }

    #[test]
    fn a_script_without_blanks_is_cut_between_characters() {
        assert_eq!(cut_after("我们九点开门五点关门", 1_000, 2_000), Some(("我们九点开".into(), true)));
    }

    #[test]
    fn blanks_alone_are_no_utterance() {
        let mut transcript = Transcript::default();
        transcript.hear(Caller, "  ", origin());
        assert_eq!(transcript.close(Caller, false), None);
        assert!(transcript.is_empty());
    }
}
