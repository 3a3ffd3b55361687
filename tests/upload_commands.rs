//! `clearline uploads` as the operator types it.

use std::path::Path;
use std::process::{Command, Output};

use clearline::clock;
use clearline::crm::{Outcome, Settled, Step, Upload};
use clearline::domain::{CallRecord, Direction, NodeId, Outcome as CallOutcome, PhoneNumber, StartId};
use clearline::store::{COLLECTIONS, Calls, Outbox, embedded};
use serde_json::{Value, json};

fn uploads(store: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
    let path = format!("store.path={}", store.display());
    command.arg("uploads").args(arguments).args(["--set", &path]).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn document(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("--json prints one document")
}

/// A call with a recording, whose call data the CRM has refused.
async fn park(store: &Path) -> Upload {
    let store = embedded::open(store, COLLECTIONS, clock::unix_time).expect("a store");
    let number = || PhoneNumber::new("+4930123456");
    let now = clock::unix_time();
    let mut call = CallRecord::started(clock::new_call_id(), Direction::Inbound, number(), number(), now);
    call.outcome = Some(CallOutcome::Completed);
    call.recording_filename = Some("x.ogg".into());
    Calls::new(store.clone()).insert(&call).await.expect("a call");
    let outbox = Outbox::new(store);
    outbox.open(&call, (NodeId::new("n"), StartId::new("s"))).await.expect("an upload");
    outbox.end(&call.session_id, true).await.expect("an upload");
    let refused = Outcome::Refused { why: "the CRM answers 422: no such campaign".into() };
    let settled = Settled { step: Step::CallData, sent_url: None, unsent: None, outcome: refused };
    outbox.settle(&call.session_id, &settled).await.expect("an upload").expect("it is there")
}

#[tokio::test]
async fn u5_what_is_parked_is_listed_reported_and_tried_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = folder.path().join("clearline.db");
    assert_eq!(text(&uploads(&store, &["list"]).stdout), "nothing waits for the CRM\n");
    assert_eq!(text(&uploads(&store, &["report"]).stdout), "every recording has its entry in the CRM\n");
    let parked = park(&store).await;
    let name = parked.crm_call_id.as_str();
    let listed = text(&uploads(&store, &["list"]).stdout);
    assert!(listed.contains(name) && listed.contains("no such campaign"), "{listed}");
    let report = document(&uploads(&store, &["report", "--json"]));
    assert_eq!((&report[0]["call_id"], &report[0]["state"]), (&json!(parked.session_id), &json!("parked")));
    let retried = document(&uploads(&store, &["retry", name, "--json"]));
    assert_eq!((&retried[0]["crm_call_id"], &retried[0]["state"]), (&json!(name), &json!("due")));
    let again = uploads(&store, &["retry", name]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("only what is parked is tried again"), "{}", text(&again.stderr));
    let unknown = uploads(&store, &["retry", "nobody"]);
    assert!(text(&unknown.stderr).contains("there is no upload"), "{}", text(&unknown.stderr));
    assert_eq!(document(&uploads(&store, &["retry", "all", "--json"])), json!([]));
}
