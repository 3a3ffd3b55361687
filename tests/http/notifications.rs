//! Events of calls on their way to subscribers, over HTTP (SPEC I10, O2, O4).

use clearline::clock;
use clearline::crm::notifications::{Event, Settlement};
use clearline::domain::{
    CallRecord, Direction, NodeId, NotificationId, PhoneNumber, Role, Secret, StartId, Subscriber,
    SubscriberName, TenantId,
};
use clearline::store::Notifications;
use serde_json::{Value, json};

use crate::bench::{Bench, play};

/// That a call began, for a subscriber of this tenant or of nobody's.
async fn told(bench: &Bench, name: &str, tenant: Option<TenantId>) -> NotificationId {
    let number = || PhoneNumber::new("+4930123456");
    let (id, now) = (clock::new_call_id(), clock::unix_time());
    let call = CallRecord::started(id, Direction::Inbound, number(), number(), now);
    let to = Subscriber::to(SubscriberName::new(name), "https://w".into(), Secret::new("whsec_"));
    let to = Subscriber { tenant_id: tenant, ..to };
    let event = Event::of_record(&call).next().expect("it has begun");
    let run = (NodeId::new("another engine"), StartId::new("another start"));
    let notification = event.for_subscriber(&to, &call, run);
    let id = notification.id.clone();
    Notifications::new(bench.engine.store().clone()).add(notification).await.expect("a store");
    id
}

async fn refused(bench: &Bench, id: &NotificationId) {
    let refused = Settlement::Refused { why: "the subscriber answers 410: gone".into() };
    Notifications::new(bench.engine.store().clone()).settle(id, &refused).await.expect("a store");
}

async fn names(bench: &Bench, path: &str, token: &str) -> Vec<Value> {
    let listed = bench.get(path, token).await.expect(200);
    listed["items"].as_array().expect("a list").iter().map(|item| item["subscriber"].clone()).collect()
}

#[test]
fn i10_what_is_parked_is_seen_by_whose_subscriber_it_is_and_tried_again_with_an_audit_entry() {
    play(async {
        let bench = Bench::usual().await;
        let admin = bench.person("mira", Role::Admin, None).await;
        bench.person("ben", Role::Agent, admin.tenant_id.clone()).await;
        let zoe = bench.token("zoe", Role::Admin, None).await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let (mira, ben) = (bench.log_in("mira").await, bench.log_in("ben").await);
        let own = told(&bench, "miras", admin.tenant_id.clone()).await;
        let operators = told(&bench, "operators", None).await;
        refused(&bench, &own).await;
        assert_eq!(names(&bench, "/api/notifications", &boss).await, ["operators", "miras"], "newest first");
        assert_eq!(names(&bench, "/api/notifications?state=due", &boss).await, ["operators"]);
        assert_eq!(names(&bench, "/api/notifications", &mira).await, ["miras"]);
        for stranger in [&zoe, &ben] {
            assert_eq!(names(&bench, "/api/notifications", stranger).await, [] as [Value; 0]);
        }
        let retry = |id: &NotificationId| format!("/api/notifications/{id}/retry");
        for stranger in [&zoe, &ben] {
            bench.post(&retry(&own), stranger, json!({})).await.refused(404, "not_found");
        }
        bench.post(&retry(&operators), &mira, json!({})).await.refused(404, "not_found");
        bench.post(&retry(&operators), &boss, json!({})).await.refused(409, "conflict");
        bench.post(&retry(&NotificationId::new("none")), &boss, json!({})).await.refused(404, "not_found");
        let listed = bench.get("/api/notifications?state=parked", &mira).await.expect(200);
        assert_eq!(listed["items"][0]["reason"], "the subscriber answers 410: gone");
        assert!(!listed.to_string().contains("+4930"), "what was posted is not shown: {listed}");
        let again = bench.post(&retry(&own), &mira, json!({})).await.expect(200);
        assert_eq!(
            (&again["items"][0]["state"], &again["items"][0]["reason"]),
            (&json!("due"), &Value::Null)
        );
        let (event_id, call_id) = (&again["items"][0]["event_id"], &again["items"][0]["call_id"]);
        for which in [event_id, call_id].map(|id| id.as_str().expect("a text")) {
            refused(&bench, &own).await;
            let path = format!("/api/notifications/{which}/retry");
            for stranger in [&zoe, &ben] {
                bench.post(&path, stranger, json!({})).await.refused(404, "not_found");
            }
            let again = bench.post(&path, &mira, json!({})).await.expect(200);
            assert_eq!(
                (again["items"].as_array().map(Vec::len), &again["items"][0]["id"]),
                (Some(1), &json!(own))
            );
            bench.post(&path, &mira, json!({})).await.refused(409, "conflict");
        }
        let entries = bench.get("/api/audit", &mira).await.expect(200);
        let entries = entries["items"].as_array().expect("a list");
        assert!(entries.iter().any(|entry| entry["action"] == "notification.retry"), "{entries:?}");
        bench.get("/api/notifications?state=lost", &mira).await.refused(422, "invalid");
        bench.stop().await;
    });
}
