//! The model's calls of our tools. The one law: every call is answered, once, whatever happens to the tool, since an
//! unanswered blocking call mutes the session for ever. The exception are calls the model took back.

mod declarations;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::config::ToolDeclaration;
use super::transcript::cut;
use super::wire::server::FunctionCall;

/// How long a tool may take when its declaration says nothing else.
pub const DEFAULT_TOOL_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_PENDING: usize = 16;
const MAX_REMEMBERED: usize = 32;
/// Larger results stall the model or end the connection.
const MAX_RESULT_BYTES: usize = 8 * 1024;

/// What to do about a call that came in.
#[derive(Debug, PartialEq)]
pub enum Incoming {
    /// A tool of ours is to run.
    Run(Call),
    /// Answered at once: known from before the connection was lost.
    Answer(Answer),
    /// Answered at once: an unknown tool, or too many calls.
    Refuse { call: Call, answer: Answer, why: &'static str },
    /// Said twice, or asked again under a new id by a resumed session.
    AlreadyRunning,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Ours to name the call by: the server's, or made up where it sent none.
    pub id: String,
    pub name: String,
    pub args: Value,
}

/// What goes back to the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// `None` when the server named none.
    pub wire_id: Option<String>,
    pub name: String,
    pub response: Value,
    pub silent: bool,
    /// The connection it was asked on is gone; the new one does not know the id.
    pub lost_with_connection: bool,
}

#[derive(Debug, Default)]
pub struct ToolTable {
    tools: Vec<ToolDeclaration>,
    pending: Vec<Pending>,
    /// Answers given before the connection was lost, for a session that asks again.
    answered: VecDeque<Answered>,
    unnamed: u64,
}

#[derive(Debug)]
struct Pending {
    call: Call,
    wire_id: Option<String>,
    deadline: Instant,
    lost_with_connection: bool,
}

#[derive(Debug)]
struct Answered {
    name: String,
    args: Value,
    response: Value,
    before_loss: bool,
}

impl ToolTable {
    pub fn new(tools: Vec<ToolDeclaration>) -> Self {
        Self { tools, ..Self::default() }
    }

    pub fn incoming(&mut self, call: FunctionCall, now: Instant) -> Incoming {
        let name = call.name.unwrap_or_default();
        let args = if call.args.is_null() { json!({}) } else { call.args };
        let Some(tool) = self.tools.iter().find(|tool| tool.name == name) else {
            return self.refuse(call.id, name, args, "there is no tool of this name");
        };
        if !args.is_object() {
            return self.refuse(
                call.id,
                name,
                args,
                "`args` must be an object with the parameters by their names",
            );
        }
        let deadline = now + tool.timeout;
        if self.is_running(call.id.as_deref()) || self.adopt(&name, &args, call.id.as_ref(), deadline) {
            return Incoming::AlreadyRunning;
        }
        if let Some(response) = self.answered_before_loss(&name, &args) {
            return Incoming::Answer(self.answer_now(call.id, name, response));
        }
        if self.pending.len() >= MAX_PENDING {
            let why = "too many calls at once; try again when the others are done";
            return self.refuse(call.id, name, args, why);
        }
        let id = call.id.clone().unwrap_or_else(|| self.made_up_id());
        let run = Call { id, name, args };
        self.pending.push(Pending {
            call: run.clone(),
            wire_id: call.id,
            deadline,
            lost_with_connection: false,
        });
        Incoming::Run(run)
    }

    /// A tool has finished; `None` when nobody waits for it any more.
    pub fn finish(&mut self, id: &str, result: Result<Value, String>) -> Option<Answer> {
        let place = self.pending.iter().position(|pending| pending.call.id == id)?;
        let pending = self.pending.swap_remove(place);
        let response = result.map_or_else(|error| failure(&error), success);
        self.keep_answer(&pending, response.clone());
        Some(self.answer(pending, response))
    }

    /// The model took calls back: no answer for these. Returns those that were running.
    pub fn cancel(&mut self, ids: &[String]) -> Vec<String> {
        let taken_back = |pending: &Pending| pending.wire_id.as_ref().is_some_and(|id| ids.contains(id));
        self.pending.extract_if(.., |pending| taken_back(pending)).map(|pending| pending.call.id).collect()
    }

    /// Answers for the model, and ids of the tools to stop, of all calls that took too long.
    pub fn expire(&mut self, now: Instant) -> Vec<(String, Answer)> {
        let late: Vec<Pending> = self.pending.extract_if(.., |pending| pending.deadline <= now).collect();
        let response = failure("the tool did not finish in time; it may be tried once more");
        late.into_iter().map(|p| (p.call.id.clone(), self.answer(p, response.clone()))).collect()
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.pending.iter().map(|pending| pending.deadline).min()
    }

    pub fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// A handle always predates a pending call, so the restored session knows none of these ids.
    pub fn connection_lost(&mut self) {
        self.pending.iter_mut().for_each(|pending| pending.lost_with_connection = true);
        self.answered.iter_mut().for_each(|answered| answered.before_loss = true);
    }

    /// The restored session has gone on; the same call now means the same wish again.
    pub fn turn_completed(&mut self) {
        self.answered.retain(|answered| !answered.before_loss);
    }

    fn is_running(&self, wire_id: Option<&str>) -> bool {
        wire_id.is_some() && self.pending.iter().any(|pending| pending.wire_id.as_deref() == wire_id)
    }

    fn adopt(&mut self, name: &str, args: &Value, wire_id: Option<&String>, deadline: Instant) -> bool {
        let asked_again =
            |p: &&mut Pending| p.lost_with_connection && p.call.name == name && p.call.args == *args;
        let Some(pending) = self.pending.iter_mut().find(asked_again) else { return false };
        pending.wire_id = wire_id.cloned();
        pending.deadline = deadline;
        pending.lost_with_connection = false;
        true
    }

    fn answered_before_loss(&self, name: &str, args: &Value) -> Option<Value> {
        let same = |a: &&Answered| a.before_loss && a.name == name && a.args == *args;
        self.answered.iter().find(same).map(|answered| answered.response.clone())
    }

    fn keep_answer(&mut self, pending: &Pending, response: Value) {
        let Call { name, args, .. } = pending.call.clone();
        let answered = Answered { name, args, response, before_loss: pending.lost_with_connection };
        self.answered.push_back(answered);
        if self.answered.len() > MAX_REMEMBERED {
            self.answered.pop_front();
        }
    }

    fn refuse(&mut self, wire_id: Option<String>, name: String, args: Value, why: &'static str) -> Incoming {
        let id = wire_id.clone().unwrap_or_else(|| self.made_up_id());
        let answer = self.answer_now(wire_id, name.clone(), failure(why));
        Incoming::Refuse { call: Call { id, name, args }, answer, why }
    }

    fn answer_now(&self, wire_id: Option<String>, name: String, response: Value) -> Answer {
        let silent = self.is_silent(&name);
        Answer { wire_id, name, response, silent, lost_with_connection: false }
    }

    fn answer(&self, pending: Pending, response: Value) -> Answer {
        let Pending { call, wire_id, lost_with_connection, .. } = pending;
        Answer {
            wire_id,
            silent: self.is_silent(&call.name),
            name: call.name,
            response,
            lost_with_connection,
        }
    }

    fn is_silent(&self, name: &str) -> bool {
        self.tools.iter().any(|tool| tool.name == name && tool.silent_result)
    }

    fn made_up_id(&mut self) -> String {
        self.unnamed += 1;
        format!("unnamed-{}", self.unnamed)
    }
}

/// An empty result makes some models call again and again, so there is always a status.
fn success(result: Value) -> Value {
    if result.is_null() || result == json!({}) || result == json!("") {
        return json!({ "output": { "status": "ok" } });
    }
    let text = result.to_string();
    if text.len() <= MAX_RESULT_BYTES {
        return json!({ "output": result });
    }
    json!({ "output": { "cut": true, "beginning": cut(&text, MAX_RESULT_BYTES) } })
}

fn failure(error: &str) -> Value {
    json!({ "error": cut(error, MAX_RESULT_BYTES) })
}
