//! Registrations at the gateways that want one.

use std::time::{Duration, Instant};

use super::auth::Authentication;
use super::outbound::credentials_of;
use super::schedule::Entry;
use super::send::TAG_LENGTH;
use super::transactions::{Purpose, TransactionKey};
use super::{Endpoint, Event, Gateway};
use crate::domain::GatewayId;
use crate::sip::dialog::socket_address;
use crate::sip::registration::{Registration, RegistrationFailure, RegistrationState};
use crate::sip::{CSeq, HeaderName, Method, NameAddr, Request, Response, Uri};

const CALL_ID_LENGTH: usize = 24;

#[derive(Debug)]
pub(super) struct Registrar {
    machine: Registration,
    auth: Authentication,
    /// One Call-ID and a growing CSeq for all registrations of a gateway (§10.2).
    call_id: String,
    cseq: u32,
}

impl Registrar {
    pub(super) fn is_registered(&self) -> bool {
        self.machine.state() == RegistrationState::Registered
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.machine.next_timeout()
    }
}

impl Endpoint {
    pub(super) fn start_registrars(&mut self) {
        let gateways: Vec<_> = self.config.gateways.iter().filter(|held| held.register).cloned().collect();
        gateways.iter().for_each(|gateway| self.start_registrar(gateway));
    }

    /// Begins anew, also after a panic took the old one.
    pub(super) fn start_registrar(&mut self, gateway: &Gateway) {
        let registrar = Registrar {
            machine: Registration::start(gateway.expires, self.now),
            auth: Authentication::new(credentials_of(gateway)),
            call_id: self.entropy.token(CALL_ID_LENGTH),
            cseq: 0,
        };
        self.registrars.insert(gateway.id.clone(), registrar);
        self.rearm(Entry::Registrar(gateway.id.clone()));
    }

    pub(super) fn on_registrar_timeout(&mut self, id: &GatewayId) {
        let Some(registrar) = self.registrars.get_mut(id) else { return };
        if let Some(expires) = registrar.machine.on_timeout(self.now) {
            self.register(id, expires);
        }
        self.rearm(Entry::Registrar(id.clone()));
    }

    pub(super) fn drain(&mut self) {
        self.is_draining = true;
        let ids: Vec<_> = self.registrars.keys().cloned().collect();
        for id in ids {
            self.change_registration(&id, |endpoint| {
                let leaves = endpoint.registrars.get_mut(&id).is_some_and(|held| held.machine.leave());
                if leaves {
                    endpoint.register(&id, Duration::ZERO);
                }
            });
        }
    }

    pub(super) fn on_register_response(&mut self, id: &GatewayId, key: &TransactionKey, response: &Response) {
        if response.is_provisional() {
            return;
        }
        self.touched.push(Entry::Registrar(id.clone()));
        let is_retried = match response.status {
            401 | 407 => self.retry_register(id, key, response),
            423 => self.register_for_longer(id, response),
            _ => false,
        };
        if is_retried {
            return;
        }
        if response.is_success() {
            return self.on_registered(id, response);
        }
        let failure = match response.status {
            401 | 407 => RegistrationFailure::WrongPassword,
            status => RegistrationFailure::Refused { status },
        };
        self.on_register_failed(id, failure);
    }

    pub(super) fn on_register_failed(&mut self, id: &GatewayId, failure: RegistrationFailure) {
        self.change_registration(id, |endpoint| {
            if let Some(registrar) = endpoint.registrars.get_mut(id) {
                registrar.machine.on_failure(failure, endpoint.now, &mut endpoint.entropy);
            }
        });
    }

    fn on_registered(&mut self, id: &GatewayId, response: &Response) {
        let granted = self.granted(id, response);
        self.change_registration(id, |endpoint| {
            if let Some(registrar) = endpoint.registrars.get_mut(id) {
                registrar.machine.on_success(granted, endpoint.now, &mut endpoint.entropy);
            }
        });
    }

    /// Sends a REGISTER for this long; zero takes the registration back.
    fn register(&mut self, id: &GatewayId, expires: Duration) {
        let Some(gateway) = self.config.gateway(id).cloned() else { return };
        let (tag, cnonce) = (self.entropy.token(TAG_LENGTH), self.cnonce());
        let address = NameAddr::new(Uri::sip(Some(&gateway.user), &gateway.domain, None));
        let contact = self.contact(address.uri.user.as_deref());
        let Some(registrar) = self.registrars.get_mut(id) else { return };
        registrar.cseq += 1;
        let mut request = Request::new(Method::Register, Uri::sip(None, &gateway.domain, None));
        let headers = &mut request.headers;
        headers.push(HeaderName::From, address.clone().with_tag(&tag).to_string());
        headers.push(HeaderName::To, address.to_string());
        headers.push(HeaderName::CallId, &registrar.call_id);
        headers.push(HeaderName::CSeq, CSeq { number: registrar.cseq, method: Method::Register }.to_string());
        headers.push(HeaderName::Contact, contact);
        headers.push(HeaderName::Expires, expires.as_secs().to_string());
        registrar.auth.begin(&mut request, &cnonce);
        self.send_request(request, gateway.address, Purpose::Register(id.clone()));
    }

    fn retry_register(&mut self, id: &GatewayId, key: &TransactionKey, response: &Response) -> bool {
        let cnonce = self.cnonce();
        let Some((registrar, transaction)) = self.registrars.get_mut(id).zip(self.clients.get(key)) else {
            return false;
        };
        let Some(retry) = registrar.auth.retry(&transaction.request, response, &cnonce) else { return false };
        registrar.cseq += 1;
        let destination = transaction.destination;
        self.send_request(retry, destination, Purpose::Register(id.clone()));
        true
    }

    fn register_for_longer(&mut self, id: &GatewayId, response: &Response) -> bool {
        let wanted = response.headers.number(&HeaderName::MinExpires).unwrap_or_default();
        let registrar = self.registrars.get_mut(id);
        let expires =
            registrar.and_then(|held| held.machine.on_too_brief(Duration::from_secs(wanted.into())));
        if let Some(expires) = expires {
            self.register(id, expires);
        }
        expires.is_some()
    }

    /// §10.2.4: the time beside our own Contact, else the Expires header, else what the gateway's setting says.
    fn granted(&self, id: &GatewayId, response: &Response) -> Duration {
        let contacts = response.headers.addresses(&HeaderName::Contact);
        let own = contacts.iter().find(|held| socket_address(&held.uri) == Some(self.config.advertise));
        let beside = own.and_then(|held| held.params.get("expires")?.parse::<u32>().ok());
        let seconds = beside.or_else(|| response.headers.number(&HeaderName::Expires));
        let asked = self.config.gateway(id).map(|gateway| gateway.expires).unwrap_or_default();
        seconds.map_or(asked, |seconds| Duration::from_secs(seconds.into()))
    }

    /// Lets `change` happen, tells when the state is another one afterwards, and winds up the timer.
    fn change_registration(&mut self, id: &GatewayId, change: impl FnOnce(&mut Self)) {
        let state = |endpoint: &Self| endpoint.registrars.get(id).map(|held| held.machine.state());
        let before = state(self);
        change(self);
        if let Some(after) = state(self).filter(|after| Some(*after) != before) {
            self.emit(Event::Registration { gateway: id.clone(), state: after });
        }
        self.rearm(Entry::Registrar(id.clone()));
    }
}
