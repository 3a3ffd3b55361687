//! Lists of calls: whose they are, what narrows them, page by page.

use clearline::access::Scope;
use clearline::domain::{
    CallId, CallRecord, ConversationItem, Direction, Outcome, PhoneNumber, Speaker, TenantId, Timestamp,
    UserId, VoiceAgentId, first_id_of,
};
use clearline::store::{CALLS, CallFilter, Calls, Store};
use serde_json::json;

use crate::bench::Bench;

const NOON_MS: u64 = 1_800_000_000_000;

/// One call each second from noon on; its place in the day names it.
fn call(second: u64, owner: &str, outcome: Option<Outcome>) -> CallRecord {
    let started = Timestamp::from_millis(NOON_MS + second * 1_000);
    let id = format!("{}7abc-8def-0123456789ab", first_id_of(started));
    let direction = if second.is_multiple_of(2) { Direction::Inbound } else { Direction::Outbound };
    let (from, dialed) = (PhoneNumber::new(format!("+49170{}", second % 3)), PhoneNumber::new("+4930123456"));
    let mut record = CallRecord::started(CallId::new(id), direction, from, dialed, started);
    record.owner_id = Some(UserId::new(owner));
    record.tenant_id = Some(TenantId::new("t1"));
    record.voice_agent_id = second.is_multiple_of(4).then(|| VoiceAgentId::new("desk"));
    record.outcome = outcome;
    record.conversation_items.push(ConversationItem {
        role: Speaker::User,
        content: "hello".into(),
        timestamp: started,
        source: "gemini-live".into(),
        transcript_confidence: None,
        interrupted: false,
    });
    record
}

/// Seconds 0 to 9: of ada but 3 and 4, which are ben's; 7 and 8 are busy, 9 still runs.
async fn filled(bench: &impl Bench) -> (Store, Calls) {
    let store = bench.open().await;
    let calls = Calls::new(store.clone());
    for second in 0..10 {
        let owner = if second == 3 || second == 4 { "ben" } else { "ada" };
        let outcome = match second {
            7 | 8 => Some(Outcome::Busy),
            9 => None,
            _ => Some(Outcome::Completed),
        };
        calls.insert(&call(second, owner, outcome)).await.unwrap();
    }
    (store, calls)
}

async fn seconds(calls: &Calls, scope: &Scope, filter: &CallFilter) -> Vec<u64> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = calls.list(scope, filter, after, 3).await.unwrap();
        let started = page.calls.iter().map(|call| call.call_start_time.as_millis());
        seen.extend(started.map(|millis| (millis - NOON_MS) / 1_000));
        after = page.next;
        if after.is_none() {
            return seen;
        }
    }
}

fn tenant() -> Scope {
    Scope::Tenant(TenantId::new("t1"))
}

pub(crate) async fn calls_are_listed_newest_first_to_those_whose_they_are(bench: &mut impl Bench) {
    let (_, calls) = filled(bench).await;
    let all = CallFilter::default();
    assert_eq!(seconds(&calls, &tenant(), &all).await, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(seconds(&calls, &Scope::Owner(UserId::new("ben")), &all).await, [4, 3]);
    for scope in [Scope::Tenant(TenantId::new("t2")), Scope::Nothing, Scope::Everything] {
        assert!(seconds(&calls, &scope, &all).await.is_empty(), "{scope:?}");
    }
    assert_eq!(calls.running_of(&UserId::new("ada")).await, Ok(1));
}

pub(crate) async fn calls_are_narrowed_by_each_filter_and_by_several(bench: &mut impl Bench) {
    let (_, calls) = filled(bench).await;
    let at = |second: u64| Some(Timestamp::from_millis(NOON_MS + second * 1_000));
    let number = |number: &str| Some(PhoneNumber::new(number));
    let (busy, all) = (Some(Outcome::Busy), CallFilter::default);
    let (ben, desk) = (Some(UserId::new("ben")), Some(VoiceAgentId::new("desk")));
    let cases: [(CallFilter, &[u64]); 15] = [
        (CallFilter { owner: ben.clone(), ..all() }, &[4, 3]),
        (CallFilter { voice_agent: desk.clone(), ..all() }, &[8, 4, 0]),
        (CallFilter { owner: ben.clone(), voice_agent: desk.clone(), ..all() }, &[4]),
        (CallFilter { voice_agent: desk.clone(), outcome: busy, ..all() }, &[8]),
        (CallFilter { outcome: busy, ..all() }, &[8, 7]),
        (CallFilter { direction: Some(Direction::Inbound), ..all() }, &[8, 6, 4, 2, 0]),
        (CallFilter { from_number: number("+491701"), ..all() }, &[7, 4, 1]),
        (CallFilter { from_number: number("+49170"), ..all() }, &[]),
        (CallFilter { dialed_number: number("+4930123456"), outcome: busy, ..all() }, &[8, 7]),
        (CallFilter { running: Some(true), ..all() }, &[9]),
        (CallFilter { running: Some(false), direction: Some(Direction::Outbound), ..all() }, &[7, 5, 3, 1]),
        (CallFilter { running: Some(true), outcome: busy, ..all() }, &[]),
        (CallFilter { started_from: at(2), started_before: at(5), ..all() }, &[4, 3, 2]),
        (CallFilter { started_from: at(8), direction: Some(Direction::Inbound), ..all() }, &[8]),
        (
            CallFilter {
                owner: Some(UserId::new("ada")),
                voice_agent: None,
                from_number: number("+491701"),
                dialed_number: number("+4930123456"),
                direction: Some(Direction::Outbound),
                outcome: Some(Outcome::Completed),
                running: Some(false),
                started_from: at(0),
                started_before: at(7),
            },
            &[1],
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(seconds(&calls, &tenant(), &filter).await, expected, "{filter:?}");
    }
    let of_ada = CallFilter { dialed_number: number("+4930123456"), started_before: at(5), ..all() };
    assert_eq!(seconds(&calls, &Scope::Owner(UserId::new("ada")), &of_ada).await, [2, 1, 0]);
    let of_ben = CallFilter { owner: ben, ..all() };
    assert!(seconds(&calls, &Scope::Owner(UserId::new("ada")), &of_ben).await.is_empty());
    let by_desk = CallFilter { voice_agent: desk, ..all() };
    assert_eq!(seconds(&calls, &Scope::Owner(UserId::new("ben")), &by_desk).await, [4]);
}

pub(crate) async fn a_call_that_cannot_be_read_hides_no_other(bench: &mut impl Bench) {
    let (store, calls) = filled(bench).await;
    let broken = json!({ "session_id": "x", "tenant_id": "t1", "direction": "sideways" });
    store.insert(&CALLS, "x", broken).await.unwrap();
    assert_eq!(seconds(&calls, &tenant(), &CallFilter::default()).await.len(), 10);
}
