//! One call's session with the model, as a pure machine. It outlives its connections: the call talks to the session,
//! the session asks its shell for one websocket after the other, each with an epoch, and nothing of an old epoch
//! counts once a new one was asked for.
//!
//! - `connection`: opening, setting up, losing and renewing connections (`Link` is where it stands).
//! - `recovery`: whether a lost connection is tried again, when and with which handle.
//! - `conversation`: what the server says while a connection is live: turns, words, tools, usage.
//!
//! Audio does not pass here: up it goes straight to the socket while [`VoiceSession::uplink_open`], down it is taken
//! out of each message by the [`Downlink`](super::Downlink) before the session sees the rest.

mod connection;
mod conversation;
mod recovery;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Instant;

use serde_json::Value;

use self::connection::{Link, Opening};
use self::conversation::Turn;
use self::recovery::Recovery;
use super::config::{ResumeHandle, SessionConfig, Start, Timeouts};
use super::failure::{ConnectFailure, FailureClass};
use super::tools::ToolTable;
use super::traits::ModelTraits;
use super::transcript::{Fragment, Heard, Transcript, TranscriptItem};
use super::usage::Usage;
use super::wire::ServerMessage;
use crate::domain::Entropy;

#[derive(Debug)]
pub enum Input {
    /// Open the first connection; early enough that it is ready when the call is answered.
    Begin,
    Connected {
        epoch: u32,
    },
    ConnectFailed {
        epoch: u32,
        failure: ConnectFailure,
    },
    /// A message whose audio was already taken out.
    Control {
        epoch: u32,
        message: Box<ServerMessage>,
    },
    /// A message nobody could read.
    Garbage {
        epoch: u32,
    },
    Closed {
        epoch: u32,
        code: Option<u16>,
        reason: String,
    },
    /// From now on the caller can hear: greet if there is a greeting.
    CallAnswered,
    ToolResult {
        id: String,
        name: String,
        result: Result<Value, String>,
    },
    /// What the caller did other than speak: "the caller pressed 5".
    CallerText(String),
    /// No audio will come for a while (hold).
    AudioPaused,
    /// The call is over; `heard` is how much of the model's last words was heard.
    Stop {
        heard: Option<Heard>,
    },
    Timeout,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    Connect {
        epoch: u32,
    },
    /// One text message for the current connection.
    Send(String),
    /// May name a socket that is gone already.
    CloseSocket {
        epoch: u32,
    },
    Event(VoiceEvent),
}

#[derive(Debug, Clone, PartialEq)]
pub enum VoiceEvent {
    /// The model is set up for the first time.
    Ready,
    /// The connection is being replaced: the uplink is closed, what is queued plays on.
    Reconnecting,
    /// The conversation goes on: after every later setup, and after the first of a session that did not begin fresh.
    /// `fresh` when the model remembers only what we told it.
    Resumed {
        fresh: bool,
    },
    TurnStarted,
    TurnEnded {
        reason: TurnEnd,
    },
    /// All audio of the turn has come.
    GenerationComplete,
    /// The caller spoke over the model. The reader has already flushed the playout.
    Interrupted,
    CallerSaid(Fragment),
    ModelSaid(Fragment),
    ToolCall {
        id: String,
        name: String,
        args: Value,
    },
    /// Answered at once with an error: an unknown tool, or too many at a time.
    ToolRefused {
        id: String,
        name: String,
        args: Value,
        why: String,
    },
    /// Taken back by the model, or too late: nobody waits for these results any more.
    ToolCancelled {
        ids: Vec<String>,
    },
    Handle(ResumeHandle),
    /// The call's sum so far.
    Usage(Usage),
    /// The session is over and cannot be helped.
    Failed {
        class: FailureClass,
        reason: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnEnd {
    Complete,
    Interrupted,
    /// The model said nothing.
    Empty,
    /// The server says why, in its own open vocabulary (`RESPONSE_REJECTED`, `MALFORMED_FUNCTION_CALL` …).
    Rejected(String),
    /// The connection was lost in the middle of it.
    Lost,
}

pub struct VoiceSession {
    config: SessionConfig,
    traits: &'static ModelTraits,
    limits: Timeouts,
    outputs: VecDeque<Output>,

    link: Link,
    epoch: u32,
    opening: Opening,
    recovery: Recovery,
    begun_fresh: bool,
    was_ready: bool,
    garbage: u64,
    garbage_in_a_row: u32,

    turn: Turn,
    tools: ToolTable,
    transcript: Transcript,
    usage: Usage,
    answered: bool,
    /// Said while there was no connection to say it on.
    unsaid: VecDeque<String>,
}

impl VoiceSession {
    pub fn new(config: SessionConfig, start: Start, limits: Timeouts, entropy: Entropy) -> Self {
        let begun_fresh = start == Start::Fresh;
        let mut transcript = Transcript::default();
        let handle = match start {
            Start::Fresh => None,
            Start::Resume { handle } => Some(ResumeHandle { handle, model: config.model_id().to_owned() }),
            Start::Seeded { history } => {
                transcript.remember(history);
                None
            }
        };
        Self {
            traits: ModelTraits::of(config.model_id()),
            recovery: Recovery::new(handle, limits.outage_budget, entropy),
            tools: ToolTable::new(config.tools.clone()),
            config,
            limits,
            outputs: VecDeque::new(),
            link: Link::Idle,
            epoch: 0,
            opening: Opening::Fresh,
            begun_fresh,
            was_ready: false,
            garbage: 0,
            garbage_in_a_row: 0,
            turn: Turn::default(),
            transcript,
            usage: Usage::default(),
            answered: false,
            unsaid: VecDeque::new(),
        }
    }

    /// What was said before this session, so that a refused handle can still be replaced by a seed.
    pub fn remember(&mut self, history: Vec<TranscriptItem>) {
        self.transcript.remember(history);
    }

    /// An earlier session of the same call died while the model was speaking or about to: it is asked to carry on.
    pub fn owe_speech(&mut self) {
        self.turn.owed = true;
    }

    pub fn handle(&mut self, input: Input, now: Instant) {
        if matches!(self.link, Link::Ended) {
            return;
        }
        match input {
            Input::Begin => self.begin(now),
            Input::Connected { epoch } => self.connected(epoch, now),
            Input::ConnectFailed { epoch, failure } => self.connect_failed(epoch, failure, now),
            Input::Control { epoch, message } => self.message(epoch, *message, now),
            Input::Garbage { epoch } => self.unreadable(epoch, now),
            Input::Closed { epoch, code, reason } => self.closed(epoch, code, reason, now),
            Input::CallAnswered => self.call_answered(),
            Input::ToolResult { id, result, .. } => self.tool_finished(&id, result),
            Input::CallerText(text) => self.caller_text(text),
            Input::AudioPaused => self.audio_paused(),
            Input::Stop { heard } => self.stop(heard),
            Input::Timeout => {}
        }
        self.after_input(now);
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        if matches!(self.link, Link::Ended) {
            return None;
        }
        [self.link_timeout(), self.tools.next_deadline(), self.caller_quiet_at()].into_iter().flatten().min()
    }

    /// May the caller's audio be sent now? Before that, at most the newest is worth keeping.
    pub fn uplink_open(&self) -> bool {
        matches!(self.link, Link::Live(_))
    }

    /// The newest connection that was asked for; 0 before the first.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The call's own record of what was said, for a checkpoint.
    pub fn history(&self) -> Vec<TranscriptItem> {
        self.transcript.history()
    }

    pub fn resume_handle(&self) -> Option<&ResumeHandle> {
        self.recovery.handle.as_ref()
    }

    pub fn usage(&self) -> Usage {
        self.usage
    }

    pub fn garbage_count(&self) -> u64 {
        self.garbage
    }

    /// Everything that follows from time or from what just changed.
    fn after_input(&mut self, now: Instant) {
        self.expire_tools(now);
        self.close_quiet_caller(now);
        self.check_link(now);
    }

    fn event(&mut self, event: VoiceEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    fn send(&mut self, message: String) {
        self.outputs.push_back(Output::Send(message));
    }
}
