//! What holds for every request: problems, bounds, other sites, headers.

use clearline::domain::Role;
use reqwest::Method;
use reqwest::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, ORIGIN};
use serde_json::json;

use crate::bench::{Bench, answer, play};

#[test]
fn i1_a_body_that_cannot_be_is_refused_by_the_name_of_the_field() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        for (body, field) in [
            (json!({ "name": "mira" }), "role"),
            (json!({ "name": 7, "role": "admin" }), "name"),
            (json!({ "name": "mira", "role": "janitor" }), "role"),
            (json!({ "name": "mira", "role": "admin", "colour": "red" }), "colour"),
            (json!({ "name": "", "role": "admin" }), "name"),
            (json!({ "name": "mira", "role": "admin", "password": "short" }), "password"),
            (json!([]), "body"),
        ] {
            let refused = bench.post("/api/users", &boss, body.clone()).await.refused(422, "invalid");
            assert_eq!(refused["errors"][0]["field"], field, "{body}");
        }
        bench.stop().await;
    });
}

#[test]
fn i1_what_is_no_json_or_too_much_of_it_is_refused() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let send = |kind: &str, body: String| {
            let request = bench.client.post(bench.url("/api/users")).bearer_auth(&boss);
            answer(request.header(CONTENT_TYPE, kind).body(body))
        };
        send("application/json", "{".into()).await.refused(400, "malformed_request");
        send("text/plain", "{}".into()).await.refused(415, "wrong_media_type");
        let long = format!("{{\"name\": \"{}\"}}", "x".repeat(300 * 1024));
        send("application/json", long).await.refused(413, "too_large");
        bench.stop().await;
    });
}

#[test]
fn i1_a_packed_body_is_refused_and_not_taken_for_something_else() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let send = |encoding: &'static str, name: &str| {
            let request = bench.client.post(bench.url("/api/users")).bearer_auth(&boss);
            let body = json!({ "name": name, "role": "admin" });
            answer(request.header(CONTENT_ENCODING, encoding).json(&body))
        };
        for encoding in ["gzip", "identity, br", "GZIP", "zstd"] {
            let refused = send(encoding, "mira").await.refused(415, "wrong_media_type");
            assert!(refused["detail"].as_str().is_some_and(|told| told.contains("without Content-Encoding")));
        }
        send("identity", "mira").await.expect(201);
        send("", "ben").await.expect(201);
        bench.stop().await;
    });
}

#[test]
fn i1_an_unknown_address_is_not_found_and_a_wrong_method_is_told_the_right_ones() {
    play(async {
        let bench = Bench::usual().await;
        bench.get("/api/nothing", "").await.refused(404, "not_found");
        let wrong = bench.ask(Method::PUT, "/api/users", "", None).await;
        assert_eq!(wrong.headers[ALLOW], "GET, HEAD, POST");
        wrong.refused(405, "method_not_allowed");
        bench.stop().await;
    });
}

#[test]
fn i1_a_place_in_a_list_that_no_page_has_told_is_refused_in_every_list() {
    play(async {
        let bench = Bench::usual().await;
        let mira = bench.token("mira", Role::Admin, None).await;
        for list in ["users", "voice_agents", "numbers", "calls", "leads", "callbacks", "audit"] {
            for after in ["", "nonsense", "019ac0ff-ee12-7abc-8def-0123456789ab", "p-%00", "p-*"] {
                let refused = bench.get(&format!("/api/{list}?after={after}"), &mira).await;
                assert_eq!(refused.refused(422, "invalid")["errors"][0]["field"], "after", "{list} {after}");
            }
        }
        bench.stop().await;
    });
}

#[test]
fn i1_the_next_page_of_one_list_is_no_place_in_another_or_in_the_same_with_other_filters() {
    play(async {
        let bench = Bench::usual().await;
        let mira = bench.token("mira", Role::Admin, None).await;
        let add = async |name: &str| {
            bench.post("/api/users", &mira, json!({ "name": name, "role": "agent" })).await.expect(201)
        };
        let ben = add("ben").await["user"]["id"].as_str().expect("an id").to_owned();
        bench.patch(&format!("/api/users/{ben}"), &mira, json!({ "enabled": false })).await.expect(200);
        let audit = format!("/api/audit?subject_id={ben}&limit=1");
        let next = bench.get(&audit, &mira).await.expect(200)["next"].as_str().expect("a page").to_owned();
        let second = bench.get(&format!("{audit}&after={next}"), &mira).await.expect(200);
        assert_eq!(second["items"].as_array().map(Vec::len), Some(1), "another limit or order is no matter");
        for list in ["audit?limit=1", "audit?subject_id=somebody", "users?limit=1", "calls?limit=1"] {
            let refused =
                bench.get(&format!("/api/{list}&after={next}"), &mira).await.refused(422, "invalid");
            let error = &refused["errors"][0];
            let detail = error["detail"].as_str().expect("text");
            assert!(error["field"] == "after" && detail.contains("of another list"), "{list}: {refused}");
        }
        bench.stop().await;
    });
}

#[test]
fn i1_what_a_query_says_wrong_is_told_by_its_name_in_every_list() {
    play(async {
        let bench = Bench::usual().await;
        let mira = bench.token("mira", Role::Admin, None).await;
        for list in
            ["users", "voice_agents", "numbers", "calls", "leads", "audit", "uploads", "uploads/report"]
        {
            for (query, field, told) in [
                ("limit=1&limit=2", "limit", "more than once"),
                ("limit=%ff", "limit", "UTF-8"),
                ("colour=red", "colour", "`limit`, `after`"),
            ] {
                let refused = bench.get(&format!("/api/{list}?{query}"), &mira).await.refused(422, "invalid");
                let error = &refused["errors"][0];
                let detail = error["detail"].as_str().expect("text");
                assert!(error["field"] == field && detail.contains(told), "{list}?{query}: {refused}");
            }
        }
        let refused = bench.get("/api/calls?owner_id=%c3%28", &mira).await.refused(422, "invalid");
        assert_eq!(refused["errors"][0]["field"], "owner_id", "it would find nothing, and say nothing");
        bench.stop().await;
    });
}

#[test]
fn i1_head_is_answered_as_get_without_the_body() {
    play(async {
        let bench = Bench::usual().await;
        let mira = bench.token("mira", Role::Admin, None).await;
        for path in [
            "/health",
            "/ready",
            "/metrics",
            "/api/openapi.json",
            "/api/docs",
            "/api/me",
            "/api/users",
            "/api/calls",
        ] {
            let (get, head) =
                (bench.get(path, &mira).await, bench.ask(Method::HEAD, path, &mira, None).await);
            assert_eq!((head.status, &head.body), (get.status, &json!("")), "{path}");
            assert_eq!(head.headers[CONTENT_TYPE], get.headers[CONTENT_TYPE], "{path}");
        }
        let length = bench.ask(Method::HEAD, "/health", "", None).await.headers["content-length"].clone();
        assert_eq!(length, "3", "as GET's `ok` and a line's end");
        let events = bench.ask(Method::HEAD, "/api/events", &mira, None).await;
        assert_eq!((events.status.as_u16(), events.body), (200, json!("")), "and it ends");
        assert_eq!(bench.ask(Method::HEAD, "/api/me", "", None).await.status, 401);
        assert_eq!(bench.ask(Method::HEAD, "/api/login", "", None).await.status, 405);
        bench.stop().await;
    });
}

#[test]
fn i1_a_preflight_of_another_site_is_refused_with_a_problem() {
    play(async {
        let bench = Bench::planned(|settings| {
            settings.http.allowed_origins = vec!["https://crm.example.com".into()];
        })
        .await;
        let preflight = |origin: &str| {
            let request = bench.client.request(Method::OPTIONS, bench.url("/api/users"));
            answer(request.header(ORIGIN, origin).header("access-control-request-method", "POST"))
        };
        assert_eq!(preflight("https://crm.example.com").await.status, 200);
        preflight("https://evil.example.com").await.refused(403, "wrong_origin");
        bench.stop().await;
    });
}

#[test]
fn i1_only_pages_of_allowed_sites_may_ask() {
    play(async {
        let bench = Bench::planned(|settings| {
            settings.http.allowed_origins = vec!["https://crm.example.com".into()];
        })
        .await;
        let from = |origin: &str| answer(bench.client.get(bench.url("/health")).header(ORIGIN, origin));
        let allowed = from("https://crm.example.com").await;
        assert_eq!(allowed.headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://crm.example.com");
        let other = from("https://evil.example.com").await;
        assert!(!other.headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        bench.stop().await;
    });
}

#[test]
fn s4_a_client_that_asks_too_often_is_told_to_slow_down() {
    play(async {
        let bench = Bench::planned(|settings| settings.http.requests_per_s = 1).await;
        let mut statuses = Vec::new();
        for _ in 0..5 {
            statuses.push(bench.get("/health", "").await);
        }
        assert_eq!(statuses[0].status, 200);
        let slowed =
            statuses.into_iter().find(|answer| answer.status == 429).expect("five at once are too many");
        assert!(slowed.headers.contains_key("retry-after"));
        slowed.refused(429, "too_many_requests");
        bench.stop().await;
    });
}

#[test]
fn o3_answers_are_not_kept_or_framed_by_anybody() {
    play(async {
        let bench = Bench::usual().await;
        for path in ["/api/me", "/api/nothing", "/health"] {
            let headers = bench.get(path, "").await.headers;
            assert_eq!(headers["cache-control"], "no-store", "{path}");
            assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
            assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        }
        bench.stop().await;
    });
}
