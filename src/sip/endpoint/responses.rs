//! An arriving response finds the request it answers, and goes to whoever waits for it.

use std::net::SocketAddr;

use super::Endpoint;
use super::auth::Authentication;
use super::schedule::Entry;
use super::transactions::{Purpose, TransactionKey};
use crate::sip::Response;
use crate::sip::transaction::OnResponse;

impl Endpoint {
    pub(super) fn on_response(&mut self, response: &Response, source: SocketAddr) {
        let key = TransactionKey::of_response(response);
        let Some((key, transaction)) = key.and_then(|key| Some((key.clone(), self.clients.get_mut(&key)?)))
        else {
            return self.on_stray_response(response, source);
        };
        self.touched.push(Entry::Client(key.clone()));
        match transaction.on_response(response.status, self.now) {
            OnResponse::PassUp => self.pass_up(&key, response),
            OnResponse::AcknowledgeAndPassUp => {
                self.acknowledge_refusal(&key, response);
                self.pass_up(&key, response);
            }
            OnResponse::AcknowledgeAgain => self.acknowledge_refusal(&key, response),
            OnResponse::Ignore => {}
        }
        self.rearm(Entry::Client(key));
    }

    fn acknowledge_refusal(&mut self, key: &TransactionKey, response: &Response) {
        let Some(transaction) = self.clients.get_mut(key) else { return };
        let fresh = || transaction.ack_of_refusal(response).to_bytes();
        let ack = transaction.ack.clone().unwrap_or_else(fresh);
        transaction.ack = Some(ack.clone());
        let destination = transaction.destination;
        self.transmit(destination, ack);
    }

    fn pass_up(&mut self, key: &TransactionKey, response: &Response) {
        let Some(transaction) = self.clients.get(key) else { return };
        match &transaction.purpose {
            Purpose::Invite(_) => self.on_invite_response(key, response),
            Purpose::Bye(_) if matches!(response.status, 401 | 407) => self.retry_bye(key, response),
            Purpose::Register(gateway) => {
                let gateway = gateway.clone();
                self.on_register_response(&gateway, key, response);
            }
            Purpose::Bye(_) | Purpose::Nothing => {}
        }
    }

    /// The call is over for us already; this only spares the far end from waiting for media that never comes.
    fn retry_bye(&mut self, key: &TransactionKey, response: &Response) {
        let Some(transaction) = self.clients.get_mut(key) else { return };
        let Purpose::Bye(auth) = std::mem::replace(&mut transaction.purpose, Purpose::Nothing) else {
            return;
        };
        let mut auth: Authentication = *auth;
        let (request, destination) = (transaction.request.clone(), transaction.destination);
        let cnonce = self.cnonce();
        if let Some(retry) = auth.retry(&request, response, &cnonce) {
            self.send_request(retry, destination, Purpose::Bye(Box::new(auth)));
        }
    }
}
