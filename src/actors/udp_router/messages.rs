//! What the rest of the engine says to a router, and what a router says to a call's session.

use std::net::{IpAddr, SocketAddr};

use actix::prelude::*;
use smallvec::SmallVec;

use crate::domain::CallId;
use crate::media::playout::PlayoutReader;
use crate::media::routes::Counters;
use crate::media::routes::OpenError;
use crate::media::sdp::Negotiated;

/// Opens a route: sockets on a port of its own, and an outgoing stream with its own SSRC.
#[derive(Message)]
#[rtype(result = "Result<OpenedRoute, RouteRefused>")]
pub struct OpenRoute {
    pub call: CallId,
    /// Where signalling comes from; a far end behind NAT usually sends its audio from the same host.
    pub signalling: IpAddr,
    /// The trunk allows audio from anywhere.
    pub any_media_host: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedRoute {
    /// Index of the router that holds the route.
    pub router: usize,
    /// What goes into our SDP.
    pub advertised: SocketAddr,
    pub ssrc: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteRefused {
    #[error("no free RTP port between {first} and {last}; widen media.port_min/port_max or hold fewer calls")]
    NoPort { first: u16, last: u16 },
    #[error(
        "this process may open no more files; raise its limit (ulimit -n, LimitNOFILE) or hold fewer calls"
    )]
    NoDescriptors,
    #[error(transparent)]
    Unusable(OpenError),
    #[error("the audio router is not running")]
    NoRouter,
}

/// A (new) session takes the route: packets go to it, its playout is played.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AttachSession {
    pub call: CallId,
    pub session: Recipient<MediaStep>,
    pub playout: PlayoutReader,
}

/// Signalling says where the far end's audio will come from, and in which form.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ExpectMedia {
    pub call: CallId,
    pub media: Negotiated,
}

/// Both sides are connected: the learning window runs from the next packet on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct MediaConnected {
    pub call: CallId,
}

/// Sends keys as telephone events, one after the other, in place of the voice.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SendDigits {
    pub call: CallId,
    pub digits: String,
}

/// Gives the route back. The port rests before anybody else gets it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CloseRoute {
    pub call: CallId,
}

/// Leak checks and metrics.
#[derive(Message)]
#[rtype(result = "RouterSizes")]
pub struct AskRouterSizes;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, MessageResponse)]
pub struct RouterSizes {
    pub routes: usize,
    pub ports_held: usize,
    pub ports_resting: usize,
    /// What became of all packets so far.
    pub packets: Counters,
}

/// One 20 ms frame of a call: what was accepted from the far end, and what was played to it meanwhile.
#[derive(Message)]
#[rtype(result = "()")]
pub struct MediaStep {
    /// Counts 20 ms frames since the far end's audio was agreed on; a gap means that the engine was late and skipped.
    pub frame_number: u64,
    pub packets: PacketBatch,
    /// The frame sent to the far end, in the leg's codec.
    pub played: [u8; FRAME_BYTES],
}

/// Bytes of one 20 ms frame of G.711.
pub const FRAME_BYTES: usize = 160;

/// Accepted packets of one step in one buffer. The usual one or two travel within the message itself.
#[derive(Debug, Default)]
pub struct PacketBatch {
    bytes: SmallVec<[u8; 2 * (RTP_HEADER_BYTES + FRAME_BYTES)]>,
    ends: SmallVec<[usize; 4]>,
}

/// Without extensions, which telephony does not use.
const RTP_HEADER_BYTES: usize = 12;

impl PacketBatch {
    pub(super) fn push(&mut self, packet: &[u8]) {
        self.bytes.extend_from_slice(packet);
        self.ends.push(self.bytes.len());
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(self.ends.iter().copied()).filter_map(|(start, end)| self.bytes.get(start..end))
    }
}
