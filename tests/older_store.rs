//! What the commands do with the store of an older system, and with records that are none of ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clearline::domain::Timestamp;
use clearline::store::{COLLECTIONS, embedded};
use rusqlite::Connection;
use serde_json::{Value, json};

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().expect("a folder") };
        std::fs::create_dir(bench.folder.path().join("data")).expect("a writable folder");
        // A store that nothing was done to yet.
        drop(embedded::open(&bench.file(), COLLECTIONS, || Timestamp::from_millis(0)).expect("a new store"));
        bench
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("data/clearline.db")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("GOOGLE_API_KEY", "AIza-key-of-tests-0001");
        command.output().expect("the binary runs")
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn document(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["--json"]].concat())).expect("one document")
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        text(&output.stderr)
    }

    /// As another program writes it.
    fn write(&self, table: &str, id: &str, body: &Value) {
        let insert = format!(
            "INSERT INTO {table} (id, version, created_at, updated_at, body) VALUES (?1, 1, 0, 0, ?2)"
        );
        let connection = Connection::open(self.file()).expect("a command has made it");
        connection.execute(&insert, (id, body.to_string())).expect("the table is there");
    }

    fn count(&self, table: &str) -> i64 {
        count(&self.file(), table)
    }
}

fn count(file: &Path, table: &str) -> i64 {
    let connection = Connection::open(file).expect("a command has made it");
    connection
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
        .expect("a table of ours")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("a command speaks UTF-8")
}

fn standings(status: &Value) -> Vec<&str> {
    let lines = status.as_array().expect("a list");
    lines.iter().map(|line| line["standing"].as_str().expect("it stands somehow")).collect()
}

#[test]
fn migrate_shows_how_it_stands_runs_what_is_missing_and_goes_back_where_there_is_a_way() {
    let bench = Bench::new();
    let fresh = bench.document(&["migrate", "--status"]);
    assert_eq!(standings(&fresh), ["not_run"; 4]);
    assert_eq!(bench.count("migrations"), 0, "to look changes nothing");
    let number = json!({ "number": "030 123456", "country_code": "49" });
    bench.write("voice_agent_numbers", "n1", &number);
    assert!(bench.refused(&["number", "set", "030123456", "--provider", "x"]).contains("no number"));
    let said = bench.done(&["migrate"]);
    assert!(
        said.contains("migrated to 2 number_forms: 1 documents looked at, 1 changed, 0 passed over"),
        "{said}"
    );
    bench.done(&["number", "set", "030123456", "--provider", "x"]);
    assert_eq!(bench.done(&["migrate"]).trim(), "nothing to migrate");
    let shown = bench.done(&["migrate", "--status"]);
    assert_eq!(shown.matches("done").count(), 4, "{shown}");
    assert_eq!(shown.matches("way back:").count(), 4, "{shown}");
    let no_way = bench.refused(&["migrate", "--to", "0"]);
    assert!(no_way.contains("no way back from migration 1 (baseline)"), "{no_way}");
    let back = bench.document(&["migrate", "--to", "2"]);
    assert_eq!((&back[0]["number"], &back[1]["number"]), (&json!(4), &json!(3)));
    assert_eq!(back[1]["direction"], "back");
    let status = bench.document(&["migrate", "--status"]);
    assert_eq!(standings(&status), ["done", "done", "went_back", "went_back"]);
    assert!(bench.refused(&["migrate", "--to", "99"]).contains("knows 1 to 4"));
}

#[test]
fn an_engine_migrates_before_it_starts_and_does_not_start_on_what_no_migration_can_decide() {
    let bench = Bench::new();
    bench.document(&["migrate", "--status"]);
    for id in ["n1", "n2"] {
        bench.write("voice_agent_numbers", id, &json!({ "number": "030 123456", "country_code": "49" }));
    }
    let at_any_port = ["--set", "sip.listen=127.0.0.1:0", "--set", "http.listen=127.0.0.1:0"];
    let refused = bench.refused(&[&["serve"], &at_any_port[..]].concat());
    for named in ["migration 2 (number_forms)", "n1", "n2", "change or remove one of the two"] {
        assert!(refused.contains(named), "{named}: {refused}");
    }
    assert_eq!(bench.count("voice_agent_numbers"), 2);
    let status = bench.done(&["migrate", "--status"]);
    assert!(status.contains("stopped: voice_agent_numbers n"), "{status}");
}

#[test]
fn no_command_writes_into_a_store_that_a_newer_version_has_migrated() {
    let bench = Bench::new();
    bench.document(&["migrate"]);
    bench.write("migrations", "0099:0001", &json!({ "migration": 99, "direction": "up", "state": "begun" }));
    for command in [&["user", "add", "mira"][..], &["migrate"], &["keys", "assign"]] {
        let refused = bench.refused(command);
        assert!(refused.contains("migration 99 by a newer Clearline"), "{command:?}: {refused}");
    }
    assert_eq!((bench.count("users"), bench.count("constants")), (0, 1));
}

#[test]
fn a_user_of_an_unknown_role_is_named_and_hides_nobody() {
    let bench = Bench::new();
    bench.done(&["user", "add", "mira"]);
    bench.write("users", "u1", &json!({ "id": "u1", "name": "eve", "role": "janitor", "tenant_id": null }));
    for (command, code) in [(["user", "list"], 3), (["keys", "report"], 3), (["keys", "assign"], 3)] {
        let output = bench.run(&command);
        let (said, warned) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{command:?}: {warned}");
        assert!(said.contains("mira"), "{command:?}: {warned}");
        assert!(warned.contains("users u1") && warned.contains("janitor"), "{command:?}: {warned}");
    }
    bench.done(&["user", "add", "ben"]);
    assert!(bench.refused(&["user", "disable", "eve"]).contains("users u1"));
    let removed = bench.run(&["user", "remove", "eve"]);
    assert!(removed.status.success(), "whoever it was can be shut out: {}", text(&removed.stderr));
    assert_eq!(bench.count("users"), 2);
}

#[test]
fn a_key_that_cannot_be_opened_is_named_and_told_by_the_exit_code_of_who_looks_at_all_keys() {
    let bench = Bench::new();
    bench.done(&["user", "add", "mira"]);
    let by_another_key = "dev-s-t-gAAAAABnot-ours";
    bench.write(
        "users",
        "u1",
        &json!({ "id": "u1", "name": "eve", "role": "admin", "tenant_id": "u1", "enabled": true,
                 "google_api_key": by_another_key }),
    );
    for command in [["keys", "report"], ["keys", "assign"]] {
        let output = bench.run(&command);
        assert_eq!(output.status.code(), Some(3), "{command:?}: {}", text(&output.stderr));
        assert!(text(&output.stdout).contains("the key of eve cannot be opened"), "{command:?}");
    }
    bench.done(&["keys", "reassign", "eve"]);
    bench.done(&["keys", "report"]);
}

#[test]
fn of_two_users_of_an_older_system_whose_names_differ_only_in_case_each_stays_who_it_is() {
    let bench = Bench::new();
    bench.document(&["migrate", "--status"]);
    for (id, name) in [("u1", "Mira"), ("u2", "mira"), ("u3", "Ben")] {
        bench.write("users", id, &json!({ "name": name, "role": "admin" }));
    }
    bench.done(&["migrate"]);
    assert!(bench.done(&["user", "disable", "Mira"]).contains("u1"));
    assert!(bench.done(&["user", "disable", "mira"]).contains("u2"));
    assert!(bench.refused(&["user", "disable", "MIRA"]).contains("no user \"MIRA\""));
    assert!(bench.done(&["user", "disable", "BEN"]).contains("u3"));
    for name in ["MIRA", "Mira", "ben"] {
        assert!(bench.refused(&["user", "add", name]).contains("choose another name"), "{name}");
    }
}

#[test]
fn who_only_looks_makes_nothing_in_the_store() {
    let bench = Bench::new();
    bench.done(&["user", "list"]);
    let report = bench.document(&["keys", "report"]);
    assert_eq!(report["keys"][0]["users"], json!([]));
    assert_eq!(bench.count("constants"), 0, "no fingerprint was made, so no key for them either");
    bench.write(
        "users",
        "u1",
        &json!({ "id": "u1", "name": "mira", "role": "admin", "tenant_id": "u1",
                                        "google_api_key": "AIza-key-of-tests-0001" }),
    );
    assert_eq!(bench.document(&["keys", "report"])["keys"][0]["users"], json!(["mira"]));
    assert_eq!(bench.count("constants"), 0);
}
