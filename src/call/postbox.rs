//! What signalling has told a call, kept by whoever outlives the call's sessions.
//!
//! A session may die with news in its mailbox, or over the very news it was handling. News that only pass (a key, an
//! offer, which the far end repeats) are then lost, as a datagram may be. News that hold for the rest of the call are
//! told to each new session again; a call takes them once, however often it is told.

use std::collections::VecDeque;

use super::Signal;

/// Passing news kept for a call whose session is being rebuilt.
pub const SIGNALS_WAITING_MAX: usize = 8;

#[derive(Debug, Default)]
pub struct Postbox {
    /// The newest: an answer without SDP refers to it.
    early_media: Option<Signal>,
    /// What connected the call.
    connected: Option<Signal>,
    ended: Option<Signal>,
    waiting: VecDeque<Signal>,
}

/// What becomes of news.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivery {
    /// For the session that lives.
    Now(Signal),
    /// Kept for the next session.
    Later,
    /// Too much waits already.
    Dropped,
}

impl Postbox {
    pub fn post(&mut self, signal: Signal, has_session: bool) -> Delivery {
        let holds = self.note(&signal);
        if has_session {
            return Delivery::Now(signal);
        }
        if holds {
            return Delivery::Later;
        }
        if self.waiting.len() == SIGNALS_WAITING_MAX {
            return Delivery::Dropped;
        }
        self.waiting.push_back(signal);
        Delivery::Later
    }

    /// All that a new session must know, in the order in which it happened; the end comes last.
    pub fn for_new_session(&mut self) -> impl Iterator<Item = Signal> + use<> {
        let before = self.early_media.iter().chain(&self.connected).cloned();
        let after = self.ended.clone();
        let passing = std::mem::take(&mut self.waiting);
        before.collect::<Vec<_>>().into_iter().chain(passing).chain(after)
    }

    /// Passing news that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// True for news that hold.
    fn note(&mut self, signal: &Signal) -> bool {
        match signal {
            Signal::EarlyMedia { .. } => self.early_media = Some(signal.clone()),
            Signal::Answered { .. } | Signal::Confirmed { .. } if self.connected.is_none() => {
                self.connected = Some(signal.clone());
            }
            Signal::Ended(_) => self.ended = Some(signal.clone()),
            Signal::Ringing
            | Signal::Answered { .. }
            | Signal::Confirmed { .. }
            | Signal::Changed { .. }
            | Signal::Digit { .. } => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Ending;

    fn early(sdp: &[u8]) -> Signal {
        Signal::EarlyMedia { sdp: sdp.to_vec() }
    }

    fn told(postbox: &mut Postbox) -> Vec<Signal> {
        postbox.for_new_session().collect()
    }

    #[test]
    fn a_session_that_lives_is_told_at_once() {
        let mut postbox = Postbox::default();
        let digit = Signal::Digit { digit: '5' };
        assert_eq!(postbox.post(digit.clone(), true), Delivery::Now(digit));
        assert!(told(&mut postbox).is_empty());
    }

    #[test]
    fn every_new_session_is_told_what_holds_for_the_rest_of_the_call() {
        let mut postbox = Postbox::default();
        let (answered, ended) = (Signal::Answered { sdp: None }, Signal::Ended(Ending::FarEndHungUp));
        for signal in [early(b"old"), early(b"new"), answered.clone(), ended.clone()] {
            assert_eq!(postbox.post(signal.clone(), true), Delivery::Now(signal));
        }
        for _ in 0..2 {
            assert_eq!(told(&mut postbox), [early(b"new"), answered.clone(), ended.clone()]);
        }
    }

    #[test]
    fn what_only_passes_waits_for_one_session_within_a_bound() {
        let mut postbox = Postbox::default();
        let ended = Signal::Ended(Ending::FarEndHungUp);
        assert_eq!(postbox.post(ended.clone(), false), Delivery::Later);
        for _ in 0..SIGNALS_WAITING_MAX {
            assert_eq!(postbox.post(Signal::Digit { digit: '1' }, false), Delivery::Later);
        }
        assert_eq!(postbox.post(Signal::Digit { digit: '2' }, false), Delivery::Dropped);
        let first = told(&mut postbox);
        assert_eq!((first.len(), first.last()), (SIGNALS_WAITING_MAX + 1, Some(&ended)));
        assert_eq!(told(&mut postbox), [ended]);
    }

    #[test]
    fn a_later_acknowledgement_is_not_taken_for_what_connected_the_call() {
        let mut postbox = Postbox::default();
        postbox.post(Signal::Confirmed { sdp: None }, true);
        let of_a_change = Signal::Confirmed { sdp: Some(b"change".to_vec()) };
        assert_eq!(postbox.post(of_a_change.clone(), false), Delivery::Later);
        assert_eq!(told(&mut postbox), [Signal::Confirmed { sdp: None }, of_a_change]);
    }
}
