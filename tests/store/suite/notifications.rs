//! Notifications on their way: there once however often they are told of, the earliest first, and not for ever.

use clearline::access::Scope;
use clearline::crm::notifications::{Event, Settlement};
use clearline::domain::{
    CallId, CallRecord, Direction, EventKind, NodeId, NotificationState, Outcome, PhoneNumber, Secret,
    StartId, Subscriber, SubscriberName, TenantId, Timestamp,
};
use clearline::store::{
    Audit, By, Change, Effect, Entry, NOTIFICATIONS, Notification, Notifications, Subject,
};

use crate::bench::Bench;

const OLD_CALL: &str = "0193a000-0000-7000-8000-000000000001";
const CALL: &str = "0193b000-0000-7000-8000-000000000001";
/// Between the two.
const LINE: Timestamp = Timestamp::from_millis(0x0193_a800_0000);
const LATER: Timestamp = Timestamp::from_millis(0x0fff_0000_0000);

fn subscriber(name: &str) -> Subscriber {
    let tenant_id = (name == "tenants").then(|| TenantId::new("t1"));
    let to = Subscriber::to(SubscriberName::new(name), "https://w".into(), Secret::new("whsec_"));
    Subscriber { tenant_id, ..to }
}

/// Of a call that has ended: its three events.
fn notifications_of(call: &str, name: &str, node: &str) -> Vec<Notification> {
    let at = |later: u64| {
        let born = u64::from_str_radix(&call.replace('-', "")[..12], 16).unwrap();
        Timestamp::from_millis(born + later)
    };
    let number = || PhoneNumber::new("+4930123456");
    let mut record = CallRecord::started(CallId::new(call), Direction::Inbound, number(), number(), at(0));
    record.tenant_id = Some(TenantId::new("t1"));
    (record.answered_time, record.call_end_time) = (Some(at(1)), Some(at(2)));
    record.outcome = Some(Outcome::Completed);
    let run = (NodeId::new(node), StartId::new("start"));
    let told = |event: Event| event.for_subscriber(&subscriber(name), &record, run.clone());
    Event::of_record(&record).map(told).collect()
}

async fn add(notifications: &Notifications, call: &str, name: &str, node: &str) {
    for notification in notifications_of(call, name, node) {
        notifications.add(notification).await.unwrap();
    }
}

async fn count(notifications: &Notifications, state: NotificationState) -> usize {
    notifications.list(&Scope::Everything, Some(state), None, 100).await.unwrap().items.len()
}

pub(crate) async fn an_event_that_is_told_of_again_is_there_once_and_as_far_as_it_was(
    bench: &mut impl Bench,
) {
    let notifications = Notifications::new(bench.open().await);
    let (call, name) = (CallId::new(CALL), SubscriberName::new("w"));
    add(&notifications, CALL, "w", "n").await;
    let due = notifications.due_of(&call, &name).await.unwrap();
    let events: Vec<_> = due.iter().map(|it| it.event).collect();
    assert_eq!(events, [EventKind::CallStarted, EventKind::CallAnswered], "two say that there is more");
    notifications.settle(&due[0].id, &Settlement::Delivered).await.unwrap().unwrap();
    add(&notifications, CALL, "w", "another").await;
    assert_eq!(count(&notifications, NotificationState::Delivered).await, 1);
    let due = notifications.due_of(&call, &name).await.unwrap();
    assert_eq!((due[0].event, due[0].node.as_str()), (EventKind::CallAnswered, "n"));
    assert!(due[0].payload.contains("+4930123456"));
    let refused = Settlement::Refused { why: "late".into() };
    let id = notifications_of(CALL, "w", "n")[0].id.clone();
    let late = notifications.settle(&id, &refused).await.unwrap().unwrap();
    assert_eq!(late.state, NotificationState::Delivered, "a late refusal undoes nothing");
}

pub(crate) async fn what_is_due_is_found_by_its_subscriber_its_engine_and_its_call(bench: &mut impl Bench) {
    let notifications = Notifications::new(bench.open().await);
    for (call, name, node) in [(OLD_CALL, "w", "here"), (CALL, "w", "there"), (CALL, "w-2", "here")] {
        add(&notifications, call, name, node).await;
    }
    let calls = |items: Vec<clearline::store::Stored<Notification>>| {
        items.into_iter().map(|stored| stored.record.session_id.to_string()).collect::<Vec<_>>()
    };
    let name = SubscriberName::new("w");
    let here = notifications.due_of_node(&name, &NodeId::new("here"), None, 100).await.unwrap();
    assert_eq!(calls(here.items), [OLD_CALL; 3]);
    let first = notifications.due(&name, None, 4).await.unwrap();
    assert_eq!(calls(first.items), [OLD_CALL, OLD_CALL, OLD_CALL, CALL]);
    let rest = notifications.due(&name, first.next, 4).await.unwrap();
    assert_eq!((calls(rest.items), rest.next), (vec![CALL.to_owned(); 2], None));
    let of_call = notifications.due_of(&CallId::new(CALL), &SubscriberName::new("w-2")).await.unwrap();
    assert!(of_call.iter().all(|it| it.subscriber.as_str() == "w-2") && of_call.len() == 2);
}

pub(crate) async fn what_is_parked_is_its_tenants_to_see_and_is_tried_again_with_an_audit_entry(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let notifications = Notifications::new(store.clone());
    add(&notifications, CALL, "tenants", "n").await;
    add(&notifications, CALL, "w", "n").await;
    let id = notifications_of(CALL, "tenants", "n")[0].id.clone();
    let refused = Settlement::Refused { why: "the subscriber answers 410".into() };
    notifications.settle(&id, &refused).await.unwrap();
    let listed =
        async |scope: Scope, state| notifications.list(&scope, state, None, 100).await.unwrap().items;
    let of = |tenant: &str| Scope::Tenant(TenantId::new(tenant));
    assert_eq!(listed(of("t1"), None).await.len(), 3);
    let parked = listed(of("t1"), Some(NotificationState::Parked)).await;
    assert_eq!((parked.len(), parked[0].record.payload.as_str()), (1, ""), "lists leave it out");
    assert_eq!((listed(of("t2"), None).await.len(), listed(Scope::Everything, None).await.len()), (0, 6));
    assert_eq!(listed(Scope::Nothing, None).await.len(), 0);
    let subject = Subject::new(&NOTIFICATIONS, id.as_str(), "a notification");
    let change = Change::new(By::Engine, "notification.retry", Effect::Changed, subject);
    let retry = async |entry: &Entry| notifications.retry(entry, &id).await;
    let retried = Audit::new(store).record(change, retry).await.unwrap().unwrap().record;
    assert_eq!((retried.state, retried.reason), (NotificationState::Due, None));
    assert!(retried.payload.contains("call.started"), "it is posted in the same words");
}

pub(crate) async fn what_nobody_takes_is_parked_and_what_is_over_is_forgotten(bench: &mut impl Bench) {
    let notifications = Notifications::new(bench.open().await);
    add(&notifications, OLD_CALL, "w", "n").await;
    add(&notifications, CALL, "w", "n").await;
    let id = notifications_of(OLD_CALL, "w", "n")[0].id.clone();
    let trouble = Settlement::Trouble { why: "the subscriber answers 503".into() };
    notifications.settle(&id, &trouble).await.unwrap();
    assert_eq!(notifications.give_up(LINE).await, Ok(3));
    assert_eq!(notifications.give_up(LINE).await, Ok(0));
    let given_up = notifications.get(&id).await.unwrap().unwrap().record;
    assert_eq!(given_up.state, NotificationState::Parked);
    let reason = given_up.reason.unwrap_or_default();
    assert!(reason.contains("give_up_after_h") && reason.ends_with("the subscriber answers 503"), "{reason}");
    assert_eq!(count(&notifications, NotificationState::Due).await, 3, "those of the newer call");
    assert_eq!(notifications.forget(Timestamp::from_millis(0)).await, Ok(0));
    assert_eq!(notifications.forget(LATER).await, Ok(3), "what is due stays");
    assert_eq!(notifications.get(&id).await, Ok(None));
}
