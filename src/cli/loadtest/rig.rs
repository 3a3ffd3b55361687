//! What a step is measured with: a stand-in model, an engine and the callers, each a process of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity};
use tokio::time::sleep;

use crate::sandbox::callers::News;

use super::super::common::Failure;
use super::super::sandbox::{EngineListening, ModelListening};
use super::costs::{Idle, share};
use super::fetch::{self, Figures};
use super::outcome::{Gathered, Look, Window};
use super::probe;
use super::processes::Helper;
use super::scratch::Scratch;
use super::usage::Usage;

/// Dropping it ends every process of it: callers first, so that they can hang up.
pub(super) struct Rig {
    pub(super) callers: Helper,
    pub(super) site: Site,
}

/// What is called: engine and stand-in, whoever calls.
pub(super) struct Site {
    pub(super) engine: Target,
    model: Option<StandIn>,
    // Last: the others write into it until they end.
    folder: Option<Scratch>,
}

/// The engine that is measured.
pub(super) struct Target {
    pub(super) sip: SocketAddr,
    metrics: Option<SocketAddr>,
    pid: Option<u32>,
    process: Option<Helper>,
}

struct StandIn {
    side: SocketAddr,
    pid: Option<u32>,
    process: Option<Helper>,
}

/// An engine that its operator has started, and what may be known of it.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) sip: SocketAddr,
    pub(super) number: String,
    pub(super) metrics: Option<SocketAddr>,
    pub(super) pid: Option<u32>,
    /// The side port of the stand-in that it is pointed at.
    pub(super) model_side: Option<SocketAddr>,
}

/// Starting is a matter of milliseconds where a machine is well.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// The engine, when nobody calls.
const IDLE_STRETCH: Duration = Duration::from_secs(1);
const ENGINE_LOG: &str = "engine.log";
const ANY_PORT: &str = "127.0.0.1:0";

impl Rig {
    /// An engine and a stand-in of our own.
    pub(super) async fn build(calls_max: usize, record: bool, cores: &Cores) -> Result<Self, Failure> {
        let site = Site::build(calls_max, record, cores).await?;
        let callers = start_callers(site.engine.sip, None, calls_max, cores).await?;
        Ok(Self { callers, site })
    }

    /// Callers alone, for an engine that runs.
    pub(super) async fn join(running: &Running, calls_max: usize) -> Result<Self, Failure> {
        let callers = start_callers(running.sip, Some(&running.number), calls_max, &Cores::default()).await?;
        Ok(Self { callers, site: Site::join(running) })
    }

    pub(super) async fn look(&self) -> Result<Look, Failure> {
        self.site.look(Some(self.callers.pid())).await
    }

    /// After a step that failed so: see [`Site::autopsy`]. Callers that died are no result, for they are not measured.
    pub(super) async fn autopsy(self, failure: Failure) -> Result<String, Failure> {
        let Self { mut callers, site } = self;
        let end = callers.end();
        match (site.autopsy(callers).await, end) {
            (Some(death), _) => Ok(death),
            (None, Some(end)) => Err(Failure::new(format!(
                "the callers' process {end}, so that nothing can be told of the engine; they log to standard error"
            ))),
            (None, None) => Err(failure),
        }
    }
}

impl Site {
    pub(super) async fn build(calls_max: usize, record: bool, cores: &Cores) -> Result<Self, Failure> {
        let folder =
            Scratch::new().map_err(|error| Failure::cannot("make a folder for the engine", error))?;
        let (model, url) = StandIn::start(calls_max, cores).await?;
        let engine = Target::start(&url, calls_max, record, &folder.path, cores).await?;
        Ok(Self { engine, model: Some(model), folder: Some(folder) })
    }

    pub(super) fn join(running: &Running) -> Self {
        let engine = Target { sip: running.sip, metrics: running.metrics, pid: running.pid, process: None };
        let model = running.model_side.map(|side| StandIn { side, pid: None, process: None });
        Self { engine, model, folder: None }
    }

    /// `generator` is the process that calls.
    pub(super) async fn look(&self, generator: Option<u32>) -> Result<Look, Failure> {
        let figures = match self.engine.metrics {
            Some(engine) => Figures::of(engine).await?,
            None => Figures::default(),
        };
        let sessions = match &self.model {
            Some(model) => Some(fetch::timing(model.side).await?),
            None => None,
        };
        Ok(Look {
            engine: self.engine.usage()?,
            callers: generator.map(Usage::of).transpose()?,
            model: self.model.as_ref().and_then(|model| model.pid).map(Usage::of).transpose()?,
            figures,
            sessions,
        })
    }

    /// What the engine uses when nobody calls, or nobody yet. `None`: nobody can see.
    pub(super) async fn watch_idle(&self) -> Result<Option<Idle>, Failure> {
        let Some(first) = self.engine.usage()? else { return Ok(None) };
        sleep(IDLE_STRETCH).await;
        let last = self.engine.usage()?;
        Ok(last.map(|usage| Idle { cpu_share: share(first, usage, IDLE_STRETCH), usage }))
    }

    /// Calls that end by themselves may have lost their engine: it is asked, and its counters tell whether it is still
    /// the same.
    pub(super) async fn why_calls_were_lost(&mut self, gathered: &Gathered) -> Option<String> {
        let begun_anew = |window: &Window| window.end.figures.begun_anew_since(&window.begin.figures);
        if gathered.windows.iter().any(begun_anew) {
            let sip = self.engine.sip;
            return Some(format!("the engine at {sip} was started anew during the measurement"));
        }
        let lost = gathered.windows.iter().any(|window| !window.report.lost.is_empty());
        if lost || !gathered.refused.is_empty() { self.engine.death().await } else { None }
    }

    /// After a step that failed: who died of those that it measured, and how. Ends the others, those who called first.
    /// `None`: nobody did, the failure is another one.
    pub(super) async fn autopsy(self, callers: impl Sized) -> Option<String> {
        let Self { mut engine, mut model, folder } = self;
        let death = match engine.death().await {
            Some(death) => Some(death),
            None => match &mut model {
                Some(model) => model.death().await,
                None => None,
            },
        };
        // What they write they write until they end.
        drop((callers, engine, model));
        let death = death?;
        Some(match folder.map(Scratch::keep) {
            Some(Ok(kept)) => format!("{death}; the engine's log is {}", kept.join(ENGINE_LOG).display()),
            Some(Err(error)) => format!("{death}; the engine's log could not be kept: {error}"),
            None => death,
        })
    }
}

impl Target {
    /// Dead, or as good as dead: it hangs.
    async fn death(&mut self) -> Option<String> {
        if let Some(process) = &mut self.process {
            if let Some(end) = process.end() {
                return Some(format!("the engine {end}"));
            }
            let is_mute = probe::expect_sip_answer(self.sip).await.is_err();
            return is_mute.then(|| format!("the engine {}", process.hangs()));
        }
        let died = format!("the engine at {} died", self.sip);
        if probe::expect_sip_answer(self.sip).await.is_err() {
            return Some(format!("{died}: it does not answer any more"));
        }
        // Somebody answers at its address, and it is another.
        let pid = self.pid.filter(|pid| Usage::of(*pid).is_err())?;
        Some(format!("{died}: its process {pid} has ended, and what answers there now was started anew"))
    }

    pub(super) async fn start(
        model: &str,
        calls_max: usize,
        record: bool,
        folder: &Path,
        cores: &Cores,
    ) -> Result<Self, Failure> {
        let mut arguments = words(&["sandbox", "engine", "--model", model, "--dir"]);
        arguments.push(folder.display().to_string());
        arguments.extend(words(&["--max-calls", &calls_max.to_string()]));
        arguments.extend(record.then(|| "--record".to_owned()));
        arguments.extend(cores.option(&cores.engine));
        let log = File::create(folder.join(ENGINE_LOG));
        let log = log.map_err(|error| Failure::cannot("make the engine's log", error))?;
        let mut process = Helper::start("engine", &arguments, log.into())?;
        let listening: EngineListening = process.hear(START_PATIENCE).await.map_err(|failure| {
            let said = fs::read_to_string(folder.join(ENGINE_LOG)).unwrap_or_default();
            Failure::new(format!("{failure}; it said: {said}"))
        })?;
        Ok(Self {
            sip: listening.sip,
            metrics: Some(listening.http),
            pid: Some(process.pid()),
            process: Some(process),
        })
    }

    pub(super) fn usage(&self) -> Result<Option<Usage>, Failure> {
        self.pid.map(Usage::of).transpose()
    }
}

impl StandIn {
    async fn death(&mut self) -> Option<String> {
        if let Some(end) = self.process.as_mut().and_then(Helper::end) {
            return Some(format!("the stand-in model {end}; it logs to standard error"));
        }
        let answer = fetch::timing(self.side).await;
        if let Some(process) = &self.process {
            return answer.err().map(|_| format!("the stand-in model {}", process.hangs()));
        }
        answer.err().map(|_| format!("the stand-in model at {} died: it does not answer any more", self.side))
    }

    /// The stand-in, and the URL an engine reaches it at.
    async fn start(calls_max: usize, cores: &Cores) -> Result<(Self, String), Failure> {
        let mut arguments = words(&["sandbox", "model", "--load", "--attached", "--listen", ANY_PORT]);
        arguments.extend(words(&["--side", ANY_PORT, "--max-connections", &calls_max.to_string()]));
        arguments.extend(cores.option(&cores.model));
        let mut process = Helper::start("stand-in model", &arguments, Stdio::inherit())?;
        let listening: ModelListening = process.hear(START_PATIENCE).await?;
        let side = listening.side.ok_or_else(|| Failure::new("the stand-in model has no side port"))?;
        let url = format!("ws://{}", listening.model);
        Ok((Self { side, pid: Some(process.pid()), process: Some(process) }, url))
    }
}

async fn start_callers(
    engine: SocketAddr,
    number: Option<&str>,
    calls_max: usize,
    cores: &Cores,
) -> Result<Helper, Failure> {
    let mut arguments = words(&["sandbox", "callers", "--engine", &engine.to_string()]);
    arguments.extend(words(&["--max-calls", &calls_max.to_string()]));
    arguments.extend(number.iter().flat_map(|number| words(&["--number", number])));
    arguments.extend(cores.option(&cores.callers));
    let mut callers = Helper::start("callers", &arguments, Stdio::inherit())?;
    match callers.hear(START_PATIENCE).await? {
        News::Ready => Ok(callers),
        other @ (News::Dialled { .. } | News::Measured(_) | News::Gone) => {
            Err(Failure::new(format!("the callers began with {other:?}")))
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Who runs where; empty: wherever the kernel likes.
#[derive(Debug, Clone, Default)]
pub(super) struct Cores {
    engine: Vec<usize>,
    model: Vec<usize>,
    callers: Vec<usize>,
}

/// Model and callers need one core each, and the engine more than one to be worth measuring.
const CORES_TO_PIN: usize = 4;

impl Cores {
    /// The cores that we may run on, by their numbers, which need not begin at 0 nor be without gaps.
    pub(super) fn of_this_machine() -> Vec<usize> {
        let allowed = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
        (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect()
    }

    pub(super) fn shared_out(cores: &[usize]) -> Self {
        match cores {
            [engine @ .., model, callers] if cores.len() >= CORES_TO_PIN => {
                Self { engine: engine.to_vec(), model: vec![*model], callers: vec![*callers] }
            }
            _ => Self::default(),
        }
    }

    pub(super) fn are_pinned(&self) -> bool {
        !self.engine.is_empty()
    }

    fn option(&self, cores: &[usize]) -> Vec<String> {
        if cores.is_empty() {
            return Vec::new();
        }
        let list: Vec<String> = cores.iter().map(usize::to_string).collect();
        vec!["--cores".to_owned(), list.join(",")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_shared_out_only_where_there_are_enough() {
        assert!(!Cores::shared_out(&[0, 1]).are_pinned());
        let cores = Cores::shared_out(&[2, 3, 6, 7, 9]);
        assert_eq!((&cores.model, &cores.callers), (&vec![7], &vec![9]));
        assert_eq!(cores.option(&cores.engine), ["--cores", "2,3,6"]);
    }

    #[test]
    fn the_cores_are_those_that_this_process_may_use() {
        let cores = Cores::of_this_machine().len();
        assert_eq!(Some(cores), std::thread::available_parallelism().ok().map(usize::from));
    }
}
