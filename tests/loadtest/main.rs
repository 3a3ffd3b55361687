//! The load test as a person runs it: every process of it is real, and none is left. What a busy machine does to its
//! service levels is not judged here.

mod crossed;
mod deaths;
mod mute;
mod recordings;
mod sipp;
#[path = "../store/small_disk.rs"]
#[expect(dead_code, reason = "a disk that is full stays so here")]
mod small_disk;
mod troubled;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use mute::{MuteEngine, Muteness};
use troubled::{Trouble, TroubledWay};

fn clearline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
    command.args(arguments);
    command
}

fn loadtest(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = clearline(&["loadtest"]).args(arguments).output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("a command speaks UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A part of a load test that its operator has started: it says where it listens, and ends with its standard input.
struct Attached {
    child: Child,
    listening: Value,
}

impl Attached {
    fn start(arguments: &[&str]) -> Self {
        let mut command = clearline(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary runs");
        let mut line = String::new();
        let output = child.stdout.take().expect("stdout is piped");
        BufReader::new(output).read_line(&mut line).expect("it says where it listens");
        let listening = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { child, listening }
    }

    fn engine(model: &str, folder: &TempDir) -> Self {
        let folder = folder.path().to_str().expect("a plain path");
        Self::start(&["sandbox", "engine", "--model", model, "--dir", folder, "--max-calls", "20"])
    }

    fn address(&self, of: &str) -> &str {
        self.listening[of].as_str().unwrap_or_else(|| panic!("no {of}: {}", self.listening))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

#[test]
fn two_calls_are_held_and_told_of_as_one_document() {
    let (code, stdout, stderr) = loadtest(&["--calls", "2", "--seconds", "3", "--json"]);
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {stderr}");
    for phase in ["step 1: dialling 2 calls", "step 1: measuring 3 s", "step 1: hanging up"] {
        assert!(stderr.contains(phase), "{phase}: {stderr}");
    }
    let document: Value = serde_json::from_str(&stdout).expect("--json prints one document");
    assert_eq!(document["version"], 1);
    let step = &document["steps"][0];
    assert_eq!((&step["calls"], &step["calls_held"]), (&2.into(), &2.into()), "{stdout}");
    assert_eq!((&step["refused"], &step["lost"]), (&Value::Array(vec![]), &Value::Array(vec![])), "{stdout}");
    let told = step["bursts_heard"] != 0 && step["voices_heard"] != 0;
    assert_eq!(step["crosstalk"], if told { 0.into() } else { Value::Null }, "{stdout}");
    let levels = document["levels"].as_array().expect("the levels are listed");
    let verdicts = step["verdicts"].as_array().expect("each level has a verdict");
    assert!(!levels.is_empty() && levels.len() == verdicts.len());
    for measured in ["spacing_ms", "first_audio_ms", "set_up_ms"] {
        let few = step[measured]["count"].as_u64() < Some(20);
        assert!(step[measured]["p95"].is_number() != few, "{measured}: {stdout}");
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
fn an_engine_that_runs_already_is_measured_from_outside() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let anywhere = "127.0.0.1:0";
    let arguments = ["sandbox", "model", "--load", "--attached", "--listen", anywhere, "--side", anywhere];
    let model = Attached::start(&arguments);
    let engine = Attached::engine(&format!("ws://{}", model.address("model")), &folder);
    let pid = engine.child.id().to_string();
    let (code, stdout, stderr) = loadtest(&[
        "--calls",
        "2",
        "--seconds",
        "2",
        "--json",
        "--engine",
        engine.address("sip"),
        "--metrics",
        engine.address("http"),
        "--pid",
        &pid,
        "--model-side",
        model.address("side"),
    ]);
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {stderr}");
    let document: Value = serde_json::from_str(&stdout).expect("--json prints one document");
    assert_eq!(document["joined"], engine.address("sip"));
    let step = &document["steps"][0];
    assert_eq!((&step["calls_held"], &step["refused"]), (&2.into(), &Value::Array(vec![])), "{stdout}");
    assert!(step["engine"]["cpu_percent_per_call"].is_number(), "{stdout}");
    assert!(step["harness"]["model_late_ms"]["count"].as_u64() > Some(0), "the stand-in was asked: {stdout}");
}

/// From outside nobody can be asked what should have been heard.
#[test]
fn an_engine_that_takes_calls_and_stays_mute_never_holds() {
    for (muteness, level) in
        [(Muteness::Dead, "loss"), (Muteness::Punctual, "speech"), (Muteness::Greeting, "speech")]
    {
        let engine = MuteEngine::start(muteness);
        let address = engine.address.to_string();
        let (code, stdout, stderr) =
            loadtest(&["--calls", "2", "--seconds", "11", "--json", "--engine", &address]);
        assert_eq!(code, Some(1), "{muteness:?}: {stdout}{stderr}");
        let document: Value = serde_json::from_str(&stdout).expect("--json prints one document");
        let step = &document["steps"][0];
        assert_eq!((&step["calls_held"], &document["calls_held"]), (&2.into(), &Value::Null), "{stdout}");
        let verdicts = step["verdicts"].as_array().expect("each level has a verdict");
        let verdict =
            verdicts.iter().find(|verdict| verdict["level"] == level).expect("a level of that name");
        assert_eq!(verdict["value"], 100.0, "{muteness:?}: {stdout}");
        let known_of_it = [&step["recording"], &step["loss"]["engine_steps_dropped"], &verdicts[0]["held"]];
        assert_eq!(known_of_it, [&Value::Null; 3], "from outside nobody sees this: {stdout}");
        // A machine that was too busy to judge says that instead.
        let was_late = step["harness"]["limited"] == true;
        let expected = if was_late { Value::Null } else { false.into() };
        assert_eq!((&verdict["held"], &step["held"]), (&expected, &expected), "{muteness:?}: {stdout}");
    }
}

/// What is lost on the way to the engine is concealed: the model gets every frame, and only the engine knows.
#[test]
fn callers_packets_that_are_lost_on_the_way_never_hold() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let anywhere = "127.0.0.1:0";
    let arguments = ["sandbox", "model", "--load", "--attached", "--listen", anywhere, "--side", anywhere];
    let model = Attached::start(&arguments);
    let engine = Attached::engine(&format!("ws://{}", model.address("model")), &folder);
    let way = TroubledWay::start(engine.address("sip").parse().expect("an address"), Trouble::LosesEvery(50));
    let address = way.address.to_string();
    let (code, stdout, stderr) = loadtest(&[
        "--calls",
        "4",
        "--seconds",
        "6",
        "--json",
        "--engine",
        &address,
        "--metrics",
        engine.address("http"),
        "--model-side",
        model.address("side"),
    ]);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    let document: Value = serde_json::from_str(&stdout).expect("--json prints one document");
    let step = &document["steps"][0];
    assert_eq!((&step["calls_held"], &step["refused"]), (&4.into(), &Value::Array(vec![])), "{stdout}");
    // Of 1,200 packets 24 are lost, less a frame a call that the ends of the measurement may cut.
    assert!(step["loss"]["uplink_missing"].as_u64() > Some(10), "{stdout}");
    // A machine that was too busy to judge says that instead.
    let was_late = step["harness"]["limited"] == true;
    assert_eq!(step["held"], if was_late { Value::Null } else { false.into() }, "{stdout}");
}

/// It still remembers the SIP identities of the first step's calls when the second's come.
#[test]
fn every_step_of_a_ramp_is_new_to_an_engine_that_runs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = Attached::start(&["sandbox", "model", "--load", "--attached", "--listen", "127.0.0.1:0"]);
    let engine = Attached::engine(&format!("ws://{}", model.address("model")), &folder);
    let chart = folder.path().join("ramp.svg");
    let chart = chart.to_str().expect("a plain path");
    let ramp = ["--from", "2", "--max-calls", "3", "--seconds", "1", "--json", "--svg", chart];
    let (_, stdout, stderr) = loadtest(&[&ramp[..], &["--engine", engine.address("sip")]].concat());
    let document: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    let steps = document["steps"].as_array().expect("a list of steps");
    assert!(steps.len() >= 2, "{stdout}");
    for step in steps {
        assert_eq!(step["refused"], Value::Array(vec![]), "{stdout}");
        assert_eq!(step["calls_held"], step["calls"], "{stdout}");
    }
}

#[test]
fn an_engine_that_is_not_there_is_named_before_anybody_dials() {
    let (code, stdout, stderr) = loadtest(&["--calls", "1", "--seconds", "1", "--engine", "127.0.0.1:9"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("no SIP answer from 127.0.0.1:9") && !stderr.contains("dialling"), "{stderr}");
}

#[test]
fn a_stand_in_that_was_never_there_has_not_died() {
    let engine = MuteEngine::start(Muteness::Dead);
    let address = engine.address.to_string();
    let (code, stdout, stderr) =
        loadtest(&["--calls", "1", "--engine", &address, "--model-side", "127.0.0.1:9"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("cannot read http://127.0.0.1:9/timing") && !stderr.contains("died"), "{stderr}");
}

/// An engine without a model refuses every call.
#[test]
fn a_ramp_in_which_no_step_held_says_so_and_fails() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = Attached::engine("ws://127.0.0.1:9", &folder);
    let chart = folder.path().join("ramp.svg");
    let (code, stdout, stderr) = loadtest(&[
        "--from",
        "1",
        "--seconds",
        "1",
        "--svg",
        chart.to_str().expect("a plain path"),
        "--engine",
        engine.address("sip"),
    ]);
    assert_eq!(code, Some(1), "{stderr}");
    for told in
        ["no step held its service levels", "503 Service Unavailable (1 of 1)", "runs on this machine too"]
    {
        assert!(stdout.contains(told), "{told}: {stdout}");
    }
    assert!(fs::read_to_string(&chart).expect("a chart").contains("no step held"));
}

#[test]
fn each_round_has_calls_of_its_own_and_all_are_told_of_together() {
    let (code, stdout, stderr) = loadtest(&["--calls", "1", "--rounds", "3", "--seconds", "1", "--json"]);
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {stderr}");
    assert!(stderr.contains("step 1: round 3 of 3"), "{stderr}");
    let document: Value = serde_json::from_str(&stdout).expect("--json prints one document");
    let step = &document["steps"][0];
    assert_eq!((&step["rounds"], &step["calls_held"]), (&3.into(), &1.into()), "{stdout}");
    // Each round's call was set up and greeted.
    assert_eq!(step["beside"]["set_up_whole_ms"]["count"], 3, "{stdout}");
    assert!(step["seconds"].as_f64() >= Some(3.0), "{stdout}");
}

#[test]
fn what_a_set_up_costs_is_told_with_its_spread() {
    let (code, stdout, stderr) = loadtest(&["--set-ups", "60", "--per-second", "50", "--json"]);
    let costs: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    let expected = if costs["not_judged"].is_null() { 0 } else { 1 };
    assert_eq!((code, &costs["version"]), (Some(expected), &1.into()), "{stdout}{stderr}");
    assert!(costs["machine"]["cores"].as_u64() > Some(0), "{stdout}");
    assert_eq!((&costs["rounds"], &costs["set_ups"]), (&2.into(), &100.into()), "{stdout}");
    for figure in ["set_up_and_hang_up_ms", "hang_up_ms", "set_up_alone_ms"] {
        let of = |part: &str| costs[figure][part].as_f64().expect("a number");
        assert!(of("least") <= of("median") && of("median") <= of("most"), "{figure}: {stdout}");
    }
    assert!(costs["set_up_and_hang_up_ms"]["least"].as_f64() > Some(0.0), "{stdout}");
}

#[test]
fn set_ups_that_an_engine_refuses_cost_nobody_knows_what() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = Attached::engine("ws://127.0.0.1:9", &folder);
    let pid = engine.child.id().to_string();
    let arguments = ["--set-ups", "1", "--per-second", "50", "--engine", engine.address("sip")];
    let (code, stdout, stderr) = loadtest(&[&arguments[..], &["--pid", &pid]].concat());
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("the engine refused calls in every round"), "{stderr}");
    let (code, _, stderr) = loadtest(&arguments);
    assert!(code == Some(2) && stderr.contains("--pid"), "{code:?}: {stderr}");
}

#[test]
fn a_ramp_that_is_interrupted_writes_what_it_has_finished() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let chart = folder.path().join("ramp.svg");
    let mut command = clearline(&["loadtest", "--from", "2", "--seconds", "1", "--json", "--svg"]);
    command.arg(&chart).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut progress = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
    // Whether the first step held decides how many calls the second has, not whether there is one.
    let second = progress.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("step 2: dialling")));
    assert!(second.is_some(), "a ramp has a second step");
    // As when its terminal is closed.
    let interrupt = Command::new("kill").args(["-s", "HUP", &child.id().to_string()]).status();
    assert!(interrupt.expect("kill can be run").success());

    let mut stdout = String::new();
    child.stdout.take().expect("stdout is piped").read_to_string(&mut stdout).expect("UTF-8");
    let rest: Vec<_> = progress.map_while(Result::ok).collect();
    assert_eq!(child.wait().expect("our own child").code(), Some(130));
    assert!(rest.iter().any(|line| line.contains("interrupted")), "{rest:?}");
    let document: Value = serde_json::from_str(&stdout).expect("--json prints one document");
    assert_eq!(document["steps"].as_array().map(Vec::len), Some(1), "{stdout}");
    assert_eq!(document["ended_early"], "interrupted before the end");
    assert!(fs::read_to_string(&chart).expect("a chart").contains("interrupted before the end"));
}

#[test]
fn a_chart_that_cannot_be_written_is_named_before_anything_starts() {
    let (code, stdout, stderr) = loadtest(&["--calls", "1", "--svg", "/no/such/folder/a.svg"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("/no/such/folder/a.svg") && !stderr.contains("step 1"), "{stderr}");
}

#[test]
fn what_a_killed_load_test_left_is_removed_by_the_next() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // No process has such a number.
    let left = folder.path().join("clearline-loadtest-4200000-0190a5");
    fs::create_dir(&left).expect("a writable folder");
    let mut command = clearline(&["loadtest", "--calls", "1", "--engine", "127.0.0.1:9"]);
    let output = command.env("TMPDIR", folder.path()).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(!left.exists());
}

/// As in the help, but on ports that are free here, and with more calls than one key has sessions unless it is said otherwise.
#[test]
fn the_example_of_an_engine_of_one_s_own_works_as_it_is_printed() {
    let (_, help, _) = loadtest(&["--help"]);
    let example =
        help.split("  export ").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("an example");
    let example = example.replace("model --load", "model --load --listen 127.0.0.1:9090");
    let mut script = format!("export {example}\nresult=$?\nkill $(jobs -p)\nwait\nexit $result\n");
    for port in ["5060", "8080", "9090", "9091"] {
        let is_udp = port == "5060";
        let free = if is_udp { free_udp_port() } else { free_tcp_port() };
        script = script.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{free}"));
    }
    let script = script.replace("--calls 50", "--calls 12 --seconds 2 --json");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let binary = Path::new(env!("CARGO_BIN_EXE_clearline")).parent().expect("a binary is in a folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").expect("a search path"));
    let mut shell = Command::new("bash");
    shell.args(["-c", &script]).current_dir(folder.path()).env("PATH", path);
    let output = shell.output().expect("bash can be run");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let document = stdout.find("\n{").map(|start| &stdout[start..]).unwrap_or_default();
    let end = document.rfind("\n}").map_or(0, |end| end + 2);
    let document: Value = serde_json::from_str(&document[..end])
        .unwrap_or_else(|error| panic!("{error}: {stdout}{}", String::from_utf8_lossy(&output.stderr)));
    let step = &document["steps"][0];
    assert_eq!((&step["calls_held"], &step["refused"]), (&12.into(), &Value::Array(vec![])), "{stdout}");
    assert!(step["engine"]["cpu_percent"].is_number() && step["speech"].is_object(), "{stdout}");
}

fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("a bound socket").port()
}

fn free_tcp_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("a bound socket").port()
}

#[test]
fn a_process_that_is_no_engine_and_a_ramp_without_steps_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = Attached::engine("ws://127.0.0.1:9", &folder);
    let mut other = Command::new("sleep").arg("60").spawn().expect("sleep can be run");
    let pid = other.id().to_string();
    let (code, _, stderr) = loadtest(&["--calls", "1", "--engine", engine.address("sip"), "--pid", &pid]);
    other.kill().expect("our own child");
    other.wait().expect("our own child");
    assert!(code == Some(2) && stderr.contains("no clearline"), "{code:?}: {stderr}");
    let stand_in = Attached::start(&["sandbox", "model", "--load", "--attached", "--listen", "127.0.0.1:0"]);
    let pid = stand_in.child.id().to_string();
    let (code, _, stderr) = loadtest(&["--calls", "1", "--engine", engine.address("sip"), "--pid", &pid]);
    let is_named = stderr.contains("that is `clearline sandbox model`, no engine");
    assert!(code == Some(2) && is_named, "{code:?}: {stderr}");
    let (code, _, stderr) = loadtest(&["--from", "20", "--max-calls", "5"]);
    assert!(code == Some(2) && stderr.contains("--from 20 is above --max-calls 5"), "{code:?}: {stderr}");
}

#[test]
fn a_stand_in_names_the_address_that_it_cannot_have() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("a bound socket").to_string();
    let mut command = clearline(&["sandbox", "model", "--listen", "127.0.0.1:0", "--side", &taken]);
    let output = command.output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.contains(&taken), "{stderr}");
}

#[test]
fn one_step_that_is_interrupted_says_that_there_is_nothing_to_write() {
    let mut command = clearline(&["loadtest", "--calls", "1", "--seconds", "600", "--json"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut progress = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
    assert!(progress.any(|line| line.is_ok_and(|line| line.starts_with("step 1: dialling"))));
    let interrupt = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
    assert!(interrupt.expect("kill can be run").success());
    let rest: Vec<_> = progress.map_while(Result::ok).collect();
    assert_eq!(child.wait().expect("our own child").code(), Some(130));
    assert!(rest.iter().any(|line| line.contains("no result to write")), "{rest:?}");
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_starts() {
    let no_number = ["--engine", "127.0.0.1:9", "--calls", "1", "--number", "a b@c;x"];
    for (arguments, named) in
        [(&["--set-ups", "50", "--record"][..], "--record"), (&no_number, "a number to dial is digits")]
    {
        let (code, stdout, stderr) = loadtest(arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(named), "{named}: {stderr}");
    }
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
