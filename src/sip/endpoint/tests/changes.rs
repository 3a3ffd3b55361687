//! Re-INVITE and UPDATE of the peer.

use super::*;

fn reinvite(cseq: u32, tag: &str) -> String {
    request("INVITE", cseq, tag, "", "v=0 hold")
}

#[test]
fn a_reinvite_is_offered_answered_and_repeated_until_its_ack() {
    let (mut solo, tag) = established();
    solo.receive(&reinvite(2, &tag));
    assert_eq!(solo.sent(), ["100 INVITE"]);
    assert_eq!(solo.events(), [Event::Offer { call: call("in-1"), sdp: Some("v=0 hold".into()) }]);
    solo.command(Command::AnswerOffer { call: call("in-1"), sdp: ANSWER.into() });
    assert_eq!(solo.response().body, ANSWER.as_bytes());
    solo.advance(Duration::from_millis(600));
    assert_eq!(solo.sent(), ["200 INVITE"]);
    solo.receive(&request("ACK", 2, &tag, "", ""));
    solo.advance(Duration::from_secs(40));
    assert_eq!((solo.sent(), solo.events()), (vec![], vec![]));
}

#[test]
fn a_reinvite_without_sdp_wants_our_offer_and_confirms_with_theirs() {
    let (mut solo, tag) = established();
    solo.receive(&request("INVITE", 2, &tag, "", ""));
    assert_eq!(solo.events(), [Event::Offer { call: call("in-1"), sdp: None }]);
    solo.command(Command::AnswerOffer { call: call("in-1"), sdp: OFFER.into() });
    solo.receive(&request("ACK", 2, &tag, "", ANSWER));
    assert!(matches!(solo.events().as_slice(), [Event::Confirmed { sdp: Some(_), .. }]));
}

#[test]
fn a_reinvite_whose_200_is_never_acknowledged_ends_the_call() {
    let (mut solo, tag) = established();
    solo.receive(&reinvite(2, &tag));
    solo.command(Command::AnswerOffer { call: call("in-1"), sdp: ANSWER.into() });
    solo.events();
    solo.advance(Duration::from_secs(32));
    assert_eq!(solo.cause(), EndCause::AckNeverCame);
    assert_eq!(solo.sent().last().map(String::as_str), Some("BYE"));
    solo.assert_nothing_left();
}

#[test]
fn a_refused_reinvite_leaves_the_session_as_it_was() {
    let (mut solo, tag) = established();
    solo.receive(&reinvite(2, &tag));
    solo.command(Command::RejectOffer { call: call("in-1"), status: 488 });
    assert_eq!(solo.sent(), ["100 INVITE", "488 INVITE"]);
    solo.receive(&request("ACK", 2, &tag, "", "").replace("z9hG4bK-ACK-2", "z9hG4bK-INVITE-2"));
    solo.receive(&request("BYE", 3, &tag, "", ""));
    assert_eq!(solo.sent(), ["200 BYE"]);
}

#[test]
fn an_offer_nobody_decides_about_is_refused_after_five_seconds() {
    for (sdp, status) in [(OFFER, "488"), ("", "500")] {
        let (mut solo, tag) = established();
        solo.receive(&request("INVITE", 2, &tag, "", sdp));
        solo.advance(Duration::from_millis(4_999));
        assert_eq!(solo.sent(), ["100 INVITE"]);
        solo.advance(Duration::from_millis(1));
        assert_eq!(solo.sent(), [format!("{status} INVITE")]);
        solo.command(Command::AnswerOffer { call: call("in-1"), sdp: ANSWER.into() });
        assert!(!solo.sent().contains(&"200 INVITE".to_owned()), "too late");
    }
}

#[test]
fn a_second_change_while_one_waits_is_asked_to_come_again() {
    let (mut solo, tag) = established();
    solo.receive(&reinvite(2, &tag));
    solo.receive(&reinvite(3, &tag));
    let Some(Message::Response(refusal)) = solo.messages().pop() else { panic!("no response") };
    assert_eq!(refusal.status, 500);
    assert!(refusal.headers.number(&HeaderName::RetryAfter).unwrap() <= 10);
}

#[test]
fn an_update_with_sdp_is_offered_and_needs_no_ack() {
    let (mut solo, tag) = established();
    solo.receive(&request("UPDATE", 2, &tag, "", OFFER));
    assert!(matches!(solo.events().as_slice(), [Event::Offer { sdp: Some(_), .. }]));
    solo.command(Command::AnswerOffer { call: call("in-1"), sdp: ANSWER.into() });
    assert_eq!(solo.sent(), ["200 UPDATE"]);
    solo.advance(Duration::from_secs(60));
    assert_eq!((solo.sent(), solo.events()), (vec![], vec![]));
}

#[test]
fn a_refresh_moves_the_remote_target() {
    let (mut solo, tag) = established();
    solo.receive(
        &request("UPDATE", 2, &tag, "", "").replace("<sip:ann@192.0.2.9:5060>", "<sip:ann@192.0.2.44:5099>"),
    );
    assert_eq!((solo.sent(), solo.events()), (vec!["200 UPDATE".to_owned()], vec![]));
    solo.command(Command::HangUp { call: call("in-1") });
    assert_eq!(solo.datagrams()[0].0, address("192.0.2.44:5099"));
}

#[test]
fn a_call_that_ends_with_a_change_waiting_answers_it() {
    let (mut solo, tag) = established();
    solo.receive(&reinvite(2, &tag));
    solo.sent();
    solo.receive(&request("BYE", 3, &tag, "", ""));
    let mut sent = solo.sent();
    sent.sort();
    assert_eq!(sent, ["200 BYE", "487 INVITE"]);
    solo.assert_nothing_left();
}

#[test]
fn a_cancelled_reinvite_gets_487_and_the_call_goes_on() {
    let (mut solo, tag) = established();
    solo.receive(&reinvite(2, &tag));
    solo.sent();
    solo.receive(&request("CANCEL", 2, &tag, "", ""));
    assert_eq!(solo.sent(), ["200 CANCEL", "487 INVITE"]);
    assert_eq!(solo.endpoint.sizes().calls, 1);
}

#[test]
fn a_placed_call_takes_reinvites_too() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.receive(&answer(&invite, 200, "b", "", ANSWER));
    solo.events();
    solo.sent();
    let (from, to) = (invite.headers.from_addr().unwrap(), invite.headers.to_addr().unwrap());
    let reinvite = reinvite(1, from.tag().unwrap())
        .replace("call-1", invite.headers.call_id().unwrap())
        .replace("\"Ann\" <sip:4917012@trunk.example>;tag=ann", &to.with_tag("b").to_string());
    solo.receive(&reinvite);
    assert!(matches!(solo.events().as_slice(), [Event::Offer { .. }]));
}
