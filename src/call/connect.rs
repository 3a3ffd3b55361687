//! Offers, answers and changes: how a call gets its audio, and what hold means.

use std::time::Instant;

use crate::media::sdp::Direction as MediaDirection;

use super::io::{MediaCommand, Note, Output, VoiceCommand};
use super::lifecycle::Phase;
use super::watch::Watch;
use super::{CallMachine, Finish, SignalCommand};
use crate::domain::Outcome;

impl CallMachine {
    /// Early media is a promise, not a contract: what cannot be used is ignored until the answer.
    pub(super) fn learn_from_answer(&mut self, sdp: &[u8]) {
        if self.lifecycle.phase != Phase::Dialing {
            return;
        }
        if let Ok(negotiated) = self.negotiation.accept_answer(sdp) {
            self.durable_change = true;
            self.emit(Output::Media(MediaCommand::Expect(negotiated)));
        }
    }

    pub(super) fn on_answered(&mut self, sdp: Option<Vec<u8>>, now: Instant) {
        if self.lifecycle.phase != Phase::Dialing {
            return;
        }
        let negotiated = match &sdp {
            Some(sdp) => self.negotiation.accept_answer(sdp).map(Some),
            // The answer came with the early media.
            None => Ok(None),
        };
        match negotiated {
            Ok(Some(negotiated)) => self.emit(Output::Media(MediaCommand::Expect(negotiated))),
            Ok(None) if self.negotiation.current().is_some() => {}
            Ok(None) => {
                return self.hang_up(media_failed("the far end answered without describing its audio"), now);
            }
            Err(error) => return self.hang_up(media_failed(error), now),
        }
        self.connected(now);
    }

    pub(super) fn on_confirmed(&mut self, sdp: Option<Vec<u8>>, now: Instant) {
        match self.lifecycle.phase {
            Phase::Answering => {}
            Phase::Ringing => self.learn_that_we_answered(),
            Phase::Talking => return self.on_change_confirmed(sdp, now),
            Phase::Dialing | Phase::Ending | Phase::Over => return,
        }
        if std::mem::take(&mut self.offer_open) {
            let Some(sdp) = sdp else {
                return self.hang_up(media_failed("the far end did not answer our offer"), now);
            };
            match self.negotiation.accept_answer(&sdp) {
                Ok(negotiated) => self.emit(Output::Media(MediaCommand::Expect(negotiated))),
                Err(error) => return self.hang_up(media_failed(error), now),
            }
        }
        self.connected(now);
    }

    /// A predecessor picked up and died before it could write that down.
    fn learn_that_we_answered(&mut self) {
        if self.waiting_answer.take().is_some() {
            self.expect_agreed_media();
        } else {
            // It offered what we would have offered; the answer comes with the confirmation.
            self.negotiation.offer();
            self.offer_open = true;
        }
    }

    /// The answer to an offer the far end asked us for in mid-call; one that cannot be used leaves all as it was.
    fn on_change_confirmed(&mut self, sdp: Option<Vec<u8>>, now: Instant) {
        let answer = sdp.filter(|_| std::mem::take(&mut self.offer_open));
        if let Some(Ok(negotiated)) = answer.map(|sdp| self.negotiation.accept_answer(&sdp)) {
            self.durable_change = true;
            self.emit(Output::Media(MediaCommand::Expect(negotiated)));
            self.apply_hold(now);
        }
    }

    pub(super) fn connected(&mut self, now: Instant) {
        self.lifecycle.connected();
        self.watch = Some(Watch::new(self.setup.limits, now));
        self.talk.greeting_asked();
        self.durable_change = true;
        self.emit(Output::Note(Note::Answered));
        self.emit(Output::Media(MediaCommand::Connected));
        self.emit(Output::Voice(VoiceCommand::Greet));
        self.apply_hold(now);
    }

    pub(super) fn on_changed(&mut self, sdp: Option<Vec<u8>>, now: Instant) {
        if !self.lifecycle.is_active() {
            return self.emit(Output::Signal(SignalCommand::RejectChange));
        }
        let Some(offer) = sdp else {
            let sdp = self.negotiation.offer();
            self.offer_open = true;
            self.durable_change = true;
            return self.emit(Output::Signal(SignalCommand::AcceptChange { sdp }));
        };
        match self.negotiation.answer(&offer) {
            Ok((sdp, negotiated)) => {
                self.offer_open = false;
                self.durable_change = true;
                self.emit(Output::Signal(SignalCommand::AcceptChange { sdp }));
                self.emit(Output::Media(MediaCommand::Expect(negotiated)));
                self.apply_hold(now);
            }
            Err(_) => self.emit(Output::Signal(SignalCommand::RejectChange)),
        }
    }

    pub(super) fn apply_hold(&mut self, now: Instant) {
        let held = self.negotiation.current().is_some_and(|media| !may_send(media.direction));
        let Some(watch) = self.watch.as_mut().filter(|watch| watch.held() != held) else { return };
        watch.set_held(held, now);
        self.durable_change = true;
        self.emit(Output::Note(Note::Held(held)));
        if held {
            self.emit(Output::Media(MediaCommand::Hush));
            self.emit(Output::Voice(VoiceCommand::Pause));
        }
    }
}

fn media_failed(reason: impl ToString) -> Finish {
    Finish::new(Outcome::MediaFailed, reason.to_string())
}

fn may_send(direction: MediaDirection) -> bool {
    matches!(direction, MediaDirection::SendRecv | MediaDirection::SendOnly)
}
