//! The committed description is the one that is served, and the page that shows it needs nothing from elsewhere.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::bench::{Bench, play};

#[test]
fn i1_openapi_json_is_what_the_engine_serves() {
    let served = serde_json::to_value(clearline::http::described()).expect("a description");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let committed = fs::read_to_string(path).unwrap_or_default();
    let committed: Value = serde_json::from_str(&committed).unwrap_or_default();
    assert!(committed == served, "it is not; write it anew: cargo run -- openapi > openapi.json");
}

#[test]
fn i1_the_description_and_its_page_come_from_the_engine_alone() {
    play(async {
        let bench = Bench::usual().await;
        let description = bench.get("/api/openapi.json", "").await.expect(200);
        assert_eq!(description, serde_json::to_value(clearline::http::described()).expect("a description"));
        assert!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
        for path in ["/api/docs", "/api/docs/page.js", "/api/docs/page.css"] {
            let Value::String(text) = bench.get(path, "").await.expect(200) else {
                panic!("{path}: no text")
            };
            assert!(!text.contains("http://") && !text.contains("https://"), "{path} fetches from elsewhere");
        }
        bench.stop().await;
    });
}

#[test]
fn what_a_tool_was_told_may_be_any_json_and_is_described() {
    let description = serde_json::to_value(clearline::http::described()).expect("a description");
    let members = &description["components"]["schemas"]["ToolResultView"]["properties"];
    for member in ["arguments", "result"] {
        assert!(members[member].get("type").is_none(), "{member} is no object only: {}", members[member]);
        assert!(members[member]["description"].is_string(), "{member}");
    }
}
