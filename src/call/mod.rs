//! One phone call, as a pure machine: what signalling, the voice model, the media path and the clock say goes in;
//! commands for each of them come out.
//!
//! - [`signal`] holds the words in which signalling speaks to a call. SIP is translated into them by the shell, and
//!   LiveKit will be: this folder knows neither.
//! - [`machine`] routes every input to the part that owns the matter: [`lifecycle`] (from the first ring to the one
//!   named outcome), [`talk`] (greeting, transcript, farewell), [`watch`] (no RTP, silence, maximum length).
//! - [`tools`] reads what the model wants of a tool; `tool_calls` sees to it that each call gets its one answer.
//! - [`checkpoint`] is what must survive a crash of the session: a plain struct, from which a new machine goes on
//!   in the same dialog and on the same audio route, without greeting again. [`postbox`] keeps what signalling has
//!   said, so that a session that dies over news does not take them along.
//! - [`recording`] says whether the call is recorded.
//! - [`registry`] admits calls, counts restarts and knows who is alive; its shell is the CallSupervisor.
//!
//! Audio does not pass through here: the session's media path moves it, this machine only says what may be heard.

pub mod checkpoint;
mod connect;
mod converse;
pub mod ending;
mod io;
pub mod lifecycle;
pub mod machine;
#[cfg(test)]
mod machine_tests;
pub mod postbox;
pub mod recording;
pub mod registry;
pub mod signal;
pub mod talk;
mod tool_calls;
pub mod tools;
pub mod watch;

pub use checkpoint::Checkpoint;
pub use ending::Finish;
pub use io::{Input, MediaCommand, Note, Output, Prompt, Setup, ToolCall, ToolDone, VoiceCommand};
pub use machine::CallMachine;
pub use signal::{Ending, Signal, SignalCommand};
pub use watch::CallLimits;
