//! A panic costs what was being touched.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

fn panicking(solo: &mut Solo, act: impl FnOnce(&mut Solo)) {
    let caught = catch_unwind(AssertUnwindSafe(|| act(solo)));
    assert!(caught.is_err(), "the injected panic did not happen");
    solo.endpoint.panic_at(None);
    solo.endpoint.discard_touched();
    solo.drain();
}

#[test]
fn a_panic_ends_its_own_call_and_no_other() {
    let (mut solo, tag) = established();
    let other = solo.place("other");
    solo.receive(&answer(&other, 200, "b", "", ANSWER));
    solo.events();
    solo.sent();
    solo.endpoint.panic_at(Some(call("in-1")));
    panicking(&mut solo, |solo| solo.receive(&request("UPDATE", 2, &tag, "", OFFER)));
    assert_eq!(solo.events(), [Event::Ended { call: call("in-1"), cause: EndCause::Fault }]);
    solo.receive(&request("BYE", 3, &tag, "", ""));
    assert_eq!(solo.sent(), ["481 BYE"]);
    solo.command(Command::HangUp { call: call("other") });
    assert_eq!(solo.cause(), EndCause::LocalBye);
    solo.assert_nothing_left();
    assert_eq!(solo.endpoint.counters().faults, 1);
}

#[test]
fn a_panic_in_a_placed_call_ends_it() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.endpoint.panic_at(Some(call("c")));
    panicking(&mut solo, |solo| solo.respond(&invite, 180, ""));
    assert_eq!(solo.cause(), EndCause::Fault);
    solo.assert_nothing_left();
}

#[test]
fn a_panic_in_a_timer_ends_its_call_and_the_others_still_ring() {
    let mut solo = Solo::new();
    answered(&mut solo, &invite());
    let other = solo.place("other");
    solo.endpoint.panic_at(Some(call("in-1")));
    panicking(&mut solo, |solo| solo.advance(Duration::from_millis(500)));
    assert_eq!(solo.cause(), EndCause::Fault);
    solo.sent();
    solo.advance(Duration::from_secs(1));
    assert_eq!(solo.sent(), ["INVITE"], "{other:?}");
}

#[test]
fn a_forgotten_call_is_gone_without_a_word() {
    let (mut solo, tag) = established();
    solo.receive(&request("INVITE", 2, &tag, "", OFFER));
    solo.events();
    solo.sent();
    solo.command(Command::Forget { call: call("in-1") });
    assert_eq!((solo.sent(), solo.events()), (vec![], vec![]));
    solo.assert_nothing_left();
}

#[test]
fn commands_for_calls_that_are_gone_are_counted() {
    let mut solo = Solo::new();
    for command in [
        Command::Ring { call: call("gone") },
        Command::Answer { call: call("gone"), sdp: vec![] },
        Command::HangUp { call: call("gone") },
        Command::AnswerOffer { call: call("gone"), sdp: vec![] },
        Command::Forget { call: call("gone") },
    ] {
        solo.command(command);
    }
    assert_eq!((solo.sent(), solo.events()), (vec![], vec![]));
    assert_eq!(solo.endpoint.counters().stale_commands, 4);
}

/// Whatever a gateway's bytes are: no panic, and no bound is passed.
#[test]
fn mutated_messages_of_a_gateway_never_harm() {
    let limits = EndpointLimits { calls: 8, transactions: 40, ..EndpointLimits::default() };
    let mut entropy = Entropy::from_number(11);
    let mut solo = Solo::with(EndpointConfig { limits, ..config() });
    let placed = solo.place("c");
    let tag = answered(&mut solo, &invite());
    let timer = "Supported: timer\nSession-Expires: 90\n";
    let messages = [
        request("INVITE", 5, "", "Record-Route: <sip:192.0.2.7;lr>\n", OFFER).replace("call-1", "call-9"),
        request("INVITE", 6, &tag, timer, OFFER),
        request("ACK", 1, &tag, "", ""),
        request("UPDATE", 7, &tag, timer, ""),
        request("INFO", 8, &tag, "Content-Type: application/dtmf-relay\n", "Signal=5"),
        request("CANCEL", 5, "", "", ""),
        answer(&placed, 183, "b", "", ANSWER),
        answer(&placed, 200, "b", "Record-Route: <sip:192.0.2.7;lr>\n", ANSWER),
        answer(&placed, 302, "b", "", ""),
        answer(&placed, 401, "b", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\n", ""),
    ];
    for round in 0..30_000_u64 {
        let mut bytes = wire(&messages[entropy.below(messages.len() as u64) as usize]);
        for _ in 0..entropy.below(4) {
            let place = entropy.below(bytes.len() as u64) as usize;
            bytes[place] = entropy.next_u32() as u8;
        }
        solo.endpoint.handle(Input::Datagram { source: address(PEER), bytes: &bytes }, solo.now);
        solo.drain();
        if round % 100 == 0 {
            solo.advance(Duration::from_millis(700));
            solo.command(Command::Answer { call: call(&format!("in-{}", round / 100)), sdp: ANSWER.into() });
        }
        let sizes = solo.endpoint.sizes();
        assert!(sizes.calls <= 8 && sizes.dialogs <= 8, "{sizes:?}");
        assert!(sizes.client_transactions <= 40 && sizes.server_transactions <= 40, "{sizes:?}");
        solo.datagrams();
    }
    for event in solo.events() {
        if let Event::Incoming(incoming) = event {
            solo.command(Command::HangUp { call: incoming.call });
        }
    }
    for name in ["c", "in-1"] {
        solo.command(Command::HangUp { call: call(name) });
    }
    solo.assert_nothing_left();
}
