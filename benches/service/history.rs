//! Calls that were, as many as are wanted, put into a store's file before an engine opens it.

use std::path::Path;

use clearline::clock;
use clearline::domain::{
    CallId, CallRecord, ConversationItem, Direction, Outcome, PhoneNumber, Speaker, Timestamp, User,
    VoiceAgentId, first_id_of,
};
use clearline::store::{COLLECTIONS, Calls, embedded};
use futures_util::future::join_all;

/// A call a minute, up to now.
pub(crate) const BETWEEN_MS: u64 = 60_000;
/// Turns of a conversation: a short one, and one as long as most (7 KB).
pub(crate) const SHORT_TALK: u64 = 8;
pub(crate) const USUAL_TALK: u64 = 32;
/// Fewer than a store lets wait.
const AT_ONCE: u64 = 400;
/// Of so many calls one came in; all others went out.
const INBOUND_EVERY: u64 = 1_000;
const VOICE_AGENTS: u64 = 5;

pub(crate) struct History {
    pub(crate) calls: u64,
    /// In each of them.
    pub(crate) turns: u64,
    pub(crate) longest: Option<Longest>,
}

/// One more call, before all others.
pub(crate) struct Longest {
    pub(crate) id: &'static str,
    pub(crate) turns: u64,
}

impl History {
    pub(crate) async fn write(&self, file: &Path, owner: &User) {
        let store = embedded::open(file, COLLECTIONS, clock::unix_time).expect("a file of our own");
        let records = Calls::new(store);
        let first_ms = clock::unix_time().as_millis() - self.calls * BETWEEN_MS;
        for from in (0..self.calls).step_by(AT_ONCE as usize) {
            let group = from..self.calls.min(from + AT_ONCE);
            let at_ms = |number| first_ms + number * BETWEEN_MS;
            let group: Vec<_> = group.map(|number| call(number, at_ms(number), owner, self.turns)).collect();
            for written in join_all(group.iter().map(|call| records.insert(call))).await {
                written.expect("there is room for it");
            }
        }
        if let Some(Longest { id, turns }) = self.longest {
            let mut longest = call(0, first_ms - BETWEEN_MS, owner, turns);
            longest.session_id = CallId::new(id);
            records.insert(&longest).await.expect("there is room for it");
        }
    }
}

fn call(number: u64, at_ms: u64, owner: &User, turns: u64) -> CallRecord {
    let at = Timestamp::from_millis(at_ms);
    // A call begins when its id is born.
    let id = format!("{}7000-8000-{number:012x}", first_id_of(at));
    let other = PhoneNumber::new(format!("+4930{:07}", number % 5_000));
    let id = CallId::new(id);
    let direction = if number % INBOUND_EVERY == 1 { Direction::Inbound } else { Direction::Outbound };
    let mut call = CallRecord::started(id, direction, PhoneNumber::new("+4940555"), other, at);
    call.voice_agent_id = Some(VoiceAgentId::new(format!("agent-{}", number % VOICE_AGENTS)));
    call.owner_id = Some(owner.id.clone());
    call.tenant_id.clone_from(&owner.tenant_id);
    call.answered_time = Some(Timestamp::from_millis(at_ms + 5_000));
    call.call_end_time = Some(Timestamp::from_millis(at_ms + 50_000));
    call.outcome = Some(if number.is_multiple_of(4) { Outcome::NoAnswer } else { Outcome::Completed });
    call.end_reason = Some("the far end hung up".into());
    call.conversation_items = (0..turns).map(|turn| said(turn, at)).collect();
    call
}

fn said(turn: u64, timestamp: Timestamp) -> ConversationItem {
    ConversationItem {
        role: if turn.is_multiple_of(2) { Speaker::Assistant } else { Speaker::User },
        content: "A sentence as people say them on the telephone, neither short nor long.".into(),
        timestamp,
        source: "gemini-live".into(),
        transcript_confidence: None,
        interrupted: false,
    }
}
