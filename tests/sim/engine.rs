//! Our side: one SIP endpoint, one table of audio routes, and the calls. It decides nothing that the actors do not
//! decide: it carries events to calls and their commands back.

use std::time::Instant;

use clearline::actors::sip_endpoint::signal_of as translate;
use clearline::call::{Ending, Input as CallInput, Signal, SignalCommand};
use clearline::domain::{CallId, Direction, Entropy, GatewayId};
use clearline::media::codec::Codec;
use clearline::media::routes::{Framing, NewRoute, PortPool, RouteTable, Verdict};
use clearline::media::sdp::{LocalMedia, Negotiation};
use clearline::sip::endpoint::{Command, Endpoint, Event, Input, Output, PlaceCall, Sizes};

use crate::call::Call;
use crate::network::{Datagram, Network};
use crate::plan::Plan;
use crate::world::{ENGINE_SIP, FRAME_TICKS, GATEWAY_SIP, endpoint};

pub(crate) struct Engine {
    endpoint: Endpoint,
    routes: RouteTable,
    plans: Vec<Plan>,
    /// By the number of their plan; a call the network kept from us never begins.
    pub(crate) calls: Vec<Option<Call>>,
    entropy: Entropy,
}

impl Engine {
    pub(crate) fn new(plans: &[Plan], entropy: &mut Entropy, now: Instant) -> Self {
        Self {
            endpoint: endpoint(ENGINE_SIP, GATEWAY_SIP, "engine", entropy.fork(), now),
            routes: RouteTable::new(PortPool::new(20_000..=20_099), entropy.fork()),
            plans: plans.to_vec(),
            calls: plans.iter().map(|_| None).collect(),
            entropy: entropy.fork(),
        }
    }

    pub(crate) fn sizes(&self) -> Sizes {
        self.endpoint.sizes()
    }

    pub(crate) fn holds_no_audio(&self) -> bool {
        self.routes.is_empty() && self.routes.ports().held() == 0
    }

    pub(crate) fn dial(&mut self, number: usize, now: Instant) {
        let id = CallId::new(format!("placed-{number}"));
        self.begin(number, id, Direction::Outbound, None, now);
    }

    pub(crate) fn hang_up(&mut self, number: usize, now: Instant) {
        if let Some(call) = &mut self.calls[number] {
            call.handle(CallInput::HangUp { reason: "by plan".into() }, now);
        }
    }

    pub(crate) fn receive(&mut self, datagram: Datagram, network: &mut Network, now: Instant) {
        let Datagram { from, to, bytes } = datagram;
        if to == ENGINE_SIP {
            return self.input(Input::Datagram { source: from, bytes: &bytes }, network, now);
        }
        if let Verdict::Accepted { .. } = self.routes.receive(to.port(), from, &bytes, now)
            && let Some(call) = self.calls.iter_mut().flatten().find(|call| call.port == to.port())
        {
            call.receive(bytes);
        }
    }

    pub(crate) fn tick(&mut self, tick: u64, network: &mut Network, now: Instant) {
        self.input(Input::Timeout, network, now);
        for number in 0..self.calls.len() {
            let Some(call) = &mut self.calls[number] else { continue };
            if (tick + number as u64).is_multiple_of(FRAME_TICKS) {
                call.step(&mut self.routes, network, now);
            }
            let id = call.id.clone();
            for command in call.tick(&mut self.routes, now) {
                let command = sip_command(id.clone(), number, command);
                self.input(Input::Command(command), network, now);
            }
        }
    }

    fn input(&mut self, input: Input<'_>, network: &mut Network, now: Instant) {
        self.endpoint.handle(input, now);
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Transmit { destination, bytes } => network.send(ENGINE_SIP, destination, bytes, now),
                Output::Event(Event::Incoming(incoming)) => {
                    let number = incoming.to.expose().parse().expect("the phones dial numbers");
                    self.begin(number, incoming.call, Direction::Inbound, incoming.offer, now);
                }
                Output::Event(event) => self.tell_call(event, now),
            }
        }
    }

    fn tell_call(&mut self, event: Event, now: Instant) {
        let Some((id, signal)) = signal_of(event) else { return };
        if let Some(call) = self.calls.iter_mut().flatten().find(|call| call.id == id) {
            call.signal(signal, now);
        }
    }

    fn begin(
        &mut self,
        number: usize,
        id: CallId,
        direction: Direction,
        offer: Option<Vec<u8>>,
        now: Instant,
    ) {
        let port = self.routes.acquire_port(now).expect("there are ports for all");
        let codecs = Codec::ALL.to_vec();
        let (address, ssrc) = (ENGINE_SIP.ip(), self.entropy.next_u32());
        let local = LocalMedia { address, port, codecs, ssrc, session_id: 1, cname: id.to_string() };
        let framing = Framing::new(Codec::Pcmu, 0);
        let cname = id.to_string();
        let new = NewRoute { call: id.clone(), port, ssrc, cname, framing, clock_rate_hz: 8_000 };
        self.routes.open(new, now).expect("the port is ours");
        let mut call = Call::new(number, id, port, &self.plans[number], self.entropy.fork(), now);
        call.begin(direction, Negotiation::new(local), offer, now);
        let former = self.calls[number].replace(call);
        assert!(former.is_none(), "call {number} came twice");
    }
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
        SignalCommand::Refuse(_) => Command::Reject { call, status: 488, retry_after: None },
        SignalCommand::AcceptChange { sdp } => Command::AnswerOffer { call, sdp },
        SignalCommand::RejectChange => Command::RejectOffer { call, status: 488 },
        SignalCommand::HangUp => Command::HangUp { call },
    }
}

fn signal_of(event: Event) -> Option<(CallId, Signal)> {
    let told = translate(event)?;
    assert_ne!(told.1, Signal::Ended(Ending::Fault), "the endpoint faulted");
    Some(told)
}
