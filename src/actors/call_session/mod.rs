//! One call's actor: the shell of [`CallMachine`] and [`VoiceSession`], with the call's media path between them.
//!
//! It borrows what belongs to the call and outlives it: the SIP dialog (SipEndpoint), the audio route (UdpRouter),
//! lease, recording and checkpoint (CallSupervisor). When it dies, by panic or otherwise, its exit notice reaches
//! the supervisor, which builds a new one from the newest checkpoint. It decides nothing: it handles, applies
//! outputs until there are none, and re-arms its one timer.

mod apply;
mod exit;
mod link;
mod media;
mod outbox;
mod speaker;
mod tools;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;

use crate::call::{CallMachine, Checkpoint, Input, Setup, Signal};
use crate::clock;
use crate::domain::{CallId, Entropy, RecordingState, Secret, Webhook};
use crate::media::codec::Codec;
use crate::media::playout::{PlayoutReader, playout};
use crate::media::sdp::Negotiation;
use crate::net::voice_ws::ModelEndpoint;
use crate::net::webhook::Webhooks;
use crate::store::RecordingSink;
use crate::voice::{self, SessionConfig, Start, Timeouts, TranscriptItem, VoiceSession};

use super::Directory;
use super::alarm::Alarm;
use exit::ExitNotice;
use link::{Link, LinkEvent, LinkNews, Mailbag};
use media::MediaPath;
use speaker::Speaker;

pub(super) use exit::{CallFinished, CheckpointTaken, SessionGone};

/// Bursts of model events and a second of media fit; beyond that a step is dropped and counted.
const MAILBOX_SIZE: usize = 64;
/// More voice than this never waits for the caller.
const PLAYOUT_MS_MAX: u32 = 120_000;

/// What a session is built from: once when the call begins, again after each crash.
pub(super) struct SessionParts {
    pub(super) call: CallId,
    /// Raised with each rebuild, so that the news of a dead session is not taken for the living one's.
    pub(super) epoch: u32,
    pub(super) router: usize,
    pub(super) begin: Begin,
    pub(super) persona: SessionConfig,
    /// The persona's tools that are web services, and what calls them.
    pub(super) webhooks: Arc<[Webhook]>,
    pub(super) webhook_client: Webhooks,
    pub(super) model: ModelEndpoint,
    pub(super) key: Secret,
    pub(super) timeouts: Timeouts,
    pub(super) entropy: Entropy,
    pub(super) recording: Option<(RecordingSink, RecordingState)>,
    pub(super) directory: Directory,
}

pub(super) enum Begin {
    New { setup: Setup, negotiation: Box<Negotiation>, offer: Option<Vec<u8>> },
    Again(Box<Checkpoint>),
}

pub struct CallSession {
    call: CallId,
    epoch: u32,
    router: usize,
    machine: CallMachine,
    voice: Option<VoiceSession>,
    persona: SessionConfig,
    webhooks: Arc<[Webhook]>,
    webhook_client: Webhooks,
    model: ModelEndpoint,
    key: Secret,
    timeouts: Timeouts,
    entropy: Entropy,
    link: Option<Link>,
    mailbag: Rc<Mailbag>,
    speaker: Rc<RefCell<Speaker>>,
    media: MediaPath,
    /// The playout, until the router is told whose audio it is for.
    unplayed: Option<PlayoutReader>,
    alarm: Alarm,
    directory: Directory,
    first_input: Option<Input>,
    /// Never read: its `Drop` is what the supervisor hears.
    _exit: ExitNotice,
}

impl CallSession {
    pub(super) fn start(arbiter: &ArbiterHandle, parts: SessionParts) -> Addr<Self> {
        Self::start_in_arbiter(arbiter, move |ctx| Self::new(parts, ctx))
    }

    fn new(parts: SessionParts, ctx: &mut Context<Self>) -> Self {
        ctx.set_mailbox_capacity(MAILBOX_SIZE);
        let (machine, first_input) = match parts.begin {
            Begin::New { setup, negotiation, offer } => {
                (CallMachine::new(setup, *negotiation), Some(Input::Start { offer }))
            }
            Begin::Again(checkpoint) => (CallMachine::rebuild(*checkpoint, clock::now()), None),
        };
        let (writer, reader) = playout(PLAYOUT_MS_MAX);
        Self {
            _exit: ExitNotice::new(parts.call.clone(), parts.epoch, parts.directory.clone()),
            media: MediaPath::new(parts.recording),
            unplayed: Some(reader),
            speaker: Rc::new(RefCell::new(Speaker::new(Codec::Pcmu, writer))),
            call: parts.call,
            epoch: parts.epoch,
            router: parts.router,
            machine,
            voice: None,
            persona: parts.persona,
            webhooks: parts.webhooks,
            webhook_client: parts.webhook_client,
            model: parts.model,
            key: parts.key,
            timeouts: parts.timeouts,
            entropy: parts.entropy,
            link: None,
            mailbag: Rc::default(),
            alarm: Alarm::default(),
            directory: parts.directory,
            first_input,
        }
    }

    fn handle_input(&mut self, input: Input, ctx: &mut Context<Self>) {
        self.machine.handle(input, clock::now());
        self.pump(ctx);
    }

    fn handle_voice(&mut self, input: voice::Input, ctx: &mut Context<Self>) {
        if let Some(voice) = &mut self.voice {
            voice.handle(input, clock::now());
        }
        self.pump(ctx);
    }

    /// Applies what both machines want done until they want nothing more, then re-arms the timer.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        loop {
            if let Some(output) = self.machine.poll_output() {
                self.apply(output, ctx);
            } else if let Some(output) = self.voice.as_mut().and_then(VoiceSession::poll_output) {
                self.apply_voice(output, ctx);
            } else {
                break;
            }
        }
        self.rearm(ctx);
    }

    fn rearm(&mut self, ctx: &mut Context<Self>) {
        let voice = self.voice.as_ref().and_then(VoiceSession::next_timeout);
        let next = [self.machine.next_timeout(clock::now()), voice].into_iter().flatten().min();
        self.alarm.set(next, ctx, Self::on_timer);
    }

    fn on_timer(&mut self, ctx: &mut Context<Self>) {
        self.alarm.rang();
        let now = clock::now();
        if let Some(voice) = &mut self.voice {
            voice.handle(voice::Input::Timeout, now);
        }
        self.machine.handle(Input::Timeout, now);
        self.pump(ctx);
    }

    fn open_voice(&mut self, start: Start, history: Vec<TranscriptItem>, owes_speech: bool, now: Instant) {
        let (persona, timeouts) = (self.persona.clone(), self.timeouts.clone());
        let mut voice = VoiceSession::new(persona, start, timeouts, self.entropy.fork());
        voice.remember(history);
        if owes_speech {
            voice.owe_speech();
        }
        voice.handle(voice::Input::Begin, now);
        self.voice = Some(voice);
    }
}

impl Actor for CallSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        if let Some(input) = self.first_input.take() {
            self.machine.handle(input, clock::now());
        }
        // Right before what the call asks of signalling first, so that both wake it once.
        if let Some(sip) = self.directory.sip() {
            let session = ctx.address().recipient();
            sip.do_send(super::sip_endpoint::AttachCall { call: self.call.clone(), session });
        }
        self.pump(ctx);
    }
}

/// Signalling's news of this call.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SignalArrived(pub Signal);

impl Handler<SignalArrived> for CallSession {
    type Result = ();

    fn handle(&mut self, SignalArrived(signal): SignalArrived, ctx: &mut Context<Self>) {
        self.handle_input(Input::Signal(signal), ctx);
    }
}

/// A person or the engine ends the call.
#[derive(Message)]
#[rtype(result = "()")]
pub struct HangUp {
    pub reason: String,
}

impl Handler<HangUp> for CallSession {
    type Result = ();

    fn handle(&mut self, HangUp { reason }: HangUp, ctx: &mut Context<Self>) {
        self.handle_input(Input::HangUp { reason }, ctx);
    }
}

/// From now on the call is recorded, or not.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SetRecording(pub RecordingState);

impl Handler<SetRecording> for CallSession {
    type Result = ();

    fn handle(&mut self, SetRecording(state): SetRecording, _: &mut Context<Self>) {
        self.media.set_recording(state);
    }
}

/// For tests and `demo --crash`: the actor panics, as a bug would make it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct InjectPanic;

impl Handler<InjectPanic> for CallSession {
    type Result = ();

    fn handle(&mut self, _: InjectPanic, _: &mut Context<Self>) {
        panic!("injected panic in the session of call {}", self.call);
    }
}

impl Handler<LinkEvent> for CallSession {
    type Result = ();

    fn handle(&mut self, LinkEvent { epoch, what }: LinkEvent, ctx: &mut Context<Self>) {
        let input = match what {
            LinkNews::Control(message) => voice::Input::Control { epoch, message },
            LinkNews::Garbage => voice::Input::Garbage { epoch },
            LinkNews::Closed { code, reason } => voice::Input::Closed { epoch, code, reason },
        };
        self.handle_voice(input, ctx);
    }
}
