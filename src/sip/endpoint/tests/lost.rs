//! Calls of an engine that is gone.

use super::*;
use crate::sip::Method;

/// Places a call and forgets everything, as a process that is killed.
fn killed_while_ringing() -> (Solo, Request) {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.respond(&invite, 180, "");
    (Solo::new(), invite)
}

#[test]
fn s2_the_far_end_of_a_lost_dialog_gets_a_bye_that_it_must_take() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.receive(&answer(&invite, 200, "b", "Record-Route: <sip:198.51.100.7:5060;lr>\n", ANSWER));
    let Some(Event::Answered { dialog, .. }) = solo.events().pop() else { panic!("it was not answered") };
    let mut next = Solo::new();
    next.command(Command::EndLost { dialog: Box::new(dialog.clone()) });
    let bye = next.request();
    assert_eq!(bye.method, Method::Bye);
    assert_eq!(bye.headers.call_id(), Some(dialog.call_id.as_str()));
    assert_eq!(bye.headers.to_addr().unwrap().tag(), Some("b"));
    assert_eq!(bye.headers.get(&HeaderName::Route), Some("<sip:198.51.100.7:5060;lr>"));
    assert!(bye.headers.cseq().unwrap().number > invite.headers.cseq().unwrap().number + 50);
    next.advance(Duration::from_secs(2));
    assert!(next.sent().iter().all(|sent| sent == "BYE"), "a lost BYE is repeated");
    next.respond(&bye, 481, "");
    next.assert_nothing_left();
    assert_eq!(next.events(), []);
}

#[test]
fn s2_who_answers_an_invite_that_nobody_remembers_is_let_go() {
    let (mut solo, invite) = killed_while_ringing();
    solo.receive(&answer(&invite, 200, "b", "", ANSWER));
    assert_eq!(solo.sent(), ["ACK", "BYE"]);
    solo.assert_nothing_left();
    assert_eq!(solo.events(), []);
}

#[test]
fn a_stray_answer_of_a_stranger_or_to_somebody_else_s_invite_makes_us_send_nothing() {
    let (mut solo, invite) = killed_while_ringing();
    let accepted = answer(&invite, 200, "b", "", ANSWER);
    solo.receive_from("203.0.113.200:5060", &accepted);
    solo.receive(&accepted.replace("192.0.2.1:5060", "192.0.2.9:5060"));
    solo.receive(&answer(&invite, 180, "b", "", ""));
    solo.receive(&answer(&invite, 486, "b", "", ""));
    assert_eq!(solo.sent(), Vec::<String>::new());
    solo.assert_nothing_left();
}

#[test]
fn an_answer_that_is_repeated_late_does_not_end_the_call_that_it_began() {
    let mut solo = Solo::new();
    let invite = solo.place("c");
    solo.receive(&answer(&invite, 200, "b", "", ANSWER));
    solo.advance(Duration::from_secs(120));
    solo.sent();
    solo.events();
    solo.receive(&answer(&invite, 200, "b", "", ANSWER));
    assert_eq!(solo.sent(), Vec::<String>::new());
    assert_eq!(solo.events(), []);
}
