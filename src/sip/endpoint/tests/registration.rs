//! Registrations at a gateway.

use super::*;
use crate::sip::registration::{RegistrationFailure, RegistrationState};

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"trunk\", nonce=\"n1\", qop=\"auth\"\n";

/// An endpoint that registers, and its first REGISTER.
fn registering() -> (Solo, Request) {
    let gateways = vec![Gateway { register: true, ..gateway() }];
    let mut solo = Solo::with(EndpointConfig { gateways, ..config() });
    solo.advance(Duration::ZERO);
    let register = solo.request();
    (solo, register)
}

fn states(solo: &mut Solo) -> Vec<RegistrationState> {
    let state = |event| {
        let Event::Registration { state, .. } = event else { panic!("{event:?}") };
        state
    };
    solo.events().into_iter().map(state).collect()
}

#[test]
fn it_registers_at_once_with_credentials_and_refreshes_in_time() {
    let (mut solo, register) = registering();
    assert_eq!(register.uri.to_string(), "sip:trunk.example");
    assert_eq!(register.headers.number(&HeaderName::Expires), Some(600));
    solo.respond(&register, 401, CHALLENGE);
    let again = solo.request();
    assert!(again.headers.get(&HeaderName::Authorization).is_some());
    let ok = answer(&again, 200, "b", "", "")
        .replace("<sip:bob@192.0.2.9:5060>", "<sip:clearline@192.0.2.1:5060>;expires=100");
    solo.receive(&ok);
    assert_eq!(states(&mut solo), [RegistrationState::Registered]);
    solo.advance(Duration::from_secs(79));
    assert_eq!(solo.sent(), [""; 0]);
    solo.advance(Duration::from_secs(11));
    let refresh = solo.request();
    assert_eq!(refresh.headers.call_id(), register.headers.call_id());
    assert!(refresh.headers.cseq().unwrap().number > again.headers.cseq().unwrap().number);
    solo.respond(&refresh, 401, &CHALLENGE.replace("n1", "n2"));
    let again = solo.request();
    solo.respond(&again, 200, "Expires: 100\n");
    assert_eq!(states(&mut solo), [], "nothing changed");
}

#[test]
fn a_wrong_password_is_told_and_tried_again_later() {
    let (mut solo, register) = registering();
    solo.respond(&register, 401, CHALLENGE);
    let again = solo.request();
    solo.respond(&again, 401, CHALLENGE);
    assert_eq!(states(&mut solo), [RegistrationState::Failed(RegistrationFailure::WrongPassword)]);
    assert_eq!(solo.sent(), [""; 0]);
    solo.advance(Duration::from_secs(4));
    assert_eq!(solo.sent().first().map(String::as_str), Some("REGISTER"));
}

#[test]
fn a_registrar_that_is_away_is_asked_ever_less_often() {
    let (mut solo, _) = registering();
    solo.advance(Duration::from_secs(32));
    assert_eq!(states(&mut solo), [RegistrationState::Failed(RegistrationFailure::NoAnswer)]);
    solo.sent();
    solo.advance(Duration::from_secs(3600));
    let attempts = solo.sent().len() / 11;
    assert!((5..=20).contains(&attempts), "{attempts} attempts in an hour");
}

#[test]
fn a_registrar_that_wants_longer_gets_it() {
    let (mut solo, register) = registering();
    solo.respond(&register, 423, "Min-Expires: 1800\n");
    assert_eq!(solo.request().headers.number(&HeaderName::Expires), Some(1800));
}

#[test]
fn draining_takes_the_registration_back() {
    let (mut solo, register) = registering();
    solo.respond(&register, 200, "Expires: 600\n");
    states(&mut solo);
    solo.command(Command::Drain);
    let leave = solo.request();
    assert_eq!(leave.headers.number(&HeaderName::Expires), Some(0));
    solo.respond(&leave, 200, "");
    assert_eq!(states(&mut solo), [RegistrationState::Unregistered]);
    solo.assert_nothing_left();
    assert_eq!(solo.sent(), [""; 0]);
}
