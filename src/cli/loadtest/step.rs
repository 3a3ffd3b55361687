//! One step: dial, let it settle, measure, hang up, as many times as there are rounds; then see what a set-up costs.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::sandbox::callers::{Lost, News, Order, Report};

use super::super::common::{Failure, tell};
use super::document::counted;
use super::outcome::{Gathered, Step, Window};
use super::rig::Rig;
use super::touching;

/// What is asked of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Which step it is, from 1.
    pub(super) number: usize,
    pub(super) calls: usize,
    pub(super) seconds: u64,
    /// How often it is measured, each time with new calls.
    pub(super) rounds: usize,
    pub(super) per_second: f64,
    /// `None` where the engine is its operator's.
    pub(super) record: Option<bool>,
}

impl Plan {
    /// Says what goes on now, for whoever waits.
    pub(super) fn tell(&self, what: impl std::fmt::Display) {
        tell(format_args!("step {}: {what}", self.number));
    }
}

/// Greetings are over and buffers have found their depth.
pub(super) const SETTLING: Duration = Duration::from_secs(3);
/// A call rings for so long at most before something is wrong.
const DIAL_PATIENCE: Duration = Duration::from_secs(60);
const REPORT_PATIENCE: Duration = Duration::from_secs(20);
/// After a step so many set-ups tell what one costs, roughly: `--set-ups` tells it exactly.
const SET_UPS: usize = 50;

pub(super) async fn run(rig: &mut Rig, plan: Plan) -> Result<Step, Failure> {
    let idle = rig.site.watch_idle().await?;
    let mut gathered = Gathered { calls: plan.calls, recording: plan.record, idle, ..Gathered::default() };
    for round in 1..=plan.rounds {
        if plan.rounds > 1 {
            plan.tell(format_args!("round {round} of {}", plan.rounds));
        }
        plan.tell(format_args!("dialling {}", counted(plan.calls, "call")));
        gathered.refused.extend(dial(rig, plan.calls, plan.per_second).await?);
        plan.tell(format_args!("letting them settle for {} s", SETTLING.as_secs()));
        sleep(SETTLING).await;
        plan.tell(format_args!("measuring {} s", plan.seconds));
        gathered.windows.push(measure(rig, plan).await?);
        plan.tell("hanging up");
        hang_up(rig).await?;
    }
    if let Some(why) = rig.site.why_calls_were_lost(&gathered).await {
        return Ok(Step::of(&gathered).with_death(why));
    }
    let calls = SET_UPS.min(plan.calls);
    plan.tell(format_args!("setting up {} to see what one costs", counted(calls, "call")));
    gathered.set_ups = touching::set_up_and_hang_up(rig, calls, plan.per_second, idle).await?;
    Ok(Step::of(&gathered))
}

/// Who was refused.
pub(super) async fn dial(rig: &mut Rig, calls: usize, per_second: f64) -> Result<Vec<Lost>, Failure> {
    rig.callers.tell(&Order::Dial { calls, per_second })?;
    Ok(until_dialled(rig, calls, per_second).await?.1)
}

/// How many were answered, and who was refused.
pub(super) async fn until_dialled(
    rig: &mut Rig,
    calls: usize,
    per_second: f64,
) -> Result<(usize, Vec<Lost>), Failure> {
    let patience = DIAL_PATIENCE + Duration::from_secs_f64(calls as f64 / per_second);
    match rig.callers.hear(patience).await? {
        News::Dialled { answered, refused } => Ok((answered, refused)),
        other @ (News::Ready | News::Measured(_) | News::Gone) => Err(unexpected(&other)),
    }
}

async fn measure(rig: &mut Rig, plan: Plan) -> Result<Window, Failure> {
    let begin = rig.look().await?;
    rig.callers.tell(&Order::Begin)?;
    let began = clock::now();
    sleep(Duration::from_secs(plan.seconds)).await;
    rig.callers.tell(&Order::End)?;
    let end = rig.look().await?;
    let stretch = clock::now() - began;
    Ok(Window { report: report(rig).await?, stretch, begin, end })
}

pub(super) async fn report(rig: &mut Rig) -> Result<Report, Failure> {
    match rig.callers.hear(REPORT_PATIENCE).await? {
        News::Measured(report) => Ok(*report),
        other @ (News::Ready | News::Dialled { .. } | News::Gone) => Err(unexpected(&other)),
    }
}

pub(super) async fn hang_up(rig: &mut Rig) -> Result<(), Failure> {
    rig.callers.tell(&Order::HangUp)?;
    match rig.callers.hear(REPORT_PATIENCE).await? {
        News::Gone => Ok(()),
        other @ (News::Ready | News::Dialled { .. } | News::Measured(_)) => Err(unexpected(&other)),
    }
}

fn unexpected(news: &News) -> Failure {
    Failure::new(format!("the callers said {news:?}, which was not expected"))
}
