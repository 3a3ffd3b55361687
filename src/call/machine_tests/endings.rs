//! Every way a call ends, and that it ends once.

use super::*;

#[test]
fn a_call_nobody_confirms_the_end_of_is_over_two_seconds_after_we_hung_up() {
    let mut play = Play::greeted();
    play.input(Input::HangUp { reason: "by hand".into() });
    play.pass(SECOND);
    assert!(play.finishes.is_empty());
    play.pass(SECOND);
    assert_eq!((play.outcome(), play.finishes[0].reason.as_str()), (Outcome::Completed, "by hand"));
    assert_eq!(play.machine.next_timeout(play.now), None);
}

#[test]
fn the_last_word_is_said_once_whatever_still_arrives() {
    let mut play = Play::greeted();
    play.signal(Signal::Ended(Ending::FarEndHungUp));
    play.signal(Signal::Ended(Ending::DialogLost));
    play.input(Input::HangUp { reason: "late".into() });
    play.fail_model();
    play.pass(100 * SECOND);
    assert_eq!(play.outcome(), Outcome::Completed);
}

#[test]
fn what_was_being_said_at_the_hang_up_is_told_before_the_last_word() {
    let mut play = Play::greeted();
    play.last_words = vec![
        VoiceEvent::CallerSaid(words("No, than", true)),
        VoiceEvent::ModelSaid(words("Would you", true)),
        VoiceEvent::ModelSaid(words("unfinished", false)),
    ];
    play.signal(Signal::Ended(Ending::FarEndHungUp));
    let items = play.count(|output| matches!(output, Output::Note(Note::Item(_))));
    assert_eq!((items, play.outcome()), (2, Outcome::Completed));
}

#[test]
fn the_first_reason_stands_when_everything_fails_at_once() {
    let mut play = Play::ringing();
    play.fail_model();
    play.input(Input::HangUp { reason: "late".into() });
    play.signal(Signal::Ended(Ending::FarEndCanceled));
    assert_eq!(play.outcome(), Outcome::ModelFailed);
}

#[test]
fn a_call_that_ends_before_it_was_connected_is_not_called_completed() {
    let mut given_up = Play::dialing();
    given_up.input(Input::HangUp { reason: "changed our mind".into() });
    given_up.signal(Signal::Ended(Ending::WeCanceled));
    let mut caller_gone = Play::ringing();
    caller_gone.signal(Signal::Ended(Ending::FarEndCanceled));
    let mut between_answer_and_ack = Play::ringing();
    between_answer_and_ack.model(VoiceEvent::Ready);
    between_answer_and_ack.signal(Signal::Ended(Ending::FarEndHungUp));
    for play in [given_up, caller_gone, between_answer_and_ack] {
        assert_eq!(play.outcome(), Outcome::Canceled);
    }
}

#[test]
fn a_far_end_that_sends_no_audio_at_all_is_given_up() {
    let mut play = Play::connected();
    let limit = CallLimits::default().no_rtp;
    play.pass(limit - SECOND);
    assert!(!play.hung_up());
    play.pass(4 * SECOND);
    assert_eq!(play.outcome(), Outcome::MediaFailed);
}

#[test]
fn a_model_that_never_greets_does_not_keep_the_call_for_ever() {
    let mut play = Play::connected();
    play.pass_with_audio(70 * SECOND);
    assert_eq!(play.finishes[0].reason, "both sides were silent");
}

#[test]
fn a_long_answer_heard_from_the_buffer_is_no_silence() {
    let mut play = Play::connected();
    play.speak(110 * SECOND);
    assert!(play.finishes.is_empty() && !play.hung_up());
    play.pass_with_audio(70 * SECOND);
    assert_eq!(play.finishes[0].reason, "both sides were silent");
}

#[test]
fn a_caller_who_speaks_without_a_pause_is_not_silent() {
    let mut play = Play::greeted();
    for second in 0..100 {
        play.model(VoiceEvent::CallerSaid(words(&format!("{second}"), false)));
        play.pass_with_audio(SECOND);
    }
    assert!(play.finishes.is_empty() && !play.hung_up());
}

#[test]
fn a_farewell_is_heard_to_its_end_and_asking_twice_changes_nothing() {
    let mut play = Play::greeted();
    play.tool("end_call");
    play.tool("end_call");
    play.pass_with_audio(SECOND);
    play.speak(3 * SECOND);
    assert!(play.hung_up());
    let answered =
        |output: &Output| matches!(output, Output::Voice(VoiceCommand::AnswerTool { result: Ok(_), .. }));
    assert_eq!(play.count(answered), 2);
    play.signal(Signal::Ended(Ending::WeHungUp));
    assert_eq!(play.finishes[0].reason, "the model ended the call");
}

#[test]
fn a_short_goodbye_generated_within_one_frame_is_not_cut_before_it_sounds() {
    let mut play = Play::greeted();
    play.tool("end_call");
    play.pass_with_audio(SECOND);
    play.model(VoiceEvent::TurnStarted);
    play.model(VoiceEvent::GenerationComplete);
    play.input(Input::PacketHeard);
    assert!(!play.hung_up(), "the next frame tells that there is something to be played");
    play.pass(FRAME);
    play.input(Input::Playing(true));
    play.pass_with_audio(SECOND);
    assert!(!play.hung_up());
    play.input(Input::Playing(false));
    assert!(play.hung_up());
}

#[test]
fn a_model_that_wants_to_end_the_call_and_then_talks_on_is_cut_after_a_while() {
    let mut play = Play::greeted();
    play.tool("end_call");
    play.model(VoiceEvent::TurnStarted);
    play.input(Input::Playing(true));
    play.pass_with_audio(11 * SECOND);
    assert!(!play.hung_up());
    play.pass_with_audio(2 * SECOND);
    assert!(play.hung_up());
}

#[test]
fn hanging_up_during_the_farewell_leaves_one_timer_that_ends_the_call() {
    let mut play = Play::greeted();
    play.tool("end_call");
    play.pass_with_audio(11 * SECOND);
    play.input(Input::HangUp { reason: "by hand".into() });
    play.pass(5 * SECOND);
    assert_eq!(play.finishes[0].reason, "by hand");
}

#[test]
fn a_model_that_fails_in_mid_call_is_apologised_for_and_the_apology_is_heard() {
    let mut play = Play::greeted();
    play.fail_model();
    assert_eq!(play.count(|output| matches!(output, Output::Say(Prompt::Apology))), 1);
    play.input(Input::Playing(true));
    play.pass_with_audio(3 * SECOND);
    assert!(!play.hung_up());
    play.input(Input::Playing(false));
    play.pass(2 * SECOND);
    assert_eq!(play.outcome(), Outcome::ModelFailed);
}

#[test]
fn a_model_that_fails_after_its_goodbye_needs_no_apology() {
    let mut play = Play::greeted();
    play.tool("end_call");
    play.fail_model();
    assert_eq!(play.count(|output| matches!(output, Output::Say(_))), 0);
    play.pass(4 * SECOND);
    assert_eq!(play.outcome(), Outcome::Completed);
}
