//! The far ends of all calls: many phones behind one gateway, one SIP address and one media host.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use clearline::domain::{CallId, Entropy, GatewayId};
use clearline::sip::endpoint::{Command, Endpoint, Event, Input, Output, PlaceCall};

use crate::climate::Climate;
use crate::network::{Author, Datagram, Network};
use crate::phone::{FIRST_PORT, PORTS_PER_PHONE, Phone, SHARED_PORT};
use crate::plan::{Plan, RING_TIME};
use crate::tally::{Seen, Tally};
use crate::world::{ENGINE_SIP, FRAME_TICKS, GATEWAY_SIP, endpoint};

const EARLY_MEDIA_AFTER: Duration = Duration::from_millis(100);

pub(crate) struct Phones {
    pub(crate) endpoint: Endpoint,
    pub(crate) phones: Vec<Phone>,
    by_call: HashMap<CallId, usize>,
    /// Who of those that share an address talks to which port of the engine.
    by_engine_port: HashMap<u16, usize>,
    /// What ringing phones do, and when.
    ringing: BTreeMap<(Instant, usize), Ringing>,
    /// How many packets of a call went to other phones than its own.
    pub(crate) strays: BTreeMap<usize, u64>,
    pub(crate) tally: Tally,
}

enum Ringing {
    BeginsEarly { offer: Vec<u8> },
    PicksUp { offer: Vec<u8> },
}

impl Phones {
    pub(crate) fn new(plans: &[Plan], climate: &Climate, entropy: &mut Entropy, now: Instant) -> Self {
        let one_ssrc = entropy.next_u32();
        let mut phones = Vec::new();
        for (number, plan) in plans.iter().enumerate() {
            let ssrc = if climate.shares_ssrc { one_ssrc } else { entropy.next_u32() };
            phones.push(Phone::new(number, plan, climate, ssrc, entropy, now));
        }
        Self {
            endpoint: endpoint(GATEWAY_SIP, ENGINE_SIP, "phone", entropy.fork(), now),
            phones,
            by_call: HashMap::new(),
            by_engine_port: HashMap::new(),
            ringing: BTreeMap::new(),
            strays: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let ringing = self.ringing.keys().next().map(|(at, _)| *at);
        [self.endpoint.next_timeout(), ringing].into_iter().flatten().min()
    }

    pub(crate) fn are_done(&self, now: Instant) -> bool {
        self.phones.iter().all(|phone| phone.is_done(now))
    }

    /// Another phone of the same host, if one is talking.
    pub(crate) fn neighbour_of(&self, number: usize) -> Option<&Phone> {
        self.phones.iter().find(|phone| phone.number != number && phone.is_talking())
    }

    pub(crate) fn dial(&mut self, number: usize, network: &mut Network, now: Instant) {
        let call = CallId::new(format!("dialled-{number}"));
        self.by_call.insert(call.clone(), number);
        let phone = &mut self.phones[number];
        phone.call = Some(call.clone());
        let offer = Some(phone.negotiation.offer());
        let place = PlaceCall {
            call,
            gateway: GatewayId::new("trunk"),
            target: number.to_string(),
            from_user: None,
            from_display: None,
            offer,
        };
        self.input(Input::Command(Command::Place(place)), network, now);
    }

    pub(crate) fn hang_up(&mut self, number: usize, network: &mut Network, now: Instant) {
        if let Some(call) = self.phones[number].call.clone() {
            self.input(Input::Command(Command::HangUp { call }), network, now);
        }
    }

    pub(crate) fn receive(&mut self, datagram: &Datagram, network: &mut Network, now: Instant) {
        if datagram.to == GATEWAY_SIP {
            let input = Input::Datagram { source: datagram.from, bytes: &datagram.bytes };
            return self.input(input, network, now);
        }
        let Some(number) = self.addressee(datagram) else { return };
        // A phone that is done takes nothing: what comes for its successor on a port of the engine is not lost on it.
        if let Author::Engine(call) = datagram.author
            && call != number
            && self.phones[number].ended_at.is_none()
        {
            *self.strays.entry(call).or_default() += 1;
        }
        self.phones[number].receive(datagram, now);
    }

    pub(crate) fn tick(&mut self, tick: u64, network: &mut Network, now: Instant) {
        if self.endpoint.next_timeout().is_some_and(|at| at <= now) {
            self.input(Input::Timeout, network, now);
        }
        while let Some(entry) = self.ringing.first_entry().filter(|entry| entry.key().0 <= now) {
            let (_, number) = *entry.key();
            let what = entry.remove();
            self.ring_on(number, what, network, now);
        }
        for phone in &mut self.phones {
            if (tick + phone.number as u64).is_multiple_of(FRAME_TICKS) {
                phone.step(network, now);
            }
        }
    }

    /// The phone that listens at an address today; what is sent to an older port of its NAT is lost.
    fn addressee(&self, datagram: &Datagram) -> Option<usize> {
        let port = datagram.to.port() & !1;
        if port == SHARED_PORT {
            return self.by_engine_port.get(&(datagram.from.port() & !1)).copied();
        }
        let number = usize::from(port.checked_sub(FIRST_PORT)? / PORTS_PER_PHONE);
        let phone = self.phones.get(number)?;
        let address = phone.address();
        (address.ip() == datagram.to.ip() && address.port() == port).then_some(number)
    }

    fn ring_on(&mut self, number: usize, what: Ringing, network: &mut Network, now: Instant) {
        let phone = &mut self.phones[number];
        let Some(call) = phone.call.clone() else { return };
        let command = match what {
            Ringing::BeginsEarly { offer } => {
                self.tally.count(Seen::EarlyMedia, 1);
                let sdp = phone.answer(&offer);
                phone.talk(now);
                Command::EarlyMedia { call, sdp }
            }
            Ringing::PicksUp { offer } => {
                let sdp = phone.answer(&offer);
                phone.connect(None, now);
                let is_bare = phone.plan.early_media && phone.plan.bare_answer;
                Command::Answer { call, sdp: if is_bare { Vec::new() } else { sdp } }
            }
        };
        self.note_address(number);
        self.input(Input::Command(command), network, now);
    }

    fn note_address(&mut self, number: usize) {
        if let Some(media) = &self.phones[number].media {
            self.by_engine_port.insert(media.remote.port(), number);
        }
    }

    fn input(&mut self, input: Input<'_>, network: &mut Network, now: Instant) {
        self.endpoint.handle(input, now);
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Transmit { destination, bytes } => {
                    let author = Author::Signalling;
                    network.send(Datagram { from: GATEWAY_SIP, to: destination, bytes, author }, now);
                }
                Output::Event(event) => self.on_event(event, now),
            }
        }
    }

    fn on_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Incoming(incoming) => {
                let number: usize = incoming.to.expose().parse().expect("the engine dials numbers");
                let offer = incoming.offer.expect("the engine offers its audio");
                self.by_call.insert(incoming.call.clone(), number);
                let phone = &mut self.phones[number];
                phone.call = Some(incoming.call);
                if phone.plan.early_media {
                    let early = Ringing::BeginsEarly { offer: offer.clone() };
                    self.ringing.insert((now + EARLY_MEDIA_AFTER, number), early);
                }
                self.ringing.insert((now + RING_TIME, number), Ringing::PicksUp { offer });
            }
            Event::Answered { call, sdp, .. } => {
                let number = self.by_call[&call];
                self.phones[number].connect(sdp.as_deref(), now);
                self.note_address(number);
            }
            Event::Ended { call, .. } => {
                let number = self.by_call[&call];
                self.phones[number].end(now);
            }
            Event::Confirmed { .. }
            | Event::Ringing { .. }
            | Event::EarlyMedia { .. }
            | Event::Offer { .. }
            | Event::Dtmf { .. }
            | Event::Registration { .. } => {}
        }
    }
}
