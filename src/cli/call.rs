//! `clearline call`: places calls through the configured gateway and shows how they go.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::actors::call_supervisor::PlaceCall;
use crate::actors::events::{CallEvent, EngineEvent};
use crate::call::Finish;
use crate::clock;
use crate::config::Settings;
use crate::domain::{CallId, GatewayId, Outcome};
use crate::engine::{Engine, StartError};

use super::CommandResult;
use super::common::{Failure, SettingsArguments, nothing_is_lost, parse_rate, say, say_json, start_logging};
use super::show::describe;
use super::signals::Signals;

/// How often it is looked which calls shall end.
const LOOK_AT_CLOCK: Duration = Duration::from_millis(200);

/// Places calls with an engine of its own and shows their progress; exit code 0 when all were answered and completed.
#[derive(Args)]
#[command(after_help = "Example: clearline call +4930123456 --owner mira --config clearline.toml")]
pub(super) struct Call {
    /// The number to dial, or a whole sip: address
    target: String,
    /// The user whose call it is: name or id
    #[arg(long)]
    owner: String,
    /// The number to show to the far end
    #[arg(long)]
    from: Option<String>,
    /// The gateway to go through; the first one of the settings if left out
    #[arg(long)]
    gateway: Option<String>,
    /// The persona that talks; the first one of the settings if left out
    #[arg(long)]
    voice_agent: Option<String>,
    /// How many calls
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// How many of them to begin in a second, 0.01 to 1000
    #[arg(long, default_value_t = 1.0, value_parser = parse_rate)]
    rate: f64,
    /// Hang up after this many seconds, counted from the answer
    #[arg(long)]
    max_seconds: Option<u64>,
    /// One JSON document at the end instead of lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArguments,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    calls: Vec<CallReport>,
}

#[derive(Serialize)]
struct CallReport {
    /// Absent when the call was refused before it got one.
    call_id: Option<String>,
    outcome: Outcome,
    reason: String,
    answered: bool,
    /// From the answer to the end.
    duration_ms: u64,
    recording: Option<String>,
}

/// Our own calls; the engine may have others, for far ends can call in.
#[derive(Default)]
struct Progress {
    /// Placed and not over: since when they are answered.
    under_way: HashMap<CallId, Option<Instant>>,
    reports: Vec<CallReport>,
}

impl Call {
    pub(super) fn run(self) -> CommandResult {
        let mut settings = self.settings.load()?;
        // An engine that serves may have the port; this one lives only as long as its calls.
        settings.http.listen.set_port(0);
        start_logging(&settings.log)?;
        actix::System::new().block_on(self.place_all(settings))
    }
}

impl Call {
    async fn place_all(self, settings: Settings) -> CommandResult {
        let stop_limit = settings.calls.stop_limit();
        let engine = start_engine(settings).await?;
        let mut news = engine.events().listen();
        let mut progress = Progress::default();
        let mut signals = Signals::listen().map_err(|error| Failure::cannot("listen to signals", error))?;
        let (mut wanted, mut placed, mut is_stopped) = (self.count, 0, false);
        let mut next_call = tokio::time::interval(Duration::from_secs_f64(1.0 / self.rate));
        let mut tick = tokio::time::interval(LOOK_AT_CLOCK);
        while placed < wanted || !progress.under_way.is_empty() {
            tokio::select! {
                _ = next_call.tick(), if placed < wanted => {
                    placed += 1;
                    self.place(&engine, &mut progress).await;
                }
                _ = tick.tick() => self.end_calls(&engine, &progress, is_stopped).await,
                event = news.recv() => match event {
                    Ok(event) => self.follow(event, &engine, &mut progress).await,
                    Err(_) => catch_up(&engine, &mut progress).await,
                },
                // Whoever stops the command wants nobody to be left on the line.
                () = signals.stop(), if !is_stopped => {
                    (wanted, is_stopped) = (placed, true);
                }
            }
        }
        nothing_is_lost(engine.stop(stop_limit).await)?;
        self.conclude(progress, placed)
    }

    async fn place(&self, engine: &Engine, progress: &mut Progress) {
        let order = PlaceCall {
            target: self.target.clone(),
            owner: self.owner.as_str().into(),
            from: self.from.clone(),
            gateway: self.gateway.as_ref().map(GatewayId::new),
            voice_agent: self.voice_agent.clone(),
            metadata: None,
        };
        match engine.place_call(order).await {
            Ok(call) => {
                progress.under_way.insert(call, None);
            }
            Err(refused) => {
                let finish = Finish::new(refused.outcome(), refused.to_string());
                self.tell(format_args!("refused: {}", finish.reason));
                progress.reports.push(CallReport::new(None, finish, None, None));
            }
        }
    }

    async fn end_calls(&self, engine: &Engine, progress: &Progress, is_stopped: bool) {
        let (limit, now) = (self.max_seconds.map(Duration::from_secs), clock::now());
        let is_over = |since: Instant| limit.is_some_and(|limit| now.duration_since(since) >= limit);
        for (call, answered_at) in &progress.under_way {
            if is_stopped {
                engine.hang_up(call, "the command was stopped").await;
            } else if answered_at.is_some_and(is_over) {
                engine.hang_up(call, "the --max-seconds of this call are over").await;
            }
        }
    }

    async fn follow(&self, event: EngineEvent, engine: &Engine, progress: &mut Progress) {
        if let Some(line) = describe(&event) {
            self.tell(line);
        }
        let EngineEvent::Call { call, event, .. } = event else { return };
        match event {
            CallEvent::Answered => {
                if let Some(answered_at) = progress.under_way.get_mut(&call) {
                    *answered_at = Some(clock::now());
                }
            }
            CallEvent::Ended { finish, recording } => {
                let record = engine.calls().get(&call).await.ok().flatten();
                progress.ended(&call, finish, recording, record.and_then(|record| record.talked()));
            }
            CallEvent::Started { .. }
            | CallEvent::Ringing
            | CallEvent::GreetingPlayed
            | CallEvent::Said(_)
            | CallEvent::Digit(_)
            | CallEvent::ToolCalled { .. }
            | CallEvent::Interrupted
            | CallEvent::Held(_)
            | CallEvent::RecordingChanged(_)
            | CallEvent::ModelReconnecting
            | CallEvent::Rebuilding { .. } => {}
        }
    }

    fn tell(&self, line: impl std::fmt::Display) {
        if !self.json {
            say(line);
        }
    }

    fn conclude(&self, progress: Progress, placed: u32) -> CommandResult {
        let good = |report: &CallReport| report.answered && report.outcome == Outcome::Completed;
        let ok = placed == self.count && progress.reports.iter().all(good);
        let report = Report { ok, calls: progress.reports };
        if self.json {
            say_json(&report)?;
        }
        Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// An engine that serves with the same settings has the SIP port; then any other is as good for calling out.
async fn start_engine(mut settings: Settings) -> Result<Engine, Failure> {
    let started = match Engine::start(settings.clone()).await {
        Err(StartError::SipListen { address, error }) if error.kind() == io::ErrorKind::AddrInUse => {
            tell_other_port(address);
            settings.sip.listen.set_port(0);
            if let Some(advertise) = &mut settings.sip.advertise {
                advertise.set_port(0);
            }
            Engine::start(settings).await
        }
        started => started,
    };
    started.map_err(|error| Failure::new(error.to_string()))
}

#[expect(clippy::print_stderr, reason = "a note for the person who typed the command")]
fn tell_other_port(taken: SocketAddr) {
    eprintln!(
        "clearline: sip.listen {taken} is in use, probably by `clearline serve`; calling from another port"
    );
}

/// Some news were lost because we were slow: what ended meanwhile stands in the books.
async fn catch_up(engine: &Engine, progress: &mut Progress) {
    let under_way: Vec<CallId> = progress.under_way.keys().cloned().collect();
    for call in under_way {
        let Ok(Some(record)) = engine.calls().get(&call).await else { continue };
        if let Some(outcome) = record.outcome {
            let talked = record.talked();
            let finish = Finish::new(outcome, record.end_reason.unwrap_or_default());
            progress.ended(&call, finish, record.recording_filename, talked);
        }
    }
}

impl Progress {
    /// `talked` is what the call's record says; without one it is as long as it took to hear of the end.
    fn ended(&mut self, call: &CallId, finish: Finish, recording: Option<String>, talked: Option<Duration>) {
        if let Some(answered_at) = self.under_way.remove(call) {
            let heard_of =
                answered_at.map(|since| talked.unwrap_or_else(|| clock::now().duration_since(since)));
            self.reports.push(CallReport::new(Some(call), finish, heard_of, recording));
        }
    }
}

impl CallReport {
    fn new(
        call: Option<&CallId>,
        finish: Finish,
        talked: Option<Duration>,
        recording: Option<String>,
    ) -> Self {
        Self {
            call_id: call.map(ToString::to_string),
            outcome: finish.outcome,
            reason: finish.reason,
            answered: talked.is_some(),
            duration_ms: u64::try_from(talked.unwrap_or_default().as_millis()).unwrap_or(u64::MAX),
            recording,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_how_long_the_call_was_and_not_how_long_it_took_to_hear_of_its_end() {
        let mut progress = Progress::default();
        let (answered, missed) = (CallId::new("answered"), CallId::new("missed"));
        progress.under_way.insert(answered.clone(), Some(clock::now()));
        progress.under_way.insert(missed.clone(), None);
        let talked = Some(Duration::from_millis(4_206));
        progress.ended(&answered, Finish::new(Outcome::Completed, "hung up"), None, talked);
        progress.ended(&missed, Finish::new(Outcome::Busy, "busy"), None, None);
        let told = progress.reports.iter().map(|report| (report.answered, report.duration_ms));
        assert_eq!(told.collect::<Vec<_>>(), [(true, 4_206), (false, 0)]);
    }
}
