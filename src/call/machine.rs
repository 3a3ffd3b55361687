//! The machine of one call: routes each input to the part that owns the matter and gathers what must be done.

use std::collections::VecDeque;
use std::time::Instant;

use crate::domain::{Direction, Outcome};
use crate::media::sdp::Negotiation;
use crate::voice::Start;

use super::checkpoint::Memory;
use super::io::{Input, MediaCommand, Note, Output, Setup, ToolCall, ToolDone, VoiceCommand};
use super::lifecycle::{Lifecycle, Phase};
use super::signal::Refusal;
use super::talk::{Greeting, Talk};
use super::watch::Watch;
use super::{Checkpoint, Finish, Signal, SignalCommand};

pub struct CallMachine {
    pub(super) setup: Setup,
    pub(super) negotiation: Negotiation,
    pub(super) lifecycle: Lifecycle,
    pub(super) talk: Talk,
    pub(super) watch: Option<Watch>,
    pub(super) memory: Memory,
    /// A far end that wanted our offer has not answered it yet.
    pub(super) offer_open: bool,
    /// Our answer to an inbound offer, until we pick up.
    pub(super) waiting_answer: Option<Vec<u8>>,
    pub(super) durable_change: bool,
    /// Carried out elsewhere. A session that is rebuilt is asked by the model again.
    pub(super) running_tools: Vec<ToolCall>,
    /// Answered by a predecessor that died: the same call now is the same wish again, until a turn has gone by.
    pub(super) answered_before: Vec<ToolDone>,
    /// The person has heard the model, in the life of this machine.
    pub(super) was_heard: bool,
    outputs: VecDeque<Output>,
    /// Said when all else has been asked for and carried out.
    last_word: Option<Finish>,
}

impl CallMachine {
    pub fn new(setup: Setup, negotiation: Negotiation) -> Self {
        let phase = match setup.direction {
            Direction::Inbound => Phase::Ringing,
            Direction::Outbound => Phase::Dialing,
        };
        Self {
            setup,
            negotiation,
            lifecycle: Lifecycle::new(phase),
            talk: Talk::new(),
            watch: None,
            memory: Memory::default(),
            offer_open: false,
            waiting_answer: None,
            durable_change: false,
            running_tools: Vec::new(),
            answered_before: Vec::new(),
            was_heard: false,
            outputs: VecDeque::new(),
            last_word: None,
        }
    }

    /// A new machine for a call whose session died: same dialog, same route, no second greeting.
    pub fn rebuild(checkpoint: Checkpoint, now: Instant) -> Self {
        let Checkpoint { setup, lifecycle, talk, negotiation, connected_at, held, mut memory, .. } =
            checkpoint;
        let greeted = talk.greeting != Greeting::NotAsked;
        let start = memory.take_start(greeted);
        let owes_speech = talk.owes_speech();
        let watch = connected_at.map(|since| Watch::resumed(setup.limits, since, held, now));
        let mut machine = Self {
            watch,
            lifecycle,
            talk: talk.resumed(),
            answered_before: memory.tools().to_vec(),
            memory,
            offer_open: checkpoint.offer_open,
            waiting_answer: checkpoint.waiting_answer,
            durable_change: true,
            ..Self::new(setup, negotiation)
        };
        machine.continue_after_rebuild(start, owes_speech, now);
        machine.save();
        machine
    }

    pub fn handle(&mut self, input: Input, now: Instant) {
        if self.lifecycle.phase == Phase::Over {
            return self.hear_last_words(input);
        }
        match input {
            Input::Start { offer } => self.start(offer, now),
            Input::Signal(signal) => self.on_signal(signal, now),
            Input::Voice(event) => self.on_voice(event, now),
            Input::PacketHeard => self.with_watch(|watch| watch.packet_heard(now)),
            Input::Playing(playing) => self.on_playing(playing, now),
            Input::HangUp { reason } => {
                let outcome = if self.lifecycle.talked { Outcome::Completed } else { Outcome::Canceled };
                self.hang_up(Finish::new(outcome, reason), now);
            }
            Input::ToolDone { id, result } => self.on_tool_done(&id, result),
            Input::Timeout => {}
        }
        self.check_limits(now);
        self.save();
    }

    pub fn has_output(&self) -> bool {
        !self.outputs.is_empty() || self.last_word.is_some()
    }

    /// The last word comes when there is nothing else: what was being said when the model was closed is told before it.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front().or_else(|| self.last_word.take().map(Output::Finished))
    }

    pub fn next_timeout(&self, now: Instant) -> Option<Instant> {
        if self.lifecycle.phase != Phase::Talking {
            return self.lifecycle.ending_deadline;
        }
        let limits = self.watch.as_ref().map(Watch::next_timeout);
        [limits, self.talk.next_timeout(now)].into_iter().flatten().min()
    }

    /// Whether the caller's audio goes to the model: not before both are connected, and no music from a held line.
    pub fn model_listens(&self) -> bool {
        self.lifecycle.phase == Phase::Talking && self.watch.as_ref().is_some_and(|watch| !watch.held())
    }

    pub fn phase(&self) -> Phase {
        self.lifecycle.phase
    }

    fn start(&mut self, offer: Option<Vec<u8>>, now: Instant) {
        match (self.setup.direction, offer) {
            (Direction::Outbound, _) => {
                let offer = self.negotiation.offer();
                self.emit(Output::Signal(SignalCommand::Place { offer }));
                self.open_fresh();
            }
            (Direction::Inbound, None) => self.ring(),
            (Direction::Inbound, Some(offer)) => match self.negotiation.answer(&offer) {
                Ok((answer, _)) => {
                    self.waiting_answer = Some(answer);
                    self.ring();
                }
                Err(error) => {
                    self.refuse(Refusal::MediaNotAcceptable, Outcome::MediaFailed, error.to_string(), now);
                }
            },
        }
        self.durable_change = true;
    }

    fn ring(&mut self) {
        self.emit(Output::Signal(SignalCommand::Ring));
        self.emit(Output::Note(Note::Ringing));
        self.open_fresh();
    }

    fn open_fresh(&mut self) {
        self.emit(Output::Voice(VoiceCommand::Open {
            start: Start::Fresh,
            history: Vec::new(),
            owes_speech: false,
        }));
    }

    fn on_signal(&mut self, signal: Signal, now: Instant) {
        match signal {
            Signal::Ringing if self.lifecycle.phase == Phase::Dialing => {
                self.emit(Output::Note(Note::Ringing));
            }
            Signal::Ringing => {}
            Signal::EarlyMedia { sdp } => self.learn_from_answer(&sdp),
            Signal::Answered { sdp } => self.on_answered(sdp, now),
            Signal::Confirmed { sdp } => self.on_confirmed(sdp, now),
            Signal::Changed { sdp } => self.on_changed(sdp, now),
            Signal::Digit { digit } => self.on_digit(digit, now),
            Signal::Ended(ending) => self.finish(|lifecycle| lifecycle.dialog_ended(&ending)),
        }
    }

    pub(super) fn refuse(&mut self, refusal: Refusal, outcome: Outcome, reason: String, now: Instant) {
        self.decide(Finish::new(outcome, reason), now);
        self.emit(Output::Signal(SignalCommand::Refuse(refusal)));
        self.emit(Output::Voice(VoiceCommand::Close));
    }

    pub(super) fn hang_up(&mut self, finish: Finish, now: Instant) {
        if !self.lifecycle.is_active() {
            return;
        }
        self.decide(finish, now);
        self.emit(Output::Media(MediaCommand::Hush));
        self.emit(Output::Voice(VoiceCommand::Close));
        self.emit(Output::Signal(SignalCommand::HangUp));
    }

    /// The record comes first: a session that dies over the hang-up is followed by one that knows why, and repeats it.
    fn decide(&mut self, finish: Finish, now: Instant) {
        self.lifecycle.hang_up(finish, now);
        self.durable_change = true;
        self.save();
    }

    fn check_limits(&mut self, now: Instant) {
        if self.lifecycle.phase == Phase::Talking {
            let over = self.talk.take_farewell_heard(now);
            let over = over.or_else(|| self.watch.as_ref().and_then(|watch| watch.expired(now)));
            if let Some(finish) = over {
                self.hang_up(finish, now);
            }
        }
        self.finish(|lifecycle| lifecycle.ending_timed_out(now));
    }

    fn finish(&mut self, end: impl FnOnce(&mut Lifecycle) -> Option<Finish>) {
        if let Some(finish) = end(&mut self.lifecycle) {
            self.note_unfinished_tools();
            self.emit(Output::Voice(VoiceCommand::Close));
            self.last_word = Some(finish);
        }
    }

    fn continue_after_rebuild(&mut self, start: Start, owes_speech: bool, now: Instant) {
        match self.lifecycle.phase {
            Phase::Ending => {
                self.emit(Output::Signal(SignalCommand::HangUp));
                self.lifecycle.hang_up(Finish::new(Outcome::Completed, "we hung up"), now);
            }
            Phase::Over => {}
            Phase::Ringing | Phase::Answering | Phase::Dialing | Phase::Talking => {
                // While it rings nobody hears us: what is agreed counts from the answer on.
                if self.lifecycle.phase != Phase::Ringing {
                    self.expect_agreed_media();
                }
                // A seed brings the history itself; a refused handle needs it for the seed that comes instead.
                let history = match &start {
                    Start::Resume { .. } => self.memory.transcript().to_vec(),
                    Start::Fresh | Start::Seeded { .. } => Vec::new(),
                };
                self.emit(Output::Voice(VoiceCommand::Open { start, history, owes_speech }));
            }
        }
    }

    fn save(&mut self) {
        if std::mem::take(&mut self.durable_change) && self.lifecycle.phase != Phase::Over {
            self.outputs.push_back(Output::Checkpoint(Box::new(self.checkpoint())));
        }
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            setup: self.setup.clone(),
            lifecycle: self.lifecycle.clone(),
            talk: self.talk.clone(),
            negotiation: self.negotiation.clone(),
            connected_at: self.watch.as_ref().map(Watch::connected_at),
            held: self.watch.as_ref().is_some_and(Watch::held),
            memory: self.memory.clone(),
            offer_open: self.offer_open,
            waiting_answer: self.waiting_answer.clone(),
        }
    }

    pub(super) fn with_watch(&mut self, change: impl FnOnce(&mut Watch)) {
        if let Some(watch) = &mut self.watch {
            change(watch);
        }
    }

    /// Where the far end's audio comes from and goes to.
    pub(super) fn expect_agreed_media(&mut self) {
        if let Some(media) = self.negotiation.current().cloned() {
            self.emit(Output::Media(MediaCommand::Expect(media)));
        }
    }

    pub(super) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }
}
