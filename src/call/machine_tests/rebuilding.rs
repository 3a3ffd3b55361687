//! A session that dies in any phase, and what its successor does.

use super::*;

fn resume() -> Start {
    Start::Resume { handle: "h1".into() }
}

#[test]
fn a_call_rebuilt_while_it_rings_is_answered_once_and_greets_with_a_model_that_begins_anew() {
    let mut play = Play::ringing();
    play.model(handle());
    play.rebuild();
    assert_eq!(play.opened(), [(&Start::Fresh, false)], "a resumed session would not greet");
    play.model(VoiceEvent::Ready);
    assert_eq!(play.asked_of_signalling().len(), 1);
    play.signal(Signal::Confirmed { sdp: None });
    assert_eq!(play.greetings(), 1);
}

#[test]
fn a_call_rebuilt_while_it_rings_gets_no_audio_before_it_is_answered() {
    let mut play = Play::ringing();
    play.rebuild();
    assert_eq!(play.expected_ports(), [] as [u16; 0]);
    play.model(VoiceEvent::Ready);
    assert_eq!(play.expected_ports(), [16_384]);
}

#[test]
fn a_call_rebuilt_after_it_was_answered_is_connected_when_signalling_tells_it_again() {
    let mut inbound = Play::ringing();
    inbound.model(VoiceEvent::Ready);
    inbound.rebuild();
    inbound.model(VoiceEvent::Ready);
    assert_eq!(inbound.asked_of_signalling(), [] as [&SignalCommand; 0], "it was answered before");
    inbound.signal(Signal::Confirmed { sdp: None });
    let mut outbound = Play::dialing();
    let offer = negotiation(1, &[Codec::Pcmu, Codec::Pcma]).offer();
    let (answer, _) = far_end().answer(&offer).unwrap();
    outbound.rebuild();
    outbound.signal(Signal::Answered { sdp: Some(answer.clone()) });
    outbound.signal(Signal::Answered { sdp: Some(answer) });
    assert_eq!((inbound.greetings(), outbound.greetings()), (1, 1));
}

#[test]
fn a_talking_call_goes_on_on_the_same_audio_with_the_model_resumed_and_no_second_greeting() {
    let mut play = Play::greeted();
    play.model(handle());
    play.rebuild();
    assert_eq!(play.expected_ports(), [16_384]);
    assert_eq!(play.opened(), [(&resume(), false)]);
    assert!(play.machine.model_listens(), "the caller is heard although nobody connects the call again");
    play.model(VoiceEvent::Ready);
    play.model(VoiceEvent::Resumed { fresh: false });
    assert_eq!((play.greetings(), play.asked_of_signalling().len()), (0, 0));
}

#[test]
fn a_model_that_was_speaking_when_the_session_died_is_asked_to_carry_on() {
    let mut greeting = Play::connected();
    greeting.rebuild();
    let mut generating = Play::greeted();
    generating.model(VoiceEvent::TurnStarted);
    generating.rebuild();
    let mut heard_from_the_buffer = Play::greeted();
    heard_from_the_buffer.model(VoiceEvent::TurnStarted);
    heard_from_the_buffer.input(Input::Playing(true));
    heard_from_the_buffer.model(VoiceEvent::GenerationComplete);
    heard_from_the_buffer.rebuild();
    let mut asked = Play::greeted();
    asked.model(VoiceEvent::CallerSaid(words("When do you", false)));
    asked.rebuild();
    let mut answered = Play::greeted();
    answered.model(VoiceEvent::CallerSaid(words("When do you", false)));
    answered.speak(SECOND);
    answered.model(VoiceEvent::CallerSaid(words("When do you", true)));
    answered.rebuild();
    let mut quiet = Play::greeted();
    quiet.rebuild();
    let owes = |play: &Play| play.opened()[0].1;
    assert!(owes(&greeting) && owes(&generating) && owes(&heard_from_the_buffer) && owes(&asked));
    assert!(!owes(&quiet) && !owes(&answered));
    assert_eq!(greeting.greetings(), 0, "asked once is asked for good");
    greeting.rebuild();
    assert!(owes(&greeting), "the second session died before the model had spoken");
}

#[test]
fn an_answer_that_was_lost_with_its_connection_is_still_owed_when_the_session_dies_too() {
    let lost = || VoiceEvent::TurnEnded { reason: TurnEnd::Lost };
    let owes_after = |events: Vec<VoiceEvent>| {
        let mut play = Play::greeted();
        events.into_iter().for_each(|event| play.model(event));
        play.rebuild();
        play.opened()[0].1
    };
    assert!(owes_after(vec![VoiceEvent::TurnStarted, lost()]));
    assert!(!owes_after(vec![VoiceEvent::TurnStarted, VoiceEvent::Interrupted, lost()]));
    let said_again = [VoiceEvent::TurnStarted, VoiceEvent::GenerationComplete];
    assert!(!owes_after([vec![VoiceEvent::TurnStarted, lost()], said_again.to_vec()].concat()));
}

#[test]
fn a_handle_is_tried_by_one_rebuild_and_the_next_one_seeds_from_the_transcript() {
    let mut play = Play::greeted();
    play.model(handle());
    play.model(VoiceEvent::CallerSaid(words("Hello?", true)));
    play.rebuild();
    assert_eq!(play.opened()[0].0, &resume());
    play.rebuild();
    let (Start::Seeded { history }, _) = play.opened()[0] else { panic!("{:?}", play.opened()) };
    assert_eq!(history.len(), 1);
    let told_twice = play.count(
        |output| matches!(output, Output::Voice(VoiceCommand::Open { history, .. }) if !history.is_empty()),
    );
    assert_eq!(told_twice, 0, "the seed holds the history already");
    play.model(VoiceEvent::Handle(ResumeHandle { handle: "h1".into(), model: "m".into() }));
    play.rebuild();
    assert_eq!(play.opened()[0].0, &resume(), "a newer handle is worth a try");
}

#[test]
fn a_rebuilt_call_keeps_its_maximum_length_and_its_hold() {
    let mut play = Play::greeted();
    let offer = directed(play.far_end.offer(), "inactive");
    play.signal(Signal::Changed { sdp: Some(offer) });
    play.pass(3_000 * SECOND);
    play.rebuild();
    assert!(!play.machine.model_listens());
    play.pass(590 * SECOND);
    assert!(play.finishes.is_empty());
    play.pass(20 * SECOND);
    assert_eq!(play.outcome(), Outcome::Completed);
}

#[test]
fn a_call_that_was_ending_ends_with_the_reason_it_had() {
    let mut play = Play::greeted();
    play.input(Input::HangUp { reason: "by hand".into() });
    play.rebuild();
    assert!(play.hung_up() && play.opened().is_empty());
    play.pass(3 * SECOND);
    assert_eq!(play.finishes[0].reason, "by hand");
}

#[test]
fn a_farewell_under_way_ends_the_call_also_after_a_rebuild() {
    let mut play = Play::greeted();
    play.tool("end_call");
    play.rebuild();
    assert!(!play.opened()[0].1, "nothing more is to be said");
    play.model(VoiceEvent::Ready);
    play.model(VoiceEvent::Resumed { fresh: true });
    play.pass(2 * SECOND);
    assert!(play.hung_up());
}

#[test]
fn a_session_that_dies_over_its_answer_is_followed_by_one_that_takes_the_confirmation() {
    let mut offered = Play::ringing();
    let before_the_answer = offered.checkpoint.clone();
    offered.model(VoiceEvent::Ready);
    offered.checkpoint = before_the_answer;
    offered.rebuild();
    offered.signal(Signal::Confirmed { sdp: None });
    offered.model(VoiceEvent::Ready);
    assert_eq!((offered.greetings(), offered.asked_of_signalling().len()), (1, 0));
    assert_eq!(offered.expected_ports(), [16_384]);

    let mut asked_for_an_offer = Play::new(Direction::Inbound);
    asked_for_an_offer.input(Input::Start { offer: None });
    let offer = negotiation(1, &[Codec::Pcmu, Codec::Pcma]).offer();
    let (answer, _) = far_end().answer(&offer).unwrap();
    asked_for_an_offer.rebuild();
    asked_for_an_offer.signal(Signal::Confirmed { sdp: Some(answer) });
    assert_eq!((asked_for_an_offer.greetings(), asked_for_an_offer.expected_ports()), (1, vec![16_384]));
}

#[test]
fn why_a_call_ends_is_on_record_before_anything_is_done_about_it() {
    let mut hung_up = Play::greeted();
    hung_up.machine.handle(Input::HangUp { reason: "by hand".into() }, hung_up.now);
    assert!(matches!(hung_up.machine.poll_output(), Some(Output::Checkpoint(_))));
    let mut refused = Play::ringing();
    let failed = VoiceEvent::Failed { class: FailureClass::Quota, reason: "no quota".into() };
    refused.machine.handle(Input::Voice(failed), refused.now);
    assert!(matches!(refused.machine.poll_output(), Some(Output::Checkpoint(_))));
}
