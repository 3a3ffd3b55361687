//! What happens when a timer rings.

use super::calls::Call;
use super::schedule::Entry;
use super::transactions::{Purpose, TransactionKey};
use super::{EndCause, Endpoint};
use crate::domain::CallId;
use crate::sip::registration::RegistrationFailure;
use crate::sip::transaction::OnTimeout;

impl Endpoint {
    /// Rings every timer that is due. Each entry is touched alone, so that a panic costs only itself.
    pub(super) fn ring_due(&mut self) {
        while let Some(entry) = self.schedule.pop_due(self.now) {
            self.touched.clear();
            self.touched.push(entry.clone());
            match entry {
                Entry::Client(key) => self.on_client_timeout(&key),
                Entry::Server(key) => self.on_server_timeout(&key),
                Entry::Call(call) => self.on_call_timeout(&call),
                Entry::Registrar(gateway) => self.on_registrar_timeout(&gateway),
                Entry::Gates => {
                    self.gates.handle_timeout(self.now);
                    self.rearm(Entry::Gates);
                }
            }
        }
    }

    pub(super) fn remove_server(&mut self, key: &TransactionKey) {
        if let Some(identity) = self.servers.remove(key).and_then(|removed| removed.identity) {
            self.identities.remove(&identity);
        }
        self.schedule.set(Entry::Server(key.clone()), None);
    }

    fn on_client_timeout(&mut self, key: &TransactionKey) {
        let Some(transaction) = self.clients.get_mut(key) else { return };
        match transaction.on_timeout(self.now) {
            OnTimeout::Nothing => {}
            OnTimeout::Resend => {
                let (destination, bytes) = (transaction.destination, transaction.bytes.clone());
                self.transmit(destination, bytes);
            }
            OnTimeout::Terminate => {
                self.clients.remove(key);
            }
            OnTimeout::GiveUp => self.on_no_answer(key),
        }
        self.rearm(Entry::Client(key.clone()));
    }

    /// Timer B or F: nobody is there.
    fn on_no_answer(&mut self, key: &TransactionKey) {
        let Some(transaction) = self.clients.remove(key) else { return };
        match transaction.purpose {
            Purpose::Invite(attempt) => {
                if let Some(call) = attempt.waiting {
                    self.touch_call(&call);
                    self.end_call(&call, EndCause::Unreachable);
                }
            }
            Purpose::Register(gateway) => self.on_register_failed(&gateway, RegistrationFailure::NoAnswer),
            Purpose::Bye(_) | Purpose::Nothing => {}
        }
    }

    fn on_server_timeout(&mut self, key: &TransactionKey) {
        let Some(transaction) = self.servers.get_mut(key) else { return };
        match transaction.on_timeout(self.now) {
            OnTimeout::Nothing => {}
            OnTimeout::Resend => {
                let (destination, bytes) = (transaction.answer_to, transaction.last.clone());
                bytes.into_iter().for_each(|bytes| self.transmit(destination, bytes));
            }
            OnTimeout::GiveUp | OnTimeout::Terminate => self.remove_server(key),
        }
        self.rearm(Entry::Server(key.clone()));
    }

    fn on_call_timeout(&mut self, call: &CallId) {
        self.touch_call(call);
        match self.calls.get(call) {
            Some(Call::Calling(_)) => self.give_up_calling(call, EndCause::NoAnswer),
            Some(Call::Offered(_)) => {
                self.refuse_offered(call, 480, None, EndCause::Refused { status: 480 });
            }
            Some(Call::Established(_)) => self.on_established_timeout(call),
            None => {}
        }
        self.rearm(Entry::Call(call.clone()));
    }

    fn on_established_timeout(&mut self, call: &CallId) {
        let now = self.now;
        let Some(Call::Established(established)) = self.calls.get_mut(call) else { return };
        if established.session.is_some_and(|session| now >= session.ends_at()) {
            return self.end_with_bye(call, EndCause::DialogLost);
        }
        let is_undecided = established.change.as_ref().is_some_and(|change| now >= change.decide_until);
        if let Some(held) = &mut established.unacknowledged {
            match held.timer.on_timeout(now) {
                OnTimeout::Resend => {
                    let (destination, bytes) = (held.destination, held.bytes.clone());
                    self.transmit(destination, bytes);
                }
                OnTimeout::GiveUp => {
                    let wanted = established.bye_after_ack;
                    let cause = if wanted { EndCause::LocalBye } else { EndCause::AckNeverCame };
                    return self.end_with_bye(call, cause);
                }
                OnTimeout::Nothing | OnTimeout::Terminate => {}
            }
        }
        if is_undecided {
            self.refuse_undecided(call);
        }
    }
}
