//! Who may come in, and how everybody else is told.

use super::*;
use crate::domain::Rate;

fn status_of(text: &str) -> String {
    let mut solo = Solo::new();
    solo.receive(text);
    let sent = solo.sent();
    assert_eq!(solo.events(), []);
    solo.assert_nothing_left();
    sent.first().cloned().unwrap_or_default()
}

#[test]
fn an_invite_of_a_stranger_is_refused_without_state_and_then_ignored() {
    let mut solo = Solo::new();
    for cseq in 1..=30 {
        solo.receive_from(STRANGER, &request("INVITE", cseq, "", "", OFFER));
    }
    assert_eq!(solo.sent(), vec!["403 INVITE"; 5]);
    assert_eq!(solo.events(), []);
    let sizes = solo.endpoint.sizes();
    assert_eq!((sizes.calls, sizes.server_transactions), (0, 0));
    assert_eq!(solo.endpoint.counters().strangers_ignored, 25);
    solo.assert_nothing_left();
}

#[test]
fn an_allowed_source_is_no_stranger() {
    let rules = vec!["203.0.113.0/24".parse().unwrap()];
    let mut solo = Solo::with(EndpointConfig { allowed_sources: rules, ..config() });
    solo.receive_from(STRANGER, &invite());
    assert!(matches!(solo.events().as_slice(), [Event::Incoming(incoming)] if incoming.gateway.is_none()));
}

#[test]
fn a_gateway_may_call_from_another_port_of_its_host() {
    let mut solo = Solo::new();
    solo.receive_from("192.0.2.9:6000", &invite());
    assert_eq!(solo.events().len(), 1);
}

#[test]
fn answers_go_to_the_port_that_rport_asks_for() {
    let mut solo = Solo::new();
    solo.receive_from("192.0.2.9:40000", &request("OPTIONS", 1, "", "", ""));
    let (destination, bytes) = solo.datagrams().remove(0);
    assert_eq!(destination, address("192.0.2.9:40000"));
    let via = parse(&bytes).unwrap().headers().top_via().unwrap();
    assert_eq!((via.rport(), via.received()), (Some(40000), Some(address(PEER).ip())));
}

#[test]
fn without_rport_answers_go_to_the_port_of_the_via_unless_it_lies() {
    let mut solo = Solo::new();
    let options = request("OPTIONS", 1, "", "", "").replace("5060;rport", "5088");
    solo.receive_from("192.0.2.9:40000", &options);
    solo.receive_from("192.0.2.9:40000", &options.replace("UDP 192.0.2.9:", "UDP 10.0.0.1:"));
    let destinations: Vec<_> = solo.datagrams().into_iter().map(|(destination, _)| destination).collect();
    assert_eq!(destinations, [address("192.0.2.9:5088"), address("192.0.2.9:40000")]);
}

#[test]
fn options_tell_what_we_can() {
    let mut solo = Solo::new();
    solo.receive(&request("OPTIONS", 1, "", "", ""));
    let response = solo.response();
    assert_eq!(response.status, 200);
    assert!(response.headers.has_token(&HeaderName::Allow, "UPDATE"));
    assert!(response.headers.has_token(&HeaderName::Accept, "application/sdp"));
    assert!(response.headers.to_addr().unwrap().tag().is_some());
}

#[test]
fn each_kind_of_wrong_request_has_its_answer() {
    let cases = [
        ("405 REGISTER", request("REGISTER", 1, "", "", "")),
        ("405 MESSAGE", request("MESSAGE", 1, "", "", "")),
        ("501 DANCE", request("DANCE", 1, "", "", "")),
        ("481 BYE", request("BYE", 1, "", "", "")),
        ("481 BYE", request("BYE", 1, "unknown", "", "")),
        ("481 INVITE", request("INVITE", 1, "unknown", "", OFFER)),
        ("483 INVITE", invite().replace("Max-Forwards: 70", "Max-Forwards: 0")),
        ("505 INVITE", invite().replace("192.0.2.1 SIP/2.0", "192.0.2.1 SIP/3.0")),
        ("400 INVITE", invite().replace("INVITE sip:100@192.0.2.1", "INVITE sip:[::1")),
        ("415 INVITE", invite().replace("application/sdp", "text/plain")),
        ("416 INVITE", invite().replace("INVITE sip:100@192.0.2.1", "INVITE mailto:x@example.com")),
        ("422 INVITE", request("INVITE", 1, "", "Supported: timer\nSession-Expires: 30\n", OFFER)),
        ("413 INVITE", request("INVITE", 1, "", "", &"v".repeat(20_000))),
    ];
    for (expected, text) in cases {
        assert_eq!(status_of(&text), expected, "{text}");
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let mut solo = Solo::new();
    solo.receive(&request("SUBSCRIBE", 1, "", "", ""));
    assert!(solo.response().headers.has_token(&HeaderName::Allow, "INVITE"));
}

#[test]
fn a_required_extension_we_lack_is_named() {
    let mut solo = Solo::new();
    solo.receive(&request("INVITE", 1, "", "Require: 100rel, timer, warp\n", OFFER));
    let response = solo.response();
    assert_eq!(response.status, 420);
    assert_eq!(response.headers.all(&HeaderName::Unsupported).collect::<Vec<_>>(), ["100rel", "warp"]);
}

#[test]
fn an_invite_that_took_two_paths_is_one_call() {
    let mut solo = Solo::new();
    solo.receive(&invite());
    solo.receive(&invite().replace("z9hG4bK-INVITE-1", "z9hG4bK-other-path"));
    assert_eq!(solo.sent(), ["100 INVITE", "482 INVITE"]);
    assert_eq!((solo.events().len(), solo.endpoint.counters().merged_requests), (1, 1));
}

#[test]
fn a_peer_of_the_old_standard_without_branches_is_served() {
    let mut solo = Solo::new();
    let old = |text: String| text.replace("z9hG4bK-", "");
    solo.receive(&old(invite()));
    solo.receive(&old(invite()));
    assert_eq!((solo.events().len(), solo.sent().len()), (1, 2));
}

#[test]
fn when_all_places_are_taken_callers_are_asked_to_come_again() {
    let limits = EndpointLimits { calls: 1, ..EndpointLimits::default() };
    let mut solo = Solo::with(EndpointConfig { limits, ..config() });
    solo.receive(&invite());
    solo.receive(&request("INVITE", 2, "", "", OFFER).replace("call-1", "call-2"));
    let Some(Message::Response(refusal)) = solo.messages().pop() else { panic!("no response") };
    assert_eq!(refusal.status, 503);
    assert!(refusal.headers.number(&HeaderName::RetryAfter).is_some());
    assert_eq!((solo.endpoint.sizes().calls, solo.endpoint.counters().calls_full), (1, 1));
}

#[test]
fn when_all_transactions_are_taken_nothing_grows() {
    let limits = EndpointLimits { transactions: 2, ..EndpointLimits::default() };
    let mut solo = Solo::with(EndpointConfig { limits, ..config() });
    for number in 0..20 {
        solo.receive(
            &invite().replace("call-1", &format!("call-{number}")).replace("INVITE-1", &format!("{number}")),
        );
    }
    assert_eq!(solo.endpoint.sizes().server_transactions, 2);
    assert_eq!(solo.endpoint.counters().transactions_full, 18);
    assert_eq!(solo.endpoint.sizes().calls, 2);
}

#[test]
fn a_flood_of_garbage_leaves_nothing_behind() {
    let mut solo = Solo::new();
    let mut entropy = Entropy::from_number(3);
    for round in 0..20_000_u32 {
        let source = SocketAddr::from(([198, 18, (round >> 8) as u8, round as u8], 5060));
        let bytes: Vec<u8> = (0..entropy.below(80)).map(|_| entropy.next_u32() as u8).collect();
        let text = request("INVITE", round, "", "", "").into_bytes();
        let bytes = if round % 2 == 0 { bytes } else { text };
        solo.endpoint.handle(Input::Datagram { source, bytes: &bytes }, solo.now);
        while solo.endpoint.poll_output().is_some() {}
    }
    let sizes = solo.endpoint.sizes();
    assert_eq!((sizes.calls, sizes.dialogs, sizes.server_transactions), (0, 0, 0));
    assert!(sizes.sources <= 3 * EndpointLimits::default().sources, "{sizes:?}");
    assert!(sizes.timers <= 1);
    solo.assert_nothing_left();
}

#[test]
fn a_source_that_sends_too_much_is_dropped_unread() {
    let trusted_rate = Rate { per_second: 1, burst: 3 };
    let limits = EndpointLimits { trusted_rate, ..EndpointLimits::default() };
    let mut solo = Solo::with(EndpointConfig { limits, ..config() });
    (1..=10).for_each(|cseq| solo.receive(&request("OPTIONS", cseq, "", "", "")));
    assert_eq!((solo.sent().len(), solo.endpoint.counters().rate_limited), (3, 7));
}

#[test]
fn a_keep_alive_is_no_fault() {
    let mut solo = Solo::new();
    let bytes = b"\r\n\r\n";
    solo.endpoint.handle(Input::Datagram { source: address(PEER), bytes }, solo.now);
    assert_eq!(solo.endpoint.counters().malformed, 0);
}

#[test]
fn a_draining_endpoint_refuses_calls_and_options_but_keeps_its_calls() {
    let (mut solo, tag) = established();
    solo.command(Command::Drain);
    solo.receive(&request("INVITE", 9, "", "", OFFER).replace("call-1", "call-2"));
    solo.receive(&request("OPTIONS", 9, "", "", ""));
    assert_eq!(solo.sent(), ["503 INVITE", "503 OPTIONS"]);
    solo.receive(&request("BYE", 10, &tag, "", ""));
    assert_eq!(solo.sent(), ["200 BYE"]);
    assert_eq!(solo.cause(), EndCause::RemoteBye);
}

#[test]
fn who_overheard_a_dialogs_tags_can_neither_change_nor_end_it_from_elsewhere() {
    let (mut solo, tag) = established();
    solo.receive_from(STRANGER, &request("INVITE", 50, &tag, "", OFFER));
    solo.receive_from(STRANGER, &request("BYE", 51, &tag, "", ""));
    assert_eq!(solo.sent(), ["481 INVITE", "481 BYE"]);
    assert_eq!(solo.events(), []);
    solo.receive(&request("BYE", 2, &tag, "", ""));
    assert_eq!(solo.sent(), ["200 BYE"]);
}
