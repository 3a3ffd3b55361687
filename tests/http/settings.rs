//! Settings that change while the engine runs.

use std::time::Duration;

use clearline::config::Settings;
use clearline::domain::Role;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::bench::{Bench, play};

/// Nothing that is waited for here takes this long.
const SAFETY_LIMIT: Duration = Duration::from_secs(60);

const PATH: &str = "/api/settings";

fn setting(settings: &Value, name: &str) -> Value {
    let mut items = settings["items"].as_array().expect("a list").iter();
    items.find(|setting| setting["name"] == name).cloned().unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn a_setting_tells_its_value_where_it_comes_from_and_what_it_may_be() {
    play(async {
        let bench = Bench::planned(|settings| settings.calls.max_calls = 7).await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let at_first = bench.get(PATH, &boss).await.expect(200);
        let expected = json!({
            "name": "calls.max_calls", "value": 7, "source": "configured", "configured": 7,
            "minimum": 1, "maximum": 100_000
        });
        assert_eq!(setting(&at_first, "calls.max_calls"), expected);
        assert_eq!(setting(&at_first, "log.level")["source"], "default");
        let change = json!({ "calls.max_calls": 9, "log.level": "debug" });
        let changed = bench.patch(PATH, &boss, change).await.expect(200);
        let max_calls = setting(&changed, "calls.max_calls");
        let told = (&max_calls["value"], &max_calls["source"], &max_calls["configured"]);
        assert_eq!(told, (&json!(9), &json!("stored"), &json!(7)));
        assert_eq!(setting(&changed, "log.level")["value"], "debug");
        let taken_away = bench.patch(PATH, &boss, json!({ "calls.max_calls": null })).await.expect(200);
        assert_eq!(setting(&taken_away, "calls.max_calls"), expected);
        assert_eq!(setting(&taken_away, "log.level")["source"], "stored", "what was left out stays");
        assert_eq!(bench.get(PATH, &boss).await.expect(200), taken_away);
        let entries = bench.get("/api/audit?subject_id=run_time", &boss).await.expect(200);
        assert_eq!(entries["items"][0]["detail"]["values"], "calls.max_calls as configured");
        assert_eq!(entries["items"][1]["detail"]["values"], "calls.max_calls = 9, log.level = \"debug\"");
        assert_eq!(entries["items"][1]["state"], "done");
        bench.stop().await;
    });
}

#[test]
fn settings_are_a_superadmins_and_have_the_bounds_they_have_at_the_start() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let admin = bench.person("mira", Role::Admin, None).await;
        let (mira, ben) = (bench.log_in("mira").await, bench.token("ben", Role::Agent, Some(&admin)).await);
        for token in [&mira, &ben] {
            bench.get(PATH, token).await.refused(403, "forbidden");
            bench.patch(PATH, token, json!({ "calls.max_calls": 9 })).await.refused(403, "forbidden");
        }
        let me = bench.get("/api/me", &boss).await.expect(200);
        for (change, field) in [
            (json!({ "calls.max_calls": 0 }), "calls.max_calls"),
            (json!({ "calls.max_calls": "many" }), "calls.max_calls"),
            (json!({ "http.requests_per_s": 1_000_001 }), "http.requests_per_s"),
            (json!({ "keys.sessions_per_project": -1 }), "keys.sessions_per_project"),
            (json!({ "log.level": "loud" }), "log.level"),
            (json!({ "sip.listen": "0.0.0.0:5060" }), "sip.listen"),
            (json!({ "calls.default_owner_id": "nobody" }), "calls.default_owner_id"),
            (json!({ "calls.default_owner_id": me["id"] }), "calls.default_owner_id"),
        ] {
            let refused = bench.patch(PATH, &boss, change.clone()).await.refused(422, "invalid");
            assert_eq!(refused["errors"][0]["field"], field, "{change}");
        }
        let owned = bench.patch(PATH, &boss, json!({ "calls.default_owner_id": "mira" })).await.expect(200);
        assert_eq!(setting(&owned, "calls.default_owner_id")["value"], "mira");
        bench.stop().await;
    });
}

#[test]
fn s4_a_client_is_slowed_down_from_the_moment_a_limit_is_set() {
    play(async {
        let bench = Bench::planned(|settings| settings.http.requests_per_s = 0).await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        for _ in 0..20 {
            bench.get("/health", "").await.expect(200);
        }
        bench.patch(PATH, &boss, json!({ "http.requests_per_s": 1 })).await.expect(200);
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(bench.get("/health", "").await.status.as_u16());
        }
        assert!(statuses.contains(&429), "{statuses:?}");
        bench.stop().await;
    });
}

#[test]
fn what_was_set_reaches_the_other_engines_of_the_store_and_outlasts_a_restart() {
    play(async {
        let bench = Bench::usual().await;
        let without_limit = |settings: &mut Settings| settings.http.requests_per_s = 0;
        let other = bench.another_engine(without_limit).await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        bench.patch(PATH, &boss, json!({ "calls.max_calls": 9 })).await.expect(200);
        let reached = async {
            while setting(&other.get(PATH, &boss).await.expect(200), "calls.max_calls")["value"] != 9 {}
        };
        timeout(SAFETY_LIMIT, reached).await.expect("the other engine hears of it");
        other.stop().await;
        let again = bench.another_engine(|settings| settings.calls.max_calls = 7).await;
        let max_calls = setting(&again.get(PATH, &boss).await.expect(200), "calls.max_calls");
        let told = (&max_calls["value"], &max_calls["configured"], &max_calls["source"]);
        assert_eq!(told, (&json!(9), &json!(7), &json!("stored")));
        again.stop().await;
        bench.stop().await;
    });
}

#[test]
fn changes_of_the_same_instant_are_all_kept() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let set = async |change: Value| drop(bench.patch(PATH, &boss, change).await.expect(200));
        tokio::join!(
            set(json!({ "calls.max_calls": 9 })),
            set(json!({ "keys.sessions_per_project": 3 })),
            set(json!({ "keys.reserved_for_holder": 2 })),
        );
        let settings = bench.get(PATH, &boss).await.expect(200);
        let names = ["calls.max_calls", "keys.sessions_per_project", "keys.reserved_for_holder"];
        assert_eq!(names.map(|name| setting(&settings, name)["value"].clone()), [9, 3, 2].map(Value::from));
        bench.stop().await;
    });
}

#[test]
fn k6_no_more_sessions_are_kept_free_than_there_are() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        bench.patch("/api/settings", &boss, json!({ "keys.reserved_for_holder": 4 })).await.expect(200);
        let fewer = bench.patch("/api/settings", &boss, json!({ "keys.sessions_per_project": 3 })).await;
        let refused = fewer.refused(422, "invalid");
        assert_eq!(refused["errors"][0]["field"], "keys.reserved_for_holder");
        assert!(refused["detail"].as_str().is_some_and(|told| told.contains("keys.sessions_per_project")));
        bench.patch("/api/settings", &boss, json!({ "keys.sessions_per_project": 0 })).await.expect(200);
        bench.stop().await;
    });
}
