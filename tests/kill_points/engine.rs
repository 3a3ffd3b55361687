//! An engine that is a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::EXTENT_VARIABLE;
use crate::process::Process;

const KEY: &str = "key-of-ada-aaaaaaaaaaaa-1111";
const SETTINGS: [&str; 8] = [
    "sip.listen=127.0.0.1:0",
    "sip.allowed_sources=127.0.0.1",
    "http.listen=127.0.0.1:0",
    "media.bind=127.0.0.1",
    "calls.default_owner_id=ada",
    "recording.enabled=true",
    "node.beat_ms=250",
    "node.dead_after_ms=3000",
];
const PORTS_PER_LANE: usize = 100;
/// Below those that the kernel hands out.
const PORT_FIRST: usize = 20_000;

pub(crate) struct Engine {
    pub(crate) process: Process,
    pub(crate) sip: SocketAddr,
}

impl Engine {
    /// `command` is one of [`clearline`].
    pub(crate) fn start(name: &str, command: &mut Command, settings: &[String], lane: usize) -> Self {
        let first = PORT_FIRST + lane * PORTS_PER_LANE;
        let ports =
            [format!("media.port_min={first}"), format!("media.port_max={}", first + PORTS_PER_LANE - 1)];
        command.arg("serve");
        for setting in SETTINGS.iter().copied().chain(ports.iter().chain(settings).map(String::as_str)) {
            command.args(["--set", setting]);
        }
        let process = Process::start(name, command);
        let line = process.wait_for(" ready ");
        let sip = line.split("sip=").nth(1).and_then(|rest| rest.split_whitespace().next());
        let sip = sip.and_then(|sip| sip.parse().ok());
        Self { sip: sip.unwrap_or_else(|| panic!("no address of SIP in {line}")), process }
    }
}

/// The binary, in this folder and on this store.
pub(crate) fn clearline(folder: &Path, (variable, store): (&str, &str)) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
    // What is none of its settings it would refuse.
    command.env_remove(EXTENT_VARIABLE);
    command.current_dir(folder).env("GOOGLE_API_KEY", KEY).env(variable, store);
    command
}

pub(crate) fn add_ada(mut clearline: Command) {
    let added = clearline.args(["user", "add", "ada"]).output().expect("the binary runs");
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
}
