//! The model's messages: what we write ([`client`]) and what we read ([`server`]).
//!
//! Writing is strict (the server closes with 1007 on one unknown name), reading is tolerant: text and binary frames
//! alike, any combination of members, unknown members and enum values, `null` anywhere, integers as strings, broken
//! base64. What cannot be read at all is an error to be counted, never a reason to end a call.

pub mod client;
mod lenient;
pub mod server;

#[cfg(test)]
mod tests;

pub use client::uplink_audio_message;
pub use server::{ServerMessage, WireError, parse_server_message};
