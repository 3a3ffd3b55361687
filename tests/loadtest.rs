//! The load test as a person runs it: every process of it is real, and none is left. What a busy machine does to its
//! service levels is not judged here.

use std::process::Command;

use serde_json::Value;

fn loadtest(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_clearline"))
        .arg("loadtest")
        .args(arguments)
        .output()
        .expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("a command speaks UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn two_calls_are_held_and_told_of_as_one_document() {
    let (code, stdout, stderr) = loadtest(&["--calls", "2", "--seconds", "3", "--json"]);
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {stderr}");
    let document: Value = serde_json::from_str(&stdout).expect("--json prints one document");
    assert_eq!(document["version"], 1);
    let step = &document["steps"][0];
    assert_eq!((&step["calls"], &step["calls_held"]), (&2.into(), &2.into()), "{stdout}");
    assert_eq!((&step["refused"], &step["lost"]), (&Value::Array(vec![]), &Value::Array(vec![])), "{stdout}");
    assert_eq!(step["crosstalk"], 0);
    let levels = document["levels"].as_array().expect("the levels are listed");
    let verdicts = step["verdicts"].as_array().expect("each level has a verdict");
    assert!(!levels.is_empty() && levels.len() == verdicts.len());
    for measured in ["spacing_ms", "first_audio_ms", "set_up_ms"] {
        assert!(step[measured]["p95"].is_number() || step[measured]["count"] == 0, "{measured}: {stdout}");
    }
    assert!(step["spacing_ms"]["count"].as_u64() > Some(100), "{stdout}");
    for figure in ["cpu_percent_per_call", "mib_per_call", "cpu_ms_per_set_up"] {
        assert!(step["engine"][figure].is_number(), "{figure}: {stdout}");
    }
    assert!(step["harness"]["callers_cpu_percent_per_call"].is_number());
}

#[test]
fn help_teaches_the_one_step_the_ramp_and_an_engine_of_one_s_own() {
    let (code, help, _) = loadtest(&["--help"]);
    assert_eq!(code, Some(0));
    for option in
        ["--calls", "--seconds", "--json", "--record", "--max-calls", "--svg", "--engine", "--model-side"]
    {
        assert!(help.contains(option), "{option}: {help}");
    }
}

#[test]
fn an_engine_that_is_not_there_is_named() {
    let (code, _, stderr) =
        loadtest(&["--calls", "1", "--engine", "127.0.0.1:9", "--metrics", "127.0.0.1:9", "--seconds", "1"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("127.0.0.1:9"), "{stderr}");
}

#[test]
fn a_load_of_nothing_is_refused_and_the_argument_named() {
    for (argument, value) in
        [("--calls", "0"), ("--seconds", "0"), ("--step", "0"), ("--from", "0"), ("--per-second", "0")]
    {
        let (code, _, stderr) = loadtest(&[argument, value]);
        assert_eq!(code, Some(2), "{argument}: {stderr}");
        assert!(stderr.contains(argument), "{stderr}");
    }
}
