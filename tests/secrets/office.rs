//! An engine's folder with settings full of secrets, the commands an operator runs in it, and the engine itself.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::Value;
use tempfile::TempDir;

use crate::canaries::Canaries;
use crate::process::Process;

pub(crate) const KEYS: [(&str, &str); 2] = [
    ("GOOGLE_API_KEY", "AIzaCanary-of-mira-0a1b2c3d4e5f-1111"),
    ("GOOGLE_API_KEY_2", "AIzaCanary-of-ben-6a7b8c9dae0f-2222"),
];
pub(crate) const LATER_KEY: &str = "AIzaCanary-read-later-9f8e7d6c-3333";
pub(crate) const REFUSED_KEY: &str = KEYS[1].1;
const GATEWAY_PASSWORD: &str = "canary of the gateway/0815";
const SIGNING_SECRET: [u8; 32] = *b"canary that signs notifications!";
const SEALING_KEY: [u8; 32] = *b"canary key that seals the store!";

pub(crate) struct Office {
    pub(crate) folder: TempDir,
    pub(crate) canaries: Canaries,
    sealing_key: String,
    log_format: &'static str,
}

impl Office {
    pub(crate) fn open(
        log_format: &'static str,
        model: SocketAddr,
        phone: SocketAddr,
        registrar: SocketAddr,
    ) -> Self {
        let mut office = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            canaries: Canaries::default(),
            sealing_key: URL_SAFE.encode(SEALING_KEY),
            log_format,
        };
        for (name, key) in KEYS {
            office.canaries.plant(name, key);
        }
        office.canaries.plant("the key read later", LATER_KEY);
        office.canaries.plant("the gateway's password", GATEWAY_PASSWORD);
        office.canaries.plant("the sealing key", &office.sealing_key);
        office.canaries.plant("the signing secret", &STANDARD.encode(SIGNING_SECRET));
        office.canaries.plant("the signing secret's bytes", "canary that signs notifications!");
        office.canaries.plant("the sealing key's bytes", "canary key that seals the store!");
        office.write("clearline.toml", &settings(model, phone, registrar));
        office.write(".env", &KEYS.map(|(name, key)| format!("{name}={key}\n")).concat());
        office
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("a folder of our own");
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
        command.args(arguments).args(["--config", "clearline.toml"]).current_dir(self.path());
        command.env("CLEARLINE_SIP_GATEWAYS_2_PASSWORD", GATEWAY_PASSWORD);
        command.env("CLEARLINE_LOG_LEVEL", "trace").env("CLEARLINE_LOG_FORMAT", self.log_format);
        command
    }

    /// With a key to seal with, from here on.
    fn sealing(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.env("LIVEKIT_SECRET_ENCRYPTION_KEY", &self.sealing_key);
        command
    }

    /// A user whose key is stored plainly, for there is nothing to seal it with yet.
    pub(crate) fn add_plain_user(&self, name: &str) {
        let added = run(&mut self.command(&["user", "add", name]), "");
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    }

    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Output {
        let output = run(&mut self.sealing(arguments), input);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// The one document that a command prints.
    pub(crate) fn document(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat(), "");
        serde_json::from_slice(&output.stdout).expect("--json prints one document")
    }

    pub(crate) fn serve(&self) -> Process {
        Process::start("clearline serve", &mut self.sealing(&["serve"]))
    }

    /// All files that the engine has written, with their names.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let (mut files, mut folders) = (Vec::new(), vec![self.path().join("data")]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder of the engine's") {
                let path = entry.expect("it can be listed").path();
                let name = path.strip_prefix(self.path()).expect("it is in there").display().to_string();
                if path.is_dir() {
                    files.push((name, Vec::new()));
                    folders.push(path);
                } else {
                    files.push((name, fs::read(&path).expect("it is ours")));
                }
            }
        }
        files
    }
}

fn run(command: &mut Command, input: &str) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().expect("the binary runs");
    // A command that does not want it does not read.
    drop(running.stdin.take().expect("it is piped").write_all(input.as_bytes()));
    running.wait_with_output().expect("the binary ends")
}

fn settings(model: SocketAddr, phone: SocketAddr, registrar: SocketAddr) -> String {
    let signing_secret = STANDARD.encode(SIGNING_SECRET);
    format!(
        r#"
        [sip]
        listen = "127.0.0.1:0"
        allowed_sources = ["127.0.0.1"]
        [[sip.gateways]]
        name = "phone"
        address = "{phone}"
        [[sip.gateways]]
        name = "office"
        address = "{registrar}"
        user = "1000"
        register = true
        [media]
        bind = "127.0.0.1"
        [voice]
        url = "ws://{model}"
        [http]
        listen = "127.0.0.1:0"
        [calls]
        default_owner_id = "mira"
        stop_limit_s = 1
        [notifications]
        allow_private_addresses = true
        [[notifications.subscribers]]
        name = "nobody"
        url = "http://127.0.0.1:9/calls"
        secret = "whsec_{signing_secret}"
        "#
    )
}
