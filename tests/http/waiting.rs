//! An engine whose MongoDB is not there yet says so (SPEC S5).

use std::net::TcpListener;

use clearline::clock::unix_time;
use clearline::config::Settings;
use clearline::domain::Secret;
use clearline::engine::Engine;
use clearline::store::{COLLECTIONS, MIGRATIONS, embedded};
use reqwest::Client;
use serde_json::json;

use crate::bench::{answer, play};

/// One that is free at this moment.
fn free_port() -> u16 {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    taken.local_addr().expect("its address").port()
}

#[test]
fn s5_who_asks_an_engine_that_waits_for_its_store_is_told_so() {
    play(async {
        let (http, nowhere) = (free_port(), free_port());
        let mut settings = Settings::default();
        settings.http.listen = ([127, 0, 0, 1], http).into();
        settings.store.url = Some(Secret::new(format!("mongodb://127.0.0.1:{nowhere}/clearline")));
        settings.store.answer_limit_ms = 100;
        let starting = actix::spawn(Engine::start(settings));
        clearline::net::install_tls_provider();
        let client = Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        let get = |path: &str| client.get(format!("http://127.0.0.1:{http}{path}"));
        // The address is taken at once; it is answered as soon as the store has failed to.
        while get("/health").send().await.is_err() {
            tokio::task::yield_now().await;
        }
        answer(get("/health")).await.expect(200);
        let ready = answer(get("/ready")).await.expect(503);
        assert_eq!(ready, "the engine waits for its store\n");
        answer(get("/api/users")).await.refused(503, "unavailable");
        starting.abort();
    });
}

#[test]
fn s5_who_asks_an_engine_that_is_migrating_its_store_is_told_so_until_it_is_ready() {
    play(async {
        let (folder, http) = (tempfile::tempdir().expect("a folder"), free_port());
        let mut settings = Settings::default();
        settings.http.listen = ([127, 0, 0, 1], http).into();
        settings.sip.listen = ([127, 0, 0, 1], 0).into();
        settings.media.bind = [127, 0, 0, 1].into();
        settings.recording.enabled = false;
        settings.store.path = folder.path().join("clearline.db");
        // Another machine's engine is at it, which nobody here can hurry.
        let claim = json!({
            "migration": 1, "generation": 1, "name": "baseline", "direction": "up", "state": "begun",
            "by": { "run": "elsewhere", "pid": 1 }, "clearline": "0.1.0",
            "looked_at": 0, "changed": 0, "passed_over": 0,
        });
        let store = embedded::open(&settings.store.path, COLLECTIONS, unix_time).expect("a store");
        store.insert(&MIGRATIONS, "0001:0001", claim).await.expect("nobody was here before");
        let starting = actix::spawn(Engine::start(settings));
        clearline::net::install_tls_provider();
        let client = Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        let get = |path: &str| client.get(format!("http://127.0.0.1:{http}{path}"));
        while get("/health").send().await.is_err() {
            tokio::task::yield_now().await;
        }
        let ready = answer(get("/ready")).await.expect(503);
        assert_eq!(ready, "the engine is migrating its store to this version\n");
        answer(get("/api/users")).await.refused(503, "unavailable");
        let mut claim = store.get(&MIGRATIONS, "0001:0001").await.expect("it answers").expect("it is there");
        claim.body["state"] = json!("done");
        store.compare_and_set(&MIGRATIONS, "0001:0001", claim.version, claim.body).await.expect("it answers");
        let engine = starting.await.expect("no panic").unwrap_or_else(|error| panic!("{error}"));
        answer(get("/ready")).await.expect(200);
        engine.stop(std::time::Duration::from_millis(1)).await;
    });
}
