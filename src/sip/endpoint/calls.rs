//! A call as the endpoint knows it.
//!
//! | stage | begins with | ends with |
//! |---|---|---|
//! | Calling | Place | answer → Established; refusal, time-out, hang-up → gone |
//! | Offered | an INVITE | Answer → Established; Reject, CANCEL, hang-up → gone |
//! | Established | the 2xx, ours or theirs | BYE, no ACK, no refresh → gone |
//!
//! A call that is gone may leave transactions behind, which finish alone: a cancelled INVITE, a BYE, repeated ACKs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::auth::Authentication;
use super::session_timer::SessionTimer;
use super::transactions::TransactionKey;
use crate::sip::dialog::Dialog;
use crate::sip::transaction::{Unacknowledged, earliest};
use crate::sip::{Method, Request};

/// How long an incoming call may wait for somebody to decide; proxies give up after as much (timer C).
pub(super) const MAX_OFFERED: Duration = Duration::from_secs(180);
/// How long a re-INVITE or UPDATE may wait for its answer.
pub(super) const MAX_CHANGE_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) enum Call {
    Calling(Calling),
    Offered(Box<Offered>),
    Established(Box<Established>),
}

#[derive(Debug)]
pub(super) struct Calling {
    pub(super) invite: TransactionKey,
    pub(super) ring_until: Instant,
    pub(super) has_rung: bool,
}

#[derive(Debug)]
pub(super) struct Offered {
    pub(super) invite: TransactionKey,
    pub(super) request: Request,
    pub(super) dialog: Dialog,
    pub(super) auth: Authentication,
    pub(super) decide_until: Instant,
}

#[derive(Debug)]
pub(super) struct Established {
    pub(super) dialog: Dialog,
    pub(super) auth: Authentication,
    /// Whether the first ACK came; a caller's dialog is confirmed by its own.
    pub(super) is_confirmed: bool,
    pub(super) unacknowledged: Option<Held200>,
    pub(super) change: Option<Change>,
    /// Hung up before the ACK of our 200: the BYE must wait for it (RFC 3261 §15).
    pub(super) bye_after_ack: bool,
    pub(super) session: Option<SessionTimer>,
}

/// Our 2xx to an INVITE or re-INVITE until its ACK comes.
#[derive(Debug)]
pub(super) struct Held200 {
    pub(super) timer: Unacknowledged,
    pub(super) destination: SocketAddr,
    pub(super) bytes: Vec<u8>,
    pub(super) cseq: u32,
    /// Its SDP was the offer: the ACK brings the answer.
    pub(super) is_offer: bool,
}

/// A re-INVITE or UPDATE of the peer that waits for a decision.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) transaction: TransactionKey,
    pub(super) request: Request,
    pub(super) decide_until: Instant,
}

impl Change {
    pub(super) fn has_offer(&self) -> bool {
        !self.request.body.is_empty()
    }

    pub(super) fn is_update(&self) -> bool {
        self.request.method == Method::Update
    }
}

impl Established {
    pub(super) fn new(dialog: Dialog, auth: Authentication) -> Self {
        Self {
            dialog,
            auth,
            is_confirmed: false,
            unacknowledged: None,
            change: None,
            bye_after_ack: false,
            session: None,
        }
    }
}

impl Call {
    pub(super) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match self {
            Self::Calling(_) => None,
            Self::Offered(offered) => Some(&mut offered.dialog),
            Self::Established(established) => Some(&mut established.dialog),
        }
    }

    pub(super) fn local_tag(&self) -> Option<&str> {
        match self {
            Self::Calling(_) => None,
            Self::Offered(offered) => Some(offered.dialog.local_tag()),
            Self::Established(established) => Some(established.dialog.local_tag()),
        }
    }

    /// Their requests that wait for our final response.
    pub(super) fn open_request(&self) -> Option<(&TransactionKey, &Request)> {
        match self {
            Self::Calling(_) => None,
            Self::Offered(offered) => Some((&offered.invite, &offered.request)),
            Self::Established(established) => {
                established.change.as_ref().map(|change| (&change.transaction, &change.request))
            }
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match self {
            Self::Calling(calling) => Some(calling.ring_until),
            Self::Offered(offered) => Some(offered.decide_until),
            Self::Established(established) => earliest([
                established.unacknowledged.as_ref().and_then(|held| held.timer.next_timeout()),
                established.change.as_ref().map(|change| change.decide_until),
                established.session.as_ref().map(SessionTimer::ends_at),
            ]),
        }
    }
}
