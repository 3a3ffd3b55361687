//! Load tests in which an engine or a stand-in is killed in mid-step: that is a result, and no good one.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use super::mute::{MuteEngine, Muteness};
use super::{Attached, clearline, loadtest};

/// What a load test came to while whose process died.
struct Outcome {
    code: Option<i32>,
    document: Value,
    stderr: String,
}

/// Kills when it is told that the step is being measured; `victim` finds whom among the load test's own processes.
fn with_a_death(arguments: &[&str], temporary: &Path, victim: impl FnOnce(u32) -> u32) -> Outcome {
    with_a_signal("KILL", arguments, temporary, victim)
}

fn with_a_signal(
    signal: &str,
    arguments: &[&str],
    temporary: &Path,
    victim: impl FnOnce(u32) -> u32,
) -> Outcome {
    let mut command = clearline(&["loadtest", "--calls", "2", "--seconds", "3", "--json"]);
    command.args(arguments).env("TMPDIR", temporary).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut progress = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
    let measuring = progress.find(|line| line.as_ref().is_ok_and(|line| line.contains("measuring")));
    assert!(measuring.is_some(), "it measures");
    let victim = victim(child.id()).to_string();
    send(signal, &victim);

    let mut stdout = String::new();
    child.stdout.take().expect("stdout is piped").read_to_string(&mut stdout).expect("UTF-8");
    let stderr: Vec<_> = progress.map_while(Result::ok).collect();
    let stderr = stderr.join("\n");
    let document = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
    Outcome { code: child.wait().expect("our own child").code(), document, stderr }
}

pub(crate) fn send(signal: &str, pid: &str) {
    let sent = Command::new("kill").args(["-s", signal, pid]).status();
    assert!(sent.expect("kill can be run").success());
}

/// The helper of a load test that was started as `sandbox` and this word.
pub(crate) fn helper(loadtest: u32, word: &str) -> u32 {
    let children = fs::read_to_string(format!("/proc/{loadtest}/task/{loadtest}/children"));
    let children = children.expect("the load test runs");
    let is_it = |pid: &u32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.split(|byte| *byte == 0).nth(2) == Some(word.as_bytes())
    };
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(is_it).expect("a helper of that name")
}

fn log_named_in(text: &str) -> &Path {
    let from = text.find("log is ").expect("a log is named") + "log is ".len();
    Path::new(text[from..].lines().next().unwrap_or_default())
}

#[test]
fn an_engine_that_is_killed_is_the_result() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let Outcome { code, document, stderr } =
        with_a_death(&[], temporary.path(), |loadtest| helper(loadtest, "engine"));
    assert_eq!(code, Some(1), "{stderr}");
    assert_eq!((&document["broke_first"], &document["calls_held"]), (&"process_died".into(), &Value::Null));
    let step = &document["steps"][0];
    assert_eq!((&step["calls"], &step["held"]), (&2.into(), &false.into()), "{document}");
    let died = step["died"].as_str().expect("it is told who died");
    assert!(died.starts_with("the engine was killed by signal 9; "), "{died}");
    assert!(stderr.contains(died), "{stderr}");
    let log = log_named_in(died);
    assert!(log.is_file() && log.starts_with(temporary.path()), "{died}");
}

#[test]
fn a_stand_in_that_is_killed_is_the_result() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let Outcome { code, document, stderr } =
        with_a_death(&[], temporary.path(), |loadtest| helper(loadtest, "model"));
    assert_eq!((code, &document["broke_first"]), (Some(1), &"process_died".into()), "{stderr}");
    let died = document["steps"][0]["died"].as_str().expect("it is told who died");
    assert!(died.starts_with("the stand-in model was killed by signal 9; "), "{died}");
}

/// They are not what is measured: there is no result.
#[test]
fn callers_that_are_killed_are_named() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let mut command = clearline(&["loadtest", "--calls", "2", "--seconds", "3", "--json"]);
    command.env("TMPDIR", temporary.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut progress = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
    assert!(progress.any(|line| line.is_ok_and(|line| line.contains("measuring"))), "it measures");
    send("KILL", &helper(child.id(), "callers").to_string());
    let said: Vec<_> = progress.map_while(Result::ok).collect();
    let said = said.join("\n");
    assert_eq!(child.wait().expect("our own child").code(), Some(1), "{said}");
    assert!(said.contains("the callers' process was killed by signal 9"), "{said}");
}

#[test]
fn calls_of_an_engine_of_one_s_own_that_is_killed_are_lost() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let model = Attached::start(&["sandbox", "model", "--load", "--attached", "--listen", "127.0.0.1:0"]);
    let engine = Attached::engine(&format!("ws://{}", model.address("model")), &temporary);
    let from_outside = ["--engine", engine.address("sip")];
    let Outcome { code, document, stderr } =
        with_a_death(&from_outside, temporary.path(), |_| engine.child.id());
    assert_eq!(code, Some(1), "{stderr}");
    let step = &document["steps"][0];
    assert_eq!(step["lost"].as_array().map(Vec::len), Some(2), "{document}");
    assert_eq!((&step["calls_held"], &step["held"]), (&0.into(), &false.into()), "{document}");
    assert_eq!(document["broke_first"], "process_died", "{document}");
    assert!(stderr.contains("does not answer any more"), "{stderr}");
}

/// Whatever answers at its address now.
#[test]
fn an_engine_that_is_another_process_at_the_end_is_the_result() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let answering = MuteEngine::start(Muteness::Punctual);
    let address = answering.address.to_string();
    let measured = Attached::engine("ws://127.0.0.1:9", &temporary);
    let pid = measured.child.id().to_string();
    let from_outside = ["--engine", &address, "--pid", &pid];
    let Outcome { code, document, stderr } =
        with_a_death(&from_outside, temporary.path(), |_| measured.child.id());
    assert_eq!((code, &document["broke_first"]), (Some(1), &"process_died".into()), "{stderr}");
    let died = document["steps"][0]["died"].as_str().expect("it is told who died");
    assert!(died.contains(&format!("its process {pid} has ended")), "{died}");
}

#[test]
fn an_engine_whose_counters_begin_anew_in_mid_step_is_the_result() {
    let engine = MuteEngine::start(Muteness::Punctual);
    let address = engine.address.to_string();
    let counters = falling_counters();
    let arguments =
        ["--calls", "1", "--seconds", "1", "--json", "--engine", &address, "--metrics", &counters];
    let (code, stdout, stderr) = loadtest(&arguments);
    assert_eq!(code, Some(1), "{stderr}");
    let document: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    let died = document["steps"][0]["died"].as_str().expect("it is told who died");
    assert!(died.contains("was started anew during the measurement"), "{died}");
    assert_eq!((&document["broke_first"], &document["calls_held"]), (&"process_died".into(), &Value::Null));
}

/// Where an engine seems to tell its figures, and has counted less each time it is asked.
fn falling_counters() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket").to_string();
    thread::spawn(move || {
        for (stream, left) in listener.incoming().zip((0..1_000).rev()) {
            let mut stream = stream.expect("a visitor");
            let mut request = BufReader::new(stream.try_clone().expect("a socket")).lines();
            request.find(|line| line.as_ref().is_ok_and(String::is_empty));
            write!(stream, "HTTP/1.0 200 OK\r\n\r\nclearline_rtp_heard_packets_total {left}\n")
                .expect("it listens");
        }
    });
    address
}

/// Then not only its calls cannot be asked any more.
#[test]
fn an_engine_of_one_s_own_that_is_killed_and_was_looked_into_is_the_result() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let model = Attached::start(&["sandbox", "model", "--load", "--attached", "--listen", "127.0.0.1:0"]);
    let engine = Attached::engine(&format!("ws://{}", model.address("model")), &temporary);
    let with_metrics = ["--engine", engine.address("sip"), "--metrics", engine.address("http")];
    let Outcome { code, document, stderr } =
        with_a_death(&with_metrics, temporary.path(), |_| engine.child.id());
    assert_eq!((code, &document["broke_first"]), (Some(1), &"process_died".into()), "{stderr}");
    assert!(stderr.contains("does not answer any more"), "{stderr}");
}

#[test]
fn an_engine_or_a_stand_in_that_hangs_is_the_result() {
    for (word, name) in [("engine", "the engine"), ("model", "the stand-in model")] {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let victim = |loadtest| helper(loadtest, word);
        let Outcome { code, document, stderr } = with_a_signal("STOP", &[], temporary.path(), victim);
        assert_eq!((code, &document["broke_first"]), (Some(1), &"process_died".into()), "{word}: {stderr}");
        let hangs = document["steps"][0]["died"].as_str().expect("it is told who hangs");
        assert!(hangs.starts_with(&format!("{name} hangs: its process ")), "{hangs}");
        assert!(log_named_in(hangs).is_file(), "{hangs}");
    }
}

/// Whoever asks it waits for as long as it hangs.
#[test]
fn a_load_test_that_waits_for_who_hangs_can_be_interrupted() {
    let engine = MuteEngine::start(Muteness::Dead);
    let hanging = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let counters = hanging.local_addr().expect("a bound socket").to_string();
    let mut command = clearline(&["loadtest", "--calls", "1", "--metrics", &counters, "--engine"]);
    command.arg(engine.address.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the binary runs");
    let (_asked, _) = hanging.accept().expect("a visitor");
    send("INT", &child.id().to_string());
    assert_eq!(child.wait().expect("our own child").code(), Some(130));
}

/// However long its input stays open.
#[test]
fn an_attached_stand_in_ends_when_it_is_told_to() {
    let mut model = Attached::start(&["sandbox", "model", "--load", "--attached", "--listen", "127.0.0.1:0"]);
    send("TERM", &model.child.id().to_string());
    assert_eq!(model.child.wait().expect("our own child").code(), Some(0));
}
