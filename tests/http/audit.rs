//! The audit log over HTTP (SPEC O4).

use clearline::domain::Role;
use serde_json::{Value, json};

use crate::bench::{Bench, play};

/// Actions, newest first, that this person may see.
async fn actions(bench: &Bench, path: &str, token: &str) -> Vec<String> {
    let listed = bench.get(path, token).await.expect(200);
    let items = listed["items"].as_array().expect("a list");
    items.iter().map(|entry| entry["action"].as_str().expect("an action").to_owned()).collect()
}

#[test]
fn o4_a_change_is_told_with_who_made_it_and_never_what_was_secret() {
    play(async {
        let bench = Bench::usual().await;
        let mira = bench.token("mira", Role::Admin, None).await;
        let add = json!({ "name": "ben", "role": "agent", "password": crate::bench::PASSWORD });
        let ben = bench.post("/api/users", &mira, add).await.expect(201);
        let listed = bench.get("/api/audit", &mira).await.expect(200);
        let entry = |action: &str| {
            let entries = listed["items"].as_array().expect("a list").iter();
            entries.clone().find(|entry| entry["action"] == action).cloned().unwrap_or_default()
        };
        let added = entry("user.add");
        assert_eq!((&added["by"]["kind"], &added["by"]["name"]), (&json!("user"), &json!("mira")));
        let expected = json!({ "collection": "users", "id": ben["user"]["id"], "name": "ben" });
        assert_eq!(added["subject"], expected);
        assert_eq!((&added["effect"], &added["state"]), (&json!("made"), &json!("done")));
        assert_eq!(entry("key.assign")["detail"]["key"], "key-nu…1111");
        let text = listed.to_string();
        assert!(!text.contains(crate::bench::PASSWORD) && !text.contains("aaaaaaaaaaaa"), "{text}");
        let path = format!("/api/audit?subject_id={}", ben["user"]["id"].as_str().expect("an id"));
        assert_eq!(actions(&bench, &path, &mira).await, ["key.assign", "user.add"]);
        bench.stop().await;
    });
}

#[test]
fn o2_an_admin_reads_its_tenants_entries_an_agent_its_own_doings_a_superadmin_all() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let admin = bench.person("mira", Role::Admin, None).await;
        let ben = bench.token("ben", Role::Agent, Some(&admin)).await;
        let zoe = bench.token("zoe", Role::Admin, None).await;
        let mira = bench.log_in("mira").await;
        let made = bench.post("/api/voice_agents", &mira, json!({ "name": "Desk" })).await.expect(201);
        let path = format!("/api/audit?subject_id={}", made["id"].as_str().expect("an id"));
        for (token, seen) in [(&mira, 1), (&boss, 1), (&zoe, 0), (&ben, 0)] {
            assert_eq!(actions(&bench, &path, token).await.len(), seen);
        }
        let of_zoe = bench.get("/api/audit", &zoe).await.expect(200).to_string();
        assert!(!of_zoe.contains("mira") && !of_zoe.contains("Desk"), "{of_zoe}");
        assert!(
            actions(&bench, "/api/audit", &ben).await.is_empty(),
            "what was done to it is its admin's to read"
        );
        let token = bench.post("/api/me/tokens", &ben, json!({ "name": "report" })).await.expect(201);
        assert_eq!(actions(&bench, "/api/audit", &ben).await.len(), 1);
        let about = format!("/api/audit?subject_id={}", token["id"].as_str().expect("an id"));
        for (token, seen) in [(&ben, 1), (&mira, 1), (&zoe, 0)] {
            assert_eq!(actions(&bench, &about, token).await.len(), seen);
        }
        bench.stop().await;
    });
}

#[test]
fn i1_audit_entries_come_page_by_page_newest_first_and_each_once() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        for name in ["one", "two", "three"] {
            bench.post("/api/voice_agents", &boss, json!({ "name": name })).await.expect(201);
        }
        let (mut subjects, mut path) = (Vec::new(), "/api/audit?limit=2".to_owned());
        loop {
            let page = bench.get(&path, &boss).await.expect(200);
            let items = page["items"].as_array().expect("a list");
            subjects.extend(items.iter().map(|entry| entry["subject"]["name"].clone()));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/api/audit?limit=2&after={next}");
        }
        let expected: Vec<Value> = ["three", "two", "one"].map(Value::from).into();
        assert_eq!(subjects[..3], expected);
        bench.stop().await;
    });
}
