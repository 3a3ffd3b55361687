//! `clearline user` and the first start of `clearline serve`, as an operator uses them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery";

struct Bench {
    folder: tempfile::TempDir,
}

fn bench() -> Bench {
    Bench { folder: tempfile::tempdir().expect("a folder") }
}

impl Bench {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("GOOGLE_API_KEY", "AIza-key-of-tests-0001");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut running = self.command(arguments).spawn().expect("the binary runs");
        // A command that refuses its arguments does not read.
        drop(running.stdin.take().expect("it is piped").write_all(input.as_bytes()));
        running.wait_with_output().expect("the binary ends")
    }

    fn user(&self, arguments: &[&str]) -> Output {
        self.run_with_input(&[&["user"], arguments].concat(), "")
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.user(arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.user(arguments);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{}", text(&output.stderr));
        text(&output.stderr)
    }

    fn listed(&self) -> Value {
        let output = self.user(&["list", "--json"]);
        serde_json::from_slice(&output.stdout).expect("--json prints one document")
    }

    /// As an older version or another program wrote it, which knew no unique index.
    fn write_twins(&self, table: &str, index: &str, twins: [(&str, Value); 2]) {
        let connection = Connection::open(self.folder.path().join("data/clearline.db")).expect("a store");
        connection.execute_batch(&format!("DROP INDEX {index}")).expect("an index of ours");
        let insert = format!(
            "INSERT INTO {table} (id, version, created_at, updated_at, body) VALUES (?1, 1, 0, 0, ?2)"
        );
        for (id, body) in twins {
            connection.execute(&insert, (id, body.to_string())).expect("a table of ours");
        }
    }

    /// What `serve` says when it does not start.
    fn refused_start(&self) -> String {
        let nowhere = ["--set", "sip.listen=127.0.0.1:0", "--set", "http.listen=127.0.0.1:0"];
        let output = self.run_with_input(&[&["serve"], &nowhere[..]].concat(), "");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        text(&output.stderr)
    }

    /// A command as a message prints it, between backquotes.
    fn run_as_printed(&self, message: &str, beginning: &str) -> Output {
        let printed = message.split('`').find(|part| part.starts_with(beginning));
        let printed = printed.unwrap_or_else(|| panic!("no {beginning} in {message}"));
        let words: Vec<_> = printed.split_whitespace().skip(1).collect();
        self.run_with_input(&words, "")
    }

    fn serve(&self) -> Serving {
        let free_port = "127.0.0.1:0";
        let settings = ["sip.listen", "http.listen"].map(|name| format!("{name}={free_port}"));
        let mut command = self.command(&["serve", "--set", &settings[0], "--set", &settings[1]]);
        let mut process = command.spawn().expect("the binary runs");
        let mut lines = BufReader::new(process.stderr.take().expect("it is piped")).lines();
        let mut said = String::new();
        while !said.contains(" ready ") {
            let line = lines.next().unwrap_or_else(|| panic!("it ended early: {said}"));
            let line = line.expect("it speaks UTF-8");
            said.push_str(&line);
            said.push('\n');
        }
        Serving { process, said }
    }
}

struct Serving {
    process: Child,
    /// On standard error until it was ready.
    said: String,
}

impl Serving {
    fn stop(mut self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).expect("it runs");
        assert!(self.process.wait().expect("it ends").success());
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("a command speaks UTF-8")
}

/// Somewhere below a folder.
fn find_file(folder: &Path, name: &str) -> PathBuf {
    let entries = fs::read_dir(folder).expect("a folder of ours").map(|entry| entry.expect("listed").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let here = files.into_iter().find(|path| path.ends_with(name));
    here.or_else(|| folders.iter().map(|folder| find_file(folder, name)).find(|path| path.ends_with(name)))
        .unwrap_or_default()
}

fn on_disk(folder: &Path) -> String {
    let files = std::fs::read_dir(folder.join("data")).expect("the store's folder");
    let paths = files.map(|file| file.expect("it can be listed").path()).filter(|path| path.is_file());
    let read = |path| String::from_utf8_lossy(&std::fs::read(path).expect("it is ours")).into_owned();
    paths.map(read).collect()
}

#[test]
fn o3_a_password_comes_by_standard_input_and_lies_in_the_store_as_a_hash_alone() {
    let bench = bench();
    let said = bench.done(&["add", "mira"]);
    assert!(said.contains("cannot log in") && said.contains("user passwd mira"), "{said}");
    let passwd = |input: &str| bench.run_with_input(&["user", "passwd", "mira"], input);
    let short = passwd("short\n");
    assert_eq!(short.status.code(), Some(1));
    assert!(text(&short.stderr).contains("at least 12 characters"), "{}", text(&short.stderr));
    assert_eq!(passwd("").status.code(), Some(1), "nothing is no password");
    let changed = passwd(&format!("{PASSWORD}\nanother line\n"));
    assert!(changed.status.success(), "{}", text(&changed.stderr));
    let on_disk = on_disk(bench.folder.path());
    assert!(on_disk.contains("$argon2id$") && !on_disk.contains(PASSWORD));
    assert!(on_disk.contains("user.set_password") && on_disk.contains("os_user"), "it is in the audit log");
    let as_argument = bench.user(&["passwd", "mira", PASSWORD]);
    assert_eq!(as_argument.status.code(), Some(2), "never as an argument");
}

#[test]
fn o3_a_one_time_password_is_shown_once_and_by_json_too() {
    let bench = bench();
    let added = bench.user(&["add", "boss", "--role", "superadmin", "--one-time-password", "--json"]);
    let added: Value = serde_json::from_slice(&added.stdout).unwrap();
    let password = added[0]["one_time_password"].as_str().expect("it is shown");
    assert_eq!((password.len(), &added[0]["key_hint"]), (24, &Value::Null), "a superadmin holds no key");
    assert!(!on_disk(bench.folder.path()).contains(password));
    assert!(bench.listed()[0].get("one_time_password").is_none());
}

#[test]
fn o1_users_are_disabled_enabled_and_removed_and_an_admin_with_agents_stays() {
    let bench = bench();
    bench.done(&["add", "mira"]);
    bench.done(&["add", "ben", "--role", "agent", "--admin", "mira"]);
    let with_agents = bench.refused(&["remove", "mira"]);
    assert!(with_agents.contains("still has agents (ben)"), "{with_agents}");
    assert!(bench.refused(&["disable", "nobody"]).contains("user list"));
    let warned = bench.done(&["disable", "mira"]);
    assert!(warned.contains("the agents of mira (ben) log in and make calls as before"), "{warned}");
    bench.done(&["enable", "mira"]);
    bench.done(&["disable", "ben"]);
    assert!(bench.done(&["disable", "ben"]).contains("already"), "it may be repeated");
    assert_eq!(bench.listed()[1]["enabled"], false);
    bench.done(&["enable", "ben"]);
    assert_eq!(bench.listed()[1]["enabled"], true);
    bench.done(&["remove", "ben"]);
    let owner = "calls.default_owner_id=mira";
    let warned = bench.done(&["remove", "mira", "--set", owner]);
    assert!(warned.contains("incoming calls") && warned.contains("refused"), "{warned}");
    assert_eq!(bench.listed(), serde_json::json!([]));
}

#[test]
fn o1_names_that_differ_only_in_case_are_one_user_and_a_taken_name_gets_no_advice_about_its_password() {
    let bench = bench();
    bench.done(&["add", "Mira"]);
    let taken = bench.refused(&["add", "mira"]);
    assert!(taken.contains("\"mira\" already") && !taken.contains("passwd"), "{taken}");
    bench.done(&["disable", "MIRA"]);
    assert_eq!(bench.listed()[0]["enabled"], false);
}

#[test]
fn o1_only_an_agent_is_given_to_an_admin() {
    let bench = bench();
    bench.done(&["add", "mira"]);
    for role in ["superadmin", "admin"] {
        let refused = bench.refused(&["add", "boss", "--role", role, "--admin", "mira"]);
        assert!(refused.contains("--admin") && refused.contains("--role agent"), "{refused}");
    }
    assert_eq!(bench.listed().as_array().map(Vec::len), Some(1));
}

#[test]
fn o3_the_first_start_shows_a_superadmin_once_outside_the_log_and_the_next_start_does_not() {
    let bench = bench();
    let first = bench.serve();
    let file = find_file(bench.folder.path(), "first-superadmin");
    let shown = fs::read_to_string(&file).expect("where there is no screen it is in a file");
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    let value_of = |name: &str| {
        let line = shown.lines().find_map(|line| line.trim().strip_prefix(name)).expect("it is shown");
        line.trim().to_owned()
    };
    assert_eq!(value_of("name"), "superadmin");
    let password = value_of("password");
    assert!(!first.said.contains(&password), "nobody who reads the log may log in");
    assert!(first.said.contains("first-superadmin"), "{}", first.said);
    first.stop();
    fs::remove_file(&file).expect("it is ours");
    assert!(!on_disk(bench.folder.path()).contains(&password));
    let second = bench.serve();
    assert!(!second.said.contains("first-superadmin"), "{}", second.said);
    second.stop();
    assert_eq!(bench.listed()[0]["role"], "superadmin");
    let last = bench.refused(&["remove", "superadmin"]);
    assert!(last.contains("last superadmin"), "{last}");
}

#[test]
fn of_two_users_with_one_name_of_an_older_version_one_is_renamed_by_the_command_that_the_error_prints() {
    let bench = bench();
    bench.done(&["add", "ben"]);
    let twin = |id: &str| json!({ "id": id, "name": "mira k", "role": "admin", "tenant_id": id, "google_api_key": format!("AIza-of-{id}") });
    bench.write_twins("users", "users_over_name", [("u1", twin("u1")), ("u2", twin("u2"))]);
    let refused = bench.refused_start();
    assert!(refused.contains("u1 and u2 of users have the same name"), "{refused}");
    assert!(refused.contains("`clearline user remove u2`"), "{refused}");
    assert!(refused.contains("`clearline user rename u2 'mira k-2'`"), "{refused}");
    assert_eq!(bench.listed().as_array().map(Vec::len), Some(3), "all can be looked at");
    assert_eq!(bench.refused_start(), refused, "to look makes nobody unique");
    assert!(bench.refused(&["rename", "u2", "ben"]).contains("choose another name"));
    assert!(bench.refused(&["disable", "u2"]).contains("have the same name"));
    assert!(bench.refused(&["remove", "mira k"]).contains("no user"), "which of the two?");
    let renamed = bench.user(&["rename", "u2", "mira k-2"]);
    assert!(renamed.status.success(), "{}", text(&renamed.stderr));
    bench.serve().stop();
    let listed = bench.listed();
    let find = |id: &str| listed.as_array().expect("a list").iter().find(|user| user["id"] == id);
    let (one, other) = (find("u1").expect("u1 is there"), find("u2").expect("u2 is there"));
    assert_eq!((&one["name"], &other["name"]), (&json!("mira k"), &json!("mira k-2")));
    assert_ne!(one["key_hint"], Value::Null);
    assert_ne!(other["key_hint"], Value::Null);
    assert!(bench.refused(&["add", "mira k"]).contains("choose another name"), "names are unique again");
}

#[test]
fn of_two_users_that_were_not_migrated_one_is_renamed_by_the_command_that_the_error_prints() {
    let bench = bench();
    bench.done(&["add", "ben"]);
    // Not even with what this version asks of a user.
    let twin = json!({ "name": "mira", "role": "admin" });
    bench.write_twins("users", "users_over_name", [("u1", twin.clone()), ("u2", twin)]);
    let refused = bench.refused_start();
    let renamed = bench.run_as_printed(&refused, "clearline user rename");
    assert!(renamed.status.success(), "{}", text(&renamed.stderr));
    bench.serve().stop();
    let names: Vec<_> =
        bench.listed().as_array().expect("a list").iter().map(|user| user["name"].clone()).collect();
    for name in ["ben", "mira", "mira-2"] {
        assert!(names.contains(&json!(name)), "{name}: {names:?}");
    }
}

#[test]
fn of_two_numbers_that_are_one_one_is_removed_by_the_command_that_the_error_prints() {
    let bench = bench();
    bench.done(&["add", "ben"]);
    let twin = |id: &str| {
        let forms = json!({ "e164": "+4930123456", "local": "030123456", "national": "4930123456" });
        json!({ "id": id, "number": "+4930123456", "country_code": "49", "forms": forms })
    };
    bench.write_twins(
        "voice_agent_numbers",
        "voice_agent_numbers_over_forms__e164",
        [("n1", twin("n1")), ("n2", twin("n2"))],
    );
    let refused = bench.refused_start();
    assert!(refused.contains("n1 and n2 of voice_agent_numbers"), "{refused}");
    let removed = bench.run_as_printed(&refused, "clearline number remove");
    assert!(removed.status.success(), "{}", text(&removed.stderr));
    bench.serve().stop();
}

#[test]
fn a_user_who_is_renamed_stays_who_it_is_and_logs_in_by_the_new_name() {
    let bench = bench();
    bench.done(&["add", "mira"]);
    bench.done(&["add", "ben"]);
    let before = bench.listed();
    assert!(bench.refused(&["rename", "mira", "BEN"]).contains("choose another name"));
    let renamed = bench.user(&["rename", "mira", "Mira K", "--json"]);
    let renamed: Value = serde_json::from_slice(&renamed.stdout).expect("one document");
    assert_eq!(renamed[0]["name"], "Mira K");
    assert_eq!((&renamed[0]["id"], &renamed[0]["key_hint"]), (&before[0]["id"], &before[0]["key_hint"]));
    assert!(bench.refused(&["disable", "mira"]).contains("no user"));
    bench.done(&["disable", "mira k"]);
}
