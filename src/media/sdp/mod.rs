//! What both sides agree to send each other: SDP (RFC 8866) and its offer/answer dance (RFC 3264).
//!
//! A description is read tolerantly and within named bounds (`parse`), settled by [`Negotiation`] and written in
//! one plain form (`write`). A call has one [`Negotiation`] for life; it counts the versions of its `o=` line,
//! keeps the order of `m=` lines that were once spoken of, and remembers the numbers it offered.
//!
//! One audio stream per call: every other `m=` line is answered with port 0, in its place. Addresses are kept as
//! said, even private or zero ones; whether they can be believed is the business of `media::routes`. Names instead
//! of addresses are not resolved. Left out so far: SRTP (refused, so that no key is ignored), ICE, G.722 and Opus.

mod negotiation;
mod parse;
#[cfg(test)]
mod tests;
mod types;
mod write;

pub use negotiation::Negotiation;
pub use types::{Codec, Direction, LocalMedia, Negotiated, ReceivedFormat, SdpError};
