//! What the model does in answer to a turn of the caller: by the triggers in its words, else by the script.

use std::str::FromStr;

use serde_json::{Value, json};

use super::prompts::Prompt;
use super::settings::Script;
use super::setup::Setup;
use super::speech::Line;
use super::tools::{END_CALL, PlannedCall};

/// One turn of the model before it is spoken.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Reply {
    pub(super) line: Option<Line>,
    pub(super) calls: Vec<PlannedCall>,
    /// The calls come first and the line is said while they run.
    pub(super) calls_first: bool,
    /// The turn goes on from one that was waiting for a tool.
    pub(super) continues_turn: bool,
}

/// More calls than these in one input are ignored.
const MAX_CALLS_AT_ONCE: usize = 8;

impl Reply {
    pub(super) fn say(prompt: Prompt) -> Self {
        Self { line: Some(Line::Prompt(prompt)), ..Self::default() }
    }

    /// What the words themselves demand: `[call NAME {json}]`, `[speak MS]`.
    pub(super) fn demanded_by(text: &str, setup: &Setup) -> Option<Self> {
        let calls: Vec<PlannedCall> = text
            .match_indices("[call ")
            .filter_map(|(at, trigger)| planned_call(text.get(at + trigger.len()..)?, setup))
            .take(MAX_CALLS_AT_ONCE)
            .collect();
        if !calls.is_empty() {
            return Some(Self::with_calls(calls));
        }
        let (_, rest) = text.split_once("[speak ")?;
        let ms = u64::from_str(rest.split_once(']')?.0.trim()).ok()?;
        Some(Self { line: Some(Line::Tone { ms }), ..Self::default() })
    }

    /// What the script plans for the caller's turn of this number.
    pub(super) fn planned_for(turn: u32, script: &Script, setup: &Setup) -> Self {
        if script.end_call_after == Some(turn) && setup.declared.iter().any(|tool| tool.name == END_CALL) {
            let call = plan(END_CALL, json!({"reason": "the caller is done"}), setup);
            return Self { calls: vec![call], ..Self::say(Prompt::Goodbye) };
        }
        let planned = script.calls.iter().filter(|call| call.turn == turn);
        let calls: Vec<PlannedCall> =
            planned.map(|call| plan(&call.name, call.args.clone(), setup)).collect();
        match (calls.is_empty(), turn % 2) {
            (false, _) => Self::with_calls(calls),
            (true, 1) => Self::say(Prompt::AnswerOne),
            (true, _) => Self::say(Prompt::AnswerTwo),
        }
    }

    /// A blocking call is waited for in silence; others are talked over.
    fn with_calls(calls: Vec<PlannedCall>) -> Self {
        let silent = calls.iter().any(|call| call.blocking);
        let line = (!silent).then_some(Line::Prompt(Prompt::Moment));
        Self { line, calls, calls_first: true, continues_turn: false }
    }
}

/// Reads `NAME {json}]` or `NAME]`.
fn planned_call(text: &str, setup: &Setup) -> Option<PlannedCall> {
    let end = text.find([' ', ']', '{'])?;
    let (name, rest) = text.split_at_checked(end)?;
    let args = serde_json::Deserializer::from_str(rest.trim_start()).into_iter::<Value>().next();
    let args = args.and_then(Result::ok).filter(Value::is_object).unwrap_or_else(|| json!({}));
    Some(plan(name, args, setup))
}

fn plan(name: &str, args: Value, setup: &Setup) -> PlannedCall {
    let declared = setup.declared.iter().find(|tool| tool.name == name);
    let blocking = declared.map_or(setup.model.tools_block_by_default, |tool| tool.blocking);
    PlannedCall { name: name.to_owned(), args, blocking }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup() -> Setup {
        let tools = json!([{"functionDeclarations": [{"name": "end_call", "behavior": "BLOCKING"}]}]);
        Setup::read(&json!({"model": "models/gemini-3.8-live", "tools": tools})).unwrap()
    }

    #[test]
    fn words_in_brackets_demand_calls_with_arguments() {
        let reply = Reply::demanded_by(r#"do [call a {"n":[1,"]"]}] and [call b]"#, &setup()).unwrap();
        let calls: Vec<_> = reply.calls.iter().map(|call| (call.name.as_str(), call.args.clone())).collect();
        assert_eq!(calls, [("a", json!({"n": [1, "]"]})), ("b", json!({}))]);
        assert_eq!(Reply::demanded_by("[call", &setup()), None);
    }

    #[test]
    fn a_blocking_call_is_made_in_silence_and_others_are_talked_over() {
        assert_eq!(Reply::demanded_by("[call end_call]", &setup()).unwrap().line, None);
        assert!(Reply::demanded_by("[call other]", &setup()).unwrap().line.is_some());
    }

    #[test]
    fn the_script_ends_the_call_after_so_many_turns() {
        let script = Script { end_call_after: Some(2), ..Script::default() };
        assert!(Reply::planned_for(1, &script, &setup()).calls.is_empty());
        let last = Reply::planned_for(2, &script, &setup());
        assert_eq!(
            (last.line, last.calls[0].name.as_str()),
            (Some(Line::Prompt(Prompt::Goodbye)), "end_call")
        );
    }
}
