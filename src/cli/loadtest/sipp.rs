//! SIPp as the generator of a step: a program that is not ours dials, speaks and hangs up. It tells which calls failed,
//! and not when packets came; what it cannot tell is not judged.

use std::fs::{self, File};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::sandbox::callers::{Lost, MONOLOGUE, Report, monologue};

use super::super::common::Failure;
use super::super::sandbox::{SippStarted, why_sipp_did_not_start};
use super::document::counted;
use super::outcome::{Gathered, Generator, Step, Window};
use super::processes::Helper;
use super::rig::Site;
use super::scratch::Scratch;
use super::step::{Plan, SETTLING};

const SCENARIO: &str = include_str!("sipp-caller.xml");
const SCENARIO_FILE: &str = "caller.xml";
/// As the scenario names it.
const SPEECH_FILE: &str = "speech.ulaw";
const STATISTICS_FILE: &str = "statistics.csv";
const LOG_FILE: &str = "sipp.log";
/// SIPp's calls stay so much longer than they are measured.
const STAYING: Duration = Duration::from_secs(3);
/// To hang up, repetitions of a lost BYE included.
const END_PATIENCE: Duration = Duration::from_secs(40);
const LOOKS_APART: Duration = Duration::from_millis(100);

/// Starting is a matter of milliseconds where a machine is well.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// SIPp and its files; dropping it ends it.
struct Sipp {
    keeper: Helper,
    pid: u32,
    // Last: SIPp writes into it until it ends.
    folder: Scratch,
}

pub(super) async fn run(site: &mut Site, plan: Plan, number: &str, scenario: &str) -> Result<Step, Failure> {
    let idle = site.watch_idle().await?;
    let dialling = Duration::from_secs_f64(plan.calls as f64 / plan.per_second);
    let measured = Duration::from_secs(plan.seconds);
    plan.tell(format_args!("SIPp dials {}", counted(plan.calls, "call")));
    let staying = dialling + SETTLING + measured + STAYING;
    let mut sipp = Sipp::start(site.engine.sip, number, plan, staying, scenario).await?;
    let mut gathered = Gathered { calls: plan.calls, recording: plan.record, idle, ..Gathered::default() };
    gathered.generator = Generator::Sipp;
    sleep(dialling + SETTLING).await;
    if sipp.keeper.has_ended() {
        sipp.expect_no_death()?;
        gathered.refused = sipp.failed_calls().map_err(|_| sipp.ended_too_early())?;
        return if gathered.refused.is_empty() {
            Err(sipp.ended_too_early())
        } else {
            Ok(Step::of(&gathered))
        };
    }

    plan.tell(format_args!("measuring {} s", plan.seconds));
    let begin = site.look(Some(sipp.pid)).await.map_err(|failure| sipp.why_it_ended(failure))?;
    let began = clock::now();
    sleep(measured).await;
    let end = site.look(Some(sipp.pid)).await.map_err(|failure| sipp.why_it_ended(failure))?;
    let stretch = clock::now() - began;
    let calls = sipp.statistic("CurrentCall")?;
    plan.tell("waiting until SIPp has hung up");
    sipp.finish(staying + END_PATIENCE).await?;
    sipp.expect_no_death()?;

    let report = Report { calls, lost: sipp.failed_calls()?, ..Report::default() };
    let window = Window { report, stretch, begin, end }.with_what_the_engine_counted();
    gathered.windows.push(window);
    let step = Step::of(&gathered);
    Ok(match site.why_calls_were_lost(&gathered).await {
        Some(why) => step.with_death(why),
        None => step,
    })
}

/// Before anything else is started for it.
pub(super) fn expect_installed() -> Result<(), Failure> {
    let asked = Command::new("sipp").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.map(drop).map_err(why_sipp_did_not_start)
}

/// The scenario, ours unless another is named.
pub(super) fn scenario(path: Option<&Path>) -> Result<String, Failure> {
    path.map_or(Ok(SCENARIO.to_owned()), |path| {
        fs::read_to_string(path)
            .map_err(|error| Failure::cannot(format!("read the scenario {}", path.display()), error))
    })
}

impl Sipp {
    async fn start(
        engine: SocketAddr,
        number: &str,
        plan: Plan,
        staying: Duration,
        scenario: &str,
    ) -> Result<Self, Failure> {
        let cannot = |error| Failure::cannot("write SIPp's files", error);
        let folder = Scratch::new().map_err(cannot)?;
        fs::write(folder.path.join(SCENARIO_FILE), scenario).map_err(cannot)?;
        fs::write(folder.path.join(SPEECH_FILE), monologue()).map_err(cannot)?;
        let log = File::create(folder.path.join(LOG_FILE)).map_err(cannot)?;
        let own = own_address_towards(engine).map_err(|error| Failure::cannot("find our address", error))?;
        let calls = plan.calls.to_string();
        let mut arguments = vec!["sandbox".into(), "sipp".into(), "--dir".into()];
        arguments.extend([folder.path.display().to_string(), "--".into()]);
        let (rate, engine) = (plan.per_second.to_string(), engine.to_string());
        let pause = staying.as_millis().to_string();
        let of_sipp = [
            &["-sf", SCENARIO_FILE, "-s", number, "-i", &own, "-mi", &own][..],
            &["-m", &calls, "-l", &calls, "-r", &rate, "-d", &pause, "-nostdin"],
            &["-trace_stat", "-stf", STATISTICS_FILE, "-fd", "1", &engine],
        ];
        arguments.extend(of_sipp.concat().into_iter().map(str::to_owned));
        let mut keeper = Helper::start("SIPp", &arguments, log.into())?;
        let started: SippStarted = keeper.hear(START_PATIENCE).await.map_err(|failure| {
            let said = fs::read_to_string(folder.path.join(LOG_FILE)).unwrap_or_default();
            Failure::new(format!("{failure}; it said: {said}"))
        })?;
        Ok(Self { keeper, pid: started.pid, folder })
    }

    fn failed_calls(&self) -> Result<Vec<Lost>, Failure> {
        let failed = self.statistic("FailedCall(C)")?;
        Ok(vec![Lost { caller: 0, reason: "SIPp counts it as failed".into() }; failed])
    }

    /// One that a signal ended has told of its calls what was so far.
    fn expect_no_death(&mut self) -> Result<(), Failure> {
        match self.keeper.end_by_signal() {
            Some(end) => Err(Failure::new(format!("SIPp {end}, so that nothing can be told of the engine"))),
            None => Ok(()),
        }
    }

    /// Who asks it when it has ended fails, and does not know why.
    fn why_it_ended(&mut self, failure: Failure) -> Failure {
        if self.keeper.end().is_none() {
            return failure;
        }
        self.expect_no_death().err().unwrap_or_else(|| self.ended_too_early())
    }

    fn ended_too_early(&self) -> Failure {
        let said = fs::read_to_string(self.folder.path.join(LOG_FILE)).unwrap_or_default();
        let last: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = last[last.len().saturating_sub(5)..].join("\n");
        Failure::new(format!("SIPp ended before its calls were measured; it said:\n{last}"))
    }

    /// Exit code 1 only says that calls failed, which its statistics do too.
    async fn finish(&mut self, patience: Duration) -> Result<(), Failure> {
        let deadline = clock::now() + patience;
        while !self.keeper.has_ended() {
            if clock::now() >= deadline {
                return Err(Failure::new(format!("SIPp did not hang up within {} s", patience.as_secs())));
            }
            sleep(LOOKS_APART).await;
        }
        Ok(())
    }

    fn statistic(&self, name: &str) -> Result<usize, Failure> {
        let path = self.folder.path.join(STATISTICS_FILE);
        let table =
            fs::read_to_string(path).map_err(|error| Failure::cannot("read SIPp's statistics", error))?;
        last_value(&table, name)
            .ok_or_else(|| Failure::new(format!("SIPp's statistics have no {name} that is a number")))
    }
}

/// The address of this machine that the engine is reached from.
fn own_address_towards(engine: SocketAddr) -> std::io::Result<String> {
    let any = if engine.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(engine)?;
    Ok(socket.local_addr()?.ip().to_string())
}

/// Of the last whole row of a table whose first row names the columns.
fn last_value(table: &str, name: &str) -> Option<usize> {
    let mut rows = table.lines();
    let column = rows.next()?.split(';').position(|column| column == name)?;
    rows.filter_map(|row| row.split(';').nth(column)?.parse().ok()).next_back()
}

/// A model that hears a monologue hears its beginning once in so long a time.
pub(super) fn said_within(stretch: Duration) -> bool {
    // One that began before the measurement is not heard in it.
    stretch >= MONOLOGUE * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_row_counts_and_one_that_is_still_being_written_does_not() {
        let table = "Time;CurrentCall;FailedCall(C);\n1;7;0;\n2;6;1;\n3;";
        assert_eq!(
            (last_value(table, "CurrentCall"), last_value(table, "FailedCall(C)")),
            (Some(6), Some(1))
        );
        assert_eq!((last_value(table, "Other"), last_value("", "CurrentCall")), (None, None));
    }

    #[test]
    fn the_engine_is_called_from_an_address_that_it_can_answer() {
        assert_eq!(own_address_towards("127.0.0.1:5060".parse().unwrap()).unwrap(), "127.0.0.1");
    }
}
