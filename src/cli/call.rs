//! `clearline call`: places calls through the configured gateway and shows how they go.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::actors::call_supervisor::PlaceCall;
use crate::actors::events::{CallEvent, EngineEvent};
use crate::call::Finish;
use crate::clock;
use crate::domain::{CallId, GatewayId, Outcome};
use crate::engine::Engine;

use super::CommandResult;
use super::common::{Failure, SettingsArguments, say, start_logging};
use super::show::describe;

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
    /// How many of them to begin in a second
    #[arg(long, default_value_t = 1.0)]
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
    call_id: String,
    outcome: Outcome,
    reason: String,
    answered: bool,
    duration_ms: u64,
    recording: Option<String>,
}

/// Calls under way: when they were answered, and how they ended.
#[derive(Default)]
struct Progress {
    answered_at: HashMap<CallId, std::time::Instant>,
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
    async fn place_all(self, settings: crate::config::Settings) -> CommandResult {
        let stop_limit = settings.calls.stop_limit();
        let engine = Engine::start(settings).map_err(|error| Failure::new(error.to_string()))?;
        let mut news = engine.events().listen();
        let mut progress = Progress::default();
        let mut placed = 0;
        let pause = Duration::from_secs_f64(1.0 / self.rate.clamp(0.01, 1000.0));
        let mut next_call = tokio::time::interval(pause);
        let mut tick = tokio::time::interval(Duration::from_millis(200));
        while progress.reports.len() < self.count as usize {
            tokio::select! {
                _ = next_call.tick(), if placed < self.count => {
                    placed += 1;
                    self.place(&engine, &mut progress).await;
                }
                _ = tick.tick() => self.end_long_calls(&engine, &progress).await,
                event = news.recv() => self.follow(event, &mut progress),
            }
        }
        engine.stop(stop_limit).await;
        self.conclude(progress)
    }

    async fn place(&self, engine: &Engine, progress: &mut Progress) {
        let order = PlaceCall {
            target: self.target.clone(),
            owner: self.owner.clone(),
            from: self.from.clone(),
            gateway: self.gateway.as_ref().map(GatewayId::new),
            voice_agent: self.voice_agent.clone(),
        };
        if let Err(refused) = engine.place_call(order).await {
            let finish = Finish::new(refused.outcome(), refused.to_string());
            self.tell(format_args!("refused: {}", finish.reason));
            progress.reports.push(CallReport::new(String::new(), finish, None, None));
        }
    }

    async fn end_long_calls(&self, engine: &Engine, progress: &Progress) {
        let Some(limit) = self.max_seconds.map(Duration::from_secs) else { return };
        let now = clock::now();
        let over = progress.answered_at.iter().filter(|(_, since)| now.duration_since(**since) >= limit);
        for (call, _) in over {
            engine.hang_up(call, "the --max-seconds of this call are over").await;
        }
    }

    fn follow(&self, event: Result<EngineEvent, broadcast::error::RecvError>, progress: &mut Progress) {
        let Ok(event) = event else { return };
        if let Some(line) = describe(&event) {
            self.tell(line);
        }
        let EngineEvent::Call { call, event } = event else { return };
        match event {
            CallEvent::Answered => {
                progress.answered_at.insert(call, clock::now());
            }
            CallEvent::Ended { finish, recording } => {
                let since = progress.answered_at.remove(&call);
                progress.reports.push(CallReport::new(call.to_string(), finish, since, recording));
            }
            CallEvent::Started { .. }
            | CallEvent::Ringing
            | CallEvent::GreetingPlayed
            | CallEvent::Said(_)
            | CallEvent::Digit(_)
            | CallEvent::ToolCalled { .. }
            | CallEvent::Interrupted
            | CallEvent::Held(_)
            | CallEvent::ModelReconnecting
            | CallEvent::Rebuilding { .. } => {}
        }
    }

    fn tell(&self, line: impl std::fmt::Display) {
        if !self.json {
            say(line);
        }
    }

    fn conclude(&self, progress: Progress) -> CommandResult {
        let good = |report: &CallReport| report.answered && report.outcome == Outcome::Completed;
        let report = Report { ok: progress.reports.iter().all(good), calls: progress.reports };
        if self.json {
            say(serde_json::to_string_pretty(&report)
                .map_err(|error| Failure::cannot("write the report", error))?);
        }
        Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl CallReport {
    fn new(
        call_id: String,
        finish: Finish,
        answered_at: Option<std::time::Instant>,
        recording: Option<String>,
    ) -> Self {
        let duration = answered_at.map(|since| clock::now().duration_since(since)).unwrap_or_default();
        Self {
            call_id,
            outcome: finish.outcome,
            reason: finish.reason,
            answered: answered_at.is_some(),
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            recording,
        }
    }
}
