//! Thin adapters to the outside world: they move bytes and know no meaning.
//!
//! - `voice_ws`: one websocket to the voice model, opened with the call's key; `upgrade` is its HTTP handshake.
//! - `crm_http`: the CRM's two endpoints.
//! - `webhook`: calls web services of the operator's for the model's tools.
//! - `subscriber_http`: posts events of calls to those who have asked for them.

mod answers;
pub mod crm_http;
mod outside;
pub mod subscriber_http;
mod upgrade;
pub mod voice_ws;
pub mod webhook;

pub use outside::NoClient;

/// The one provider of this house. Whoever makes a client needs it; the first one counts, and all are the same.
pub fn install_tls_provider() {
    tokio_rustls::rustls::crypto::ring::default_provider().install_default().ok();
}
