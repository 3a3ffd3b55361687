//! Thin adapters to the outside world: they move bytes and know no meaning.
//!
//! - `voice_ws`: one websocket to the voice model, opened with the call's key; `upgrade` is its HTTP handshake.
//! - `crm_http`: the CRM's two endpoints.

pub mod crm_http;
mod upgrade;
pub mod voice_ws;
