//! Calls that a process before this one has left behind: their far ends still believe in them.
//!
//! A dialog that was kept as data gets its BYE. A far end that answers an INVITE which nobody here remembers is let go at
//! once: without an ACK it would repeat its answer, with nothing but an ACK somebody would hear silence.

use std::net::SocketAddr;

use super::Endpoint;
use super::auth::Authentication;
use super::outbound::credentials_of;
use crate::sip::dialog::{Dialog, DialogSnapshot};
use crate::sip::{Method, Response, Via};

/// So far above the last number known that no request sent since has had it.
const CSEQ_STEP: u32 = 100;

impl Endpoint {
    pub(super) fn end_lost(&mut self, snapshot: &DialogSnapshot) {
        let Some(mut dialog) = Dialog::from_snapshot(snapshot) else {
            self.counters.lost_unreadable += 1;
            return;
        };
        dialog.local_cseq = dialog.local_cseq.saturating_add(CSEQ_STEP);
        self.counters.lost_ended += 1;
        let auth = self.authentication_towards(dialog.peer);
        self.send_bye(dialog, auth);
    }

    /// Only what a gateway sends, and in answer to what has left from here: a stranger must not make us send.
    pub(super) fn on_stray_response(&mut self, response: &Response, source: SocketAddr) {
        self.counters.stray_responses += 1;
        if !self.config.trusts(source.ip()) || !self.answers_invite_of_ours(response) {
            return;
        }
        let Some(dialog) = Dialog::of_stray_answer(response, source) else { return };
        if self.dialogs.contains_key(dialog.local_tag()) || self.is_asking(&dialog.call_id) {
            return;
        }
        let mut ack = dialog.ack(dialog.local_cseq);
        self.dress(&mut ack);
        self.transmit(dialog.next_hop(), ack.to_bytes());
        self.counters.lost_ended += 1;
        let auth = self.authentication_towards(source);
        self.send_bye(dialog, auth);
    }

    fn is_asking(&self, call_id: &str) -> bool {
        self.clients.values().any(|transaction| transaction.request.headers.call_id() == Some(call_id))
    }

    fn answers_invite_of_ours(&self, response: &Response) -> bool {
        let headers = &response.headers;
        let (host, port) = self.advertised();
        let came_from_here = |via: Via| via.host == host && via.port == Some(port);
        (200..300).contains(&response.status)
            && headers.cseq().is_some_and(|cseq| cseq.method == Method::Invite)
            && headers.top_via().is_some_and(came_from_here)
    }

    fn authentication_towards(&self, peer: SocketAddr) -> Authentication {
        Authentication::new(self.config.gateway_at(peer).and_then(credentials_of))
    }
}
