//! Setting up, greeting, tools.

use super::*;
use crate::voice::failure::ConnectFailure;

fn tool_call(id: &str, name: &str) -> Value {
    json!({ "toolCall": { "functionCalls": [{ "id": id, "name": name, "args": { "reason": "done" } }] } })
}

fn responses(bench: &Bench) -> Vec<Value> {
    let responses = bench.sent.iter().filter_map(|message| message.get("toolResponse"));
    responses.flat_map(|r| r["functionResponses"].as_array().cloned().unwrap_or_default()).collect()
}

#[test]
fn the_setup_goes_first_and_nothing_else_before_it_is_complete() {
    let mut bench = Bench::new(Start::Fresh);
    bench.input(Input::Begin);
    assert_eq!((bench.connects.clone(), bench.sent.len()), (vec![1], 0));
    bench.connected();
    bench.input(Input::CallAnswered);
    bench.input(Input::CallerText("the caller pressed 5".into()));
    bench.input(Input::AudioPaused);
    assert_eq!(bench.sent.len(), 1);
    assert!(bench.sent[0].get("setup").is_some() && !bench.session.uplink_open());
    bench.server(json!({ "setupComplete": {} }));
    assert!(bench.session.uplink_open());
    assert!(bench.sent_text().contains("the caller pressed 5"));
    assert_eq!(bench.events, [VoiceEvent::Ready]);
}

#[test]
fn the_greeting_waits_for_the_answer_and_is_asked_for_once() {
    let mut bench = Bench::ready(Start::Fresh);
    bench.pass_ms(30_000);
    assert_eq!(bench.sent.len(), 1);
    bench.input(Input::CallAnswered);
    assert!(bench.sent[1].to_string().contains("Praxis Dr. Weiss"));
    bench.input(Input::CallAnswered);
    bench.model_says("Praxis Dr. Weiss, good day!");
    bench.turn_complete();
    bench.input(Input::CallAnswered);
    assert_eq!(bench.sent.len(), 2);
}

#[test]
fn a_call_answered_before_the_setup_is_greeted_when_it_is_complete() {
    let mut bench = Bench::new(Start::Fresh);
    bench.input(Input::Begin);
    bench.input(Input::CallAnswered);
    bench.set_up();
    assert!(bench.sent_text().contains("Praxis Dr. Weiss"));
}

#[test]
fn without_a_greeting_the_model_waits_for_the_caller() {
    let mut bench = Bench::with(SessionConfig { greeting: None, ..config() }, Start::Fresh);
    bench.input(Input::Begin);
    bench.set_up();
    bench.input(Input::CallAnswered);
    assert_eq!(bench.sent.len(), 1);
}

#[test]
fn a_resumed_or_seeded_session_never_greets() {
    let history = vec![said(Speaker::Caller, "Hello?"), said(Speaker::Model, "Good day.")];
    for start in
        [Start::Resume { handle: "h-0".into() }, Start::Seeded { history }, Start::Seeded { history: vec![] }]
    {
        let mut bench = Bench::ready(start);
        bench.input(Input::CallAnswered);
        assert!(!bench.sent_text().contains("Praxis"), "{}", bench.sent_text());
        assert!(matches!(bench.events[..], [VoiceEvent::Ready, VoiceEvent::Resumed { .. }]));
    }
}

#[test]
fn a_seeded_session_is_told_what_was_said_and_answers_what_it_owes() {
    let history = vec![said(Speaker::Model, "Good day."), said(Speaker::Caller, "At nine?")];
    let bench = Bench::ready(Start::Seeded { history });
    let turns = bench.sent[1]["clientContent"]["turns"].to_string();
    assert!(turns.contains("Good day.") && turns.contains("At nine?"));
    assert_eq!(bench.sent[1]["clientContent"]["turnComplete"], false);
    assert_eq!(bench.sent[2]["clientContent"]["turnComplete"], true);
}

#[test]
fn a_setup_that_is_never_answered_is_given_up_and_tried_again() {
    let mut bench = Bench::new(Start::Fresh);
    bench.input(Input::Begin);
    bench.connected();
    bench.pass_ms(9_999);
    assert!(bench.closes.is_empty());
    bench.pass_ms(2);
    assert_eq!((bench.closes.clone(), bench.connects.clone()), (vec![1], vec![1, 2]));
}

#[test]
fn a_connection_that_hangs_is_given_up() {
    let mut bench = Bench::new(Start::Fresh);
    bench.input(Input::Begin);
    bench.pass_ms(10_001);
    assert_eq!((bench.closes.clone(), bench.connects.clone()), (vec![1], vec![1, 2]));
}

#[test]
fn a_model_that_cannot_be_reached_at_all_is_given_up_with_a_reason() {
    let mut bench = Bench::new(Start::Fresh);
    bench.input(Input::Begin);
    bench.pass_ms(25_000);
    assert_eq!(bench.failure(), Some(FailureClass::Transient));
    assert!(matches!(&bench.events[..], [VoiceEvent::Failed { reason, .. }] if reason.contains("in time")));
}

#[test]
fn a_slow_start_while_the_phone_rang_does_not_shorten_the_patience_of_the_call() {
    let mut bench = Bench::new(Start::Fresh);
    bench.input(Input::Begin);
    bench.pass_ms(9_000);
    bench.connected();
    bench.pass_ms(2_000);
    bench.server(json!({ "setupComplete": {} }));
    bench.input(Input::CallAnswered);
    bench.model_says("Good day!");
    bench.close(1006, "");
    bench.pass_ms(8_000);
    bench.set_up();
    assert_eq!(bench.failure(), None);
}

#[test]
fn a_refused_key_quota_or_setting_ends_the_session_at_once_with_its_class() {
    let refusals = [
        (400, "API key not valid.", FailureClass::KeyBad),
        (429, "", FailureClass::Quota),
        (404, "", FailureClass::Config),
    ];
    for (status, body, class) in refusals {
        let mut bench = Bench::new(Start::Fresh);
        bench.input(Input::Begin);
        bench.input(Input::ConnectFailed {
            epoch: 1,
            failure: ConnectFailure::Http { status, body: body.into() },
        });
        assert_eq!((bench.failure(), bench.session.next_timeout()), (Some(class), None));
        bench.pass_ms(60_000);
        assert_eq!(bench.connects, [1]);
    }
}

#[test]
fn a_tool_runs_and_its_result_goes_back_with_its_id_and_name() {
    let mut bench = Bench::talking();
    bench.server(tool_call("c-1", "end_call"));
    let args = json!({ "reason": "done" });
    assert_eq!(bench.events, [VoiceEvent::ToolCall { id: "c-1".into(), name: "end_call".into(), args }]);
    bench.input(Input::ToolResult {
        id: "c-1".into(),
        name: "end_call".into(),
        result: Ok(json!({ "ended": true })),
    });
    assert_eq!(
        responses(&bench),
        [json!({ "id": "c-1", "name": "end_call", "response": { "output": { "ended": true } } })]
    );
}

#[test]
fn an_unknown_tool_is_answered_at_once_and_reported() {
    let mut bench = Bench::talking();
    bench.server(tool_call("c-1", "launch_rocket"));
    assert!(matches!(&bench.events[..], [VoiceEvent::ToolRefused { name, .. }] if name == "launch_rocket"));
    assert!(responses(&bench)[0]["response"]["error"].is_string());
}

#[test]
fn a_tool_that_takes_too_long_is_answered_for_and_its_late_result_is_dropped() {
    let mut bench = Bench::talking();
    bench.server(tool_call("c-1", "end_call"));
    bench.pass_ms(10_000);
    assert!(responses(&bench)[0]["response"]["error"].is_string());
    assert_eq!(bench.events[1], VoiceEvent::ToolCancelled { ids: vec!["c-1".into()] });
    bench.input(Input::ToolResult { id: "c-1".into(), name: "end_call".into(), result: Ok(Value::Null) });
    assert_eq!(responses(&bench).len(), 1);
}

#[test]
fn a_call_taken_back_gets_no_answer() {
    let mut bench = Bench::talking();
    bench.server(tool_call("c-1", "end_call"));
    bench.server(json!({ "toolCallCancellation": { "ids": ["c-1", "c-unknown"] } }));
    assert_eq!(bench.events[1], VoiceEvent::ToolCancelled { ids: vec!["c-1".into()] });
    bench.input(Input::ToolResult {
        id: "c-1".into(),
        name: "end_call".into(),
        result: Err("stopped".into()),
    });
    bench.pass_ms(20_000);
    assert_eq!(responses(&bench), Vec::<Value>::new());
}

#[test]
fn a_model_that_cannot_wait_is_asked_to_say_nothing_about_the_hang_up() {
    let config = SessionConfig { model: "gemini-3.8-live-extended-thinking".into(), ..config() };
    let mut bench = Bench::with(config, Start::Fresh);
    bench.input(Input::Begin);
    bench.set_up();
    bench.server(tool_call("c-1", "end_call"));
    bench.input(Input::ToolResult { id: "c-1".into(), name: "end_call".into(), result: Ok(Value::Null) });
    assert_eq!(responses(&bench)[0]["scheduling"], "SILENT");
}

#[test]
fn a_result_that_outlives_its_connection_is_told_in_words() {
    let mut bench = Bench::resumable();
    bench.server(tool_call("c-1", "end_call"));
    bench.close(1011, "Internal error occurred.");
    bench.input(Input::ToolResult { id: "c-1".into(), name: "end_call".into(), result: Ok(json!("L-31")) });
    bench.set_up();
    assert_eq!(responses(&bench), Vec::<Value>::new());
    assert!(bench.sent_text().contains("L-31"));
}

#[test]
fn a_hold_ends_the_callers_audio_stream() {
    let mut bench = Bench::talking();
    bench.input(Input::AudioPaused);
    assert_eq!(bench.sent, [json!({ "realtimeInput": { "audioStreamEnd": true } })]);
}

#[test]
fn what_the_caller_presses_is_typed_input() {
    let mut bench = Bench::talking();
    bench.input(Input::CallerText("The caller pressed 5.".into()));
    assert_eq!(bench.sent, [json!({ "realtimeInput": { "text": "The caller pressed 5." } })]);
}

#[test]
fn stopping_closes_the_socket_and_nothing_happens_after() {
    let mut bench = Bench::talking();
    bench.input(Input::Stop { heard: None });
    assert_eq!(bench.closes, [1]);
    bench.close(1000, "");
    bench.pass_ms(3_600_000);
    assert_eq!((bench.connects.len(), bench.failure()), (0, None));
}
