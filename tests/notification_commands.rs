//! `clearline notifications` as the operator types it.

use std::path::Path;
use std::process::{Command, Output};

use clearline::clock;
use clearline::crm::notifications::{Event, Settlement};
use clearline::domain::{
    CallRecord, CrmCallId, Direction, NodeId, NotificationId, PhoneNumber, Secret, StartId, Subscriber,
    SubscriberName,
};
use clearline::store::{COLLECTIONS, Notifications, Outbox, embedded};
use serde_json::{Value, json};

fn notifications(store: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
    let path = format!("store.path={}", store.display());
    command.arg("notifications").args(arguments).args(["--set", &path]).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn document(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("--json prints one document")
}

/// That a call began, which its subscriber did not want to hear. With the call's name in the CRM.
async fn park(store: &Path) -> (NotificationId, CrmCallId) {
    let opened = embedded::open(store, COLLECTIONS, clock::unix_time).expect("a store");
    let number = || PhoneNumber::new("+4930123456");
    let (id, now) = (clock::new_call_id(), clock::unix_time());
    let call = CallRecord::started(id, Direction::Inbound, number(), number(), now);
    let to = Subscriber::to(SubscriberName::new("warehouse"), "https://w".into(), Secret::new("whsec_"));
    let event = Event::of_record(&call).next().expect("it has begun");
    let run = (NodeId::new("n"), StartId::new("s"));
    let name = Outbox::new(opened.clone()).open(&call, run.clone()).await.expect("an upload");
    let notification = event.for_subscriber(&to, &call, run);
    let (id, notifications) = (notification.id.clone(), Notifications::new(opened));
    notifications.add(notification).await.expect("a notification");
    refuse(store, &id).await;
    (id, name)
}

async fn refuse(store: &Path, id: &NotificationId) {
    let notifications =
        Notifications::new(embedded::open(store, COLLECTIONS, clock::unix_time).expect("a store"));
    let refused = Settlement::Refused { why: "the subscriber answers 410: gone".into() };
    notifications.settle(id, &refused).await.expect("a notification").expect("it is there");
}

#[tokio::test]
async fn i10_what_is_parked_is_listed_and_tried_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = folder.path().join("clearline.db");
    assert_eq!(text(&notifications(&store, &["list"]).stdout), "nothing waits for a subscriber\n");
    let (id, name) = park(&store).await;
    let listed = text(&notifications(&store, &["list"]).stdout);
    assert!(listed.contains(id.as_str()) && listed.contains("answers 410: gone"), "{listed}");
    assert!(!listed.contains("+4930"), "{listed}");
    let retried = document(&notifications(&store, &["retry", id.as_str(), "--json"]));
    let expected = (&json!("warehouse"), &json!("call.started"), &json!("due"), &Value::Null);
    let found =
        (&retried[0]["subscriber"], &retried[0]["event"], &retried[0]["state"], &retried[0]["reason"]);
    assert_eq!(found, expected);
    let again = notifications(&store, &["retry", id.as_str()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("only what is parked is tried again"), "{}", text(&again.stderr));
    let [event, call] = ["event_id", "call_id"].map(|member| retried[0][member].as_str().expect("a text"));
    for which in [event, call, name.as_str()] {
        refuse(&store, &id).await;
        let again = document(&notifications(&store, &["retry", which, "--json"]));
        assert_eq!((again.as_array().map(Vec::len), &again[0]["id"]), (Some(1), &json!(id)), "{which}");
        let again = notifications(&store, &["retry", which]);
        assert!(text(&again.stderr).contains("only what is parked"), "{}", text(&again.stderr));
    }
    let unknown = notifications(&store, &["retry", "nothing"]);
    assert!(text(&unknown.stderr).contains("there is no notification"), "{}", text(&unknown.stderr));
    assert_eq!(document(&notifications(&store, &["retry", "all", "--json"])), json!([]));
    assert_eq!(document(&notifications(&store, &["list", "--state", "delivered", "--json"])), json!([]));
}
