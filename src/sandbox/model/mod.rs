//! A stand-in of the Gemini Live API (`BidiGenerateContent` over a websocket), faithful to what the real service
//! was seen to do, faults included.
//!
//! # How a connection runs
//! `server` accepts TCP, reads the upgrade request by hand (`http`), asks `admission` about its key and either
//! refuses with Google's error JSON or upgrades. From then on everything that is decided is decided by one pure
//! `session::Session` per connection; `connection` is its shell: frames in, frames out, one timer.
//!
//! ```text
//! frame ─▶ session ─▶ strict (names, enums: schema) ─▶ message ─▶ conversation ─▶ outputs ─▶ frame
//!             │                                              ├ ear: rate, VAD, tones (samples are its clock)
//!             ├ setup, models: what a setup may say          ├ speech: prompts and marker, 40 ms chunks in bursts
//!             └ faults: what goes wrong on purpose           └ tools, usage, handles
//! ```
//! What outlives a connection stays in `state`: keys and their counters, resumption handles (`handles`), the
//! reports of past sessions. `side` shows it over a small HTTP port and takes new fault rules there.
//!
//! # Markers: whose model do I hear?
//! Every session mixes a quiet pair of tones under all it says and a little beyond (`marker`); the pair is the
//! session's own among those alive. A system instruction holding `[marker 17]` picks pair 17; otherwise pairs are
//! given out in turn, and a resumed session keeps the one it had. [`Marker::heard_in`] tells whether a recording holds
//! a marker, [`Marker::tones_heard_in`] which marker tones it holds at all: any tone that is not its own is crosstalk.
//!
//! # Making it do things
//! A text input (`realtimeInput.text` or a user turn) holding `[call NAME {json}]` makes it call that tool,
//! `[speak MS]` makes it speak that long; [`Script`] plans tool calls by the caller's turn, [`FaultRule`] plans faults.
//! A caller's pure tones are "recognised" as words (` tone 697 Hz`, ` digit 5`), so two calls can be told apart.
//!
//! # Many of them at once
//! Every session notes when what happened (`timing`, shown at the side port), so that a load test can tell how long an
//! engine took. With [`Listening::Lightly`] it looks for callers' signatures instead of tones and keeps no audio.
//!
//! # Left out
//! Video, other modalities than audio, Vertex, delayed pongs, thinking text, grounding. Audio that would not fit the
//! bounds ([`ModelSettings::keep_audio_s`]) is heard but not kept.

mod admission;
mod connection;
mod conversation;
mod ear;
mod faults;
mod garbage;
mod handles;
mod http;
mod listen;
mod marker;
mod message;
mod models;
mod prompts;
mod refusal;
mod replies;
mod report;
mod schema;
mod server;
mod session;
mod settings;
mod setup;
mod side;
mod spectrum;
mod speech;
mod state;
mod strict;
#[cfg(test)]
mod tests;
mod timing;
mod tones;
mod tools;
mod usage;
mod vad;
mod wire;

pub use faults::{Fault, FaultRule, Moment, Scope};
pub use marker::Marker;
pub use report::{HeardTone, HistoryLine, SessionReport, ToolCallReport};
pub use server::ModelServer;
pub use settings::{
    AgeClose, CallPlan, KeyFailure, KnownKey, KnownKeys, Limits, Listening, ModelSettings, Script,
    SpeechStyle, Timing, UnknownKey, Voicing,
};
pub use timing::{Happened, Note, PREBUFFER_MS, SessionTiming};
pub use tones::Tones;
