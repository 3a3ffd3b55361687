//! SIPp as a phone. All its calls share one RTP address, and every SIPp counts its SSRCs from the same number, which
//! makes it the right witness against crosstalk.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::audio::Law;
use crate::bench::{Bench, ENGINE_IP, PEER_IP, Side};
use crate::process::{Finished, Process};

const CALLER: &str = include_str!("sipp/caller.xml");
const CALLEE: &str = include_str!("sipp/callee.xml");
const SIP_PORT: &str = "5060";
/// Foreseeable, so that an attacker of the tests can name a running call.
const CALL_ID_FORM: &str = "%u-sipp@%s";
/// SIPp gives up by itself, whatever happens to the test.
const GIVE_UP: &str = "100s";

/// What every call of one SIPp does.
pub(crate) struct Talk {
    pub(crate) law: Law,
    /// Bare octets of that law.
    pub(crate) audio: PathBuf,
    /// From the answer to the hang-up.
    pub(crate) talk_ms: u32,
    pub(crate) calls: u32,
    pub(crate) calls_per_second: u32,
}

/// Where a SIPp listens.
#[derive(Clone, Copy)]
struct Line {
    side: Side,
    port: &'static str,
}

pub(crate) struct Sipp {
    process: Process,
    statistics: PathBuf,
}

pub(crate) struct Verdict {
    finished: Finished,
    counters: HashMap<String, String>,
}

impl Sipp {
    pub(crate) fn call(bench: &Bench, side: Side, number: &str, talk: &Talk) -> Self {
        Self::call_by(CALLER, bench, side, number, talk)
    }

    pub(crate) fn call_by(scenario: &str, bench: &Bench, side: Side, number: &str, talk: &Talk) -> Self {
        Self::dial(scenario, bench, Line { side, port: SIP_PORT }, (address_of(other(side)), number), talk)
    }

    /// From a phone at `port` to the proxy on its own side.
    pub(crate) fn call_through_proxy(bench: &Bench, port: &'static str, number: &str, talk: &Talk) -> Self {
        Self::dial(CALLER, bench, Line { side: Side::Peer, port }, (PEER_IP, number), talk)
    }

    pub(crate) fn answer(bench: &Bench, side: Side, talk: &Talk) -> Self {
        Self::answer_by(CALLEE, bench, side, talk)
    }

    pub(crate) fn answer_by(scenario: &str, bench: &Bench, side: Side, talk: &Talk) -> Self {
        Self::pick_up(scenario, bench, Line { side, port: SIP_PORT }, talk)
    }

    /// A phone at `port` that a proxy on its own side calls.
    pub(crate) fn answer_behind_proxy(bench: &Bench, port: &'static str, talk: &Talk) -> Self {
        Self::pick_up(CALLEE, bench, Line { side: Side::Peer, port }, talk)
    }

    fn dial(scenario: &str, bench: &Bench, line: Line, callee: (&str, &str), talk: &Talk) -> Self {
        let scenario = bench.write("caller.xml", fill_in(scenario, talk));
        let scenario = scenario.to_string_lossy();
        let rate = talk.calls_per_second.to_string();
        let (host, number) = callee;
        let callee = format!("{host}:{SIP_PORT}");
        // `-l`: SIPp's own limit of simultaneous calls would silently lower the rate.
        let how = ["-sf", &scenario, "-s", number, "-r", &rate, "-l", "1000", &callee];
        Self::start(bench, line, "caller", &how, talk)
    }

    fn pick_up(scenario: &str, bench: &Bench, line: Line, talk: &Talk) -> Self {
        let scenario = bench.write("callee.xml", fill_in(scenario, talk));
        let sipp = Self::start(bench, line, "callee", &["-sf", &scenario.to_string_lossy()], talk);
        bench.wait_until_sip_is_open(line.side, line.port);
        sipp
    }

    fn start(bench: &Bench, line: Line, role: &str, how: &[&str], talk: &Talk) -> Self {
        let statistics = bench.file(&format!("{role}.csv"));
        let address = address_of(line.side);
        let mut command = bench.command(line.side, "sipp");
        command
            .args(how)
            .args(["-i", address, "-mi", address, "-p", line.port])
            .args(["-m", &talk.calls.to_string(), "-cid_str", CALL_ID_FORM])
            .args(["-nostdin", "-timeout", GIVE_UP, "-timeout_error"])
            .args(["-trace_err", "-trace_stat", "-stf"])
            .arg(&statistics);
        Self { process: Process::start(&format!("sipp, the {role}"), &mut command), statistics }
    }

    pub(crate) fn finish(self) -> Verdict {
        let finished = self.process.finish();
        let table = std::fs::read_to_string(&self.statistics);
        let table = table.unwrap_or_else(|error| panic!("no statistics ({error}): {}", finished.transcript));
        Verdict { counters: last_row(&table), finished }
    }
}

impl Verdict {
    /// All calls went as the scenario says, and there were as many as asked for.
    pub(crate) fn expect_all_successful(&self, calls: u32) {
        let count = |name: &str| self.counters.get(name).and_then(|value| value.parse::<u32>().ok());
        let (successful, failed) = (count("SuccessfulCall(C)"), count("FailedCall(C)"));
        let as_planned = (successful, failed) == (Some(calls), Some(0)) && self.finished.status.success();
        let reasons =
            self.counters.iter().filter(|(name, value)| name.starts_with("Failed") && *value != "0");
        assert!(
            as_planned,
            "of {calls} calls {successful:?} went well, {failed:?} failed: {:?}\n{}",
            reasons.collect::<Vec<_>>(),
            self.finished.transcript
        );
    }
}

fn address_of(side: Side) -> &'static str {
    match side {
        Side::Engine => ENGINE_IP,
        Side::Peer => PEER_IP,
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Engine => Side::Peer,
        Side::Peer => Side::Engine,
    }
}

fn fill_in(scenario: &str, talk: &Talk) -> String {
    scenario
        .replace("@AUDIO@", &talk.audio.to_string_lossy())
        .replace("@PAYLOAD@", &talk.law.payload_type().to_string())
        .replace("@CODEC@", talk.law.codec())
        .replace("@TALK_MS@", &talk.talk_ms.to_string())
}

fn last_row(table: &str) -> HashMap<String, String> {
    let mut rows = table.lines().map(|row| row.split(';').map(str::to_string).collect::<Vec<_>>());
    let names = rows.next().unwrap_or_default();
    names.into_iter().zip(rows.next_back().unwrap_or_default()).collect()
}

mod the_statistics {
    use super::*;

    #[test]
    fn are_read_from_the_last_row() {
        let row = last_row("Time;SuccessfulCall(C);FailedCall(C);\n1;0;0;\n2;7;1;\n");
        assert_eq!((row["SuccessfulCall(C)"].as_str(), row["FailedCall(C)"].as_str()), ("7", "1"));
        assert!(last_row("").is_empty());
    }
}
