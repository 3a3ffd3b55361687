//! What the two sides say: the greeting, the transcript, and the farewell that is played out before we hang up.

use std::time::{Duration, Instant};

use super::Finish;

/// A farewell may have begun before the model asked to end the call, or follow just after.
const FAREWELL_SHORTEST: Duration = Duration::from_millis(600);
const FAREWELL_LONGEST: Duration = Duration::from_secs(12);
/// That voice waits to be played is told by the next frame: a short goodbye is generated in less time than that.
const PLAYING_TOLD_WITHIN: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    NotAsked,
    /// The model was asked to greet; nothing of it was played yet.
    Asked,
    Sounding,
    /// To its end, or until it was cut.
    Over,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farewell {
    pub(super) finish: Finish,
    not_before: Instant,
    deadline: Instant,
    model_done: bool,
}

/// State that survives a crash: whether we greeted, and a farewell under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Talk {
    pub(super) greeting: Greeting,
    pub(super) farewell: Option<Farewell>,
    /// Voice is being played to the caller or waits to be.
    playing: bool,
    /// The model's turn is still being generated.
    generating: bool,
    /// The caller waits for the model to begin: to an answer, or anew to what broke off.
    awaited: bool,
}

impl Talk {
    pub(super) fn new() -> Self {
        Self {
            greeting: Greeting::NotAsked,
            farewell: None,
            playing: false,
            generating: false,
            awaited: false,
        }
    }

    pub(super) fn greeting_asked(&mut self) {
        self.greeting = Greeting::Asked;
    }

    pub(super) fn set_playing(&mut self, playing: bool) {
        self.playing = playing;
        if playing && self.greeting == Greeting::Asked {
            self.greeting = Greeting::Sounding;
        }
    }

    pub(super) fn turn_started(&mut self) {
        self.generating = true;
        self.awaited = false;
    }

    /// The model's connection broke in the middle of it: the next one is asked to carry on.
    pub(super) fn turn_lost(&mut self) {
        self.awaited |= self.generating;
    }

    /// True when this began the wait for an answer; late words of a question that is being answered do not.
    pub(super) fn caller_spoke(&mut self) -> bool {
        !self.generating && !std::mem::replace(&mut self.awaited, true)
    }

    pub(super) fn turn_over(&mut self, now: Instant) {
        self.generating = false;
        if let Some(farewell) = self.farewell.as_mut().filter(|farewell| !farewell.model_done) {
            farewell.model_done = true;
            farewell.not_before = farewell.not_before.max(now + PLAYING_TOLD_WITHIN);
        }
    }

    /// The caller spoke over the model: what was being said will not be heard to its end.
    pub(super) fn interrupted(&mut self, now: Instant) {
        self.turn_over(now);
        if self.greeting == Greeting::Sounding {
            self.greeting = Greeting::Over;
        }
    }

    /// True once: when the greeting has been generated and played to its end.
    pub(super) fn take_greeting_played(&mut self) -> bool {
        let done = self.greeting == Greeting::Sounding && !self.playing && !self.generating;
        if done {
            self.greeting = Greeting::Over;
        }
        done
    }

    /// The caller waits for something that the model was saying, or was asked to say, and that dies with the session.
    pub(super) fn owes_speech(&self) -> bool {
        let greeting = matches!(self.greeting, Greeting::Asked | Greeting::Sounding);
        self.farewell.is_none() && (greeting || self.playing || self.generating || self.awaited)
    }

    /// The call ends when what is being said has been heard. `model_done` when nothing more is expected of the model.
    pub(super) fn say_farewell(&mut self, finish: Finish, model_done: bool, now: Instant) {
        self.farewell.get_or_insert(Farewell {
            finish,
            not_before: now + FAREWELL_SHORTEST,
            deadline: now + FAREWELL_LONGEST,
            model_done,
        });
    }

    /// The farewell has been heard, or took too long.
    pub(super) fn take_farewell_heard(&mut self, now: Instant) -> Option<Finish> {
        let farewell = self.farewell.as_ref()?;
        let heard = farewell.model_done && !self.playing && now >= farewell.not_before;
        if heard || now >= farewell.deadline {
            return self.farewell.take().map(|farewell| farewell.finish);
        }
        None
    }

    pub(super) fn next_timeout(&self, now: Instant) -> Option<Instant> {
        let farewell = self.farewell.as_ref()?;
        Some(if farewell.not_before > now { farewell.not_before } else { farewell.deadline })
    }

    /// A rebuilt session has an empty playout and no turn under way; a greeting cut short is not said again.
    /// What is owed stays owed until it is said, also when the next session dies over it.
    pub(super) fn resumed(mut self) -> Self {
        self.awaited = self.owes_speech();
        self.playing = false;
        self.generating = false;
        if self.greeting != Greeting::NotAsked {
            self.greeting = Greeting::Over;
        }
        self
    }
}
