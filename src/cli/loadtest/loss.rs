//! Frames that were lost on either way, by who can tell of them. Pure.

use serde::Serialize;

use super::outcome::{Gathered, Generator, Look, Window};

pub(super) const FRAME_MS: u64 = 20;

/// Frames of 20 ms.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Loss {
    /// Of the frames of the directions that were measured; `None` where one was not and the other lost nothing.
    pub(super) percent: Option<f64>,
    pub(super) frames: u64,
    /// To the callers: gaps in the numbers, frames that the time stamps leave out, and frames that were due while a call
    /// was up and are no gap, because nothing came any more.
    pub(super) downlink_missing: u64,
    pub(super) downlink_skipped: u64,
    pub(super) downlink_absent: u64,
    /// To the model: what callers sent and the engine never heard, or the model never got, whichever is more, beyond a
    /// frame a call that the ends of the measurement may cut. `None` where neither of them can be asked.
    pub(super) uplink_missing: Option<u64>,
    /// What the engine itself counted; `None` where it cannot be asked.
    pub(super) engine_steps_dropped: Option<u64>,
    pub(super) engine_uplink_dropped: Option<u64>,
    pub(super) engine_frames_skipped: Option<u64>,
    pub(super) engine_playout_overflows: Option<u64>,
}

impl Loss {
    pub(super) fn of(gathered: &Gathered) -> Self {
        let uplink_missing = gathered.windows.iter().map(uplink_missing).sum::<Option<u64>>();
        let downlink_missing = gathered.sum(|report| report.packets_missing);
        let downlink_skipped = gathered.sum(|report| report.frames_skipped);
        let downlink_absent = gathered.sum(|report| report.frames_absent);
        let downlink_lost = downlink_missing + downlink_skipped + downlink_absent;
        let uplink = uplink_missing.map_or(0, |_| gathered.sum(|report| report.packets_sent));
        let frames = gathered.sum(|report| report.packets_heard) + downlink_lost + uplink;
        let missing = downlink_lost + uplink_missing.unwrap_or(0);
        let both_ways = uplink_missing.is_some() && gathered.generator == Generator::Callers;
        Self {
            // Found on one way it is found; that there is none only both ways can tell.
            percent: percent(missing, frames).filter(|_| missing > 0 || both_ways),
            frames,
            downlink_missing,
            downlink_skipped,
            downlink_absent,
            uplink_missing,
            engine_steps_dropped: gathered.counted("clearline_media_steps_dropped_total"),
            engine_uplink_dropped: gathered.counted("clearline_uplink_dropped_frames_total"),
            engine_frames_skipped: gathered.counted("clearline_media_frames_skipped_total"),
            engine_playout_overflows: gathered.counted("clearline_playout_overflows_total"),
        }
    }
}

/// The model gets a frame each 20 ms, whether there was a packet for it or not: what never came the engine alone knows.
fn uplink_missing(window: &Window) -> Option<u64> {
    let Window { report, begin, end, .. } = window;
    let arrived = [heard_by_engine(begin, end), heard_by_model(begin, end)].into_iter().flatten().min()?;
    Some(report.packets_sent.saturating_sub(arrived).saturating_sub(report.calls as u64))
}

pub(super) fn heard_by_engine(begin: &Look, end: &Look) -> Option<u64> {
    const HEARD: &str = "clearline_rtp_heard_packets_total";
    end.figures.know(HEARD).then(|| end.figures.since(&begin.figures, HEARD) as u64)
}

fn heard_by_model(begin: &Look, end: &Look) -> Option<u64> {
    end.sessions.as_ref()?;
    let frames = |look: &Look| look.sessions().iter().map(|session| session.heard_ms).sum::<u64>() / FRAME_MS;
    Some(frames(end).saturating_sub(frames(begin)))
}

/// `None` of nothing.
pub(super) fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64 * 100.0)
}
