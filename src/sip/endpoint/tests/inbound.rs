//! Calls that come to us.

use super::*;

#[test]
fn an_invite_is_tried_at_once_and_told_with_its_numbers() {
    let mut solo = Solo::new();
    solo.receive(&invite());
    assert_eq!(solo.sent(), ["100 INVITE"]);
    let events = solo.events();
    let [Event::Incoming(incoming)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((incoming.from.expose(), incoming.to.expose()), ("4917012", "100"));
    assert_eq!(incoming.gateway, Some(GatewayId::new("trunk")));
    assert_eq!(incoming.offer.as_deref(), Some(OFFER.as_bytes()));
    assert_eq!(incoming.source, address(PEER));
}

#[test]
fn an_escaped_number_is_told_as_it_is_dialled() {
    let mut solo = Solo::new();
    solo.receive(&invite().replace("sip:4917012@", "sip:%2B4917012;phone-context=x@"));
    assert!(
        matches!(solo.events().as_slice(), [Event::Incoming(incoming)] if incoming.from.expose() == "+4917012")
    );
}

#[test]
fn an_anonymous_caller_is_named_by_what_the_network_asserts() {
    let mut solo = Solo::new();
    let asserted = "P-Asserted-Identity: <sip:49170@trunk.example>\n";
    solo.receive(&request("INVITE", 1, "", asserted, OFFER).replace("sip:4917012@", "sip:anonymous@"));
    assert!(
        matches!(solo.events().as_slice(), [Event::Incoming(incoming)] if incoming.from.expose() == "49170")
    );
}

#[test]
fn a_call_rings_has_early_media_is_answered_and_ends_with_their_bye() {
    let mut solo = Solo::new();
    solo.receive(&invite());
    solo.command(Command::Ring { call: call("in-1") });
    solo.command(Command::EarlyMedia { call: call("in-1"), sdp: ANSWER.into() });
    solo.command(Command::Answer { call: call("in-1"), sdp: ANSWER.into() });
    let responses = solo.messages();
    let tags: Vec<_> = responses[1..]
        .iter()
        .map(|held| held.headers().to_addr().unwrap().tag().unwrap().to_owned())
        .collect();
    assert_eq!(
        responses.iter().map(summary).collect::<Vec<_>>(),
        ["100 INVITE", "180 INVITE", "183 INVITE", "200 INVITE"]
    );
    assert!(tags.iter().all(|tag| *tag == tags[0]), "one dialog, one tag: {tags:?}");
    assert_eq!(responses[3].body(), ANSWER.as_bytes());
    assert_eq!(responses[3].headers().contact().unwrap().uri.to_string(), "sip:100@192.0.2.1:5060");
    solo.receive(&request("ACK", 1, &tags[0], "", ""));
    solo.receive(&request("BYE", 2, &tags[0], "", ""));
    assert_eq!(solo.sent(), ["200 BYE"]);
    assert!(matches!(
        solo.events().as_slice(),
        [Event::Incoming(_), Event::Confirmed { .. }, Event::Ended { cause: EndCause::RemoteBye, .. }]
    ));
    solo.assert_nothing_left();
}

/// A busy endpoint would else wake twice for each call, half a minute later.
#[test]
fn transactions_that_only_wait_to_be_forgotten_are_forgotten_in_one_go() {
    let mut solo = Solo::new();
    solo.advance(Duration::from_millis(100));
    let tag = answered(&mut solo, &invite());
    solo.receive(&request("ACK", 1, &tag, "", ""));
    solo.advance(Duration::from_millis(300));
    solo.receive(&request("BYE", 2, &tag, "", ""));
    solo.advance(Duration::from_millis(31_990));
    assert_eq!(solo.endpoint.sizes().server_transactions, 2, "the INVITE's waits for the BYE's");
    solo.advance(Duration::from_millis(110));
    assert_eq!(solo.endpoint.sizes().server_transactions, 0);
}

#[test]
fn a_repeated_invite_is_answered_from_its_transaction() {
    let mut solo = Solo::new();
    solo.receive(&invite());
    solo.command(Command::Ring { call: call("in-1") });
    solo.sent();
    solo.receive(&invite());
    assert_eq!(solo.sent(), ["180 INVITE"]);
    assert_eq!(solo.events().len(), 1, "one call only");
    assert_eq!(solo.endpoint.sizes().calls, 1);
}

#[test]
fn a_200_is_repeated_until_its_ack_comes() {
    let mut solo = Solo::new();
    let tag = answered(&mut solo, &invite());
    solo.advance(Duration::from_millis(1600));
    assert_eq!(solo.sent(), ["200 INVITE", "200 INVITE"]);
    solo.receive(&request("ACK", 1, &tag, "", ""));
    solo.advance(Duration::from_secs(60));
    assert_eq!(solo.sent(), [""; 0]);
}

#[test]
fn without_an_ack_the_call_ends_with_a_bye_after_32_seconds() {
    let mut solo = Solo::new();
    answered(&mut solo, &invite());
    solo.advance(Duration::from_millis(31_999));
    assert!(!solo.sent().contains(&"BYE".to_owned()));
    solo.advance(Duration::from_millis(1));
    assert_eq!(solo.sent(), ["BYE"]);
    assert_eq!(solo.cause(), EndCause::AckNeverCame);
    solo.assert_nothing_left();
}

#[test]
fn an_ack_that_reuses_the_branch_of_its_invite_confirms_too() {
    let mut solo = Solo::new();
    let tag = answered(&mut solo, &invite());
    solo.receive(&request("ACK", 1, &tag, "", "").replace("z9hG4bK-ACK-1", "z9hG4bK-INVITE-1"));
    assert!(matches!(solo.events().as_slice(), [Event::Confirmed { .. }]));
}

#[test]
fn an_invite_without_sdp_gets_our_offer_and_the_ack_brings_the_answer() {
    let mut solo = Solo::new();
    let tag = answered(&mut solo, &request("INVITE", 1, "", "", ""));
    solo.receive(&request("ACK", 1, &tag, "", ANSWER));
    let events = solo.events();
    assert!(
        matches!(events.as_slice(), [Event::Confirmed { sdp: Some(sdp), .. }] if sdp == ANSWER.as_bytes()),
        "{events:?}"
    );
}

#[test]
fn a_rejected_call_repeats_its_refusal_until_the_ack() {
    let mut solo = Solo::new();
    solo.receive(&invite());
    solo.events();
    let retry_after = Some(Duration::from_secs(30));
    solo.command(Command::Reject { call: call("in-1"), status: 486, retry_after });
    assert_eq!(solo.cause(), EndCause::Refused { status: 486 });
    let refusal = solo.messages().remove(1);
    assert_eq!(refusal.headers().number(&HeaderName::RetryAfter), Some(30));
    let tag = refusal.headers().to_addr().unwrap().tag().unwrap().to_owned();
    solo.advance(Duration::from_millis(600));
    assert_eq!(solo.sent(), ["486 INVITE"]);
    solo.receive(&request("ACK", 1, &tag, "", "").replace("z9hG4bK-ACK-1", "z9hG4bK-INVITE-1"));
    solo.assert_nothing_left();
    assert_eq!(solo.sent(), [""; 0]);
}

#[test]
fn a_cancel_is_answered_and_ends_the_invite_with_487() {
    let mut solo = Solo::new();
    solo.receive(&invite());
    solo.command(Command::Ring { call: call("in-1") });
    solo.events();
    solo.sent();
    solo.receive(&request("CANCEL", 1, "", "", ""));
    assert_eq!(solo.sent(), ["200 CANCEL", "487 INVITE"]);
    assert_eq!(solo.cause(), EndCause::RemoteCancel);
    solo.receive(&request("CANCEL", 1, "", "", ""));
    assert_eq!(solo.sent(), ["200 CANCEL"]);
    solo.assert_nothing_left();
}

#[test]
fn a_cancel_after_the_200_changes_nothing() {
    let mut solo = Solo::new();
    let tag = answered(&mut solo, &invite());
    solo.receive(&request("CANCEL", 1, "", "", ""));
    assert_eq!(solo.sent(), ["200 CANCEL"]);
    solo.receive(&request("ACK", 1, &tag, "", ""));
    assert!(matches!(solo.events().as_slice(), [Event::Confirmed { .. }]));
}

#[test]
fn a_cancel_for_nothing_gets_481() {
    let mut solo = Solo::new();
    solo.receive(&request("CANCEL", 1, "", "", ""));
    assert_eq!(solo.sent(), ["481 CANCEL"]);
}

#[test]
fn hanging_up_before_the_ack_waits_for_it_with_the_bye() {
    let mut solo = Solo::new();
    let tag = answered(&mut solo, &invite());
    solo.command(Command::HangUp { call: call("in-1") });
    assert_eq!((solo.sent(), solo.events()), (vec![], vec![]));
    solo.receive(&request("ACK", 1, &tag, "", ""));
    assert_eq!(solo.sent(), ["BYE"]);
    assert_eq!(solo.cause(), EndCause::LocalBye);
    solo.assert_nothing_left();
}

#[test]
fn hanging_up_an_undecided_call_refuses_it() {
    let mut solo = Solo::new();
    solo.receive(&invite());
    solo.events();
    solo.command(Command::HangUp { call: call("in-1") });
    assert_eq!(solo.sent(), ["100 INVITE", "480 INVITE"]);
    assert_eq!(solo.cause(), EndCause::Refused { status: 480 });
    solo.assert_nothing_left();
}

#[test]
fn a_call_nobody_decides_about_is_refused_after_three_minutes() {
    let mut solo = Solo::new();
    solo.receive(&invite());
    solo.events();
    solo.advance(Duration::from_secs(180));
    assert_eq!(solo.sent(), ["100 INVITE", "480 INVITE"]);
    assert_eq!(solo.cause(), EndCause::Refused { status: 480 });
    solo.assert_nothing_left();
}

#[test]
fn our_bye_follows_the_recorded_route() {
    let mut solo = Solo::new();
    let route = "Record-Route: <sip:192.0.2.77:5070;lr>\n";
    let tag = answered(&mut solo, &request("INVITE", 1, "", route, OFFER));
    solo.receive(&request("ACK", 1, &tag, "", ""));
    solo.command(Command::HangUp { call: call("in-1") });
    let (destination, bytes) = solo.datagrams().remove(0);
    let Ok(Message::Request(bye)) = parse(&bytes) else { panic!("no request") };
    assert_eq!(destination, address("192.0.2.77:5070"));
    assert_eq!(bye.uri.to_string(), "sip:ann@192.0.2.9:5060");
    assert_eq!(bye.headers.get(&HeaderName::Route), Some("<sip:192.0.2.77:5070;lr>"));
}

#[test]
fn a_challenged_bye_is_repeated_with_credentials() {
    let (mut solo, _) = established();
    solo.command(Command::HangUp { call: call("in-1") });
    let bye = solo.request();
    solo.respond(&bye, 401, "WWW-Authenticate: Digest realm=\"x\", nonce=\"n\", qop=\"auth\"\n");
    let again = solo.request();
    assert!(again.headers.get(&HeaderName::Authorization).is_some());
    assert_eq!(again.headers.cseq().unwrap().number, bye.headers.cseq().unwrap().number + 1);
    solo.respond(&again, 401, "WWW-Authenticate: Digest realm=\"x\", nonce=\"m\", qop=\"auth\"\n");
    assert_eq!(solo.sent(), [""; 0], "a wrong password is no loop");
    solo.assert_nothing_left();
}

#[test]
fn digits_in_info_are_told_once_even_when_repeated() {
    let (mut solo, tag) = established();
    let info = request("INFO", 2, &tag, "Content-Type: application/dtmf-relay\n", "")
        + "Signal=7\r\nDuration=120\r\n";
    solo.receive(&info);
    solo.receive(&info);
    assert_eq!(solo.sent(), ["200 INFO", "200 INFO"]);
    assert_eq!(solo.events(), [Event::Dtmf { call: call("in-1"), digit: '7', duration_ms: 120 }]);
}

#[test]
fn a_request_with_an_old_number_gets_500_and_changes_nothing() {
    let (mut solo, tag) = established();
    solo.receive(&request("BYE", 1, &tag, "", ""));
    assert_eq!(solo.sent(), ["500 BYE"]);
    assert_eq!(solo.events(), []);
}

#[test]
fn a_bye_of_another_dialog_gets_481() {
    let (mut solo, tag) = established();
    solo.receive(&request("BYE", 2, "wrong", "", ""));
    solo.receive(&request("BYE", 3, &tag, "", "").replace("tag=ann", "tag=eve"));
    solo.receive(&request("BYE", 4, &tag, "", "").replace("call-1", "call-2"));
    assert_eq!(solo.sent(), ["481 BYE", "481 BYE", "481 BYE"]);
    assert_eq!(solo.endpoint.sizes().calls, 1);
}

#[test]
fn a_session_that_is_not_refreshed_ends_shortly_before_it_runs_out() {
    let mut solo = Solo::new();
    let timer = "Supported: timer\nSession-Expires: 90;refresher=uac\n";
    solo.receive(&request("INVITE", 1, "", timer, OFFER));
    solo.command(Command::Answer { call: call("in-1"), sdp: ANSWER.into() });
    let ok = solo.messages().remove(1);
    assert_eq!(ok.headers().get(&HeaderName::SessionExpires), Some("90;refresher=uac"));
    assert!(ok.headers().has_token(&HeaderName::Require, "timer"));
    let tag = ok.headers().to_addr().unwrap().tag().unwrap().to_owned();
    solo.receive(&request("ACK", 1, &tag, "", ""));
    solo.events();
    solo.advance(Duration::from_secs(50));
    solo.receive(&request("UPDATE", 2, &tag, timer, ""));
    assert_eq!(solo.sent(), ["200 UPDATE"]);
    solo.advance(Duration::from_secs(59));
    assert_eq!(solo.events(), []);
    solo.advance(Duration::from_secs(1));
    assert_eq!(solo.sent(), ["BYE"]);
    assert_eq!(solo.cause(), EndCause::DialogLost);
}
