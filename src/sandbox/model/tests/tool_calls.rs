//! Tool calls: blocking, talked over, cancelled, ending the call.

use serde_json::{Value, json};

use super::bench::{Bench, kind, settings, setup_with};
use crate::sandbox::model::settings::{ModelSettings, Script};

fn declaring(behavior: &str) -> Value {
    let tool = |name: &str| json!({"name": name, "behavior": behavior});
    setup_with("tools", json!([{"functionDeclarations": [tool("create_lead"), tool("end_call")]}]))
}

fn ready(behavior: &str) -> Bench {
    let mut bench = Bench::ready_with(settings(), &declaring(behavior), Vec::new());
    bench.greet();
    bench
}

fn answer(bench: &mut Bench, id: &str, response: Value, scheduling: &str) {
    let answer = json!({"id": id, "name": "create_lead", "response": response, "scheduling": scheduling});
    bench.send(&json!({"toolResponse": {"functionResponses": [answer]}}));
}

#[test]
fn a_blocking_call_is_silent_until_it_is_answered() {
    let mut bench = ready("BLOCKING");
    let mark = bench.sent.len();
    bench.say_text(r#"[call create_lead {"name":"Ada"}]"#);
    bench.run_for(30_000);
    assert_eq!(bench.kinds(mark), ["no handle", "toolCall"]);
    let call = &bench.sent.last().unwrap().message["toolCall"]["functionCalls"][0];
    assert_eq!(call, &json!({"id": "call-1", "name": "create_lead", "args": {"name": "Ada"}}));
    answer(&mut bench, "call-1", json!({"output": {"leadId": "L-1"}}), "WHEN_IDLE");
    bench.run_for(5_000);
    assert!(bench.texts("outputTranscription").ends_with("Done, that is settled."));
    let report = bench.report();
    assert_eq!(report.tool_calls[0].answer, Some(json!({"output": {"leadId": "L-1"}})));
    assert_eq!(report.model_turns, 2, "the answer belongs to the turn that called");
}

#[test]
fn a_failed_tool_is_apologised_for() {
    let mut bench = ready("BLOCKING");
    bench.say_text("[call create_lead]");
    bench.run_for(1_000);
    answer(&mut bench, "call-1", json!({"error": "no database"}), "WHEN_IDLE");
    bench.run_for(5_000);
    assert!(bench.texts("outputTranscription").contains("I am sorry"));
}

#[test]
fn speech_during_a_blocking_call_cancels_it() {
    let mut bench = ready("BLOCKING");
    bench.say_text("[call create_lead]");
    bench.run_for(1_000);
    let mark = bench.sent.len();
    bench.stream(440.0, 100);
    assert_eq!(bench.kinds(mark), ["interrupted", "turnComplete", "toolCallCancellation", "handle"]);
    answer(&mut bench, "call-1", json!({}), "WHEN_IDLE");
    assert_eq!(bench.report().ordering_errors, ["answer to a closed call call-1"]);
    assert!(bench.report().tool_calls[0].cancelled && bench.closed.is_none());
}

#[test]
fn a_non_blocking_call_is_talked_over_and_its_result_told_when_idle() {
    let mut bench = ready("NON_BLOCKING");
    let mark = bench.sent.len();
    bench.say_text("[call create_lead]");
    bench.run_for(600);
    assert_eq!(bench.kinds(mark)[..3], ["no handle", "toolCall", "modelTurn"]);
    answer(&mut bench, "call-1", json!({"output": "ok"}), "WHEN_IDLE");
    bench.run_for(6_000);
    assert!(bench.texts("outputTranscription").ends_with(" One moment, please. Done, that is settled."));
    assert_eq!(bench.report().interruptions, 0);
}

#[test]
fn an_interrupting_result_cuts_the_filler_and_a_silent_one_says_nothing() {
    let mut bench = ready("NON_BLOCKING");
    bench.say_text("[call create_lead][call create_lead]");
    bench.run_for(800);
    let mark = bench.sent.len();
    answer(&mut bench, "call-1", json!({"output": "ok"}), "SILENT");
    assert_eq!(bench.sent.len(), mark);
    answer(&mut bench, "call-2", json!({"output": "ok"}), "INTERRUPT");
    assert_eq!(bench.kinds(mark)[..2], ["interrupted", "turnComplete"]);
}

#[test]
fn extended_thinking_reports_whether_it_is_still_at_work() {
    let mut setup = declaring("NON_BLOCKING");
    setup["model"] = "models/gemini-3.8-live-extended-thinking".into();
    let mut bench = Bench::ready_with(settings(), &setup, Vec::new());
    bench.say_text("[call create_lead]");
    bench.run_for(4_000);
    answer(&mut bench, "call-1", json!({"output": "ok"}), "WHEN_IDLE");
    bench.run_for(4_000);
    let status = bench.sent.iter().filter_map(|s| s.message["serverContent"]["interactionStatus"].as_str());
    assert_eq!(status.collect::<Vec<_>>(), ["IN_PROGRESS", "IDLE"]);
}

#[test]
fn the_script_says_goodbye_and_then_ends_the_call() {
    let script = Script { end_call_after: Some(1), ..Script::default() };
    let settings = ModelSettings { script, ..settings() };
    let mut bench = Bench::ready_with(settings, &declaring("BLOCKING"), Vec::new());
    bench.greet();
    bench.say_text("that was all");
    bench.run_for(5_000);
    assert!(bench.texts("outputTranscription").ends_with("Goodbye."));
    let last = &bench.sent.last().unwrap().message;
    assert_eq!(
        (kind(last), last["toolCall"]["functionCalls"][0]["name"].as_str()),
        ("toolCall", Some("end_call"))
    );
    answer(&mut bench, "call-1", json!({"output": "ok"}), "SILENT");
    assert_eq!(kind(&bench.sent[bench.sent.len() - 2].message), "turnComplete");
}

#[test]
fn an_answer_nobody_asked_for_is_ignored() {
    let mut bench = ready("BLOCKING");
    answer(&mut bench, "call-99", json!({}), "WHEN_IDLE");
    assert!(bench.closed.is_none());
    assert_eq!(bench.report().ordering_errors, ["answer to an unknown call call-99"]);
}
