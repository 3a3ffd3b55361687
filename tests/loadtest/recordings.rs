//! Load tests of an engine that records, on a disk that has room and on one that is full from some moment on.

use std::fs::read_dir;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::clearline;
use super::small_disk::SmallDisk;

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a load test that records there came to, and its exit code; `meanwhile` is done while it measures.
fn recorded(folder: &Path, meanwhile: impl FnOnce()) -> (Option<i32>, Value) {
    let mut command = clearline(&["loadtest", "--record", "--calls", "2", "--seconds", "6", "--json"]);
    command.env("TMPDIR", folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut progress = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
    assert!(progress.any(|line| line.is_ok_and(|line| line.contains("measuring"))), "it measures");
    meanwhile();
    let mut stdout = String::new();
    child.stdout.take().expect("stdout is piped").read_to_string(&mut stdout).expect("UTF-8");
    let said: Vec<_> = progress.map_while(Result::ok).collect();
    let code = child.wait().expect("our own child").code();
    let document: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    (code, document["steps"][0].clone())
}

fn spools_of_each_node(folder: &Path) -> usize {
    let files_in = |folder: &Path| read_dir(folder).into_iter().flatten().flatten();
    files_in(folder).map(|node| files_in(&node.path()).count()).sum()
}

fn verdict(step: &Value) -> &Value {
    let verdicts = step["verdicts"].as_array().expect("each level has a verdict");
    verdicts.iter().find(|verdict| verdict["level"] == "recording").expect("a level of that name")
}

/// A machine that was too busy to judge says that instead.
fn unless_late(step: &Value, held: bool) -> Value {
    if step["harness"]["limited"] == true { Value::Null } else { held.into() }
}

#[test]
fn recordings_that_lose_nothing_hold() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_, step) = recorded(folder.path(), || {
        let is_scratch = |name: &str| name.starts_with("clearline-loadtest-");
        let entries = read_dir(folder.path()).expect("a folder").flatten();
        let engine = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .find(|name| is_scratch(name));
        let engine = folder.path().join(engine.expect("an engine's folder"));
        // A call's file is there from its first whole second on.
        while spools_of_each_node(&engine.join("recordings/spools")) < 2 {
            assert!(engine.exists(), "both calls are recorded before the load test is over");
            sleep(LOOK_AGAIN);
        }
    });
    assert_eq!((&step["recording"], &step["recording_lost_s"]), (&true.into(), &0.into()), "{step}");
    assert_eq!(verdict(&step)["held"], unless_late(&step, true), "{step}");
}

#[test]
fn seconds_that_a_full_disk_does_not_take_never_hold() {
    let Some(disk) = SmallDisk::mount(64) else {
        let line = "\nskipped: loadtest::recordings: only root may mount a small disk\n";
        // Straight to the descriptor: the test harness hides what a passing test prints.
        std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
        return;
    };
    let (code, step) = recorded(disk.path(), || disk.take_space(64 << 20));
    assert_eq!(code, Some(1), "{step}");
    assert!(step["recording_lost_s"].as_u64() > Some(0), "{step}");
    assert_eq!(verdict(&step)["held"], unless_late(&step, false), "{step}");
}
