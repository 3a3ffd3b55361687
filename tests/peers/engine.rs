//! The engine under test, as an operator would run it: a settings file, a user, `serve` or `call`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::{env, thread};

use serde::Deserialize;

use crate::bench::{Bench, ENGINE_IP, PEER_IP, Side};
use crate::kamailio::{PASSWORD, USER};
use crate::model;
use crate::process::{Finished, Process};

const HTTP_ADDRESS: &str = "127.0.0.1:8080";
const OWNER: &str = "alice";
const KEY: &str = "AIzaSyPeers-not-a-real-key-0001";

/// What calls take and have to give back: each is a gauge that is 0 on an engine without calls.
const TAKEN_BY_CALLS: [&str; 4] = [
    "clearline_calls_active",
    "clearline_media_ports_in_use",
    "clearline_key_leases",
    "clearline_sip_dialogs",
];
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);
const LOOKS: u32 = 120;

/// What the peer is to the engine.
#[derive(Clone, Copy)]
pub(crate) enum Trunk {
    /// It asks for no password, and everybody on its side may call in.
    Open,
    /// The engine registers there; only the registrar may call in.
    Registrar,
}

pub(crate) struct Engine<'bench> {
    bench: &'bench Bench,
    process: Process,
}

#[derive(Deserialize)]
pub(crate) struct CallReport {
    ok: bool,
    pub(crate) calls: Vec<PlacedCall>,
}

#[derive(Deserialize)]
pub(crate) struct PlacedCall {
    pub(crate) call_id: Option<String>,
    pub(crate) outcome: String,
    pub(crate) answered: bool,
}

impl<'bench> Engine<'bench> {
    /// Returns when SIP listens.
    pub(crate) fn serve(bench: &'bench Bench) -> Self {
        Self::serve_at(Trunk::Open, bench)
    }

    pub(crate) fn serve_at(trunk: Trunk, bench: &'bench Bench) -> Self {
        let config = prepare(trunk, bench);
        let mut command = clearline(bench);
        command.args(["serve", "--config"]).arg(config);
        let process = Process::start("clearline serve", &mut command);
        process.wait_for("ready");
        Self { bench, process }
    }

    pub(crate) fn wait_for_log(&self, needle: &str) -> String {
        self.process.wait_for(needle)
    }

    /// Waits for the end of a call; the tests that ask have one.
    pub(crate) fn expect_call_ended_as(&self, outcome: &str) {
        let line = self.wait_for_log("call ended");
        assert!(line.contains(&format!("outcome={outcome} ")), "{line}");
    }

    /// The value of a gauge or counter, over all labels that are not named.
    pub(crate) fn figure(&self, name: &str) -> f64 {
        sum_of(name, &self.metrics()).unwrap_or_else(|| panic!("no {name}"))
    }

    pub(crate) fn expect_healthy(&self) {
        self.bench.http_get(HTTP_ADDRESS, "/health");
    }

    /// Waits until calls have given back all they took. The engine cannot call us, so we look again now and then.
    pub(crate) fn wait_until_all_is_given_back(&self) {
        let mut still_taken = Vec::new();
        for _ in 0..LOOKS {
            still_taken = still_taken_in(&self.metrics());
            if still_taken.is_empty() {
                return;
            }
            thread::sleep(LOOK_AGAIN_AFTER);
        }
        panic!("never given back: {still_taken:?}");
    }

    fn metrics(&self) -> String {
        String::from_utf8_lossy(&self.bench.http_get(HTTP_ADDRESS, "/metrics")).into_owned()
    }

    /// Stops as an operator would and expects the engine to agree.
    pub(crate) fn stop(self) {
        self.process.end_by("TERM").expect_success("clearline serve");
    }
}

/// `clearline call`: the engine places calls through the gateway that the peer plays.
pub(crate) fn call(bench: &Bench, number: &str, options: &[&str]) -> Process {
    run_call(Trunk::Open, bench, number, &[&["--json"], options].concat())
}

pub(crate) fn call_through(trunk: Trunk, bench: &Bench, number: &str) -> Process {
    run_call(trunk, bench, number, &["--json"])
}

/// Tells how the call goes in lines, as it goes.
pub(crate) fn call_with_lines(bench: &Bench, number: &str) -> Process {
    run_call(Trunk::Open, bench, number, &[])
}

fn run_call(trunk: Trunk, bench: &Bench, number: &str, options: &[&str]) -> Process {
    let config = prepare(trunk, bench);
    let mut command = clearline(bench);
    command.args(["call", number, "--owner", OWNER, "--config"]).arg(config).args(options);
    Process::start("clearline call", &mut command)
}

impl CallReport {
    pub(crate) fn of(finished: Finished) -> Self {
        let report = Self::read(&finished.expect_success("clearline call"));
        assert!(report.ok);
        report
    }

    /// Of a command in which a call came to nothing.
    pub(crate) fn of_failure(finished: Finished) -> Self {
        assert_eq!(finished.status.code(), Some(1), "{}", finished.transcript);
        let report = Self::read(&finished);
        assert!(!report.ok);
        report
    }

    fn read(finished: &Finished) -> Self {
        let report = serde_json::from_str(&finished.stdout);
        report.unwrap_or_else(|error| panic!("`clearline call --json`: {error}:\n{}", finished.transcript))
    }

    pub(crate) fn expect_one_unanswered(&self, outcome: &str) {
        let [call] = &self.calls[..] else { panic!("one call, not {}", self.calls.len()) };
        assert_eq!((call.outcome.as_str(), call.answered), (outcome, false));
    }

    pub(crate) fn expect_all_completed(&self, calls: usize) {
        assert_eq!(self.calls.len(), calls);
        let mut ids: Vec<_> = self.calls.iter().filter_map(|call| call.call_id.as_deref()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), calls, "every call has an id of its own");
        let others: Vec<_> =
            self.calls.iter().filter(|call| call.outcome != "completed" || !call.answered).collect();
        let outcomes: Vec<_> = others.iter().map(|call| &call.outcome).collect();
        assert!(others.is_empty(), "not completed: {outcomes:?}");
    }
}

/// Writes the settings and, the first time, makes the user who owns all calls.
fn prepare(trunk: Trunk, bench: &Bench) -> PathBuf {
    let config = bench.write("clearline.toml", settings(trunk, bench));
    if bench.file("clearline.db").exists() {
        return config;
    }
    let mut add_user = clearline(bench);
    add_user.args(["user", "add", OWNER, "--config"]).arg(&config);
    Process::start("clearline user add", &mut add_user).finish().expect_success("clearline user add");
    config
}

/// The engine with nothing of the tester's own settings in its environment.
fn clearline(bench: &Bench) -> Command {
    let mut command = bench.command(Side::Engine, env!("CARGO_BIN_EXE_clearline"));
    command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default()).env("GOOGLE_API_KEY", KEY);
    command
}

fn settings(trunk: Trunk, bench: &Bench) -> String {
    let (allowed_sources, register) = match trunk {
        Trunk::Open => (r#"["10.88.0.0/24"]"#, false),
        Trunk::Registrar => ("[]", true),
    };
    let folder = bench.file("");
    let folder = folder.display();
    format!(
        r#"
[sip]
listen = "{ENGINE_IP}:5060"
allowed_sources = {allowed_sources}

[[sip.gateways]]
name = "peer"
address = "{PEER_IP}:5060"
domain = "{PEER_IP}"
user = "{USER}"
password = "{PASSWORD}"
register = {register}

[media]
bind = "{ENGINE_IP}"

[voice]
url = "ws://{model}"
allow_insecure_url = true

# One owner has one key, and one project: two hundred calls on it are more than a project's usual share.
[keys]
sessions_per_project = 0

[store]
path = "{folder}clearline.db"

[recording]
dir = "{folder}recordings"
enabled = true

[calls]
default_owner_id = "{OWNER}"

[http]
listen = "{HTTP_ADDRESS}"
"#,
        model = model::ADDRESS
    )
}

/// The gauges that are missing or not 0.
fn still_taken_in(metrics: &str) -> Vec<String> {
    let sums = TAKEN_BY_CALLS.iter().map(|gauge| (gauge, sum_of(gauge, metrics)));
    sums.filter(|(_, sum)| *sum != Some(0.0)).map(|(gauge, sum)| format!("{gauge} = {sum:?}")).collect()
}

/// Over all labels.
fn sum_of(name: &str, metrics: &str) -> Option<f64> {
    let lines = metrics
        .lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).reduce(|a, b| a + b)
}

mod the_gauges {
    use super::*;

    #[test]
    fn count_as_given_back_only_when_all_are_there_and_zero() {
        let zeros = TAKEN_BY_CALLS.map(|gauge| format!("# TYPE {gauge} gauge\n{gauge} 0\n")).concat();
        assert!(still_taken_in(&zeros).is_empty());
        let one_left = format!("{zeros}{}{{router=\"1\"}} 1\n", TAKEN_BY_CALLS[1]);
        assert_eq!(still_taken_in(&one_left), [format!("{} = Some(1.0)", TAKEN_BY_CALLS[1])]);
        assert_eq!(still_taken_in("").len(), TAKEN_BY_CALLS.len());
    }
}
