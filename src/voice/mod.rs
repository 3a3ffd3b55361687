//! The voice model's protocol, Gemini Live (`BidiGenerateContent`), without a socket or a clock.
//!
//! One call has one [`VoiceSession`], a machine that outlives its websockets. Its shell opens the sockets it asks for
//! (`net/voice_ws`) and runs two tasks on each: the reader parses a frame ([`parse_server_message`]), lets its
//! [`Downlink`] take out the audio and decide what is played, and hands the rest to the session; the writer sends
//! what the session says and, while [`VoiceSession::uplink_open`], the caller's audio ([`uplink_audio_message`]).
//!
//! - `wire`: messages, written strictly and read tolerantly.
//! - `config`, `traits`: what the session is told; what a model accepts, as data.
//! - `session`: setting up, greeting, turns, tools, losing and renewing connections.
//! - `downlink`: audio out and the flush at an interruption.
//! - `tools`: every call of a tool is answered, once. `transcript`: who said what, and the seed of a fresh session.
//! - `failure`: what a refusal or a close means, and whom it blames. `usage`: what the call costs.
//!
//! Left out for now: the watchdog over silent faults, manual activity marks, images, the cloud variant of the API.

pub mod config;
pub mod downlink;
pub mod failure;
pub mod session;
pub mod tools;
pub mod traits;
pub mod transcript;
pub mod usage;
pub mod wire;

pub use config::{ResumeHandle, Sensitivity, SessionConfig, Start, Timeouts, ToolDeclaration, TurnTaking};
pub use downlink::{AudioChunk, Downlink, DownlinkStep};
pub use failure::{ConnectFailure, FailureClass};
pub use session::{Input, Output, TurnEnd, VoiceEvent, VoiceSession};
pub use traits::ModelTraits;
pub use transcript::{Fragment, Heard, Speaker, TranscriptItem};
pub use usage::Usage;
pub use wire::server::{MAX_MESSAGE_BYTES, ServerMessage, WireError};
pub use wire::{parse_server_message, uplink_audio_message};

/// Where the tests' virtual clocks begin.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a virtual clock has to begin at some instant")]
fn origin() -> std::time::Instant {
    std::time::Instant::now()
}
