//! Figures as atomics with a fixed table of names: counting costs one instruction and can be done anywhere.

use std::array;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::domain::Outcome;

macro_rules! table {
    ($(#[$doc:meta])* $kind:ident { $($name:ident = $text:literal, $help:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $kind {
            $(#[doc = $help] $name,)*
        }

        impl $kind {
            const TABLE: &'static [(&'static str, &'static str)] = &[$(($text, $help),)*];
        }
    };
}

table! {
    /// Only ever grows.
    Counter {
        CallsInbound = "clearline_calls_inbound_total", "Calls that came in and were accepted.";
        CallsOutbound = "clearline_calls_outbound_total", "Calls that were placed.";
        InboundWithoutOwner = "clearline_inbound_without_owner_total", "Calls to numbers nobody owns, answered 404.";
        SessionRebuilds = "clearline_session_rebuilds_total", "Call sessions rebuilt after a failure.";
        SipMalformed = "clearline_sip_malformed_total", "SIP messages that could not be read.";
        SipRefusedSources = "clearline_sip_refused_sources_total", "SIP requests of sources that may not call in, refused or ignored.";
        RtpForeign = "clearline_rtp_foreign_packets_total", "Packets on a call's port from a host not the call's.";
        RtpHeard = "clearline_rtp_heard_packets_total", "Packets that sessions heard of their callers, each once.";
        RtpDropped = "clearline_rtp_dropped_packets_total", "Packets that no call was given, for whatever reason.";
        RtpLate = "clearline_rtp_late_packets_total", "Packets to a port whose call was over.";
        RtpUnknown = "clearline_rtp_unknown_packets_total", "Packets that belong to no call or are no RTP.";
        MediaStepsLate = "clearline_media_steps_late_total", "Steps of the media clock that began a whole step late or more.";
        KeyDefaultUsed = "clearline_key_default_used_total", "Calls that borrowed the default key.";
        KeyRefusedByModel = "clearline_key_refused_by_model_total", "Keys the model refused.";
        KeyLeasesUnwritten = "clearline_key_leases_unwritten_total", "Model sessions begun without the store's knowledge, because it did not answer.";
        KeyLeasesLost = "clearline_key_leases_lost_total", "Model sessions of running calls that other engines took for free.";
        KeyLeasesFreed = "clearline_key_leases_freed_total", "Model sessions of dead engines that were freed.";
        ModelConnections = "clearline_model_connections_total", "Connections opened to the voice model.";
        ModelReconnections = "clearline_model_reconnections_total", "Model connections replaced because they were lost or too old.";
        ModelGarbage = "clearline_model_garbage_total", "Messages of the voice model that could not be read.";
        ModelControlDropped = "clearline_model_control_dropped_total", "Messages a stalled model never read.";
        PlayoutOverflows = "clearline_playout_overflows_total", "Pieces of the model's voice dropped at the playout's bound.";
        UplinkFramesDropped = "clearline_uplink_dropped_frames_total", "Frames of callers that a stalled model connection could not take.";
        MediaStepsDropped = "clearline_media_steps_dropped_total", "Frames a busy or rebuilt session could not take.";
        JitterBufferLooks = "clearline_jitter_buffer_looks_total", "Looks at a call's jitter buffer, one a second each.";
        JitterBufferTargetMs = "clearline_jitter_buffer_target_ms_total", "Depth aimed at, summed over those looks.";
        JitterBufferDepthMs = "clearline_jitter_buffer_depth_ms_total", "How long packets waited, summed over those looks.";
        FramesSkipped = "clearline_media_frames_skipped_total", "Frames not sent because the media thread was too late.";
        SipSendFailures = "clearline_sip_send_failures_total", "SIP messages the socket would not take.";
        SipEventsDropped = "clearline_sip_events_dropped_total", "Events of calls whose session was gone too long.";
        CallsRefused = "clearline_calls_refused_total", "Calls refused before they began.";
        PanicsCaught = "clearline_panics_caught_total", "Panics that cost one entry of a service.";
        RecordingBlocksDropped = "clearline_recording_blocks_dropped_total", "Seconds of recordings the disk was too slow for.";
        RecordingBlocksUnwritten = "clearline_recording_blocks_unwritten_total", "Seconds of recordings the disk would not take.";
        RecordingBlocksDamaged = "clearline_recording_blocks_damaged_total", "Pieces of spool files that could not be read; they are silence now.";
        RecordingFramesLate = "clearline_recording_frames_late_total", "Frames that came after their second had been given away.";
        RecordingEncodingFailures = "clearline_recording_encoding_failures_total", "Recordings that could not be encoded at the first try.";
        Recordings = "clearline_recordings_total", "Recordings finished.";
        RecordingsDeleted = "clearline_recordings_deleted_total", "Recordings deleted because of their age, or to make room.";
        LogIns = "clearline_log_ins_total", "Log-ins with the right password.";
        LogInsWrong = "clearline_log_ins_wrong_total", "Log-ins with a wrong name or password.";
        LogInsSlowed = "clearline_log_ins_slowed_total", "Log-ins refused unseen because their address has guessed too often.";
        LogInsOverloaded = "clearline_log_ins_overloaded_total", "Passwords that were not looked at because too many waited.";
        JournalRecords = "clearline_journal_records_total", "Records of calls kept in the journal because the store did not answer.";
        JournalFailures = "clearline_journal_failures_total", "Records of calls the journal could not keep.";
        HttpRequests = "clearline_http_requests_total", "Requests over HTTP.";
        HttpFailures = "clearline_http_failures_total", "Requests over HTTP that were answered with 5xx.";
        CrmRequests = "clearline_crm_requests_total", "Steps of uploads that were sent to the CRM.";
        CrmFailures = "clearline_crm_failures_total", "Uploads that wait because of a new failure of the CRM.";
        UploadsParked = "clearline_uploads_parked_total", "Steps of uploads that were refused, or cannot be sent, and wait for a person.";
        Notifications = "clearline_notifications_total", "Notifications that were posted to subscribers.";
        NotificationFailures = "clearline_notification_failures_total", "Notifications that wait because of a new failure of their subscriber.";
        NotificationsParked = "clearline_notifications_parked_total", "Notifications that were refused, cannot be sent or were given up, and wait for a person.";
        RecordsRefused = "clearline_records_refused_total", "Records of calls that the store will never take as they are.";
        StoreFailures = "clearline_store_failures_total", "Requests the store could not serve.";
    }
}

table! {
    /// Goes up and down.
    Gauge {
        CallsActive = "clearline_calls_active", "Calls up right now.";
        MediaPortsInUse = "clearline_media_ports_in_use", "Local RTP ports held by calls.";
        KeyLeases = "clearline_key_leases", "Model sessions booked on Google projects.";
        SipDialogs = "clearline_sip_dialogs", "SIP dialogs held.";
        SipTransactions = "clearline_sip_transactions", "SIP transactions held.";
        UploadsHeld = "clearline_uploads_held", "Calls on their way to the CRM, up to the queue's bound.";
        UploadsParkedNow = "clearline_uploads_parked", "Calls whose upload waits for a person, of all engines.";
        UploadsOldestDue = "clearline_uploads_oldest_due_seconds", "How long the oldest call that is due has waited for the CRM; 0: none is.";
        CrmDown = "clearline_crm_down", "1 while the CRM does not take what it is sent.";
        NotificationsHeld = "clearline_notifications_held", "Calls with notifications on their way, over all subscribers and up to their queues' bounds.";
        NotificationsParkedNow = "clearline_notifications_parked", "Notifications that wait for a person, of all engines.";
        NotificationsOldestDue = "clearline_notifications_oldest_due_seconds", "How long ago the oldest event happened that a subscriber has not taken; 0: all are.";
        SubscribersDown = "clearline_subscribers_down", "Subscribers that do not take what they are sent.";
        RecordingsDiskFree = "clearline_recordings_disk_free_bytes", "What the disk of recording.dir has room for.";
        GatewaysRegistered = "clearline_gateways_registered", "Gateways that accepted our registration.";
    }
}

const ENDED: (&str, &str) = ("clearline_calls_ended_total", "Calls by the outcome they ended with.");
const OUTCOMES: [Outcome; 17] = [
    Outcome::Completed,
    Outcome::Transferred,
    Outcome::Machine,
    Outcome::NoAnswer,
    Outcome::Busy,
    Outcome::Rejected,
    Outcome::Canceled,
    Outcome::InvalidNumber,
    Outcome::Unreachable,
    Outcome::TrunkAuth,
    Outcome::TrunkFailed,
    Outcome::MediaFailed,
    Outcome::ModelFailed,
    Outcome::RefusedNoKey,
    Outcome::RefusedCapacity,
    Outcome::RefusedPolicy,
    Outcome::EngineLost,
];

/// One engine's figures; shared by reference.
pub struct Metrics {
    counters: [AtomicU64; Counter::TABLE.len()],
    gauges: [AtomicI64; Gauge::TABLE.len()],
    ended: [AtomicU64; OUTCOMES.len()],
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            counters: array::from_fn(|_| AtomicU64::new(0)),
            gauges: array::from_fn(|_| AtomicI64::new(0)),
            ended: array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Metrics {
    pub fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    pub fn add(&self, counter: Counter, amount: u64) {
        self.counters[counter as usize].fetch_add(amount, Ordering::Relaxed);
    }

    pub fn count_ended(&self, outcome: Outcome) {
        self.ended[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn set(&self, gauge: Gauge, value: i64) {
        self.gauges[gauge as usize].store(value, Ordering::Relaxed);
    }

    /// Takes over the total of somebody who counts by itself.
    pub fn set_total(&self, counter: Counter, total: u64) {
        self.counters[counter as usize].store(total, Ordering::Relaxed);
    }

    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters[counter as usize].load(Ordering::Relaxed)
    }

    pub fn gauge(&self, gauge: Gauge) -> i64 {
        self.gauges[gauge as usize].load(Ordering::Relaxed)
    }

    /// Prometheus text exposition, version 0.0.4.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for ((name, help), value) in Counter::TABLE.iter().zip(&self.counters) {
            header(&mut text, name, help, "counter");
            line(&mut text, name, value.load(Ordering::Relaxed));
        }
        for ((name, help), value) in Gauge::TABLE.iter().zip(&self.gauges) {
            header(&mut text, name, help, "gauge");
            line(&mut text, name, value.load(Ordering::Relaxed));
        }
        header(&mut text, ENDED.0, ENDED.1, "counter");
        for (outcome, value) in OUTCOMES.iter().zip(&self.ended) {
            let name = format!("{}{{outcome=\"{outcome}\"}}", ENDED.0);
            line(&mut text, &name, value.load(Ordering::Relaxed));
        }
        text
    }
}

fn header(text: &mut String, name: &str, help: &str, kind: &str) {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("a String takes every text");
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    writeln!(text, "{name} {value}").expect("a String takes every text");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_rendered_for_prometheus() {
        let metrics = Metrics::default();
        metrics.count(Counter::CallsInbound);
        metrics.add(Counter::CallsInbound, 2);
        metrics.set_total(Counter::RtpForeign, 7);
        metrics.set(Gauge::CallsActive, 3);
        metrics.set(Gauge::CallsActive, 2);
        metrics.count_ended(Outcome::EngineLost);
        let text = metrics.render();
        assert!(text.contains("# TYPE clearline_rtp_foreign_packets_total counter\n"));
        assert!(text.contains("\nclearline_calls_inbound_total 3\n"));
        assert!(text.contains("\nclearline_rtp_foreign_packets_total 7\n"));
        assert!(text.contains("\nclearline_calls_active 2\n"));
        assert!(text.contains("\nclearline_calls_ended_total{outcome=\"engine_lost\"} 1\n"));
    }

    #[test]
    fn every_outcome_is_counted_under_its_own_name() {
        for (index, outcome) in OUTCOMES.iter().enumerate() {
            assert_eq!(index, *outcome as usize, "{outcome}");
        }
    }
}
