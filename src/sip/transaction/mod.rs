//! The four transaction machines of RFC 3261 §17, with the Accepted states of RFC 6026.
//!
//! A machine knows states and timers, nothing else: no message, no address. It is told what arrived or what is being
//! sent and says in one word what its owner (`sip::endpoint`) has to do: send the held bytes again, pass the message
//! up, acknowledge, give up. So each diagram of the RFC can be compared with one `match`. The transport is UDP; over
//! a reliable one the retransmission timers and the linger times would be zero.
//!
//! Retransmission of a 2xx is not here: it belongs to the user agent (§13.3.1.4), see [`Unacknowledged`].

mod invite_client;
mod invite_server;
mod non_invite_client;
mod non_invite_server;
mod timers;
mod unacknowledged;

#[cfg(test)]
mod tests;

pub use invite_client::InviteClient;
pub use invite_server::InviteServer;
pub use non_invite_client::NonInviteClient;
pub use non_invite_server::NonInviteServer;
pub use timers::{Backoff, T1, T2, T4, TRANSACTION_TIMEOUT, earliest};
pub use unacknowledged::Unacknowledged;

/// What the owner of a client transaction does with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnResponse {
    /// News for the user agent.
    PassUp,
    /// A first non-2xx final answer to an INVITE: acknowledge it, then pass it up.
    AcknowledgeAndPassUp,
    /// A repeated non-2xx: acknowledge it again, it is no news.
    AcknowledgeAgain,
    /// A repetition, or too late.
    Ignore,
}

/// What the owner of a transaction does when its timer rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTimeout {
    /// It rang early.
    Nothing,
    /// Send the held request or response again.
    Resend,
    /// Timer B, F or H: the other side never answered. The transaction is over.
    GiveUp,
    /// The linger time is over; forget the transaction.
    Terminate,
}

/// What the owner of a server transaction does with a repeated request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRepeat {
    /// Send the last response again.
    Resend,
    /// Nothing to say yet, or the user agent repeats its 2xx by itself.
    Ignore,
}

/// What the owner of an INVITE server transaction does with an ACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnAck {
    /// It acknowledged a refusal and ends here.
    Absorb,
    /// It may acknowledge a 2xx (some peers reuse the INVITE's branch).
    PassUp,
}
