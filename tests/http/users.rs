//! Users over HTTP (SPEC O1, O2, K2).

use clearline::domain::Role;
use reqwest::header::LOCATION;
use serde_json::{Value, json};

use crate::bench::{Bench, play};

fn id(user: &Value) -> &str {
    user["id"].as_str().expect("an id")
}

#[test]
fn o1_a_superadmin_adds_admins_and_an_admin_adds_its_agents() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let add = |name: &str, role: &str| json!({ "name": name, "role": role, "password": crate::bench::PASSWORD });
        let mira = bench.post("/api/users", &boss, add("mira", "admin")).await;
        let address = mira.headers[LOCATION].to_str().expect("text").to_owned();
        let mira = mira.expect(201);
        assert_eq!(bench.get(&address, &boss).await.expect(200), mira["user"]);
        assert_eq!(mira["user"]["tenant_id"], mira["user"]["id"]);
        assert!(mira["one_time_password"].is_null(), "one was chosen");
        bench.post("/api/users", &boss, add("ben", "agent")).await.refused(403, "forbidden");
        let miras = bench.log_in("mira").await;
        let ben = bench.post("/api/users", &miras, add("ben", "agent")).await.expect(201);
        assert_eq!(ben["user"]["tenant_id"], mira["user"]["id"]);
        let bens = bench.log_in("ben").await;
        for role in ["agent", "admin", "superadmin"] {
            bench.post("/api/users", &bens, add("zoe", role)).await.refused(403, "forbidden");
        }
        bench.post("/api/users", &miras, add("boss", "agent")).await.refused(409, "conflict");
        bench.stop().await;
    });
}

#[test]
fn k2_each_gets_a_key_of_its_own_and_nobody_sees_it_whole() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let mut hints = Vec::new();
        for name in ["ada", "ben"] {
            let added =
                bench.post("/api/users", &boss, json!({ "name": name, "role": "admin" })).await.expect(201);
            hints.push(added["user"]["key_hint"].as_str().expect("a key").to_owned());
        }
        assert_eq!(hints, ["key-nu…1111", "key-nu…2222"]);
        let listed = bench.get("/api/users", &boss).await.expect(200).to_string();
        assert!(!listed.contains("aaaaaaaaaaaa") && !listed.contains("argon2"), "{listed}");
        bench.stop().await;
    });
}

#[test]
fn o2_nobody_sees_or_changes_the_users_of_another_tenant() {
    play(async {
        let bench = Bench::usual().await;
        let mira = bench.person("mira", Role::Admin, None).await;
        let ben = bench.person("ben", Role::Agent, mira.tenant_id.clone()).await;
        let stranger = bench.token("zoe", Role::Admin, None).await;
        for path in [format!("/api/users/{}", mira.id), format!("/api/users/{}", ben.id)] {
            bench.get(&path, &stranger).await.refused(404, "not_found");
            bench.patch(&path, &stranger, json!({ "enabled": false })).await.refused(404, "not_found");
            bench.delete(&path, &stranger).await.refused(404, "not_found");
        }
        let listed = bench.get("/api/users", &stranger).await.expect(200);
        assert_eq!(listed["items"].as_array().expect("a list").len(), 1, "herself");
        bench.stop().await;
    });
}

#[test]
fn o1_a_disabled_user_is_out_at_once_and_can_be_let_in_again() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let miras = bench.token("mira", Role::Admin, None).await;
        let me = bench.get("/api/me", &miras).await.expect(200);
        let path = format!("/api/users/{}", id(&me));
        let disabled = bench.patch(&path, &boss, json!({ "enabled": false })).await.expect(200);
        assert_eq!(
            (&disabled["user"]["enabled"], &disabled["user"]["key_hint"]),
            (&json!(false), &Value::Null)
        );
        bench.get("/api/me", &miras).await.refused(401, "not_logged_in");
        let enabled = bench.patch(&path, &boss, json!({ "enabled": true })).await.expect(200);
        assert_eq!(enabled["user"]["enabled"], true);
        assert!(enabled["user"]["key_hint"].is_string());
        bench.log_in("mira").await;
        bench.stop().await;
    });
}

#[test]
fn i1_users_come_page_by_page_and_each_once() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        for number in 0..5 {
            bench.person(&format!("admin-{number}"), Role::Admin, None).await;
        }
        let (mut names, mut path) = (Vec::new(), "/api/users?limit=2".to_owned());
        loop {
            let page = bench.get(&path, &boss).await.expect(200);
            let items = page["items"].as_array().expect("a list");
            names.extend(items.iter().map(|user| user["name"].as_str().expect("a name").to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/api/users?limit=2&after={next}");
        }
        assert_eq!(names, ["boss", "admin-0", "admin-1", "admin-2", "admin-3", "admin-4"]);
        for limit in ["0", "201", "-1", "many"] {
            let refused =
                bench.get(&format!("/api/users?limit={limit}"), &boss).await.refused(422, "invalid");
            assert_eq!(refused["errors"][0]["field"], "limit");
        }
        bench.stop().await;
    });
}

#[test]
fn o1_the_agents_of_an_admin_who_was_disabled_go_on_and_whoever_disables_it_is_told() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let mira = bench.person("mira", Role::Admin, None).await;
        let ben = bench.token("ben", Role::Agent, Some(&mira)).await;
        let disabled = json!({ "enabled": false });
        let changed = bench.patch(&format!("/api/users/{}", mira.id), &boss, disabled).await.expect(200);
        assert!(changed["warnings"][0].as_str().is_some_and(|told| told.contains("(ben)")), "{changed}");
        bench.get("/api/me", &ben).await.expect(200);
        bench.log_in("ben").await;
        bench.stop().await;
    });
}
