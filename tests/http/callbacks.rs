//! Call-backs over HTTP (SPEC G3, O2).

use clearline::domain::{Role, ScheduledCallback, User};
use clearline::store::Callbacks;
use serde_json::{Value, json};

use crate::bench::{Bench, play};

async fn agree(bench: &Bench, id: &str, call: &str, owner: &User, due: &str) {
    let stored = json!({ "id": id, "session_id": call, "tenant_id": owner.tenant_id, "owner_id": owner.id, "due": due,
        "number": "+4930123456", "reason": "an offer", "asked_at": "2026-11-29T10:00:00Z", "revision": 2 });
    let callback: ScheduledCallback = serde_json::from_value(stored).expect("a call-back");
    Callbacks::new(bench.engine.store().clone()).put(&callback).await.expect("a store");
}

async fn ids(bench: &Bench, query: &str, token: &str) -> Vec<String> {
    let listed = bench.get(&format!("/api/callbacks{query}"), token).await.expect(200);
    let items = listed["items"].as_array().expect("a list");
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn o2_call_backs_are_seen_and_done_by_the_owner_of_their_call_and_its_admin_alone() {
    play(async {
        let bench = Bench::usual().await;
        let admin = bench.person("mira", Role::Admin, None).await;
        let agent = bench.person("ben", Role::Agent, admin.tenant_id.clone()).await;
        let stranger = bench.person("zoe", Role::Admin, None).await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let (mira, ben) = (bench.log_in("mira").await, bench.log_in("ben").await);
        agree(&bench, "b1", "c1", &agent, "2026-12-01T09:00:00Z").await;
        agree(&bench, "b2", "c2", &admin, "2026-12-02T09:00:00Z").await;
        agree(&bench, "b3", "c3", &stranger, "2026-12-03T09:00:00Z").await;
        assert_eq!(ids(&bench, "", &mira).await, ["b2", "b1"], "newest first");
        assert_eq!(ids(&bench, "", &ben).await, ["b1"]);
        assert!(ids(&bench, "", &boss).await.is_empty());
        for query in ["?call_id=c3", &format!("?owner_id={}", stranger.id)] {
            assert!(ids(&bench, query, &mira).await.is_empty(), "{query}");
        }
        let shown = bench.get("/api/callbacks/b1", &ben).await.expect(200);
        assert_eq!(
            (&shown["call_id"], &shown["number"], &shown["done"]),
            (&json!("c1"), &json!("+4930123456"), &json!(false))
        );
        for (id, token) in [("b2", &ben), ("b3", &mira), ("b1", &boss), ("none", &mira)] {
            let path = format!("/api/callbacks/{id}");
            bench.get(&path, token).await.refused(404, "not_found");
            bench.patch(&path, token, json!({ "done": true })).await.refused(404, "not_found");
        }
        let done = bench.patch("/api/callbacks/b1", &ben, json!({ "done": true })).await.expect(200);
        assert!(done["done"] == true && done["done_at"].is_string(), "{done}");
        let entries = bench.get("/api/audit", &ben).await.expect(200);
        assert!(
            entries["items"]
                .as_array()
                .expect("a list")
                .iter()
                .any(|entry| entry["action"] == "callback.change")
        );
        let again = bench.patch("/api/callbacks/b1", &mira, json!({ "done": false })).await.expect(200);
        assert_eq!((&again["done"], &again["done_at"]), (&json!(false), &Value::Null));
        bench.stop().await;
    });
}

#[test]
fn i1_call_backs_are_narrowed_by_owner_time_and_done_and_come_page_by_page() {
    play(async {
        let bench = Bench::usual().await;
        let admin = bench.person("mira", Role::Admin, None).await;
        let agent = bench.person("ben", Role::Agent, admin.tenant_id.clone()).await;
        let mira = bench.log_in("mira").await;
        agree(&bench, "b1", "c1", &admin, "2026-12-01T09:00:00Z").await;
        agree(&bench, "b2", "c2", &agent, "2026-12-02T09:00:00Z").await;
        agree(&bench, "b3", "c3", &admin, "2026-12-03T09:00:00Z").await;
        bench.patch("/api/callbacks/b3", &mira, json!({ "done": true })).await.expect(200);
        for (query, seen) in [
            (format!("?owner_id={}", agent.id), vec!["b2"]),
            ("?done=false".into(), vec!["b2", "b1"]),
            ("?done=true".into(), vec!["b3"]),
            ("?due_from=2026-12-02T10:00:00%2B01:00".into(), vec!["b3", "b2"]),
            ("?due_from=2026-12-01T10:00:00Z&due_before=2026-12-03T09:00:00Z".into(), vec!["b2"]),
            ("?call_id=c1".into(), vec!["b1"]),
        ] {
            assert_eq!(ids(&bench, &query, &mira).await, seen, "{query}");
        }
        let first = bench.get("/api/callbacks?limit=2", &mira).await.expect(200);
        let next = first["next"].as_str().expect("more").to_owned();
        assert_eq!(ids(&bench, &format!("?limit=2&after={next}"), &mira).await, ["b1"]);
        let refused = bench.get("/api/callbacks?due_from=soon", &mira).await.refused(422, "invalid");
        assert_eq!(refused["errors"][0]["field"], "due_from");
        bench.stop().await;
    });
}
