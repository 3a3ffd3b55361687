//! A stand-in of the CRM: the two endpoints, strict about what they are sent, and a list of what has arrived.
//!
//! A recording is kept once for each `Idempotency-Key`, call data once for each `callId`; a key that was seen before is
//! answered as it was then and changes nothing. Whatever is missing, unknown or of the wrong kind in call data is refused
//! with 422 and named ([`schema`], written from the specification and not from the client). Faults befall requests by
//! rule ([`Fault`]): status codes, nonsense, slowness, silence, answers that are lost after the request was taken.
//!
//! `GET /received` lists everything, `GET /recordings/{n}` gives a recording back as it came.

mod faults;
mod form;
mod schema;
mod server;
mod state;

pub use faults::{Endpoint, Fault, FaultRule};
pub use server::{CrmServer, CrmServerSettings, TlsFiles};
pub use state::{Received, ReceivedRecording};

#[cfg(test)]
mod tests;
