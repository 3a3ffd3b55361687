//! Phone numbers over HTTP (SPEC L2, K5, O2).

use clearline::domain::Role;
use reqwest::Method;
use reqwest::header::{ETAG, IF_MATCH};
use serde_json::{Value, json};

use crate::bench::{Bench, answer, play};

fn path(number: &Value) -> String {
    format!("/api/numbers/{}", number["id"].as_str().expect("an id"))
}

#[test]
fn l2_a_number_is_added_in_any_form_changed_and_removed() {
    play(async {
        let bench = Bench::usual().await;
        let admin = bench.person("mira", Role::Admin, None).await;
        let ben = bench.person("ben", Role::Agent, admin.tenant_id.clone()).await;
        let mira = bench.log_in("mira").await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let add = json!({
            "number": "(030) 123 456", "country_code": "+49", "owner_id": ben.id, "tenant_id": admin.id,
            "rules": { "livekit_config": "c1" }
        });
        let made = bench.post("/api/numbers", &boss, add).await.expect(201);
        assert_eq!((&made["number"], &made["country_code"]), (&json!("+4930123456"), &json!("49")));
        assert_eq!(made["tenant_id"], json!(admin.id));
        let twice = bench.post("/api/numbers", &boss, json!({ "number": "0049 30 123456" })).await;
        twice.refused(409, "conflict");
        let change = json!({ "provider": "acme", "owner_id": null, "rules": {} });
        let changed = bench.patch(&path(&made), &mira, change).await.expect(200);
        let expected = (&json!("acme"), &Value::Null, &json!({}));
        assert_eq!((&changed["provider"], &changed["owner_id"], &changed["rules"]), expected);
        assert_eq!(bench.get(&path(&made), &mira).await.expect(200), changed);
        let abroad =
            bench.patch(&path(&made), &boss, json!({ "number": "+43 1 23456789" })).await.expect(200);
        assert_eq!((&abroad["number"], &abroad["country_code"]), (&json!("+43123456789"), &json!("43")));
        bench.delete(&path(&made), &mira).await.expect(204);
        bench.get(&path(&made), &mira).await.refused(404, "not_found");
        bench.stop().await;
    });
}

#[test]
fn o2_another_tenants_number_is_not_there_and_an_agent_reads_its_own() {
    play(async {
        let bench = Bench::usual().await;
        let admin = bench.person("mira", Role::Admin, None).await;
        let agent = bench.person("ben", Role::Agent, admin.tenant_id.clone()).await;
        let (mira, ben) = (bench.log_in("mira").await, bench.log_in("ben").await);
        let zoe = bench.token("zoe", Role::Admin, None).await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let bens = json!({ "number": "+4930111111", "tenant_id": admin.id, "owner_id": agent.id });
        let bens = bench.post("/api/numbers", &boss, bens).await.expect(201);
        let miras = json!({ "number": "+4930222222", "tenant_id": admin.id });
        let miras = bench.post("/api/numbers", &boss, miras).await.expect(201);
        for (token, number, status) in [(&zoe, &bens, 404), (&ben, &miras, 404), (&ben, &bens, 403)] {
            let path = path(number);
            assert_eq!(bench.patch(&path, token, json!({ "provider": "x" })).await.status, status, "{path}");
            assert_eq!(bench.delete(&path, token).await.status, status, "{path}");
        }
        bench.get(&path(&miras), &ben).await.refused(404, "not_found");
        bench.get(&path(&bens), &ben).await.expect(200);
        bench.post("/api/numbers", &ben, json!({ "number": "+4930333333" })).await.refused(403, "forbidden");
        for (token, count) in [(&mira, 2), (&ben, 1), (&zoe, 0)] {
            let listed = bench.get("/api/numbers", token).await.expect(200);
            assert_eq!(listed["items"].as_array().expect("a list").len(), count);
        }
        bench.stop().await;
    });
}

#[test]
fn l2_only_a_superadmin_gives_a_number_to_a_tenant() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let admin = bench.person("mira", Role::Admin, None).await;
        let mira = bench.log_in("mira").await;
        let zoe = bench.person("zoe", Role::Admin, None).await;
        let free = bench.post("/api/numbers", &boss, json!({ "number": "+4930111111" })).await.expect(201);
        assert_eq!(free["tenant_id"], Value::Null);
        bench.get(&path(&free), &mira).await.refused(404, "not_found");
        let given = json!({ "tenant_id": admin.id, "owner_id": admin.id });
        bench.patch(&path(&free), &boss, given).await.expect(200);
        bench.get(&path(&free), &mira).await.expect(200);
        let away = bench.patch(&path(&free), &mira, json!({ "tenant_id": zoe.id })).await;
        away.refused(403, "forbidden");
        // Whoever has a number has its calls: nobody takes one that the settings, or nobody, has given away.
        for taken in
            [json!({ "number": "+4930222222", "tenant_id": zoe.id }), json!({ "number": "+4930222222" })]
        {
            bench.post("/api/numbers", &mira, taken).await.refused(403, "forbidden");
        }
        let other = bench.patch(&path(&free), &mira, json!({ "number": "+4930222222" })).await;
        other.refused(403, "forbidden");
        let moved = bench.patch(&path(&free), &boss, json!({ "tenant_id": zoe.id })).await;
        assert_eq!(moved.refused(422, "invalid")["errors"][0]["field"], "owner_id", "the owner stays behind");
        bench.stop().await;
    });
}

#[test]
fn l2_what_a_number_names_must_be_there_for_its_tenant() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let mira = bench.person("mira", Role::Admin, None).await;
        let zoe = bench.person("zoe", Role::Admin, None).await;
        let zoes = bench.log_in("zoe").await;
        let foreign = bench.post("/api/voice_agents", &zoes, json!({ "name": "Desk" })).await.expect(201);
        let add = json!({ "number": "+4930111111", "tenant_id": mira.id });
        let made = bench.post("/api/numbers", &boss, add).await.expect(201);
        for (change, field) in [
            (json!({ "owner_id": zoe.id }), "owner_id"),
            (json!({ "owner_id": "nobody" }), "owner_id"),
            (json!({ "voice_agent_id": foreign["id"] }), "voice_agent_id"),
            (json!({ "voice_agent_id": "nobody" }), "voice_agent_id"),
            (json!({ "number": "12" }), "number"),
            (json!({ "number": null }), "number"),
            (json!({ "provider": "" }), "provider"),
            (json!({ "colour": "red" }), "colour"),
            (json!({ "rules": { "livekit_config": 7 } }), "rules.livekit_config"),
        ] {
            let refused = bench.patch(&path(&made), &boss, change.clone()).await.refused(422, "invalid");
            assert_eq!(refused["errors"][0]["field"], field, "{change}");
        }
        bench.patch(&path(&made), &boss, json!({ "voice_agent_id": "default" })).await.expect(200);
        bench.stop().await;
    });
}

#[test]
fn l2_whoever_names_an_owner_or_voice_agent_of_a_tenant_is_told_that_the_tenant_is_missing() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let mira = bench.person("mira", Role::Admin, None).await;
        let miras = bench.log_in("mira").await;
        let desk = bench.post("/api/voice_agents", &miras, json!({ "name": "Desk" })).await.expect(201);
        for named in [
            json!({ "owner_id": mira.id }),
            json!({ "voice_agent_id": desk["id"] }),
            json!({ "owner_id": mira.id, "voice_agent_id": desk["id"] }),
        ] {
            let mut add = named.clone();
            add["number"] = json!("+4930111111");
            let refused = bench.post("/api/numbers", &boss, add.clone()).await.refused(422, "invalid");
            let errors = refused["errors"].as_array().expect("a list");
            assert_eq!((errors.len(), &errors[0]["field"]), (1, &json!("tenant_id")), "{named}: {refused}");
            let detail = errors[0]["detail"].as_str().expect("text");
            assert!(detail.contains("is missing") && detail.contains("its admin's"), "{refused}");
            add["tenant_id"] = json!(mira.id);
            let made = bench.post("/api/numbers", &boss, add).await.expect(201);
            bench.delete(&path(&made), &boss).await.expect(204);
        }
        bench.stop().await;
    });
}

#[test]
fn l2_a_change_decided_on_an_older_version_is_refused() {
    play(async {
        let bench = Bench::usual().await;
        let admin = bench.person("mira", Role::Admin, None).await;
        let mira = bench.log_in("mira").await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let add = json!({ "number": "+4930111111", "tenant_id": admin.id });
        let made = bench.post("/api/numbers", &boss, add).await.expect(201);
        let tag = bench.get(&path(&made), &mira).await.headers[ETAG].clone();
        let change = |method: Method, provider: &str| {
            let request = bench.client.request(method, bench.url(&path(&made))).bearer_auth(&mira);
            answer(request.header(IF_MATCH, &tag).json(&json!({ "provider": provider })))
        };
        change(Method::PATCH, "acme").await.expect(200);
        change(Method::PATCH, "other").await.refused(412, "changed_meanwhile");
        change(Method::DELETE, "").await.refused(412, "changed_meanwhile");
        assert_eq!(bench.get(&path(&made), &mira).await.expect(200)["provider"], "acme");
        bench.stop().await;
    });
}
