//! What is said, heard and written down.

use super::*;
use crate::voice::{Speaker, TranscriptItem, TurnEnd};

fn greeting_played(play: &Play) -> usize {
    play.count(|output| matches!(output, Output::Note(Note::GreetingPlayed)))
}

#[test]
fn a_greeting_counts_as_played_when_its_last_sound_was() {
    let mut play = Play::connected();
    play.model(VoiceEvent::TurnStarted);
    play.model(VoiceEvent::GenerationComplete);
    play.model(VoiceEvent::TurnEnded { reason: TurnEnd::Complete });
    assert_eq!(greeting_played(&play), 0, "it has been generated and not been heard");
    play.input(Input::Playing(true));
    play.pass(SECOND);
    play.input(Input::Playing(false));
    play.speak(SECOND);
    assert_eq!(greeting_played(&play), 1);
}

#[test]
fn a_greeting_that_was_empty_or_cut_off_was_not_played() {
    let mut empty = Play::connected();
    empty.model(VoiceEvent::TurnEnded { reason: TurnEnd::Empty });
    let mut cut = Play::connected();
    cut.model(VoiceEvent::TurnStarted);
    cut.input(Input::Playing(true));
    cut.model(VoiceEvent::Interrupted);
    cut.input(Input::Playing(false));
    assert_eq!((greeting_played(&empty), greeting_played(&cut)), (0, 0));
}

#[test]
fn only_finished_words_are_written_down_and_an_interrupted_turn_says_so() {
    let mut play = Play::greeted();
    play.model(VoiceEvent::CallerSaid(words("When do", false)));
    play.model(VoiceEvent::CallerSaid(words("When do you open?", true)));
    play.model(VoiceEvent::ModelSaid(Fragment { interrupted: true, ..words("At ni", true) }));
    play.model(VoiceEvent::Interrupted);
    let mut items = Vec::new();
    for output in &play.asked {
        if let Output::Note(Note::Item(TranscriptItem { speaker, text, interrupted })) = output {
            items.push((*speaker, text.as_str(), *interrupted));
        }
    }
    let expected = [(Speaker::Caller, "When do you open?", false), (Speaker::Model, "At ni", true)];
    assert_eq!(items, expected);
}

#[test]
fn keys_reach_the_model_while_both_are_connected_and_only_then() {
    let told = |play: &Play| play.count(|output| matches!(output, Output::Voice(VoiceCommand::TellModel(_))));
    let mut early = Play::ringing();
    early.signal(Signal::Digit { digit: '5' });
    let mut play = Play::greeted();
    play.signal(Signal::Digit { digit: '5' });
    assert_eq!((told(&early), told(&play)), (0, 1));
}

#[test]
fn keys_the_model_presses_are_checked() {
    let mut play = Play::greeted();
    for (digits, accepted) in [("12#", true), ("", false), ("1;2", false), (&"1".repeat(33), false)] {
        play.asked.clear();
        let args = json!({ "digits": digits });
        play.model(VoiceEvent::ToolCall { id: "1".into(), name: "send_dtmf".into(), args });
        let pressed = play.count(|output| matches!(output, Output::Media(MediaCommand::Press(_))));
        assert_eq!(pressed == 1, accepted, "{digits}");
    }
}
