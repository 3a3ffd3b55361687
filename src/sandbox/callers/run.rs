//! The one thread: wakes every 2 ms, obeys orders, turns the switchboard, lets the callers whose turn it is speak.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::clock;
use crate::domain::{CallId, Entropy};
use crate::sip::endpoint::{EndCause, Event};

use super::audio::Payloads;
use super::caller::{CODEC, Caller, Shared};
use super::hearing::micros;
use super::line::Buffers;
use super::orders::{Lost, News, Order, Report};
use super::steps::{PHASES, Steps};
use super::switchboard::Switchboard;

#[derive(Debug, Clone)]
pub struct CallersSettings {
    /// The engine's SIP address.
    pub engine: SocketAddr,
    /// The number all of them dial.
    pub number: String,
    /// Where their own sockets are.
    pub ip: IpAddr,
    pub calls_max: usize,
    /// Repeats when and for how long they speak.
    pub seed: Option<u64>,
}

pub struct Callers {
    settings: CallersSettings,
    switchboard: Switchboard,
    callers: HashMap<CallId, Caller>,
    phases: [Vec<CallId>; PHASES],
    dialling: Option<Dialling>,
    numbers_given: u16,
    is_hanging_up: bool,
    buffers: Buffers,
    payloads: Payloads,
    entropy: Entropy,
    report: Report,
}

/// Calls that are being placed, one after the other.
struct Dialling {
    left: usize,
    pause: Duration,
    next_at: Instant,
    /// Hang up as soon as somebody answers.
    touches: bool,
    /// Dialled, and neither answered nor refused yet; a touched call counts until it is gone.
    pending: usize,
    answered: usize,
    refused: Vec<Lost>,
}

impl Callers {
    pub fn open(settings: CallersSettings) -> io::Result<Self> {
        let mut entropy = clock::entropy()?;
        // Never repeated: an engine that still remembers another run's calls would take ours for loops of them.
        let identities = entropy.fork();
        let switchboard = Switchboard::open(settings.ip, settings.engine, settings.calls_max, identities)?;
        let entropy = settings.seed.map_or(entropy, Entropy::from_number);
        Ok(Self {
            settings,
            switchboard,
            callers: HashMap::new(),
            phases: Default::default(),
            dialling: None,
            numbers_given: 0,
            is_hanging_up: false,
            buffers: Buffers::new(),
            payloads: Payloads::new(CODEC),
            entropy,
            report: Report::default(),
        })
    }

    /// Until nobody gives orders any more; calls that are up then are hung up.
    pub fn run(mut self, orders: &Receiver<Order>, mut tell: impl FnMut(News)) {
        let mut steps = Steps::new(clock::now());
        let mut goes_on = true;
        tell(News::Ready);
        while goes_on || !self.callers.is_empty() {
            match orders.try_recv() {
                Ok(order) => self.obey(order, &mut tell),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) if goes_on => {
                    goes_on = false;
                    self.hang_up_all();
                }
                Err(TryRecvError::Disconnected) => {}
            }
            self.turn(&mut steps, &mut tell);
            sleep(steps.next_due().saturating_duration_since(clock::now()));
        }
    }

    fn obey(&mut self, order: Order, tell: &mut impl FnMut(News)) {
        match order {
            Order::Dial { calls, per_second } => {
                self.dialling = Some(Dialling::new(calls, per_second, false));
            }
            Order::Touch { calls, per_second } => {
                self.dialling = Some(Dialling::new(calls, per_second, true));
            }
            Order::Begin => self.begin(),
            Order::End => tell(News::Measured(Box::new(self.end()))),
            Order::HangUp => {
                self.is_hanging_up = true;
                self.hang_up_all();
            }
        }
    }

    /// What waits at the sockets came before.
    fn begin(&mut self) {
        let now = self.hear_all();
        let lost = std::mem::take(&mut self.report.lost);
        self.report = Report { lost, begun_us: machine_us(now), ..Report::default() };
        self.callers.values_mut().for_each(|caller| caller.begin_counting(now));
    }

    /// What waits at the sockets counts.
    fn end(&mut self) -> Report {
        let now = self.hear_all();
        let mut report = std::mem::take(&mut self.report);
        report.ended_us = machine_us(now);
        self.callers.values().for_each(|caller| caller.add_to(&mut report, now));
        report
    }

    /// Gives the moment up to which all has been heard.
    fn hear_all(&mut self) -> Instant {
        self.buffers.wall_clock_lead = clock::wall_clock_lead();
        let Self { buffers, payloads, entropy, report, callers, .. } = self;
        let mut shared = Shared { buffers, payloads, entropy, report };
        let now = clock::now();
        callers.values_mut().for_each(|caller| caller.hear(&mut shared));
        now
    }

    fn turn(&mut self, steps: &mut Steps, tell: &mut impl FnMut(News)) {
        let now = clock::now();
        self.dial_next(now);
        for event in self.switchboard.turn(now) {
            self.on_event(event, now);
        }
        self.tell_progress(tell);
        self.buffers.wall_clock_lead = clock::wall_clock_lead();
        while let Some((phase, late)) = steps.take_due(clock::now()) {
            self.report.lateness.note(late);
            self.step(phase);
        }
    }

    fn step(&mut self, phase: usize) {
        let Self { buffers, payloads, entropy, report, callers, .. } = self;
        let mut shared = Shared { buffers, payloads, entropy, report };
        let now = clock::now();
        for call in &self.phases[phase] {
            if let Some(caller) = callers.get_mut(call) {
                caller.step(&mut shared, now);
            }
        }
    }

    fn dial_next(&mut self, now: Instant) {
        let Some(dialling) = self.dialling.as_mut().filter(|dialling| dialling.is_due(now)) else { return };
        dialling.next_at += dialling.pause;
        dialling.left -= 1;
        dialling.pending += 1;
        let number = self.numbers_given;
        self.numbers_given = number.wrapping_add(1);
        match Caller::new(number, self.settings.ip, &mut self.entropy, now) {
            Ok(mut caller) => {
                let call = self.switchboard.dial(&self.settings.number, caller.offer(), now);
                self.callers.insert(call.clone(), caller);
                let phase = (0..PHASES).min_by_key(|&phase| self.phases[phase].len()).unwrap_or(0);
                self.phases[phase].push(call);
            }
            Err(error) => dialling.refuse(number, format!("cannot open a socket: {error}")),
        }
    }

    fn on_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::EarlyMedia { call, sdp } => self.learn(&call, &sdp),
            Event::Answered { call, sdp, .. } => {
                if let Some(sdp) = sdp {
                    self.learn(&call, &sdp);
                }
                self.on_answer(call, now);
            }
            Event::Ended { call, cause } => self.on_end(&call, reason_of(cause), now),
            Event::Incoming(_)
            | Event::Ringing { .. }
            | Event::Confirmed { .. }
            | Event::Offer { .. }
            | Event::Dtmf { .. }
            | Event::Registration { .. } => {}
        }
    }

    fn learn(&mut self, call: &CallId, sdp: &[u8]) {
        if let Some(caller) = self.callers.get_mut(call) {
            caller.learn(sdp);
        }
    }

    fn on_answer(&mut self, call: CallId, now: Instant) {
        if let Some(caller) = self.callers.get_mut(&call) {
            caller.picked_up(now);
        }
        let Some(dialling) = &mut self.dialling else { return };
        dialling.answered += 1;
        if dialling.touches {
            self.switchboard.hang_up(call, now);
        } else {
            dialling.pending = dialling.pending.saturating_sub(1);
        }
    }

    fn on_end(&mut self, call: &CallId, reason: String, now: Instant) {
        let Some(caller) = self.callers.remove(call) else { return };
        self.phases.iter_mut().for_each(|phase| phase.retain(|other| other != call));
        let number = caller.number();
        match &mut self.dialling {
            Some(dialling) if !caller.is_answered() => dialling.refuse(number, reason),
            Some(dialling) if dialling.touches => dialling.pending = dialling.pending.saturating_sub(1),
            Some(_) | None if self.is_hanging_up => {}
            Some(_) | None => {
                caller.add_heard_to(&mut self.report, now);
                self.report.lost.push(Lost { caller: number, reason });
            }
        }
    }

    fn tell_progress(&mut self, tell: &mut impl FnMut(News)) {
        if let Some(done) = self.dialling.take_if(|dialling| dialling.left == 0 && dialling.pending == 0) {
            tell(News::Dialled { answered: done.answered, refused: done.refused });
        }
        if self.is_hanging_up && self.callers.is_empty() {
            self.is_hanging_up = false;
            tell(News::Gone);
        }
    }

    fn hang_up_all(&mut self) {
        let now = clock::now();
        self.dialling = None;
        for call in self.callers.keys() {
            self.switchboard.hang_up(call.clone(), now);
        }
    }
}

fn machine_us(at: Instant) -> u64 {
    micros(clock::machine_time(at))
}

/// In words that a person can count: all that ended alike end in the same words.
fn reason_of(cause: EndCause) -> String {
    match cause {
        EndCause::RemoteBye => "the engine hung up".into(),
        EndCause::LocalBye | EndCause::LocalCancel => "the callers hung up".into(),
        EndCause::RemoteCancel => "the engine cancelled".into(),
        EndCause::NoAnswer => "nobody answered in time".into(),
        EndCause::Rejected { status, reason } => format!("{status} {reason}"),
        EndCause::Unreachable => "no SIP answer".into(),
        EndCause::AuthenticationFailed => "the engine asks for a password".into(),
        EndCause::AckNeverCame => "the ACK never came".into(),
        EndCause::DialogLost => "the session ran out".into(),
        EndCause::Refused { status } => format!("refused by the callers themselves ({status})"),
        EndCause::Fault => "a fault of the callers themselves".into(),
    }
}

impl Dialling {
    fn new(calls: usize, per_second: f64, touches: bool) -> Self {
        Self {
            left: calls,
            pause: Duration::try_from_secs_f64(1.0 / per_second).unwrap_or_default(),
            next_at: clock::now(),
            touches,
            pending: 0,
            answered: 0,
            refused: Vec::new(),
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.left > 0 && self.next_at <= now
    }

    fn refuse(&mut self, caller: u16, reason: String) {
        self.pending = self.pending.saturating_sub(1);
        self.refused.push(Lost { caller, reason });
    }
}
