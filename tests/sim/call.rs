//! What a call owns beyond its sessions: what signalling has told it, its newest checkpoint, and the model at the
//! other end of the websocket. A session that dies is rebuilt from these, as the actors do it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use clearline::call::postbox::{Delivery, Postbox};
use clearline::call::{
    CallLimits, CallMachine, Checkpoint, Finish, Input, MediaCommand, Setup, Signal, SignalCommand,
};
use clearline::domain::{CallId, Direction, Entropy};
use clearline::keys::{Failure, Granted};
use clearline::media::playout::PlayoutReader;
use clearline::media::sdp::Negotiation;

use crate::model::Model;
use crate::plan::Plan;
use crate::session::{Effect, Session};
use crate::tally::{Seen, Tally};
use crate::trouble::Crash;

/// Between a session's death and its successor's first breath.
const REBUILD_TIME: Duration = Duration::from_millis(20);

pub(crate) struct Call {
    pub(crate) number: usize,
    pub(crate) id: CallId,
    pub(crate) granted: Granted,
    pub(crate) model: Model,
    /// Greetings of which the caller was played something.
    pub(crate) greetings: usize,
    pub(crate) rebuilds: Vec<Rebuild>,
    pub(crate) tally: Tally,
    /// Both sides were connected, as the call's machine sees it.
    pub(crate) connected_at: Option<Instant>,
    pub(crate) started_at: Instant,
    /// Sabotage.
    pub(crate) piles_up_signals: bool,
    postbox: Postbox,
    /// What has been sent to the session that lives.
    mailbox: VecDeque<Mail>,
    mails_read: u32,
    crashes: Vec<Crash>,
    session: Option<Session>,
    /// Of the newest session, until the line takes it.
    reader: Option<PlayoutReader>,
    checkpoint: Option<Box<Checkpoint>>,
    rebuild_at: Option<Instant>,
    inbox: Vec<Vec<u8>>,
    entropy: Entropy,
}

enum Mail {
    Signal(Signal),
    HangUp,
}

/// What the call asks of the engine.
pub(crate) enum Ask {
    Signal(SignalCommand),
    Media(MediaCommand),
    KeyRefused(Failure),
    /// The session is dead.
    Rebuild,
    Finished(Finish),
}

/// A session that died, and when the next one is there if the call goes on.
pub(crate) struct Rebuild {
    pub(crate) at: Instant,
    /// The caller was hearing the model, or waiting for what it had been asked to say.
    pub(crate) owed_speech: bool,
    /// There was something to rebuild it from.
    pub(crate) had_checkpoint: bool,
}

impl Call {
    pub(crate) fn new(
        number: usize,
        (id, granted): (CallId, Granted),
        (plan, model): (&Plan, Model),
        postbox: Postbox,
        entropy: Entropy,
        now: Instant,
    ) -> Self {
        Self {
            number,
            id,
            granted,
            model,
            greetings: 0,
            rebuilds: Vec::new(),
            tally: Tally::default(),
            connected_at: None,
            started_at: now,
            piles_up_signals: false,
            postbox,
            mailbox: VecDeque::new(),
            mails_read: 0,
            crashes: plan.crashes().to_vec(),
            session: None,
            reader: None,
            checkpoint: None,
            rebuild_at: None,
            inbox: Vec::new(),
            entropy,
        }
    }

    pub(crate) fn begin(
        &mut self,
        direction: Direction,
        negotiation: Negotiation,
        offer: Option<Vec<u8>>,
        now: Instant,
    ) {
        let setup = Setup { direction, limits: CallLimits::default() };
        let fuse = self.next_fuse();
        self.attach(CallMachine::new(setup, negotiation), fuse);
        if let Some(session) = &mut self.session {
            session.handle(Input::Start { offer }, now);
        }
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        if let Delivery::Now(signal) = self.postbox.post(signal, self.session.is_some()) {
            self.mailbox.push_back(Mail::Signal(signal));
        }
    }

    /// False while nobody is there to be told; whoever wants to hang up asks again.
    pub(crate) fn hang_up(&mut self) -> bool {
        if self.session.is_some() {
            self.mailbox.push_back(Mail::HangUp);
        }
        self.session.is_some()
    }

    /// A packet its route has accepted.
    pub(crate) fn receive(&mut self, datagram: Vec<u8>) {
        self.inbox.push(datagram);
    }

    pub(crate) fn take_reader(&mut self) -> Option<PlayoutReader> {
        self.reader.take()
    }

    /// Everything but audio that is due. Gives back what the session asks of the engine.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<Ask> {
        self.rebuild_if_due(now);
        if self.must_die(now) {
            return vec![self.die(now)];
        }
        let Some(session) = &mut self.session else { return Vec::new() };
        if self.piles_up_signals {
            self.mailbox.push_back(Mail::Signal(Signal::Ringing));
            return Vec::new();
        }
        for mail in self.mailbox.drain(..) {
            self.mails_read += 1;
            match mail {
                Mail::Signal(signal) => session.signal(signal, now),
                Mail::HangUp => session.handle(Input::HangUp { reason: "by plan".into() }, now),
            }
        }
        // Each is dealt with before the next is heard, as an actor deals with its messages.
        let mut effects = session.pump(&mut self.model, now);
        while !session.is_dead()
            && let Some(news) = self.model.next_news(now)
        {
            self.greetings += usize::from(news.begins_greeting && session.listens_to_model());
            session.hear_model(news, now);
            effects.extend(session.pump(&mut self.model, now));
        }
        session.ring_timers(now);
        effects.extend(session.pump(&mut self.model, now));
        let is_dead = session.is_dead();
        let mut asks: Vec<Ask> = effects.into_iter().filter_map(|effect| self.ask(effect, now)).collect();
        if is_dead && !asks.iter().any(|ask| matches!(ask, Ask::Finished(_))) {
            self.tally.count(Seen::CrashesInMidWork, 1);
            asks.push(self.die(now));
        }
        asks
    }

    /// One frame of the media clock.
    pub(crate) fn step(&mut self, now: Instant) {
        let packets = std::mem::take(&mut self.inbox);
        self.model.step(now);
        if let Some(session) = &mut self.session {
            session.step(&packets, &mut self.model, now);
        }
    }

    /// Builds the next session from the newest checkpoint; false when there is none.
    pub(crate) fn rebuild(&mut self, now: Instant) -> bool {
        self.rebuild_at = self.checkpoint.is_some().then(|| now + REBUILD_TIME);
        self.rebuild_at.is_some()
    }

    /// The call is over: nobody is left to talk to.
    pub(crate) fn end(&mut self) {
        self.session = None;
        self.rebuild_at = None;
        self.mailbox.clear();
        self.model.disconnect();
    }

    pub(crate) fn has_talked_for(&self, so_long: Duration, now: Instant) -> bool {
        self.connected_at.is_some_and(|at| at + so_long <= now)
    }

    pub(crate) fn buffered_ms(&self) -> u32 {
        self.session.as_ref().map_or(0, Session::buffered_ms)
    }

    pub(crate) fn signals_waiting(&self) -> usize {
        self.postbox.waiting() + self.mailbox.len()
    }

    pub(crate) fn speech_queued(&self) -> usize {
        self.model.queued()
    }

    fn ask(&mut self, effect: Effect, now: Instant) -> Option<Ask> {
        Some(match effect {
            Effect::Signal(command) => Ask::Signal(command),
            Effect::Media(command) => {
                if command == MediaCommand::Connected {
                    self.connected_at.get_or_insert(now);
                }
                Ask::Media(command)
            }
            Effect::Checkpoint(checkpoint) => {
                self.checkpoint = Some(checkpoint);
                return None;
            }
            Effect::KeyRefused(failure) => Ask::KeyRefused(failure),
            Effect::Finished(finish) => Ask::Finished(finish),
        })
    }

    /// Whether a crash is due that is not of the session's own work.
    fn must_die(&mut self, now: Instant) -> bool {
        if self.session.is_none() {
            return false;
        }
        let (since, mails) = (now - self.started_at, self.mails_read);
        let has_mail = !self.mailbox.is_empty();
        let is_due = |crash: &Crash| match *crash {
            Crash::At(after) => after <= since,
            Crash::OverSignal(number) => has_mail && number <= mails,
            Crash::AfterOutputs(_) => false,
        };
        let Some(index) = self.crashes.iter().position(is_due) else { return false };
        self.crashes.remove(index);
        self.tally.count(Seen::CrashesOverMail, u64::from(has_mail));
        true
    }

    /// Its mail dies with it, and the connection to the model.
    fn die(&mut self, now: Instant) -> Ask {
        self.tally.count(Seen::SessionCrashes, 1);
        if let Some(session) = self.session.take() {
            let is_heard = session.is_playing() || self.model.has_more_to_say();
            let owed_speech = session.is_talking() && is_heard;
            let had_checkpoint = self.checkpoint.is_some();
            self.rebuilds.push(Rebuild { at: now + REBUILD_TIME, owed_speech, had_checkpoint });
        }
        self.mailbox.clear();
        self.model.disconnect();
        Ask::Rebuild
    }

    fn rebuild_if_due(&mut self, now: Instant) {
        if self.rebuild_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        let Some(checkpoint) = self.checkpoint.clone() else { return };
        self.tally.count(Seen::Rebuilds, 1);
        let fuse = self.next_fuse();
        self.attach(CallMachine::rebuild(*checkpoint, now), fuse);
    }

    fn next_fuse(&mut self) -> Option<u32> {
        let outputs_of = |crash: &Crash| match *crash {
            Crash::AfterOutputs(outputs) => Some(outputs),
            Crash::At(_) | Crash::OverSignal(_) => None,
        };
        let index = self.crashes.iter().position(|crash| outputs_of(crash).is_some())?;
        outputs_of(&self.crashes.remove(index))
    }

    fn attach(&mut self, machine: CallMachine, fuse: Option<u32>) {
        let (session, reader) = Session::new(self.number, machine, fuse, self.entropy.fork());
        self.session = Some(session);
        self.reader = Some(reader);
        self.mailbox.extend(self.postbox.for_new_session().map(Mail::Signal));
    }
}
