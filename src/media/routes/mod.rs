//! Which call a packet belongs to, and where a call's own packets go: the cure for crosstalk (SPEC R1 to R4).
//!
//! Every call has its own local port ([`PortPool`]) from the first SDP we send until it is over, so a packet's port
//! names the only [`Route`] it can belong to; two calls whose far ends share an address *and* an SSRC stay apart by
//! construction. SPEC R1's order of claims is therefore asked within one port: is this the source the call is locked
//! to; is it the address the call expects; is the call still waiting for its first packet? The tables across ports
//! (`index`) never route a packet, they only tell a misdirected packet from a forged one in the counters.
//!
//! A source must prove itself before it is heard: two packets in sequence with a negotiated payload type (`latch`,
//! `candidates`). The first of the two is dropped, not held back: 20 ms at the start of a call or at a change of
//! source, against a buffer a forger could fill. How believable an address is follows from the SDP and the host of
//! the signalling (`expectation`).
//!
//! A [`Route`] also owns what must outlive a crashed session: the outgoing numbering and clock ([`OutgoingStream`])
//! and the RTCP statistics. [`RouteTable`] is what the UdpRouter talks to; it is lent bytes and told the time.
//! Left out: sockets and pacing (the actor's), jitter and decoding (`media::path`), SRTP, where authentication will
//! decide instead of the latch.

mod candidates;
mod counters;
mod expectation;
mod index;
mod latch;
mod ports;
mod route;
mod stream;
mod table;
#[cfg(test)]
mod tests;

pub use counters::{Counters, DropReason};
pub use expectation::{Expectation, Rank};
pub use latch::LatchEvent;
pub use ports::{DEFAULT_PORTS, PortPool, Tenant};
pub use route::{Route, Verdict};
pub use stream::{Framing, OutgoingStream};
pub use table::{NewRoute, OpenError, RouteTable};
