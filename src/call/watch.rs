//! The limits that end a call nobody ends: no RTP, silence of both sides, maximum length (SPEC T7).

use std::time::{Duration, Instant};

use crate::domain::Outcome;

use super::Finish;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Without a single packet from the far end for this long the network counts as dead. Not while on hold.
    pub no_rtp: Duration,
    /// Neither side spoke for this long.
    pub silence: Duration,
    pub max_length: Duration,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            no_rtp: Duration::from_secs(30),
            silence: Duration::from_secs(60),
            max_length: Duration::from_secs(3600),
        }
    }
}

/// Runs from the moment both sides are connected.
#[derive(Debug, Clone)]
pub struct Watch {
    limits: CallLimits,
    connected_at: Instant,
    last_packet_at: Instant,
    last_speech_at: Instant,
    held: bool,
    /// A long answer is heard from the playout long after the model's last word came.
    playing: bool,
}

impl Watch {
    pub fn new(limits: CallLimits, now: Instant) -> Self {
        Self {
            limits,
            connected_at: now,
            last_packet_at: now,
            last_speech_at: now,
            held: false,
            playing: false,
        }
    }

    /// A rebuilt session does not know when it last heard something: the short limits start anew, the long one does not.
    pub fn resumed(limits: CallLimits, connected_at: Instant, held: bool, now: Instant) -> Self {
        Self { connected_at, held, ..Self::new(limits, now) }
    }

    pub fn connected_at(&self) -> Instant {
        self.connected_at
    }

    pub fn held(&self) -> bool {
        self.held
    }

    pub fn packet_heard(&mut self, now: Instant) {
        self.last_packet_at = now;
    }

    pub fn speech_heard(&mut self, now: Instant) {
        self.last_speech_at = now;
    }

    pub fn set_playing(&mut self, playing: bool, now: Instant) {
        self.playing = playing;
        self.last_speech_at = now;
    }

    /// While the far end holds us nobody sends RTP and nobody speaks: only the maximum length goes on.
    pub fn set_held(&mut self, held: bool, now: Instant) {
        if self.held && !held {
            self.last_packet_at = now;
            self.last_speech_at = now;
        }
        self.held = held;
    }

    pub fn next_timeout(&self) -> Instant {
        let longest = self.connected_at + self.limits.max_length;
        if self.held {
            return longest;
        }
        let deaf = longest.min(self.last_packet_at + self.limits.no_rtp);
        if self.playing { deaf } else { deaf.min(self.last_speech_at + self.limits.silence) }
    }

    /// Which limit is over, if any.
    pub fn expired(&self, now: Instant) -> Option<Finish> {
        let over = |since: Instant, limit: Duration| now.saturating_duration_since(since) >= limit;
        if over(self.connected_at, self.limits.max_length) {
            return Some(Finish::new(Outcome::Completed, "the call reached its maximum length"));
        }
        if self.held {
            return None;
        }
        if over(self.last_packet_at, self.limits.no_rtp) {
            let seconds = self.limits.no_rtp.as_secs();
            return Some(Finish::new(
                Outcome::MediaFailed,
                format!("no RTP from the far end for {seconds} s"),
            ));
        }
        if !self.playing && over(self.last_speech_at, self.limits.silence) {
            return Some(Finish::new(Outcome::Completed, "both sides were silent"));
        }
        None
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits() -> CallLimits {
        CallLimits { no_rtp: 10 * SECOND, silence: 30 * SECOND, max_length: 100 * SECOND }
    }

    #[test]
    fn a_dead_network_ends_the_call_but_not_while_it_is_held() {
        let start = Instant::now();
        let mut watch = Watch::new(limits(), start);
        assert_eq!(watch.expired(start + 9 * SECOND), None);
        assert_eq!(watch.expired(start + 10 * SECOND).map(|end| end.outcome), Some(Outcome::MediaFailed));
        watch.set_held(true, start);
        assert_eq!(watch.expired(start + 50 * SECOND), None);
        watch.set_held(false, start + 50 * SECOND);
        assert_eq!(watch.expired(start + 59 * SECOND), None);
        assert!(watch.expired(start + 60 * SECOND).is_some());
    }

    #[test]
    fn silence_of_both_sides_ends_the_call() {
        let start = Instant::now();
        let mut watch = Watch::new(limits(), start);
        for second in 1..=29 {
            watch.packet_heard(start + second * SECOND);
        }
        watch.speech_heard(start + 5 * SECOND);
        watch.packet_heard(start + 35 * SECOND);
        assert_eq!(watch.expired(start + 34 * SECOND), None);
        let end = watch.expired(start + 35 * SECOND).map(|end| end.reason);
        assert_eq!(end.as_deref(), Some("both sides were silent"));
    }

    #[test]
    fn even_a_held_call_ends_at_its_maximum_length() {
        let start = Instant::now();
        let mut watch = Watch::new(limits(), start);
        watch.set_held(true, start);
        assert_eq!(watch.next_timeout(), start + 100 * SECOND);
        assert!(watch.expired(start + 100 * SECOND).is_some());
    }
}
