//! What a set-up costs the engine, alone on an engine that is at rest. A second in which many calls are up costs as much
//! as their set-ups did, and no subtraction is exact enough; so nothing is up for longer than it must be. A burst of
//! calls that are hung up when they are answered costs set-up and hanging up; another, of calls that are all hung up at
//! once, costs hanging up; what is between them is the set-up alone.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::sandbox::callers::Order;

use super::super::common::{Failure, tell};
use super::costs::{Idle, callers_are_late, models_are_late, sessions_alive, share};
use super::document::counted;
use super::rig::Rig;
use super::set_ups::{Burst, HangUps, Round};
use super::step::{dial, hang_up, report, until_dialled};
use super::usage::Usage;

/// How many calls a burst has.
pub(super) const BURST: usize = 50;
/// Records are written and sockets closed a moment after the last call.
const SETTLED: Duration = Duration::from_secs(2);
/// What the engine does when nobody calls is watched for as long as a burst takes, or nearly.
const CONTROL: Duration = Duration::from_secs(4);
/// Until greetings are over: what calls cost that are up is watched then.
const GREETED: Duration = Duration::from_secs(4);
const UP: Duration = Duration::from_secs(1);
/// Of a core, above what it used before the first call.
const REST_MARGIN: f64 = 0.005;
/// After that it counts as resting all the same: what it then uses is subtracted.
const REST_LOOKS_MAX: usize = 15;

/// What was measured, and by whom.
pub(super) struct Measured {
    pub(super) rounds: Vec<Round>,
    pub(super) harness_was_late: bool,
}

/// So many set-ups, and those that are left over in a burst more. `None`: nobody can see the engine.
pub(super) async fn measure(
    rig: &mut Rig,
    calls: usize,
    per_second: f64,
) -> Result<Option<Measured>, Failure> {
    let Some(idle) = rig.site.watch_idle().await? else { return Ok(None) };
    let rounds = calls.div_ceil(BURST);
    let begin = rig.look().await?;
    rig.callers.tell(&Order::Begin)?;
    let mut measured = Vec::new();
    for round in 1..=rounds {
        tell(format_args!("round {round} of {rounds}: {}", counted(BURST, "call")));
        let Some(whole) = set_up_and_hang_up(rig, BURST, per_second, Some(idle)).await? else {
            return Ok(None);
        };
        let Some(hang_ups) = hang_up_together(rig, per_second, idle).await? else { return Ok(None) };
        measured.push(Round { whole, hang_ups });
    }
    rig.callers.tell(&Order::End)?;
    let lateness = report(rig).await?.lateness;
    let end = rig.look().await?;
    let harness_was_late = callers_are_late(&lateness) || models_are_late(sessions_alive(&begin, &end));
    Ok(Some(Measured { rounds: measured, harness_was_late }))
}

/// Each is hung up when it is answered.
pub(super) async fn set_up_and_hang_up(
    rig: &mut Rig,
    calls: usize,
    per_second: f64,
    idle: Option<Idle>,
) -> Result<Option<Burst>, Failure> {
    let Some((rest_share, first)) = come_to_rest(rig, idle).await? else { return Ok(None) };
    let began = clock::now();
    rig.callers.tell(&Order::Touch { calls, per_second })?;
    let (answered, refused) = until_dialled(rig, calls, per_second).await?;
    sleep(SETTLED).await;
    let took = clock::now() - began;
    let cpu = rig.site.engine.usage()?.map(|last| last.cpu.saturating_sub(first.cpu));
    Ok(cpu.map(|cpu| Burst { answered, refused: refused.len(), cpu, took, rest_share }))
}

async fn hang_up_together(rig: &mut Rig, per_second: f64, idle: Idle) -> Result<Option<HangUps>, Failure> {
    let Some((rest_share, _)) = come_to_rest(rig, Some(idle)).await? else { return Ok(None) };
    let refused = dial(rig, BURST, per_second).await?.len();
    sleep(GREETED).await;
    let Some(up) = rig.site.engine.usage()? else { return Ok(None) };
    sleep(UP).await;
    let Some(first) = rig.site.engine.usage()? else { return Ok(None) };
    let began = clock::now();
    hang_up(rig).await?;
    let until_gone = clock::now() - began;
    sleep(SETTLED).await;
    let took = clock::now() - began;
    let cpu = rig.site.engine.usage()?.map(|last| last.cpu.saturating_sub(first.cpu));
    Ok(cpu.map(|cpu| HangUps {
        burst: Burst { answered: BURST - refused, refused, cpu, took, rest_share },
        up_share: share(up, first, UP),
        until_gone,
    }))
}

/// Waits until the calls before are wound up; gives what the engine uses of a core from then on, and the look that a
/// burst begins with. `None`: nobody can see.
async fn come_to_rest(rig: &Rig, idle: Option<Idle>) -> Result<Option<(f64, Usage)>, Failure> {
    let limit = idle.map_or(0.0, |idle| idle.cpu_share) + REST_MARGIN;
    for _ in 0..REST_LOOKS_MAX {
        if rig.site.watch_idle().await?.is_none_or(|now| now.cpu_share <= limit) {
            break;
        }
    }
    let Some(first) = rig.site.engine.usage()? else { return Ok(None) };
    let began = clock::now();
    sleep(CONTROL).await;
    let last = rig.site.engine.usage()?;
    Ok(last.map(|last| (share(first, last, clock::now() - began), last)))
}
