//! The words of a negotiation and its result.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

pub use crate::media::codec::Codec;

/// Which way audio flows, seen from the side that says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same agreement seen from the other side.
    pub fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    pub fn attribute(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

/// What we can offer for one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalMedia {
    /// The address the far end shall send to: the advertised one, not the bound one.
    pub address: IpAddr,
    pub port: u16,
    /// In order of preference.
    pub codecs: Vec<Codec>,
    pub ssrc: u32,
    /// The number in `o=`, the same for the whole call.
    pub session_id: u64,
    pub cname: String,
}

/// What both sides agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiated {
    /// Where the far end wants its audio, as it said: may be private, or zero during a hold.
    pub remote: SocketAddr,
    /// Where it wants RTCP when that does not share the port of the audio.
    pub remote_rtcp: Option<SocketAddr>,
    /// What we send.
    pub codec: Codec,
    /// The number we send it under.
    pub payload_type: u8,
    /// The number we send DTMF events under; `None` when the far end takes none.
    pub dtmf_payload_type: Option<u8>,
    /// Ours, after the negotiation.
    pub direction: Direction,
    pub rtcp_mux: bool,
    /// What the far end likes to receive in one packet.
    pub ptime_ms: u8,
    /// The audio the far end may send us.
    pub receive: Vec<ReceivedFormat>,
    /// The number its DTMF events come under; differs from ours when it answers with a number of its own.
    pub dtmf_receive_payload_type: Option<u8>,
}

/// A number in an arriving packet and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedFormat {
    pub payload_type: u8,
    pub codec: Codec,
}

/// RFC 3389: many gateways send it in pauses without having negotiated it.
pub(super) const COMFORT_NOISE_PAYLOAD_TYPE: u8 = 13;

impl Negotiated {
    /// Every payload type a packet of this call may carry: audio, DTMF and comfort noise.
    pub fn accepted_payload_types(&self) -> impl Iterator<Item = u8> + '_ {
        let audio = self.receive.iter().map(|format| format.payload_type);
        audio
            .chain(self.dtmf_payload_type)
            .chain(self.dtmf_receive_payload_type)
            .chain([COMFORT_NOISE_PAYLOAD_TYPE])
    }

    pub fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        self.receive.iter().find(|format| format.payload_type == payload_type).map(|format| format.codec)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    #[error("the SDP is larger than we read (16 KiB, 512 lines, 16 streams of 64 formats)")]
    TooLarge,
    #[error("the SDP has an m= line that cannot be read")]
    Malformed,
    #[error("the SDP has no active audio stream")]
    NoAudio,
    #[error("the far end speaks none of our codecs; allow one of its own in the settings or at the gateway")]
    NoCommonCodec,
    #[error("the far end insists on encrypted audio (SRTP), which this engine does not speak yet")]
    SecureMedia,
    #[error("an answer came to an offer that was never made")]
    NoOffer,
}

impl SdpError {
    /// The SIP status an offer with this fault is answered with.
    pub fn sip_status(self) -> u16 {
        match self {
            Self::TooLarge | Self::Malformed | Self::NoOffer => 400,
            Self::NoAudio | Self::NoCommonCodec | Self::SecureMedia => 488,
        }
    }
}
