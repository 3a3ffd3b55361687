//! A whole world of one seed: plans, weather, phones, the engine, and the properties that must hold at its end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use clearline::clock;
use clearline::domain::{CallId, Entropy, GatewayId};
use clearline::sip::endpoint::{Endpoint, EndpointConfig, EndpointLimits, Gateway, Sizes};

use crate::call::Call;
use crate::engine::Engine;
use crate::network::{Network, Weather};
use crate::phones::{Phone, Phones};
use crate::plan::{End, Plan, WORLD_TIME};
use crate::tones::{CALLS_MAX, caller_tone_hz, hears_only, model_tone_hz};

pub(crate) const ENGINE_SIP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);
pub(crate) const GATEWAY_SIP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)), 5060);
pub(crate) const FRAME_TICKS: u64 = 4;

const TICK: Duration = Duration::from_millis(5);
/// The longest that anything remembers: gates, transactions, a BYE nobody answers.
const AFTERMATH: Duration = Duration::from_secs(400);
/// In which the model must be heard again after a session was rebuilt.
const BACK_WITHIN: Duration = Duration::from_secs(1);
/// What was under way to the phone when the session died is no sign of life of the new one.
const STILL_UNDER_WAY: Duration = Duration::from_millis(250);
/// A call this long has been greeted.
const LONG_ENOUGH: Duration = Duration::from_secs(3);

pub(crate) struct World {
    now: Instant,
    begun: Instant,
    plans: Vec<Plan>,
    network: Network,
    engine: Engine,
    phones: Phones,
    done: Vec<Done>,
}

/// What of a plan has been carried out.
#[derive(Clone, Copy, Default)]
struct Done {
    started: bool,
    ended: bool,
}

/// What one world had, so that a suite can tell that it tried what it says.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) calls: usize,
    pub(crate) greeted: usize,
    pub(crate) rebuilt: usize,
    /// Rebuilt while the model owed the caller something, and heard again in time.
    pub(crate) heard_again: usize,
    pub(crate) callers_heard: usize,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut entropy = Entropy::from_number(seed);
        let calls = 1 + entropy.below(CALLS_MAX as u64);
        let plans: Vec<Plan> = (0..calls).map(|_| Plan::drawn(&mut entropy)).collect();
        let now = clock::now();
        let weather = Weather::drawn(&mut entropy);
        Self {
            now,
            begun: now,
            network: Network::new(weather, entropy.fork()),
            engine: Engine::new(&plans, &mut entropy, now),
            phones: Phones::new(&plans, &mut entropy, now),
            done: vec![Done::default(); plans.len()],
            plans,
        }
    }

    /// Plays everything to its end; panics when a property does not hold.
    pub(crate) fn run(mut self) -> Tally {
        let ticks = (WORLD_TIME.as_millis() / TICK.as_millis()) as u64;
        for tick in 0..ticks {
            self.follow_plans();
            self.tick(tick);
        }
        for number in 0..self.plans.len() {
            self.engine.hang_up(number, self.now);
        }
        self.wind_down(ticks);
        self.judge()
    }

    fn tick(&mut self, tick: u64) {
        while let Some(datagram) = self.network.arrived(self.now) {
            if datagram.to.ip() == ENGINE_SIP.ip() {
                self.engine.receive(datagram, &mut self.network, self.now);
            } else {
                self.phones.receive(&datagram, &mut self.network, self.now);
            }
        }
        self.engine.tick(tick, &mut self.network, self.now);
        self.phones.ring_timers(&mut self.network, self.now);
        if tick.is_multiple_of(FRAME_TICKS) {
            for phone in &mut self.phones.phones {
                phone.step(&mut self.network, self.now);
            }
        }
        self.now += TICK;
    }

    fn follow_plans(&mut self) {
        for number in 0..self.plans.len() {
            let (plan, done) = (self.plans[number], self.done[number]);
            let since = self.now - self.begun;
            if !done.started && since >= plan.starts_at {
                self.done[number].started = true;
                if plan.we_dial {
                    self.engine.dial(number, self.now);
                } else {
                    self.phones.dial(number, &mut self.network, self.now);
                }
            }
            let ends_after = match plan.end {
                End::CallerHangsUp(after) | End::WeHangUp(after) => plan.starts_at + after,
                End::ModelEnds(_) => continue,
            };
            if !done.ended && since >= ends_after {
                self.done[number].ended = true;
                match plan.end {
                    End::WeHangUp(_) => self.engine.hang_up(number, self.now),
                    End::CallerHangsUp(_) | End::ModelEnds(_) => {
                        self.phones.hang_up(number, &mut self.network, self.now);
                    }
                }
            }
        }
    }

    /// A few seconds at full resolution for what is still being said, then in larger and larger strides.
    fn wind_down(&mut self, ticks: u64) {
        let end = self.now + AFTERMATH;
        for tick in ticks..ticks + 1_000 {
            self.tick(tick);
        }
        for number in 0..self.plans.len() {
            self.phones.hang_up(number, &mut self.network, self.now);
        }
        while self.now < end {
            self.tick(1);
            self.now += 19 * TICK;
        }
    }

    fn judge(&self) -> Tally {
        let mut tally = Tally::default();
        assert_eq!(self.engine.sizes(), Sizes::default(), "the engine keeps nothing");
        assert_eq!(self.phones.sizes(), Sizes::default(), "nobody believes to be in a call");
        assert!(self.engine.holds_no_audio(), "routes and ports are back");
        for (number, (call, phone)) in self.engine.calls.iter().zip(&self.phones.phones).enumerate() {
            if let Some(call) = call {
                judge_call(number, call, phone, &mut tally);
            }
        }
        tally
    }
}

fn judge_call(number: usize, call: &Call, phone: &Phone, tally: &mut Tally) {
    assert_eq!(call.finishes.len(), 1, "call {number} ends once: {:?}", call.finishes);
    assert!(call.model.greetings <= 1, "call {number} was greeted {} times", call.model.greetings);
    let greeted = hears_only(model_tone_hz(number), &phone.heard, 8_000, &format!("caller {number}"));
    let heard = hears_only(caller_tone_hz(number), &call.model.heard, 16_000, &format!("model {number}"));
    let talked = phone.connected_at.zip(phone.ended_at).map(|(from, to)| to - from);
    assert!(greeted || talked.is_none_or(|talked| talked < LONG_ENOUGH), "caller {number} hears nothing");
    tally.calls += 1;
    tally.greeted += usize::from(greeted);
    tally.callers_heard += usize::from(heard);
    tally.rebuilt += call.rebuilds.len();
    tally.heard_again += voices_after_rebuilds(number, call, phone);
}

/// After each rebuild that left something unsaid, the model is heard again within a second, unless the call ended, its
/// session died again or the caller spoke before.
fn voices_after_rebuilds(number: usize, call: &Call, phone: &Phone) -> usize {
    let mut heard_again = 0;
    for (index, rebuild) in call.rebuilds.iter().enumerate().filter(|(_, rebuild)| rebuild.owed_speech) {
        let until = rebuild.at + BACK_WITHIN;
        let died_again = call.rebuilds.get(index + 1).is_some_and(|next| next.at <= until);
        if died_again
            || phone.speaks_between(rebuild.at, until)
            || phone.ended_at.is_none_or(|end| end <= until)
        {
            continue;
        }
        let is_sign = |at: &&Instant| **at > rebuild.at + STILL_UNDER_WAY && **at <= until;
        let is_back = phone.loud_at.iter().find(is_sign).is_some();
        let after = rebuild.at - call.started_at();
        let listens = phone.connected_at.map(|at| at - call.started_at());
        assert!(
            is_back,
            "call {number}, rebuilt {after:?} after its start, stays silent; the phone listens from {listens:?} on"
        );
        heard_again += 1;
    }
    heard_again
}

pub(crate) fn media_address(port: u16) -> SocketAddr {
    SocketAddr::new(ENGINE_SIP.ip(), port)
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
