//! Hold, resume, and audio that moves in mid-call.

use super::*;

fn held(play: &mut Play, direction: &str) {
    let offer = directed(play.far_end.offer(), direction);
    play.signal(Signal::Changed { sdp: Some(offer) });
}

#[test]
fn a_held_call_pauses_the_model_once_and_feeds_it_nothing_until_it_is_resumed() {
    let mut play = Play::greeted();
    assert!(play.machine.model_listens());
    held(&mut play, "sendonly");
    held(&mut play, "inactive");
    assert!(!play.machine.model_listens(), "hold music is not for the model");
    assert_eq!(play.count(|output| matches!(output, Output::Voice(VoiceCommand::Pause))), 1);
    assert_eq!(play.count(|output| matches!(output, Output::Media(MediaCommand::Hush))), 1);
    held(&mut play, "sendrecv");
    assert!(play.machine.model_listens());
    let notes = play.count(|output| matches!(output, Output::Note(Note::Held(_))));
    assert_eq!(notes, 2);
}

#[test]
fn a_held_call_outlives_silence_and_a_missing_stream_but_not_its_maximum_length() {
    let mut play = Play::greeted();
    held(&mut play, "inactive");
    play.pass(3_000 * SECOND);
    assert!(play.finishes.is_empty());
    play.pass(700 * SECOND);
    assert_eq!(play.outcome(), Outcome::Completed);
}

#[test]
fn a_call_answered_on_hold_is_held_from_its_first_moment() {
    let mut play = Play::new(Direction::Inbound);
    let offer = directed(play.far_end.offer(), "inactive");
    play.input(Input::Start { offer: Some(offer) });
    play.model(VoiceEvent::Ready);
    play.signal(Signal::Confirmed { sdp: None });
    assert!(!play.machine.model_listens());
}

#[test]
fn a_change_that_cannot_be_used_is_refused_and_the_audio_stays() {
    let mut play = Play::greeted();
    play.signal(Signal::Changed { sdp: Some(b"v=0\r\nm=audio 4000 RTP/AVP 99\r\n".to_vec()) });
    assert_eq!(play.asked_of_signalling(), [&SignalCommand::RejectChange]);
    assert!(play.expected_ports().is_empty() && play.machine.model_listens());
}

#[test]
fn a_far_end_that_asks_for_our_offer_in_mid_call_is_heard_where_it_then_answers_from() {
    let mut play = Play::greeted();
    play.signal(Signal::Changed { sdp: None });
    let [SignalCommand::AcceptChange { sdp }] = play.asked_of_signalling()[..] else { panic!("no offer") };
    let (answer, _) = far_end().answer(sdp).unwrap();
    play.signal(Signal::Confirmed { sdp: Some(moved(answer.clone(), 30_000)) });
    play.signal(Signal::Confirmed { sdp: Some(moved(answer, 40_000)) });
    assert_eq!(play.expected_ports(), [30_000], "only the answer to an offer counts");
    assert_eq!(play.greetings(), 0);
}

#[test]
fn changes_after_we_hung_up_are_refused() {
    let mut play = Play::greeted();
    play.input(Input::HangUp { reason: "enough".into() });
    held(&mut play, "sendrecv");
    assert_eq!(play.asked_of_signalling(), [&SignalCommand::HangUp, &SignalCommand::RejectChange]);
}
