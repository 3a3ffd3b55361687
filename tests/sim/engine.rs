//! Our side: one SIP endpoint, one table of audio routes, the office that admits, and the calls. It decides nothing
//! that the actors do not decide: it carries events to calls and their commands back.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clearline::actors::sip_endpoint::signal_of as translate;
use clearline::call::postbox::Postbox;
use clearline::call::registry::AfterCrash;
use clearline::call::signal::Refusal;
use clearline::call::{Ending, Finish, MediaCommand, Signal, SignalCommand};
use clearline::domain::{CallId, Direction, Entropy, GatewayId, Outcome};
use clearline::keys::Granted;
use clearline::media::codec::{Codec, LEG_RATE_HZ};
use clearline::media::routes::{Framing, NewRoute, PortPool, RouteTable, Verdict};
use clearline::media::sdp::{LocalMedia, Negotiation};
use clearline::sip::endpoint::{Command, Endpoint, Event, Input, Output, PlaceCall};

use crate::call::{Ask, Call};
use crate::climate::Climate;
use crate::media_line::MediaLine;
use crate::model::Model;
use crate::network::{Author, Datagram, Network};
use crate::office::Office;
use crate::plan::Plan;
use crate::sabotage::Sabotage;
use crate::tally::{Seen, Tally};
use crate::world::{ENGINE_SIP, FRAME_TICKS, GATEWAY_SIP, endpoint};

const FIRST_PORT: u16 = 20_000;
/// By the sabotage that does it.
pub(crate) const CUT_OFF_AFTER: Duration = Duration::from_secs(2);

pub(crate) struct Engine {
    pub(crate) endpoint: Endpoint,
    pub(crate) routes: RouteTable,
    pub(crate) office: Office,
    climate: std::rc::Rc<Climate>,
    plans: std::rc::Rc<[Plan]>,
    by_id: HashMap<CallId, usize>,
    by_port: HashMap<u16, usize>,
    preparing: BTreeMap<usize, Preparing>,
    /// By the number of their plan.
    pub(crate) live: BTreeMap<usize, Live>,
    /// Every call's last words; more than one is one too many.
    pub(crate) finishes: Vec<Vec<Finish>>,
    /// Calls that are over and were live before, to be judged.
    pub(crate) over: BTreeMap<usize, Over>,
    pub(crate) refused_at: Vec<Instant>,
    pub(crate) offered: usize,
    entropy: Entropy,
    sabotage: Option<Sabotage>,
    pub(crate) tally: Tally,
}

/// Admitted, and not yet given all it needs.
struct Preparing {
    id: CallId,
    direction: Direction,
    offer: Option<Vec<u8>>,
    postbox: Postbox,
    ready_at: Instant,
    hung_up: bool,
}

pub(crate) struct Live {
    pub(crate) call: Call,
    pub(crate) media: MediaLine,
}

pub(crate) struct Over {
    pub(crate) call: Call,
    pub(crate) media: MediaLine,
    pub(crate) at: Instant,
}

impl Engine {
    pub(crate) fn new(
        (climate, plans): (std::rc::Rc<Climate>, std::rc::Rc<[Plan]>),
        sabotage: Option<Sabotage>,
        entropy: &mut Entropy,
        now: Instant,
    ) -> Self {
        let ports = FIRST_PORT..=FIRST_PORT + 2 * climate.ports.unwrap_or(plans.len() as u16) - 1;
        Self {
            endpoint: endpoint(ENGINE_SIP, GATEWAY_SIP, "engine", entropy.fork(), now),
            routes: RouteTable::new(PortPool::new(ports), entropy.fork()),
            office: Office::new(&climate, plans.len(), sabotage),
            by_id: HashMap::new(),
            by_port: HashMap::new(),
            preparing: BTreeMap::new(),
            live: BTreeMap::new(),
            finishes: vec![Vec::new(); plans.len()],
            over: BTreeMap::new(),
            refused_at: Vec::new(),
            offered: 0,
            climate,
            plans,
            entropy: entropy.fork(),
            sabotage,
            tally: Tally::default(),
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.live.is_empty() && self.preparing.is_empty()
    }

    /// Calls that hold something.
    pub(crate) fn alive(&self) -> usize {
        self.live.len() + self.preparing.len()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.endpoint.next_timeout()
    }

    pub(crate) fn dial(&mut self, number: usize, network: &mut Network, now: Instant) {
        self.offer(number, CallId::new(format!("placed-{number}")), Direction::Outbound, None, network, now);
    }

    /// False while nobody takes it: ask again. A call that is over needs no hanging up.
    pub(crate) fn hang_up(&mut self, number: usize) -> bool {
        if let Some(preparing) = self.preparing.get_mut(&number) {
            preparing.hung_up = true;
            return true;
        }
        self.live.get_mut(&number).is_none_or(|live| live.call.hang_up())
    }

    pub(crate) fn receive(&mut self, datagram: Datagram, network: &mut Network, now: Instant) {
        let Datagram { from, to, bytes, author } = datagram;
        if to == ENGINE_SIP {
            return self.input(Input::Datagram { source: from, bytes: &bytes }, network, now);
        }
        let verdict = self.routes.receive(to.port(), from, &bytes, now);
        let is_let_in = match verdict {
            Verdict::Accepted { .. } => true,
            Verdict::Rtcp(_) => return self.tally.count(Seen::Reports, 1),
            Verdict::Dropped(_) => self.sabotage == Some(Sabotage::RoutesAreBypassed),
        };
        let Some(number) = self.by_port.get(&(to.port() & !1)) else { return };
        if let Some(live) = self.live.get_mut(number).filter(|_| is_let_in) {
            if self.sabotage == Some(Sabotage::PhoneIsCutOff) && live.call.has_talked_for(CUT_OFF_AFTER, now)
            {
                return;
            }
            assert_eq!(
                author,
                Author::Phone(*number),
                "call {number} takes a packet that is not its phone's"
            );
            live.media.reception.hear(now);
            live.call.receive(bytes);
        }
    }

    pub(crate) fn tick(&mut self, tick: u64, network: &mut Network, now: Instant) {
        if self.endpoint.next_timeout().is_some_and(|at| at <= now) {
            self.input(Input::Timeout, network, now);
        }
        let ready = self.preparing.iter().filter(|(_, call)| call.ready_at <= now);
        for number in ready.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.prepare(number, network, now);
        }
        for number in self.live.keys().copied().collect::<Vec<_>>() {
            self.tick_call(number, tick, network, now);
        }
        self.tally.note_live(self.live.len() as u64);
    }

    fn tick_call(&mut self, number: usize, tick: u64, network: &mut Network, now: Instant) {
        let Some(live) = self.live.get_mut(&number) else { return };
        let asks = live.call.tick(now);
        if let Some(reader) = live.call.take_reader() {
            live.media.attach(reader);
        }
        for ask in asks {
            self.carry_out(number, ask, network, now);
        }
        let Some(live) = self.live.get_mut(&number) else { return };
        if (tick + number as u64).is_multiple_of(FRAME_TICKS)
            && let Some(route) = self.routes.route_mut(&live.call.id)
        {
            live.media.step(route, network, now);
            live.call.step(now);
        }
    }

    fn carry_out(&mut self, number: usize, ask: Ask, network: &mut Network, now: Instant) {
        let Some(live) = self.live.get_mut(&number) else { return };
        let id = live.call.id.clone();
        match ask {
            Ask::Signal(command) => {
                self.input(Input::Command(sip_command(id, number, command)), network, now);
            }
            Ask::Media(MediaCommand::Expect(media)) => {
                if let Some(route) = self.routes.route_mut(&id) {
                    live.media.expect(route, media, GATEWAY_SIP.ip());
                }
            }
            Ask::Media(MediaCommand::Connected) => {
                live.media.reception.begin(now);
                if let Some(route) = self.routes.route_mut(&id) {
                    route.answered();
                }
            }
            Ask::Media(MediaCommand::Hush | MediaCommand::Press(_)) => {}
            Ask::KeyRefused(failure) => {
                let key = live.call.granted.key.clone();
                self.office.key_refused(&key, failure, now);
            }
            Ask::Rebuild => self.rebuild(number, network, now),
            Ask::Finished(finish) => self.end(number, finish, network, now),
        }
    }

    /// The session died: another takes its place, unless that happened too often, or too early.
    fn rebuild(&mut self, number: usize, network: &mut Network, now: Instant) {
        let Some(live) = self.live.get_mut(&number) else { return };
        if self.sabotage == Some(Sabotage::NumberingBeginsAnew) {
            live.media.forget_numbering();
        }
        let reason = match self.office.session_died(&live.call.id, now) {
            AfterCrash::Rebuild { .. } if live.call.rebuild(now) => return,
            AfterCrash::Rebuild { .. } => "the call failed before it had begun",
            AfterCrash::GiveUp => "the call's session failed too often",
            AfterCrash::Unknown => return,
        };
        self.end_by_force(number, Finish::new(Outcome::EngineLost, reason), network, now);
    }

    fn end_by_force(&mut self, number: usize, finish: Finish, network: &mut Network, now: Instant) {
        if let Some(live) = self.live.get(&number) {
            let command = Command::HangUp { call: live.call.id.clone() };
            self.input(Input::Command(command), network, now);
        }
        self.end(number, finish, network, now);
    }

    /// Everything the call held goes back, once.
    fn end(&mut self, number: usize, finish: Finish, network: &mut Network, now: Instant) {
        let Some(Live { mut call, mut media }) = self.live.remove(&number) else { return };
        call.end();
        self.office.ended(&call.id);
        self.by_id.remove(&call.id);
        self.by_port.remove(&media.port());
        if self.sabotage != Some(Sabotage::RouteStaysOpen)
            && let Some(mut route) = self.routes.close(&call.id, now)
        {
            media.say_goodbye(&mut route, network, now);
        }
        if self.sabotage == Some(Sabotage::PortIsKept) {
            self.routes.acquire_port(now);
        }
        self.office.give_back(&call.granted.lease, now);
        self.tell_end(number, finish);
        self.over.insert(number, Over { call, media, at: now });
    }

    fn tell_end(&mut self, number: usize, finish: Finish) {
        let told = match self.sabotage {
            Some(Sabotage::EndsTwice) => vec![finish.clone(), finish],
            Some(Sabotage::EndIsNotTold) => Vec::new(),
            Some(Sabotage::EndsAsAnother) => vec![Finish::new(Outcome::Machine, finish.reason)],
            _ => vec![finish],
        };
        self.finishes[number].extend(told);
    }

    fn input(&mut self, input: Input<'_>, network: &mut Network, now: Instant) {
        if self.sabotage == Some(Sabotage::DialogIsKept) && is_goodbye(&input) {
            return;
        }
        self.endpoint.handle(input, now);
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Transmit { destination, bytes } => {
                    let author = Author::Signalling;
                    network.send(Datagram { from: ENGINE_SIP, to: destination, bytes, author }, now);
                }
                Output::Event(Event::Incoming(incoming)) => {
                    let number = incoming.to.expose().parse().expect("the phones dial numbers");
                    self.offer(number, incoming.call, Direction::Inbound, incoming.offer, network, now);
                }
                Output::Event(event) => self.tell_call(event),
            }
        }
    }

    fn tell_call(&mut self, event: Event) {
        let Some((id, signal)) = signal_of(event) else { return };
        let Some(number) = self.by_id.get(&id) else { return };
        if let Some(preparing) = self.preparing.get_mut(number) {
            preparing.postbox.post(signal, false);
        } else if let Some(live) = self.live.get_mut(number) {
            live.call.signal(signal);
        }
    }

    /// Somebody wants a call: it is admitted and given what it needs, or refused.
    fn offer(
        &mut self,
        number: usize,
        id: CallId,
        direction: Direction,
        offer: Option<Vec<u8>>,
        network: &mut Network,
        now: Instant,
    ) {
        self.offered += 1;
        if let Err(refused) = self.office.admit(&id, direction) {
            let finish = Finish::new(Outcome::RefusedCapacity, refused.to_string());
            return self.refuse(number, id, direction, finish, network, now);
        }
        self.by_id.insert(id.clone(), number);
        let ready_at = now + self.plans[number].prepared_after;
        let preparing =
            Preparing { id, direction, offer, postbox: Postbox::default(), ready_at, hung_up: false };
        let former = self.preparing.insert(number, preparing);
        assert!(former.is_none(), "call {number} came twice");
    }

    fn refuse(
        &mut self,
        number: usize,
        call: CallId,
        direction: Direction,
        finish: Finish,
        network: &mut Network,
        now: Instant,
    ) {
        self.office.ended(&call);
        self.by_id.remove(&call);
        self.finishes[number].push(finish);
        self.refused_at.push(now);
        if direction == Direction::Inbound {
            let retry_after = Some(Duration::from_secs(5));
            let reject = Command::Reject { call, status: 503, retry_after };
            self.input(Input::Command(reject), network, now);
        }
    }

    fn prepare(&mut self, number: usize, network: &mut Network, now: Instant) {
        let Some(preparing) = self.preparing.remove(&number) else { return };
        let (id, direction) = (preparing.id.clone(), preparing.direction);
        let granted = match self.office.lease(self.plans[number].owner, &id, now) {
            Ok(granted) => granted,
            Err(refusal) => {
                let finish = Finish::new(refusal.outcome(), refusal.to_string());
                return self.refuse(number, id, direction, finish, network, now);
            }
        };
        match self.open_route(number, &id, now) {
            Some(opened) => self.begin(number, preparing, granted, opened, network, now),
            None => {
                self.office.give_back(&granted.lease, now);
                let finish = Finish::new(Outcome::RefusedCapacity, "no free RTP port");
                self.refuse(number, id, direction, finish, network, now);
            }
        }
    }

    fn open_route(&mut self, number: usize, id: &CallId, now: Instant) -> Option<(u16, u32)> {
        let port = self.routes.acquire_port(now)?;
        let is_used = self.routes.ports().last_tenant(port, now).is_some();
        self.tally.count(Seen::PortsReused, u64::from(is_used));
        let ssrc = self.entropy.next_u32();
        let framing = Framing::new(Codec::Pcmu, 0);
        let (call, cname) = (id.clone(), id.to_string());
        let new = NewRoute { call, port, ssrc, cname, framing, clock_rate_hz: LEG_RATE_HZ };
        self.routes.open(new, now).expect("the port is ours");
        self.by_port.insert(port, number);
        Some((port, ssrc))
    }

    fn begin(
        &mut self,
        number: usize,
        preparing: Preparing,
        granted: Granted,
        (port, ssrc): (u16, u32),
        network: &mut Network,
        now: Instant,
    ) {
        let Preparing { id, direction, offer, postbox, hung_up, .. } = preparing;
        let plan = &self.plans[number];
        let voice = if self.sabotage == Some(Sabotage::ModelsAreExchanged) { number + 1 } else { number };
        let failure = self.climate.failure_of(&granted.key);
        let model = Model::new(voice, plan, failure, self.sabotage, self.entropy.fork());
        let codecs = Codec::ALL.to_vec();
        let cname = id.to_string();
        let local = LocalMedia { address: ENGINE_SIP.ip(), port, codecs, ssrc, session_id: 1, cname };
        let mut call = Call::new(number, (id, granted), (plan, model), postbox, self.entropy.fork(), now);
        call.piles_up_signals = self.sabotage == Some(Sabotage::SignalsPileUp);
        if !hung_up {
            call.begin(direction, Negotiation::new(local), offer, now);
        }
        self.live.insert(number, Live { call, media: MediaLine::new(number, port, self.sabotage) });
        if hung_up {
            let finish = Finish::new(Outcome::Canceled, "by plan");
            self.end_by_force(number, finish, network, now);
        }
    }
}

pub(crate) fn media_address(port: u16) -> SocketAddr {
    SocketAddr::new(ENGINE_SIP.ip(), port)
}

fn sip_command(call: CallId, number: usize, command: SignalCommand) -> Command {
    match command {
        SignalCommand::Place { offer } => Command::Place(PlaceCall {
            call,
            gateway: GatewayId::new("trunk"),
            target: number.to_string(),
            from_user: None,
            from_display: None,
            offer: Some(offer),
        }),
        SignalCommand::Ring => Command::Ring { call },
        SignalCommand::Answer { sdp } => Command::Answer { call, sdp },
        SignalCommand::Refuse(Refusal::MediaNotAcceptable) => {
            Command::Reject { call, status: 488, retry_after: None }
        }
        SignalCommand::Refuse(Refusal::ModelUnavailable) => {
            Command::Reject { call, status: 503, retry_after: None }
        }
        SignalCommand::AcceptChange { sdp } => Command::AnswerOffer { call, sdp },
        SignalCommand::RejectChange => Command::RejectOffer { call, status: 488 },
        SignalCommand::HangUp => Command::HangUp { call },
    }
}

fn is_goodbye(input: &Input<'_>) -> bool {
    match input {
        Input::Datagram { bytes, .. } => bytes.starts_with(b"BYE "),
        Input::Command(command) => matches!(command, Command::HangUp { .. }),
        Input::Timeout => false,
    }
}

fn signal_of(event: Event) -> Option<(CallId, Signal)> {
    let told = translate(event)?;
    assert_ne!(told.1, Signal::Ended(Ending::Fault), "the endpoint faulted");
    Some(told)
}
