//! Google keys over HTTP (SPEC K1, K3, K9).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clearline::domain::Role;
use clearline::keys::KeyPool;
use serde_json::{Value, json};

use crate::bench::{Bench, play};

fn users_by_key(report: &Value) -> Vec<(Value, Value)> {
    let keys = report["keys"].as_array().expect("a list");
    keys.iter().map(|line| (line["key"].clone(), line["users"].clone())).collect()
}

fn line(key: &str, users: &[&str]) -> (Value, Value) {
    (json!(key), json!(users))
}

#[test]
fn k9_a_superadmin_sees_the_whole_pool_others_what_their_own_users_hold() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let admin = bench.person("mira", Role::Admin, None).await;
        bench.person("ben", Role::Agent, admin.tenant_id.clone()).await;
        let zoe = bench.token("zoe", Role::Admin, None).await;
        let (mira, ben) = (bench.log_in("mira").await, bench.log_in("ben").await);
        let before = bench.get("/api/keys", &boss).await.expect(200);
        assert_eq!(users_by_key(&before), [line("key-nu…1111", &[]), line("key-nu…2222", &[])]);
        assert_eq!(before["without_key"], json!(["mira", "ben", "zoe"]));
        assert_eq!(bench.get("/api/keys", &mira).await.expect(200)["without_key"], json!(["mira", "ben"]));
        let after = bench.post("/api/keys/assign", &boss, json!({})).await.expect(200);
        assert_eq!(
            users_by_key(&after),
            [line("key-nu…1111", &["mira", "zoe"]), line("key-nu…2222", &["ben"])]
        );
        let seen = bench.get("/api/keys", &zoe).await.expect(200);
        assert_eq!(users_by_key(&seen), [line("key-nu…1111", &["zoe"])]);
        let seen = bench.get("/api/keys", &ben).await.expect(200);
        assert_eq!(users_by_key(&seen), [line("key-nu…2222", &["ben"])]);
        assert!(!after.to_string().contains("aaaaaaaaaaaa"), "{after}");
        bench.stop().await;
    });
}

#[test]
fn k9_the_pool_is_a_superadmins_and_an_admin_may_give_its_own_user_another_key() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let admin = bench.person("mira", Role::Admin, None).await;
        let agent = bench.person("ben", Role::Agent, admin.tenant_id.clone()).await;
        let zoe = bench.token("zoe", Role::Admin, None).await;
        let (mira, ben) = (bench.log_in("mira").await, bench.log_in("ben").await);
        for token in [&mira, &ben] {
            bench.post("/api/keys/assign", token, json!({ "spread": true })).await.refused(403, "forbidden");
            bench.post("/api/keys/reload", token, json!({})).await.refused(403, "forbidden");
        }
        bench.post("/api/keys/assign", &boss, json!({ "spread": true })).await.expect(200);
        let before = bench.get("/api/keys", &ben).await.expect(200);
        let order = json!({ "user_id": agent.id });
        bench.post("/api/keys/reassign", &ben, order.clone()).await.refused(403, "forbidden");
        bench.post("/api/keys/reassign", &zoe, order.clone()).await.refused(404, "not_found");
        let unknown = json!({ "user_id": "nobody" });
        bench.post("/api/keys/reassign", &boss, unknown).await.refused(404, "not_found");
        let moved = bench.post("/api/keys/reassign", &mira, order).await.expect(200);
        assert_ne!(moved["key_hint"], before["keys"][0]["key"]);
        assert_eq!(bench.get("/api/keys", &ben).await.expect(200)["keys"][0]["key"], moved["key_hint"]);
        let me = bench.get("/api/me", &boss).await.expect(200);
        let refused = bench.post("/api/keys/reassign", &boss, json!({ "user_id": me["id"] })).await;
        assert_eq!(refused.refused(422, "invalid")["errors"][0]["field"], "user_id");
        bench.stop().await;
    });
}

#[test]
fn k9_without_another_key_nobody_is_moved() {
    play(async {
        let only = KeyPool::from_variables([("GOOGLE_API_KEY", "key-number-one-aaaaaaaaaaaa-1111")]);
        let bench = Bench::planned(|settings| settings.google_keys = only.expect("a good key")).await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let admin = bench.person("mira", Role::Admin, None).await;
        bench.post("/api/keys/assign", &boss, json!({})).await.expect(200);
        let order = json!({ "user_id": admin.id });
        bench.post("/api/keys/reassign", &boss, order).await.refused(409, "conflict");
        let report = bench.get("/api/keys", &boss).await.expect(200);
        assert_eq!(users_by_key(&report), [line("key-nu…1111", &["mira"])]);
        bench.stop().await;
    });
}

#[test]
fn k9_where_two_variables_have_the_same_key_nobody_is_moved_and_the_second_is_named() {
    play(async {
        let same =
            ["GOOGLE_API_KEY", "GOOGLE_API_KEY_2"].map(|name| (name, "key-number-one-aaaaaaaaaaaa-1111"));
        let pool = KeyPool::from_variables(same).expect("good keys");
        let bench = Bench::planned(|settings| settings.google_keys = pool).await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let admin = bench.person("mira", Role::Admin, None).await;
        bench.post("/api/keys/assign", &boss, json!({})).await.expect(200);
        let order = json!({ "user_id": admin.id });
        let refused = bench.post("/api/keys/reassign", &boss, order).await.refused(409, "conflict");
        let detail = refused["detail"].as_str().expect("text");
        assert!(detail.contains("GOOGLE_API_KEY_2 repeats"), "{detail}");
        bench.stop().await;
    });
}

#[test]
fn k1_the_pool_is_read_again_and_a_mistake_there_changes_nothing() {
    play(async {
        let is_mended = Arc::new(AtomicBool::new(false));
        let mended = is_mended.clone();
        let load = move || {
            let keys = [
                ("GOOGLE_API_KEY", "key-number-one-aaaaaaaaaaaa-1111"),
                ("GOOGLE_API_KEY_3", "key-number-three-ccccccccc-3333"),
            ];
            let pool = KeyPool::from_variables(keys).map_err(|error| error.to_string());
            if mended.load(Ordering::Relaxed) { pool } else { Err("GOOGLE_API_KEY_3 is too long".into()) }
        };
        let bench = Bench::with_keys_from(Arc::new(load)).await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let refused = bench.post("/api/keys/reload", &boss, Value::Null).await.refused(409, "conflict");
        assert!(refused["detail"].as_str().expect("text").contains("GOOGLE_API_KEY_3"), "{refused}");
        let hints = async || {
            let report = bench.get("/api/keys", &boss).await.expect(200);
            users_by_key(&report).into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        assert_eq!(hints().await, ["key-nu…1111", "key-nu…2222"]);
        is_mended.store(true, Ordering::Relaxed);
        let read = bench.post("/api/keys/reload", &boss, Value::Null).await.expect(200);
        assert_eq!(read["keys"], 2);
        let entries = bench.get("/api/audit", &boss).await.expect(200);
        let entry = &entries["items"][0];
        assert_eq!((&entry["action"], &entry["by"]["name"]), (&json!("key.reload"), &json!("boss")));
        assert_eq!((&entry["detail"]["keys"], &entry["state"]), (&json!("2"), &json!("done")));
        assert_eq!(hints().await, ["key-nu…1111", "key-nu…3333"]);
        bench.stop().await;
    });
}
