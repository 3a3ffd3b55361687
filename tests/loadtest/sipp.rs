//! SIPp as the load test's generator. Where it is not installed these tests say that they were skipped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::deaths::{helper, send};
use super::{Attached, clearline, loadtest};

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
    assert!(code == Some(1), "{code:?}: {stderr}");
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
    for level in ["loss", "speech", "crosstalk", "spacing_p999"] {
        assert_ne!(held(level), true, "SIPp does not tell whether its callers hear anything: {level}");
    }
    // A machine that was too busy to judge says that instead.
    if step["harness"]["limited"] == false {
        assert_eq!((held("calls_failed"), &step["held"]), (true.into(), &Value::Null), "{stdout}");
        let why = step["not_judged"].as_str().unwrap_or_default();
        assert!(why.starts_with("SIPp does not tell what its callers hear"), "{why}");
    }
}

/// It and its keeper alike.
#[test]
fn sipp_that_is_killed_is_named() {
    if !is_installed() {
        return;
    }
    for is_itself in [true, false] {
        let mut command = clearline(&["loadtest", "--sipp", "--calls", "2", "--seconds", "3"]);
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let mut progress = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        assert!(progress.any(|line| line.is_ok_and(|line| line.contains("measuring"))), "it measures");
        let keeper = helper(child.id(), "sipp");
        // The orphan of a keeper that is killed is ours to end.
        let sipp = only_child(keeper);
        let victim = if is_itself { sipp.clone() } else { keeper.to_string() };
        send("KILL", &victim);
        let said: Vec<_> = progress.map_while(Result::ok).collect();
        let said = said.join("\n");
        if !is_itself {
            send("KILL", &sipp);
        }
        assert_eq!(child.wait().expect("our own child").code(), Some(1), "{said}");
        assert!(said.contains("SIPp was killed by signal 9"), "{said}");
    }
}

fn only_child(of: u32) -> String {
    let children = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children"));
    children.expect("it runs").trim().to_owned()
}

#[test]
fn what_sipp_needs_is_looked_for_before_anything_is_started() {
    let (missing, ours) = (["--calls", "1", "--sipp=/nonexistent.xml"], ["--calls", "1", "--sipp"]);
    let nowhere = tempfile::tempdir().expect("a temporary folder");
    for (arguments, path, named) in
        [(&missing[..], None, "/nonexistent.xml"), (&ours[..], Some(nowhere.path()), "is it installed?")]
    {
        if path.is_none() && !is_installed() {
            continue;
        }
        let mut command = clearline(&["loadtest"]);
        command.args(arguments).envs(path.map(|path| ("PATH", path)));
        let output = command.output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(named) && !stderr.contains("starting"), "{named}: {stderr}");
    }
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
    let step = &document["steps"][0];
    let failed = ["refused", "lost"].map(|how| step[how].as_array().map_or(0, Vec::len));
    // On a busy machine SIPp has not ended yet when it is looked at: then they are called lost.
    assert_eq!(failed.iter().sum::<usize>(), 2, "{stdout}");
}

#[test]
fn a_scenario_that_cannot_be_read_is_named() {
    let engine = "127.0.0.1:9";
    let (code, _, stderr) = loadtest(&["--sipp", "--rounds", "2", "--calls", "2", "--engine", engine]);
    assert_eq!(code, Some(2), "{stderr}");
    let (code, _, stderr) = loadtest(&["--sipp", "--set-ups", "50"]);
    assert!(code == Some(2) && stderr.contains("--set-ups"), "{code:?}: {stderr}");
    let (code, _, stderr) = loadtest(&["--sipp=/no/such/caller.xml", "--calls", "1", "--seconds", "1"]);
    assert!(code == Some(1) && stderr.contains("/no/such/caller.xml"), "{code:?}: {stderr}");
}

/// Whether the load test is told to or cannot help it.
#[test]
fn sipp_s_calls_end_with_the_load_test_however_it_ends() {
    if !is_installed() {
        return;
    }
    for (signal, code) in [("TERM", Some(130)), ("KILL", None)] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let model = Attached::start(&["sandbox", "model", "--load", "--attached", "--listen", "127.0.0.1:0"]);
        let engine = Attached::engine(&format!("ws://{}", model.address("model")), &folder);
        let mut command =
            clearline(&["loadtest", "--sipp", "--calls", "2", "--seconds", "86400", "--engine"]);
        command.arg(engine.address("sip")).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut progress = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        assert!(progress.any(|line| line.is_ok_and(|line| line.contains("measuring"))), "it measures");
        send(signal, &child.id().to_string());
        assert_eq!(child.wait().expect("our own child").code(), code, "{signal}");
        // The engine ends them for their silence: they would else be up for a day.
        loop {
            let figures = figures_of(engine.address("http"));
            let of_ended = figures.lines().filter(|line| line.starts_with("clearline_calls_ended_total{"));
            let ended = of_ended.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u32>().ok()).sum::<u32>();
            if ended == 2 {
                break;
            }
        }
    }
}

fn figures_of(engine: &str) -> String {
    let mut stream = TcpStream::connect(engine).expect("the engine listens");
    let request = format!("GET /metrics HTTP/1.0\r\nHost: {engine}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}
