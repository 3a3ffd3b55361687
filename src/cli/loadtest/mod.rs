//! `clearline loadtest`: how many AI calls this machine holds, and what breaks first.
//!
//! [`processes`] starts engine, stand-in model and callers as processes of their own ([`rig`]); [`step`] lets so many
//! calls be up for a while and gathers what callers ([`crate::sandbox::callers`]) and stand-in noted, what the engine
//! counted ([`fetch`]) and what each process used ([`usage`]). From there on everything is pure: [`delays`] joins both
//! ends' notes, [`crosstalk`] asks whose voices they were, [`loss`] and [`speech`] ask what never arrived, [`outcome`] and [`costs`] make figures of them, [`levels`] judges, [`ramp`] chooses the next step,
//! [`table`], [`document`] and [`chart`] ([`panels`]) tell. Another way in: [`sipp`] lets SIPp call in a step, [`touching`] measures set-ups
//! alone and [`set_ups`] tells of them. [`probe`] and [`picture`] find out beforehand what would fail at the end.

mod chart;
mod costs;
mod crosstalk;
mod delays;
mod descriptors;
mod document;
mod fetch;
mod levels;
mod loss;
mod outcome;
mod panels;
mod picture;
mod probe;
mod processes;
mod quantiles;
mod ramp;
mod rig;
mod scratch;
mod set_ups;
mod sipp;
mod speech;
mod step;
mod table;
mod touching;
mod usage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::CommandResult;
use super::common::{Failure, parse_rate, say, say_json, tell};
use super::signals::Signals;
use document::{Document, Machine};
use outcome::{Generator, Step};
use picture::Picture;
use ramp::Ramp;
use rig::{Cores, Rig, Running, Site};
use set_ups::{SetUpCosts, SetUpDocument};
use step::Plan;
use touching::Measured;

/// Ramps AI calls until a service level breaks, with callers, a stand-in of the model and an engine in processes of
/// their own, and tells how many calls held, what a call costs, and what the harness itself used.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Loadtest {
    /// One step of so many calls instead of a ramp; exit code 1 when a service level breaks, and when it could not be
    /// judged whether the step held
    #[arg(long, value_name = "N", value_parser = some_calls())]
    calls: Option<usize>,
    /// How long each step is measured
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Measures each step so many times, each time with new calls: what a call draws for itself, such as the moment of
    /// its clock, one call shows once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = some_calls())]
    rounds: usize,
    /// Instead of all else: the engine's CPU for N set-ups (in bursts of 50, so rounded up to those), each hung up at
    /// once, and without the hanging up. Not with --record: what is encoded after a call would count as its hanging up.
    /// Exit code 0: measured, whether the target was reached or not; 1: not measured, or not judged
    #[arg(long, value_name = "N", conflicts_with_all = ["calls", "from", "step", "rounds", "svg", "sipp", "record"], value_parser = some_calls())]
    set_ups: Option<usize>,
    /// Where the ramp begins; it doubles until a step breaks and then closes in
    /// [default: 10]
    #[arg(long, value_name = "N", conflicts_with = "calls", value_parser = some_calls())]
    from: Option<usize>,
    /// Add so many calls at each step instead of doubling
    #[arg(long, value_name = "N", conflicts_with = "calls", value_parser = some_calls())]
    step: Option<usize>,
    /// The ramp ends here at the latest
    #[arg(long, value_name = "N", default_value_t = 1_000, conflicts_with = "calls", value_parser = some_calls())]
    max_calls: usize,
    /// Calls dialled in a second
    #[arg(long, value_name = "N", default_value_t = 20.0, value_parser = parse_rate)]
    per_second: f64,
    /// SIPp calls, with a scenario that comes with Clearline or one of your own, instead of our callers. It does not tell
    /// what its callers hear: a step of its may break, and never holds
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, requires = "calls", conflicts_with = "rounds")]
    sipp: Option<Option<PathBuf>>,
    /// Record the calls
    #[arg(long)]
    record: bool,
    /// Drive an engine that runs, at its SIP address, instead of one of our own. Without --metrics and --model-side nobody
    /// tells what was lost on the way from the callers: a step may break then, and never holds
    #[arg(long, value_name = "ADDR", conflicts_with = "record")]
    engine: Option<SocketAddr>,
    /// HTTP address of that engine (`http.listen`), for its own counters
    #[arg(long, value_name = "ADDR", requires = "engine")]
    metrics: Option<SocketAddr>,
    /// Process id of that engine, to measure its CPU and memory
    #[arg(long, requires = "engine")]
    pid: Option<u32>,
    /// The side port of the stand-in it is pointed at (`sandbox model --load --side ADDR`), for the delays
    #[arg(long, value_name = "ADDR", requires = "engine")]
    model_side: Option<SocketAddr>,
    /// The number to dial there
    #[arg(long, default_value = "100", requires = "engine", value_parser = parse_number)]
    number: String,
    /// Draws the result into this file; a ramp draws loadtest.svg if nothing else is said
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// The result as one JSON document
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  clearline loadtest                                    a ramp; draws loadtest.svg
  clearline loadtest --calls 50 --seconds 30 --json     one step, as a document
  clearline loadtest --calls 1 --rounds 30 --seconds 8  one call, often enough to tell p95 of its delays
  clearline loadtest --set-ups 500                      what a set-up costs, with its spread

An engine of your own, pointed at a stand-in of the model. Calls need an owner with a key, a source that is allowed, and \
as many sessions of that one key as there are calls; add --config FILE to `user` and `serve` for settings of your own:
  export GOOGLE_API_KEY=any-key-will-do CLEARLINE_STORE_PATH=loadtest.db
  clearline user add loadtest
  clearline sandbox model --load --side 127.0.0.1:9091 &
  clearline serve --set voice.url=ws://127.0.0.1:9090 \\
    --set sip.listen=127.0.0.1:5060 --set sip.allowed_sources=127.0.0.1 \\
    --set media.bind=127.0.0.1 --set http.listen=127.0.0.1:8080 \\
    --set calls.default_owner_id=loadtest --set recording.enabled=false \\
    --set keys.sessions_per_project=0 &
  clearline loadtest --calls 50 --pid $! --engine 127.0.0.1:5060 \\
    --metrics 127.0.0.1:8080 --model-side 127.0.0.1:9091

And then their end:
  kill $(jobs -p)

SIPp as an independent generator, against the same engine and stand-in or against ones of our own. It says which calls \
failed, and loss is what the engine heard of it and the model did not get, or what the engine could not send in time; what its \
callers hear it does not say, so that such a step may break and never holds. Spacing, delays and crosstalk only our own \
callers can tell. SIPp says no BYE when it is stopped: an engine of yours ends its calls once it has heard nothing of them for \
`media.no_rtp_timeout_s`:
  clearline loadtest --sipp --calls 50 --seconds 30
  clearline loadtest --sipp=my-caller.xml --calls 50 --engine 127.0.0.1:5060 --metrics 127.0.0.1:8080

What a step measures: frames lost in either direction, the time between two packets to a caller, the delay added each way \
without the jitter buffer's target and the pre-buffer of a turn (both are shown beside it), set-up and first audio \
without the model's own time, barge-in, crosstalk (each caller must hear the model that hears it), and what engine, callers and stand-in used. The target of the jitter \
buffer has a limit of its own, and so have the seconds that recordings lost. What a set-up costs is measured roughly at the end, by a burst of calls that are hung up when \
they are answered, and exactly by --set-ups: there each round has such a burst and another whose calls are all hung up at \
once, and tells set-up and hanging up apart; a round in which a call is refused does not count, and where a figure is less than can be, or callers or stand-in were late, the target is neither reached nor missed. Lost is \
every frame that was due while a call was up, silence of the engine included, and what callers sent and the engine (by \
its own counter) or the model never heard; speech that never arrived is a level of its \
own; where the stand-in cannot be asked, a call whose model is not heard for 12 s, longer than it ever pauses. A level with too few samples (p95 and speech need 20, p99 100, p99.9 1000) is not judged; longer steps and more calls have \
more. Neither is a step in which callers or stand-in were late themselves (p99 of their lateness above 10 ms, or 20 ms); callers that \
were late by more than 5 ms at p99.9 judge no spacing past its limit, and SIPp, whose lateness nobody measures, no jitter_target past its own. A step holds if no level broke and calls_failed, \
loss and spacing_p999 were judged, and any caller heard a voice; else its \"held\" is null in the document, beside true and \
false. Loss and speech hold only where both ways were measured: of an engine of yours without --metrics and --model-side loss can \
break and not hold, and so can speech without --model-side. Whether somebody died is not judged (null) where nobody sees \
the engine (--metrics or --pid) and its stand-in (--model-side); all calls of an engine that was started anew are lost then. What was not measured is null; only of lost frames and of bursts and voices heard, what nobody could tell of is counted as 0. A step in which callers or stand-in were late is repeated once by a ramp. What broke first (broke_first) is, of the \
levels that broke in the step of fewest calls, the one furthest past its limit: what must never be (limit 0: process_died, \
calls_failed, crosstalk, recording, in this order), then what is the most times its limit. How it goes is told on standard error. A test that is interrupted writes the steps it has finished. \
An engine or stand-in that dies, hangs, or is started anew meanwhile, breaks its step (process_died) and ends the test: it is told who, how, and where the log is. A \
call whose audio has ended a second before the measurement does is lost, though nobody hung up.

Exit codes: 0 a step held, 1 none did or could be judged, or it did not work, 2 wrong arguments, 130 interrupted; with --set-ups 0 \
measured, whether the target was reached or not, 1 not measured or not judged.";

/// A number or name as it stands before an address's `@`. What separates the parts of an address would begin another.
fn parse_number(text: &str) -> Result<String, String> {
    let is_of_a_number = |c: char| c.is_ascii_alphanumeric() || "+-._*#~!'()".contains(c);
    if !text.is_empty() && text.chars().all(is_of_a_number) {
        return Ok(text.to_owned());
    }
    Err("a number to dial is digits, letters and any of + - . _ * # ~ ! ' ( ), without a host, parameters or blanks".into())
}

const CHART: &str = "loadtest.svg";
const FIRST_CALLS: usize = 10;
/// Each caller has a port of this machine.
const CALLS_MAX: u64 = 10_000;
/// Calls that are still being wound up when the next one comes.
const SPARE_CALLS: usize = 10;

/// None at all would hold every level.
fn some_calls() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=CALLS_MAX)
}

impl Loadtest {
    pub(super) fn run(self) -> CommandResult {
        if let Some(from) = self.from.filter(|from| *from > self.max_calls) {
            let text =
                format!("--from {from} is above --max-calls {}: no step lies between them", self.max_calls);
            return Err(Failure::wrong_arguments(text));
        }
        descriptors::raise_limit(self.calls.unwrap_or(self.max_calls))?;
        actix::System::new().block_on(self.perform())
    }

    async fn perform(self) -> CommandResult {
        let mut signals = Signals::listen().map_err(|error| Failure::cannot("listen to signals", error))?;
        scratch::remove_left_behind();
        if let Some(calls) = self.set_ups {
            return tokio::select! {
                biased;
                () = signals.any() => Err(Failure::interrupted()),
                result = self.tell_set_ups(calls) => result,
            };
        }
        let picture = self.picture()?;
        let placed = self.placed();
        let mut steps = Vec::new();
        let end = tokio::select! {
            biased;
            () = signals.any() => Err(Failure::interrupted()),
            result = self.measure(&placed, &mut steps) => result,
        };
        if steps.is_empty() {
            tell("no step was finished: there is no result to write");
            return end.map(|()| ExitCode::FAILURE);
        }
        let machine = self.machine();
        let ended_early = end.as_ref().err().map(Failure::to_string);
        let document = Document::new(machine, self.engine, steps, ended_early);
        self.publish(&document, picture)?;
        end?;
        Ok(if document.calls_held.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// A ramp draws one whether it was told to or not.
    fn picture(&self) -> Result<Option<Picture>, Failure> {
        let usual = self.calls.is_none().then(|| PathBuf::from(CHART));
        self.svg.clone().or(usual).map(Picture::open).transpose()
    }

    fn publish(&self, document: &Document, picture: Option<Picture>) -> Result<(), Failure> {
        if self.json {
            say_json(document)?;
        } else {
            document.summary().into_iter().for_each(say);
        }
        picture.map_or(Ok(()), |picture| picture.draw(&chart::draw(document)))
    }

    /// Leaves in `steps` what is finished, however it ends.
    async fn measure(&self, placed: &Cores, steps: &mut Vec<Step>) -> Result<(), Failure> {
        self.expect_engine().await?;
        if let Some(calls) = self.calls {
            steps.push(self.one_step(1, calls, placed).await?);
            return end_if_died(steps);
        }
        let mut ramp = Ramp::new(self.from.unwrap_or(FIRST_CALLS), self.step, self.max_calls);
        while let Some(calls) = ramp.next() {
            let step = self.one_step(steps.len() + 1, calls, placed).await?;
            ramp.note(calls, step.answer());
            steps.push(step);
            end_if_died(steps)?;
        }
        Ok(())
    }

    /// Each step has processes of its own: none inherits another's memory, ports or troubles.
    async fn one_step(&self, number: usize, calls: usize, placed: &Cores) -> Result<Step, Failure> {
        let Self { seconds, rounds, per_second, .. } = *self;
        let record = self.engine.is_none().then_some(self.record);
        let plan = Plan { number, calls, seconds, rounds, per_second, record };
        if let Some(path) = &self.sipp {
            sipp::expect_installed()?;
            return self.sipp_step(plan, &sipp::scenario(path.as_deref())?, placed).await;
        }
        plan.tell(if self.engine.is_some() {
            "starting the callers"
        } else {
            "starting engine, stand-in and callers"
        });
        let mut rig = self.rig(calls, placed).await?;
        let step = match step::run(&mut rig, plan).await {
            Ok(step) => step,
            Err(failure) => Step::cut_short(Generator::Callers, calls, record, rig.autopsy(failure).await?),
        };
        self.show(&step);
        Ok(step)
    }

    async fn sipp_step(&self, plan: Plan, scenario: &str, placed: &Cores) -> Result<Step, Failure> {
        let mut site = match self.running() {
            Some(running) => Site::join(&running),
            None => {
                plan.tell("starting engine and stand-in");
                Site::build(plan.calls + SPARE_CALLS, self.record, placed).await?
            }
        };
        site.look(None).await?;
        let step = match sipp::run(&mut site, plan, &self.number, scenario).await {
            Ok(step) => step,
            Err(failure) => {
                let died = site.autopsy(()).await.ok_or(failure)?;
                Step::cut_short(Generator::Sipp, plan.calls, plan.record, died)
            }
        };
        self.show(&step);
        Ok(step)
    }

    fn show(&self, step: &Step) {
        if !self.json {
            say(table::describe(step));
        }
    }

    async fn rig(&self, calls: usize, placed: &Cores) -> Result<Rig, Failure> {
        let rig = match self.running() {
            Some(running) => Rig::join(&running, calls + SPARE_CALLS).await?,
            None => Rig::build(calls + SPARE_CALLS, self.record, placed).await?,
        };
        // Whom we cannot ask is named before anybody dials; only who was there can die.
        rig.look().await?;
        Ok(rig)
    }

    async fn tell_set_ups(&self, calls: usize) -> CommandResult {
        self.expect_engine().await?;
        tell("starting what is needed");
        let mut rig = self.rig(touching::BURST, &self.placed()).await?;
        let measured = match touching::measure(&mut rig, calls, self.per_second).await {
            Ok(measured) => measured,
            Err(failure) => return Err(Failure::new(rig.autopsy(failure).await?)),
        };
        let unseen =
            || Failure::wrong_arguments("--set-ups: only with --pid can it be seen what that engine uses");
        let Measured { rounds, harness_was_late } = measured.ok_or_else(unseen)?;
        let costs = SetUpCosts::of(&rounds, harness_was_late);
        let costs = costs.ok_or_else(|| Failure::new("the engine refused calls in every round"))?;
        let is_judged = costs.reached.is_some();
        if self.json {
            say_json(&SetUpDocument::new(self.machine(), self.engine, costs))?;
        } else {
            costs.summary().into_iter().for_each(say);
        }
        Ok(if is_judged { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn machine(&self) -> Machine {
        Machine { cores: Cores::of_this_machine().len(), pinned: self.placed().are_pinned() }
    }

    /// Nothing is pinned where the engine is its operator's.
    fn placed(&self) -> Cores {
        if self.engine.is_some() { Cores::default() } else { Cores::shared_out(&Cores::of_this_machine()) }
    }

    async fn expect_engine(&self) -> Result<(), Failure> {
        if let Some(engine) = self.engine {
            probe::expect_sip_answer(engine).await?;
            self.pid.map_or(Ok(()), usage::expect_engine)?;
        }
        Ok(())
    }

    fn running(&self) -> Option<Running> {
        Some(Running {
            sip: self.engine?,
            number: self.number.clone(),
            metrics: self.metrics,
            pid: self.pid,
            model_side: self.model_side,
        })
    }
}

/// Who died would die again, or has nobody to start it anew.
fn end_if_died(steps: &[Step]) -> Result<(), Failure> {
    let died = steps.last().and_then(|step| step.died.clone());
    died.map_or(Ok(()), |died| Err(Failure::new(died)))
}

#[cfg(test)]
mod tests {
    use super::parse_number;

    #[test]
    fn a_number_to_dial_is_no_address() {
        for number in ["100", "+4930123456", "*21#", "alice.smith-2"] {
            assert_eq!(parse_number(number).as_deref(), Ok(number));
        }
        for other in ["", "a b@c;x", "alice@example.com", "1 2", "100;x=y", "100?a", "sip:100", "1\r\nX: y"] {
            assert!(parse_number(other).is_err(), "{other:?}");
        }
    }
}
