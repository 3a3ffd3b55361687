//! Leads over HTTP (SPEC U3, O2).

use clearline::domain::{CallId, Lead, LeadId, Role, User};
use clearline::store::Leads;
use serde_json::{Value, json};

use crate::bench::{Bench, play};

async fn bring(bench: &Bench, id: &str, call: &str, owner: &User) {
    let fields = json!({ "name": "Eve", "phone": "+4930123456" });
    let Value::Object(fields) = fields else { panic!("an object") };
    let lead = Lead {
        id: LeadId::new(id),
        session_id: CallId::new(call),
        tenant_id: owner.tenant_id.clone(),
        owner_id: Some(owner.id.clone()),
        voice_agent_id: None,
        campaign_id: None,
        revision: 0,
        additions: 0,
        fields,
    };
    Leads::new(bench.engine.store().clone()).insert(lead).await.expect("a lead");
}

async fn ids(bench: &Bench, path: &str, token: &str) -> Vec<String> {
    let listed = bench.get(path, token).await.expect(200);
    let items = listed["items"].as_array().expect("a list");
    items.iter().map(|lead| lead["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn o2_leads_are_seen_by_the_owner_of_their_call_and_its_admin_alone() {
    play(async {
        let bench = Bench::usual().await;
        let admin = bench.person("mira", Role::Admin, None).await;
        let agent = bench.person("ben", Role::Agent, admin.tenant_id.clone()).await;
        let stranger = bench.person("zoe", Role::Admin, None).await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        bring(&bench, "l1", "c1", &agent).await;
        bring(&bench, "l2", "c1", &agent).await;
        bring(&bench, "l3", "c2", &admin).await;
        bring(&bench, "l4", "c3", &stranger).await;
        let (mira, ben) = (bench.log_in("mira").await, bench.log_in("ben").await);
        assert_eq!(ids(&bench, "/api/leads", &mira).await, ["l3", "l2", "l1"], "newest first");
        assert_eq!(ids(&bench, "/api/leads", &ben).await, ["l2", "l1"]);
        assert!(ids(&bench, "/api/leads", &boss).await.is_empty());
        for (call, seen) in [("c1", vec!["l2", "l1"]), ("c3", vec![]), ("c9", vec![])] {
            assert_eq!(ids(&bench, &format!("/api/leads?call_id={call}"), &mira).await, seen, "{call}");
        }
        assert!(ids(&bench, "/api/leads?call_id=c1", &boss).await.is_empty());
        let lead = bench.get("/api/leads/l1", &ben).await.expect(200);
        assert_eq!((&lead["call_id"], &lead["fields"]["name"]), (&json!("c1"), &json!("Eve")));
        for (path, token) in [("/api/leads/l3", &ben), ("/api/leads/l4", &mira), ("/api/leads/l1", &boss)] {
            bench.get(path, token).await.refused(404, "not_found");
        }
        bench.stop().await;
    });
}

#[test]
fn i1_leads_come_page_by_page() {
    play(async {
        let bench = Bench::usual().await;
        let admin = bench.person("mira", Role::Admin, None).await;
        for id in ["l1", "l2", "l3"] {
            bring(&bench, id, "c1", &admin).await;
        }
        let mira = bench.log_in("mira").await;
        for filter in ["", "&call_id=c1"] {
            let first = bench.get(&format!("/api/leads?limit=2{filter}"), &mira).await.expect(200);
            let next = first["next"].as_str().expect("more").to_owned();
            let rest = ids(&bench, &format!("/api/leads?limit=2&after={next}{filter}"), &mira).await;
            assert_eq!(rest, ["l1"], "{filter}");
        }
        let refused = bench.get("/api/leads?colour=red", &mira).await.refused(422, "invalid");
        assert_eq!(refused["errors"][0]["field"], "colour");
        bench.stop().await;
    });
}
