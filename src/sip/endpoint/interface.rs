//! What goes in and what comes out.

use std::net::SocketAddr;
use std::time::Duration;

use crate::domain::{CallId, GatewayId, PhoneNumber};
use crate::sip::dialog::DialogSnapshot;
use crate::sip::registration::RegistrationState;

#[derive(Debug)]
pub enum Input<'a> {
    Datagram { source: SocketAddr, bytes: &'a [u8] },
    Command(Command),
    Timeout,
}

#[derive(Debug, Clone)]
pub enum Command {
    Place(PlaceCall),
    /// 180 to an incoming call.
    Ring {
        call: CallId,
    },
    /// 183 with SDP to an incoming call.
    EarlyMedia {
        call: CallId,
        sdp: Vec<u8>,
    },
    /// 200 to an incoming call; the SDP is the answer, or the offer when the INVITE had none.
    Answer {
        call: CallId,
        sdp: Vec<u8>,
    },
    Reject {
        call: CallId,
        status: u16,
        retry_after: Option<Duration>,
    },
    /// 200 to an [`Event::Offer`].
    AnswerOffer {
        call: CallId,
        sdp: Vec<u8>,
    },
    /// The session stays as it was.
    RejectOffer {
        call: CallId,
        status: u16,
    },
    /// Ends the call whatever its state: CANCEL, BYE or a refusal.
    HangUp {
        call: CallId,
    },
    /// Drops the call without an [`Event::Ended`] and without a BYE; a far end that rings is still cancelled.
    Forget {
        call: CallId,
    },
    /// The engine that had this dialog is gone: its far end gets a BYE.
    EndLost {
        dialog: Box<DialogSnapshot>,
    },
    /// The engine stops: from now on INVITE and OPTIONS get 503, and gateways are told that we leave.
    Drain,
    /// More or fewer calls at once than before; those that are there stay.
    LimitCalls(usize),
}

#[derive(Debug, Clone)]
pub struct PlaceCall {
    pub call: CallId,
    pub gateway: GatewayId,
    /// A number, or a whole `sip:` address; the INVITE goes to the gateway's socket either way.
    pub target: String,
    /// The gateway's user when there is none.
    pub from_user: Option<String>,
    pub from_display: Option<String>,
    pub offer: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "lives only between poll_output and the shell's match")]
pub enum Output {
    Transmit { destination: SocketAddr, bytes: Vec<u8> },
    Event(Event),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Incoming(Box<IncomingCall>),
    /// With the early dialog, where the far end has named its side of one.
    Ringing {
        call: CallId,
        dialog: Option<DialogSnapshot>,
    },
    EarlyMedia {
        call: CallId,
        sdp: Vec<u8>,
    },
    /// A placed call was answered; the ACK has left. Without SDP the one of the early media holds.
    Answered {
        call: CallId,
        sdp: Option<Vec<u8>>,
        dialog: DialogSnapshot,
    },
    /// The ACK of our 200 came. SDP: the answer, when our 200 carried the offer (also to a re-INVITE without SDP).
    Confirmed {
        call: CallId,
        sdp: Option<Vec<u8>>,
        dialog: DialogSnapshot,
    },
    /// A re-INVITE or UPDATE; without SDP the peer wants our offer. Unanswered for 5 s it is refused.
    Offer {
        call: CallId,
        sdp: Option<Vec<u8>>,
    },
    /// From a SIP INFO.
    Dtmf {
        call: CallId,
        digit: char,
        duration_ms: u32,
    },
    /// Exactly once for every call, and the last that is heard of it.
    Ended {
        call: CallId,
        cause: EndCause,
    },
    /// A gateway's registration changed.
    Registration {
        gateway: GatewayId,
        state: RegistrationState,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingCall {
    pub call: CallId,
    pub gateway: Option<GatewayId>,
    pub source: SocketAddr,
    pub from: PhoneNumber,
    /// The user part of the Request-URI.
    pub to: PhoneNumber,
    pub offer: Option<Vec<u8>>,
    /// As it will be once the call is answered.
    pub dialog: DialogSnapshot,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndCause {
    RemoteBye,
    LocalBye,
    RemoteCancel,
    LocalCancel,
    /// It rang for the whole ring time-out.
    NoAnswer,
    Rejected {
        status: u16,
        reason: String,
    },
    /// Not a single response came.
    Unreachable,
    AuthenticationFailed,
    AckNeverCame,
    /// The session ran out without a refresh.
    DialogLost,
    /// We refused it: a limit, a malformed target, or the command to reject.
    Refused {
        status: u16,
    },
    /// A panic in this call's own handling.
    Fault,
}
