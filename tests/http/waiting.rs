//! An engine whose MongoDB is not there yet says so (SPEC S5).

use std::net::TcpListener;

use clearline::config::Settings;
use clearline::domain::Secret;
use clearline::engine::Engine;
use reqwest::Client;

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
        let client = Client::builder().no_proxy().build().expect("a client");
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
