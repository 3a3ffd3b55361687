//! Local stand-ins for the outside world, shipped with the product.
//!
//! The demo, the tests and the load test all talk to these instead of a paid account or somebody else's server, over
//! the same sockets and with the same words as the real thing. A stand-in is its own program: it shares no protocol
//! code with the client it faces, so that a misreading in one is not hidden by the same misreading in the other.
//!
//! - [`crm`]: the CRM that is told of calls.
//! - [`model`]: the Gemini Live API (`BidiGenerateContent`).
//! - [`network`]: a bad network between a phone and the engine.
//! - [`phone`]: a softphone, the far end of our calls.
//! - [`callers`]: hundreds of callers at the cost of a few, for load tests; [`signature`] is how the model knows them.

pub mod callers;
pub mod crm;
pub mod histogram;
pub mod model;
pub mod network;
pub mod phone;
pub mod signature;
