//! How small and how large a setting may be: for the check at the start, and for what is changed while the engine runs.

use std::ops::RangeInclusive;

use super::Settings;

pub(super) const DAY_S: u64 = 86_400;

struct Bound {
    path: &'static str,
    value: fn(&Settings) -> u64,
    allowed: RangeInclusive<u64>,
}

const fn bound(path: &'static str, value: fn(&Settings) -> u64, allowed: RangeInclusive<u64>) -> Bound {
    Bound { path, value, allowed }
}

static BOUNDS: [Bound; 33] = [
    bound("sip.ring_timeout_s", |settings| settings.sip.ring_timeout_s, 1..=180),
    bound("media.port_min", |settings| settings.media.port_min.into(), 1_024..=65_534),
    bound("media.threads", |settings| settings.media.threads as u64, 0..=64),
    bound("media.no_rtp_timeout_s", |settings| settings.media.no_rtp_timeout_s, 1..=DAY_S),
    bound("voice.connect_timeout_ms", |settings| settings.voice.connect_timeout_ms, 100..=60_000),
    bound("voice.setup_timeout_ms", |settings| settings.voice.setup_timeout_ms, 100..=60_000),
    bound("keys.sessions_per_project", |settings| settings.keys.sessions_per_project.into(), 0..=100_000),
    bound("keys.reserved_for_holder", |settings| settings.keys.reserved_for_holder.into(), 0..=100_000),
    bound("calls.max_calls", |settings| settings.calls.max_calls as u64, 1..=100_000),
    bound("calls.silence_timeout_s", |settings| settings.calls.silence_timeout_s, 1..=DAY_S),
    bound("calls.max_call_s", |settings| settings.calls.max_call_s, 1..=DAY_S),
    bound("calls.stop_limit_s", |settings| settings.calls.stop_limit_s, 0..=DAY_S),
    bound("store.answer_limit_ms", |settings| settings.store.answer_limit_ms, 100..=60_000),
    bound("node.beat_ms", |settings| settings.node.beat_ms, 100..=60_000),
    bound("node.dead_after_ms", |settings| settings.node.dead_after_ms, 400..=3_600_000),
    bound("node.journal_max_mb", |settings| settings.node.journal_max_mb, 1..=10_000),
    bound("crm.parallel", |settings| settings.crm.parallel, 1..=64),
    bound("crm.connect_timeout_ms", |settings| settings.crm.connect_timeout_ms, 100..=60_000),
    bound("crm.answer_timeout_ms", |settings| settings.crm.answer_timeout_ms, 100..=600_000),
    bound("crm.upload_timeout_s", |settings| settings.crm.upload_timeout_s, 1..=DAY_S),
    bound("crm.flush_limit_s", |settings| settings.crm.flush_limit_s, 0..=DAY_S),
    bound("crm.keep_days", |settings| settings.crm.keep_days, 1..=3_650),
    bound("notifications.parallel", |settings| settings.notifications.parallel, 1..=64),
    bound(
        "notifications.answer_timeout_ms",
        |settings| settings.notifications.answer_timeout_ms,
        100..=60_000,
    ),
    bound("notifications.give_up_after_h", |settings| settings.notifications.give_up_after_h, 1..=8_760),
    bound("notifications.keep_days", |settings| settings.notifications.keep_days, 1..=3_650),
    bound(
        "recording.encoder_core_percent",
        |settings| settings.recording.encoder_core_percent.into(),
        1..=100,
    ),
    bound("recording.keep_days", |settings| settings.recording.keep_days, 0..=36_500),
    bound("recording.warn_free_mb", |settings| settings.recording.warn_free_mb, 0..=1_000_000_000),
    bound("recording.min_free_mb", |settings| settings.recording.min_free_mb, 0..=1_000_000_000),
    bound("http.requests_per_s", |settings| settings.http.requests_per_s.into(), 0..=1_000_000),
    bound("sessions.idle_s", |settings| settings.sessions.idle_s, 60..=90 * DAY_S),
    bound("sessions.longest_s", |settings| settings.sessions.longest_s, 60..=90 * DAY_S),
];

/// What a setting may be; `None`: it is no number, or has no bounds.
pub(super) fn allowed(path: &str) -> Option<&'static RangeInclusive<u64>> {
    BOUNDS.iter().find(|bound| bound.path == path).map(|bound| &bound.allowed)
}

/// Every setting that is out of its bounds, and how to mend it.
pub(super) fn outside(settings: &Settings) -> impl Iterator<Item = (&'static str, String)> {
    BOUNDS.iter().filter_map(|Bound { path, value, allowed }| {
        let value = value(settings);
        let problem = || format!("{value} is out of range; use {} to {}", allowed.start(), allowed.end());
        (!allowed.contains(&value)).then(|| (*path, problem()))
    })
}
