//! The binary as a person or a script uses it: exit codes, texts, and the demo from end to end.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use clearline::media::opus_file::Listened;
use serde_json::{Value, json};

fn clearline(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
    command.args(arguments).envs(environment.iter().copied()).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("a command speaks UTF-8")
}

fn add_user(store: &Path, name: &str, keys: &[(&str, &str)]) -> Output {
    let store = format!("store.path={}", store.display());
    clearline(&["user", "add", name, "--json", "--set", &store], keys)
}

fn key_hint(added: &Output) -> String {
    assert_eq!(added.status.code(), Some(0), "{}", text(&added.stderr));
    let users: Value = serde_json::from_slice(&added.stdout).expect("--json prints one document");
    users[0]["key_hint"].as_str().expect("the pool has keys for everybody").to_owned()
}

#[test]
fn a_wrong_setting_is_named_with_its_cure_and_ends_with_2() {
    let refused = clearline(&["serve", "--set", "sip.lisen=127.0.0.1:5070"], &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("did you mean sip.listen"), "{}", text(&refused.stderr));
}

#[test]
fn a_google_key_that_can_be_none_is_named_by_its_variable_and_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("store.path={}", folder.path().join("clearline.db").display());
    for key in ["AIza-schlüssel", "AIza two keys"] {
        let refused = clearline(&["keys", "report", "--set", &store], &[("GOOGLE_API_KEY_2", key)]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("GOOGLE_API_KEY_2") && !said.contains("AIza"), "{said}");
    }
}

#[test]
fn two_users_do_not_share_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("clearline.db");
    let key = [("GOOGLE_API_KEY", "AIza-a-key-of-the-tests-0001")];
    assert!(add_user(&store, "mira", &key).status.success());
    let again = add_user(&store, "mira", &key);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("choose another name"), "{}", text(&again.stderr));
    let blank = add_user(&store, " ", &key);
    assert_eq!(blank.status.code(), Some(2));
}

#[test]
fn users_who_are_added_at_the_same_moment_get_different_keys_while_there_are_some() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("clearline.db");
    let keys = [
        ("GOOGLE_API_KEY", "AIza-a-key-of-the-tests-0001"),
        ("GOOGLE_API_KEY_2", "AIza-a-key-of-the-tests-0002"),
        ("GOOGLE_API_KEY_3", "AIza-a-key-of-the-tests-0003"),
        ("GOOGLE_API_KEY_4", "AIza-a-key-of-the-tests-0004"),
    ];
    let mut hints: Vec<String> = std::thread::scope(|scope| {
        let add = |number: usize| {
            let store = &store;
            scope.spawn(move || key_hint(&add_user(store, &format!("user-{number}"), &keys)))
        };
        let adding: Vec<_> = (0..keys.len()).map(add).collect();
        adding.into_iter().map(|user| user.join().expect("adding a user ends")).collect()
    });
    hints.sort();
    hints.dedup();
    assert_eq!(hints.len(), keys.len(), "{hints:?}");
}

#[test]
fn keys_are_assigned_reported_moved_and_sealed_and_each_action_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("clearline.db");
    let path = format!("store.path={}", store.display());
    let one = [("GOOGLE_API_KEY", "AIza-a-key-of-the-tests-0001")];
    let two = [one[0], ("GOOGLE_API_KEY_2", "AIza-a-key-of-the-tests-0002")];
    let keys = |action: &[&str], environment: &[(&str, &str)]| {
        clearline(&[&["keys"], action, &["--json", "--set", &path]].concat(), environment)
    };
    let document = |output: &Output| -> Value {
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(!text(&output.stdout).contains("AIza-a-key"), "no key is shown whole");
        serde_json::from_slice(&output.stdout).expect("--json prints one document")
    };
    assert!(add_user(&store, "without", &[]).status.success());
    assert_eq!(document(&keys(&["report"], &one))["without_key"], json!(["without"]));
    let assigned = document(&keys(&["assign"], &one));
    assert_eq!(
        assigned["keys"],
        json!([{ "key": "AIza-a…0001", "project": assigned["keys"][0]["project"],
        "users": ["without"], "shares_project": false, "health": "ok" }])
    );
    assert!(add_user(&store, "sharer", &one).status.success());
    let spread = document(&keys(&["assign", "--spread"], &two));
    assert_eq!(
        (&spread["keys"][0]["users"], &spread["keys"][1]["users"]),
        (&json!(["without"]), &json!(["sharer"]))
    );
    assert_eq!(document(&keys(&["assign", "--spread"], &two)), spread, "nothing is left to do");
    let moved = document(&keys(&["reassign", "sharer"], &two));
    assert_eq!(moved["keys"][0]["users"], json!(["without", "sharer"]));
    let key = line(&secret(&["generate-key"], "", &[]));
    let sealing = [(SEALING_KEY, key.as_str()), two[0], two[1]];
    assert_eq!(document(&keys(&["seal"], &sealing))["sealed"], 2);
    assert_eq!(document(&keys(&["seal"], &sealing))["sealed"], 0);
    assert_eq!(document(&keys(&["report"], &sealing))["keys"], moved["keys"]);
    let unknown = keys(&["reassign", "nobody"], &two);
    assert!(!unknown.status.success() && text(&unknown.stderr).contains("clearline user list"));
    let nothing_to_heal = keys(&["heal", "AIza-a…9999"], &two);
    assert!(!nothing_to_heal.status.success() && text(&nothing_to_heal.stderr).contains("keys report"));
    assert!(keys(&["heal", "all"], &two).status.success(), "it can be repeated");
    let cannot = keys(&["seal"], &two);
    assert!(!cannot.status.success() && text(&cannot.stderr).contains("set LIVEKIT_SECRET_ENCRYPTION_KEY"));
}

const SEALING_KEY: &str = "LIVEKIT_SECRET_ENCRYPTION_KEY";

fn secret(arguments: &[&str], input: &str, keys: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
    command.arg("secret").args(arguments).envs(keys.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().expect("the binary runs");
    let mut pipe = running.stdin.take().expect("it is piped");
    // A command that refuses its arguments does not read.
    drop(pipe.write_all(input.as_bytes()));
    drop(pipe);
    running.wait_with_output().expect("the binary ends")
}

fn line(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).trim_end().to_owned()
}

#[test]
fn a_secret_is_sealed_and_opened_by_its_prefix_and_each_command_refuses_what_is_not_its_own() {
    let key = line(&secret(&["generate-key"], "", &[]));
    let keys = [(SEALING_KEY, key.as_str())];
    let sealed = line(&secret(&["pässwörd"], "", &keys));
    assert!(sealed.starts_with("dev-s-t-"), "{sealed}");
    assert_eq!(line(&secret(&[], &format!("{sealed}\n"), &keys)), "pässwörd");
    assert_eq!(line(&secret(&["encrypt", &sealed], "", &keys)), sealed, "it is sealed already");
    let refused = |arguments: &[&str], keys: &[(&str, &str)], says: &str| {
        let output = secret(arguments, "", keys);
        assert_ne!(output.status.code(), Some(0));
        assert!(output.stdout.is_empty() && text(&output.stderr).contains(says), "{}", text(&output.stderr));
    };
    refused(&["decrypt", "plain"], &keys, "not sealed");
    refused(&["decrypt"], &keys, "there is no value");
    refused(&["plain"], &[], "set LIVEKIT_SECRET_ENCRYPTION_KEY");
    refused(&["decrypt", &sealed], &[], "set LIVEKIT_SECRET_ENCRYPTION_KEY");
    refused(&["plain"], &[(SEALING_KEY, "too-short")], "32 bytes in URL-safe base64");
    let other = line(&secret(&["generate-key"], "", &[]));
    refused(&["decrypt", &sealed], &[(SEALING_KEY, &other)], "no encryption key opens this");
    let rotated = [(SEALING_KEY, other.as_str()), ("LIVEKIT_SECRET_ENCRYPTION_KEYS_OLD", &key)];
    assert_eq!(line(&secret(&["decrypt", &sealed], "", &rotated)), "pässwörd");
}

/// The other side of the wire format: what many CRMs are written with.
#[test]
fn python_opens_what_we_seal_and_we_open_what_python_seals() {
    let python = |program: &str, input: &str| {
        let mut command = Command::new("python3");
        command.args(["-c", program, input]).stderr(Stdio::inherit());
        command.output().ok().filter(|output| output.status.success())
    };
    let Some(made) =
        python("from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())", "")
    else {
        println!("skipped: python3 with the package `cryptography` is not there");
        return;
    };
    let key = text(&made.stdout).trim().to_owned();
    let keys = [(SEALING_KEY, key.as_str())];
    let fernet =
        format!("import sys; from cryptography.fernet import Fernet; f = Fernet('{key}'); v = sys.argv[1]");
    let by_us = line(&secret(&["AIza-schlüssel"], "", &keys));
    let opened =
        python(&format!("{fernet}; print(f.decrypt(v[8:]).decode())"), &by_us).expect("Python opens it");
    assert_eq!(text(&opened.stdout).trim(), "AIza-schlüssel");
    let by_python =
        python(&format!("{fernet}; print(f.encrypt(v.encode()).decode())"), "pässwörd").expect("it seals");
    let by_python = format!("dev-s-t-{}", text(&by_python.stdout).trim());
    assert_eq!(line(&secret(&[&by_python], "", &keys)), "pässwörd");
}

#[test]
fn two_demos_into_one_folder_both_hold_and_leave_a_recording_of_each_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let demo = || clearline(&["demo", "--json", "--dir", &path], &[]);
    let outputs = std::thread::scope(|scope| {
        let other = scope.spawn(demo);
        [demo(), other.join().expect("a demo ends")]
    });
    let mut recordings = Vec::new();
    for output in outputs {
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).expect("--json prints one document");
        assert_eq!(report["ok"], true, "{report}");
        for call in report["calls"].as_array().expect("there are calls") {
            assert_eq!(
                (&call["heard_own"], &call["heard_foreign"]),
                (&true.into(), &false.into()),
                "{report}"
            );
            recordings.push(call["recording"].as_str().expect("calls are recorded").to_owned());
        }
    }
    recordings.sort();
    recordings.dedup();
    assert_eq!(recordings.len(), 4, "nothing is overwritten: {recordings:?}");
    for recording in recordings {
        let heard = Listened::to(std::fs::File::open(recording).unwrap()).unwrap();
        assert!(heard.caller.iter().any(|&sample| sample.abs() > 3_000), "the person is on the left");
        assert!(heard.model.iter().any(|&sample| sample.abs() > 3_000), "the model is on the right");
    }
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 8, "two recordings and two transcripts of each demo, and no database: {left:?}");
}

#[test]
fn who_only_looks_for_migrations_makes_no_store_at_a_misspelt_path() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("typo.db");
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
    let looked = command
        .current_dir(folder.path())
        .args(["migrate", "--status", "--set", &format!("store.path={}", path.display())])
        .output()
        .expect("the binary runs");
    assert_eq!(looked.status.code(), Some(1));
    assert!(text(&looked.stderr).contains("there is no store at"), "{}", text(&looked.stderr));
    assert!(!path.exists());
}
