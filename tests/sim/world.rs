//! A whole world: its climate, the plans of its calls, both sides, and the clock that moves them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use clearline::clock;
use clearline::domain::{CallId, Entropy, GatewayId};
use clearline::sip::endpoint::{Endpoint, EndpointConfig, EndpointLimits, Gateway};

use crate::agenda::{Agenda, Task};
use crate::bounds;
use crate::climate::Climate;
use crate::engine::{Engine, media_address};
use crate::forger::Forger;
use crate::judge::judge;
use crate::network::Network;
use crate::phone::Phone;
use crate::phones::Phones;
use crate::plan::{Claim, Plan};
use crate::sabotage::Sabotage;
use crate::scenario::Scenario;
use crate::signals::Voice;
use crate::tally::Tally;
use crate::trouble::{Deed, Forgery, Move};

pub(crate) const ENGINE_SIP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);
pub(crate) const GATEWAY_SIP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)), 5060);
pub(crate) const FRAME_TICKS: u64 = 4;

const TICK: Duration = Duration::from_millis(5);
/// After the last task nobody waits longer for a call to end by itself.
const PATIENCE: Duration = Duration::from_secs(6);
/// Then what is still being said is said to its end.
const LAST_WORDS: Duration = Duration::from_secs(8);
/// The longest that anything remembers: gates, transactions, a BYE nobody answers.
const AFTERMATH: Duration = Duration::from_secs(400);
/// Longer than the half second after which a port hears a stranger of its host, so that no two add up.
const BETWEEN_FORGERIES: Duration = Duration::from_secs(2);
const TICKS_BETWEEN_CHECKS: u64 = 40;
/// The learning window runs for three seconds from the first packet after the answer.
const LEARNED_AFTER: Duration = Duration::from_secs(4);

pub(crate) struct World {
    now: Instant,
    begun: Instant,
    ticks: u64,
    climate: Rc<Climate>,
    agenda: Agenda,
    network: Network,
    engine: Engine,
    phones: Phones,
    forger: Forger,
    sabotage: Option<Sabotage>,
}

impl World {
    pub(crate) fn new(scenario: &Scenario, sabotage: Option<Sabotage>) -> Self {
        let mut entropy = Entropy::from_number(scenario.dice);
        let climate = Rc::new(scenario.climate.clone());
        let plans: Rc<[Plan]> = scenario.calls.clone().into();
        let now = clock::now();
        Self {
            now,
            begun: now,
            ticks: 0,
            agenda: Agenda::new(&plans),
            network: Network::new(climate.weather, entropy.fork(), now),
            engine: Engine::new((climate.clone(), plans.clone()), sabotage, &mut entropy, now),
            phones: Phones::new(&plans, &climate, &mut entropy, now),
            forger: Forger::new(entropy.fork()),
            climate,
            sabotage,
        }
    }

    /// Plays everything to its end; panics when a property does not hold.
    pub(crate) fn run(mut self) -> Tally {
        self.run_until(self.begun + self.agenda.last() + PATIENCE);
        self.end_all_calls();
        self.run_until(self.now + LAST_WORDS);
        for number in 0..self.phones.phones.len() {
            self.phones.hang_up(number, &mut self.network, self.now);
        }
        self.run_until(self.now + AFTERMATH);
        let mut tally = judge(&self.climate, &mut self.engine, &self.phones, self.now);
        tally.add(&self.forger.tally);
        tally.add(&self.network.tally);
        tally.digest = self.network.digest.sum();
        tally
    }

    fn end_all_calls(&mut self) {
        for number in 0..self.phones.phones.len() {
            self.agenda.add(self.now - self.begun, number, Task::WeHangUp);
        }
    }

    fn run_until(&mut self, end: Instant) {
        while self.now < end {
            self.tick();
            self.advance(end);
        }
    }

    fn tick(&mut self) {
        self.do_what_is_due();
        while let Some(datagram) = self.network.arrived(self.now) {
            if datagram.to.ip() == ENGINE_SIP.ip() {
                self.engine.receive(datagram, &mut self.network, self.now);
            } else {
                self.phones.receive(&datagram, &mut self.network, self.now);
            }
        }
        self.engine.tick(self.ticks, &mut self.network, self.now);
        self.phones.tick(self.ticks, &mut self.network, self.now);
        self.forger.tick(&mut self.network, self.now);
        if self.ticks.is_multiple_of(TICKS_BETWEEN_CHECKS) {
            bounds::check(&self.engine, &self.phones, self.now);
        }
    }

    /// To the next tick; where nobody talks, to the next thing that will happen.
    fn advance(&mut self, end: Instant) {
        let is_quiet = self.engine.is_idle() && self.phones.are_done(self.now) && self.forger.is_idle();
        let mut ticks = 1;
        if is_quiet {
            let agenda = self.agenda.next().map(|at| self.begun + at);
            let timeouts = [self.engine.next_timeout(), self.phones.next_timeout()];
            let next = timeouts.into_iter().chain([self.network.next_arrival(), agenda]).flatten().min();
            let until = next.unwrap_or(end).min(end).saturating_duration_since(self.now);
            ticks = until.as_nanos().div_ceil(TICK.as_nanos()).max(1) as u64;
        }
        self.ticks += ticks;
        self.now += TICK * u32::try_from(ticks).expect("a world ends within the hour");
    }

    fn do_what_is_due(&mut self) {
        while let Some((number, task)) = self.agenda.take_due(self.now - self.begun) {
            match task {
                Task::WeDial => self.engine.dial(number, &mut self.network, self.now),
                Task::CallerDials => self.phones.dial(number, &mut self.network, self.now),
                Task::CallerHangsUp => self.phones.hang_up(number, &mut self.network, self.now),
                Task::WeHangUp if self.engine.hang_up(number) => {}
                Task::WeHangUp => self.agenda.add(self.now - self.begun + TICK, number, Task::WeHangUp),
                Task::Do(Deed::Move(what)) => self.phones.phones[number].change(what, self.now),
                Task::Do(Deed::Forge(forgery)) => {
                    self.forge(number, forgery);
                    self.forge_again_later(number, forgery);
                }
            }
        }
    }

    fn forge(&mut self, number: usize, forgery: Forgery) {
        let Some(live) = self.engine.live.get(&number) else { return };
        let engine = media_address(live.media.port());
        let is_learned = live.call.connected_at.is_some_and(|at| at + LEARNED_AFTER < self.now);
        if self.sabotage == Some(Sabotage::AudioIsExchanged) {
            return self.phones.phones[number].speak_as(Voice::Caller(number + 1));
        }
        let victim = &self.phones.phones[number];
        let neighbour = self.phones.neighbour_of(number);
        let may_strike = match forgery {
            // A stream of the same host is told apart only where it claims nothing that is the victim's.
            Forgery::Misdirected => self.tells_apart(victim) && is_learned,
            Forgery::Stranger | Forgery::Thief => is_learned || victim.plan.claim != Claim::Private,
            Forgery::WrongPort | Forgery::Goodbye | Forgery::Garbage => true,
        };
        if may_strike {
            self.forger.strike(forgery, victim, engine, neighbour, &mut self.network, self.now);
        }
    }

    /// Whoever forges once goes on as long as there is a call to harm.
    fn forge_again_later(&mut self, number: usize, forgery: Forgery) {
        if self.engine.live.contains_key(&number) {
            let at = self.now - self.begun + BETWEEN_FORGERIES;
            self.agenda.add(at, number, Task::Do(Deed::Forge(forgery)));
        }
    }

    fn tells_apart(&self, victim: &Phone) -> bool {
        victim.flows(self.now)
            && !self.climate.shares_ssrc
            && !self.climate.shares_address
            && !victim.plan.trouble.has_move(Move::RebindUnderAnotherSsrc)
    }
}

/// One side's SIP endpoint, which trusts the other side.
pub(crate) fn endpoint(
    own: SocketAddr,
    other: SocketAddr,
    name: &'static str,
    entropy: Entropy,
    now: Instant,
) -> Endpoint {
    let gateway = Gateway {
        id: GatewayId::new("trunk"),
        address: other,
        domain: other.ip().to_string(),
        user: name.into(),
        password: None,
        register: false,
        expires: Duration::from_secs(3_600),
    };
    let config = EndpointConfig {
        advertise: own,
        user_agent: name.into(),
        gateways: vec![gateway],
        allowed_sources: Vec::new(),
        limits: EndpointLimits::default(),
        ring_timeout: Duration::from_secs(60),
    };
    let mut born = 0;
    let new_call_id = move || {
        born += 1;
        CallId::new(format!("{name}-{born}"))
    };
    Endpoint::new(config, entropy, Box::new(new_call_id), now)
}
