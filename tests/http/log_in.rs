//! Logging in and out, sessions, cookies and API tokens (SPEC O3).

use std::cell::Cell;

use clearline::domain::Role;
use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::{ORIGIN, SET_COOKIE};
use serde_json::json;
use tokio::sync::Notify;

use crate::bench::{Bench, PASSWORD, answer, play};

#[test]
fn o3_who_logs_in_is_known_until_it_logs_out() {
    play(async {
        let bench = Bench::usual().await;
        let token = bench.token("mira", Role::Admin, None).await;
        let me = bench.get("/api/me", &token).await.expect(200);
        assert_eq!((&me["name"], &me["role"]), (&json!("mira"), &json!("admin")));
        bench.post("/api/logout", &token, json!({})).await.expect(204);
        bench.get("/api/me", &token).await.refused(401, "not_logged_in");
        bench.get("/api/me", "").await.refused(401, "not_logged_in");
        bench.stop().await;
    });
}

#[test]
fn o3_a_wrong_name_and_a_wrong_password_are_told_alike() {
    play(async {
        let bench = Bench::usual().await;
        bench.person("mira", Role::Admin, None).await;
        let attempt = async |name: &str, password: &str| {
            bench.post("/api/login", "", json!({ "name": name, "password": password })).await
        };
        let wrong_password = attempt("mira", "not the right one").await.refused(401, "wrong_credentials");
        let wrong_name = attempt("nobody", PASSWORD).await.refused(401, "wrong_credentials");
        assert_eq!(wrong_password, wrong_name);
        bench.stop().await;
    });
}

#[test]
fn o1_a_name_is_the_same_in_capital_and_small_letters() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        bench.person("Mira", Role::Admin, None).await;
        let token = bench.log_in("MIRA").await;
        assert_eq!(bench.get("/api/me", &token).await.expect(200)["name"], "Mira");
        let add = json!({ "name": "mira", "role": "admin" });
        let taken = bench.post("/api/users", &boss, add).await.refused(409, "conflict");
        assert_eq!(taken["errors"][0]["field"], "name");
        bench.stop().await;
    });
}

#[test]
fn o3_a_log_in_without_its_password_is_told_so_by_the_name_of_the_member() {
    play(async {
        let bench = Bench::usual().await;
        let refused = bench.post("/api/login", "", json!({ "name": "mira" })).await.refused(422, "invalid");
        assert_eq!(refused["errors"], json!([{ "field": "password", "detail": "is missing; send it" }]));
        bench.stop().await;
    });
}

#[test]
fn o3_guessing_from_one_address_is_slowed_down() {
    play(async {
        let bench = Bench::usual().await;
        bench.person("mira", Role::Admin, None).await;
        let slowed = async {
            for guess in 0..1_000 {
                let body = json!({ "name": format!("name-{guess}"), "password": "a guess of somebody" });
                let answered = bench.post("/api/login", "", body).await;
                if answered.status == 429 {
                    return answered;
                }
            }
            panic!("a thousand guesses and no end");
        }
        .await;
        assert!(slowed.headers.contains_key("retry-after"));
        slowed.refused(429, "too_many_requests");
        bench.stop().await;
    });
}

/// The attacker never lets a place stay free: what was refused for want of one is sent again at once.
#[test]
fn o3_who_guesses_from_many_addresses_at_once_locks_nobody_out_who_has_not_guessed() {
    const ADDRESSES: usize = 12;
    const AT_ONCE: usize = 9;
    play(async {
        let bench = Bench::planned(|settings| {
            settings.http.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
            settings.http.requests_per_s = 0;
        })
        .await;
        bench.person("mira", Role::Admin, None).await;
        let attempt = async |from: &str, name: &str, password: &str| {
            let body = json!({ "name": name, "password": password });
            answer(bench.client.post(bench.url("/api/login")).header("x-forwarded-for", from).json(&body))
                .await
        };
        for host in 0..ADDRESSES {
            let guess = attempt(&format!("198.51.100.{host}"), &format!("name-{host}"), "a guess").await;
            guess.refused(401, "wrong_credentials");
        }
        let (is_full, is_over) = (Notify::new(), Cell::new(false));
        let guesses = (0..ADDRESSES * AT_ONCE).map(async |number| {
            let from = format!("198.51.100.{}", number % ADDRESSES);
            while !is_over.get() && attempt(&from, &format!("other-{number}"), "a guess").await.status == 503
            {
                is_full.notify_one();
            }
        });
        let mira = async {
            is_full.notified().await;
            let logged_in = attempt("192.0.2.1", "mira", PASSWORD).await;
            is_over.set(true);
            logged_in.expect(200);
        };
        tokio::join!(join_all(guesses), mira);
        bench.stop().await;
    });
}

#[test]
fn o3_a_cookie_changes_nothing_from_the_page_of_another_site() {
    play(async {
        let bench = Bench::planned(|settings| {
            settings.http.allowed_origins = vec!["https://crm.example.com".into()];
        })
        .await;
        bench.person("mira", Role::Admin, None).await;
        let own = format!("http://{}", bench.engine.http_address());
        let log_in = |origin: Option<&str>| {
            let body = json!({ "name": "mira", "password": PASSWORD, "cookie": true });
            let request = bench.client.post(bench.url("/api/login")).json(&body);
            answer(if let Some(origin) = origin { request.header(ORIGIN, origin) } else { request })
        };
        log_in(None).await.refused(403, "wrong_origin");
        log_in(Some("https://evil.example.com")).await.refused(403, "wrong_origin");
        let other_scheme = own.replacen("http:", "https:", 1);
        log_in(Some(&other_scheme)).await.refused(403, "wrong_origin");
        let logged_in = log_in(Some(&own)).await;
        let cookie = logged_in.headers[SET_COOKIE].to_str().expect("text").to_owned();
        for wanted in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(wanted), "{wanted}: {cookie}");
        }
        assert!(logged_in.expect(200)["token"].is_null(), "a script must not see it");
        let pair = cookie.split(';').next().expect("name and value").to_owned();
        let with_cookie = |method: Method, path: &str, origin: Option<&str>| {
            let request = bench.client.request(method, bench.url(path)).header("cookie", &pair);
            answer(if let Some(origin) = origin { request.header(ORIGIN, origin) } else { request })
        };
        with_cookie(Method::GET, "/api/me", None).await.expect(200);
        let users = "/api/users/nobody/sessions";
        with_cookie(Method::DELETE, users, None).await.refused(403, "wrong_origin");
        with_cookie(Method::DELETE, users, Some("https://evil.example.com"))
            .await
            .refused(403, "wrong_origin");
        with_cookie(Method::DELETE, users, Some("https://crm.example.com")).await.refused(404, "not_found");
        let out = with_cookie(Method::POST, "/api/logout", Some(&own)).await;
        assert!(out.headers[SET_COOKIE].to_str().expect("text").contains("Max-Age=0"));
        with_cookie(Method::GET, "/api/me", None).await.refused(401, "not_logged_in");
        bench.stop().await;
    });
}

#[test]
fn o3_an_api_token_is_told_once_and_cannot_make_more_of_itself() {
    play(async {
        let bench = Bench::usual().await;
        let token = bench.token("mira", Role::Admin, None).await;
        let made =
            bench.post("/api/me/tokens", &token, json!({ "name": "nightly report" })).await.expect(201);
        let api_token = made["token"].as_str().expect("told once");
        bench.get("/api/me", api_token).await.expect(200);
        bench.get("/api/users", api_token).await.expect(200);
        bench.post("/api/me/tokens", api_token, json!({ "name": "more" })).await.refused(403, "forbidden");
        let listed = bench.get("/api/me/tokens", &token).await.expect(200);
        assert_eq!(listed["items"][0]["label"], "nightly report");
        assert!(!listed.to_string().contains(api_token), "only its maker saw it");
        let path = format!("/api/me/tokens/{}", made["id"].as_str().expect("an id"));
        bench.delete(&path, &token).await.expect(204);
        bench.get("/api/me", api_token).await.refused(401, "not_logged_in");
        bench.delete(&path, &token).await.refused(404, "not_found");
        bench.stop().await;
    });
}

#[test]
fn o3_sessions_are_listed_and_ended_one_by_one() {
    play(async {
        let bench = Bench::usual().await;
        let first = bench.token("mira", Role::Admin, None).await;
        let second = bench.log_in("mira").await;
        let listed = bench.get("/api/me/sessions", &second).await.expect(200);
        let other = listed["items"].as_array().expect("a list").iter().find(|one| one["is_this"] == false);
        let path = format!("/api/me/sessions/{}", other.expect("the first")["id"].as_str().expect("an id"));
        bench.delete(&path, &second).await.expect(204);
        bench.get("/api/me", &first).await.refused(401, "not_logged_in");
        bench.get("/api/me", &second).await.expect(200);
        bench.stop().await;
    });
}

#[test]
fn o3_a_one_time_password_opens_nothing_but_the_way_to_a_password_of_ones_own() {
    play(async {
        let bench = Bench::usual().await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let added =
            bench.post("/api/users", &boss, json!({ "name": "mira", "role": "admin" })).await.expect(201);
        let one_time = added["one_time_password"].as_str().expect("told once").to_owned();
        let log_in = json!({ "name": "mira", "password": one_time });
        let session = bench.post("/api/login", "", log_in).await.expect(200);
        assert_eq!(session["me"]["must_change_password"], true);
        let token = session["token"].as_str().expect("a token");
        bench.get("/api/users", token).await.refused(403, "must_change_password");
        let change = |new: &str| json!({ "password": one_time, "new_password": new });
        let short = bench.put("/api/me/password", token, change("short")).await.refused(422, "invalid");
        assert_eq!(short["errors"][0]["field"], "new_password");
        let wrong = json!({ "password": "not the right one", "new_password": PASSWORD });
        let wrong = bench.put("/api/me/password", token, wrong).await.refused(422, "invalid");
        assert_eq!(wrong["errors"][0]["field"], "password", "a client that sees 401 would log out");
        let changed = bench.put("/api/me/password", token, change(PASSWORD)).await.expect(200);
        let token = changed["token"].as_str().expect("a new session");
        bench.get("/api/users", token).await.expect(200);
        bench.log_in("mira").await;
        bench.stop().await;
    });
}
