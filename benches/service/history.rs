//! Calls that were, as many as are wanted, put into a store's file before an engine opens it.

use std::path::Path;

use clearline::clock;
use clearline::domain::{
    CallId, CallRecord, ConversationItem, Direction, Outcome, PhoneNumber, Speaker, Timestamp, User,
    first_id_of,
};
use clearline::store::{COLLECTIONS, Calls, embedded};
use futures_util::future::join_all;

/// A call a minute, up to now.
pub(crate) const BETWEEN_MS: u64 = 60_000;
/// A short conversation.
const ITEMS: u64 = 8;
/// Fewer than a store lets wait.
const AT_ONCE: u64 = 400;

pub(crate) async fn write(file: &Path, owner: &User, calls: u64) {
    let store = embedded::open(file, COLLECTIONS, clock::unix_time).expect("a file of our own");
    let records = Calls::new(store);
    let first_ms = clock::unix_time().as_millis() - calls * BETWEEN_MS;
    for from in (0..calls).step_by(AT_ONCE as usize) {
        let group = from..calls.min(from + AT_ONCE);
        let group: Vec<_> = group.map(|number| call(number, first_ms + number * BETWEEN_MS, owner)).collect();
        for written in join_all(group.iter().map(|call| records.insert(call))).await {
            written.expect("there is room for it");
        }
    }
}

fn call(number: u64, at_ms: u64, owner: &User) -> CallRecord {
    let at = Timestamp::from_millis(at_ms);
    // A call begins when its id is born.
    let id = format!("{}7000-8000-{number:012x}", first_id_of(at));
    let other = PhoneNumber::new(format!("+4930{:07}", number % 5_000));
    let id = CallId::new(id);
    let mut call = CallRecord::started(id, Direction::Outbound, PhoneNumber::new("+4940555"), other, at);
    call.owner_id = Some(owner.id.clone());
    call.tenant_id.clone_from(&owner.tenant_id);
    call.answered_time = Some(Timestamp::from_millis(at_ms + 5_000));
    call.call_end_time = Some(Timestamp::from_millis(at_ms + 50_000));
    call.outcome = Some(if number.is_multiple_of(4) { Outcome::NoAnswer } else { Outcome::Completed });
    call.end_reason = Some("the far end hung up".into());
    call.conversation_items = (0..ITEMS).map(|turn| said(turn, at)).collect();
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
