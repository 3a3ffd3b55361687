//! SIPp as the load test's generator. Where it is not installed these tests say that they were skipped.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Attached, loadtest};

fn is_installed() -> bool {
    let asked = Command::new("sipp").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if asked.is_err() {
        let line =
            "\nskipped: loadtest::sipp: sipp is not installed (scripts/test installs it where it may)\n";
        // Straight to the descriptor: the test harness hides what a passing test prints.
        std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
    }
    asked.is_ok()
}

#[test]
fn sipp_s_calls_are_held_and_judged_by_what_can_be_known() {
    if !is_installed() {
        return;
    }
    let (code, stdout, stderr) = loadtest(&["--sipp", "--calls", "3", "--seconds", "13", "--json"]);
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {stderr}");
    let document: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    let step = &document["steps"][0];
    assert_eq!((&step["generator"], &step["calls_held"]), (&"sipp".into(), &3.into()), "{stdout}");
    assert_eq!(step["lost"], Value::Array(vec![]), "{stdout}");
    // 50 a second of each call, which the engine heard and the model got, and each model its caller's words.
    assert!(step["loss"]["frames"].as_u64() > Some(1_500), "{stdout}");
    assert_eq!(
        (&step["speech"]["bursts"], &step["speech"]["bursts_unheard"]),
        (&3.into(), &0.into()),
        "{stdout}"
    );
    for figure in ["cpu_percent_per_call", "mib_per_call"] {
        assert!(step["engine"][figure].is_number(), "{figure}: {stdout}");
    }
    let verdicts = step["verdicts"].as_array().expect("each level has a verdict");
    let held = |level: &str| {
        let verdict = verdicts.iter().find(|verdict| verdict["level"] == level);
        verdict.expect("a level of that name")["held"].clone()
    };
    // A machine that was too busy to judge says that instead.
    if step["harness"]["limited"] == false {
        assert_eq!(
            (held("calls_failed"), held("loss"), held("speech")),
            (true.into(), true.into(), true.into())
        );
    }
    assert_eq!(held("spacing_p999"), Value::Null, "SIPp does not tell");
}

#[test]
fn calls_that_sipp_counts_as_failed_break_a_step() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    // It refuses every call, for it has no model.
    let engine = Attached::engine("ws://127.0.0.1:9", &folder);
    let arguments = ["--sipp", "--calls", "2", "--seconds", "1", "--json", "--engine", engine.address("sip")];
    let (code, stdout, stderr) = loadtest(&arguments);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    let document: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    assert_eq!(document["broke_first"], "calls_failed", "{stdout}");
    assert_eq!(document["steps"][0]["refused"].as_array().map(Vec::len), Some(2), "{stdout}");
}

#[test]
fn a_scenario_that_cannot_be_read_is_named() {
    let engine = "127.0.0.1:9";
    let (code, _, stderr) = loadtest(&["--sipp", "--rounds", "2", "--calls", "2", "--engine", engine]);
    assert_eq!(code, Some(2), "{stderr}");
    let (code, _, stderr) = loadtest(&["--sipp=/no/such/caller.xml", "--calls", "1", "--seconds", "1"]);
    assert!(code == Some(1) && stderr.contains("/no/such/caller.xml"), "{code:?}: {stderr}");
}
