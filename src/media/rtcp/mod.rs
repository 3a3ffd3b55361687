//! How well the audio travels, told by both ends (RTCP, RFC 3550 section 6).
//!
//! [`Reception`] keeps the statistics of the stream we hear (appendix A.1, A.3, A.8). [`RtcpReporter`] joins it with
//! what we send, writes a compound packet every five seconds or so (SR while we send, else RR, and always the CNAME)
//! and reads the far end's reports into the round trip and the loss it hears. `packets` holds the wire forms; its
//! reader is tolerant, bounded by the datagram, and skips what it does not know.
//!
//! RTCP is never used to learn an address, and a BYE in it ends no call: only signalling does.

mod packets;
mod reception;
mod reporter;
#[cfg(test)]
mod reporter_tests;

pub use packets::{ReportBlock, SenderInfo};
pub use reception::Reception;
pub use reporter::{Feedback, Quality, RtcpReporter};
