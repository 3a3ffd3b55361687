//! Calls we place.

use super::*;

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"trunk\", nonce=\"n1\", qop=\"auth\"\n";

fn ok(invite: &Request, tag: &str) -> String {
    answer(invite, 200, tag, "", ANSWER)
}

#[test]
fn a_placed_call_rings_is_answered_acknowledged_and_ended_by_us() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    assert_eq!(invite.uri.to_string(), "sip:4930123@trunk.example");
    assert!(invite.headers.top_via().unwrap().wants_rport());
    assert_eq!(invite.headers.contact().unwrap().uri.to_string(), "sip:clearline@192.0.2.1:5060");
    solo.respond(&invite, 100, "");
    solo.respond(&invite, 180, "");
    solo.respond(&invite, 180, "");
    solo.receive(&answer(&invite, 183, "b", "", ANSWER));
    solo.receive(&ok(&invite, "b"));
    assert_eq!(solo.sent(), ["ACK"]);
    let events = solo.events();
    assert!(
        matches!(
            events.as_slice(),
            [Event::Ringing { .. }, Event::EarlyMedia { .. }, Event::Answered { sdp: Some(_), dialog, .. }]
                if dialog.remote_tag == "b" && dialog.peer == address(PEER)
        ),
        "{events:?}"
    );
    solo.command(Command::HangUp { call: call("c") });
    assert_eq!(solo.cause(), EndCause::LocalBye);
    let bye = solo.request();
    solo.respond(&bye, 200, "");
    solo.assert_nothing_left();
}

#[test]
fn an_unanswered_invite_is_repeated_and_given_up_as_unreachable() {
    let mut solo = Solo::new();
    solo.place("c");
    solo.advance(Duration::from_millis(1500));
    assert_eq!(solo.sent(), ["INVITE", "INVITE"]);
    solo.advance(Duration::from_secs(31));
    assert_eq!(solo.cause(), EndCause::Unreachable);
    solo.sent();
    solo.assert_nothing_left();
}

#[test]
fn a_repeated_200_is_acknowledged_again() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.receive(&ok(&invite, "b"));
    let first = solo.datagrams();
    solo.receive(&ok(&invite, "b"));
    assert_eq!(solo.datagrams(), first);
}

#[test]
fn a_repeated_200_is_acknowledged_again_even_after_the_call_has_ended() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.receive(&ok(&invite, "b"));
    solo.command(Command::HangUp { call: call("c") });
    assert_eq!(solo.sent(), ["ACK", "BYE"]);
    solo.receive(&ok(&invite, "b"));
    assert_eq!(solo.sent(), ["ACK"]);
}

#[test]
fn a_second_fork_that_answers_is_acknowledged_and_ended() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.receive(&answer(&invite, 180, "b1", "", ""));
    solo.receive(&answer(&invite, 180, "b2", "", ""));
    solo.receive(&ok(&invite, "b1"));
    solo.sent();
    solo.receive(&ok(&invite, "b2"));
    let messages = solo.messages();
    assert_eq!(messages.iter().map(summary).collect::<Vec<_>>(), ["ACK", "BYE"]);
    assert!(messages.iter().all(|held| held.headers().to_addr().unwrap().tag() == Some("b2")));
    assert_eq!(solo.endpoint.sizes().calls, 1, "the first fork's call goes on");
}

#[test]
fn forks_beyond_the_bound_are_ignored_and_counted() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    for fork in 0..12 {
        solo.receive(&ok(&invite, &format!("b{fork}")));
    }
    assert_eq!(solo.endpoint.counters().forks_ignored, 4);
}

#[test]
fn a_refusal_is_acknowledged_each_time_and_told_once() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.respond(&invite, 486, "");
    let ack = solo.request();
    assert_eq!(ack.headers.get(&HeaderName::Via), invite.headers.get(&HeaderName::Via));
    assert_eq!(ack.headers.to_addr().unwrap().tag(), Some("b"));
    assert_eq!(solo.cause(), EndCause::Rejected { status: 486, reason: "Whatever".into() });
    solo.respond(&invite, 486, "");
    assert_eq!((solo.sent(), solo.events()), (vec!["ACK".to_owned()], vec![]));
    solo.assert_nothing_left();
}

#[test]
fn a_call_that_rings_too_long_is_cancelled() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.respond(&invite, 180, "");
    solo.events();
    solo.advance(DEFAULT_RING_TIMEOUT);
    assert_eq!(solo.cause(), EndCause::NoAnswer);
    let cancel = solo.request();
    assert_eq!(cancel.headers.get(&HeaderName::Via), invite.headers.get(&HeaderName::Via));
    assert_eq!(cancel.headers.cseq().unwrap().to_string(), "1 CANCEL");
    solo.respond(&cancel, 200, "");
    solo.respond(&invite, 487, "");
    assert_eq!(solo.sent(), ["ACK"]);
    assert_eq!(solo.events(), []);
    solo.assert_nothing_left();
}

#[test]
fn a_cancel_waits_for_a_provisional() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.command(Command::HangUp { call: call("c") });
    assert_eq!(solo.cause(), EndCause::LocalCancel);
    assert_eq!(solo.sent(), [""; 0]);
    solo.respond(&invite, 100, "");
    assert_eq!(solo.sent(), ["CANCEL"]);
    solo.respond(&invite, 180, "");
    assert_eq!(solo.sent(), [""; 0], "one CANCEL is enough");
    solo.assert_nothing_left();
}

#[test]
fn a_200_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.respond(&invite, 180, "");
    solo.command(Command::HangUp { call: call("c") });
    assert_eq!(solo.sent(), ["CANCEL"]);
    solo.events();
    solo.receive(&ok(&invite, "b"));
    assert_eq!(solo.sent(), ["ACK", "BYE"]);
    assert_eq!(solo.events(), [], "the call ended with the hang-up");
    solo.assert_nothing_left();
}

#[test]
fn a_cancelled_invite_that_is_never_answered_is_forgotten() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.respond(&invite, 180, "");
    solo.command(Command::HangUp { call: call("c") });
    solo.assert_nothing_left();
}

#[test]
fn a_challenge_is_answered_with_the_next_number_and_its_ack() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.respond(&invite, 401, CHALLENGE);
    let messages = solo.messages();
    let [Message::Request(ack), Message::Request(again)] = messages.as_slice() else {
        panic!("{messages:?}")
    };
    assert_eq!(ack.method.as_str(), "ACK");
    assert!(again.headers.get(&HeaderName::Authorization).unwrap().contains("username=\"clearline\""));
    assert_eq!(again.headers.cseq().unwrap().to_string(), "2 INVITE");
    assert_eq!(again.headers.call_id(), invite.headers.call_id());
    assert_ne!(again.headers.top_via().unwrap().branch(), invite.headers.top_via().unwrap().branch());
    assert_eq!(again.body, invite.body);
    solo.receive(&ok(again, "b"));
    let ack = solo.request();
    assert!(ack.headers.get(&HeaderName::Authorization).is_some(), "the ACK has the INVITE's credentials");
    assert!(matches!(solo.events().as_slice(), [Event::Answered { .. }]));
}

#[test]
fn a_proxy_and_the_far_end_may_both_challenge() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.respond(&invite, 407, "Proxy-Authenticate: Digest realm=\"proxy\", nonce=\"p\"\n");
    let Some(Message::Request(second)) = solo.messages().pop() else { panic!("no request") };
    solo.respond(&second, 401, CHALLENGE);
    let Some(Message::Request(third)) = solo.messages().pop() else { panic!("no request") };
    assert!(third.headers.get(&HeaderName::ProxyAuthorization).is_some());
    assert!(third.headers.get(&HeaderName::Authorization).is_some());
    assert_eq!(solo.events(), []);
}

#[test]
fn a_stale_nonce_is_no_wrong_password() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.respond(&invite, 401, CHALLENGE);
    let Some(Message::Request(second)) = solo.messages().pop() else { panic!("no request") };
    let stale = "WWW-Authenticate: Digest realm=\"trunk\", nonce=\"n2\", stale=true, qop=\"auth\"\n";
    solo.respond(&second, 401, stale);
    let Some(Message::Request(third)) = solo.messages().pop() else { panic!("no request") };
    assert!(third.headers.get(&HeaderName::Authorization).unwrap().contains("nonce=\"n2\""));
    assert_eq!(solo.events(), []);
}

#[test]
fn a_wrong_password_ends_the_call() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.respond(&invite, 401, CHALLENGE);
    let Some(Message::Request(second)) = solo.messages().pop() else { panic!("no request") };
    solo.respond(&second, 401, CHALLENGE);
    assert_eq!(solo.sent(), ["ACK"]);
    assert_eq!(solo.cause(), EndCause::AuthenticationFailed);
    solo.assert_nothing_left();
}

#[test]
fn a_server_that_never_stops_challenging_is_no_endless_loop() {
    let stale = |round| format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"n{round}\", stale=true\n");
    let new_realms = |round| format!("WWW-Authenticate: Digest realm=\"r{round}\", nonce=\"n\"\n");
    assert!(challenges_until_given_up(stale) <= 5);
    assert!(challenges_until_given_up(new_realms) <= 5);
}

fn challenges_until_given_up(challenge: impl Fn(usize) -> String) -> usize {
    let mut solo = Solo::new();
    let mut invite = solo.place("c");
    for round in 1..20 {
        solo.respond(&invite, 401, &challenge(round));
        match solo.messages().pop() {
            Some(Message::Request(next)) if next.method.as_str() == "INVITE" => invite = next,
            Some(_) | None => {
                assert_eq!(solo.cause(), EndCause::AuthenticationFailed);
                return round;
            }
        }
    }
    panic!("asked for ever");
}

#[test]
fn redirects_are_followed_twice_and_no_further() {
    let mut solo = Solo::new();
    let mut invite = solo.place("c");
    for (round, port) in [5071, 5072].into_iter().enumerate() {
        let moved = answer(&invite, 302, "b", "", "")
            .replace("sip:bob@192.0.2.9:5060", &format!("sip:bob@192.0.2.80:{port}"));
        solo.receive(&moved);
        let (destination, bytes) = solo.datagrams().pop().unwrap();
        assert_eq!(destination, address(&format!("192.0.2.80:{port}")));
        let Ok(Message::Request(next)) = parse(&bytes) else { panic!("no request in round {round}") };
        assert_eq!(next.uri.to_string(), format!("sip:bob@192.0.2.80:{port}"));
        invite = next;
    }
    solo.respond(&invite, 302, "");
    assert_eq!(solo.sent(), ["ACK"]);
    assert!(matches!(solo.cause(), EndCause::Rejected { status: 302, .. }));
    solo.assert_nothing_left();
}

#[test]
fn the_dialog_follows_the_recorded_route_of_the_answer() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    let routes = "Record-Route: <sip:192.0.2.20;lr>\nRecord-Route: <sip:192.0.2.30:5080;lr>\n";
    solo.receive(&answer(&invite, 200, "b", routes, ANSWER));
    let (destination, bytes) = solo.datagrams().remove(0);
    let Ok(Message::Request(ack)) = parse(&bytes) else { panic!("no request") };
    assert_eq!(destination, address("192.0.2.30:5080"));
    let hops: Vec<_> =
        ack.headers.addresses(&HeaderName::Route).iter().map(|hop| hop.uri.host.clone()).collect();
    assert_eq!(hops, ["192.0.2.30", "192.0.2.20"]);
}

#[test]
fn what_cannot_be_placed_ends_at_once() {
    let mut solo = Solo::new();
    let place = |gateway: &str, target: &str| {
        Command::Place(PlaceCall {
            call: call("c"),
            gateway: GatewayId::new(gateway),
            target: target.into(),
            from_user: None,
            from_display: None,
            offer: None,
        })
    };
    for (gateway, target, status) in [("nowhere", "123", 404), ("trunk", "", 484), ("trunk", "mailto:x", 484)]
    {
        solo.command(place(gateway, target));
        assert_eq!(solo.cause(), EndCause::Refused { status }, "{gateway} {target}");
    }
    assert_eq!(solo.sent(), [""; 0]);
}

#[test]
fn a_target_cannot_smuggle_headers_in() {
    let mut solo = Solo::new();
    solo.command(Command::Place(PlaceCall {
        call: call("c"),
        gateway: GatewayId::new("trunk"),
        target: "123\r\nX-Evil: 1".into(),
        from_user: Some("a\r\nX-Evil: 2".into()),
        from_display: Some("b\r\nX-Evil: 3".into()),
        offer: None,
    }));
    for (_, bytes) in solo.datagrams() {
        assert!(!String::from_utf8_lossy(&bytes).contains("\r\nX-Evil"));
    }
}

#[test]
fn a_response_to_nothing_is_counted_and_ignored() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    let stray = ok(&invite, "b").replace("z9hG4bK", "z9hG4bKx");
    solo.receive(&stray);
    assert_eq!((solo.sent(), solo.endpoint.counters().stray_responses), (vec![], 1));
}
