//! Voice agents over HTTP (SPEC G2, O2).

use clearline::domain::{Role, VoiceAgent, VoiceAgentId};
use clearline::store::VoiceAgents;
use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::{ETAG, IF_MATCH, LOCATION};
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, answer, play};

fn path(voice_agent: &Value) -> String {
    format!("/api/voice_agents/{}", voice_agent["id"].as_str().expect("an id"))
}

async fn if_match(bench: &Bench, method: Method, path: &str, token: &str, tag: &str, body: Value) -> Answer {
    let request = bench.client.request(method, bench.url(path)).bearer_auth(token);
    answer(request.header(IF_MATCH, tag).json(&body)).await
}

#[test]
fn g2_an_admin_adds_changes_and_removes_its_tenants_voice_agents() {
    play(async {
        let bench = Bench::usual().await;
        let mira = bench.token("mira", Role::Admin, None).await;
        let made = bench.post("/api/voice_agents", &mira, json!({ "name": "Desk", "voice": "Puck" })).await;
        let made = made.expect(201);
        let me = bench.get("/api/me", &mira).await.expect(200);
        assert_eq!((&made["tenant_id"], &made["source"]), (&me["id"], &json!("store")));
        assert_eq!(made["tools"], json!(["end_call"]), "what was left out is as usual");
        let change = json!({ "greeting": "", "limits": { "max_call_s": 60 }, "crm_voice_agent_id": "c7" });
        let changed = bench.patch(&path(&made), &mira, change).await.expect(200);
        assert_eq!((&changed["voice"], &changed["greeting"]), (&json!("Puck"), &json!("")));
        let limits = json!({ "limits": { "silence_timeout_s": 9 }, "crm_voice_agent_id": null });
        let changed = bench.patch(&path(&made), &mira, limits).await.expect(200);
        assert_eq!(changed["limits"], json!({ "max_call_s": 60, "silence_timeout_s": 9 }));
        assert_eq!(changed["crm_voice_agent_id"], Value::Null);
        assert_eq!(bench.get(&path(&made), &mira).await.expect(200), changed);
        bench.delete(&path(&made), &mira).await.expect(204);
        bench.get(&path(&made), &mira).await.refused(404, "not_found");
        bench.stop().await;
    });
}

#[test]
fn g3_webhooks_are_checked_field_by_field_and_their_secrets_never_come_out() {
    play(async {
        let bench = Bench::usual().await;
        let mira = bench.token("mira", Role::Admin, None).await;
        let stock = json!({ "name": "check_stock", "description": "Looks.", "url": "https://crm.example.com/stock",
            "secret_headers": { "Authorization": "Bearer of-nobody-else" } });
        let add = json!({ "name": "Desk", "webhooks": [stock] });
        let made = bench.post("/api/voice_agents", &mira, add).await.expect(201);
        let shown = &made["webhooks"][0];
        assert_eq!(
            (&shown["secret_headers"], &shown["timeout_ms"]),
            (&json!(["Authorization"]), &json!(5_000))
        );
        let mut kept = stock.clone();
        kept["secret_headers"]["Authorization"] = Value::Null;
        kept["timeout_ms"] = json!(900);
        let changed = bench.patch(&path(&made), &mira, json!({ "webhooks": [kept] })).await.expect(200);
        assert_eq!(changed["webhooks"][0]["timeout_ms"], 900);
        assert!(!format!("{made}{changed}").contains("of-nobody-else"));
        let id = VoiceAgentId::new(made["id"].as_str().expect("an id"));
        let stored = VoiceAgents::new(bench.engine.store().clone()).get(&id).await.expect("a store");
        let secret = &stored.expect("it is there").record.agent.webhooks[0].secret_headers["Authorization"];
        assert_eq!(secret.expose(), "Bearer of-nobody-else", "there is no key to seal it with here");
        let mut wrong = stock.clone();
        wrong["url"] = json!("ftp://crm");
        wrong["parameters"] = json!({ "type": "object", "pattern": "x" });
        wrong["secret_headers"] = json!({ "X-New": null });
        let refused = bench.patch(&path(&made), &mira, json!({ "webhooks": [stock, wrong] })).await;
        let refused = refused.refused(422, "invalid");
        let fields: Vec<_> =
            refused["errors"].as_array().expect("a list").iter().map(|error| &error["field"]).collect();
        let expected =
            ["parameters", "url", "secret_headers.X-New"].map(|field| format!("webhooks.1.{field}"));
        assert_eq!(fields, [&expected[0], &expected[1], &expected[2], "webhooks.1.name"]);
        bench.stop().await;
    });
}

#[test]
fn o2_another_tenants_voice_agent_is_not_there_and_a_shared_one_is_a_superadmins() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let admin = bench.person("mira", Role::Admin, None).await;
        let mira = bench.log_in("mira").await;
        let ben = bench.token("ben", Role::Agent, Some(&admin)).await;
        let zoe = bench.token("zoe", Role::Admin, None).await;
        let add = json!({ "name": "Desk" });
        bench.post("/api/voice_agents", &ben, add.clone()).await.refused(403, "forbidden");
        let own = bench.post("/api/voice_agents", &mira, add.clone()).await.expect(201);
        let shared = bench.post("/api/voice_agents", &boss, add).await.expect(201);
        assert_eq!(shared["tenant_id"], Value::Null);
        let rename = json!({ "name": "Mine" });
        for (token, voice_agent, status) in [
            (&zoe, &own, 404),
            (&ben, &own, 403),
            (&boss, &own, 403),
            (&mira, &shared, 403),
            (&ben, &shared, 403),
        ] {
            let path = path(voice_agent);
            assert_eq!(bench.patch(&path, token, rename.clone()).await.status, status, "{path}");
            assert_eq!(bench.delete(&path, token).await.status, status, "{path}");
            let seen = if status == 404 { 404 } else { 200 };
            assert_eq!(bench.get(&path, token).await.status, seen, "{path}");
        }
        let listed = bench.get("/api/voice_agents", &zoe).await.expect(200);
        let ids: Vec<_> =
            listed["items"].as_array().expect("a list").iter().map(|item| &item["id"]).collect();
        assert_eq!(ids, [&shared["id"], &json!("default")], "shared, and of the settings");
        let seen_by_boss = bench.get("/api/voice_agents", &boss).await.expect(200);
        assert_eq!(seen_by_boss["items"].as_array().expect("a list").len(), 3);
        bench.stop().await;
    });
}

/// It is meant for whatever is there.
#[test]
fn g2_changes_that_name_no_version_are_all_made_however_many_come_at_once() {
    play(async {
        let bench = Bench::usual().await;
        let mira = bench.token("mira", Role::Admin, None).await;
        let made = bench.post("/api/voice_agents", &mira, json!({ "name": "Desk" })).await;
        let path = made.headers[LOCATION].to_str().expect("text").to_owned();
        let greetings: Vec<_> = (0..12).map(|number| format!("Hello {number}")).collect();
        let changes =
            greetings.iter().map(|greeting| bench.patch(&path, &mira, json!({ "greeting": greeting })));
        for changed in join_all(changes).await {
            changed.expect(200);
        }
        let last = bench.get(&path, &mira).await.expect(200);
        assert!(greetings.iter().any(|greeting| last["greeting"] == **greeting), "{last}");
        bench.stop().await;
    });
}

#[test]
fn g2_a_change_decided_on_an_older_version_is_refused() {
    play(async {
        let bench = Bench::usual().await;
        let mira = bench.token("mira", Role::Admin, None).await;
        let made = bench.post("/api/voice_agents", &mira, json!({ "name": "Desk" })).await;
        let path = made.headers[LOCATION].to_str().expect("text").to_owned();
        let tag = made.headers[ETAG].to_str().expect("text").to_owned();
        assert_eq!(bench.get(&path, &mira).await.headers[ETAG], tag);
        for no_match in ["\"7\", \"8\"".to_owned(), format!("W/{tag}")] {
            let refused = if_match(&bench, Method::PATCH, &path, &mira, &no_match, json!({})).await;
            refused.refused(412, "changed_meanwhile");
        }
        let change = |name: &str| json!({ "name": name });
        let either = format!("\"7\", {tag}");
        let changed = if_match(&bench, Method::PATCH, &path, &mira, &either, change("Front")).await;
        assert_ne!(changed.headers[ETAG].to_str().expect("text"), tag);
        changed.expect(200);
        for method in [Method::PATCH, Method::DELETE] {
            let late = if_match(&bench, method, &path, &mira, &tag, change("Back")).await;
            late.refused(412, "changed_meanwhile");
        }
        let odd = if_match(&bench, Method::PATCH, &path, &mira, "3", change("Back")).await;
        assert_eq!(odd.refused(422, "invalid")["errors"][0]["field"], "If-Match");
        assert_eq!(bench.get(&path, &mira).await.expect(200)["name"], "Front");
        if_match(&bench, Method::DELETE, &path, &mira, "*", Value::Null).await.expect(204);
        bench.stop().await;
    });
}

#[test]
fn g2_what_cannot_be_is_refused_by_the_names_of_all_its_fields() {
    play(async {
        let bench = Bench::usual().await;
        let mira = bench.token("mira", Role::Admin, None).await;
        let wrong = json!({ "name": " ", "language": "english", "tools": ["fly"], "limits": { "max_call_s": 86_401 } });
        let refused = bench.post("/api/voice_agents", &mira, wrong.clone()).await.refused(422, "invalid");
        let fields: Vec<_> =
            refused["errors"].as_array().expect("a list").iter().map(|one| &one["field"]).collect();
        assert_eq!(fields, ["name", "language", "tools.0", "limits.max_call_s"]);
        let made = bench.post("/api/voice_agents", &mira, json!({ "name": "Desk" })).await.expect(201);
        bench.patch(&path(&made), &mira, wrong).await.refused(422, "invalid");
        for (body, field) in [
            (json!({ "name": null }), "name"),
            (json!({ "limits": { "max_call_s": -1 } }), "limits.max_call_s"),
            (json!({ "tenant_id": "t1" }), "tenant_id"),
        ] {
            let refused = bench.patch(&path(&made), &mira, body.clone()).await.refused(422, "invalid");
            assert_eq!(refused["errors"][0]["field"], field, "{body}");
        }
        let taken = bench.post("/api/voice_agents", &mira, json!({ "name": "desk" })).await;
        assert_eq!(taken.refused(409, "conflict")["errors"][0]["field"], "name");
        bench.stop().await;
    });
}

#[test]
fn g2_one_that_a_number_names_stays_and_the_numbers_are_told() {
    play(async {
        let bench = Bench::usual().await;
        let admin = bench.person("mira", Role::Admin, None).await;
        let mira = bench.log_in("mira").await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let made = bench.post("/api/voice_agents", &mira, json!({ "name": "Desk" })).await.expect(201);
        let number = json!({ "number": "+4930123456", "tenant_id": admin.id, "voice_agent_id": made["id"] });
        let number = bench.post("/api/numbers", &boss, number).await.expect(201);
        let refused = bench.delete(&path(&made), &mira).await.refused(409, "conflict");
        assert!(refused["detail"].as_str().expect("text").contains("+4930123456"), "{refused}");
        let number = format!("/api/numbers/{}", number["id"].as_str().expect("an id"));
        bench.patch(&number, &mira, json!({ "voice_agent_id": null })).await.expect(200);
        bench.delete(&path(&made), &mira).await.expect(204);
        bench.stop().await;
    });
}

#[test]
fn i1_voice_agents_of_store_and_settings_come_page_by_page_and_each_once() {
    play(async {
        let bench = Bench::planned(|settings| {
            let named = |name: &str| VoiceAgent {
                id: VoiceAgentId::new(name),
                name: name.into(),
                ..VoiceAgent::default()
            };
            settings.voice_agents = vec![named("sales"), named("00-first"), named("support")];
        })
        .await;
        let mira = bench.token("mira", Role::Admin, None).await;
        for name in ["one", "two", "three"] {
            bench.post("/api/voice_agents", &mira, json!({ "name": name })).await.expect(201);
        }
        for limit in 1..=8 {
            let (mut names, mut path) = (Vec::new(), format!("/api/voice_agents?limit={limit}"));
            loop {
                let page = bench.get(&path, &mira).await.expect(200);
                let items = page["items"].as_array().expect("a list");
                assert!(items.len() <= limit);
                names.extend(items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()));
                let Some(next) = page["next"].as_str() else { break };
                path = format!("/api/voice_agents?limit={limit}&after={next}");
            }
            let all = ["00-first", "one", "two", "three", "default", "sales", "support"];
            assert_eq!(names, all, "{limit} at a time");
        }
        let of_settings = bench.get("/api/voice_agents/sales", &mira).await;
        assert!(!of_settings.headers.contains_key(ETAG));
        assert_eq!(of_settings.expect(200)["source"], "settings");
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let refused = bench.patch("/api/voice_agents/sales", &boss, json!({ "name": "x" })).await;
        refused.refused(409, "conflict");
        bench.stop().await;
    });
}
