//! From the first ring to both sides being connected.

use super::*;
use crate::call::signal::Refusal;

#[test]
fn an_inbound_call_rings_until_the_model_is_ready_and_greets_once_it_is_confirmed() {
    let mut play = Play::ringing();
    assert_eq!(play.asked_of_signalling(), [&SignalCommand::Ring]);
    assert_eq!(play.opened(), [(&Start::Fresh, false)]);
    play.model(VoiceEvent::Ready);
    assert!(matches!(play.asked_of_signalling()[1], SignalCommand::Answer { .. }));
    assert_eq!(play.greetings(), 0, "nobody hears us yet");
    play.signal(Signal::Confirmed { sdp: None });
    play.signal(Signal::Confirmed { sdp: None });
    assert_eq!(play.greetings(), 1);
}

#[test]
fn an_outbound_call_greets_at_the_answer_whether_the_model_was_ready_before_or_not() {
    for ready_first in [true, false] {
        let mut play = Play::dialing();
        let [SignalCommand::Place { offer }] = play.asked_of_signalling()[..] else { panic!("no offer") };
        let (answer, _) = far_end().answer(offer).unwrap();
        if ready_first {
            play.model(VoiceEvent::Ready);
        }
        assert_eq!(play.greetings(), 0);
        play.signal(Signal::Answered { sdp: Some(answer) });
        assert_eq!(play.greetings(), 1);
        play.model(VoiceEvent::Ready);
        assert_eq!(play.greetings(), 1, "ready first: {ready_first}");
    }
}

#[test]
fn the_audio_of_an_answer_counts_even_when_the_early_media_came_from_elsewhere() {
    let mut play = Play::dialing();
    let offer = negotiation(1, &[Codec::Pcmu, Codec::Pcma]).offer();
    let (answer, _) = far_end().answer(&offer).unwrap();
    play.signal(Signal::EarlyMedia { sdp: moved(answer.clone(), 20_000) });
    play.signal(Signal::Answered { sdp: Some(moved(answer.clone(), 30_000)) });
    play.signal(Signal::EarlyMedia { sdp: moved(answer, 20_000) });
    assert_eq!(play.expected_ports(), [20_000, 30_000], "a late announcement does not take the audio back");
}

#[test]
fn an_answer_without_sdp_stands_on_the_early_media_or_ends_the_call() {
    let offer = negotiation(1, &[Codec::Pcmu, Codec::Pcma]).offer();
    let (answer, _) = far_end().answer(&offer).unwrap();
    let mut promised = Play::dialing();
    promised.signal(Signal::EarlyMedia { sdp: b"v=0 nonsense".to_vec() });
    promised.signal(Signal::EarlyMedia { sdp: answer });
    promised.signal(Signal::Answered { sdp: None });
    assert_eq!(promised.greetings(), 1);
    let mut bare = Play::dialing();
    bare.signal(Signal::Answered { sdp: None });
    bare.signal(Signal::Ended(Ending::WeHungUp));
    assert_eq!((bare.hung_up(), bare.outcome()), (true, Outcome::MediaFailed));
}

#[test]
fn a_caller_without_an_offer_is_offered_ours_and_heard_where_its_answer_says() {
    let mut play = Play::new(Direction::Inbound);
    play.input(Input::Start { offer: None });
    play.model(VoiceEvent::Ready);
    let [_, SignalCommand::Answer { sdp }] = play.asked_of_signalling()[..] else { panic!("no answer") };
    let (answer, _) = far_end().answer(sdp).unwrap();
    play.signal(Signal::Confirmed { sdp: Some(answer) });
    assert_eq!((play.expected_ports(), play.greetings()), (vec![16_384], 1));
}

#[test]
fn a_caller_that_never_answers_our_offer_is_hung_up_on() {
    let mut play = Play::new(Direction::Inbound);
    play.input(Input::Start { offer: None });
    play.model(VoiceEvent::Ready);
    play.signal(Signal::Confirmed { sdp: None });
    play.signal(Signal::Ended(Ending::WeHungUp));
    assert_eq!((play.greetings(), play.outcome()), (0, Outcome::MediaFailed));
}

#[test]
fn an_offer_we_cannot_speak_is_refused_without_opening_a_model() {
    let mut play = Play::new(Direction::Inbound);
    play.input(Input::Start { offer: Some(b"v=0\r\nm=audio 4000 RTP/SAVP 0\r\n".to_vec()) });
    assert_eq!(play.asked_of_signalling(), [&SignalCommand::Refuse(Refusal::MediaNotAcceptable)]);
    assert_eq!(play.opened(), []);
    play.signal(Signal::Ended(Ending::WeRefused { status: 488 }));
    assert_eq!(play.outcome(), Outcome::MediaFailed);
}

#[test]
fn a_model_that_fails_before_the_call_is_connected_ends_it_as_its_phase_allows() {
    let mut ringing = Play::ringing();
    ringing.fail_model();
    assert!(ringing.asked_of_signalling().contains(&&SignalCommand::Refuse(Refusal::ModelUnavailable)));
    let mut dialing = Play::dialing();
    dialing.fail_model();
    let mut answering = Play::ringing();
    answering.model(VoiceEvent::Ready);
    answering.fail_model();
    assert!(dialing.hung_up() && answering.hung_up());
    for mut play in [ringing, dialing, answering] {
        assert_eq!(play.count(|output| matches!(output, Output::Say(_))), 0, "nobody would hear it");
        play.pass(3 * SECOND);
        assert_eq!(play.outcome(), Outcome::ModelFailed);
    }
}

#[test]
fn a_model_that_ends_the_call_before_anybody_answered_is_told_so_and_the_call_goes_on() {
    let mut play = Play::dialing();
    play.model(VoiceEvent::Ready);
    play.tool("end_call");
    play.pass(60 * SECOND);
    assert_eq!(play.machine.phase(), lifecycle::Phase::Dialing);
    let refused =
        |output: &Output| matches!(output, Output::Voice(VoiceCommand::AnswerTool { result: Err(_), .. }));
    assert_eq!(play.count(refused), 1);
}
