//! Each call of a tool has one answer, and stands in the record once.

use super::*;

/// The ids of tools, and whether each went well.
type Ends = Vec<(String, bool)>;

/// What the model was told, and what was noted as done.
fn answered(play: &Play) -> (Ends, Ends) {
    let (mut told, mut noted) = (Vec::new(), Vec::new());
    for output in &play.asked {
        if let Output::Voice(VoiceCommand::AnswerTool { id, result, .. }) = output {
            told.push((id.clone(), result.is_ok()));
        }
        if let Output::Note(Note::ToolDone(done)) = output {
            noted.push((done.call.id.clone(), done.result.is_ok()));
        }
    }
    (told, noted)
}

fn done(id: &str) -> Input {
    Input::ToolDone { id: id.into(), result: Ok(json!({ "status": "stored" })) }
}

fn one(id: &str, ok: bool) -> Vec<(String, bool)> {
    vec![(id.to_owned(), ok)]
}

#[test]
fn a_tool_that_is_carried_out_elsewhere_is_asked_for_once_and_answered_when_it_is_done() {
    let mut play = Play::greeted();
    let call = ToolCall { id: "c-1".into(), name: "create_lead".into(), args: json!({ "name": "Ada" }) };
    play.tool_with("c-1", "create_lead", json!({ "name": "Ada" }));
    assert_eq!(play.count(|output| matches!(output, Output::Tool(asked) if *asked == call)), 1);
    assert_eq!(answered(&play), (vec![], vec![]));
    play.input(done("c-1"));
    play.input(done("c-1"));
    play.input(done("c-2"));
    assert_eq!(answered(&play), (one("c-1", true), one("c-1", true)));
}

#[test]
fn the_machines_own_tools_are_noted_too_and_so_is_one_that_was_refused() {
    let mut play = Play::greeted();
    play.tool_with("c-1", "send_dtmf", json!({ "digits": "12" }));
    play.tool_with("c-2", "send_dtmf", json!({ "digits": "x" }));
    let (name, args, why) = ("fly".into(), json!({}), "there is no tool of this name".into());
    play.model(VoiceEvent::ToolRefused { id: "c-3".into(), name, args, why });
    let (told, noted) = answered(&play);
    assert_eq!(told, [("c-1".into(), true), ("c-2".into(), false)]);
    assert_eq!(noted, [("c-1".into(), true), ("c-2".into(), false), ("c-3".into(), false)]);
}

#[test]
fn a_call_the_model_takes_back_is_noted_and_not_answered() {
    let mut play = Play::greeted();
    play.tool_with("c-1", "create_lead", json!({}));
    play.model(VoiceEvent::ToolCancelled { ids: vec!["c-1".into(), "c-9".into()] });
    play.input(done("c-1"));
    assert_eq!(answered(&play), (vec![], one("c-1", false)));
}

#[test]
fn a_call_that_ends_first_leaves_no_tool_unmentioned() {
    let mut play = Play::greeted();
    play.tool_with("c-1", "create_lead", json!({}));
    play.signal(Signal::Ended(Ending::FarEndHungUp));
    assert_eq!(answered(&play), (vec![], one("c-1", false)));
    assert_eq!(play.outcome(), Outcome::Completed);
}

#[test]
fn what_a_dead_session_has_done_is_not_done_again_when_the_model_asks_again() {
    let mut play = Play::greeted();
    let digits = || json!({ "digits": "12" });
    let pressed = |play: &Play| play.count(|output| matches!(output, Output::Media(MediaCommand::Press(_))));
    play.tool_with("c-1", "send_dtmf", digits());
    play.tool_with("c-2", "weather", json!({}));
    play.input(done("c-2"));
    assert_eq!(pressed(&play), 1);
    play.rebuild();
    play.tool_with("c-3", "send_dtmf", digits());
    play.tool_with("c-4", "weather", json!({}));
    let told = vec![("c-3".to_owned(), true), ("c-4".to_owned(), true)];
    assert_eq!((pressed(&play), answered(&play).0), (0, told));
    assert_eq!(play.count(|output| matches!(output, Output::Tool(_))), 0);
    play.model(VoiceEvent::TurnEnded { reason: TurnEnd::Complete });
    play.tool_with("c-5", "send_dtmf", digits());
    assert_eq!(pressed(&play), 1, "now it is a new wish");
}

#[test]
fn what_the_models_memory_holds_is_no_repetition() {
    let mut play = Play::greeted();
    play.tool_with("c-1", "send_dtmf", json!({ "digits": "12" }));
    play.model(handle());
    play.rebuild();
    play.tool_with("c-2", "send_dtmf", json!({ "digits": "12" }));
    assert_eq!(play.count(|output| matches!(output, Output::Media(MediaCommand::Press(_)))), 1);
}

#[test]
fn the_first_sound_that_is_heard_is_noted_once() {
    let mut play = Play::greeted();
    play.speak(SECOND);
    assert_eq!(play.count(|output| matches!(output, Output::Note(Note::FirstAudio))), 0);
    let mut fresh = Play::connected();
    fresh.speak(SECOND);
    fresh.speak(SECOND);
    assert_eq!(fresh.count(|output| matches!(output, Output::Note(Note::FirstAudio))), 1);
}
