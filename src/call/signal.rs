//! What signalling says to a call and what a call asks of signalling, in words neither SIP nor LiveKit owns.

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The far end of an outbound call rings.
    Ringing,
    /// Audio before the answer: announcements, ring-back of the network.
    EarlyMedia { sdp: Vec<u8> },
    /// The far end of an outbound call picked up.
    Answered { sdp: Option<Vec<u8>> },
    /// The far end of an inbound call knows that we picked up; `sdp` is its answer when the offer was ours.
    Confirmed { sdp: Option<Vec<u8>> },
    /// The far end wants other media (hold, resume, new address); without `sdp` it wants our offer.
    Changed { sdp: Option<Vec<u8>> },
    /// A key pressed, as signalling reports it.
    Digit { digit: char },
    /// The dialog is over; nothing follows.
    Ended(Ending),
}

/// Why a dialog ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    FarEndHungUp,
    WeHungUp,
    FarEndCanceled,
    WeCanceled,
    /// Before anybody was dialled, or before we picked up; the status is what SIP has for the reason.
    WeRefused {
        status: u16,
    },
    NoAnswer,
    Rejected {
        status: u16,
        reason: String,
    },
    Unreachable,
    AuthenticationFailed,
    NeverConfirmed,
    DialogLost,
    Fault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignalCommand {
    /// Dial, with this offer.
    Place {
        offer: Vec<u8>,
    },
    Ring,
    Answer {
        sdp: Vec<u8>,
    },
    /// Refuse an inbound call before its answer.
    Refuse(Refusal),
    AcceptChange {
        sdp: Vec<u8>,
    },
    RejectChange,
    HangUp,
}

/// Why an inbound call is refused before the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No codec in common, encryption demanded, no audio offered.
    MediaNotAcceptable,
    /// The voice model cannot be had.
    ModelUnavailable,
}
