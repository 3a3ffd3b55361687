//! `clearline number`, as an operator uses it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().expect("a folder") };
        for name in ["mira", "ben"] {
            bench.done(&["user", "add", name]);
        }
        bench
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
        command.args(arguments).current_dir(self.folder()).env("GOOGLE_API_KEY", "AIza-key-of-tests-0001");
        command.output().expect("the binary runs")
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn number(&self, arguments: &[&str]) -> Value {
        let shown = self.done(&[&["number"], arguments, &["--json"]].concat());
        serde_json::from_str(&shown).expect("--json prints one document")
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(&[&["number"], arguments].concat());
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{}", text(&output.stderr));
        text(&output.stderr)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_number_is_added_listed_changed_and_removed_by_whatever_form_it_is_written_in() {
    let bench = Bench::new();
    let arguments = ["add", "(030) 123456", "--country", "49", "--owner", "mira", "--livekit-config", "c1"];
    let added = bench.number(&arguments)[0].clone();
    assert_eq!((&added["number"], &added["owner"]), (&json!("+4930123456"), &json!("mira")));
    assert_eq!((&added["tenant_id"], &added["owner_id"]), (&added["owner_id"], &added["tenant_id"]));
    assert_eq!(bench.number(&["list"]), json!([added]));
    let set = ["set", "004930123456", "--owner", "ben", "--voice-agent", "default", "--provider", "twilio"];
    let changed = bench.number(&set)[0].clone();
    assert_eq!((&changed["owner"], &changed["voice_agent_id"]), (&json!("ben"), &json!("default")));
    assert_eq!(
        (&changed["rules"], &changed["provider"]),
        (&json!({ "livekit_config": "c1" }), &json!("twilio"))
    );
    let bare = bench.number(&["set", "030123456", "--voice-agent", "none", "--livekit-config", "none"]);
    assert_eq!((&bare[0]["voice_agent_id"], &bare[0]["rules"]), (&Value::Null, &json!({})));
    let line = bench.done(&["number", "list"]);
    assert!(line.contains("+4930123456") && line.contains("ben") && line.contains("twilio"), "{line}");
    let id = added["id"].as_str().expect("it has an id");
    assert_eq!(bench.number(&["remove", id])[0]["id"], json!(id));
    assert_eq!(bench.number(&["list"]), json!([]));
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let bench = Bench::new();
    bench.number(&["add", "+4930123456", "--owner", "mira"]);
    let refusals = [
        (&["add", "0049 30 123456", "--owner", "ben"][..], "there already"),
        (&["add", "030123456", "--owner", "ben"], "country_code"),
        (&["add", "hotline", "--owner", "ben"], "number:"),
        (&["add", "+4930999999", "--owner", "nobody"], "no user \"nobody\""),
        (&["add", "+4930999999", "--voice-agent", "nobody"], "voice_agent_id"),
        (&["set", "+4930999999", "--owner", "ben"], "no number"),
        (&["remove", "+4930999999"], "no number"),
    ];
    for (arguments, reason) in refusals {
        let said = bench.refused(arguments);
        assert!(said.contains(reason), "{arguments:?}: {said}");
    }
    assert_eq!(bench.number(&["list"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn whoever_disables_a_user_is_told_which_numbers_lose_their_owner() {
    let bench = Bench::new();
    bench.number(&["add", "+4930123456", "--owner", "mira"]);
    let output = bench.run(&["user", "disable", "mira"]);
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains("mira owns +4930123456"), "{said}");
    let output = bench.run(&["user", "disable", "ben"]);
    assert!(!text(&output.stderr).contains("owns"));
}
