use super::*;
use crate::voice::origin;

fn table() -> ToolTable {
    let lead =
        ToolDeclaration { name: "create_lead".into(), silent_result: false, ..ToolDeclaration::end_call() };
    ToolTable::new(vec![ToolDeclaration::end_call(), lead])
}

fn call(id: &str, name: &str) -> FunctionCall {
    FunctionCall { id: Some(id.into()), name: Some(name.into()), args: Value::Null }
}

fn answer_of(incoming: Incoming) -> Answer {
    match incoming {
        Incoming::Answer(answer) | Incoming::Refuse { answer, .. } => answer,
        other @ (Incoming::Run(_) | Incoming::AlreadyRunning) => panic!("no answer: {other:?}"),
    }
}

#[test]
fn a_call_runs_once_and_is_answered_once() {
    let (mut table, now) = (table(), origin());
    let run = Call { id: "1".into(), name: "end_call".into(), args: json!({}) };
    assert_eq!(table.incoming(call("1", "end_call"), now), Incoming::Run(run));
    assert_eq!(table.incoming(call("1", "end_call"), now), Incoming::AlreadyRunning);
    let answer = table.finish("1", Ok(json!({ "done": true }))).expect("an answer");
    assert_eq!((answer.wire_id.as_deref(), answer.silent), (Some("1"), true));
    assert_eq!(answer.response, json!({ "output": { "done": true } }));
    assert_eq!(table.finish("1", Ok(Value::Null)), None);
}

#[test]
fn an_unknown_or_nameless_tool_is_answered_with_an_error_at_once() {
    let (mut table, now) = (table(), origin());
    for call in [call("1", "fly"), FunctionCall { id: Some("1".into()), ..FunctionCall::default() }] {
        assert!(answer_of(table.incoming(call, now)).response["error"].is_string());
    }
}

#[test]
fn arguments_that_are_no_object_are_answered_with_an_error_at_once() {
    let (mut table, now) = (table(), origin());
    for args in [json!(["x"]), json!("x"), json!(1), json!(true)] {
        let odd = FunctionCall { args, ..call("1", "create_lead") };
        let answer = answer_of(table.incoming(odd, now));
        let error = answer.response["error"].as_str().unwrap_or_default();
        assert!(answer.wire_id.as_deref() == Some("1") && error.contains("object"), "{answer:?}");
    }
}

#[test]
fn a_call_without_an_id_can_still_be_answered() {
    let (mut table, now) = (table(), origin());
    let nameless = FunctionCall { name: Some("create_lead".into()), ..FunctionCall::default() };
    let Incoming::Run(run) = table.incoming(nameless, now) else { panic!("it did not run") };
    let answer = table.finish(&run.id, Err("the CRM is down".into())).expect("an answer");
    assert_eq!((answer.wire_id, answer.response), (None, json!({ "error": "the CRM is down" })));
}

#[test]
fn an_empty_result_becomes_a_status_and_a_huge_one_is_cut() {
    let (mut table, now) = (table(), origin());
    table.incoming(call("1", "create_lead"), now);
    let answer = table.finish("1", Ok(Value::Null)).expect("an answer");
    assert_eq!(answer.response, json!({ "output": { "status": "ok" } }));
    table.incoming(call("2", "create_lead"), now);
    let answer = table.finish("2", Ok("é".repeat(20_000).into())).expect("an answer");
    assert!(
        answer.response.to_string().len() < 2 * MAX_RESULT_BYTES && answer.response["output"]["cut"] == true
    );
}

#[test]
fn calls_beyond_the_bound_are_refused_with_a_reason() {
    let (mut table, now) = (table(), origin());
    for number in 0..MAX_PENDING {
        table.incoming(call(&number.to_string(), "create_lead"), now);
    }
    assert!(answer_of(table.incoming(call("more", "create_lead"), now)).response["error"].is_string());
}

#[test]
fn a_call_asked_again_after_a_loss_is_adopted_while_it_runs_and_answered_from_memory_after() {
    let (mut table, now) = (table(), origin());
    table.incoming(call("1", "create_lead"), now);
    table.incoming(call("2", "end_call"), now);
    table.finish("2", Ok(json!("bye")));
    table.connection_lost();
    assert_eq!(table.incoming(call("8", "create_lead"), now), Incoming::AlreadyRunning);
    let answer = table.finish("1", Ok(json!("L-31"))).expect("an answer");
    assert_eq!((answer.wire_id.as_deref(), answer.lost_with_connection), (Some("8"), false));
    assert_eq!(answer_of(table.incoming(call("9", "end_call"), now)).response, json!({ "output": "bye" }));
    table.turn_completed();
    assert!(matches!(table.incoming(call("10", "end_call"), now), Incoming::Run(_)));
}

#[test]
fn an_answer_to_a_lost_connection_says_so() {
    let (mut table, now) = (table(), origin());
    table.incoming(call("1", "create_lead"), now);
    table.connection_lost();
    assert!(table.finish("1", Ok(json!(1))).expect("an answer").lost_with_connection);
}

#[test]
fn calls_taken_back_or_out_of_time_are_forgotten() {
    let (mut table, now) = (table(), origin());
    table.incoming(call("1", "create_lead"), now);
    table.incoming(call("2", "create_lead"), now);
    assert_eq!(table.cancel(&["1".into(), "7".into()]), ["1"]);
    assert_eq!(table.finish("1", Ok(json!(1))), None);
    assert!(table.expire(now + DEFAULT_TOOL_TIMEOUT - Duration::from_millis(1)).is_empty());
    let late = table.expire(now + DEFAULT_TOOL_TIMEOUT);
    assert_eq!(late.len(), 1);
    assert!(late[0].1.response["error"].is_string() && table.is_idle());
    assert_eq!(table.finish("2", Ok(json!(1))), None);
}
