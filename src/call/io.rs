//! What goes into a call's machine and what comes out of it.

use serde_json::Value;

use crate::domain::Direction;
use crate::media::sdp::Negotiated;
use crate::voice::{Start, TranscriptItem, Usage, VoiceEvent};

use super::watch::CallLimits;
use super::{Checkpoint, Finish, Signal, SignalCommand};

#[derive(Debug, Clone)]
pub struct Setup {
    pub direction: Direction,
    pub limits: CallLimits,
}

#[derive(Debug)]
pub enum Input {
    /// Begin: dial out, or take the inbound call with its offer (`None`: the far end wants ours).
    Start {
        offer: Option<Vec<u8>>,
    },
    Signal(Signal),
    Voice(VoiceEvent),
    /// At least one packet of the far end was accepted.
    PacketHeard,
    /// Voice waits to be played to the caller, or the last of it has been played.
    Playing(bool),
    /// What came of an [`Output::Tool`].
    ToolDone {
        id: String,
        result: Result<Value, String>,
    },
    HangUp {
        reason: String,
    },
    Timeout,
}

#[derive(Debug)]
pub enum Output {
    Signal(SignalCommand),
    Media(MediaCommand),
    Voice(VoiceCommand),
    /// Carry this tool out and say what came of it, once.
    Tool(ToolCall),
    /// Play a stock prompt to the caller.
    Say(Prompt),
    Note(Note),
    /// The durable state changed.
    Checkpoint(Box<Checkpoint>),
    /// The last output of a call.
    Finished(Finish),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaCommand {
    /// Learn (again) where the far end's audio comes from, and speak the negotiated codec.
    Expect(Negotiated),
    /// Both sides are connected: the learning window of the route begins.
    Connected,
    /// Throw away what waits to be played.
    Hush,
    /// Send keys to the far end.
    Press(String),
}

#[derive(Debug)]
pub enum VoiceCommand {
    /// Open the model; `history` is what was said before, for a session that begins in mid-call. `owes_speech` when
    /// the caller waits for something the model has not said to its end.
    Open {
        start: Start,
        history: Vec<TranscriptItem>,
        owes_speech: bool,
    },
    /// Both sides are connected: greet, if there is a greeting to be said.
    Greet,
    AnswerTool {
        id: String,
        name: String,
        result: Result<Value, String>,
    },
    /// Something the caller did that is not speech.
    TellModel(String),
    /// Hold: no caller audio for a while.
    Pause,
    Close,
}

/// The model calls a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    pub args: Value,
}

/// … and has its answer, or will not get one any more.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolDone {
    pub call: ToolCall,
    pub result: Result<Value, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    Apology,
}

/// What the books and the log should know.
#[derive(Debug, Clone)]
pub enum Note {
    Ringing,
    Answered,
    Held(bool),
    GreetingPlayed,
    Item(TranscriptItem),
    Digit(char),
    ToolCalled {
        name: String,
    },
    ToolDone(ToolDone),
    /// The person hears the model.
    FirstAudio,
    Interrupted,
    ModelReconnecting,
    Usage(Usage),
}
