//! What the tools answered, and how the model goes on.

use std::time::Instant;

use super::super::message::{Scheduling, ToolResponse};
use super::super::prompts::Prompt;
use super::super::replies::Reply;
use super::super::tools::Answer;
use super::{Conversation, MAX_QUEUED_REPLIES, Stage};

impl Conversation {
    pub(super) fn take_answer(&mut self, given: &ToolResponse, now: Instant) {
        let answer = self.calls.answer(given);
        self.usage.read(&given.response.to_string());
        match answer {
            Answer::Unknown => self.note(format!("answer to an unknown call {}", given.id)),
            Answer::Late => self.note(format!("answer to a closed call {}", given.id)),
            Answer::Taken { .. } if given.more_follow => {}
            Answer::Taken { blocking: true, failed, ends_call } => self.go_on(failed, ends_call, now),
            Answer::Taken { blocking: false, failed, .. } => {
                self.tell_result(failed, given.scheduling, now);
            }
        }
    }

    /// The last blocking answer lets the turn go on.
    fn go_on(&mut self, failed: bool, ends_call: bool, now: Instant) {
        if !matches!(self.stage, Stage::Waiting) || self.calls.is_blocked() {
            return;
        }
        if ends_call {
            return self.complete_turn(now);
        }
        self.begin(Reply { continues_turn: true, ..result(failed) }, now);
    }

    fn tell_result(&mut self, failed: bool, scheduling: Scheduling, now: Instant) {
        match scheduling {
            Scheduling::Silent => return,
            // While the caller speaks, even this waits until they have finished.
            Scheduling::Interrupt if !matches!(self.stage, Stage::Idle) => self.cut_short(now),
            Scheduling::Interrupt | Scheduling::WhenIdle => {}
        }
        if self.ear.is_in_speech() && self.queue.len() < MAX_QUEUED_REPLIES {
            return self.queue.push_back(result(failed));
        }
        self.begin_or_queue(result(failed), now);
    }
}

fn result(failed: bool) -> Reply {
    Reply::say(if failed { Prompt::Apology } else { Prompt::Result })
}
