//! Calls on their way to the CRM, over HTTP (SPEC U5, U7, O2, O4).

use clearline::clock;
use clearline::crm::{Outcome, Settled, Step, Upload};
use clearline::domain::{
    CallRecord, Direction, NodeId, Outcome as CallOutcome, PhoneNumber, Role, StartId, User,
};
use clearline::store::Outbox;
use serde_json::{Value, json};

use crate::bench::{Bench, play};

/// A call of this owner's that is over, whose call data the CRM has refused.
async fn parked(bench: &Bench, owner: &User) -> Upload {
    let upload = ended(bench, owner).await;
    let refused = Outcome::Refused { why: "the CRM answers 422: no such campaign".into() };
    let settled = Settled { step: Step::CallData, sent_url: None, unsent: None, outcome: refused };
    outbox(bench).settle(&upload.session_id, &settled).await.expect("a store").expect("an upload")
}

async fn ended(bench: &Bench, owner: &User) -> Upload {
    let number = || PhoneNumber::new("+4930123456");
    let now = clock::unix_time();
    let mut call = CallRecord::started(clock::new_call_id(), Direction::Inbound, number(), number(), now);
    call.owner_id = Some(owner.id.clone());
    call.tenant_id.clone_from(&owner.tenant_id);
    call.outcome = Some(CallOutcome::Completed);
    call.recording_filename = Some("x.ogg".into());
    bench.engine.calls().insert(&call).await.expect("a call");
    let run = (NodeId::new("another engine"), StartId::new("another start"));
    outbox(bench).open(&call, run).await.expect("a store");
    outbox(bench).end(&call.session_id, true).await.expect("a store").expect("an upload")
}

fn outbox(bench: &Bench) -> Outbox {
    Outbox::new(bench.engine.store().clone())
}

async fn ids(bench: &Bench, path: &str, token: &str) -> Vec<Value> {
    let listed = bench.get(path, token).await.expect(200);
    listed["items"].as_array().expect("a list").iter().map(|item| item["call_id"].clone()).collect()
}

#[test]
fn u5_what_is_parked_is_seen_by_its_admin_and_tried_again_with_an_audit_entry() {
    play(async {
        let bench = Bench::usual().await;
        let admin = bench.person("mira", Role::Admin, None).await;
        let agent = bench.person("ben", Role::Agent, admin.tenant_id.clone()).await;
        let zoe = bench.token("zoe", Role::Admin, None).await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let (mira, ben) = (bench.log_in("mira").await, bench.log_in("ben").await);
        let (parked, due) = (parked(&bench, &agent).await, ended(&bench, &admin).await);
        let call = |upload: &Upload| json!(upload.session_id);
        assert_eq!(ids(&bench, "/api/uploads", &mira).await, [call(&due), call(&parked)], "newest first");
        assert_eq!(ids(&bench, "/api/uploads?state=parked", &boss).await, [call(&parked)]);
        assert_eq!(ids(&bench, "/api/uploads?limit=1", &mira).await, [call(&due)]);
        for stranger in [&zoe, &ben] {
            assert_eq!(ids(&bench, "/api/uploads", stranger).await, [] as [Value; 0]);
        }
        let retry = |id: &str| format!("/api/uploads/{id}/retry");
        for stranger in [&zoe, &ben] {
            bench.post(&retry(&parked.id), stranger, json!({})).await.refused(404, "not_found");
        }
        bench.post(&retry(due.session_id.as_str()), &mira, json!({})).await.refused(409, "conflict");
        let again = bench.post(&retry(parked.crm_call_id.as_str()), &mira, json!({})).await.expect(200);
        assert_eq!((&again["state"], &again["reason"]), (&json!("due"), &Value::Null));
        let entries = bench.get("/api/audit", &mira).await.expect(200);
        let actions: Vec<_> = entries["items"].as_array().expect("a list").iter().collect();
        assert!(actions.iter().any(|entry| entry["action"] == "upload.retry"), "{entries}");
        bench.get("/api/uploads?state=lost", &mira).await.refused(422, "invalid");
        bench.stop().await;
    });
}

#[test]
fn u7_a_recording_without_an_entry_is_reported_and_a_call_is_found_by_its_name_in_the_crm() {
    play(async {
        let bench = Bench::usual().await;
        let admin = bench.person("mira", Role::Admin, None).await;
        let (mira, zoe) = (bench.log_in("mira").await, bench.token("zoe", Role::Admin, None).await);
        let upload = parked(&bench, &admin).await;
        let report = bench.get("/api/uploads/report", &mira).await.expect(200);
        let line = &report["items"][0];
        assert_eq!((&line["call_id"], &line["state"]), (&json!(upload.session_id), &json!("parked")));
        assert_eq!(line["reason"], "the CRM answers 422: no such campaign");
        assert_eq!(ids(&bench, "/api/uploads/report", &zoe).await, [] as [Value; 0]);
        let path = format!("/api/calls/{}", upload.crm_call_id);
        assert_eq!(bench.get(&path, &mira).await.expect(200)["id"], json!(upload.session_id));
        bench.get(&path, &zoe).await.refused(404, "not_found");
        let retry = format!("/api/uploads/{}/retry", upload.id);
        bench.post(&retry, &mira, json!({})).await.expect(200);
        for (step, url) in [(Step::Recording, Some("https://crm/1")), (Step::CallData, None)] {
            outbox(&bench).settle(&upload.session_id, &taken(step, url)).await.expect("a store");
        }
        assert_eq!(ids(&bench, "/api/uploads/report", &mira).await, [] as [Value; 0]);
        bench.stop().await;
    });
}

fn taken(step: Step, url: Option<&str>) -> Settled {
    let sent_url = (step == Step::CallData).then(|| "https://crm/1".to_owned());
    Settled { step, sent_url, unsent: None, outcome: Outcome::Taken { url: url.map(str::to_owned) } }
}
