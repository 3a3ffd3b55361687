//! Calls on their way to the CRM: named once, found by who can go on with them, each step with one who is at it.

use std::collections::BTreeSet;

use clearline::access::Scope;
use clearline::crm::{Outcome, Settled, Step, Upload};
use clearline::domain::Outcome as CallOutcome;
use clearline::domain::{
    CallId, CallRecord, Direction, NodeId, PhoneNumber, StartId, TenantId, Timestamp, UploadState,
};
use clearline::store::{
    Audit, By, Calls, Change, Effect, Entry, OUTBOX, Outbox, StepClaim, Store, StoreError, Subject,
    report_uploads,
};
use futures_util::future::join_all;

use crate::bench::Bench;

const CALLS: usize = 12;

fn record(name: &str) -> CallRecord {
    let number = || PhoneNumber::new("+4930123456");
    let start = Timestamp::parse("2026-11-29T10:00:00Z").unwrap();
    let mut record = CallRecord::started(CallId::new(name), Direction::Inbound, number(), number(), start);
    record.tenant_id = Some(TenantId::new("t1"));
    record
}

fn run(node: &str) -> (NodeId, StartId) {
    (NodeId::new(node), StartId::new("start"))
}

async fn due(outbox: &Outbox, name: &str, node: &str) -> Upload {
    outbox.open(&record(name), run(node)).await.unwrap();
    outbox.end(&CallId::new(name), true).await.unwrap().unwrap()
}

fn settled(step: Step, outcome: Outcome) -> Settled {
    Settled { step, sent_url: None, unsent: None, outcome }
}

pub(crate) async fn calls_with_one_number_and_one_day_get_names_of_their_own_at_two_engines_at_once(
    bench: &mut impl Bench,
) {
    let engines = [Outbox::new(bench.open().await), Outbox::new(bench.open().await)];
    let opening = (0..CALLS).map(|at| {
        let outbox = engines[at % 2].clone();
        tokio::spawn(async move { outbox.open(&record(&format!("c{at:02}")), run("n")).await.unwrap() })
    });
    let names: BTreeSet<String> =
        join_all(opening).await.into_iter().map(|name| name.unwrap().to_string()).collect();
    assert_eq!(names.len(), CALLS, "{names:?}");
    assert!(names.contains("CALL-20261129-30123456"), "{names:?}");
    assert!(names.contains("CALL-20261129-30123456-2"), "{names:?}");
}

pub(crate) async fn a_call_that_is_opened_again_keeps_its_name_and_its_progress(bench: &mut impl Bench) {
    let outbox = Outbox::new(bench.open().await);
    let name = outbox.open(&record("c1"), run("n")).await.unwrap();
    outbox.end(&CallId::new("c1"), false).await.unwrap().unwrap();
    assert_eq!(outbox.open(&record("c1"), run("other")).await.unwrap(), name);
    let known = outbox.get(&CallId::new("c1")).await.unwrap().unwrap().record;
    assert_eq!((known.progress.state, known.node.as_str()), (UploadState::Due, "n"));
    let by_name = outbox.named(&name).await.unwrap().unwrap().record;
    assert_eq!(by_name, known);
    assert_eq!(outbox.end(&CallId::new("nobody"), false).await.unwrap(), None);
}

pub(crate) async fn what_is_long_done_is_forgotten_and_neither_reported_nor_sent_again(
    bench: &mut impl Bench,
) {
    // Their calls began in 1970, where the clock of these tests begins, and in the 22nd century.
    let (done, parked, newer) = (
        "00000000-0000-7000-8000-000000000001",
        "00000000-0000-7000-8000-000000000002",
        "03c00000-0000-7000-8000-000000000003",
    );
    let store = bench.open().await;
    let (outbox, calls) = (Outbox::new(store.clone()), Calls::new(store));
    let ended = |name: &str| {
        let mut record = record(name);
        record.call_start_time = Timestamp::parse("2025-01-15T10:00:00Z").unwrap();
        (record.outcome, record.recording_filename) = (Some(CallOutcome::Completed), Some("a.ogg".into()));
        record
    };
    let taken = |url: Option<&str>| Outcome::Taken { url: url.map(str::to_owned) };
    for name in [done, parked, newer] {
        let mut record = ended(name);
        record.crm_call_id = Some(outbox.open(&record, run("n")).await.unwrap());
        calls.save(&record, None).await.unwrap();
        let call = CallId::new(name);
        outbox.end(&call, true).await.unwrap();
        outbox.settle(&call, &settled(Step::Recording, taken(Some("https://crm/1")))).await.unwrap();
        let outcome = match name == parked {
            true => Outcome::Refused { why: "the CRM answers 422".into() },
            false => taken(None),
        };
        let told = Settled { sent_url: Some("https://crm/1".into()), ..settled(Step::CallData, outcome) };
        let upload = outbox.settle(&call, &told).await.unwrap().unwrap();
        calls.tell_upload(&call, &upload.told()).await.unwrap();
    }
    let far_ahead = Timestamp::parse("2090-01-01T00:00:00Z").unwrap();
    assert_eq!(outbox.forget(Timestamp::from_millis(1)).await, Ok(0), "done just now");
    assert_eq!(outbox.forget(far_ahead).await, Ok(1));
    assert_eq!(outbox.forget(far_ahead).await, Ok(0));
    let left = outbox.list(&Scope::Everything, None, None, 10).await.unwrap().items;
    let left: Vec<_> = left.into_iter().map(|stored| stored.record.session_id.to_string()).collect();
    assert_eq!(left, [newer, parked]);
    let report = report_uploads(&calls, &outbox, None, None, 10).await.unwrap();
    assert_eq!(report.lines.iter().map(|line| line.call.as_str()).collect::<Vec<_>>(), [parked]);
    let known = calls.get(&CallId::new(done)).await.unwrap().unwrap();
    let name = known.crm_call_id.unwrap();
    assert_eq!(outbox.call_named(&name).await, Ok(Some(CallId::new(done))));
    assert_eq!(outbox.open(&ended(done), run("n")).await, Ok(name), "a journal that comes late");
    assert_eq!(outbox.end(&CallId::new(done), true).await, Ok(None), "it is not sent again");
}

pub(crate) async fn an_upload_is_found_by_its_engine_until_it_is_done_and_what_is_further_on_stays(
    bench: &mut impl Bench,
) {
    let outbox = Outbox::new(bench.open().await);
    let (here, there) = (due(&outbox, "c1", "here").await, due(&outbox, "c2", "there").await);
    let of_node = async |state| {
        let found = outbox.of_node(state, &NodeId::new("here"), None, 10).await.unwrap();
        found.items.into_iter().map(|stored| stored.record.session_id).collect::<Vec<_>>()
    };
    assert_eq!(of_node(UploadState::Due).await, std::slice::from_ref(&here.session_id));
    let call = here.session_id;
    let taken = |url: Option<&str>| Outcome::Taken { url: url.map(str::to_owned) };
    outbox.settle(&call, &settled(Step::CallData, taken(None))).await.unwrap();
    assert_eq!(
        of_node(UploadState::Amendable).await,
        std::slice::from_ref(&call),
        "its recording is still to come"
    );
    outbox.settle(&call, &settled(Step::Recording, taken(Some("https://crm/1")))).await.unwrap();
    let again = settled(Step::Recording, Outcome::Refused { why: "late".into() });
    let told = outbox.settle(&call, &again).await.unwrap().unwrap().told();
    assert_eq!(told.recording_url.as_deref(), Some("https://crm/1"), "a late refusal undoes nothing");
    let done = outbox.settle(&call, &settled(Step::Amendment, taken(None))).await.unwrap().unwrap();
    assert_eq!(done.progress.state, UploadState::Done);
    assert_eq!((of_node(UploadState::Due).await, of_node(UploadState::Amendable).await), (vec![], vec![]));
    let all = outbox.in_state(UploadState::Due, None, 10).await.unwrap();
    assert_eq!(all.items.iter().map(|stored| &stored.record).collect::<Vec<_>>(), [&there]);
    outbox.recording_came(&there.session_id, &NodeId::new("here")).await.unwrap();
    assert_eq!(of_node(UploadState::Due).await, [there.session_id], "whoever has the recording sends it");
}

pub(crate) async fn what_is_parked_is_listed_to_its_tenant_and_tried_again_with_an_audit_entry(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let outbox = Outbox::new(store.clone());
    let call = due(&outbox, "c1", "n").await.session_id;
    let refusal = settled(Step::CallData, Outcome::Refused { why: "the CRM answers 422".into() });
    outbox.settle(&call, &refusal).await.unwrap();
    let listed = async |scope: &Scope| {
        outbox.list(scope, Some(UploadState::Parked), None, 10).await.unwrap().items.len()
    };
    assert_eq!(listed(&Scope::Tenant(TenantId::new("t1"))).await, 1);
    assert_eq!(listed(&Scope::Everything).await, 1);
    assert_eq!((listed(&Scope::Tenant(TenantId::new("t2"))).await, listed(&Scope::Nothing).await), (0, 0));
    let retried = retry(&store, &outbox, &call).await.unwrap();
    assert_eq!((retried.progress.state, retried.progress.reason()), (UploadState::Due, None));
    assert_eq!(listed(&Scope::Everything).await, 0);
    let again = retry(&store, &outbox, &call).await.unwrap();
    assert_eq!(again, retried, "what is not parked stays as it is");
    assert_eq!(retry(&store, &outbox, &CallId::new("nobody")).await, None);
}

async fn retry(store: &Store, outbox: &Outbox, call: &CallId) -> Option<Upload> {
    let subject = Subject::new(&OUTBOX, Upload::id_of(call), call.as_str());
    let change = Change::new(By::Engine, "upload.retry", Effect::Changed, subject);
    let retry = async |entry: &Entry| outbox.retry(entry, call).await;
    Audit::new(store.clone()).record(change, retry).await.unwrap()
}

pub(crate) async fn one_engine_is_at_a_step_and_gives_it_up_by_itself_or_by_being_over(
    bench: &mut impl Bench,
) {
    let outboxes = [Outbox::new(bench.open().await), Outbox::new(bench.open().await)];
    let claim = |node: &str| StepClaim::new(CallId::new("c1"), Step::CallData, run(node));
    let claiming = (0..CALLS).map(|at| {
        let (outbox, claim) = (outboxes[at % 2].clone(), claim(&format!("n{at}")));
        tokio::spawn(async move { outbox.claim(&claim).await.unwrap().then_some(claim) })
    });
    let winners: Vec<_> = join_all(claiming).await.into_iter().filter_map(|winner| winner.unwrap()).collect();
    let [winner] = &winners[..] else { panic!("one has it: {winners:?}") };
    assert_eq!(outboxes[0].claim(winner).await, Ok(true), "it has it still");
    outboxes[1].release(&claim("somebody else")).await.unwrap();
    assert_eq!(outboxes[1].claim(&claim("somebody else")).await, Ok(false));
    let all = outboxes[1].claims().await.unwrap();
    outboxes[1].free(&all, &BTreeSet::from([winner.run()])).await.unwrap();
    assert_eq!(outboxes[1].claim(&claim("somebody else")).await, Ok(true));
    outboxes[1].release(&claim("somebody else")).await.unwrap();
    assert_eq!(outboxes[1].claims().await, Ok::<_, StoreError>(vec![]));
}
