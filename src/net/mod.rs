//! Thin adapters to the outside world: they move bytes and know no meaning.
//!
//! - `voice_ws`: one websocket to the voice model, opened with the call's key; `upgrade` is its HTTP handshake.
//! - `webhook`: calls web services of the operator's for the model's tools.

mod upgrade;
pub mod voice_ws;
pub mod webhook;
