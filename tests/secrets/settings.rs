//! Settings that cannot be, and a database that is away: what is said about them quotes nothing.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use crate::canaries::Canaries;
use crate::process::Process;

const CANARY: &str = "canary-of-the-settings/0815";

fn command(arguments: &[&str], folder: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
    command.args(arguments).current_dir(folder).env("CLEARLINE_LOG_LEVEL", "trace");
    command
}

/// The error must name the setting, so that a run that never came to it proves nothing.
#[test]
fn a_wrong_setting_is_named_and_its_value_not_shown() {
    let mut canaries = Canaries::default();
    canaries.plant("the setting's value", CANARY);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let gateway = "[[sip.gateways]]\nname = \"g\"\naddress = \"192.0.2.1:5060\"\n";
    let subscriber = "[[notifications.subscribers]]\nname = \"w\"\nurl = \"https://w\"\n";
    let files = [
        ("an unclosed string", format!("{gateway}password = \"{CANARY}\n"), "clearline.toml:4"),
        ("an unclosed list", format!("{gateway}password = [\"{CANARY}\"\n"), "clearline.toml:4"),
        ("a list", format!("{gateway}password = [\"{CANARY}\"]\n"), "password"),
        ("a table", format!("{gateway}password = {{ is = \"{CANARY}\" }}\n"), "password"),
        (
            "two of them",
            format!("{gateway}password = \"{CANARY}\"\npassword = \"{CANARY}\"\n"),
            "clearline.toml:5",
        ),
        ("no sealing key", format!("[secrets]\nencryption_key = \"{CANARY}\"\n"), "encryption_key"),
        ("no old key", format!("[secrets]\nencryption_keys_old = [\"{CANARY}\"]\n"), "encryption_keys_old"),
        ("no database", format!("[store]\nurl = \"{CANARY}\"\n"), "store.url"),
        ("half a database", format!("[store]\nurl = \"mongodb://ada:{CANARY}@\"\n"), "store.url"),
        ("no token", format!("[crm]\napi_token = [\"{CANARY}\"]\n"), "crm.api_token"),
        (
            "a password in an address",
            format!("[crm]\nbase_url = \"https://ada:{CANARY}@crm\"\n"),
            "crm.base_url",
        ),
        ("no signing secret", format!("{subscriber}secret = \"{CANARY}\"\n"), "subscribers.1.secret"),
        ("a list to sign with", format!("{subscriber}secret = [\"{CANARY}\"]\n"), "subscribers.1.secret"),
        ("a key in the file", format!("google_keys = \"{CANARY}\"\n"), "google_keys"),
        ("a wrong name", format!("{gateway}passwort = \"{CANARY}\"\n"), "passwort"),
    ];
    for (what, text, named) in files {
        fs::write(folder.path().join("clearline.toml"), text).expect("a folder of our own");
        expect_refused(
            &canaries,
            what,
            &mut command(&["serve", "--config", "clearline.toml"], folder.path()),
            named,
        );
    }
    let variables = [
        ("GOOGLE_API_KEY", format!("{CANARY}-schlüssel"), "GOOGLE_API_KEY"),
        ("GOOGLE_API_KEY", format!("{CANARY} and more"), "GOOGLE_API_KEY"),
        ("LIVEKIT_SECRET_ENCRYPTION_KEY", CANARY.to_owned(), "encryption_key"),
        ("CLEARLINE_STORE_URL", format!("mongodb://ada:{CANARY}@[::/clearline"), "store.url"),
        ("CLEARLINE_SIP_GATEWAYS_2_PASSWORD", CANARY.to_owned(), "gateways"),
    ];
    for (name, value, named) in variables {
        expect_refused(&canaries, name, command(&["serve"], folder.path()).env(name, value), named);
    }
    let set = format!("store.url={CANARY}");
    expect_refused(&canaries, "--set", &mut command(&["serve", "--set", &set], folder.path()), "store.url");
    fs::write(folder.path().join(".env"), format!("GOOGLE_API_KEY='{CANARY}\n"))
        .expect("a folder of our own");
    fs::write(folder.path().join("clearline.toml"), "").expect("a folder of our own");
    let mut env_file = command(&["serve", "--config", "clearline.toml"], folder.path());
    expect_refused(&canaries, "a line of .env", &mut env_file, ".env");
}

fn expect_refused(canaries: &Canaries, what: &str, command: &mut Command, named: &str) {
    let output = command.output().expect("the binary runs");
    let said = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&said);
    assert!(!output.status.success() && text.contains(named), "{what}: {text}");
    let found = canaries.found_in(what, &said);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_database_that_is_away_is_named_without_its_password() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|bound| bound.local_addr());
    let mut canaries = Canaries::default();
    canaries.plant("the database's password", "canary-of-the-database");
    let url = format!("mongodb://ada:canary-of-the-database@{}/clearline", nobody.expect("a loopback port"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let with_url = |arguments: &[&str]| {
        let mut command = command(arguments, folder.path());
        command.env("CLEARLINE_STORE_URL", &url).env("CLEARLINE_STORE_ANSWER_LIMIT_MS", "500");
        command
    };
    for arguments in [["user", "list"], ["keys", "report"]] {
        let output = with_url(&arguments).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(1));
        let found = canaries.found_in("a command's error", &[output.stdout, output.stderr].concat());
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
    let anywhere = ["serve", "--set", "sip.listen=127.0.0.1:0", "--set", "http.listen=127.0.0.1:0"];
    let engine = Process::start("clearline serve", &mut with_url(&anywhere));
    engine.wait_for("the engine waits for its store");
    let finished = engine.end_by("TERM").expect_success("the engine");
    let found = canaries.found_in("the log", finished.transcript.as_bytes());
    assert!(found.is_empty(), "{}", found.join("\n"));
}
