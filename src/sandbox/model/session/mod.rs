//! One connection after its upgrade, pure: frames and time in, frames and a close out.
//!
//! `AwaitingSetup` → `Opening` (the shell looks up the handle and picks a marker) → `Settling` (the delay before
//! `setupComplete`) → `Talking` → `Closed`. Everything that is to happen later is an alarm; the nearest of them and
//! the conversation's own is the one timer.

mod troubles;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::admission::{Identity, Welcome};
use super::conversation::{Conversation, Effect, Opening};
use super::faults::{Fault, Faults};
use super::garbage;
use super::handles::{Memory, Resumption};
use super::marker::{self, Marker};
use super::message::Message;
use super::refusal::{INTERNAL, Refusal};
use super::report::{CloseReport, SessionReport};
use super::settings::{ModelSettings, bounded_ms};
use super::setup::Setup;
use super::timing::{Happened, Journal, SessionTiming};
use super::wire;
use crate::domain::Entropy;

pub(super) struct Session {
    settings: Arc<ModelSettings>,
    faults: Faults,
    entropy: Entropy,
    welcome: Welcome,
    phase: Phase,
    setup: Option<Setup>,
    conversation: Option<Box<Conversation>>,
    /// A resumption that is answered and then closed with this.
    doomed: Option<Refusal>,
    alarms: Vec<(Instant, Alarm)>,
    outputs: VecDeque<Output>,
    report: SessionReport,
    journal: Journal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    AwaitingSetup,
    Opening,
    Settling,
    Talking,
    Closed,
}

#[derive(Debug, Clone)]
enum Alarm {
    Ready,
    GoAway { time_left_ms: Option<u64> },
    End(Ending),
}

#[derive(Debug, Clone)]
enum Ending {
    Close(Refusal),
    Cut,
}

pub(super) enum Input<'a> {
    /// The websocket is open.
    Connected,
    Frame(&'a [u8]),
    /// The answer to [`Output::Open`].
    Opened {
        marker: Marker,
        resumption: Option<Resumption>,
    },
    Inject(Fault),
    Timer,
    /// The client closed, or the connection broke.
    Gone {
        code: Option<u16>,
        reason: String,
    },
}

#[derive(Debug)]
pub(super) enum Output {
    Send(Frame),
    /// Look the handle up, pick a marker.
    Open {
        wanted: Option<Marker>,
        handle: Option<String>,
        model: &'static str,
    },
    Keep {
        name: String,
        memory: Memory,
    },
    Close(Refusal),
    /// End the TCP connection without a close frame.
    Cut,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    Binary(Vec<u8>),
    Text(String),
}

/// A doomed session lives so long after its `setupComplete`.
const DOOMED_LIFE: Duration = Duration::from_millis(20);
const MAX_ALARMS: usize = 64;
const MAX_ORDERING_ERRORS: usize = 64;

impl Session {
    pub(super) fn new(
        settings: Arc<ModelSettings>,
        identity: Identity,
        welcome: Welcome,
        faults: Faults,
    ) -> Self {
        let entropy =
            Entropy::from_number(settings.seed ^ identity.connection.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let report = SessionReport {
            id: identity.session,
            connection: identity.connection,
            key_hint: identity.key_hint,
            key_fingerprint: identity.key_fingerprint,
            project: identity.project,
            open: true,
            ..SessionReport::default()
        };
        Self {
            settings,
            faults,
            entropy,
            welcome,
            phase: Phase::AwaitingSetup,
            setup: None,
            conversation: None,
            doomed: None,
            alarms: Vec::new(),
            outputs: VecDeque::new(),
            report,
            journal: Journal::default(),
        }
    }

    pub(super) fn handle(&mut self, input: Input<'_>, now: Instant) {
        if self.phase == Phase::Closed {
            return;
        }
        let handled = match input {
            Input::Connected if self.welcome == Welcome::Leaked => Err(Refusal::leaked_key()),
            Input::Connected => Ok(()),
            Input::Frame(frame) => self.on_frame(frame, now),
            Input::Opened { marker, resumption } => self.on_opened(marker, resumption, now),
            Input::Inject(fault) => {
                self.inject(fault, now);
                Ok(())
            }
            Input::Timer => Ok(()),
            Input::Gone { code, reason } => {
                self.end(CloseReport { by_server: false, code, reason });
                Ok(())
            }
        };
        match handled {
            Ok(()) => self.advance(now),
            Err(refusal) => self.close(refusal),
        }
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase != Phase::Closed
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let alarm = self.alarms.iter().map(|(at, _)| *at).min();
        let talking = self.conversation.as_ref().filter(|_| self.phase == Phase::Talking);
        let turn = talking.and_then(|conversation| conversation.next_timeout());
        alarm.into_iter().chain(turn).min()
    }

    /// Without the caller's audio, which is large.
    pub(super) fn report(&self) -> SessionReport {
        let mut report = self.report.clone();
        if let Some(conversation) = &self.conversation {
            conversation.describe(&mut report);
        }
        report.timing = self.timing();
        report
    }

    pub(super) fn timing(&self) -> SessionTiming {
        let mut timing = SessionTiming {
            session: self.report.id.clone(),
            marker: self.report.marker,
            ..SessionTiming::default()
        };
        self.journal.add_to(&mut timing);
        if let Some(conversation) = &self.conversation {
            conversation.add_timing(&mut timing);
        }
        timing
    }

    pub(super) fn audio(&self) -> &[i16] {
        self.conversation.as_ref().map(|conversation| conversation.recording()).unwrap_or_default()
    }

    pub(super) fn take_audio(&mut self) -> Vec<i16> {
        self.conversation.as_mut().map(|conversation| conversation.take_recording()).unwrap_or_default()
    }

    fn on_frame(&mut self, frame: &[u8], now: Instant) -> Result<(), Refusal> {
        self.report.messages_in += 1;
        let message = Message::read(frame)?;
        match (self.phase, message) {
            (Phase::AwaitingSetup, Message::Setup(setup)) => {
                self.journal.note(Happened::SetupAsked, now);
                self.on_setup(setup)
            }
            (Phase::AwaitingSetup, _) | (_, Message::Setup(_)) => Err(Refusal::invalid_argument()),
            (Phase::Talking, message) => match &mut self.conversation {
                Some(conversation) => conversation.handle(message, now),
                None => Ok(()),
            },
            (Phase::Opening | Phase::Settling | Phase::Closed, _) => {
                self.note("message before setupComplete");
                Ok(())
            }
        }
    }

    fn on_setup(&mut self, value: Value) -> Result<(), Refusal> {
        self.report.setup = value;
        if self.welcome == Welcome::RefusedAfterSetup {
            return Err(Refusal::bad_key());
        }
        if let Some((code, reason)) = self.faults.setup_close() {
            return Err(Refusal::new(code, reason));
        }
        let setup = Setup::read(&self.report.setup)?;
        if let Some(code) = self.faults.resume_refused().filter(|_| setup.handle.is_some()) {
            return Err(Refusal::usual(code));
        }
        self.phase = Phase::Opening;
        self.outputs.push_back(Output::Open {
            wanted: marker::wanted_in(&setup.instruction),
            handle: setup.handle.clone(),
            model: setup.model.name,
        });
        self.setup = Some(setup);
        Ok(())
    }

    fn on_opened(
        &mut self,
        marker: Marker,
        resumption: Option<Resumption>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let Some(setup) = self.setup.clone().filter(|_| self.phase == Phase::Opening) else { return Ok(()) };
        self.report.resumed = resumption.is_some();
        let history = match resumption {
            Some(Resumption::Refused(refusal)) => return Err(refusal),
            Some(Resumption::Restored(memory)) => {
                self.doomed = self.faults.resume_then_close().map(Refusal::usual);
                memory.history.to_vec()
            }
            Some(Resumption::Poisoned) => {
                self.doomed = Some(Refusal::usual(INTERNAL));
                Vec::new()
            }
            None => Vec::new(),
        };
        self.report.marker = Some(marker.index());
        self.report.marker_hz = marker.tones_hz().to_vec();
        self.phase = Phase::Settling;
        if setup.is_answered && !self.faults.has(&Fault::SetupSilent) {
            let delay = self.setup_delay();
            self.alarm(now + delay, Alarm::Ready);
        }
        self.conversation = Some(Box::new(Conversation::new(Opening {
            settings: Arc::clone(&self.settings),
            setup,
            project: self.report.project.clone(),
            marker,
            faults: self.faults.clone(),
            entropy: self.entropy.fork(),
            history,
        })));
        Ok(())
    }

    fn setup_delay(&mut self) -> Duration {
        let [shortest, longest] = self.settings.timing.setup_delay_ms;
        let usual =
            shortest.saturating_add(self.entropy.below(longest.saturating_sub(shortest).saturating_add(1)));
        self.faults.setup_delay().unwrap_or(bounded_ms(usual))
    }

    fn advance(&mut self, now: Instant) {
        self.ring(now);
        if self.phase == Phase::Talking
            && let Some(mut conversation) = self.conversation.take()
        {
            conversation.advance(now);
            while let Some(effect) = conversation.poll_effect() {
                self.apply(effect);
            }
            self.conversation = Some(conversation);
        }
    }

    fn apply(&mut self, effect: Effect) {
        // What a fault has closed says nothing more.
        if self.phase == Phase::Closed {
            return;
        }
        match effect {
            Effect::Say(message) => self.send(message),
            Effect::Keep { name, memory } => self.outputs.push_back(Output::Keep { name, memory }),
            Effect::Refuse(refusal) => self.close(refusal),
            Effect::HalfSpoken(turn) => self.strike(turn),
        }
    }

    fn ring(&mut self, now: Instant) {
        while let Some(at) = self.alarms.iter().map(|(at, _)| *at).min().filter(|at| *at <= now) {
            let Some(index) = self.alarms.iter().position(|(when, _)| *when == at) else { return };
            match self.alarms.remove(index).1 {
                Alarm::Ready => self.ready(now),
                Alarm::GoAway { time_left_ms } => self.send(wire::go_away(time_left_ms)),
                Alarm::End(ending) => self.finish(ending),
            }
        }
    }

    fn ready(&mut self, now: Instant) {
        self.phase = Phase::Talking;
        self.report.ready = true;
        self.journal.note(Happened::SetupAnswered, now);
        self.send(wire::setup_complete(&self.report.id));
        if let Some(refusal) = self.doomed.take() {
            self.alarm(now + DOOMED_LIFE, Alarm::End(Ending::Close(refusal)));
        }
        self.plan_old_age(now);
        for fault in self.faults.0.clone() {
            self.schedule(&fault, now);
        }
    }

    fn alarm(&mut self, at: Instant, alarm: Alarm) {
        if self.alarms.len() < MAX_ALARMS {
            self.alarms.push((at, alarm));
        }
    }

    fn send(&mut self, message: Value) {
        self.report.messages_out += 1;
        let message = if self.faults.has(&Fault::UnknownMembers) {
            garbage::with_unknown_members(message)
        } else {
            message
        };
        let text = message.to_string();
        let frame = if self.faults.has(&Fault::TextFrames) {
            Frame::Text(text)
        } else {
            Frame::Binary(text.into_bytes())
        };
        self.outputs.push_back(Output::Send(frame));
    }

    fn finish(&mut self, ending: Ending) {
        match ending {
            Ending::Close(refusal) => self.close(refusal),
            Ending::Cut => {
                self.outputs.push_back(Output::Cut);
                self.end(CloseReport { by_server: true, code: None, reason: "cut".into() });
            }
        }
    }

    fn close(&mut self, refusal: Refusal) {
        let reason = refusal.reason.clone();
        self.end(CloseReport { by_server: true, code: Some(refusal.code), reason });
        self.outputs.push_back(Output::Close(refusal));
    }

    fn end(&mut self, close: CloseReport) {
        self.phase = Phase::Closed;
        self.alarms.clear();
        self.report.open = false;
        self.report.close = Some(close);
    }

    fn note(&mut self, error: &str) {
        if self.report.ordering_errors.len() < MAX_ORDERING_ERRORS {
            self.report.ordering_errors.push(error.to_owned());
        }
    }
}
