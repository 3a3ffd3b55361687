//! A panic costs what was being touched, and nothing else.

use super::calls::Call;
use super::receive::Gates;
use super::schedule::Entry;
use super::transactions::{Purpose, TransactionKey};
use super::{EndCause, Endpoint, Event, Output};
use crate::domain::CallId;

impl Endpoint {
    /// To be called after a panic inside [`Endpoint::handle`] was caught: removes the transaction, call or
    /// registration that was being touched. The call ends with [`EndCause::Fault`], the registration starts anew.
    pub fn discard_touched(&mut self) {
        self.counters.faults += 1;
        for entry in std::mem::take(&mut self.touched) {
            match &entry {
                Entry::Client(key) => self.discard_client(key),
                Entry::Server(key) => self.discard_server(key),
                Entry::Call(call) => self.discard_call(call),
                Entry::Registrar(gateway) => {
                    let gateway = self.config.gateway(gateway).cloned();
                    gateway.iter().for_each(|gateway| self.start_registrar(gateway));
                }
                Entry::Gates => self.gates = Gates::new(&self.config.limits),
            }
            self.rearm(entry);
        }
    }

    /// Notes that this call is being touched.
    pub(super) fn touch_call(&mut self, call: &CallId) {
        if !self.calls.contains_key(call) {
            return;
        }
        self.touched.push(Entry::Call(call.clone()));
        #[cfg(test)]
        if self.panics_at.as_ref() == Some(call) {
            panic!("injected by a test");
        }
    }

    pub(super) fn forget(&mut self, call: &CallId) {
        let Some(forgotten) = self.calls.remove(call) else { return };
        self.dialogs.retain(|_, held| held != call);
        self.schedule.set(Entry::Call(call.clone()), None);
        if let Some((key, _)) = forgotten.open_request() {
            self.remove_server(&key.clone());
        }
        if let Call::Calling(calling) = forgotten {
            self.abandon(&calling.invite);
        }
    }

    /// Lets the next touch of this call panic.
    #[cfg(test)]
    pub fn panic_at(&mut self, call: Option<CallId>) {
        self.panics_at = call;
    }

    fn discard_client(&mut self, key: &TransactionKey) {
        let Some(transaction) = self.clients.remove(key) else { return };
        if let Purpose::Invite(attempt) = transaction.purpose {
            attempt.waiting.iter().for_each(|call| self.discard_call(call));
        }
    }

    /// A call whose INVITE can no longer be answered is lost with it.
    fn discard_server(&mut self, key: &TransactionKey) {
        let call = self.servers.get(key).and_then(|transaction| transaction.call.clone());
        if let Some(call) = call.filter(|call| self.calls.contains_key(call)) {
            self.discard_call(&call);
        }
        self.remove_server(key);
    }

    /// The call may have been out of its table while it was worked on: the tags that lead to it tell that it was there.
    fn discard_call(&mut self, call: &CallId) {
        if self.has_ended(call) {
            return;
        }
        self.forget(call);
        self.dialogs.retain(|_, held| held != call);
        self.emit(Event::Ended { call: call.clone(), cause: EndCause::Fault });
    }

    /// Whether its end is already among the outputs of the input that panicked.
    fn has_ended(&self, call: &CallId) -> bool {
        self.outputs
            .iter()
            .any(|output| matches!(output, Output::Event(Event::Ended { call: ended, .. }) if ended == call))
    }
}
