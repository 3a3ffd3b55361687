//! One step: dial, let it settle, measure, hang up, measure what a set-up costs, with hanging up and without.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::sandbox::callers::{Lost, News, Order, Report};

use super::super::common::{Failure, tell};
use super::costs::{Held, Idle, SetUps, share};
use super::document::counted;
use super::outcome::{Gathered, Step};
use super::rig::Rig;

/// What is asked of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Which step it is, from 1.
    pub(super) number: usize,
    pub(super) calls: usize,
    pub(super) seconds: u64,
    pub(super) per_second: f64,
    pub(super) record: bool,
}

impl Plan {
    /// Says what goes on now, for whoever waits.
    pub(super) fn tell(&self, what: impl std::fmt::Display) {
        tell(format_args!("step {}: {what}", self.number));
    }
}

/// The engine, before anybody calls.
const IDLE_STRETCH: Duration = Duration::from_secs(1);
/// Greetings are over and buffers have found their depth.
const SETTLING: Duration = Duration::from_secs(3);
/// A call rings for so long at most before something is wrong.
const DIAL_PATIENCE: Duration = Duration::from_secs(60);
const REPORT_PATIENCE: Duration = Duration::from_secs(20);
/// Of a core, above what it used before the first call.
const REST_MARGIN: f64 = 0.005;
/// After that it counts as resting all the same: what it then uses is subtracted.
const REST_LOOKS_MAX: usize = 15;
/// Enough set-ups to tell what one costs.
const SET_UPS: usize = 50;
/// What calls cost that are held right after their set-up; with it they are up for less time than after which a caller
/// that nobody greets begins to speak.
const HELD_STRETCH: Duration = Duration::from_secs(2);

pub(super) async fn run(rig: &mut Rig, plan: Plan) -> Result<Step, Failure> {
    let idle = watch_idle(rig).await?;
    plan.tell(format_args!("dialling {}", counted(plan.calls, "call")));
    let refused = dial(rig, plan).await?;
    plan.tell(format_args!("letting them settle for {} s", SETTLING.as_secs()));
    sleep(SETTLING).await;
    let mut gathered =
        Gathered { calls: plan.calls, recording: plan.record, refused, idle, ..Gathered::default() };
    plan.tell(format_args!("measuring {} s", plan.seconds));
    measure(rig, plan, &mut gathered).await?;
    plan.tell("hanging up");
    hang_up(rig).await?;
    gathered.set_ups = set_ups(rig, plan, idle).await?;
    gathered.held_set_ups = held_set_ups(rig, plan, idle).await?;
    Ok(Step::of(&gathered))
}

async fn watch_idle(rig: &Rig) -> Result<Option<Idle>, Failure> {
    let Some(first) = rig.engine.usage()? else { return Ok(None) };
    sleep(IDLE_STRETCH).await;
    let last = rig.engine.usage()?;
    Ok(last.map(|usage| Idle { cpu_share: share(first, usage, IDLE_STRETCH), usage }))
}

async fn dial(rig: &mut Rig, plan: Plan) -> Result<Vec<Lost>, Failure> {
    rig.callers.tell(&Order::Dial { calls: plan.calls, per_second: plan.per_second, number: None })?;
    until_dialled(rig, plan).await
}

async fn until_dialled(rig: &mut Rig, plan: Plan) -> Result<Vec<Lost>, Failure> {
    let patience = DIAL_PATIENCE + Duration::from_secs_f64(plan.calls as f64 / plan.per_second);
    match rig.callers.hear(patience).await? {
        News::Dialled { refused, .. } => Ok(refused),
        other @ (News::Ready | News::Measured(_) | News::Gone) => Err(unexpected(&other)),
    }
}

async fn measure(rig: &mut Rig, plan: Plan, gathered: &mut Gathered) -> Result<(), Failure> {
    gathered.begin = rig.look()?;
    rig.callers.tell(&Order::Begin)?;
    let began = clock::now();
    sleep(Duration::from_secs(plan.seconds)).await;
    rig.callers.tell(&Order::End)?;
    gathered.end = rig.look()?;
    gathered.stretch = clock::now() - began;
    gathered.report = report(rig).await?;
    Ok(())
}

async fn report(rig: &mut Rig) -> Result<Report, Failure> {
    match rig.callers.hear(REPORT_PATIENCE).await? {
        News::Measured(report) => Ok(*report),
        other @ (News::Ready | News::Dialled { .. } | News::Gone) => Err(unexpected(&other)),
    }
}

async fn hang_up(rig: &mut Rig) -> Result<(), Failure> {
    rig.callers.tell(&Order::HangUp)?;
    match rig.callers.hear(REPORT_PATIENCE).await? {
        News::Gone => Ok(()),
        other @ (News::Ready | News::Dialled { .. } | News::Measured(_)) => Err(unexpected(&other)),
    }
}

/// Waits until the step's calls are wound up, and gives what the engine uses of a core from then on. `None`: nobody can see.
async fn come_to_rest(rig: &Rig, idle: Option<Idle>) -> Result<Option<f64>, Failure> {
    let limit = idle.map_or(0.0, |idle| idle.cpu_share) + REST_MARGIN;
    let mut rest = None;
    for _ in 0..REST_LOOKS_MAX {
        rest = watch_idle(rig).await?.map(|now| now.cpu_share);
        if rest.is_none_or(|share| share <= limit) {
            break;
        }
    }
    Ok(rest)
}

/// On an engine that is idle again, so that nothing but set-ups costs anything.
async fn set_ups(rig: &mut Rig, plan: Plan, idle: Option<Idle>) -> Result<Option<SetUps>, Failure> {
    let Some(rest_share) = come_to_rest(rig, idle).await? else { return Ok(None) };
    let Some(first) = rig.engine.usage()? else { return Ok(None) };
    let began = clock::now();
    let calls = SET_UPS.min(plan.calls.max(1));
    plan.tell(format_args!("setting up {} to see what one costs", counted(calls, "call")));
    rig.callers.tell(&Order::Touch { calls, per_second: plan.per_second })?;
    until_dialled(rig, plan).await?;
    let took = clock::now() - began;
    let cpu = rig.engine.usage()?.map(|last| last.cpu.saturating_sub(first.cpu));
    Ok(cpu.map(|cpu| SetUps { calls, cpu, took, rest_share, held: None }))
}

/// The same calls again, but they stay: so that the set-up can be told from the hanging up, what calls that are up cost
/// is measured right behind it and taken off. They dial where nobody greets, and wait: a sentence would cost more than
/// they do, and come with the answer. `None`: nobody can see, there is no such number, or not every call stayed.
async fn held_set_ups(rig: &mut Rig, plan: Plan, idle: Option<Idle>) -> Result<Option<SetUps>, Failure> {
    let Some(number) = rig.engine.quiet_number.clone() else { return Ok(None) };
    let Some(rest_share) = come_to_rest(rig, idle).await? else { return Ok(None) };
    let Some(first) = rig.engine.usage()? else { return Ok(None) };
    let began = clock::now();
    let calls = SET_UPS.min(plan.calls.max(1));
    plan.tell(format_args!("setting up {} that stay, to see the set-up alone", counted(calls, "call")));
    rig.callers.tell(&Order::Dial { calls, per_second: plan.per_second, number: Some(number) })?;
    until_dialled(rig, plan).await?;
    let dialled = rig.engine.usage()?;
    rig.callers.tell(&Order::Begin)?;
    let took = clock::now() - began;
    sleep(HELD_STRETCH).await;
    let last = rig.engine.usage()?;
    let stretch = clock::now() - began - took;
    rig.callers.tell(&Order::End)?;
    let report = report(rig).await?;
    hang_up(rig).await?;
    let (Some(dialled), Some(last)) = (dialled, last) else { return Ok(None) };
    let up = report.set_ups.iter().map(|call| report.begun_us.saturating_sub(call.answered_us)).sum();
    let held = Held { up: Duration::from_micros(up), share: share(dialled, last, stretch) };
    let cpu = dialled.cpu.saturating_sub(first.cpu);
    let all_stayed = report.calls == calls;
    Ok(all_stayed.then_some(SetUps { calls, cpu, took, rest_share, held: Some(held) }))
}

fn unexpected(news: &News) -> Failure {
    Failure::new(format!("the callers said {news:?}, which was not expected"))
}
